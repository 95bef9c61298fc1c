// Everything that a program can import. Importing it changes nothing on the page.

export { enhance } from "./form.js";
export { checkPassword } from "./password.js";
export { solve } from "./proof.js";
export { getPolicy } from "./request.js";
export { newKey, signUp } from "./sign-up.js";
export { suggestEmail } from "./suggest.js";
