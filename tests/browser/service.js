// A tenant and the service for tests. Every test file has its own.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";

const target = process.env.SIGNUP_BINARIES ?? join(import.meta.dirname, "../../target/debug");

/** A form that meets every rule of the default settings. */
export const ADA = {
  email: "ada@example.com",
  password: "Difference-Engine-1843",
  given_name: "Ada",
  family_name: "Lovelace",
};

// A file that cannot be set up, or is told to end, ends without its `after`; what it started goes with it.
const running = new Set();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

/** Starts a program that never outlives this file. */
export function started(...command) {
  const child = spawn(...command);
  running.add(child);
  return child;
}

/** A child process, stopped when the file is done. */
class Child {
  #process;

  /** Resolves when a line is printed that `ready` makes something of. */
  async start(binary, args, env, ready) {
    const child = started(join(target, binary), args, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = child;
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
    // Before anything runs, so that a start that fails leaves nothing behind that keeps Node waiting.
    after(() => service.stop());
    service.tenant = await service.#tenant.start("auth0-emulator", ["--port", "0"], {}, (line) =>
      line.startsWith("AUTH0_URL=") ? line.slice("AUTH0_URL=".length) : undefined,
    );
    await service.#run();
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
