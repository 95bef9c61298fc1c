// Writes what only the npm package has: the style for bundlers, the style as a module, for the shadow tree of the
// element, and the licences.

import { copyFile, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { transform } from "esbuild";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Lightning CSS, the default of Vite and Next.js, replaces `light-dark()` by two variables of its own, which it defines
 * only beside a `color-scheme` in the same build. Without them no colour is left, so a page without that has these: dark
 * where its `<meta name="color-scheme">` says so, otherwise light.
 */
const LOWERED = `
:where(:root) { --lightningcss-light: initial; --lightningcss-dark: ; }
@media (prefers-color-scheme: dark) {
  :where(:root:has(meta[name="color-scheme"][content*="dark"])) { --lightningcss-light: ; --lightningcss-dark: initial; }
}
`;
/** What follows in signup.css is not in the element. */
const ONLY_PAGES = "/* Only in forms of the page:";
/** A heading of the page in the element. */
const IN_ELEMENT = `
::slotted(:is(h1, h2)) { margin: 0 0 .7692em; font-size: 1.625em; font-weight: 700; line-height: 1.2; }
`;

const style = await readFile(at("src/signup.css"), "utf8");
await writeFile(at("src/bundled.css"), style + LOWERED);
const [shared, more] = style.split(ONLY_PAGES);
if (!more) throw new Error(`signup.css has no "${ONLY_PAGES}"`);
const { code } = await transform(shared + IN_ELEMENT, { loader: "css", minify: true });
await writeFile(
  at("src/style.js"),
  `// Made by pack.js from signup.css.\n\nexport const STYLE = ${JSON.stringify(code.trim())};\n`,
);
for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) await copyFile(at(`../../${name}`), at(name));
