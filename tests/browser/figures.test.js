// What the page costs whoever opens it. Bytes, requests and shifts are held to; times are only told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Service, browser, open } from "./support.js";

const chromium = await browser();
const service = await Service.start();
const form = `${service.url}/signup`;

/** A page that counts what it is sent, and how far what is on it moves without the person's doing. */
const measured = async (t) => {
  const page = await open(chromium, t);
  await page.addInitScript(() => {
    globalThis.shift = 0;
    const add = ({ value, hadRecentInput }) => (globalThis.shift += hadRecentInput ? 0 : value);
    new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({
      type: "layout-shift",
      buffered: true,
    });
    addEventListener("signup:ready", () => (globalThis.interactive = performance.now()));
  });
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const sent = [];
  const urls = new Map();
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    if (request.url.startsWith("http")) urls.set(requestId, new URL(request.url).pathname);
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (urls.has(requestId)) sent.push({ path: urls.get(requestId), bytes: encodedDataLength });
  });
  const shift = () => page.evaluate(() => globalThis.shift);
  return { page, session, sent, shift };
};

test("the page is two requests and few bytes", async (t) => {
  const { page, sent, shift } = await measured(t);
  await page.goto(form, { waitUntil: "networkidle" });
  for (const { path, bytes } of sent) t.diagnostic(`${path}: ${bytes} bytes with its head`);
  assert.deepEqual(sent.map(({ path }) => path), ["/signup", "/signup.js"]);
  const total = sent.reduce((sum, { bytes }) => sum + bytes, 0);
  t.diagnostic(`in all: ${total} bytes`);
  assert.ok(total <= 24 * 1024, `${total} bytes`);
  assert.equal(await shift(), 0);
});

test("told, not held to: a slow machine on a slow network", async (t) => {
  const { page, session } = await measured(t);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  // Lighthouse's slow 4G: 150 ms there and back, 1.6 Mbit/s.
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 150,
    downloadThroughput: 1.6e6 / 8,
    uploadThroughput: 0.75e6 / 8,
  });
  await page.goto(form);
  await page.waitForSelector("form[data-signup-ready]");
  const [paint, interactive] = await page.evaluate(() => [
    performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
    globalThis.interactive,
  ]);
  t.diagnostic(`first contentful paint: ${Math.round(paint)} ms`);
  t.diagnostic(`interactive: ${Math.round(interactive)} ms`);
});
