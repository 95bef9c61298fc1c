// The alert of every problem, with and without JavaScript: the same words, the same ways on, and the focus. Each is
// met for real: the page posts, and the service responds. A proxy sends what a browser would not send by itself.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { startProxy } from "./proxy.js";
import { ADA, Service, axeViolations, browser, fill, open } from "./support.js";

const chromium = await browser();
const links = {
  "page.login_url": "https://www.example.com/login",
  "page.reset_url": "https://www.example.com/reset",
};
const service = await Service.start({
  ...links,
  "fields.username": "optional",
  "page.fields": "username,given_name,family_name",
  "http.body_timeout_ms": 1500,
  "idempotency.wait_ms": 100,
  "limits.address.burst": 1000,
});
const proxy = await startProxy(service.url);
const form = `${proxy.url}/signup`;

/** One document of every problem, as the service renders it in English. */
const { paths } = await (await fetch(`${service.url}/openapi.json`)).json();
const problems = new Map();
for (const operation of Object.values(paths).flatMap(Object.values)) {
  for (const { content } of Object.values(operation.responses ?? {})) {
    for (const { value } of Object.values(content?.["application/problem+json"]?.examples ?? {})) {
      problems.set(value.code, value);
    }
  }
}

const texts = await readFile(join(import.meta.dirname, "../../locales/en/problems.ftl"), "utf8");
/** The advice of a problem to a person without JavaScript, which no document has. */
const plainAdvice = (code) => new RegExp(`^${code} =.*(?:\n +.*)*?\n +\\.advice = (.*)`, "m").exec(texts)?.[1];

/** A captcha service that verifies no token. */
const captcha = { status: 200 };
const verifier = createServer((_, response) => {
  response.writeHead(captcha.status).end(JSON.stringify({ success: false, "error-codes": ["invalid-input-response"] }));
});
await new Promise((resolve) => verifier.listen(0, "127.0.0.1", resolve));
after(() => verifier.close());
const guarded = {
  "challenge.required": "always",
  "auth0_compat.enabled": false,
  "challenge.captcha.provider": "turnstile",
  "challenge.captcha.site_key": "site",
  "challenge.captcha.secret": "secret",
  "challenge.captcha.hostnames": "127.0.0.1",
  "challenge.captcha.verify_url": `http://127.0.0.1:${verifier.address().port}/`,
};
const withToken = (request) => request.setField("cf-turnstile-response", "token");

/** Posts a form without the browser. */
const post = (fields) => fetch(`${service.url}/signup`, { method: "POST", body: new URLSearchParams(fields) });
await post({ ...ADA, email: "taken@example.com" });

/** Reads what the form of a page would send. */
const fieldsOf = (page) =>
  page.evaluate(() => Object.fromEntries(new FormData(document.querySelector("form"))));

const rejects = (message, errorCode) => ({
  status: 400,
  body: JSON.stringify({ statusCode: 400, error: "Bad Request", message, errorCode }),
});

/**
 * How to meet each problem with an open page: `settings` of the service, a `fault` of the tenant, `values` of the
 * form, something to do with the page `before` it posts and `finally`, a `change` of the posts.
 */
const MET = {
  malformed_body: { change: (request) => (request.body = "email=%ff") },
  malformed_request: { change: (request) => request.add("host", "www.example.com") },
  origin_not_allowed: {
    change: (request) => {
      request.set("origin", "https://www.example.net");
      request.set("sec-fetch-site", "cross-site");
    },
  },
  challenge_required: { settings: guarded },
  challenge_failed: { settings: guarded, change: withToken },
  signups_closed: { settings: { "signup.open": false } },
  not_found: { change: (request) => (request.path = "/nowhere") },
  method_not_allowed: { change: (request) => (request.method = "PUT") },
  request_timeout: { change: (request) => (request.stalls = true) },
  email_taken: { values: { email: "taken@example.com", password: "Analytical-Engine-1837" } },
  username_taken: {
    values: { username: "ada" },
    fault: rejects("The username provided is in use already."),
  },
  idempotency_in_progress: {
    fault: { kind: "hang" },
    before: async (page) => {
      const fields = await fieldsOf(page);
      post(fields).catch(() => {});
      const until = Date.now() + 30_000;
      while (!(await service.creates(fields.email)).length) {
        assert.ok(Date.now() < until, "the tenant was not called");
        await setTimeout(20);
      }
    },
  },
  // After the Back button, with another password. The script would take another key by itself: this one stays.
  idempotency_key_reused: {
    before: async (page) => {
      const fields = await fieldsOf(page);
      await post(fields);
      await fill(page, { password: "Analytical-Engine-1837" });
      proxy.change = (request) => request.setField("idempotency_key", fields.idempotency_key);
    },
  },
  body_too_large: { change: (request) => request.setField("given_name", "x".repeat(70_000)) },
  unsupported_media_type: { change: (request) => request.set("content-type", "text/csv") },
  invalid_fields: { values: { email: "nope", password: "abc" } },
  headers_too_large: { change: (request) => Array.from({ length: 101 }, (_, nth) => request.add(`x-${nth}`, "x")) },
  // The script would lift the limit by a proof of work, if this address got a challenge: it shows the wait for that one.
  rate_limited: {
    settings: { "limits.address.burst": 1, "limits.address.per_hour": 60, "challenge.work.per_minute": 1 },
    before: async () => {
      await fetch(`${service.url}/signup/challenge`);
      await post({ ...ADA, email: "first@example.com" });
    },
  },
  internal: { fault: rejects("Payload validation error: 'x' on property email.", "invalid_body") },
  upstream_rejected: { fault: { status: 403 } },
  // A restart forgets the wait.
  upstream_busy: { settings: {}, fault: { status: 429, headers: { "retry-after": "3600" } } },
  unavailable: { before: () => service.fillDisk(true), finally: () => service.fillDisk(false) },
  challenge_unavailable: {
    settings: guarded,
    change: withToken,
    before: () => (captcha.status = 500),
    finally: () => (captcha.status = 200),
  },
  // A service that has no token yet sends no call.
  upstream_unavailable: { settings: {}, fault: { route: "token", status: 503 } },
  outcome_unknown: { fault: { status: 500 } },
};

