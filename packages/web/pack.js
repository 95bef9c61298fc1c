// Writes what only the npm package has: the style as a module, for the shadow tree of the element, and the licences.

import { copyFile, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { transform } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A heading of the page in the form, and the places of errors that have gone. */
const OWN = `::slotted(:is(h1, h2)) { margin: 0 0 1.25rem; font-size: 1.625rem; font-weight: 700; line-height: 1.2; }
.signup-error:empty { display: none; }`;

const source = (await readFile(at("src/signup.css"), "utf8")) + OWN;
const { code } = await transform(source, { loader: "css", minify: true });
await writeFile(
  at("src/style.js"),
  `// Made by pack.js from signup.css.\n\nexport const STYLE = ${JSON.stringify(code.trim())};\n`,
);
for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) await copyFile(at(`../../${name}`), at(name));
