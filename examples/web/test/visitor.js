// What a visitor of every example does: fill the form in, send it, log in.

import assert from "node:assert/strict";

import { ADA } from "../../../tests/browser/support.js";

/** Fills the form in. Playwright's selectors reach into the shadow tree of the element. */
export async function complete(page, email, more = {}) {
  for (const [name, value] of Object.entries({ ...ADA, email, ...more })) await page.fill(`[name="${name}"]`, value);
  await page.selectOption('[name="user_metadata.plan"]', "pro");
  await page.check('[name="terms"]');
}

const BUTTON = "form > button:not([type=button])";

/** Sends the form. */
export const send = (page) => page.click(BUTTON);

/** Returns the colour of the form's button, which a bundler must not lose. */
export const colour = (page) => page.locator(BUTTON).evaluate((button) => getComputedStyle(button).backgroundColor);
export const [LIGHT, DARK] = ["rgb(29, 78, 216)", "rgb(147, 180, 255)"];

/** Waits for the message about a taken address. Returns its link to log in. */
export async function linkOfTaken(page) {
  await page.getByRole("heading", { name: "You already have an account" }).waitFor();
  return new URL(await page.getByRole("alert").getByRole("link", { name: "Log in" }).getAttribute("href"));
}

/** Logs in on the page of a tenant on this host, and waits for the greeting of the example. */
export async function logIn(page, email, tenant) {
  const hint = page.locator('main input[name="username"]');
  await hint.waitFor();
  assert.equal(new URL(page.url()).port, new URL(tenant).port);
  assert.equal(await hint.inputValue(), email);
  await page.fill('[name="password"]', ADA.password);
  await page.click("button");
  await page.getByRole("heading", { name: "Hello, Ada Lovelace" }).waitFor();
}
