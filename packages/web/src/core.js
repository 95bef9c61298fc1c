// Everything that a program can import. Importing it changes nothing on the page.

import { loadExtras } from "./load-extras.js";

export { enhance } from "./form.js";
export { getPolicy } from "./request.js";
export { newKey, signUp } from "./sign-up.js";

/** Returns each rule that can be checked in the browser, and whether the password meets it. */
export const checkPassword = async (password, policy) => (await loadExtras()).checkPassword(password, policy);

/** Solves a challenge in the ALTCHA format. */
export const solve = async (challenge, signal) => (await loadExtras()).solve(challenge, signal);

/** Returns the address that was probably meant, if the domain looks like a typo. */
export const suggestEmail = async (email) => (await loadExtras()).suggestEmail(email);
