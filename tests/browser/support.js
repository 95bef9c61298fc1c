// A browser for the tests, beside the tenant and the service. Every test file has its own.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after } from "node:test";

import { chromium } from "playwright-core";

export { ADA, Service } from "./service.js";

const require = createRequire(import.meta.url);

/** A browser, closed when the file is done. A missing Chromium fails every test of the file. */
export async function browser() {
  const launched = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
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

/** A page of its own for a test, which fails on what a console should not say. */
export async function open(browser, test, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 900 }, ...options });
  test.after(() => context.close());
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    const isStatus = message.text().startsWith("Failed to load resource: the server responded");
    if (message.type() === "error" && !isStatus) page.complaints.push(message.text());
  });
  // Over the bridge, since a page that tells of a success goes away.
  let heard = () => {};
  page.nextResult = () =>
    new Promise((told, failed) => {
      heard = told;
      // A result that never comes fails its test, and does not hold the file up.
      const late = setTimeout(() => failed(new Error("no result was told")), 30_000);
      test.after(() => clearTimeout(late));
    });
  await page.exposeFunction("heard", (result) => heard(result));
  await page.addInitScript(() => {
    addEventListener("signup:result", ({ detail }) => globalThis.heard(detail));
  });
  page.setDefaultTimeout(10_000);
  if (url) await page.goto(url);
  return page;
}

/** Types into the inputs, by name. */
export async function fill(page, values) {
  for (const [name, value] of Object.entries(values)) {
    await page.fill(`form [name="${name}"]`, value);
  }
}

/** Sends the form as a browser without the script does, and waits for what comes. */
export async function sendPlainly(page) {
  await Promise.all([
    page.waitForEvent("load"),
    page.evaluate(() => document.querySelector("form").submit()),
  ]);
}

const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

/** What axe-core finds against WCAG 2.2 A and AA, and its best practices. */
export async function axeViolations(page) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run());
  return result.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`),
  );
}

/** A static server on another origin: `files` by path, each a string of HTML or of JavaScript. */
export async function site(files) {
  const server = createServer((request, response) => {
    const file = files[new URL(request.url, "http://x").pathname];
    const kind = request.url.includes(".js") ? "text/javascript" : "text/html";
    response.writeHead(file === undefined ? 404 : 200, { "Content-Type": `${kind}; charset=utf-8` });
    response.end(file);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}
