// Loads the extras from the service: the file whose name and digest were known when this script was built.

/* global EXTRAS_FILE, EXTRAS_INTEGRITY */

import { make } from "./dom.js";
import { resolve, within } from "./request.js";

let loading;

/** Returns the module with the extras, from beside the address that forms are sent to. */
export function loadExtras(url = import.meta.url) {
  // Beside this script, where forms are sent to another server that passes them on.
  loading ??= within(10_000, load(url).catch(() => load(import.meta.url)));
  // The next one tries again.
  loading.catch(() => (loading = undefined));
  return loading;
}

async function load(beside) {
  const { document } = globalThis;
  const src = new URL(EXTRAS_FILE, resolve(beside)).href;
  if (document) {
    // `import` takes no digest. The element does, and the import gets the module that it checked.
    const nonce = document.querySelector("script[nonce]")?.nonce ?? "";
    await new Promise((onload, onerror) => {
      const members = { type: "module", src, nonce, integrity: EXTRAS_INTEGRITY, crossOrigin: "", onload, onerror };
      document.head.append(make("script", members));
    });
  }
  return import(src);
}
