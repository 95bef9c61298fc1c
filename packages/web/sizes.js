// Measures what the package adds to an application, minified and in gzip, and fails beyond the limits.

import { gzipSync } from "node:zlib";

import { build } from "esbuild";

/** Imports, and the most bytes that each may cost. */
const LIMITS = {
  'export { enhance } from "./index.js"': 8192,
  'export * from "./element.js"': 12800,
  'export { SignupForm } from "./react.js"': 9760,
  'export { createSignup } from "./index.js"': 3072,
};

for (const [contents, limit] of Object.entries(LIMITS)) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: new URL("src", import.meta.url).pathname },
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    outdir: "out",
    external: ["react"],
    write: false,
  });
  const sizes = outputFiles.map(({ path, contents }) => [path, gzipSync(contents, { level: 9 }).length]);
  // The extras are loaded when a form gets the focus.
  const bytes = sizes.filter(([path]) => !path.includes("extras")).reduce((sum, [, size]) => sum + size, 0);
  const verdict = bytes <= limit ? "" : ` exceeds ${limit}`;
  console.log(`${contents.match(/\{ (\w+)|"\.\/(\w+)/).slice(1).find(Boolean)}: ${bytes} bytes in gzip${verdict}`);
  if (verdict) process.exitCode = 1;
}
