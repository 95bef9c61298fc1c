// The element in templates, for vue-tsc with strict templates, as in docs/front-ends.md.

import type { SignupDone } from "auth0-signup";
import type { SignupAttributes } from "auth0-signup/element";
import type { DefineComponent } from "vue";

declare module "vue" {
  interface GlobalComponents {
    "auth0-signup": DefineComponent<SignupAttributes & { "onSignup:done"?: (event: CustomEvent<SignupDone>) => void }>;
  }
  interface HTMLAttributes {
    slot?: string;
  }
}
