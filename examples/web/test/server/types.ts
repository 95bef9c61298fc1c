// Uses of the package's types in a backend, without those of the DOM. Checked, not run.

import { createSignup, fieldsOf, type Policy, type Result } from "auth0-signup";

const signup = createSignup({ url: "https://x.example/signup", token: process.env.SIGNUP_TOKEN });

export const join = (email: string, password: string): Promise<Result> => signup.signUp({ email, password });
export const forward = (request: Request): Promise<Response> => signup.forward(request);
export const names = (policy: Policy): string[] => fieldsOf(policy).map(({ name }) => name);
