// Takes the pictures of docs/images, from the built programs: node screenshots.js [FOLDER]

import { join } from "node:path";

import { chromium } from "playwright-core";

import { startDemo } from "./demo.js";

const folder = process.argv[2] ?? join(import.meta.dirname, "../../docs/images");
const demo = await startDemo();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

/** Opens the example, filled in. */
async function example(colorScheme, height) {
  const page = await browser.newPage({ viewport: { width: 480, height }, colorScheme, deviceScaleFactor: 2 });
  await page.goto(`${demo.url}/example`);
  await page.fill("[name=given_name]", "Ada");
  await page.fill("[name=family_name]", "Lovelace");
  await page.fill("[name=email]", "ada@gmial.com");
  await page.locator(".signup-suggestion button").waitFor();
  await page.locator("[name=password]").pressSequentially("Difference");
  return page;
}

const shots = [];
for (const scheme of ["light", "dark"]) {
  const page = await example(scheme, 640);
  shots.push((await page.screenshot()).toString("base64"));
}
// Side by side.
const both = await browser.newPage({ viewport: { width: 960, height: 640 }, deviceScaleFactor: 1.5 });
await both.setContent(`<body style="margin:0;display:flex">${shots
  .map((shot) => `<img width="480" src="data:image/png;base64,${shot}">`)
  .join("")}`);
await both.screenshot({ path: join(folder, "example.png") });

await browser.close();
demo.stop();
