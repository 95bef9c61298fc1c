// One sign-up, with or without a form.

import { loadExtras } from "./load-extras.js";
import { call, sleep } from "./request.js";

/** Delays before a request is sent again automatically, as the same sign-up. */
const RETRIES_MS = [1000, 3000];
/** Longest Retry-After that is waited for automatically. */
const MAX_WAIT_S = 5;

/** Returns a new idempotency key. */
export function newKey() {
  const random = crypto.getRandomValues(new Uint8Array(32));
  return Array.from(random, (byte) => (byte % 16).toString(16)).join("");
}

/** Status of a result, by the code of its problem. */
const STATUSES = {
  invalid_fields: "invalid",
  challenge_required: "challenge",
  challenge_failed: "challenge",
  challenge_unavailable: "later",
  upstream_unavailable: "later",
  unavailable: "later",
  upstream_busy: "later",
  rate_limited: "later",
  idempotency_in_progress: "later",
  outcome_unknown: "unknown",
};

/** Turns a response into a result, or the lack of one. */
function toResult({ response, body }) {
  if (!response) return { status: "offline" };
  const { status: httpStatus, headers } = response;
  const retryAfter = Number(body?.retry_after ?? headers.get("Retry-After")) || undefined;
  if (httpStatus === 201 && body?.user) {
    const replayed = headers.get("Idempotency-Replayed") === "true";
    return { status: "created", user: body.user, replayed };
  }
  if (httpStatus === 202 && body?.status) return { status: "accepted" };
  // A truncated response, or one from another server.
  if (typeof body?.code !== "string") return { status: "offline", httpStatus, retryAfter };
  const details = { problem: body, httpStatus, retryAfter };
  const field = /^(email|username)_taken$/.exec(body.code)?.[1];
  if (field) return { status: "taken", field, ...details };
  if (body.code === "invalid_fields") details.errors = body.errors ?? [];
  return { status: STATUSES[body.code] ?? "failed", ...details };
}

/** Flattens an object into form fields, such as `user_metadata.plan`. Leaves null out. */
function fields(data, prefix = "") {
  return Object.entries(data).flatMap(([name, value]) => {
    if (value === undefined || value === null) return [];
    const isNested = typeof value === "object" && !(value instanceof Date);
    return isNested ? fields(value, `${prefix}${name}.`) : [[prefix + name, value]];
  });
}

/**
 * Signs a user up with one post. Retries where that is safe and may help, and solves a proof of work if one is
 * required. Without a key the service goes by the address and the password. Rejects only when aborted.
 */
export async function signUp(url, data, options = {}) {
  const { key, lang, signal, headers, retry = true, solves = true, onChallenge, onRetry } = options;
  // A file is sent as its name, so that the service can reject it. An empty file input is left out.
  const body = new URLSearchParams();
  for (const [name, value] of data[Symbol.iterator] ? data : fields(data)) {
    if (value?.name !== "") body.append(name, value?.name ?? value);
  }
  // An urlencoded form with the key inside needs no preflight.
  if (key) body.set("idempotency_key", key);
  const hasCaptcha = [...body].some(([name, value]) => value && name.endsWith("-response"));
  const pauses = [...RETRIES_MS];
  let proven = false;
  for (;;) {
    let result = toResult(await call(url, { method: "POST", body, lang, signal, headers }));
    signal?.throwIfAborted();
    // A rate limit with a challenge admits requests that carry its proof.
    if (solves && (result.status === "challenge" || result.problem?.challenge) && !proven) {
      proven = true;
      onChallenge?.();
      const issued = await call(url, { below: "/challenge", lang, signal });
      const { parameters, site_key } = issued.body ?? {};
      const extras = parameters && (await loadExtras(url).catch(() => undefined));
      // Fails where the browser cannot compute.
      const proof = await extras?.solve(issued.body, signal).catch(() => undefined);
      signal?.throwIfAborted();
      if (proof) {
        body.set("altcha", proof);
        continue;
      }
      if (extras || site_key) return result;
      // What is missing may come later: it is no captcha that the user could solve.
      result = toResult(issued);
    }
    const { status, retryAfter } = result;
    // Any response uses a captcha token up, and only the user can get another.
    const mayHelp = ["offline", "unknown"].includes(status) || (status === "later" && !hasCaptcha);
    const pause = pauses.shift();
    if (!retry || !mayHelp || !pause || retryAfter > MAX_WAIT_S) return result;
    onRetry?.();
    await sleep(retryAfter * 1000 || pause, signal);
    // A proof of work can be used once.
    body.delete("altcha");
    proven = false;
  }
}
