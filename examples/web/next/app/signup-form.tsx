"use client";

import type { Policy } from "auth0-signup";
import { SignupForm } from "auth0-signup/react";

import "auth0-signup/signup.css";

export function JoinForm({ policy, lang }: { policy: Policy; lang: string }) {
  const success = "/auth/login?login_hint={login_hint}";
  return (
    <SignupForm url="/signup" policy={policy} lang={lang} success={success}>
      <h1>Join Acme</h1>
    </SignupForm>
  );
}
