// Captchas on the built-in page. Stand-ins for the services' scripts and frames are served at the real
// addresses, so that the page's own policy applies; the tokens are verified over HTTP.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";

import { ADA, Service, browser, done, fill, open, send } from "./support.js";

const chromium = await browser();

/** Requests to the service that verifies tokens, in order. */
const verifications = [];
const verifier = createServer(async (request, response) => {
  const chunks = await request.toArray();
  verifications.push(Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString())));
  const body = { success: true, hostname: "127.0.0.1", action: "signup", score: 0.9 };
  response.end(JSON.stringify(body));
});
await new Promise((resolve) => verifier.listen(0, "127.0.0.1", resolve));
after(() => verifier.close());

/** Returns a stand-in for a service's script: its object, and for a widget a frame and the hidden field. */
const script = ({ object, field, class: name, frame }, load = 1) => `
  let tokens = 0;
  const token = () => "${object}-${load}-" + ++tokens;
  const element = document.querySelector(".${name}");
  if (element) {
    const input = Object.assign(document.createElement("input"), { type: "hidden", name: "${field}" });
    input.value = token();
    const inside = Object.assign(document.createElement("iframe"), { src: "${frame}", width: 164 });
    element.append(inside, input);
    globalThis.${object} = { key: element.dataset.sitekey, reset: () => (input.value = token()) };
  } else {
    globalThis.${object} = { execute: async (key, { action }) => [key, action, token()].join("/") };
  }`;

const TURNSTILE = {
  provider: "turnstile",
  object: "turnstile",
  field: "cf-turnstile-response",
  class: "cf-turnstile",
  script: "https://challenges.cloudflare.com/turnstile/v0/api.js",
  frame: "https://challenges.cloudflare.com/cdn-cgi/challenge-platform/x",
};
const HCAPTCHA = {
  provider: "hcaptcha",
  object: "hcaptcha",
  field: "h-captcha-response",
  class: "h-captcha",
  script: "https://js.hcaptcha.com/1/api.js?hl=en",
  frame: "https://newassets.hcaptcha.com/captcha/v1/x",
};
const RECAPTCHA = {
  provider: "recaptcha_v2",
  object: "grecaptcha",
  field: "g-recaptcha-response",
  class: "g-recaptcha",
  script: "https://www.google.com/recaptcha/api.js?hl=en",
  frame: "https://www.google.com/recaptcha/api2/anchor",
};
const SCORED = {
  ...RECAPTCHA,
  provider: "recaptcha_v3",
  script: "https://www.google.com/recaptcha/api.js?hl=en&render=site",
};

const start = ({ provider }, settings) => Service.start({
  "challenge.required": "always",
  "auth0_compat.enabled": false,
  "challenge.captcha.provider": provider,
  "challenge.captcha.site_key": "site",
  "challenge.captcha.secret": "secret",
  "challenge.captcha.hostnames": "127.0.0.1",
  "challenge.captcha.verify_url": `http://127.0.0.1:${verifier.address().port}/`,
  ...(provider === "recaptcha_v3" && {
    "challenge.captcha.action": "signup",
    "challenge.captcha.min_score_percent": 50,
  }),
  ...settings,
});

