// A form that looks like a robot's, and every form where a proof is always asked for.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, browser, fill, open } from "./support.js";

const chromium = await browser();
const service = await Service.start({
  "challenge.min_fill_ms": 60_000,
  "challenge.work.cost": 1000,
});
const form = `${service.url}/signup`;

test("a form that comes back at once is let through by a proof that the script finds", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "proof@example.com" });
  const told = page.nextResult();
  await page.click("button[type=submit]");
  assert.equal((await told).status, "created");
  await page.waitForURL("**/signup/success");
  assert.deepEqual(page.complaints, []);
});

test("without JavaScript it is asked to be sent once more, and then goes through", async (t) => {
  const page = await open(chromium, t, form, { javaScriptEnabled: false });
  await fill(page, { ...ADA, email: "patient@example.com" });
  await page.click("button[type=submit]");
  await page.waitForLoadState();
  assert.match(await page.textContent("[role=alert]"), /once more/);
  await fill(page, { password: ADA.password });
  await page.click("button[type=submit]");
  await page.waitForURL("**/signup/success");
});

for (const [required, asked] of [["always", 1], ["adaptive", 0]]) {
  test(`a proof is found while the form is filled in where it is needed ${required}`, async (t) => {
    const settings = { "challenge.required": required, "challenge.work.cost": 1000 };
    const own = await Service.start({ ...settings, "auth0_compat.without_challenge": true });
    const page = await open(chromium, t, `${own.url}/signup`);
    const calls = [];
    page.on("request", (request) => calls.push(`${request.method()} ${new URL(request.url()).pathname}`));
    const email = `${required}@example.com`;
    await fill(page, { ...ADA, email });
    const told = page.nextResult();
    await page.click("button[type=submit]");
    assert.equal((await told).status, "created");
    const count = (call) => calls.filter((made) => made === call).length;
    assert.equal(count("GET /signup/challenge"), asked);
    assert.equal(count("POST /signup"), 1, "none is refused for want of a proof");
    assert.equal((await own.creates(email)).length, 1);
  });
}

test("the field for robots is out of sight and out of reach", async (t) => {
  const page = await open(chromium, t, form);
  const trap = page.locator("form [name=subject]");
  const box = await trap.boundingBox();
  assert.ok(box.x + box.width <= 0, JSON.stringify(box));
  assert.equal(await trap.getAttribute("tabindex"), "-1");
});

test("a limit that a proof passes beyond is passed with one", async (t) => {
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
  const told = page.nextResult();
  await page.click("button[type=submit]");
  assert.equal((await told).status, "created");
});

test("the module can be imported where there is no page", async () => {
  const { signUp } = await import("../../src/page/assets/signup.js");
  assert.equal(typeof signUp, "function");
});

test("an input called action does not hide where the form goes", async (t) => {
  const page = await open(chromium, t, form);
  const url = await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const made = document.createElement("form");
    made.action = "/signup";
    made.innerHTML = '<input type="hidden" name="action" value="z">';
    document.body.append(made);
    return enhance(made).url;
  }, `${service.url}/signup.js`);
  assert.equal(url, form);
});
