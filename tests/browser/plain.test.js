// The page without JavaScript: what the browser alone does with what the service answers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, browser, fill, open } from "./support.js";

const chromium = await browser();
const service = await Service.start({ "page.login_url": "https://www.example.com/login" });
const form = `${service.url}/signup`;
const plain = { javaScriptEnabled: false };

const send = async (page) => {
  await page.click("button[type=submit]");
  await page.waitForLoadState();
};

test("a person signs up and is told what happens next", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, ADA);
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
  assert.match(await page.textContent("main"), /mail/);
  const [create] = await service.creates(ADA.email);
  assert.equal(create.given_name, "Ada");
  assert.equal(create.name, "Ada Lovelace");
});

test("everything can be done with the keyboard alone", async (t) => {
  const page = await open(chromium, t, form, plain);
  const { keyboard } = page;
  for (const value of ["Grace", "Hopper", "grace@example.com", "Nanosecond-1906"]) {
    await keyboard.press("Tab");
    await keyboard.type(value);
  }
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await page.waitForURL("**/signup/success");
});

test("faults take the focus, lead to their fields and keep what was typed", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, email: "nope", password: "abc" });
  await send(page);
  assert.match(await page.title(), /^Error/);
  assert.ok(await page.locator("[role=alert]").evaluate((box) => box === document.activeElement));
  assert.equal(await page.inputValue("#given_name"), "Ada");
  assert.equal(await page.inputValue("#email"), "nope");
  assert.equal(await page.inputValue("#password"), "");
  await page.click("[role=alert] a[href='#email']");
  const described = await page.getAttribute("#email", "aria-describedby");
  assert.match(await page.textContent(`#${described}`), /whole address/);
  await fill(page, { email: "ada.mended@example.com", password: ADA.password });
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
});

test("a double click creates once", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "double@example.com";
  await service.fault({ route: "create_user", kind: "delay", delay_ms: 500 });
  await fill(page, { ...ADA, email });
  await page.dblclick("button[type=submit]");
  await page.waitForURL("**/signup/success");
  assert.equal((await service.creates(email)).length, 1);
});

test("a reload of what came back sends nothing twice", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "reload@example.com";
  await fill(page, { ...ADA, email });
  await send(page);
  await page.reload();
  assert.equal(page.url(), `${service.url}/signup/success`);
  assert.equal((await service.creates(email)).length, 1);
});

test("Back shows the form with its key, and sending it again tells the truth", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "back@example.com";
  const key = await page.inputValue("[name=idempotency_key]");
  await fill(page, { ...ADA, email });
  await send(page);
  await page.goBack();
  assert.equal(await page.inputValue("[name=idempotency_key]"), key);
  await fill(page, { ...ADA, email });
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
  assert.equal((await service.creates(email)).length, 1);
});

test("Back to a form that was sent, then another address: one more click", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, email: "first@example.com" });
  await send(page);
  await page.goBack();
  await fill(page, { ...ADA, email: "second@example.com" });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /sent before/);
  assert.equal(await page.inputValue("#email"), "second@example.com");
  await fill(page, { password: ADA.password });
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
});

test("a taken address has a way to log in, and another one can be used", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, password: "Analytical-Engine-1837" });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /already have an account/);
  assert.ok(await page.locator("[role=alert] a[href='https://www.example.com/login']").isVisible());
  await fill(page, { email: "ada.other@example.com", password: ADA.password });
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
});

test("the service is restarted between load and send", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, email: "restart@example.com" });
  await service.restart();
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
});

test("an outage is told, and the same form works afterwards", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "outage@example.com";
  await service.fault({ route: "create_user", kind: "answer", status: 503, times: "always" });
  await fill(page, { ...ADA, email });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /send the form again/i);
  await service.mend();
  await fill(page, { password: ADA.password });
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
});
