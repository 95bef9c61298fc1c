// The page in every language on a small phone: nothing overflows, and buttons stay on one line.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, browser, fill, open, sendPlainly } from "./support.js";

const chromium = await browser();
const service = await Service.start({
  "page.login_url": "https://www.example.com/login",
  "page.reset_url": "https://www.example.com/reset",
  "page.privacy_url": "https://www.example.com/privacy",
  "limits.email.burst": 0,
  "terms.version": "2026-11",
  "terms.url": "https://www.example.com/terms",
});
const form = `${service.url}/signup`;
const { languages } = await (await fetch(`${form}/policy`)).json();

const existing = { ...ADA, terms: "true" };
await fetch(form, { method: "POST", body: new URLSearchParams(existing) });

/** Each state of the page, and how to reach it from the form. */
const STATES = {
  form: async () => {},
  errors: async (page) => {
    await fill(page, { ...ADA, email: "nope", given_name: "Ada\u0001", password: "aaa" });
    await sendPlainly(page);
  },
  taken: async (page) => {
    await fill(page, { ...ADA, password: "Analytical-Engine-1837" });
    await page.check("#terms");
    await sendPlainly(page);
    assert.ok(await page.locator("[data-signup-alert] .account-links").isVisible());
  },
  success: async (page, language) => page.goto(`${form}/success?ui_locales=${language}`),
};

/** The texts of the buttons that take more than one line. */
const wrapped = () => {
  const lines = (element) => {
    const range = document.createRange();
    // The text while it waits is in the same place, and not visible.
    range.selectNodeContents(element.querySelector("[data-signup-idle]") ?? element);
    return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
  };
  const buttons = [...document.querySelectorAll("button")].filter((button) => button.checkVisibility());
  return buttons.filter((button) => lines(button) > 1).map((button) => button.textContent);
};

for (const language of languages) {
  test(`the page in ${language} fits a small phone`, async (t) => {
    const page = await open(chromium, t, undefined, { viewport: { width: 320, height: 640 } });
    for (const [state, go] of Object.entries(STATES)) {
      await page.goto(`${form}?ui_locales=${language}`);
      await go(page, language);
      assert.equal(await page.getAttribute("html", "lang"), language);
      const wider = () => document.documentElement.scrollWidth - innerWidth;
      assert.ok((await page.evaluate(wider)) <= 0, `${state}: the page is wider than the window`);
      assert.deepEqual(await page.evaluate(wrapped), [], `${state}: buttons of more than one line`);
      if (process.env.SCREENSHOTS) {
        const path = `${process.env.SCREENSHOTS}/${state}-in-${language}.png`;
        await page.screenshot({ path, fullPage: true });
      }
    }
  });
}
