// A form of one's own and the page around it: the page's own errors and listeners, forms that are enhanced before they
// are on the page, groups of inputs, and custom elements.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, browser, done, fill, open, site } from "./support.js";

const files = {};
const shop = await site(files);
const chromium = await browser();
const service = await Service.start({
  "http.allowed_origins": shop,
  "user_metadata.allow": "bio",
  "user_metadata.keys.plan.values": "free,pro",
  "user_metadata.keys.plan.required": "true",
});
const url = `${service.url}/signup`;

/** Serves a page with the module, opens it, and waits for the enhanced form. */
async function visit(t, name, body) {
  files[`/${name}`] = `<!doctype html><html lang="en"><title>Join</title><link rel="icon" href="data:,">
    <main>${body}</main><script type="module" src="${service.url}/signup.js"></script>`;
  const page = await open(chromium, t, `${shop}/${name}`);
  page.posts = [];
  page.on("request", (request) => request.method() === "POST" && page.posts.push(request.postData()));
  await page.waitForSelector("form[data-signup-ready]");
  return page;
}
const send = (page) => page.click("form > button:last-of-type");
const sendForErrors = async (page) => {
  await send(page);
  await page.locator("[role=alert]:focus").waitFor();
};
const plan = '<input type="hidden" name="user_metadata.plan" value="free">';
const password = '<label>Password <input name="password" type="password"></label>';
const form = (content, attributes = "data-signup", action = url) =>
  `<form action="${action}" method="post" ${attributes}>${content}<button>Join</button></form>`;
const plain = (attributes) => form(`<label>Email <input name="email"></label>${password}${plan}`, attributes);

const prevent = 'addEventListener("submit", (event) => { globalThis.prevented = true; event.preventDefault(); })';
for (const [where, script] of Object.entries({
  "on the form, added later": `document.forms[0].${prevent}`,
  "above the form": `document.querySelector("main").${prevent}`,
  "on the document": `document.${prevent}`,
})) {
  test(`a listener of the page ${where} prevents a submission`, async (t) => {
    const page = await visit(t, "prevented", plain());
    await page.evaluate(script);
    await fill(page, { email: "prevented@example.com", password: ADA.password });
    await send(page);
    assert.equal(await page.evaluate(() => globalThis.prevented), true);
    assert.equal(await page.getAttribute("form", "data-signup-busy"), null);
    assert.deepEqual(page.posts, []);
  });
}

test("in a shadow root, a listener of the page prevents a submission, and without one the form is sent", async (t) => {
  const page = await visit(t, "shadow", plain());
  await page.evaluate(async ([address, html]) => {
    const { enhance } = await import(address);
    document.querySelector("main").innerHTML = "<p></p>";
    const root = document.querySelector("p").attachShadow({ mode: "open" });
    root.innerHTML = html;
    enhance(root.querySelector("form"));
    root.addEventListener("submit", (event) => globalThis.allowed || event.preventDefault());
  }, [`${service.url}/signup.js`, plain("")]);
  await fill(page, { email: "shadow@example.com", password: ADA.password });
  await send(page);
  assert.deepEqual(page.posts, []);
  await page.evaluate(() => (globalThis.allowed = true));
  await send(page);
  await done(page);
  assert.equal(page.posts.length, 1);
});

test("a place for errors may spell its field as the input does", async (t) => {
  const page = await visit(t, "spelled", form(`<label>Email <input name="email"></label>${password}${plan}
    <p data-signup-error="user_metadata[bio]"></p><p data-signup-error="email"></p>
    <textarea name="user_metadata[bio]" aria-label="Bio"></textarea>`));
  await fill(page, { email: "nope", password: ADA.password });
  await page.fill("textarea", "x".repeat(501));
  await sendForErrors(page);
  assert.equal(await page.locator(".signup-error").count(), 2);
  for (const text of await page.locator("[data-signup-error]").allTextContents()) assert.notEqual(text, "");
  await page.fill("textarea", "Analyst");
  assert.equal(await page.textContent("[data-signup-error^=user]"), "");
});
