import { Auth0Client } from "@auth0/nextjs-auth0/server";

// AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET, AUTH0_SECRET and APP_BASE_URL are in the environment.
export const auth0 = new Auth0Client({
  // For the emulator, which has no TLS.
  allowInsecureRequests: process.env.AUTH0_DOMAIN?.startsWith("http://"),
});
