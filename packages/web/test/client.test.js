// createSignup against the service and an emulated tenant.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, test } from "node:test";

import { createSignup, newKey } from "../src/index.js";
import { ADA, Service } from "../../../tests/browser/service.js";

const TOKEN = "a-token-of-at-least-32-characters-0123456789";
const service = await Service.start({
  "http.server_clients": TOKEN,
  "limits.address.burst": 2,
  "user_metadata.keys.plan.values": "free,pro",
});
const url = `${service.url}/signup`;
const signup = createSignup({ url, token: TOKEN });
const visitor = { clientAddress: "203.0.113.1" };

/** Serves responses of its own before those of the service. Returns its URL and the requests it got. */
async function proxy(t, ...responses) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    requests.push({ at: Date.now(), key: new URLSearchParams(body).get("idempotency_key"), headers: request.headers });
    const own = responses.shift();
    if (own === "reset") return request.socket.destroy();
    if (own) return response.writeHead(own.status, own.headers).end(own.body);
    const { headers } = request;
    const passed = await fetch(service.url + request.url, {
      method: "POST", body, headers: { "content-type": headers["content-type"], authorization: headers.authorization },
    });
    response.writeHead(passed.status, { "content-type": passed.headers.get("content-type") });
    response.end(await passed.text());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}/signup`, requests };
}

test("a user is created, with every attribute in one call", async () => {
  const user_metadata = { plan: "pro" };
  const result = await signup.signUp({ ...ADA, nickname: null, user_metadata }, visitor);
  assert.equal(result.status, "created");
  assert.equal(result.user.name, "Ada Lovelace");
  const [create, ...more] = await service.creates(ADA.email);
  assert.deepEqual([more, create.user_metadata], [[], user_metadata]);
});

test("the same key again is the same sign-up, and so is the same data without one", async () => {
  const data = { ...ADA, email: "twice@example.com" };
  const options = { clientAddress: "203.0.113.2", key: newKey() };
  const first = await signup.signUp(data, options);
  const again = await signup.signUp(data, options);
  assert.deepEqual([first.replayed, again.status, again.replayed], [false, "created", true]);
  const click = { ...ADA, email: "clicks@example.com" };
  const clicks = await Promise.all([1, 2].map(() => signup.signUp(click, { clientAddress: "203.0.113.5" })));
  assert.deepEqual(clicks.map(({ status }) => status), ["created", "created"]);
  for (const { email } of [data, click]) assert.equal((await service.creates(email)).length, 1);
});

test("a form's own key is sent", async (t) => {
  const { url, requests } = await proxy(t);
  const data = new FormData();
  const values = { ...ADA, email: "own.key@example.com", idempotency_key: "0123456789abcdef-form" };
  for (const [name, value] of Object.entries(values)) data.append(name, value);
  const result = await createSignup({ url, token: TOKEN }).signUp(data);
  assert.deepEqual([result.status, requests[0].key], ["created", "0123456789abcdef-form"]);
});

test("a taken address and field errors are typed results", async () => {
  const address = { clientAddress: "203.0.113.3" };
  const taken = await signup.signUp({ ...ADA, password: "Analytical-Engine-1837" }, address);
  assert.deepEqual([taken.status, taken.field, taken.httpStatus], ["taken", "email", 409]);
  const invalid = await signup.signUp({ email: "nope", password: "abc" }, { ...address, lang: "de" });
  assert.equal(invalid.status, "invalid");
  assert.deepEqual(invalid.errors.map(({ field }) => field).sort(), ["email", "password", "password"]);
  assert.match(invalid.errors.find(({ field }) => field === "email").message, /Bitte so eingeben/);
});

test("limits count the visitors and not the server", async () => {
  const attempt = (nth, clientAddress) =>
    signup.signUp({ ...ADA, email: `limit${nth}@example.com` }, { clientAddress, retry: false });
  const statuses = [];
  for (const nth of [1, 2, 3]) statuses.push((await attempt(nth, "203.0.113.50")).status);
  assert.deepEqual(statuses.slice(0, 2), ["created", "created"]);
  assert.notEqual(statuses[2], "created");
  assert.equal((await attempt(4, "203.0.113.51")).status, "created");
});

test("a lost response and a Retry-After are retried as the same sign-up", async (t) => {
  const problem = { code: "upstream_busy", retry_after: 1 };
  const busy = {
    status: 503, body: JSON.stringify(problem),
    headers: { "content-type": "application/problem+json", "retry-after": "1" },
  };
  const { url, requests } = await proxy(t, "reset", busy);
  const client = createSignup({ url, token: TOKEN });
  const result = await client.signUp({ ...ADA, email: "retried@example.com" });
  assert.equal(result.status, "created");
  assert.equal(requests.length, 3);
  assert.ok(requests[2].at - requests[1].at >= 1000, "waits for Retry-After");
  assert.equal((await service.creates("retried@example.com")).length, 1);
});

test("a longer Retry-After is left to the caller", async (t) => {
  const body = JSON.stringify({ code: "upstream_busy", retry_after: 60 });
  const { url, requests } = await proxy(t, { status: 503, body, headers: { "retry-after": "60" } });
  const result = await createSignup({ url }).signUp(ADA);
  assert.deepEqual([result.status, result.retryAfter, requests.length], ["later", 60, 1]);
});

test("a server solves no challenge for its visitors, a program its own", async () => {
  const strict = await Service.start({
    "http.server_clients": TOKEN, "challenge.required": "always", "auth0_compat.enabled": false,
    "challenge.work.cost": 1000,
  });
  const at = { url: `${strict.url}/signup` };
  const server = await createSignup({ ...at, token: TOKEN }).signUp(ADA, visitor);
  assert.equal(server.status, "challenge");
  assert.deepEqual(await strict.creates(ADA.email), []);
  assert.equal((await createSignup(at).signUp(ADA)).status, "created");
});

test("React's part may be imported by a component of the server", async () => {
  const source = await readFile(new URL("../src/react.js", import.meta.url), "utf8");
  assert.ok(source.startsWith('"use client";\n'));
});

test("mistakes with the token are errors at once", async () => {
  await assert.rejects(createSignup({ url }).signUp(ADA, visitor), /needs a token/);
  globalThis.document = {};
  after(() => delete globalThis.document);
  assert.throws(() => createSignup({ url, token: TOKEN }), /not for pages/);
  delete globalThis.document;
});

test("an aborted sign-up rejects", async () => {
  await assert.rejects(signup.signUp(ADA, { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("an option that is undefined is that of the client", async (t) => {
  const { url: busy, requests } = await proxy(t, ...Array(4).fill({ status: 503 }));
  const client = createSignup({ url: busy, retry: false, lang: "de" });
  await client.signUp(ADA, { retry: undefined, lang: undefined });
  assert.deepEqual(requests.map(({ headers }) => headers["accept-language"]), ["de"]);
});

test("the policy is in the language of the client", async () => {
  const policy = await createSignup({ url, lang: "de" }).policy();
  assert.equal(policy.fields.email.label, "E-Mail-Adresse");
});

test("a server never takes a policy that was kept, which a page would be built from for good", async (t) => {
  const { url, requests } = await proxy(t, { status: 200, body: "{}" });
  await createSignup({ url }).policy();
  // How `fetch` sends `cache: "no-store"`, by which Next.js draws the page for each visitor.
  assert.equal(requests[0].headers["cache-control"], "no-cache");
});

const forward = (path, init) =>
  signup.forward(new Request(`https://app.example.com${path}`, init), { clientAddress: "203.0.113.9" });
