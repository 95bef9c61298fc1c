// Uses of the package's types in a page and on a server, by the strictest options of `tsc --init`. Checked, not run.

import { createSignup, enhance, newKey, signUp, type Result } from "auth0-signup";
import type { Policy } from "auth0-signup";
import type { SignupElement } from "auth0-signup/element";
import { SignupForm } from "auth0-signup/react";
import "auth0-signup/signup.css";

interface Plan {
  plan: string;
  seats?: number;
}
interface Person {
  email: string;
  password: string;
  nickname?: string | null;
  user_metadata: Plan;
}

export const join = (person: Person): Promise<Result> => signUp("https://x.example/signup", person);

export async function program(person: Person): Promise<string | undefined> {
  const signup = createSignup({ url: "https://x.example/signup", token: "secret" });
  const key = newKey();
  const result = await signup.signUp(person, { clientAddress: "203.0.113.1", key });
  switch (result.status) {
    case "created":
      return result.user.user_id;
    case "taken":
      return result.field;
    case "invalid":
      return result.errors[0]?.code;
    default:
      return key;
  }
}

/** What may be undefined, as the documentation passes it. */
export function optional(token: string | undefined, policy: Policy | undefined): void {
  const signup = createSignup({ url: "https://x.example/signup", token });
  void signup.signUp({ email: "", password: "" }, { clientAddress: token, lang: token });
  SignupForm({ url: "https://x.example/signup", policy, success: token, fallback: null, onDone: undefined });
}

document.addEventListener("signup:result", ({ detail }) => detail.status);
window.addEventListener("signup:created", ({ detail }) => detail.user.user_id);
const form = document.forms[0];
if (form) enhance(form).form.addEventListener("signup:done", ({ detail }) => detail.email.length);

const element: SignupElement = document.createElement("auth0-signup");
element.addEventListener("signup:offline", ({ detail }) => detail.retryAfter);

// @ts-expect-error a symbol cannot be a field value
signUp("https://x.example/signup", { email: Symbol("x") });
