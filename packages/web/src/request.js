// Requests to the service.

/** Timeout of a response. The service itself times out sooner. */
const TIMEOUT_MS = 20_000;

/** Resolves after a delay, or when aborted. */
export const sleep = (ms, signal) =>
  new Promise((resolve) => {
    signal?.addEventListener("abort", resolve);
    setTimeout(resolve, signal?.aborted ? 0 : ms);
  });

/** Settles as a promise does that is not the module's own, but rejects when it takes too long. */
export const within = (ms, promise) => {
  let timer;
  const late = new Promise((resolve, reject) => (timer = setTimeout(reject, ms)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

/** Resolves an address on the page. `fetch` rejects the user name and password that a page may have been opened with. */
export const resolve = (url) =>
  Object.assign(new URL(url, globalThis.document?.baseURI), { username: "", password: "" });

/**
 * Fetches JSON from this URL or a path below it, in these languages or that of the page, with more headers from a server.
 * `body` is undefined if it is not JSON. Resolves with neither response nor body on failure, and when aborted.
 */
export async function call(url, { below, lang, signal, as = "json", headers: more, ...init }) {
  const tags = lang || globalThis.document?.documentElement.lang || "";
  // Other characters, or more than 128 bytes, would need a preflight.
  const languages = tags.replace(/_/g, "-").match(/[a-z0-9-]+/gi)?.join(",").slice(0, 120);
  const headers = {
    Accept: "application/json", ...(languages && { "Accept-Language": languages }), ...more,
  };
  const controller = new AbortController();
  const own = { signal: controller.signal };
  // Next.js renders a page of a server once, when it is built, unless it fetches what is not to be kept.
  const cache = globalThis.document ? "default" : "no-store";
  const abort = () => controller.abort();
  signal?.addEventListener("abort", abort, own);
  const exchange = async () => {
    signal?.throwIfAborted();
    const target = resolve(url);
    if (below) {
      target.pathname = target.pathname.replace(/\/$/, "") + below;
      target.search = "";
    }
    // With the default of `credentials`: a gate of the site may ask for its cookie or its password. Other origins get neither.
    const response = await fetch(target, { cache, ...init, headers, ...own });
    const body = await response[as]().catch(() => undefined);
    signal?.throwIfAborted();
    return { response, body };
  };
  // Ends the request that takes too long, and the listener.
  return within(TIMEOUT_MS, exchange()).catch(() => ({})).finally(abort);
}

/** Gets JSON from a path below this URL. Returns undefined on failure. */
export async function getBelow(url, below, options) {
  const { response, body } = await call(url, { ...options, below });
  return response?.ok ? body : undefined;
}

/** Gets the policy for forms sent to this URL. Returns undefined on failure. */
export const getPolicy = (url, options) => getBelow(url, "/policy", options);

/**
 * Gets the policy, if need be again after ever longer pauses, and when the browser is online again. Returns undefined
 * when aborted.
 */
export async function awaitPolicy(url, options) {
  const { signal } = options;
  for (let pause = 2000; !signal.aborted; pause = Math.min(pause * 2, 30_000)) {
    const policy = await getPolicy(url, options);
    if (policy) return policy;
    const online = new Promise((resolve) => addEventListener("online", resolve, { signal, once: true }));
    await Promise.race([online, sleep(pause, signal)]);
  }
}
