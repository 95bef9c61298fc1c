// The npm package. Importing it changes nothing on the page.

export { createSignup } from "./client.js";
export * from "./core.js";
export { fieldsOf } from "./fields.js";
