// The appearance of every state of the page: for axe-core, in the dark, from right to left, on a phone.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { ADA, Service, axeViolations, browser, done, fill, holdPosts, open } from "./support.js";

const chromium = await browser();
const service = await Service.start({
  "page.name": "Example",
  "page.accent": "#ffd43b",
  "page.accent_dark": "#5c3d00",
  "page.login_url": "https://www.example.com/login",
  "page.reset_url": "https://www.example.com/reset",
  "page.privacy_url": "https://www.example.com/privacy",
  "page.providers.google.label": "Google",
  "page.providers.google.url": "https://www.example.com/google",
  "page.links.imprint.label": "Imprint",
  "page.links.imprint.url": "https://www.example.com/imprint",
  "terms.version": "2026-11",
  "terms.url": "https://www.example.com/terms",
});
const form = `${service.url}/signup`;

/** Sends the form as a person does, with or without the script, and waits for the alert. */
const sendAndRead = async (page, values) => {
  await page.goto(form);
  await fill(page, values);
  await page.check("#terms");
  await page.click("form button[type=submit]");
  await page.locator("[role=alert]:focus").waitFor();
};

/** Each state of the page, and how to reach it. */
const STATES = {
  form: async (page) => page.goto(form),
  errors: async (page) => sendAndRead(page, { ...ADA, email: "nope", password: "abc" }),
  taken: async (page) => sendAndRead(page, { ...ADA, password: "Analytical-Engine-1837" }),
  waiting: async (page) => {
    await page.goto(form);
    await fill(page, { ...ADA, email: "grace@gmial.com" });
    await page.check("#terms");
    await holdPosts(page);
    await page.click("form button[type=submit]", { noWaitAfter: true });
  },
  success: async (page) => {
    await page.goto(form);
    await fill(page, { ...ADA, email: `ada.${Math.random()}@example.com` });
    await page.check("#terms");
    await page.click("form button[type=submit]");
    await done(page);
  },
  "not found": async (page) => page.goto(`${service.url}/nowhere`),
};

/** What can change while a page is open. */
const VIEWS = {
  light: {},
  dark: { colorScheme: "dark" },
  "in forced colours": { forcedColors: "active" },
  "with reduced motion": { reducedMotion: "reduce" },
  "on a phone": { viewport: { width: 320, height: 640 } },
};
const AS_USUAL = { colorScheme: "light", forcedColors: "none", reducedMotion: "no-preference" };

/** What a page is opened with, and the views to look at. */
const CONTEXTS = {
  "in every view": [{}, VIEWS],
  "from right to left": [{ locale: "ar" }, { light: {} }],
  "at 200 %": [{ viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }, { light: {} }],
  "without script": [{ javaScriptEnabled: false }, { light: {} }],
};

const existing = { email: ADA.email, password: ADA.password, terms: "true" };
await fetch(form, { method: "POST", body: new URLSearchParams(existing) });

for (const [context, [options, views]] of Object.entries(CONTEXTS)) {
  for (const [state, go] of Object.entries(STATES)) {
    // Without the script the browser waits, and a held post would keep it from being read.
    if (state === "waiting" && options.javaScriptEnabled === false) continue;
    test(`${state}, ${context}: axe finds nothing, and nothing overflows`, async (t) => {
      const page = await open(chromium, t, undefined, options);
      await go(page);
      const direction = await page.evaluate(() => getComputedStyle(document.body).direction);
      assert.equal(direction, options.locale === "ar" ? "rtl" : "ltr");
      for (const [view, { viewport, ...media }] of Object.entries(views)) {
        await page.emulateMedia({ ...AS_USUAL, ...media });
        if (viewport) await page.setViewportSize(viewport);
        // axe-core waits for timers, which a page without scripts does not have.
        if (options.javaScriptEnabled !== false) assert.deepEqual(await axeViolations(page), [], view);
        const wider = () => document.documentElement.scrollWidth - innerWidth;
        assert.ok((await page.evaluate(wider)) <= 0, `${view}: the page is wider than the window`);
        if (process.env.SCREENSHOTS) {
          const path = `${process.env.SCREENSHOTS}/${state}-${context}-${view}.png`.replaceAll(" ", "-");
          await page.screenshot({ path, fullPage: true });
        }
      }
      assert.deepEqual(page.consoleErrors, []);
    });
  }
}

test("long words of the operator and of users break on a narrow screen", async (t) => {
  const word = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen";
  const wordy = await Service.start({
    "page.name": word,
    "page.login_url": "https://www.example.com/login",
    "page.reset_url": "https://www.example.com/reset",
    "page.labels.plan": word,
    "page.providers.long.label": word,
    "page.providers.long.url": "https://www.example.com/long",
    "page.links.long.label": word,
    "page.links.long.url": "https://www.example.com/imprint",
    "user_metadata.keys.plan.values": `free,${word}`,
  });
  for (const javaScriptEnabled of [true, false]) {
    const page = await open(chromium, t, undefined, { javaScriptEnabled, viewport: { width: 320, height: 640 } });
    const wider = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await page.goto(`${wordy.url}/signup`);
    assert.ok((await wider()) <= 0, "the form");
    await fill(page, { ...ADA, given_name: word, email: word.slice(0, 20).repeat(4) });
    await page.click("form button[type=submit]");
    await page.locator("[role=alert]:focus").waitFor();
    assert.ok((await wider()) <= 0, "the errors");
    await fill(page, { ...ADA, given_name: word, email: `long.${javaScriptEnabled}@${"x".repeat(60)}.example.com` });
    await page.click("form button[type=submit]");
    await page.getByRole("heading", { name: /Welcome/ }).waitFor();
    assert.ok((await wider()) <= 0, "the success");
  }
});