const form = (values) => ({ method: "POST", body: new URLSearchParams(values) });

test("forward passes a sign-up and its problem on as they are", async () => {
  const email = "forwarded@example.com";
  const created = await forward("/signup", form({ ...ADA, email }));
  assert.equal(created.status, 201);
  assert.equal((await created.json()).user.email, email);
  const rejected = await forward("/signup", {
    ...form({ email: "nope" }), headers: { "accept-language": "fr", accept: "application/json" },
  });
  assert.equal(rejected.status, 422);
  assert.equal(rejected.headers.get("content-type"), "application/problem+json");
  assert.equal(rejected.headers.get("content-language"), "fr");
  assert.ok(rejected.headers.get("x-request-id"));
  const { code, errors } = await rejected.json();
  assert.deepEqual([code, errors.length], ["invalid_fields", 2]);
});

test("forward passes pages and redirects on to a browser without JavaScript", async () => {
  const headers = { accept: "text/html" };
  const page = await forward("/signup", { headers });
  assert.match(await page.text(), /<form action="\/signup\?sent"/);
  const done = await forward("/signup", { ...form({ ...ADA, email: "page@example.com" }), headers });
  assert.equal(done.status, 303);
  assert.match(done.headers.get("location"), /^\/signup\/success\?for=/);
});

