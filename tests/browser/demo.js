// `auth0-signup demo` for tests and pictures.

import { createInterface } from "node:readline";
import { join } from "node:path";

import { spawnChild } from "./service.js";

const target = process.env.SIGNUP_BINARIES ?? join(import.meta.dirname, "../../target/debug");

/** Starts a demo on a free port. Resolves with its address, the ten lines that it printed, and a way to stop it. */
export async function startDemo() {
  const child = spawnChild(join(target, "auth0-signup"), ["demo", "--port", "0"], {
    env: { PATH: process.env.PATH },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const printed = [];
  const url = await new Promise((resolve, reject) => {
    child.once("exit", (status) => reject(new Error(`the demo ended with ${status}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      printed.push(line);
      // The last of the printed lines.
      if (line === "</form>") resolve(/http:\/\/[^/]+/.exec(printed.join("\n").split("Sign up on ")[1])[0]);
    });
  });
  const end = printed.indexOf("</form>") + 1;
  // Waits until it has removed its folder.
  const stop = () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    return ended;
  };
  return { url, lines: printed.slice(end - 10, end).join("\n"), stop };
}
