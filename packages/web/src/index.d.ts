export * from "./client.js";
export * from "./fields.js";
export * from "./signup.js";
