import { createSignup } from "auth0-signup";

/** The service, by the address that only servers use, and the token of `http.server_clients`. */
export const signup = createSignup({
  url: process.env.SIGNUP_URL ?? "http://127.0.0.1:8080/signup",
  token: process.env.SIGNUP_TOKEN,
});
