import { auth0 } from "../lib/auth0";
import { signup } from "../lib/signup";
import { JoinForm } from "./signup-form";

/** Rendered on the server, so the form is there without JavaScript too. */
export default async function Page() {
  const session = await auth0.getSession();
  if (session) return <h1>Hello, {session.user.name}</h1>;
  const lang = "en";
  const policy = await signup.policy({ lang });
  return policy ? <JoinForm policy={policy} lang={lang} /> : <a href="/signup">Create an account</a>;
}
