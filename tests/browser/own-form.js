// What the tests of a form of one's own share: another site, the demo, and a service that accepts the site's forms.

import { after } from "node:test";

import { startDemo } from "./demo.js";
import { Service, browser, site } from "./support.js";

export const files = {};
export const shop = await site(files);
export const chromium = await browser();
export const demo = await startDemo();
after(() => demo.stop());
export const service = await Service.start({
  "http.allowed_origins": shop,
  "page.login_url": "https://www.example.com/login",
});
/** The lines that the demo printed, for the service of this file. */
export const lines = demo.lines.replaceAll(demo.url, service.url);
export const script = `<script type="module" src="${service.url}/signup.js"></script>`;
export const head = '<!doctype html><html lang="en"><meta name="color-scheme" content="light dark"><title>Join</title>';
let count = 0;
/** Serves a page on the other site, and returns its address. */
export const publish = (body) => {
  const path = `/${++count}`;
  files[path] = `${head}<main>${body}</main>`;
  return shop + path;
};
export const fields = `<label>Email <input name="email" inputmode="email"></label>
  <label>Password <input name="password" type="password"></label>`;
export const unstyled = (extra = "") =>
  `<form action="${service.url}/signup" method="post" data-signup>${fields}${extra}<button>Join</button></form>`;

export const own = "form > button:last-of-type";
export const newEmail = () => `own.${++count}@example.com`;
/** Counts the posts of a page. */
export const posts = (page) => {
  const seen = [];
  page.on("request", (request) => request.method() === "POST" && seen.push(request.url()));
  return seen;
};
