/** The service, as `auth0-signup demo` and the sample settings start it. */
export const SERVICE = "http://127.0.0.1:8080/signup";

/** The tenant, and the application that people log in to. Your domain needs no `http://`. */
export const AUTH0 = { domain: "http://127.0.0.1:4010", clientId: "demo-spa" };
