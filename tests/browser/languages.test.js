// Forms in every language on a small phone: nothing overflows, buttons stay on one line, and none covers an input.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, browser, fill, open, sendPlainly, site } from "./support.js";

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

const own = await site({
  "/own": `<!doctype html><html><meta name="viewport" content="width=device-width"><title>Join</title>
    <link rel="stylesheet" href="${service.url}/signup.css"><form action="${form}" method="post" data-signup>
    <label>Email <input name="email"></label>
    <label>Password <input name="password" type="password" data-signup-password></label><button>Join</button></form>
    <script>document.documentElement.lang = location.search.slice(1)</script>
    <script type="module" src="${service.url}/signup.js"></script>`,
});

/**
 * Returns how much of a long password is seen, in em, and the space between it and its button in pixels, once the button
 * covers nothing of it. The button is beside it or below it.
 */
const visiblePassword = () => {
  const [input, button] = [document.querySelector("[name=password]"), document.querySelector("[data-signup-reveal]")];
  const [around, { left, right, top }] = [input.getBoundingClientRect(), button.getBoundingClientRect()];
  const { paddingInlineStart, paddingInlineEnd, direction, fontSize } = getComputedStyle(input);
  const padding = parseFloat(paddingInlineEnd);
  const beside = direction === "rtl" ? around.left + padding - right : left - (around.right - padding);
  const space = top >= around.bottom - 1 ? 0 : beside;
  const width = (around.width - padding - parseFloat(paddingInlineStart)) / parseFloat(fontSize);
  return space >= 0 && { space, width };
};

for (const language of languages) {
  test(`the button in ${language} leaves a password in view, shown or not, on the page and with /signup.css`, async (t) => {
    const addresses = [`${form}?ui_locales=${language}`, `${own}/own?${language}`];
    for (const [address, size] of addresses.flatMap((address) => [[address, 100], [address, 200]])) {
      const page = await open(chromium, t, undefined, { viewport: { width: 320, height: 640 } });
      await page.goto(address);
      await page.locator("[data-rule]").first().waitFor();
      await page.evaluate((size) => (document.documentElement.style.fontSize = `${size}%`), size);
      await page.focus("[name=password]");
      // The second file measures the button.
      if (address.startsWith(own)) await page.waitForFunction(() => document.forms[0].style.length);
      await page.fill("[name=password]", "Correct-horse-battery-staple-1843-and-on");
      for (const state of ["password", "text"]) {
        assert.equal(await page.getAttribute("[name=password]", "type"), state);
        const { space, width } = await (await page.waitForFunction(visiblePassword)).jsonValue();
        assert.ok(space <= 32, `${space} in the state ${state} of ${address} at ${size} %`);
        assert.ok(width >= 4, `${width} em in the state ${state} of ${address} at ${size} %`);
        if (process.env.SCREENSHOTS) {
          const name = `reveal-${state}-${language}-${size}-${address.startsWith(own) ? "own" : "page"}.png`;
          await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}` });
        }
        await page.click("[data-signup-reveal]");
      }
      await page.context().close();
    }
  });
}
