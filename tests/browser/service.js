// The tenant and the service of the tests. Every test file has its own.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";

const target = process.env.SIGNUP_BINARIES ?? join(import.meta.dirname, "../../target/debug");

/** Field values that meet every rule of the default settings. */
export const ADA = {
  email: "ada@example.com",
  password: "Difference-Engine-1843",
  given_name: "Ada",
  family_name: "Lovelace",
};

// A file that fails in its setup, or gets a signal, ends without its `after` hooks. Its children end with it.
const running = new Set();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

/** Starts a program that ends with this file. */
export function spawnChild(...command) {
  const child = spawn(...command);
  running.add(child);
  return child;
}

/** A child process. */
class Child {
  #process;

  /** Starts a program. Resolves with the first value that `ready` returns for a printed line. */
  async start(binary, args, env, ready) {
    // A program that may no longer write gets an error then, as on a full disk, and not a signal.
    const started = ["trap '' XFSZ; exec \"$0\" \"$@\"", join(target, binary), ...args];
    const child = spawnChild("sh", ["-c", ...started], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = child;
    child.ended = new Promise((resolve) => child.once("exit", resolve));
    return new Promise((resolve, reject) => {
      child.once("exit", (status) => reject(new Error(`${binary} ended with ${status}`)));
      child.once("error", reject);
      createInterface({ input: child.stdout }).on("line", (line) => {
        const value = ready(line);
        if (value) resolve(value);
      });
    });
  }

  /** Limits the size of the files that the program writes. */
  limitFiles(size) {
    execFileSync("prlimit", ["--pid", this.#process.pid, `--fsize=${size}:`]);
  }

  async stop() {
    this.#process?.kill("SIGTERM");
    await this.#process?.ended;
  }
}

/** The variables for settings, by their keys in config/default.toml. */
function environment(settings) {
  const variable = (key) => `SIGNUP__${key.replaceAll(".", "__").toUpperCase()}`;
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [variable(key), String(value)]));
}

/** A tenant and a service that signs users up there. */
export class Service {
  #tenant = new Child();
  #child = new Child();
  #folder;
  #settings;
  #port = "0";

  /** Starts both. `settings`: keys of config/default.toml. */
  static async start(settings = {}) {
    const service = new Service();
    service.#settings = environment(settings);
    service.#folder = await mkdtemp(join(tmpdir(), "signup-browser-"));
    // Registered first, so that a failed start leaves no process that keeps Node running.
    after(() => service.stop());
    service.tenant = await service.#tenant.start("auth0-emulator", ["--port", "0"], {}, (line) =>
      line.startsWith("AUTH0_URL=") ? line.slice("AUTH0_URL=".length) : undefined,
    );
    await service.#run();
    return service;
  }

  async #run(settings) {
    const env = {
      AUTH0_DOMAIN: this.tenant,
      AUTH0_CLIENT_ID: "demo-client",
      AUTH0_CLIENT_SECRET: "demo-secret",
      DATABASE_URL: `sqlite://${join(this.#folder, "signup.db")}`,
      PORT: this.#port,
      SIGNUP__ADMIN__PORT: "0",
      SIGNUP__LOG__FORMAT: "json",
      // A test types faster than a user.
      SIGNUP__CHALLENGE__MIN_FILL_MS: "0",
      SIGNUP__CHALLENGE__ADAPTIVE__ADDRESS_BURST: "1000",
      ...this.#settings,
      ...settings,
    };
    this.url = await this.#child.start("auth0-signup", ["serve"], env, (line) => {
      return /serving sign-ups for \S+ on (http:[^ ,]+)/.exec(line)?.[1];
    });
    this.#port = new URL(this.url).port;
  }

  /** Restarts the service at the same address, with the same ledger and `settings` in addition. */
  async restart(settings = {}) {
    await this.#child.stop();
    await this.#run(environment(settings));
  }

  /** Makes the disk full for the service, or gives it room again. */
  fillDisk(isFull) {
    this.#child.limitFiles(isFull ? "0" : "unlimited");
  }

  async stop() {
    await this.#child.stop();
    await this.#tenant.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Makes the tenant inject a fault; the emulator's README lists the fields. */
  async fault(fault) {
    const body = JSON.stringify(fault);
    await this.#changeFaults({ method: "POST", body });
  }

  /** Removes all faults. */
  async clearFaults() {
    await this.#changeFaults({ method: "DELETE" });
  }

  async #changeFaults(init) {
    const response = await fetch(`${this.tenant}/_emulator/faults`, init);
    assert.ok(response.ok, await response.text());
  }

  /** Returns the bodies of the create-user calls that the tenant received for an address. */
  async creates(email) {
    return (await this.#created()).filter((body) => body.email === email);
  }

  /** Returns the addresses of all create-user calls that the tenant received, in their order. */
  async emails() {
    return (await this.#created()).map((body) => body.email);
  }

  async #created() {
    const journal = await (await fetch(`${this.tenant}/_emulator/journal`)).json();
    const calls = journal.filter((call) => call.method === "POST" && call.path === "/api/v2/users");
    return calls.map((call) => (typeof call.body === "string" ? JSON.parse(call.body) : call.body));
  }
}
