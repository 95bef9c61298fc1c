// The appearance of every state of the page: for axe-core, in the dark, from right to left, on a phone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, axeViolations, browser, fill, open, sendPlainly } from "./support.js";

const chromium = await browser();
const service = await Service.start({
  "page.login_url": "https://www.example.com/login",
  "page.reset_url": "https://www.example.com/reset",
  "terms.version": "2026-11",
  "terms.url": "https://www.example.com/terms",
});
const form = `${service.url}/signup`;

/** Each state of the page, and how to reach it. */
const STATES = {
  form: async (page) => page.goto(form),
  errors: async (page) => {
    await page.goto(form);
    await fill(page, { ...ADA, email: "nope", password: "abc" });
    await sendPlainly(page);
  },
  taken: async (page) => {
    await page.goto(form);
    await fill(page, { ...ADA, password: "Analytical-Engine-1837" });
    await page.check("#terms");
    await sendPlainly(page);
  },
  success: async (page) => page.goto(`${form}/success`),
  "not found": async (page) => page.goto(`${service.url}/nowhere`),
};

/** Settings of the browser. */
const VARIANTS = {
  light: {},
  dark: { colorScheme: "dark" },
  "from right to left": { locale: "ar" },
  "on a phone": { viewport: { width: 320, height: 640 } },
  "in forced colours": { forcedColors: "active" },
};

const existing = { email: ADA.email, password: ADA.password, terms: "true" };
await fetch(form, { method: "POST", body: new URLSearchParams(existing) });

for (const [variant, options] of Object.entries(VARIANTS)) {
  for (const [state, go] of Object.entries(STATES)) {
    test(`${state}, ${variant}: axe finds nothing, and nothing overflows`, async (t) => {
      const page = await open(chromium, t, undefined, options);
      await go(page);
      assert.deepEqual(await axeViolations(page), []);
      const wider = () => document.documentElement.scrollWidth - innerWidth;
      assert.ok((await page.evaluate(wider)) <= 0, "the page is wider than the window");
      const direction = await page.evaluate(() => getComputedStyle(document.body).direction);
      assert.equal(direction, options.locale === "ar" ? "rtl" : "ltr");
      if (process.env.SCREENSHOTS) {
        const path = `${process.env.SCREENSHOTS}/${state}-${variant}.png`.replaceAll(" ", "-");
        await page.screenshot({ path, fullPage: true });
      }
      assert.deepEqual(page.consoleErrors, []);
    });
  }
}

test("nothing moves while the page loads", async (t) => {
  const page = await open(chromium, t, undefined, { viewport: { width: 320, height: 640 } });
  await page.addInitScript(() => {
    globalThis.shift = 0;
    const add = (list) => list.getEntries().forEach((entry) => (globalThis.shift += entry.value));
    new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(form, { waitUntil: "networkidle" });
  assert.equal(await page.evaluate(() => globalThis.shift), 0);
});

test("a password manager recognises the fields, and a pasted password is not truncated", async (t) => {
  const page = await open(chromium, t, form);
  const attribute = (id, name) => page.getAttribute(`#${id}`, name);
  assert.equal(await attribute("email", "autocomplete"), "email");
  assert.equal(await attribute("password", "autocomplete"), "new-password");
  assert.equal(await attribute("given_name", "autocomplete"), "given-name");
  assert.equal(await attribute("family_name", "autocomplete"), "family-name");
  assert.equal(await attribute("password", "maxlength"), null);
});
