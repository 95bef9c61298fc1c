// One sign-up, with or without a form.

import { loadExtras } from "./load-extras.js";
import { call, getBelow, sleep } from "./request.js";

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
  outcome_unknown: "unknown",
  rate_limited: "later",
  upstream_busy: "later",
  unavailable: "later",
  challenge_unavailable: "later",
  upstream_unavailable: "later",
  idempotency_in_progress: "later",
};

/** Turns a response into a result. */
function toResult({ response, body }) {
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
    let result;
    try {
      result = toResult(await call(url, { method: "POST", body, lang, signal, headers }));
    } catch {
      signal?.throwIfAborted();
      result = { status: "offline" };
    }
    const { status, problem, retryAfter } = result;
    // A rate limit with a challenge admits requests that carry its proof.
    if (solves && (status === "challenge" || problem?.challenge) && !proven) {
      proven = true;
      onChallenge?.();
      const challenge = await getBelow(url, "/challenge", { signal });
      // Fails with another challenge, and where the browser cannot compute.
      const proof = await loadExtras(url).then(({ solve }) => solve(challenge, signal)).catch(() => undefined);
      signal?.throwIfAborted();
      if (!proof) return result;
      body.set("altcha", proof);
      continue;
    }
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
