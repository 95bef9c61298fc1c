// The page without JavaScript, which leaves everything to the browser and the service.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, browser, fill, holdPosts, loading, open } from "./support.js";

const chromium = await browser();
const service = await Service.start({ "page.login_url": "https://www.example.com/login" });
const form = `${service.url}/signup`;
const plain = { javaScriptEnabled: false };

const send = (page) => loading(page, () => page.click("button[type=submit]"));

test("a user signs up and reads what to do next", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, ADA);
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
  assert.match(await page.textContent("main"), /Check your inbox/);
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

test("errors take the focus, link to their fields and keep what was typed", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, email: "nope", password: "abc" });
  await send(page);
  assert.match(await page.title(), /^Error/);
  await page.locator("[role=alert]:focus").waitFor();
  assert.equal(await page.inputValue("#given_name"), "Ada");
  assert.equal(await page.inputValue("#email"), "nope");
  assert.equal(await page.inputValue("#password"), "");
  await page.click("[role=alert] a[href='#email']");
  const described = await page.getAttribute("#email", "aria-describedby");
  assert.match(await page.textContent(`#${described}`), /full email address/);
  await fill(page, { email: "ada.corrected@example.com", password: ADA.password });
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
});

test("a double click creates once", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "double@example.com";
  await fill(page, { ...ADA, email });
  const release = await holdPosts(page);
  await page.dblclick("button[type=submit]");
  release();
  await page.waitForURL("**/signup/success");
  assert.equal((await service.creates(email)).length, 1);
});

test("a reload of the success page sends nothing twice", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "reload@example.com";
  await fill(page, { ...ADA, email });
  await send(page);
  await page.reload();
  assert.equal(page.url(), `${service.url}/signup/success`);
  assert.equal((await service.creates(email)).length, 1);
});

test("Back shows the form with its key, and sending it again succeeds without a second user", async (t) => {
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

test("Back to a form that was sent, then another address, takes one more click", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, email: "first@example.com" });
  await send(page);
  await page.goBack();
  await fill(page, { ...ADA, email: "second@example.com" });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /sent this form before/);
  assert.equal(await page.inputValue("#email"), "second@example.com");
  await fill(page, { password: ADA.password });
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
});

test("a taken address links to the login, and another address can be used", async (t) => {
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

test("an outage is reported, and the same form works afterwards", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "outage@example.com";
  await service.fault({ route: "create_user", kind: "answer", status: 503, times: "always" });
  await fill(page, { ...ADA, email });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /send the form again/i);
  await service.clearFaults();
  await fill(page, { password: ADA.password });
  await send(page);
  assert.equal(page.url(), `${service.url}/signup/success`);
});
