// The example with Next.js, built and started as in production.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";

import { spawnChild } from "../../../tests/browser/service.js";
import { ADA, Service, browser, open } from "../../../tests/browser/support.js";
import { DARK, LIGHT, colour, complete, linkOfTaken, logIn, send } from "./visitor.js";

const TOKEN = "a-token-of-at-least-32-characters-0123456789";
const root = join(import.meta.dirname, "..");

/** Returns a port that is free. Next.js has to know its own address before it listens. */
const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const port = await freePort();
const shop = `http://127.0.0.1:${port}`;
const [chromium, service] = await Promise.all([
  browser(),
  Service.start({
    "http.server_clients": TOKEN,
    "limits.address.burst": 2,
    "page.success_url": `${shop}/auth/login?login_hint={login_hint}`,
    "page.login_url": `${shop}/auth/login`,
    "terms.version": "2026-11",
    "terms.url": "https://www.example.com/terms",
    "user_metadata.keys.plan.values": "free,pro",
  }),
]);

const next = spawnChild(process.execPath, [join(root, "node_modules/next/dist/bin/next"), "start", "next", "-p", port, "-H", "127.0.0.1"], {
  cwd: root,
  env: {
    PATH: process.env.PATH,
    NEXT_TELEMETRY_DISABLED: "1",
    SIGNUP_URL: `${service.url}/signup`,
    SIGNUP_TOKEN: TOKEN,
    APP_BASE_URL: shop,
    // nextjs-auth0 takes no IP addresses.
    AUTH0_DOMAIN: service.tenant.replace("127.0.0.1", "localhost"),
    AUTH0_CLIENT_ID: "demo-client",
    AUTH0_CLIENT_SECRET: "demo-secret",
    AUTH0_SECRET: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
  },
  stdio: ["ignore", "pipe", "inherit"],
});
after(() => next.kill());
for await (const line of createInterface({ input: next.stdout })) if (/Ready in/.test(line)) break;
next.stdout.resume();

/** Opens the form. */
async function visit(t, options) {
  const page = await open(chromium, t, null, options);
  await page.goto(shop);
  return page;
}

test("a user signs up through the route handler, and is logged in", async (t) => {
  const page = await visit(t, { colorScheme: "dark" });
  assert.equal(await colour(page), DARK);
  await page.locator("form[data-signup-ready]").waitFor();
  await complete(page, "nope");
  await send(page);
  // The problem is forwarded.
  await page.locator('[name="email"][aria-invalid=true]').waitFor();
  await complete(page, "ada+1@example.com");
  await send(page);
  await logIn(page, "ada+1@example.com", service.tenant);
  const [create, ...more] = await service.creates("ada+1@example.com");
  assert.deepEqual([more, create.user_metadata, create.app_metadata.terms.version], [[], { plan: "pro" }, "2026-11"]);
  assert.deepEqual(page.consoleErrors, []);
});

test("without JavaScript too", async (t) => {
  const page = await visit(t, { javaScriptEnabled: false });
  assert.equal(await colour(page), LIGHT);
  await complete(page, "script.off@example.com");
  await send(page);
  await logIn(page, "script.off@example.com", service.tenant);
  assert.equal((await service.creates("script.off@example.com")).length, 1);
});

test("the built-in page behind the route has its script", async (t) => {
  const page = await open(chromium, t, null);
  await page.goto(`${shop}/signup`);
  await page.locator("form[data-signup-ready]").waitFor();
  await page.fill("[name=email]", "ada@gmial.com");
  await page.locator(".signup-suggestion button").waitFor();
  assert.deepEqual(page.consoleErrors, []);
});

test("a taken address is shown, with the way to log in", async (t) => {
  const body = new URLSearchParams({ ...ADA, email: "taken@example.com", terms: "on" });
  const headers = { "x-real-ip": "203.0.113.9" };
  assert.equal((await fetch(`${shop}/signup`, { method: "POST", body, headers })).status, 201);
  const page = await visit(t, { extraHTTPHeaders: headers });
  await page.locator("form[data-signup-ready]").waitFor();
  await complete(page, "taken@example.com", { password: "Analytical-Engine-1837" });
  await send(page);
  const link = await linkOfTaken(page);
  assert.deepEqual([link.origin, link.searchParams.get("login_hint")], [shop, "taken@example.com"]);
});

test("the limits count visitors, a taken address is a problem, and a foreign page cannot post", async () => {
  const post = async (email, address, headers, password = ADA.password) => {
    const body = new URLSearchParams({ ...ADA, email, password, terms: "on" });
    const init = { method: "POST", body, headers: { "x-real-ip": address, ...headers } };
    const response = await fetch(`${shop}/signup`, init);
    return (await response.json()).code ?? response.status;
  };
  assert.equal(await post("one@example.com", "203.0.113.1"), 201);
  assert.equal(await post("two@example.com", "203.0.113.1"), 201);
  assert.equal(await post("three@example.com", "203.0.113.1"), "rate_limited");
  assert.equal(await post("three@example.com", "203.0.113.2"), 201);
  const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  assert.equal(await post("four@example.com", "203.0.113.3", foreign), "origin_not_allowed");
  assert.equal(await post("one@example.com", "203.0.113.4", {}, "Analytical-Engine-1837"), "email_taken");
});
