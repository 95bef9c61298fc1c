// What a developer reads on the console.

let explainedAt;

/** Writes an explanation, once a minute. */
function explain(text) {
  if (explainedAt > Date.now() - 60_000) return;
  explainedAt = Date.now();
  console.error(text);
}

/** Explains to the developer why the service rejects this page. */
export function explainOrigin(url) {
  // The one that was sent: that of a file is "null", although `location` has another.
  const { origin } = globalThis;
  const advice = origin === "null"
    ? "A file and a sandboxed frame have no origin: open the page from a web server."
    : `Is ${origin} in http.allowed_origins?`;
  explain(`auth0-signup at ${url} rejects this page. ${advice}`);
}

/** Explains to the developer why this page solves no proof of work. */
export function explainInsecure(url) {
  const { origin } = globalThis;
  explain(`auth0-signup at ${url} requires a proof of work. Browsers compute it on https and on localhost, not on ${origin}.`);
}
