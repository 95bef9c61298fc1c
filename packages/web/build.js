// Builds the files that the service serves from the sources beside this script:
//
//   node build.js           writes them into src/page/assets/
//   node build.js --check   fails if they are not what the sources yield

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const SOURCES = fileURLToPath(new URL("src/", import.meta.url));
const ASSETS = fileURLToPath(new URL("../../src/page/assets/", import.meta.url));
/** Browsers of 2022 and later. */
const TARGET = ["es2022", "chrome105", "firefox104", "safari16"];
/** Names the source where a developer looks at the minified file. */
const BANNER = "// auth0-signup: docs/page.md describes its use, signup.d.ts its types.";

/** Bundles and minifies a module. Returns its file and its source map, by name. */
async function bundle(name, define = {}) {
  const { outputFiles } = await build({
    absWorkingDir: SOURCES,
    entryPoints: [name],
    outdir: ASSETS,
    bundle: true,
    minify: true,
    format: "esm",
    target: TARGET,
    legalComments: "none",
    banner: { js: BANNER },
    sourcemap: "linked",
    write: false,
    define,
  });
  return outputFiles.map(({ path, text }) => [path.slice(ASSETS.length), text]);
}

const files = new Map([
  ...(await bundle("signup.js")),
  ["signup.d.ts", await readFile(`${SOURCES}signup.d.ts`, "utf8")],
]);

let stale = 0;
for (const [name, text] of files) {
  const path = ASSETS + name;
  if (!process.argv.includes("--check")) {
    await writeFile(path, text);
  } else if ((await readFile(path, "utf8").catch(() => "")) !== text) {
    stale++;
    console.error(`src/page/assets/${name} is not what packages/web/src yields: run packages/web/build.js`);
  }
}
process.exitCode = stale ? 1 : 0;
