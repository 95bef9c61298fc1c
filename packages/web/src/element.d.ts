import type { Policy, Result } from "./signup.js";

/** `<auth0-signup>`: a form that is drawn from the policy of the service. */
export class SignupElement extends HTMLElement {
  /** The policy that the form is drawn from. Set it to save the request. */
  policy: Policy | undefined;
  /** Sends the form, as its button does. */
  submit(): Promise<Result | undefined> | undefined;
}

/** Its attributes. */
export interface SignupAttributes {
  /** The service's sign-up: `https://signup.example.com/signup`. */
  url: string;
  /** Language of labels and messages; by default that of the elements around it. */
  lang?: string | undefined;
  /** Address to open after a sign-up, with `{login_hint}` for the person's address. */
  success?: string | undefined;
}

declare global {
  interface HTMLElementTagNameMap {
    "auth0-signup": SignupElement;
  }
}
