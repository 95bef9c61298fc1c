// The authentication client of the official Node SDK signs people up on this service.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");

const { AuthenticationClient } = require("auth0-6");

const { AUTH0_URL, SIGNUP_DOMAIN, SIGNUP_UNIFORM_DOMAIN } = process.env;
// One request per test: the client's own retries would hide an error.
const clientOf = (domain) =>
  new AuthenticationClient({ domain, clientId: "any", retry: { enabled: false } }).database;
const database = clientOf(SIGNUP_DOMAIN);
const connection = "Username-Password-Authentication";
const password = "Difference-Engine-1843";

const signUp = (email, more = {}) =>
  database.signUp({ connection, email, password, given_name: "Ada", ...more });

test("a user signs up with root attributes and empty metadata", async () => {
  const { data } = await signUp("node@example.com", { user_metadata: {} });
  assert.match(data.id ?? data._id, /^[0-9a-f]{24}$/);
  assert.equal(data.email, "node@example.com");
  assert.equal(data.given_name, "Ada");
});

test("a double submit is one sign-up", async () => {
  const duplicates = [signUp("node-twice@example.com"), signUp("node-twice@example.com")];
  const [first, second] = (await Promise.all(duplicates)).map(({ data }) => data.id ?? data._id);
  assert.equal(first, second);
});

test("a taken address and a weak password have different codes", async () => {
  await signUp("node-taken@example.com");
  const taken = signUp("node-taken@example.com", { password: "Analytical-Engine-1837" });
  await assert.rejects(taken, (error) => {
    assert.equal(error.statusCode, 400);
    assert.equal(JSON.parse(error.body).code, "user_exists");
    return true;
  });
  await assert.rejects(signUp("node-weak@example.com", { password: "weak" }), (error) => {
    const body = JSON.parse(error.body);
    assert.equal(body.name, "PasswordStrengthError");
    assert.equal(body.description.rules[0].verified, false);
    return true;
  });
});

test("with existence = uniform the SDK gets a success for a taken address", async () => {
  const uniform = clientOf(SIGNUP_UNIFORM_DOMAIN);
  const email = "node-uniform@example.com";
  const signUpWith = (password) => uniform.signUp({ connection, email, password, given_name: "Ada" });
  const known = (await signUpWith(password)).data;
  const taken = (await signUpWith("Analytical-Engine-1837")).data;
  assert.deepEqual(Object.keys(taken).sort(), Object.keys(known).sort());
  assert.equal(taken.email, email);
});

test("a common password and a busy tenant have their own codes", async () => {
  await assert.rejects(signUp("node-common@example.com", { password: "Password1" }), (error) => {
    assert.equal(JSON.parse(error.body).name, "PasswordDictionaryError");
    return true;
  });
  const reset = String(Math.floor(Date.now() / 1000) + 60);
  const fault = { route: "create_user", kind: "answer", status: 429, headers: { "x-ratelimit-reset": reset } };
  await fetch(`${AUTH0_URL}/_emulator/faults`, { method: "POST", body: JSON.stringify(fault) });
  await assert.rejects(signUp("node-busy@example.com"), (error) => {
    assert.equal(error.statusCode, 429);
    assert.equal(JSON.parse(error.body).code, "too_many_requests");
    return true;
  });
});