/** Opens the form with stand-ins for the captcha service. */
async function form(t, service, captcha, options, load) {
  const page = await open(chromium, t, undefined, options);
  await page.route(captcha.script, (route) =>
    route.fulfill({ contentType: "text/javascript", body: script(captcha, load) }),
  );
  await page.route(captcha.frame, (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>x</title>ok" }),
  );
  await page.goto(`${service.url}/signup`);
  return page;
}

for (const captcha of [TURNSTILE, HCAPTCHA, RECAPTCHA, SCORED]) {
  const { provider, object } = captcha;
  test(`the page sends each token of ${provider} once`, async (t) => {
    const service = await start(captcha);
    const page = await form(t, service, captcha);
    await page.waitForFunction((name) => globalThis[name], object);
    const email = `${provider}@example.com`;
    verifications.length = 0;
    await fill(page, { ...ADA, email, password: "abc" });
    assert.equal((await send(page)).status, "invalid");
    assert.deepEqual(verifications, [], "a form with errors uses no token up");
    await fill(page, { password: ADA.password });
    assert.equal((await send(page)).status, "created");
    await done(page);
    // Field errors do not use a widget's token up. A score is requested each time.
    const token = provider === "recaptcha_v3" ? "site/signup/grecaptcha-1-2" : `${object}-1-1`;
    assert.deepEqual(verifications.map(({ secret, response }) => [secret, response]), [["secret", token]]);
    assert.equal((await service.creates(email)).length, 1);
    assert.deepEqual(page.consoleErrors, []);
    // The address is taken. The token was verified, and cannot be used again.
    const again = await form(t, service, captcha, {}, 2);
    await again.waitForFunction((name) => globalThis[name], object);
    await fill(again, { ...ADA, email, password: `${ADA.password}!` });
    assert.equal((await send(again)).status, "taken");
    if (provider !== "recaptcha_v3") {
      const field = again.locator(`[name="${captcha.field}"]`);
      assert.equal(await field.inputValue(), `${object}-2-2`);
    }
  });
}

test("a score that never arrives holds no sign-up up", async (t) => {
  const service = await start(SCORED);
  const page = await open(chromium, t);
  await page.clock.install();
  const body = "globalThis.grecaptcha = { execute: () => (globalThis.isAsked = true) && new Promise(() => {}) }";
  await page.route(SCORED.script, (route) => route.fulfill({ contentType: "text/javascript", body }));
  await page.goto(`${service.url}/signup`);
  await page.waitForFunction(() => globalThis.grecaptcha);
  await fill(page, { ...ADA, email: "no.score@example.com" });
  const result = page.nextResult();
  await page.click("button[type=submit]");
  await page.waitForFunction(() => globalThis.isAsked);
  await page.clock.fastForward(10_000);
  assert.equal((await result).problem.code, "challenge_required");
  await page.locator("[role=alert]:focus").waitFor();
  assert.equal(await page.locator("form[data-signup-busy]").count(), 0);
});

test("the widget's frame is shown, and fits a small phone", async (t) => {
  const service = await start(TURNSTILE);
  const page = await form(t, service, TURNSTILE, { viewport: { width: 320, height: 640 } });
  await page.frameLocator(".cf-turnstile iframe").getByText("ok").waitFor();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 320));
  assert.deepEqual(page.consoleErrors, []);
});

test("without the module the form still sends the token", async (t) => {
  const service = await start(TURNSTILE);
  const page = await open(chromium, t);
  await page.route("**/signup.js", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
  await page.route(TURNSTILE.script, (route) =>
    route.fulfill({ contentType: "text/javascript", body: script(TURNSTILE) }),
  );
  await page.route(TURNSTILE.frame, (route) => route.fulfill({ contentType: "text/html", body: "ok" }));
  await page.goto(`${service.url}/signup`);
  await page.waitForFunction(() => globalThis.turnstile);
  await fill(page, { ...ADA, email: "plain@example.com" });
  await page.click("button[type=submit]");
  await done(page);
});

test("a solved captcha lifts a limit at once, whatever its wait", async (t) => {
  const service = await start(HCAPTCHA, { "challenge.required": "adaptive", "limits.email.burst": 1 });
  // Counts for the same mailbox.
  const other = new URLSearchParams({ ...ADA, email: "limited+other@example.com" });
  assert.equal((await fetch(`${service.url}/signup`, { method: "POST", body: other })).status, 201);
  const page = await form(t, service, HCAPTCHA);
  await page.waitForFunction(() => globalThis.hcaptcha);
  // Writes what a person's solution, or a reset by the module, makes of the field.
  const solve = (token) =>
    page.locator('[name="h-captcha-response"]').evaluate((field, value) => {
      field.value = value;
      globalThis.hcaptcha.reset = () => (field.value = "");
    }, token);
  await solve("");
  await fill(page, { ...ADA, email: "limited@example.com" });
  const { problem } = await send(page);
  assert.deepEqual([problem.code, problem.challenge], ["rate_limited", "/signup/challenge"]);
  const alert = await page.locator("[role=alert]:focus").textContent();
  assert.match(alert, /Too many attempts.*Complete the check on this page\./);
  assert.doesNotMatch(alert, /Try again in/);
  await solve("solved");
  assert.equal((await send(page)).status, "created");
  await done(page);
  assert.equal(verifications.at(-1).response, "solved");
  assert.deepEqual(page.consoleErrors, []);
});
