// auth0.js, unchanged, in a page of another origin.

import assert from "node:assert/strict";
import { test } from "node:test";

import { bundle, pageOf } from "./bundle.js";
import { ADA, Service, browser, open, site } from "./support.js";

const files = { "/": pageOf("/page.js") };
const shop = await site(files);
const chromium = await browser();
const service = await Service.start({
  "http.allowed_origins": shop,
  "limits.email.burst": 3,
});
files["/page.js"] = await bundle(`
import { WebAuth } from "auth0-js";
const webAuth = new WebAuth({
  domain: ${JSON.stringify(service.url)},
  clientID: "demo-client",
  redirectUri: location.href,
  responseType: "token",
});
const settled = (call) => new Promise((told) => call((error, result) => told({ error, result })));
globalThis.signUp = (person) => settled((done) => webAuth.signup(person, done));
globalThis.signUpAndLogIn = (person) =>
  settled((done) => webAuth.redirect.signupAndLogin(person, done));
`);

const connection = "Username-Password-Authentication";
const signUp = (page, person) =>
  page.evaluate((person) => globalThis.signUp(person), { connection, ...person });

test("a person signs up with every root attribute in the one call", async (t) => {
  const page = await open(chromium, t, shop);
  const attributes = { given_name: "Ada", family_name: "Lovelace", name: "Ada", nickname: "ada" };
  const picture = "https://example.com/ada.png";
  const sent = { ...ADA, ...attributes, picture, user_metadata: {} };
  const { error, result } = await signUp(page, sent);
  assert.equal(error, null);
  assert.match(result.Id, /^[0-9a-f]{24}$/);
  assert.deepEqual([result.email, result.emailVerified], [ADA.email, false]);
  assert.deepEqual([result.givenName, result.picture], ["Ada", picture]);
  const creates = await service.creates(ADA.email);
  const expected = { ...ADA, ...attributes, picture, connection, user_id: creates[0].user_id };
  assert.deepEqual(creates, [expected]);
  assert.deepEqual(page.complaints, []);
});

test("two calls at once create once and hear of the same user", async (t) => {
  const page = await open(chromium, t, shop);
  const person = { ...ADA, email: "twice@example.com" };
  await service.fault({ route: "create_user", kind: "delay", delay_ms: 300 });
  const [first, second] = await Promise.all([signUp(page, person), signUp(page, person)]);
  assert.deepEqual(first, second);
  assert.equal(first.error, null);
  assert.equal((await service.creates(person.email)).length, 1);
});

test("refusals have the members that an application decides on", async (t) => {
  const page = await open(chromium, t, shop);
  const person = { ...ADA, email: "taken@example.com" };
  const refused = async (form) => (await signUp(page, { ...person, ...form })).error;
  assert.equal(await refused({}), null);
  const taken = await refused({ password: "Analytical-Engine-1837" });
  assert.deepEqual(
    [taken.statusCode, taken.code, taken.description],
    [400, "user_exists", "The user already exists."],
  );
  const weak = await refused({ password: "weak" });
  assert.deepEqual([weak.code, weak.name], ["invalid_password", "PasswordStrengthError"]);
  assert.equal(weak.description.rules[0].verified, false);
  assert.match(weak.policy, /^\* At least 8 characters in length\n/);
  const fault = await refused({ nickname: "a\u0007da" });
  assert.equal(fault.code, "hook_error");
  assert.match(fault.description, /^Nickname: /);
  await refused({ password: "Analytical-Engine-1838" });
  const often = await refused({ password: "Analytical-Engine-1839" });
  assert.deepEqual([often.statusCode, often.code], [429, "too_many_requests"]);
});

test("signupAndLogin signs up here, and says that the log-in is what failed", async (t) => {
  const page = await open(chromium, t, shop);
  const email = "login@example.com";
  const person = { connection, email, password: ADA.password };
  const { error } = await page.evaluate((person) => globalThis.signUpAndLogIn(person), person);
  assert.equal(error.errorInfo.error_code, "login_error");
  assert.equal((await service.creates(email)).length, 1);
});
