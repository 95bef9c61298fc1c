// The login after a sign-up, with Auth0's own SDK. The password was never in this application's reach.

import { createAuth0Client, type User } from "@auth0/auth0-spa-js";

import { AUTH0 } from "./settings";

const redirect_uri = location.origin + location.pathname;
const client = createAuth0Client({ ...AUTH0, authorizationParams: { redirect_uri } });

/** Opens the login page with the address filled in. */
export async function logIn(login_hint?: string) {
  await (await client).loginWithRedirect({ authorizationParams: { login_hint } });
}

/** Returns the user who is logged in. Finishes a login that returns to this page. */
export async function currentUser(): Promise<User | undefined> {
  const auth0 = await client;
  if (new URLSearchParams(location.search).has("code")) {
    await auth0.handleRedirectCallback();
    history.replaceState({}, "", location.pathname);
  }
  return auth0.getUser();
}
