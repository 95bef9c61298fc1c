// The examples, driven in Chromium as their visitors do: on another origin, from the form to the greeting of a user
// who is logged in.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { ADA, Service, axeViolations, browser, open, site } from "../../../tests/browser/support.js";
import { DARK, LIGHT, colour, complete, linkOfTaken, logIn, send } from "./visitor.js";

const root = join(import.meta.dirname, "..");
const files = {};
const shop = await site(files);
const [chromium, service] = await Promise.all([
  browser(),
  Service.start({
    "http.allowed_origins": shop,
    "terms.version": "2026-11",
    "terms.url": "https://www.example.com/terms",
    "user_metadata.keys.plan.values": "free,pro",
    "user_metadata.keys.plan.required": true,
    "page.login_url": `${shop}/plain/login.html`,
    "page.return_to": `${shop}/plain/login.html?login_hint={login_hint}`,
  }),
]);

/** Serves a file with the addresses of this run. */
async function serve(path, file) {
  const text = await readFile(join(root, file), "utf8");
  files[path] = text.replaceAll("http://127.0.0.1:8080", service.url).replaceAll("http://127.0.0.1:4010", service.tenant);
}
await serve("/plain/", "plain/index.html");
await serve("/plain/login.html", "plain/login.html");
for (const name of ["react", "vue", "svelte"]) await serve(`/${name}/`, `dist/${name}/index.html`);
for (const name of await readdir(join(root, "dist/assets"))) await serve(`/assets/${name}`, `dist/assets/${name}`);

const SDK = "node_modules/@auth0/auth0-spa-js/dist/auth0-spa-js.production.js";

/** Opens an example, and waits until its form is ready. The SDK comes from npm, not from Auth0's network. */
async function visit(t, name, options) {
  const page = await open(chromium, t, null, options);
  await page.route("https://cdn.auth0.com/**", (route) => route.fulfill({ path: join(root, SDK) }));
  await page.goto(`${shop}/${name}/`);
  await page.locator("form[data-signup-ready]").waitFor();
  return page;
}

for (const name of ["plain", "react", "vue", "svelte"]) {
  const address = (local) => `${local}.${name}@example.com`;

  test(`${name}: a user signs up with terms and metadata, and is logged in`, async (t) => {
    const page = await visit(t, name, { colorScheme: "dark" });
    assert.equal(await colour(page), DARK);
    const email = address("ada+1");
    await complete(page, email);
    assert.deepEqual(await axeViolations(page), []);
    let reportShown;
    const shown = new Promise((resolve) => (reportShown = resolve));
    await page.exposeFunction("reportShown", reportShown);
    await page.evaluate(() => addEventListener("signup:done", (event) => {
      const [form] = event.composedPath();
      setTimeout(() => reportShown(Boolean(form.getRootNode().querySelector(".signup-done"))));
    }));
    await send(page);
    // Until the login opens, the form does not look as if nothing had happened. The plain one opens a page of its own.
    if (name !== "plain") assert.ok(await shown, "the message of the success");
    await logIn(page, email, service.tenant);
    const [create, ...more] = await service.creates(email);
    assert.deepEqual(more, []);
    assert.deepEqual([create.name, create.user_metadata], ["Ada Lovelace", { plan: "pro" }]);
    assert.equal(create.app_metadata.terms.version, "2026-11");
    assert.deepEqual(page.consoleErrors, []);
  });

  test(`${name}: errors and a taken address are shown, and corrected`, async (t) => {
    const email = address("taken");
    const values = { ...ADA, email, terms: "on", "user_metadata.plan": "free" };
    await fetch(`${service.url}/signup`, { method: "POST", body: new URLSearchParams(values) });
    const page = await visit(t, name);
    assert.equal(await colour(page), LIGHT);
    await complete(page, "nope", { password: "abc" });
    await page.uncheck('[name="terms"]');
    await send(page);
    await page.getByRole("alert").waitFor();
    for (const field of ["email", "password", "terms"]) {
      assert.equal(await page.getAttribute(`[name="${field}"]`, "aria-invalid"), "true", field);
    }
    assert.deepEqual(await axeViolations(page), []);
    await complete(page, email, { password: "Analytical-Engine-1837" });
    await send(page);
    const link = await linkOfTaken(page);
    assert.equal(link.searchParams.get("login_hint"), email);
    await complete(page, address("free"));
    await send(page);
    await logIn(page, address("free"), service.tenant);
    assert.equal((await service.creates(address("free"))).length, 1);
  });
}

test("plain: without JavaScript the service's pages take over", async (t) => {
  const page = await open(chromium, t, `${shop}/plain/`, { javaScriptEnabled: false });
  await complete(page, "script.off@example.com");
  await send(page);
  await page.getByRole("heading", { name: /Ada/ }).waitFor();
  assert.ok(page.url().startsWith(`${service.url}/signup/success`));
  assert.equal((await service.creates("script.off@example.com")).length, 1);
});

test("the element stays a link to the built-in page where the service does not respond", async (t) => {
  const page = await open(chromium, t, null);
  await page.route("**/signup/policy", (route) => route.abort());
  await page.goto(`${shop}/vue/`);
  const link = page.getByRole("link", { name: "Create an account" });
  assert.equal(await link.getAttribute("href"), `${service.url}/signup`);
});
