// Auth0's Lock, unchanged, in a page of another origin: the set-up of docs/auth0-compat.md, run as it stands
// there. Lock reads about the connection from the tenant and signs up at the service.

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

/** A service, and the path of a page whose Lock points there; `options` are more of Lock's. */
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

/** Lock on a page, ready; `asked` are the requests that the service got from there. */
async function openLock(t, service, { origin = shop, ...options } = {}) {
  const page = await open(chromium, t, null, options);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Network.enable");
  page.asked = [];
  // Unlike the page's own events, these tell of preflights.
  devtools.on("Network.requestWillBeSent", ({ request: { method, url } }) => {
    if (url.startsWith(service.url)) page.asked.push(`${method} ${new URL(url).pathname}`);
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

/** The words that Lock shows once the form is answered. */
const told = (page) =>
  page.locator(".auth0-global-message-error, .auth0-lock-confirmation p").first().textContent();

/** What the tenant keeps of a person. */
async function user(service, email) {
  const users = await (await fetch(`${service.tenant}/_emulator/users`)).json();
  return users.find((user) => user.email === email);
}

async function signUpElsewhere(service, person) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(person);
  const { ok } = await fetch(`${service.url}/signup`, { method: "POST", headers, body });
  assert.ok(ok);
}

const refusal = (message) => ({
  route: "create_user",
  kind: "answer",
  status: 400,
  body: JSON.stringify({ statusCode: 400, error: "Bad Request", message }),
});

const service = await serviceWithLock();

// Side by side: Lock spends most of its time on sliding in.
describe("Lock", { concurrency: 4 }, () => {
  test("a person signs up with every root attribute in the one call", async (t) => {
    const page = await openLock(t, service);
    const attributes = {
      given_name: "Ada",
      family_name: "Lovelace",
      name: "Ada, Countess of Lovelace",
      nickname: "ada",
      picture: "https://example.com/ada.png",
    };
    await send(page, { ...ADA, ...attributes, plan: "<b>free</b> & more" });
    assert.equal(await told(page), THANKS);
    const [create, ...more] = await service.creates(ADA.email);
    assert.deepEqual(more, []);
    const { user_id: _, ...sent } = create;
    assert.deepEqual(sent, {
      connection: "Username-Password-Authentication",
      email: ADA.email,
      password: ADA.password,
      ...attributes,
      // Lock's own doing.
      user_metadata: { plan: "free &amp; more" },
    });
    const kept = await user(service, ADA.email);
    for (const [name, value] of Object.entries(attributes)) assert.equal(kept[name], value);
    assert.deepEqual(kept.user_metadata, create.user_metadata);
    // One post across origins, and nothing else: no log-in, no challenge.
    assert.deepEqual(page.asked.sort(), [`OPTIONS ${ROUTE}`, `POST ${ROUTE}`]);
  });

  test("with the keyboard alone, and what is left blank is left out", async (t) => {
    const page = await openLock(t, service);
    const { keyboard } = page;
    const email = "grace@example.com";
    const person = {
      email,
      password: "Nanosecond-1906",
      given_name: "Grace",
      family_name: "Hopper",
    };
    for (const [name, value] of Object.entries(person)) {
      // A button that shows the password, say, stands in between.
      const isThere = (name) => document.activeElement.name === name;
      for (let tabs = 0; !(await page.evaluate(isThere, name)); tabs += 1) {
        assert.ok(tabs < 12, `${name} is out of reach`);
        await keyboard.press("Tab");
      }
      await keyboard.type(value);
    }
    await keyboard.press("Enter");
    assert.equal(await told(page), THANKS);
    const [{ user_id: _, ...sent }] = await service.creates(email);
    assert.deepEqual(sent, {
      connection: "Username-Password-Authentication",
      ...person,
      name: "Grace Hopper",
    });
  });

  test("a double click and a second tab create once, and hear of one success", async (t) => {
    // Nobody else's call is to wait.
    const slow = await serviceWithLock();
    const email = "double@example.com";
    const tabs = await Promise.all([openLock(t, slow), openLock(t, slow)]);
    await slow.fault({ route: "create_user", kind: "delay", delay_ms: 500 });
    const both = tabs.map(async (page) => {
      await send(page, { ...ADA, email });
      await page.locator(".auth0-lock-submit").dispatchEvent("click");
      return told(page);
    });
    assert.deepEqual(await Promise.all(both), [THANKS, THANKS]);
    assert.equal((await slow.creates(email)).length, 1);
  });

  test("a taken address is told where that is revealed", async (t) => {
    const person = { ...ADA, email: "taken@example.com" };
    await signUpElsewhere(service, person);
    const page = await openLock(t, service);
    await send(page, { ...person, password: "Analytical-Engine-1837" });
    assert.equal(await told(page), "The user already exists.");
  });

  test("a taken address is a success like any other where that is hidden", async (t) => {
    const uniform = await serviceWithLock({ existence: "uniform" });
    await signUpElsewhere(uniform, ADA);
    const page = await openLock(t, uniform);
    await send(page, { ...ADA, given_name: "Charles", password: "Analytical-Engine-1837" });
    assert.equal(await told(page), THANKS);
    assert.equal((await user(uniform, ADA.email)).given_name, "Ada");
  });

  test("a weak password is explained by Lock itself where the tenant tells it the policy", async (t) => {
    const page = await openLock(t, service);
    await send(page, { ...ADA, email: "weak@example.com", password: "abc1" });
    const rules = page.locator(".auth0-lock-password-strength");
    assert.match(await rules.textContent(), /At least 8 characters in length/);
    const met = rules.locator(".auth0-lock-checked");
    assert.deepEqual(await met.allTextContents(), ["Lower case letters (a-z)", "Numbers (i.e. 0-9)"]);
    assert.deepEqual(page.asked, []);
  });

  test("what this service asks of a password is told in Lock's words", async (t) => {
    const strict = await serviceWithLock({
      "password.policy": "good",
      "password.dictionary.active": true,
      "password.dictionary.custom": "Difference-Engine-1",
      "password.profile_data.active": true,
    });
    // Lock holds nothing back.
    await fetch(`${strict.tenant}/_emulator/tenant`, { method: "PUT", body: '{"policy":"none"}' });
    const page = await openLock(t, strict);
    const heard = page.evaluate(() => new Promise((told) => globalThis.lock.on("signup error", told)));
    await send(page, { ...ADA, password: "abc1" });
    assert.equal(await told(page), "Password is too weak.");
    const { name, description, policy } = await heard;
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

  test("other faults are told as they are, in the language of the browser", async (t) => {
    const page = await openLock(t, service, { locale: "de-DE" });
    const person = { ...ADA, email: "fault@example.com", nickname: "a\u0007da" };
    await send(page, person);
    assert.equal(await told(page), "Spitzname: Entfernen Sie Steuerzeichen wie Zeilenumbrüche.");
    await send(page, { ...person, email: "fault@example.", nickname: "", picture: "nowhere" });
    await page.getByText("E-Mail-Adresse: ").waitFor();
    assert.match(await told(page), /E-Mail-Adresse: .+ Bild \(Webadresse\): /);
    // A person who mends it goes on.
    await send(page, { ...person, nickname: "ada", picture: "" });
    await page.getByText(THANKS).waitFor();
  });

  test("what the tenant refuses and what it leaves open has words", async (t) => {
    const refusing = await serviceWithLock();
    const page = await openLock(t, refusing);
    const outage = { kind: "answer", times: "always" };
    const rows = [
      [refusal("PasswordBreachedError: Password is part of a known breached credential dataset"),
        /^This combination of credentials was detected in a public data breach/],
      [refusal("The username provided is in use already."), /^The username already exists\.$/],
      [{ ...outage, route: "create_user", status: 403 }, WENT_WRONG],
      [{ ...outage, route: "any", status: 500 }, /^Your account may have been made\. Look for/],
    ];
    for (const [nth, [fault, words]] of rows.entries()) {
      await refusing.fault(fault);
      await send(page, { ...ADA, email: `refused.${nth}@example.com` });
      await page.getByText(words).waitFor();
      await refusing.mend();
    }
  });

  test("a proof that Lock cannot bring: under pressure, and without a slow lane", async (t) => {
    const hard = await serviceWithLock({
      "challenge.adaptive.address_burst": 1,
      "challenge.without_proof_per_hour": 0,
    });
    const page = await openLock(t, hard);
    await hard.fault(refusal("PasswordDictionaryError: Password is too common"));
    await send(page, ADA);
    assert.equal(await told(page), "Password is too common.");
    await send(page, { ...ADA, email: "second@example.com" });
    await page.getByText("Solve the challenge question to verify you are not a robot.").waitFor();
    assert.deepEqual(await hard.creates("second@example.com"), []);
  });

  test("with a state, Lock asks for a captcha, and what it does not know only a developer mends", async (t) => {
    const other = await serviceWithLock(
      { "auth0_compat.client_ids": "another" },
      ', auth: { params: { state: "of the application" } }',
    );
    const page = await openLock(t, other);
    assert.ok(page.asked.includes(`POST ${ROUTE}/challenge`), page.asked.join());
    await send(page, ADA);
    assert.equal(await told(page), WENT_WRONG);
    assert.deepEqual(await other.creates(ADA.email), []);
  });

  test("terms are accepted in Lock's own box, and asked for where a page has none", async (t) => {
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
    assert.equal(await told(tab), THANKS);
    const [create, ...more] = await asking.creates(email);
    assert.deepEqual(more, []);
    assert.equal(create.app_metadata.terms.version, "2026-11");

    const forgotten = await serviceWithLock(required);
    const other = await openLock(t, forgotten);
    await send(other, ADA);
    assert.match(await told(other), /Accept the terms to go on\./);
    assert.deepEqual(await forgotten.creates(ADA.email), []);
  });

  test("who tries too often reads the page's words for it", async (t) => {
    const narrow = await serviceWithLock({ "limits.address.burst": 1 });
    const page = await openLock(t, narrow);
    await narrow.fault(refusal("PasswordDictionaryError: Password is too common"));
    await send(page, ADA);
    assert.equal(await told(page), "Password is too common.");
    await send(page, { ...ADA, email: "second@example.com" });
    await page.getByText("Too many attempts. Try again later.").waitFor();
    assert.deepEqual(await narrow.creates("second@example.com"), []);
  });

  test("a closed gate says why", async (t) => {
    const text = "Sign-ups open on Monday, at <9>.";
    const closed = await serviceWithLock({ "signup.open": false, "signup.closed_text": text });
    const page = await openLock(t, closed);
    await send(page, ADA);
    assert.equal(await told(page), text);
  });

  test("a page of an origin that is not allowed gets no further than the preflight", async (t) => {
    const page = await openLock(t, service, { origin: stranger });
    const email = "stranger@example.com";
    const refused = page.waitForEvent("requestfailed", (request) => request.url().endsWith(ROUTE));
    await send(page, { ...ADA, email });
    assert.equal((await refused).method(), "POST");
    assert.equal(await told(page), WENT_WRONG);
    assert.deepEqual(await service.creates(email), []);
  });
});
