// What a developer reads on the console.

let explainedAt;

/** Explains to the developer why the service rejects this page, once a minute. */
export function explainOrigin(url) {
  if (explainedAt > Date.now() - 60_000) return;
  explainedAt = Date.now();
  // The one that was sent: that of a file is "null", although `location` has another.
  const { origin } = globalThis;
  const advice = origin === "null"
    ? "A file and a sandboxed frame have no origin: open the page from a web server."
    : `Is ${origin} in http.allowed_origins?`;
  console.error(`auth0-signup at ${url} rejects this page. ${advice}`);
}
