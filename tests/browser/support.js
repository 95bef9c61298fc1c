// The browser, pages and sites of the tests. Every test file has its own.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after } from "node:test";

import { chromium } from "playwright-core";

import { CHROMIUM } from "./program.js";

export { ADA, Service } from "./service.js";

const require = createRequire(import.meta.url);

/** Launches a browser, and closes it when the file is done. Without Chromium every test of the file fails. */
export async function browser() {
  const launched = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  after(() => launched.close());
  return launched;
}

/** Longer than any step takes on a busy machine. */
const TIMEOUT_MS = 60_000;

/**
 * Opens a page for one test. `consoleErrors` collects errors and console messages, apart from failed
 * statuses, which the tests cause on purpose.
 */
export async function open(browser, test, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 900 }, ...options });
  test.after(() => context.close());
  const page = await context.newPage();
  page.consoleErrors = [];
  page.on("pageerror", (error) => page.consoleErrors.push(String(error)));
  page.on("console", (message) => {
    const isStatus = message.text().startsWith("Failed to load resource: the server responded");
    if (message.type() === "error" && !isStatus) page.consoleErrors.push(message.text());
  });
  // Reported over a binding, since the page goes away after a success.
  let reportResult = () => {};
  page.nextResult = () =>
    new Promise((resolve, reject) => {
      reportResult = resolve;
      // A missing result fails its test without holding the file up.
      const timer = setTimeout(() => reject(new Error("no result")), 2 * TIMEOUT_MS);
      test.after(() => clearTimeout(timer));
    });
  await page.exposeFunction("reportResult", (result) => reportResult(result));
  await page.addInitScript(() => {
    addEventListener("signup:result", ({ detail }) => globalThis.reportResult(detail));
  });
  page.setDefaultTimeout(TIMEOUT_MS);
  if (url) await page.goto(url);
  return page;
}

/** Fills inputs by name. */
export async function fill(page, values) {
  for (const [name, value] of Object.entries(values)) {
    await page.fill(`form [name="${name}"]`, value);
  }
}

/** Does something that loads another page, and waits for that page. */
export async function loading(page, act) {
  await Promise.all([page.waitForEvent("load"), act()]);
}

/** Waits until the script has enhanced the page's form. */
export async function ready(page) {
  await page.waitForSelector("form[data-signup-ready]");
}

/** Sends the form with the script. Resolves with the result. */
export async function send(page, button = "form button:not([type=button])") {
  const result = page.nextResult();
  await page.click(button);
  return result;
}

/** Waits for the message that takes the place of a form after a sign-up. */
export async function done(page) {
  await page.locator(".signup-done").waitFor();
}

/** Sends the form as a browser without the script does, and waits for the next page. */
export async function sendPlainly(page) {
  await loading(page, () => page.evaluate(() => document.querySelector("form").submit()));
}

/** Holds the posts of a page until the returned function is called. */
export async function holdPosts(page) {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route(/\/signup(\?sent)?$/, async (route) => {
    if (route.request().method() === "POST") await released;
    // The browser may have cancelled the request by now.
    await route.fallback().catch(() => {});
  });
  return release;
}

/** Makes a page stop in the derivation of keys until `release`. Call it before the page loads. */
export async function holdProofs(page) {
  await page.addInitScript(() => {
    const { subtle } = crypto;
    const { importKey } = SubtleCrypto.prototype;
    const released = new Promise((resolve) => (globalThis.releaseProofs = resolve));
    subtle.importKey = async (...args) => {
      globalThis.isSolving = true;
      await released;
      return importKey.apply(subtle, args);
    };
  });
  return {
    started: () => page.waitForFunction(() => globalThis.isSolving),
    release: () => page.evaluate(() => globalThis.releaseProofs()),
  };
}

const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

/** Returns what axe-core finds against WCAG 2.2 A and AA, and its best practices. */
export async function axeViolations(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run());
  return result.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`),
  );
}

/** Starts a static server on another origin. `files`: HTML, JavaScript or CSS by path. */
export async function site(files, host = "127.0.0.1") {
  const server = createServer((request, response) => {
    const file = files[new URL(request.url, "http://x").pathname];
    const kind = /\.(js|css)\b/.exec(request.url)?.[1].replace("js", "javascript") ?? "html";
    response.writeHead(file === undefined ? 404 : 200, { "Content-Type": `text/${kind}; charset=utf-8` });
    response.end(file);
  });
  await new Promise((resolve) => server.listen(0, host, resolve));
  after(() => server.close());
  return `http://${host}:${server.address().port}`;
}
