// A tenant, the service and a browser for the tests. Every test file has its own.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";

import { chromium } from "playwright-core";

const target = process.env.SIGNUP_BINARIES ?? join(import.meta.dirname, "../../target/debug");
const require = createRequire(import.meta.url);

/** A form that meets every rule of the default settings. */
export const ADA = {
  email: "ada@example.com",
  password: "Difference-Engine-1843",
  given_name: "Ada",
  family_name: "Lovelace",
};

// A file that cannot be set up ends without its `after`; what it started goes with it.
const running = new Set();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** A child process, stopped when the file is done. */
class Child {
  #process;

  /** Resolves when a line is printed that `ready` makes something of. */
  async start(binary, args, env, ready) {
    const child = spawn(join(target, binary), args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = child;
    running.add(child);
    child.ended = new Promise((end) => child.once("exit", end));
    return new Promise((found, failed) => {
      child.once("exit", (status) => failed(new Error(`${binary} ended with ${status}`)));
      child.once("error", failed);
      createInterface({ input: child.stdout }).on("line", (line) => {
        const made = ready(line);
        if (made) found(made);
      });
    });
  }

  async stop() {
    this.#process?.kill("SIGTERM");
    await this.#process?.ended;
  }
}

/** A tenant and a service that signs people up there. */
export class Service {
  #tenant = new Child();
  #child = new Child();
  #folder;
  #settings;
  #port = "0";

  /** `settings`: keys of config/default.toml. */
  static async start(settings = {}) {
    const service = new Service();
    service.#settings = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [
        `SIGNUP__${key.replaceAll(".", "__").toUpperCase()}`,
        String(value),
      ]),
    );
    service.#folder = await mkdtemp(join(tmpdir(), "signup-browser-"));
    service.tenant = await service.#tenant.start("auth0-emulator", ["--port", "0"], {}, (line) =>
      line.startsWith("AUTH0_URL=") ? line.slice("AUTH0_URL=".length) : undefined,
    );
    await service.#run();
    after(() => service.stop());
    return service;
  }

  async #run() {
    const env = {
      AUTH0_DOMAIN: this.tenant,
      AUTH0_CLIENT_ID: "demo-client",
      AUTH0_CLIENT_SECRET: "demo-secret",
      DATABASE_URL: `sqlite://${join(this.#folder, "signup.db")}`,
      PORT: this.#port,
      SIGNUP__ADMIN__PORT: "0",
      SIGNUP__LOG__FORMAT: "json",
      // A test types faster than a person.
      SIGNUP__CHALLENGE__MIN_FILL_MS: "0",
      SIGNUP__CHALLENGE__ADAPTIVE__ADDRESS_BURST: "1000",
      ...this.#settings,
    };
    this.url = await this.#child.start("auth0-signup", ["serve"], env, (line) => {
      return /serving sign-ups for \S+ on (http:[^ ,]+)/.exec(line)?.[1];
    });
    this.#port = new URL(this.url).port;
  }

  /** Stops the service and starts it again at the same address, on the same ledger. */
  async restart() {
    await this.#child.stop();
    await this.#run();
  }

  async stop() {
    await this.#child.stop();
    await this.#tenant.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Lets calls of the tenant go wrong; the fields are in the emulator's README. */
  async fault(fault) {
    const body = JSON.stringify(fault);
    await fetch(`${this.tenant}/_emulator/faults`, { method: "POST", body });
  }

  /** Nothing goes wrong any more. */
  async mend() {
    await fetch(`${this.tenant}/_emulator/faults`, { method: "DELETE" });
  }

  /** The bodies of the create-user calls that the tenant got for an address. */
  async creates(email) {
    const journal = await (await fetch(`${this.tenant}/_emulator/journal`)).json();
    const calls = journal.filter((call) => call.method === "POST" && call.path === "/api/v2/users");
    const bodies = calls.map((call) => (typeof call.body === "string" ? JSON.parse(call.body) : call.body));
    return bodies.filter((body) => body.email === email);
  }
}

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
  page.nextResult = () => new Promise((told) => (heard = told));
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
