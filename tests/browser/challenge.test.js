// A form that looks automated, and forms that always need a proof.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { ADA, Service, browser, done, fill, holdProofs, loading, open, send, site } from "./support.js";

const chromium = await browser();
const service = await Service.start({
  "challenge.min_fill_ms": 60_000,
  "challenge.work.cost": 1000,
});
const form = `${service.url}/signup`;

test("a form that is sent at once is accepted with a proof that the script finds", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "proof@example.com" });
  assert.equal((await send(page)).status, "created");
  await done(page);
  assert.deepEqual(page.consoleErrors, []);
});

test("without JavaScript the form has to be sent once more, and is accepted when it is old enough", async (t) => {
  const wait = 10_000;
  const own = await Service.start({ "challenge.min_fill_ms": wait });
  const page = await open(chromium, t, `${own.url}/signup`, { javaScriptEnabled: false });
  const shown = Date.now();
  await fill(page, { ...ADA, email: "patient@example.com" });
  await loading(page, () => page.click("button[type=submit]"));
  assert.match(await page.textContent("[role=alert]"), /submit the form/);
  await fill(page, { password: ADA.password });
  await sleep(shown + wait - Date.now());
  await page.click("button[type=submit]");
  await done(page);
});

for (const [required, expected] of [["always", 1], ["adaptive", 0]]) {
  test(`with ${required} challenges, ${expected} are solved while the form is filled in`, async (t) => {
    const settings = { "challenge.required": required, "challenge.work.cost": 1000 };
    const own = await Service.start({ ...settings, "auth0_compat.without_challenge": true });
    const page = await open(chromium, t);
    const proofs = await holdProofs(page);
    await page.goto(`${own.url}/signup`);
    const calls = [];
    page.on("request", (request) => calls.push(`${request.method()} ${new URL(request.url()).pathname}`));
    const email = `${required}@example.com`;
    await fill(page, { ...ADA, email });
    if (expected) await proofs.started();
    const result = page.nextResult();
    await page.click("button[type=submit]");
    if (expected) await proofs.release();
    assert.equal((await result).status, "created");
    const count = (call) => calls.filter((made) => made === call).length;
    assert.equal(count("GET /signup/challenge"), expected);
    assert.equal(count("POST /signup"), 1, "no request is rejected for lack of a proof");
    assert.equal((await own.creates(email)).length, 1);
  });
}

test("the honeypot is out of sight and out of reach", async (t) => {
  const page = await open(chromium, t, form);
  const honeypot = page.locator("form [name=subject]");
  const box = await honeypot.boundingBox();
  assert.ok(box.x + box.width <= 0, JSON.stringify(box));
  assert.equal(await honeypot.getAttribute("tabindex"), "-1");
});

test("the honeypot of docs/challenges.md is out of sight on a page with a Content-Security-Policy", async (t) => {
  const guide = await readFile(new URL("../../docs/challenges.md", import.meta.url), "utf8");
  const [, honeypot, style] = /The honeypot in your own form[^]*?```html\n([^]*?)```[^]*?```css\n([^]*?)```/.exec(guide);
  const head = `<!doctype html><html lang="en"><meta http-equiv="Content-Security-Policy"
    content="style-src 'self' ${service.url}"><title>Join</title>`;
  const linked = `<link rel="stylesheet" href="${service.url}/signup.css">`;
  const shop = await site({
    "/ours": `${head}${linked}<form data-signup action="${form}">${honeypot}</form>`,
    "/own": `${head}<link rel="stylesheet" href="/own.css"><form action="${form}">${honeypot}</form>`,
    "/own.css": style,
  });
  for (const path of ["/ours", "/own"]) {
    const page = await open(chromium, t, shop + path);
    const box = await page.locator("[name=subject]").boundingBox();
    assert.ok(box.x + box.width <= 0, `${path}: ${JSON.stringify(box)}`);
    assert.deepEqual(page.consoleErrors, []);
  }
});

test("a proof lifts a rate limit that accepts one", async (t) => {
  const busy = await Service.start({
    "limits.address.burst": 1,
    "limits.address.per_hour": 1,
    "challenge.work.cost": 1000,
  });
  const headers = { "Content-Type": "application/json" };
  const first = { method: "POST", headers, body: JSON.stringify({ ...ADA, email: "first@example.com" }) };
  assert.equal((await fetch(`${busy.url}/signup`, first)).status, 201);
  const page = await open(chromium, t, `${busy.url}/signup`);
  await fill(page, { ...ADA, email: "second@example.com" });
  assert.equal((await send(page)).status, "created");
});

test("the module can be imported without a page", async () => {
  const { signUp } = await import("../../packages/web/src/core.js");
  assert.equal(typeof signUp, "function");
});

test("an input called action does not shadow the URL of the form", async (t) => {
  const page = await open(chromium, t, form);
  const url = await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const element = document.createElement("form");
    element.action = "/signup";
    element.innerHTML = '<input type="hidden" name="action" value="z">';
    document.body.append(element);
    return enhance(element).url.href;
  }, `${service.url}/signup.js`);
  assert.equal(url, form);
});
