// What a developer reads on the console.

let explainedAt;

/** Explains to the developer why the service rejects this page, once a minute. */
export function explainOrigin(url) {
  if (explainedAt > Date.now() - 60_000) return;
  explainedAt = Date.now();
  const { origin } = globalThis.location ?? {};
  console.error(`auth0-signup at ${url} rejects this page. Is ${origin} in http.allowed_origins?`);
}
