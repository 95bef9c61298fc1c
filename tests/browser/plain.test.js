// The page without JavaScript, which leaves everything to the browser and the service.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { ADA, Service, browser, done, fill, holdPosts, loading, open, site } from "./support.js";

const chromium = await browser();
const service = await Service.start({ "page.login_url": "https://www.example.com/login" });
const form = `${service.url}/signup`;
const plain = { javaScriptEnabled: false };

/** Returns the path of the page. Its query is sealed. */
const pathOf = (page) => new URL(page.url()).pathname;

const send = (page) => loading(page, () => page.click("button[type=submit]"));

test("a user signs up and reads what to do next", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, ADA);
  await send(page);
  assert.equal(pathOf(page), "/signup/success");
  assert.equal(await page.textContent("h1"), "Welcome, Ada");
  assert.match(await page.textContent("main"), /account for ada@example\.com has been created.*inbox/s);
  assert.equal(await page.locator("form").count(), 0);
  const login = "https://www.example.com/login?login_hint=ada%40example.com";
  assert.equal(await page.getAttribute("main a.primary", "href"), login);
  assert.ok(!page.url().includes("ada"), "no personal data in the address");
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
  await done(page);
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
  assert.match(await page.textContent(`#${described}`), /format name@example.com/);
  await fill(page, { email: "ada.corrected@example.com", password: ADA.password });
  await send(page);
  assert.equal(pathOf(page), "/signup/success");
});

test("a double click creates once", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "double@example.com";
  await fill(page, { ...ADA, email });
  const release = await holdPosts(page);
  await page.dblclick("button[type=submit]");
  release();
  await done(page);
  assert.equal((await service.creates(email)).length, 1);
});

test("a reload of the success page sends nothing twice", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "reload@example.com";
  await fill(page, { ...ADA, email });
  await send(page);
  await page.reload();
  assert.equal(pathOf(page), "/signup/success");
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
  assert.equal(pathOf(page), "/signup/success");
  assert.equal((await service.creates(email)).length, 1);
});

test("Back to a form that was sent, then another address, signs a second person up", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, email: "first@example.com" });
  await send(page);
  await page.goBack();
  await fill(page, { ...ADA, email: "second@example.com" });
  await send(page);
  assert.equal(pathOf(page), "/signup/success");
  assert.equal((await service.creates("first@example.com")).length, 1);
  assert.equal((await service.creates("second@example.com")).length, 1);
});

test("a taken address links to the login, and another address can be used", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, password: "Analytical-Engine-1837" });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /already have an account/);
  assert.ok(await page.locator("[role=alert] a[href^='https://www.example.com/login?login_hint=ada%40example.com']").isVisible());
  await fill(page, { email: "ada.other@example.com", password: ADA.password });
  await send(page);
  assert.equal(pathOf(page), "/signup/success");
});

test("the service is restarted between load and send", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, email: "restart@example.com" });
  await service.restart();
  await send(page);
  assert.equal(pathOf(page), "/signup/success");
});

test("an outage is reported, and the same form works afterwards", async (t) => {
  const page = await open(chromium, t, form, plain);
  const email = "outage@example.com";
  await service.fault({ route: "create_user", kind: "answer", status: 503, times: "always" });
  await fill(page, { ...ADA, email });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /submit the form again/);
  await service.clearFaults();
  await fill(page, { password: ADA.password });
  await send(page);
  assert.equal(pathOf(page), "/signup/success");
});

test("an address in another script is sent as it was typed", async (t) => {
  const page = await open(chromium, t, form, plain);
  await fill(page, { ...ADA, email: "user@пример.рф" });
  await send(page);
  assert.equal((await service.creates("user@пример.рф")).length, 1);
});

test("the redirects of a site are followed to the last of its origins", async (t) => {
  const last = await site({ "/in": "<!doctype html><h1>You are in</h1>" });
  const first = createServer((_, response) => response.writeHead(302, { Location: `${last}/in` }).end());
  await new Promise((resolve) => first.listen(0, "127.0.0.1", resolve));
  t.after(() => first.close());
  const own = await Service.start({
    "page.success_url": `http://localhost:${first.address().port}/welcome`,
    "page.redirect_origins": last,
  });
  const page = await open(chromium, t, `${own.url}/signup`, plain);
  await fill(page, ADA);
  await page.click("button[type=submit]");
  await page.getByRole("heading", { name: "You are in" }).waitFor();
});

test("the root leads to the page", async (t) => {
  const page = await open(chromium, t, `${service.url}/?ui_locales=ja`, plain);
  assert.equal(page.url(), `${form}?ui_locales=ja`);
  const names = await page.locator('form input:not([tabindex="-1"]):visible').evaluateAll((all) => all.map(({ name }) => name));
  assert.deepEqual(names, ["family_name", "given_name", "email", "password"]);
});
