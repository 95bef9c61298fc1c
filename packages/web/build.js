// Builds the files that the service serves from the sources beside this script:
//
//   node build.js           writes them into src/page/assets/, and their digests into docs/page.md
//   node build.js --check   fails if they are not what the sources yield

import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const SOURCES = at("src/");
const ASSETS = at("../../src/page/assets/");
const PAGE = at("../../docs/page.md");
/** Browsers of 2022 and later. */
const TARGET = ["es2022", "chrome105", "firefox104", "safari16"];
const BANNER = "auth0-signup: docs/page.md";

/** What is served loads its extras from the service, by their digest. */
const served = {
  name: "served",
  setup: ({ onResolve }) =>
    onResolve({ filter: /\/load-extras\.js$/ }, () => ({ path: `${SOURCES}served-extras.js` })),
};

/** Bundles and minifies a file. Returns it, and the source map of a module, by name. */
async function bundle(name, output, define = {}) {
  const { outputFiles } = await build({
    absWorkingDir: SOURCES,
    entryPoints: { [output]: name },
    outdir: ASSETS,
    bundle: true,
    minify: true,
    format: "esm",
    target: TARGET,
    legalComments: "none",
    banner: { js: `// ${BANNER}`, css: `/* ${BANNER} */` },
    sourcemap: name.endsWith(".js") && "linked",
    write: false,
    define,
    plugins: [served],
  });
  return outputFiles.map(({ path, text }) => [path.slice(ASSETS.length), text]);
}

/** The name of a file by which it can be cached for ever. src/page/web_file.rs makes the same. */
function versioned(name, text) {
  const [stem, kind] = name.split(".");
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
  return `${stem}-${digest}.${kind}`;
}

const integrity = (text) => `sha256-${createHash("sha256").update(text).digest("base64")}`;

const extras = await bundle("extras.js", "signup-extras");
const [, extrasText] = extras.find(([name]) => name === "signup-extras.js");
const files = new Map([
  ...extras,
  ...(await bundle("signup.js", "signup", {
    EXTRAS_FILE: JSON.stringify(versioned("signup-extras.js", extrasText)),
    EXTRAS_INTEGRITY: JSON.stringify(integrity(extrasText)),
  })),
  ...(await bundle("signup.css", "signup")),
  ["signup.d.ts", await readFile(`${SOURCES}signup.d.ts`, "utf8")],
]);

let stale = 0;
/** Writes a file, or compares it. */
async function put(path, text) {
  if ((await readFile(path, "utf8").catch(() => "")) === text) return;
  if (process.argv.includes("--check")) {
    stale++;
    console.error(`${path} is not what packages/web/src yields: run packages/web/build.js`);
  } else {
    await writeFile(path, text);
  }
}

for (const [name, text] of files) await put(ASSETS + name, text);

// The example of the versioned addresses.
let page = await readFile(PAGE, "utf8");
for (const name of ["signup.js", "signup.css"]) {
  const [stem, kind] = name.split(".");
  const text = files.get(name);
  const example = new RegExp(`${stem}-[0-9a-f]{16}\\.${kind}"(\\s+)integrity="[^"]*"`, "g");
  page = page.replace(example, `${versioned(name, text)}"$1integrity="${integrity(text)}"`);
}
await put(PAGE, page);
process.exitCode = stale ? 1 : 0;
