// Enhances any sign-up form, which also works without it:
//
//   <form action="https://signup.example.com/signup" method="post" data-signup> … </form>
//   <script type="module" src="https://signup.example.com/signup.js"></script>
//
// No dependencies and no cookies. docs/page.md describes its use, signup.d.ts its types.

import { watch } from "./watch.js";

export * from "./core.js";

if (globalThis.document) watch();
