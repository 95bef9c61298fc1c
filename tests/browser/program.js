// The browser that the tests and the screenshots use.

import { existsSync } from "node:fs";

/** Chromium without windows, or else with them. */
const PATHS = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];

/** The path of the program: the variable `CHROMIUM`, or what is installed. */
export const CHROMIUM = process.env.CHROMIUM ?? PATHS.find((path) => existsSync(path)) ?? PATHS[0];
