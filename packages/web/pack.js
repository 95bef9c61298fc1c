// Writes what only the npm package has: the style as a module, for the shadow tree of the element, and the licences.

import { copyFile, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { transform } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

const source = await readFile(at("src/signup.css"), "utf8");
// In a shadow tree the variables belong to its host.
const { code } = await transform(source.replaceAll(":root", ":host"), { loader: "css", minify: true });
await writeFile(
  at("src/style.js"),
  `// Made by pack.js from signup.css.\n\nexport const STYLE = ${JSON.stringify(code.trim())};\n`,
);
for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) await copyFile(at(`../../${name}`), at(name));
