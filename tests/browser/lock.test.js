// Auth0's Lock, unchanged, on a page of another origin, with the setup of docs/auth0-compat.md. Lock reads
// the connection from the tenant and signs users up at the service.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { bundle, pageOf } from "./bundle.js";
import { ADA, Service, browser, open, site } from "./support.js";

const ROUTE = "/dbconnections/signup";
const WENT_WRONG = "We're sorry, something went wrong when attempting to sign up.";
const THANKS = "Thanks for signing up.";

const files = {};
const shop = await site(files);
const stranger = await site(files);
const chromium = await browser();

const guide = await readFile(new URL("../../docs/auth0-compat.md", import.meta.url), "utf8");
const [[, block], [, terms]] = [...guide.matchAll(/```js\n(.*?)```/gs)];
const page = (options) => bundle(`const clientId = "demo-client";\n${options}\nglobalThis.lock = lock;`);
const documented = await page(block);

/** Starts a service, and publishes a page whose Lock uses it. `options`: further options of Lock. */
async function serviceWithLock(settings = {}, options = "", script = documented) {
  const service = await Service.start({
    "http.allowed_origins": shop,
    "user_metadata.allow": "plan",
    ...settings,
  });
  service.path = `/${new URL(service.url).port}`;
  const address = `${service.path}.js`;
  files[service.path] = pageOf(address);
  files[address] = script
    .replace("https://signup.example.com", service.url)
    .replace("https://tenant.eu.auth0.com", service.tenant)
    .replace("avatar:null", `avatar:null${options}`);
  return service;
}

/** Opens a page with Lock, and waits until it is ready. `requests` collects its requests to the service. */
async function openLock(t, service, { origin = shop, ...options } = {}) {
  const page = await open(chromium, t, null, options);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  page.requests = [];
  // Unlike the page's own events, these include preflights.
  devtools.on("Network.requestWillBeSent", ({ request: { method, url } }) => {
    if (url.startsWith(service.url)) page.requests.push(`${method} ${new URL(url).pathname}`);
  });
  await page.goto(origin + service.path);
  await page.locator(".auth0-lock [name=email]").waitFor();
  return page;
}

async function fill(page, values) {
  for (const [name, value] of Object.entries(values)) {
    await page.fill(`.auth0-lock [name="${name}"]`, value);
  }
}

async function send(page, values) {
  await fill(page, values);
  await page.click(".auth0-lock-submit");
}

/** Returns the message that Lock shows after a response. */
const message = (page) =>
  page.locator(".auth0-global-message-error, .auth0-lock-confirmation p").first().textContent();

/** Returns the user that the tenant stores. */
async function user(service, email) {
  const users = await (await fetch(`${service.tenant}/_emulator/users`)).json();
  return users.find((user) => user.email === email);
}

async function signUpElsewhere(service, values) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(values);
  const { ok } = await fetch(`${service.url}/signup`, { method: "POST", headers, body });
  assert.ok(ok);
}

const rejection = (message) => ({
  route: "create_user",
  kind: "answer",
  status: 400,
  body: JSON.stringify({ statusCode: 400, error: "Bad Request", message }),
});

const service = await serviceWithLock();

