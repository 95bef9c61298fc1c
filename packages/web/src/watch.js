// Enhances the forms of the page, and those that appear later.

import { enhance } from "./core.js";

/** All but `data-signup="manual"`, which wait for `enhance`. */
const FORMS = 'form[data-signup]:not([data-signup="manual"])';

const watched = new Set();
/** Forms that had their turn: a page may end an enhancement, and a broken form is reported once. */
const seen = new WeakSet();

function scan() {
  for (const form of document.querySelectorAll(FORMS)) {
    if (seen.has(form)) continue;
    seen.add(form);
    try {
      watched.add(enhance(form));
    } catch (error) {
      reportError(error);
    }
  }
  for (const enhanced of watched) {
    const { form } = enhanced;
    // A form that was moved is on the page again by now.
    if (form.isConnected) continue;
    seen.delete(form);
    // A result still goes to its listeners.
    if (form.matches("[data-signup-busy]:not([data-signup-done])")) continue;
    watched.delete(enhanced);
    enhanced.destroy();
  }
}

/** Enhances the forms of this document from now on. */
export function watch() {
  scan();
  const observer = new MutationObserver(scan);
  observer.observe(document, { childList: true, subtree: true, attributeFilter: ["data-signup"] });
}
