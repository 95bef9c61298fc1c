// Pages of applications that bundle Auth0's libraries.

import { join } from "node:path";

import { build } from "esbuild";

const modules = join(import.meta.dirname, "node_modules");
const ofLock = join(modules, "auth0-lock/node_modules");

/** Bundles a script with its imports from npm. */
export async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    // The defaults, stated so that they hold for `require` too: Lock's auth0.js has a CommonJS file as
    // its `module`.
    mainFields: ["browser", "module", "main"],
    // Lock's dependencies must use Lock's own React.
    alias: { react: join(ofLock, "react"), "react-dom": join(ofLock, "react-dom") },
    minify: true,
    write: false,
  });
  return outputFiles[0].text;
}

/** Returns a page with a script, and without animations. */
export const pageOf = (script) =>
  `<!doctype html><html lang="en"><title>Join</title><link rel="icon" href="data:,">
<style>* { animation-duration: 1ms !important; animation-delay: 0s !important; }</style>
<script defer src="${script}"></script>`;
