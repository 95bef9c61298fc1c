// A client of the service for programs and servers. docs/front-ends.md describes its use.

import { getPolicy } from "./request.js";
import { signUp } from "./sign-up.js";

/** The paths below the service's `/signup` that `forward` passes on. */
const BELOW = /\/(policy|challenge|success|common-passwords\.txt)$/;
/** The files that the built-in page loads, beside the service's `/signup`. */
const FILES = /\/signup(-extras)?(-[0-9a-f]{16})?\.(js|css)(\.map)?$/;
/**
 * The request headers that `forward` passes on. With those of the origin the service judges the page. Not
 * `x-request-id`: the service believes it of a proxy, and visitors would choose their ids.
 */
const REQUEST_HEADERS = [
  ...["accept", "accept-language", "content-type", "idempotency-key", "if-none-match"],
  ...["origin", "sec-fetch-site", "referer"],
  ...["traceparent", "tracestate", "baggage"],
];
/** The response headers that belong to one connection, or to a body that `fetch` has decoded. */
const OWN_HEADERS = ["connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"];
/** Longer than the service itself takes. */
const TIMEOUT_MS = 25_000;

/** The bytes that the service accepts. */
const MAX_BODY = 64 * 1024;

/** Returns a path without slashes at its end, such as the one that Next.js adds with `trailingSlash`. */
function withoutSlash(path) {
  let end = path.length;
  // Not `replace(/\/+$/, "")`: the time of that grows with the square of the slashes that a visitor sends.
  while (path[end - 1] === "/") end -= 1;
  return path.slice(0, end);
}

/** Reads a body, but little more than the service accepts: it rejects what is too large. */
async function readBody({ body }) {
  const chunks = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BODY) break;
  }
  return new Blob(chunks);
}

/** Returns a client of the service at this URL. `options`: see client.d.ts. */
export function createSignup({ url, token, ...defaults }) {
  const service = new URL(url, globalThis.document?.baseURI);
  service.pathname = withoutSlash(service.pathname);
  if (token && globalThis.document) throw new TypeError("a token of http.server_clients is not for pages");

  /** The headers that name a visitor to the service. */
  const headersFor = (clientAddress) => {
    if (clientAddress && !token) throw new TypeError("clientAddress needs a token of http.server_clients");
    return {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(clientAddress && { "Signup-Client-Address": clientAddress }),
    };
  };

  return {
    async signUp(data, { clientAddress, lang = defaults.lang, retry = defaults.retry, ...options } = {}) {
      const headers = headersFor(clientAddress);
      // A server solves no challenge for its visitors: bots would have their work done.
      return signUp(service, data, { ...options, lang, retry, headers, solves: !token });
    },

    policy: ({ lang = defaults.lang, ...options } = {}) => getPolicy(service, { ...options, lang }),

    async forward(request, { clientAddress } = {}) {
      const { method, signal } = request;
      if (!["GET", "HEAD", "POST"].includes(method)) {
        return new Response(null, { status: 405, headers: { Allow: "GET, HEAD, POST" } });
      }
      const { pathname, search } = new URL(request.url);
      const path = withoutSlash(pathname);
      const file = FILES.exec(path)?.[0];
      const below = BELOW.exec(path)?.[0] ?? "";
      if (!file && !below && path.includes("/signup/")) return new Response(null, { status: 404 });
      const target = new URL(file ? `.${file}` : service, service);
      if (!file) target.pathname += below;
      target.search = search;
      const headers = new Headers(headersFor(clientAddress));
      for (const name of REQUEST_HEADERS) {
        const value = request.headers.get(name);
        if (value !== null) headers.set(name, value);
      }
      const init = { method, headers, redirect: "manual", cache: "no-store" };
      if (method === "POST") init.body = await readBody(request);
      init.signal = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      try {
        const response = await fetch(target, init);
        const passed = new Headers(response.headers);
        for (const name of OWN_HEADERS) passed.delete(name);
        const { status } = response;
        return new Response([204, 304].includes(status) ? null : response.body, { status, headers: passed });
      } catch {
        // Perhaps the service has the request: the page sends it again as the same sign-up.
        return new Response(null, { status: 502, headers: { "Cache-Control": "no-store" } });
      }
    },
  };
}
