// Tests of the official Node SDK against the emulator. The URL, the application and the CA come from
// the environment that `run` sets up.
"use strict";

const assert = require("node:assert/strict");
const { generateKeyPairSync } = require("node:crypto");
const { test } = require("node:test");

const { ManagementClient } = require("auth0");
const six = require("auth0-6");

const { AUTH0_URL, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET, AUTH0_CONNECTION } = process.env;
const application = {
  domain: new URL(AUTH0_URL).host,
  clientId: AUTH0_CLIENT_ID,
  clientSecret: AUTH0_CLIENT_SECRET,
};
const password = "Correct7Horse!";

/** A user that the emulator's default tenant accepts. */
function user(email) {
  return { connection: AUTH0_CONNECTION, email, password, given_name: "Ada", family_name: "Lovelace" };
}

for (const [name, Client] of [["7", ManagementClient], ["6", six.ManagementClient]]) {
  test(`SDK ${name} creates, finds and reads a user`, async () => {
    const management = new Client(application);
    const email = `node-${name}@example.com`;
    const created = await management.users.create(user(email));
    assert.match(created.user_id, /^auth0\|[0-9a-f]{24}$/);
    assert.equal(created.email, email);
    assert.equal(created.given_name, "Ada");
    const found = await management.users.listUsersByEmail({ email });
    assert.deepEqual(found.map((one) => one.user_id), [created.user_id]);
    const read = await management.users.get(created.user_id);
    assert.equal(read.nickname, `node-${name}`);
  });

  test(`SDK ${name} understands an error`, async () => {
    const management = new Client(application);
    const email = `node-rejected-${name}@example.com`;
    await management.users.create(user(email));
    await assert.rejects(management.users.create(user(email), { maxRetries: 0 }), { statusCode: 409 });
    const weak = { ...user(`node-weak-${name}@example.com`), password: "weak" };
    await assert.rejects(management.users.create(weak), (error) => {
      assert.equal(error.statusCode, 400);
      assert.equal(error.body.message, "PasswordStrengthError: Password is too weak");
      return true;
    });
  });
}

test("an application that signs assertions gets a token", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const changed = await fetch(`${AUTH0_URL}/_emulator/tenant`, {
    method: "PUT",
    body: JSON.stringify({ public_keys: [publicKey] }),
  });
  assert.equal(changed.status, 200);
  const { domain, clientId } = application;
  const management = new ManagementClient({ domain, clientId, clientAssertionSigningKey: privateKey });
  const created = await management.users.create(user("node-assertion@example.com"));
  assert.equal(created.email, "node-assertion@example.com");
});

test("the authentication client gets a token and signs a user up", async () => {
  const authentication = new six.AuthenticationClient(application);
  const { data: token } = await authentication.oauth.clientCredentialsGrant({
    audience: `${AUTH0_URL}/api/v2/`,
  });
  assert.equal(token.token_type, "Bearer");
  assert.equal(token.expires_in, 86400);
  const { data: signedUp } = await authentication.database.signUp({
    connection: AUTH0_CONNECTION,
    email: "node-signup@example.com",
    password,
  });
  assert.match(signedUp.id ?? signedUp._id, /^[0-9a-f]{24}$/);
});
