// auth0.js, unchanged, on a page of another origin.

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
const toPromise = (call) =>
  new Promise((resolve) => call((error, result) => resolve({ error, result })));
globalThis.signUp = (user) => toPromise((done) => webAuth.signup(user, done));
globalThis.signUpAndLogIn = (user) =>
  toPromise((done) => webAuth.redirect.signupAndLogin(user, done));
`);

const connection = "Username-Password-Authentication";
const signUp = (page, user) =>
  page.evaluate((user) => globalThis.signUp(user), { connection, ...user });

test("a user signs up with every root attribute in one call", async (t) => {
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
  assert.deepEqual(page.consoleErrors, []);
});

test("two concurrent calls create one user, which both return", async (t) => {
  const page = await open(chromium, t, shop);
  const user = { ...ADA, email: "twice@example.com" };
  await service.fault({ route: "create_user", kind: "delay", delay_ms: 300 });
  const [first, second] = await Promise.all([signUp(page, user), signUp(page, user)]);
  assert.deepEqual(first, second);
  assert.equal(first.error, null);
  assert.equal((await service.creates(user.email)).length, 1);
});

test("rejections have the members that an application depends on", async (t) => {
  const page = await open(chromium, t, shop);
  const user = { ...ADA, email: "taken@example.com" };
  const rejection = async (form) => (await signUp(page, { ...user, ...form })).error;
  assert.equal(await rejection({}), null);
  const taken = await rejection({ password: "Analytical-Engine-1837" });
  assert.deepEqual(
    [taken.statusCode, taken.code, taken.description],
    [400, "user_exists", "The user already exists."],
  );
  const weak = await rejection({ password: "weak" });
  assert.deepEqual([weak.code, weak.name], ["invalid_password", "PasswordStrengthError"]);
  assert.equal(weak.description.rules[0].verified, false);
  assert.match(weak.policy, /^\* At least 8 characters in length\n/);
  const invalid = await rejection({ nickname: "a\u0007da" });
  assert.equal(invalid.code, "hook_error");
  assert.match(invalid.description, /^Nickname: /);
  await rejection({ password: "Analytical-Engine-1838" });
  const limited = await rejection({ password: "Analytical-Engine-1839" });
  assert.deepEqual([limited.statusCode, limited.code], [429, "too_many_requests"]);
});

test("signupAndLogin signs up, and reports that the login failed", async (t) => {
  const page = await open(chromium, t, shop);
  const email = "login@example.com";
  const user = { connection, email, password: ADA.password };
  const { error } = await page.evaluate((user) => globalThis.signUpAndLogIn(user), user);
  assert.equal(error.errorInfo.error_code, "login_error");
  assert.equal((await service.creates(email)).length, 1);
});