/** The problems whose form could not be read, or may not be sent again: without the script a page of their own. */
const PAGES = [
  "malformed_body", "malformed_request", "origin_not_allowed", "signups_closed", "not_found", "method_not_allowed",
  "request_timeout", "body_too_large", "unsupported_media_type", "headers_too_large",
];
const HAS_ACCOUNT = ["email_taken", "outcome_unknown", "signups_closed"];

/** What an alert or a page says: the heading, the texts, the links and the number of references. */
const readAlert = (page, selector) =>
  page.locator(selector).evaluate((box) => {
    const texts = (all) => [...box.querySelectorAll(all)].map((part) => part.textContent.trim());
    const links = [...box.querySelectorAll("a")].map((link) => link.href.replace(/\?login_hint.*/, ""));
    const references = texts(".reference").length;
    return { heading: texts("h1, h2")[0], texts: texts("p:not(.reference, :has(a)), li"), links, references };
  });

test("every problem has words for people, and is met here", () => {
  assert.deepEqual([...problems.keys()].sort(), Object.keys(MET).sort());
  for (const { code, heading, advice } of problems.values()) {
    assert.ok(heading, code);
    assert.ok(advice || code === "invalid_fields", code);
  }
});

/** Opens the page, with the script or without it. */
const openPage = async (t, javaScriptEnabled) => {
  const page = await open(chromium, t, undefined, { javaScriptEnabled });
  await page.route("https://challenges.cloudflare.com/**", (route) => route.abort());
  await page.goto(form);
  return page;
};

for (const [code, document] of problems) {
  test(`${code}: the same words, ways on and focus with and without the script`, async (t) => {
    const { settings, fault, values, before, change, ...met } = MET[code];
    const pages = [await openPage(t, true), await openPage(t, false)];
    t.after(async () => {
      proxy.change = undefined;
      met.finally?.();
      await service.clearFaults();
      if (settings) await service.restart();
    });
    if (fault) await service.fault({ route: "create_user", kind: "answer", times: "always", ...fault });
    if (settings) await service.restart(settings);
    proxy.change = change;
    const shown = [];
    for (const [nth, page] of pages.entries()) {
      const hasScript = nth === 0;
      const isPage = !hasScript && PAGES.includes(code);
      const person = { ...ADA, email: `${code}.${nth}@example.com`, ...values };
      await fill(page, person);
      await before?.(page);
      await page.click("form button[type=submit]");
      await page.locator(isPage ? "h1:focus" : "[role=alert]:focus").waitFor();
      const alert = await readAlert(page, isPage ? "main" : "[role=alert]");

      assert.equal(alert.heading, document.heading);
      const text = alert.texts.join(" ");
      const own = hasScript ? document.advice : plainAdvice(code);
      assert.ok(own || code === "invalid_fields", "only the fields have their own advice");
      assert.ok(text.includes(own ?? ""), text);
      if (document.retry_after) assert.match(text, /Try again in \d+ (second|minute)s?\./);
      const outward = alert.links.filter((link) => link.startsWith("https:"));
      assert.deepEqual(outward, HAS_ACCOUNT.includes(code) ? Object.values(links) : []);
      // To the fields with errors, or from a page back to the form.
      const inward = alert.links.filter((link) => !outward.includes(link)).map((link) => link.replace(/.*#/, "#"));
      if (isPage) assert.deepEqual(inward, code === "signups_closed" ? [] : [`${form}?ui_locales=en`]);
      assert.equal(alert.references, document.status >= 500 || isPage ? 1 : 0);
      if (hasScript) assert.deepEqual(await axeViolations(page), []);
      shown.push({
        heading: alert.heading,
        texts: alert.texts.map((text) => text.replace(own, "").replace(/\d+ (second|minute)s?/, "n $1s")),
        links: isPage ? outward : alert.links.map((link) => link.replace(/.*#/, "#")),
      });
    }
    assert.deepEqual(shown[0], shown[1]);
  });
}

test("without addresses to log in or to reset a password there is no link, with and without the script", async (t) => {
  await service.restart({ "page.login_url": "", "page.reset_url": "" });
  t.after(() => service.restart());
  for (const javaScriptEnabled of [true, false]) {
    const page = await openPage(t, javaScriptEnabled);
    await fill(page, { ...ADA, ...MET.email_taken.values });
    await page.click("form button[type=submit]");
    await page.locator("[role=alert]:focus").waitFor();
    const { heading, links } = await readAlert(page, "[role=alert]");
    assert.equal(heading, problems.get("email_taken").heading);
    assert.deepEqual(links, []);
  }
});
