// The checkbox of the terms, with the script and without.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, browser, done, fill, open, ready } from "./support.js";

const chromium = await browser();
const terms = (version) => ({ "terms.version": version, "terms.url": `https://www.example.com/terms-${version}` });
const service = await Service.start(terms("2026-11"));
const form = `${service.url}/signup`;
const MESSAGE = "Accept the terms to continue.";

test("Back restores what was typed, and no tick for terms that have changed", async (t) => {
  const changing = await Service.start(terms("2026-11"));
  const page = await open(chromium, t, `${changing.url}/signup`);
  const email = "back.to.terms@example.com";
  await fill(page, { ...ADA, email });
  await page.check("#terms");
  await page.goto("about:blank");
  await changing.restart(terms("2026-12"));
  const session = await page.context().newCDPSession(page);
  await session.send("Network.clearBrowserCache");
  await page.goBack();
  await ready(page);
  assert.deepEqual([await page.inputValue("#email"), await page.inputValue("#terms")], [email, "2026-12"]);
  await page.fill("#password", ADA.password);
  await page.click("button[type=submit]");
  await page.waitForSelector("#terms[aria-invalid=true]");
  assert.deepEqual(await changing.creates(email), []);
  await page.check("#terms");
  await page.click("button[type=submit]");
  await done(page);
  const [create] = await changing.creates(email);
  assert.equal(create.app_metadata.terms.version, "2026-12");
});

for (const [way, options] of Object.entries({ "with the script": {}, "without it": { javaScriptEnabled: false } })) {
  test(`a user who forgets the checkbox sees an error beside it and continues from there, ${way}`, async (t) => {
    const page = await open(chromium, t, form, options);
    const email = `terms.${way.replaceAll(" ", ".")}@example.com`;
    await fill(page, { ...ADA, email });
    await page.click("button[type=submit]");
    const box = page.getByRole("checkbox", { name: "I accept the terms" });
    await page.waitForSelector("#terms[aria-invalid=true]");
    const described = await box.getAttribute("aria-describedby");
    assert.equal((await page.textContent(`#${described}`)).trim(), MESSAGE);
    assert.equal(await page.inputValue("#email"), email);
    assert.deepEqual(await service.creates(email), []);
    await page.locator("[role=alert]:focus").waitFor();
    await page.click("[role=alert] a[href='#terms']");
    assert.ok(await box.evaluate((input) => input === document.activeElement));
    if (way !== "with the script") await page.fill("#password", ADA.password);
    await box.check();
    if (way === "with the script") assert.equal(await page.textContent(`#${described}`), "");
    await page.click("button[type=submit]");
    await done(page);
    const [create] = await service.creates(email);
    assert.equal(create.app_metadata.terms.version, "2026-11");
    assert.match(create.app_metadata.terms.accepted_at, /^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/);
    assert.deepEqual(page.consoleErrors, []);
  });
}
