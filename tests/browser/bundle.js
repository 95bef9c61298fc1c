// Pages of applications that bring Auth0's libraries along.

import { join } from "node:path";

import { build } from "esbuild";

const modules = join(import.meta.dirname, "node_modules");
const ofLock = join(modules, "auth0-lock/node_modules");

/** A script for a page, with what it imports from npm. */
export async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    // The defaults, said aloud so that they hold where a package is required too: Lock's auth0.js
    // calls its `main` a module, which it is not.
    mainFields: ["browser", "module", "main"],
    // What Lock brings along has to use the React that Lock uses.
    alias: { react: join(ofLock, "react"), "react-dom": join(ofLock, "react-dom") },
    minify: true,
    write: false,
  });
  return outputFiles[0].text;
}

/** The page of a script. Nothing on it takes its time to move. */
export const pageOf = (script) =>
  `<!doctype html><html lang="en"><title>Join</title><link rel="icon" href="data:,">
<style>* { animation-duration: 1ms !important; animation-delay: 0s !important; }</style>
<script defer src="${script}"></script>`;