// Concurrently: Lock spends most of its time on its animation.
describe("Lock", { concurrency: 4 }, () => {
  test("a user signs up with every root attribute in one call", async (t) => {
    const page = await openLock(t, service);
    const attributes = {
      given_name: "Ada",
      family_name: "Lovelace",
      name: "Ada, Countess of Lovelace",
      nickname: "ada",
      picture: "https://example.com/ada.png",
    };
    await send(page, { ...ADA, ...attributes, plan: "<b>free</b> & more" });
    assert.equal(await message(page), THANKS);
    const [create, ...more] = await service.creates(ADA.email);
    assert.deepEqual(more, []);
    const { user_id: _, ...sent } = create;
    assert.deepEqual(sent, {
      connection: "Username-Password-Authentication",
      email: ADA.email,
      password: ADA.password,
      ...attributes,
      // Escaped by Lock itself.
      user_metadata: { plan: "free &amp; more" },
    });
    const stored = await user(service, ADA.email);
    for (const [name, value] of Object.entries(attributes)) assert.equal(stored[name], value);
    assert.deepEqual(stored.user_metadata, create.user_metadata);
    // One cross-origin post and nothing else: no login, no challenge.
    assert.deepEqual(page.requests.sort(), [`OPTIONS ${ROUTE}`, `POST ${ROUTE}`]);
  });

  test("a user signs up with the keyboard alone, and blank fields are left out", async (t) => {
    const page = await openLock(t, service);
    const { keyboard } = page;
    const email = "grace@example.com";
    const values = {
      email,
      password: "Nanosecond-1906",
      given_name: "Grace",
      family_name: "Hopper",
    };
    for (const [name, value] of Object.entries(values)) {
      // Other elements, such as a button that shows the password, may be in between.
      const hasFocus = (name) => document.activeElement.name === name;
      for (let tabs = 0; !(await page.evaluate(hasFocus, name)); tabs += 1) {
        assert.ok(tabs < 12, `${name} cannot be reached`);
        await keyboard.press("Tab");
      }
      await keyboard.type(value);
    }
    await keyboard.press("Enter");
    assert.equal(await message(page), THANKS);
    const [{ user_id: _, ...sent }] = await service.creates(email);
    assert.deepEqual(sent, {
      connection: "Username-Password-Authentication",
      ...values,
      name: "Grace Hopper",
    });
  });

  test("a double click and a second tab create one user, and both show success", async (t) => {
    // A service of its own, since the fault delays the next call of any test.
    const slow = await serviceWithLock();
    const email = "double@example.com";
    const tabs = await Promise.all([openLock(t, slow), openLock(t, slow)]);
    await slow.fault({ route: "create_user", kind: "delay", delay_ms: 500 });
    const both = tabs.map(async (page) => {
      await fill(page, { ...ADA, email });
      // In one task, so that the second click comes before any response.
      await page.locator(".auth0-lock-submit").evaluate((button) => [1, 2].forEach(() => button.click()));
      return message(page);
    });
    assert.deepEqual(await Promise.all(both), [THANKS, THANKS]);
    assert.equal((await slow.creates(email)).length, 1);
  });

  test("a taken address is reported if its existence may be revealed", async (t) => {
    const values = { ...ADA, email: "taken@example.com" };
    await signUpElsewhere(service, values);
    const page = await openLock(t, service);
    await send(page, { ...values, password: "Analytical-Engine-1837" });
    assert.equal(await message(page), "The user already exists.");
  });

  test("a taken address looks like a success if its existence is hidden", async (t) => {
    const uniform = await serviceWithLock({ existence: "uniform" });
    await signUpElsewhere(uniform, ADA);
    const page = await openLock(t, uniform);
    await send(page, { ...ADA, given_name: "Charles", password: "Analytical-Engine-1837" });
    assert.equal(await message(page), THANKS);
    assert.equal((await user(uniform, ADA.email)).given_name, "Ada");
  });

  test("Lock itself explains a weak password if the tenant publishes the policy", async (t) => {
    const page = await openLock(t, service);
    await send(page, { ...ADA, email: "weak@example.com", password: "abc1" });
    const rules = page.locator(".auth0-lock-password-strength");
    assert.match(await rules.textContent(), /At least 8 characters in length/);
    const met = rules.locator(".auth0-lock-checked");
    assert.deepEqual(await met.allTextContents(), ["Lower case letters (a-z)", "Numbers (i.e. 0-9)"]);
    assert.deepEqual(page.requests, []);
  });

  test("Lock explains the password rules of this service in its own words", async (t) => {
    const strict = await serviceWithLock({
      "password.policy": "good",
      "password.dictionary.active": true,
      "password.dictionary.custom": "Difference-Engine-1",
      "password.profile_data.active": true,
    });
    // So that Lock itself rejects nothing.
    await fetch(`${strict.tenant}/_emulator/tenant`, { method: "PUT", body: '{"policy":"none"}' });
    const page = await openLock(t, strict);
    const reported = page.evaluate(
      () => new Promise((resolve) => globalThis.lock.on("signup error", resolve)),
    );
    await send(page, { ...ADA, password: "abc1" });
    assert.equal(await message(page), "Password is too weak.");
    const { name, description, policy } = await reported;
    assert.equal(name, "PasswordStrengthError");
    const [length, types] = description.rules;
    assert.deepEqual([length.code, length.verified], ["lengthAtLeast", false]);
    assert.deepEqual(
      types.items.filter(({ verified }) => !verified).map(({ code }) => code),
      ["upperCase", "specialCharacters"],
    );
    assert.match(policy, /^\* At least 8 characters in length\n/);

    for (const [password, words] of [
      ["difference-engine-1", "Password is too common."],
      ["Nickname-Lovelace-1", "Password is based on user information."],
    ]) {
      await send(page, { ...ADA, nickname: "Nickname", password });
      await page.getByText(words, { exact: true }).waitFor();
    }
    assert.deepEqual(await strict.creates(ADA.email), []);
  });

  test("other errors are shown as they are, in the language of the browser", async (t) => {
    const page = await openLock(t, service, { locale: "de-DE" });
    const values = { ...ADA, email: "fault@example.com", nickname: "a\u0007da" };
    await send(page, values);
    assert.equal(await message(page), "Spitzname: Entfernen Sie Zeilenumbrüche und andere unsichtbare Zeichen.");
    await send(page, { ...values, email: "fault@example.", nickname: "", picture: "nowhere" });
    await page.getByText("E-Mail-Adresse: ").waitFor();
    assert.match(await message(page), /E-Mail-Adresse: .+ Bild \(Webadresse\): /);
    // Corrected values are accepted.
    await send(page, { ...values, nickname: "ada", picture: "" });
    await page.getByText(THANKS).waitFor();
  });

  test("rejections by the tenant and unknown outcomes have messages", async (t) => {
    const rejecting = await serviceWithLock();
    const page = await openLock(t, rejecting);
    const outage = { kind: "answer", times: "always" };
    const rows = [
      [rejection("PasswordBreachedError: Password is part of a known breached credential dataset"),
        /^This combination of credentials was detected in a public data breach/],
      [rejection("The username provided is in use already."), /^The username already exists\.$/],
      [{ ...outage, route: "create_user", status: 403 }, WENT_WRONG],
      [{ ...outage, route: "any", status: 500 }, /^Your account may have been created\. Check your inbox/],
    ];
    for (const [nth, [fault, words]] of rows.entries()) {
      await rejecting.fault(fault);
      await send(page, { ...ADA, email: `rejected.${nth}@example.com` });
      await page.getByText(words).waitFor();
      await rejecting.clearFaults();
    }
  });

  test("Lock cannot send a proof: under pressure, without an allowance for unproven attempts", async (t) => {
    const hard = await serviceWithLock({
      "challenge.adaptive.address_burst": 1,
      "challenge.without_proof_per_hour": 0,
    });
    const page = await openLock(t, hard);
    await hard.fault(rejection("PasswordDictionaryError: Password is too common"));
    await send(page, ADA);
    assert.equal(await message(page), "Password is too common.");
    await send(page, { ...ADA, email: "second@example.com" });
    await page.getByText("Solve the challenge question to verify you are not a robot.").waitFor();
    assert.deepEqual(await hard.creates("second@example.com"), []);
  });

  test("with a state, Lock requests a captcha, and an unknown client_id is a generic error", async (t) => {
    const other = await serviceWithLock(
      { "auth0_compat.client_ids": "another" },
      ', auth: { params: { state: "of the application" } }',
    );
    const page = await openLock(t, other);
    await send(page, ADA);
    assert.equal(await message(page), WENT_WRONG);
    // Lock requests the captcha while its form is already shown.
    assert.ok(page.requests.includes(`POST ${ROUTE}/challenge`), page.requests.join());
    assert.deepEqual(await other.creates(ADA.email), []);
  });

  test("terms are accepted in Lock's own checkbox, and required on a page without one", async (t) => {
    const required = {
      "terms.version": "2026-11",
      "terms.url": "https://example.com/terms",
      "terms.required": true,
    };
    // The recipe's fields take the place of the block's.
    const fields = /  additionalSignUpFields: \[.*?\n  \],\n  languageDictionary: .*?\n  \},\n/s;
    const asking = await serviceWithLock(required, "", await page(block.replace(fields, terms)));
    const tab = await openLock(t, asking);
    const { email, password } = ADA;
    await fill(tab, { email, password });
    assert.ok(await tab.locator(".auth0-lock-submit").isDisabled());
    await tab.locator(".auth0-lock [type=checkbox]").check();
    await tab.locator(".auth0-lock-submit").click();
    assert.equal(await message(tab), THANKS);
    const [create, ...more] = await asking.creates(email);
    assert.deepEqual(more, []);
    assert.equal(create.app_metadata.terms.version, "2026-11");

    const forgotten = await serviceWithLock(required);
    const other = await openLock(t, forgotten);
    await send(other, ADA);
    assert.match(await message(other), /Accept the terms to continue\./);
    assert.deepEqual(await forgotten.creates(ADA.email), []);
  });

  test("a rate limit shows the page's own message", async (t) => {
    const narrow = await serviceWithLock({ "limits.address.burst": 1 });
    const page = await openLock(t, narrow);
    await narrow.fault(rejection("PasswordDictionaryError: Password is too common"));
    await send(page, ADA);
    assert.equal(await message(page), "Password is too common.");
    await send(page, { ...ADA, email: "second@example.com" });
    await page.getByText("Too many attempts. Try again later.").waitFor();
    assert.deepEqual(await narrow.creates("second@example.com"), []);
  });

  test("closed sign-ups show the operator's text", async (t) => {
    const text = "Sign-ups open on Monday, at <9>.";
    const closed = await serviceWithLock({ "signup.open": false, "signup.closed_text": text });
    const page = await openLock(t, closed);
    await send(page, ADA);
    assert.equal(await message(page), text);
  });

  test("a page on an origin that is not allowed gets no further than the preflight", async (t) => {
    const page = await openLock(t, service, { origin: stranger });
    const email = "stranger@example.com";
    const failed = page.waitForEvent("requestfailed", (request) => request.url().endsWith(ROUTE));
    await send(page, { ...ADA, email });
    assert.equal((await failed).method(), "POST");
    assert.equal(await message(page), WENT_WRONG);
    assert.deepEqual(await service.creates(email), []);
  });
});