test("from right to left, the button that shows the password is where the password ends", async (t) => {
  const page = await open(chromium, t, form, { locale: "ar", viewport: { width: 320, height: 640 } });
  const box = (selector) => page.locator(selector).boundingBox();
  const [input, button] = [await box(".secret"), await box("[data-signup-reveal]")];
  const away = input.x + input.width - button.x - button.width;
  assert.ok(away >= 2 && away <= 8, `${away} from the right`);
});

/** Reads where the inputs and the buttons of the form are on the page. */
const placesOn = (page) => () =>
  page.locator("form input:visible, form button:not(.hint button):visible").evaluateAll((all) => {
    return all.map((one) => one.getBoundingClientRect().top + scrollY);
  });

test("nothing moves when a message comes at a field", async (t) => {
  const page = await open(chromium, t, undefined, { viewport: { width: 320, height: 640 } });
  await page.goto(form, { waitUntil: "networkidle" });
  const places = placesOn(page);
  const before = await places();
  const say = (field, message) =>
    page.locator(`#${field}-error`).evaluate((line, message) => (line.textContent = message), message);
  // The commonest of a field, in each language whose letters are sure to be on this machine. The letters of its font
  // are wider than those of phones.
  await page.setViewportSize({ width: 360, height: 640 });
  const wider = await places();
  for (const language of ["en", "de", "es", "fr", "it", "nl", "pl", "pt-BR"]) {
    const texts = await readFile(join(import.meta.dirname, `../../locales/${language}/field_errors.ftl`), "utf8");
    const [, message] = /^malformed =.*\n +\.email = (.+)$/m.exec(texts);
    await say("email", message);
    assert.deepEqual(await places(), wider, message);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  await say("email", "");
  await say("given_name", "Use 150 characters or fewer.");
  assert.deepEqual(await places(), before, "an error");
  await page.locator("#email").pressSequentially("ada@gmial.com");
  await page.locator(".signup-suggestion button").waitFor();
  assert.deepEqual(await places(), before, "a suggestion");
  await page.focus("#password");
  await page.locator("#password").evaluate((input) => {
    const event = new KeyboardEvent("keydown", { key: "A", bubbles: true, modifierCapsLock: true });
    input.dispatchEvent(event);
  });
  await page.getByText("Caps Lock is on.").waitFor();
  assert.deepEqual(await places(), before, "Caps Lock");
});

/** Opens the form on a narrow screen, and adds up what moves by itself: not in the half second after an input. */
const openMeasured = async (t) => {
  const page = await open(chromium, t, undefined, { viewport: { width: 320, height: 640 } });
  await page.addInitScript(() => {
    globalThis.shift = 0;
    const add = ({ value, hadRecentInput }) => (globalThis.shift += hadRecentInput ? 0 : value);
    new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(form, { waitUntil: "networkidle" });
  return page;
};

test("nothing moves until the alert comes, which moves the form as a whole", async (t) => {
  const page = await openMeasured(t);
  const shift = () => page.evaluate(() => globalThis.shift);
  assert.equal(await shift(), 0, "while the page loads");
  const pause = () => page.waitForTimeout(700);
  for (const name of ["given_name", "family_name", "email", "password"]) {
    await page.focus(`#${name}`);
    await pause();
    await page.locator(`#${name}`).blur();
    await pause();
    assert.equal(await shift(), 0, `a visit to ${name}`);
  }
  const places = placesOn(page);
  const before = await places();
  await page.locator("#email").pressSequentially("ada@gmial.com");
  await page.locator(".signup-suggestion button").waitFor();
  await page.locator("#password").pressSequentially("abc");
  await page.fill("#given_name", "x".repeat(151));
  await page.check("#terms");
  await pause();
  assert.equal(await shift(), 0, "the suggestion and the rules");
  // Chromium does not count what moves within half a second of an input.
  assert.deepEqual(await places(), before, "the suggestion and the rules");
  const release = await holdPosts(page);
  await page.click("form button[type=submit]", { noWaitAfter: true });
  await pause();
  assert.equal(await shift(), 0, "the message that the form is sent");
  release();
  await page.locator("[role=alert]:focus").waitFor();
  assert.equal(await page.locator("[aria-invalid=true]").count(), 2);
  await pause();
  t.diagnostic(`the alert: a layout shift of ${await shift()}`);
  const moved = new Set((await places()).map((place, nth) => Math.round(place - before[nth])));
  assert.equal(moved.size, 1, `the fields apart from each other: ${[...moved]}`);
});

test("a password manager recognises the fields, and a pasted password is not truncated", async (t) => {
  const page = await open(chromium, t, form);
  const attribute = (id, name) => page.getAttribute(`#${id}`, name);
  assert.equal(await attribute("email", "autocomplete"), "email");
  assert.equal(await attribute("password", "autocomplete"), "new-password");
  assert.equal(await attribute("given_name", "autocomplete"), "given-name");
  assert.equal(await attribute("family_name", "autocomplete"), "family-name");
  assert.equal(await attribute("password", "maxlength"), null);
  assert.match(await attribute("password", "passwordrules"), /^required: lower; .*minlength: 8; maxlength: 72;/);
  assert.equal(await attribute("email", "type"), "text");
  assert.equal(await attribute("email", "inputmode"), "email");
  const long = "x".repeat(200);
  await page.fill("#password", long);
  assert.equal(await page.inputValue("#password"), long);
  await page.locator("[data-rule='password.too_long']").waitFor();
});
