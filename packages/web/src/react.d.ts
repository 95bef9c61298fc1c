import type { ComponentProps, DetailedHTMLProps, HTMLAttributes, ReactNode, RefCallback } from "react";

import type { SignupAttributes, SignupElement } from "./element.js";
import type { Policy, Result, SignupDone, Texts } from "./signup.js";

export interface SignupHookOptions {
  /** URL that the form is sent to; by default its `action`. */
  url?: string | undefined;
  /** Called with every result, before it is shown. */
  onResult?: ((result: Result) => void) | undefined;
  /** Called after a sign-up, before the form's message of it is shown or `success` opened. `event.preventDefault()` keeps both away. */
  onDone?: ((done: SignupDone, event: CustomEvent<SignupDone>) => void) | undefined;
  texts?: Partial<Texts> | undefined;
}

/** Enhances the form that gets `ref`, and again when its `data-signup-policy` changes. `result`: the last one. */
export function useSignup(options?: SignupHookOptions): {
  ref: RefCallback<HTMLFormElement>;
  result: Result | undefined;
};

/** Loads the policy of the service, if need be again after ever longer pauses; `undefined` until it is there. */
export function usePolicy(
  url: string,
  given?: Policy | undefined,
  lang?: string | undefined,
): Policy | undefined;

export interface SignupFormProps
  extends Omit<ComponentProps<"form">, "action" | "method" | "ref">, SignupHookOptions {
  /** The service's sign-up: `https://signup.example.com/signup`. */
  url: string;
  /** The policy that the form is drawn from. With it the form is rendered on servers, and works without JavaScript. */
  policy?: Policy | undefined;
  /** Language of labels and messages; by default that of the page. Give the one that `policy` was requested in. */
  lang?: string | undefined;
  /** Shown until the policy is there, and where it cannot be loaded; by default a link to `url`. */
  fallback?: ReactNode;
  /** Address to open after a sign-up, with `{login_hint}` for the person's address. */
  success?: string | undefined;
}

/** A sign-up form that is drawn from the policy of the service. Children stand at its top: a heading. */
export function SignupForm(props: SignupFormProps): ReactNode;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      /** The element of `auth0-signup/element`. */
      "auth0-signup": SignupAttributes & {
        policy?: Policy | undefined;
      } & DetailedHTMLProps<HTMLAttributes<SignupElement>, SignupElement>;
    }
  }
}
