// Takes the pictures of docs/images, from the built programs: node screenshots.js [FOLDER]

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { startDemo } from "./demo.js";
import { screenshot } from "./palette.js";
import { CHROMIUM } from "./program.js";

const folder = process.argv[2] ?? join(import.meta.dirname, "../../docs/images");
const demo = await startDemo();
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu"],
});

const blank = await browser.newPage();
/** Takes a picture of a page. */
const take = async (page, name) => writeFile(join(folder, name), await screenshot(blank, page));

/** Opens a form, filled in. */
async function filled(path, viewport, colorScheme) {
  const page = await browser.newPage({ viewport, colorScheme, deviceScaleFactor: 2 });
  await page.goto(demo.url + path);
  await page.locator("[data-rule]").first().waitFor();
  await page.fill("[name=given_name]", "Ada");
  await page.fill("[name=family_name]", "Lovelace");
  await page.fill("[name=email]", "ada@gmial.com");
  await page.locator(".signup-suggestion button").waitFor();
  await page.locator("[name=password]").pressSequentially("Difference");
  return page;
}

const page = await filled("/signup", { width: 390, height: 100 }, "light");
await take(page, "signup.png");

const shots = [];
for (const scheme of ["light", "dark"]) {
  const example = await filled("/example", { width: 430, height: 100 }, scheme);
  shots.push((await example.screenshot({ fullPage: true })).toString("base64"));
}
// Side by side.
const both = await browser.newPage({ viewport: { width: 860, height: 100 }, deviceScaleFactor: 1.5 });
await both.setContent(`<body style="margin:0;display:flex;align-items:start">${shots
  .map((shot) => `<img width="430" src="data:image/png;base64,${shot}">`)
  .join("")}`);
await take(both, "example.png");

await browser.close();
await demo.stop();