test("forward reaches what is below the sign-up, and nothing else", async () => {
  const policy = await forward("/signup/policy");
  const { headers } = policy;
  assert.ok((await policy.json()).fields.email);
  const cached = await forward("/signup/policy", { headers: { "if-none-match": headers.get("etag") } });
  assert.equal(cached.status, 304);
  assert.ok((await (await forward("/signup/challenge")).json()).required !== undefined);
  for (const path of ["/signup/../metrics", "/signup/%2e%2e/metrics", "/livez"]) {
    assert.match((await forward(path)).headers.get("content-type"), /html/, `${path} is the form`);
  }
  assert.equal((await forward("/signup", { method: "DELETE" })).status, 405);
});

test("forward takes paths with a slash at their end, and no others below its own", async () => {
  assert.ok((await (await forward("/signup/policy/")).json()).fields.email);
  assert.ok((await (await forward("/signup/challenge/")).json()).required !== undefined);
  const html = { headers: { accept: "text/html" } };
  const post = new Request("https://app.example.com/signup/", { ...form({ ...ADA, email: "slashed@example.com" }), ...html });
  const { headers } = await signup.forward(post, { clientAddress: "203.0.113.11" });
  const done = await forward(headers.get("location").replace("?", "/?"), html);
  assert.match(await done.text(), /Welcome, Ada/);
  for (const path of ["/signup/unknown", "/signup/policy/more", "/app/signup/unknown/"]) {
    assert.equal((await forward(path)).status, 404, path);
  }
});

test("forward lets no visitor choose the request's id", async () => {
  const chosen = "chosen-by-visitor-0001";
  const response = await forward("/signup/policy", { headers: { "x-request-id": chosen } });
  assert.match(response.headers.get("x-request-id"), /^[\w.-]{8,64}$/);
  assert.notEqual(response.headers.get("x-request-id"), chosen);
});

test("forward reaches the files of the built-in page, also below its own path", async () => {
  const { assets } = await (await forward("/signup/policy")).json();
  for (const path of ["/signup.js", "/signup/signup.js", assets.extras.path, `/signup${assets.extras.path}`]) {
    const file = await forward(path);
    assert.deepEqual([file.status, file.headers.get("content-type")], [200, "text/javascript; charset=utf-8"], path);
  }
});

test("a slash at the end of the URL changes nothing", async () => {
  const slashed = createSignup({ url: `${url}/`, token: TOKEN });
  assert.equal((await slashed.signUp({ ...ADA, email: "slash@example.com" }, { clientAddress: "203.0.113.10" })).status, "created");
  const response = await slashed.forward(new Request("https://app.example.com/signup/policy"));
  assert.ok((await response.json()).fields.email);
});

test("forward lets the service reject a body that is too large", async () => {
  const large = await forward("/signup", { ...form({ ...ADA, name: "x".repeat(200_000) }) });
  assert.deepEqual([large.status, (await large.json()).code], [413, "body_too_large"]);
});

test("forward leaves the judgement of the origin to the service", async () => {
  const headers = { origin: "https://evil.example", "sec-fetch-site": "cross-site", accept: "application/json" };
  const rejected = await forward("/signup", { ...form({ ...ADA, email: "evil@example.com" }), headers });
  assert.equal((await rejected.json()).code, "origin_not_allowed");
  assert.deepEqual(await service.creates("evil@example.com"), []);
});

test("forward reports a service that cannot be reached without a body", async () => {
  const gone = createSignup({ url: "http://127.0.0.1:9/signup", token: TOKEN });
  const response = await gone.forward(new Request("https://app.example.com/signup", form(ADA)));
  assert.deepEqual([response.status, await response.text()], [502, ""]);
});
