// The page as assistive technology reads it: the happy path and three errors, as accessibility trees.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";

import { ADA, Service, browser, done, fill, open, ready } from "./support.js";

const chromium = await browser();
const service = await Service.start({
  "page.name": "Example",
  "page.login_url": "https://www.example.com/login",
  "page.reset_url": "https://www.example.com/reset",
});
const form = `${service.url}/signup`;
const taken = { ...ADA, email: "taken@example.com" };
await fetch(form, { method: "POST", body: new URLSearchParams(taken) });

const submit = (page) => page.click("form button[type=submit]");
const rejected = async (page, values) => {
  await fill(page, values);
  // The second file has put the places of its hints on the page.
  await page.locator(".signup-caps-lock").waitFor({ state: "attached" });
  await submit(page);
  await page.locator("[role=alert]:focus").waitFor();
};

/** Each state, and how to reach it. */
const STATES = {
  form: async () => {},
  success: async (page) => {
    await fill(page, ADA);
    await submit(page);
    await done(page);
  },
  "invalid fields": async (page) => rejected(page, { ...ADA, email: "nope", password: "abc" }),
  "a taken address": async (page) => rejected(page, { ...taken, password: "Analytical-Engine-1837" }),
  "a rejection of the tenant": async (page) => {
    await service.fault({ route: "create_user", kind: "answer", status: 403 });
    await rejected(page, { ...ADA, email: "rejected@example.com" });
    await service.clearFaults();
  },
};

const file = new URL("tree.snapshot.json", import.meta.url);
const committed = JSON.parse(await readFile(file, "utf8").catch(() => "{}"));
const seen = {};

for (const [state, go] of Object.entries(STATES)) {
  test(`the accessibility tree of ${state} is as committed`, async (t) => {
    const page = await open(chromium, t, form);
    await ready(page);
    await go(page);
    const tree = await page.locator("body").ariaSnapshot();
    // The reference of a request differs each time.
    seen[state] = tree.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "…").split("\n");
    if (process.env.UPDATE_SNAPSHOTS) await writeFile(file, `${JSON.stringify(seen, undefined, 2)}\n`);
    else assert.deepEqual(seen[state], committed[state]);
  });
}
