// Enhances any sign-up form, which also works without it:
//
//   <form action="https://signup.example.com/signup" method="post" data-signup> … </form>
//   <script type="module" src="https://signup.example.com/signup.js"></script>
//

import { enhance } from "./core.js";

export * from "./core.js";

// Enhances the forms of the page, except `data-signup="manual"`, which wait for `enhance`.
const ready = 'form[data-signup]:not([data-signup="manual"])';
for (const form of globalThis.document?.querySelectorAll(ready) ?? []) {
  try {
    enhance(form);
  } catch (error) {
    reportError(error);
  }
}
