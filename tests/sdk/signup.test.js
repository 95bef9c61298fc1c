// The authentication client of the official Node SDK signs people up on this service.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");

const { AuthenticationClient } = require("auth0-6");

const { SIGNUP_DOMAIN } = process.env;
const { database } = new AuthenticationClient({ domain: SIGNUP_DOMAIN, clientId: "any" });
const connection = "Username-Password-Authentication";
const password = "Difference-Engine-1843";

const signUp = (email, more = {}) =>
  database.signUp({ connection, email, password, given_name: "Ada", ...more });

test("a person signs up, with root attributes", async () => {
  const { data } = await signUp("node@example.com");
  assert.match(data.id ?? data._id, /^[0-9a-f]{24}$/);
  assert.equal(data.email, "node@example.com");
  assert.equal(data.given_name, "Ada");
});

test("a double submit is one sign-up", async () => {
  const twins = [signUp("node-twice@example.com"), signUp("node-twice@example.com")];
  const [first, second] = (await Promise.all(twins)).map(({ data }) => data.id ?? data._id);
  assert.equal(first, second);
});

test("a taken address and a weak password are told apart", async () => {
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
