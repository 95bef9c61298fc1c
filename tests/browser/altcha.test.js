// The proof of work, solved by ALTCHA's own widget on another site, and by its library, which shares no
// code with the service.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";

import { solveChallenge } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/pbkdf2";

import { ADA, Service, browser, done, open, site } from "./support.js";

const widget = createRequire(import.meta.url).resolve("altcha").replace(/[^/]+$/, "altcha.js");
const files = { "/altcha.js": await readFile(widget, "utf8") };
const shop = await site(files);
const chromium = await browser();
const service = await Service.start({
  "challenge.required": "always",
  "auth0_compat.enabled": false,
  "challenge.work.cost": 1000,
  "http.allowed_origins": shop,
});
files["/"] = `<!doctype html><html lang="en"><title>Join</title>
<form action="${service.url}/signup" method="post">
  <input name="email" value="widget@example.com" aria-label="Email">
  <input name="password" value="${ADA.password}" aria-label="Password">
  <altcha-widget challenge="${service.url}/signup/challenge"></altcha-widget>
  <button>Join</button>
</form>
<script type="module" src="/altcha.js"></script>`;

test("ALTCHA's widget solves a challenge, and its form signs a user up", async (t) => {
  const page = await open(chromium, t, shop);
  // The tick covers the checkbox.
  await page.locator("altcha-widget input[type=checkbox]").click({ force: true });
  await page.waitForFunction(() => document.querySelector("[name=altcha]")?.value);
  await page.click("button:text('Join')");
  await done(page);
  assert.equal((await service.creates("widget@example.com")).length, 1);
  assert.deepEqual(page.consoleErrors, []);
});

test("the solution of ALTCHA's library is a proof that can be used once", async () => {
  const post = async (form) => {
    const response = await fetch(`${service.url}/signup`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...ADA, ...form }),
    });
    return [response.status, (await response.json()).code];
  };
  const challenge = await (await fetch(`${service.url}/signup/challenge`)).json();
  assert.equal(challenge.required, true);
  const solution = await solveChallenge({ challenge, deriveKey });
  const altcha = btoa(JSON.stringify({ challenge, solution }));
  assert.deepEqual(await post({}), [403, "challenge_required"]);
  assert.deepEqual(await post({ altcha }), [201, undefined]);
  const again = { email: "again@example.com", altcha };
  assert.deepEqual(await post(again), [403, "challenge_failed"]);
});
