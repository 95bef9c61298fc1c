// Loads the extras from beside the script that the service serves: the file whose name and digest were
// known when that script was built.

/* global EXTRAS_FILE, EXTRAS_INTEGRITY */

let loading;

/** Returns the module with the extras. */
export const loadExtras = () => (loading ??= load());

async function load() {
  const { url: here } = import.meta;
  const src = new URL(EXTRAS_FILE, here).href;
  const { document } = globalThis;
  if (document) {
    // `import` takes no digest. The element does, and the import gets the module that it checked.
    await new Promise((onload, onerror) => {
      const members = { type: "module", src, integrity: EXTRAS_INTEGRITY, crossOrigin: "", onload, onerror };
      document.head.append(Object.assign(document.createElement("script"), members));
    });
  }
  return import(src);
}
