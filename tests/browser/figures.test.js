// The cost of the page to a visitor. The tests limit bytes, requests and layout shifts; times are only printed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Service, browser, open } from "./support.js";

const chromium = await browser();
const service = await Service.start();
const form = `${service.url}/signup`;

/** Opens a page that records its responses and its layout shifts. */
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
  /** Bytes of the responses with their heads, by path, in whatever order they finish. */
  const bytes = new Map();
  const paths = new Map();
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    if (request.url.startsWith("http")) paths.set(requestId, new URL(request.url).pathname);
  });
  const finished = new Promise((resolve) => {
    session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      if (paths.has(requestId)) bytes.set(paths.get(requestId), encodedDataLength);
      if (["/signup", "/signup.js"].every((path) => bytes.has(path))) resolve();
    });
  });
  const shift = () => page.evaluate(() => globalThis.shift);
  return { page, session, paths, bytes, finished, shift };
};

test("the page is two requests and few bytes", async (t) => {
  const { page, paths, bytes, finished, shift } = await measured(t);
  await page.goto(form, { waitUntil: "networkidle" });
  await finished;
  for (const [path, count] of bytes) t.diagnostic(`${path}: ${count} bytes with its head`);
  assert.deepEqual([...paths.values()].sort(), ["/signup", "/signup.js"]);
  const total = [...bytes.values()].reduce((sum, count) => sum + count, 0);
  t.diagnostic(`in all: ${total} bytes`);
  assert.ok(total <= 24 * 1024, `${total} bytes`);
  assert.equal(await shift(), 0);
});

test("times on a slow machine and network are printed, not limited", async (t) => {
  const { page, session } = await measured(t);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  // Lighthouse's slow 4G: 150 ms round trip, 1.6 Mbit/s.
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 150,
    downloadThroughput: 1.6e6 / 8,
    uploadThroughput: 0.75e6 / 8,
  });
  await page.goto(form);
  await page.waitForFunction(
    () => globalThis.interactive && performance.getEntriesByName("first-contentful-paint").length,
  );
  const [paint, interactive] = await page.evaluate(() => [
    performance.getEntriesByName("first-contentful-paint")[0].startTime,
    globalThis.interactive,
  ]);
  t.diagnostic(`first contentful paint: ${Math.round(paint)} ms`);
  t.diagnostic(`interactive: ${Math.round(interactive)} ms`);
});
