// /signup.js when things go wrong: lost and foreign responses, used proofs, pages with several forms, and
// forms that come and go.

import assert from "node:assert/strict";
import { test } from "node:test";

import { startProxy } from "./proxy.js";
import { ADA, Service, axeViolations, browser, done, fill, holdPosts, holdProofs, open, ready, send, site } from "./support.js";

const files = {};
const shop = await site(files);
const chromium = await browser();
const service = await Service.start({
  "http.allowed_origins": shop,
  "challenge.work.cost": 1000,
});
const form = `${service.url}/signup`;
const script = `<script type="module" src="${service.url}/signup.js"></script>`;
const plain = (inside = "") => `<form action="${form}" method="post" data-signup>
  <label>Email <input name="email" inputmode="email"></label>
  <label>Password <input name="password" type="password"></label>
  ${inside}<button>Join</button></form>`;
const publish = (path, body) => {
  files[path] = `<!doctype html><html lang="en"><title>Join</title>
<main><h1>Join</h1>${body}</main>${script}`;
  return shop + path;
};

/** Responds to the next posts of the page with `responses`, then as the service does. */
const intercept = async (page, ...responses) => {
  const posts = [];
  await page.route(/\/signup(\?sent)?$/, async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    posts.push(new URLSearchParams(route.request().postData()));
    const next = responses.shift();
    return next ? next(route) : route.fallback();
  });
  return posts;
};
const respond = (status, body, type = "text/html") => (route) =>
  route.fulfill({ status, body, contentType: type, headers: { "Access-Control-Allow-Origin": "*" } });

/** Lets the service respond to a post, and loses the response. */
const lose = async (route) => {
  await route.fetch();
  await route.abort("connectionreset");
};

const CHALLENGED = JSON.stringify({ code: "challenge_required", heading: "Once more", advice: "x", challenge: "/signup/challenge" });

for (const [name, broken] of [
  ["a page of a proxy", respond(502, "<h1>Bad gateway</h1>")],
  ["nothing at all", respond(503, "")],
  ["a truncated success", respond(201, '{"status":"created","user":{"user_', "application/json")],
  ["a success without a user", respond(201, "null", "application/json")],
]) {
  test(`${name} is a lost response, and the same sign-up is sent again`, async (t) => {
    const page = await open(chromium, t, form);
    const posts = await intercept(page, broken);
    await fill(page, { ...ADA, email: `${name.replaceAll(" ", ".")}@example.com` });
    assert.equal((await send(page)).status, "created");
    assert.equal(posts.length, 2);
    assert.equal(posts[0].get("idempotency_key"), posts[1].get("idempotency_key"));
  });
}

/** Loses the response to the first post, and holds later ones until a reload. Resolves when the first is lost. */
const loseFirst = (page) =>
  new Promise((resolve) => {
    let count = 0;
    const reloaded = new Promise((reload) => page.once("load", reload));
    page.route(/\/signup$/, async (route) => {
      if (route.request().method() !== "POST") return route.fallback();
      if (count++) {
        await reloaded;
        // The reload cancelled what the page sent before it.
        return route.fallback().catch(() => {});
      }
      await lose(route);
      resolve();
    });
  });

test("after a lost response and a reload the same data is the same sign-up, and other data another", async (t) => {
  const address = publish("/reload", plain());
  for (const [nth, email, password, outcome] of [
    [1, " Reload.1@Example.com ", ADA.password, "created"],
    [2, "other.2@example.com", ADA.password, "created"],
    [3, "reload.3@example.com", "Analytical-Engine-1837", "taken"],
  ]) {
    const page = await open(chromium, t, address);
    await ready(page);
    const lost = loseFirst(page);
    const first = `reload.${nth}@example.com`;
    await fill(page, { email: first, password: ADA.password });
    await page.click("form button");
    await lost;
    const stored = () => page.evaluate(() => JSON.stringify({ ...sessionStorage }));
    assert.match(await stored(), /^\{"\w+":"[0-9a-f]{32}"\}$/, "nothing but a key");
    await page.reload();
    await ready(page);
    await fill(page, { email, password });
    const result = await send(page);
    assert.equal(result.status, outcome, email);
    if (outcome !== "created") continue;
    await done(page);
    assert.equal(await stored(), "{}");
    assert.equal((await service.creates(first)).length, 1);
  }
});

test("each form of a page has its own key over a reload, and takes no other value for one", async (t) => {
  const page = await open(chromium, t, publish("/keys", plain() + plain()));
  const loaded = () => page.waitForSelector("form:nth-of-type(2)[data-signup-ready]");
  const fillForm = async (nth, email) => {
    for (const [name, value] of Object.entries({ email, password: ADA.password })) {
      await page.fill(`form:nth-of-type(${nth}) [name=${name}]`, value);
    }
  };
  const sendForm = (nth) => send(page, `form:nth-of-type(${nth}) button:not([type=button])`);
  await loaded();
  const posts = await intercept(page, lose, lose, lose);
  await fillForm(1, "keys.1@example.com");
  assert.equal((await sendForm(1)).status, "offline");
  await fillForm(2, "keys.2@example.com");
  assert.equal((await sendForm(2)).status, "created");
  const keys = posts.map((post) => post.get("idempotency_key"));
  assert.deepEqual(keys, [keys[0], keys[0], keys[0], keys.at(-1)]);
  assert.notEqual(keys[0], keys.at(-1));
  await page.reload();
  await loaded();
  await fillForm(1, "keys.1@example.com");
  const { status, replayed } = await sendForm(1);
  assert.deepEqual([status, replayed], ["created", true]);
  assert.equal((await service.creates("keys.1@example.com")).length, 1);

  // A value of the page under the same name.
  await page.reload();
  await loaded();
  await page.evaluate(() => ["signupKey", "signupKey0"].forEach((name) => (sessionStorage[name] = "x")));
  await fillForm(1, "keys.3@example.com");
  assert.equal((await sendForm(1)).status, "created");
});

test("another spelling of the address is the same sign-up, also without the storage of the tab", async (t) => {
  const page = await open(chromium, t);
  await page.addInitScript(() =>
    Object.defineProperty(globalThis, "sessionStorage", { get: () => { throw new DOMException("", "SecurityError"); } }),
  );
  await page.goto(publish("/spelt", plain()));
  await ready(page);
  const posts = await intercept(page, lose, lose, lose);
  await fill(page, { email: "spelt@example.com", password: ADA.password });
  assert.equal((await send(page)).status, "offline");
  await fill(page, { email: "Spelt@Example.com " });
  assert.equal((await send(page)).status, "created");
  assert.equal(new Set(posts.map((post) => post.get("idempotency_key"))).size, 1);
});

test("when another server responds, the user reads what to do", async (t) => {
  const page = await open(chromium, t, form);
  const foreign = respond(403, "<h1>Forbidden</h1>");
  await intercept(page, foreign, foreign, foreign);
  await fill(page, { ...ADA, email: "foreign@example.com" });
  const { status, httpStatus } = await send(page);
  assert.deepEqual([status, httpStatus], ["offline", 403]);
  assert.match(await page.textContent("[role=alert]"), /couldn't connect.*try again/s);
});

test("a post without a response times out and is sent again, with a message meanwhile", async (t) => {
  const page = await open(chromium, t);
  await page.clock.install();
  await page.goto(form);
  const posts = await intercept(page, () => {});
  await fill(page, { ...ADA, email: "silent@example.com" });
  const result = page.nextResult();
  const posted = page.waitForRequest((request) => request.method() === "POST");
  await page.click("button[type=submit]");
  await posted;
  await page.clock.runFor(20_000);
  await page.locator(".signup-status", { hasText: /still trying/ }).waitFor();
  await page.clock.runFor(1_000);
  assert.equal((await result).status, "created");
  assert.equal(posts.length, 2);
});

test("a second file that does not arrive is requested again, and the sign-up sent again", async (t) => {
  const page = await open(chromium, t);
  await page.clock.install();
  let requests = 0;
  await page.route("**/signup-extras-*.js", (route) => ++requests > 1 && route.fallback());
  const posts = await intercept(page, respond(403, CHALLENGED, "application/problem+json"));
  await page.goto(form);
  await ready(page);
  await fill(page, { ...ADA, email: "no.second.file@example.com" });
  const [result, challenge] = [page.nextResult(), page.waitForResponse("**/signup/challenge")];
  await page.click("form button[type=submit]");
  await (await challenge).finished();
  assert.equal(await page.locator("form[data-signup-busy]").count(), 1);
  await page.clock.fastForward(10_000);
  await page.locator(".signup-status", { hasText: /still trying/ }).waitFor();
  await page.clock.runFor(1_000);
  assert.equal((await result).status, "created");
  assert.equal(posts.length, 2);
});

const problem = (code, more) => JSON.stringify({ code, heading: code, advice: "Wait.", request_id: "x", ...more });
for (const [name, lose, times, expected, sent] of [
  ["is lost twice", (route) => route.abort("internetdisconnected"), 2, "created", 4],
  ["never comes", (route) => route.abort("internetdisconnected"), 9, "offline", 3],
  ["is that of a proxy", respond(502, "<h1>Bad gateway</h1>"), 1, "created", 3],
  ["comes later", respond(429, problem("rate_limited", { retry_after: 1 }), "application/problem+json"), 1, "created", 3],
  ["comes much later", respond(429, problem("rate_limited", { retry_after: 60 }), "application/problem+json"), 1, "later", 1],
]) {
  test(`a challenge that ${name} is no captcha: the sign-up is ${expected}`, async (t) => {
    const always = await Service.start({ "challenge.required": "always", "challenge.work.cost": 1000 });
    const page = await open(chromium, t, `${always.url}/signup`);
    const posts = await intercept(page);
    let lost = 0;
    await page.route("**/signup/challenge", (route) => {
      // None is solved while the form is filled in.
      if (!posts.length) return route.fulfill({ json: { required: false } });
      return lost++ < times ? lose(route) : route.fallback();
    });
    await fill(page, { ...ADA, email: `${times}.${sent}@example.com` });
    const { status, retryAfter } = await send(page, "form button[type=submit]");
    assert.deepEqual([status, retryAfter], [expected, status === "later" ? 60 : undefined]);
    assert.equal(posts.length, sent);
    if (status === "created") return;
    await page.locator("[role=alert]:focus").waitFor();
    const alert = await page.innerText("[role=alert]");
    assert.match(alert, status === "later" ? /Try again in 60 seconds/ : /Check your internet connection/);
  });
}

test("a browser that cannot solve a proof says why on the console, and nothing of a captcha", async (t) => {
  const always = await Service.start({ "challenge.required": "always", "challenge.work.cost": 1000 });
  const page = await open(chromium, t);
  // As on an insecure origin.
  await page.addInitScript(() => Object.defineProperty(crypto, "subtle", { value: undefined }));
  await page.goto(`${always.url}/signup`);
  await fill(page, { ...ADA, email: "insecure@example.com" });
  assert.equal((await send(page, "form button[type=submit]")).status, "challenge");
  await page.locator("[role=alert]:focus").waitFor();
  assert.equal(await page.innerText("[role=alert]"), "One more step");
  const [text, ...more] = page.consoleErrors;
  assert.match(text, /requires a proof of work. Browsers compute it on https and on localhost, not on http:/);
  assert.deepEqual(more, []);
});

test("a sign-up that is sent again gets a new proof", async (t) => {
  const always = await Service.start({
    "challenge.required": "always",
    "challenge.work.cost": 1000,
    "auth0_compat.without_challenge": true,
  });
  const page = await open(chromium, t);
  const proofs = await holdProofs(page);
  await page.goto(`${always.url}/signup`);
  // The service has used the proof up before it sends this problem.
  const problem = { code: "upstream_busy", retry_after: 1, detail: "busy", request_id: "x" };
  const posts = await intercept(page, respond(503, JSON.stringify(problem), "application/problem+json"));
  await fill(page, { ...ADA, email: "proof.again@example.com" });
  await proofs.started();
  await proofs.release();
  const result = await send(page);
  assert.equal(result.status, "created", JSON.stringify(result));
  const sent = posts.map((post) => post.get("altcha")).filter(Boolean);
  assert.deepEqual([sent.length, new Set(sent).size], [2, 2]);
});

test("a wait for one address does not apply to another", async (t) => {
  const page = await open(chromium, t, form);
  const problem = { code: "rate_limited", retry_after: 3600, detail: "limited", request_id: "x" };
  const posts = await intercept(page, respond(429, JSON.stringify(problem), "application/problem+json"));
  await fill(page, { ...ADA, email: "typo@example.com" });
  assert.equal((await send(page)).status, "later");
  assert.match(await page.textContent("[role=alert]"), /Try again in 60 minutes\./);
  await page.click("button[type=submit]");
  assert.equal(posts.length, 1, "nothing is sent before the wait is over");
  await fill(page, { email: "no.typo@example.com" });
  assert.equal((await send(page)).status, "created");
});

test("a clock that is set back prolongs no wait", async (t) => {
  const page = await open(chromium, t);
  await page.clock.install();
  await page.goto(form);
  await ready(page);
  const problem = { code: "rate_limited", heading: "Too many attempts", advice: "x", retry_after: 30, request_id: "x" };
  await intercept(page, respond(429, JSON.stringify(problem), "application/problem+json"));
  await fill(page, { ...ADA, email: "clock@example.com" });
  assert.equal((await send(page, "form button[type=submit]")).status, "later");
  await page.clock.setSystemTime(Date.now() - 3 * 3_600_000);
  await page.click("form button[type=submit]");
  assert.match(await page.innerText("[role=alert]"), /Try again in (30|29|28) seconds/);
  await page.clock.runFor(30_000);
  assert.equal((await send(page, "form button[type=submit]")).status, "created");
});

test("errors of what was changed during a request are left out, and typing keeps its focus", async (t) => {
  const page = await open(chromium, t, form);
  const release = await holdPosts(page);
  await fill(page, { ...ADA, email: "nope", password: "short", given_name: "" });
  const result = send(page, "form button[type=submit]");
  await page.locator("form[data-signup-busy]").waitFor();
  await page.fill("#email", "corrected.meanwhile@example.com");
  await page.locator("#family_name").pressSequentially(" King");
  release();
  assert.equal((await result).errors.some(({ field }) => field === "email"), true);
  await page.locator("[role=alert]").waitFor();
  assert.equal(await page.getAttribute("#email", "aria-invalid"), null);
  assert.equal(await page.getAttribute("#password", "aria-invalid"), "true");
  assert.deepEqual(await page.locator("[role=alert] a").allTextContents(), ["Password"]);
  assert.ok(await page.locator("#family_name").evaluate((input) => input === document.activeElement));
  // With the next result the focus moves as ever.
  await page.locator("#family_name").press("Enter");
  await page.locator("[role=alert]:focus").waitFor();
  await page.fill("#password", ADA.password);
  assert.equal((await send(page, "form button[type=submit]")).status, "created");
});

for (const [name, status, problem] of [
  ["an invalid address", 422, { code: "invalid_fields", errors: [{ field: "email", code: "email.malformed", message: "x" }] }],
  ["a taken address", 409, { code: "email_taken" }],
]) {
  test(`${name} that was corrected during the request is no error any more`, async (t) => {
    const page = await open(chromium, t, form);
    const posts = await intercept(page, respond(status, JSON.stringify(problem), "application/problem+json"));
    const release = await holdPosts(page);
    await fill(page, { ...ADA, email: "before@example.com" });
    const result = send(page, "form button[type=submit]");
    await page.locator("form[data-signup-busy]").waitFor();
    const email = `${problem.code}@example.com`;
    await page.fill("#email", email);
    release();
    await result;
    await page.locator("form:not([data-signup-busy])").waitFor();
    assert.equal(await page.locator("[role=alert]:visible, [aria-invalid=true]").count(), 0);
    assert.equal((await send(page, "form button[type=submit]")).status, "created");
    assert.deepEqual(posts.map((post) => post.get("email")), ["before@example.com", email]);
  });
}

test("a wait for an address does not apply to one that was entered during the request", async (t) => {
  const page = await open(chromium, t, form);
  const problem = { code: "rate_limited", heading: "Too many attempts", advice: "x", retry_after: 3600, request_id: "x" };
  await intercept(page, respond(429, JSON.stringify(problem), "application/problem+json"));
  const release = await holdPosts(page);
  await fill(page, { ...ADA, email: "limited.before@example.com" });
  const result = send(page, "form button[type=submit]");
  await page.locator("form[data-signup-busy]").waitFor();
  await page.fill("#email", "not.limited@example.com");
  release();
  await result;
  await page.locator("[role=alert]").waitFor();
  assert.doesNotMatch(await page.innerText("[role=alert]"), /Try again in/);
  assert.equal((await send(page, "form button[type=submit]")).status, "created");
});

test("no address is suggested during a request", async (t) => {
  const page = await open(chromium, t, form);
  await page.clock.install();
  const release = await holdPosts(page);
  const suggestion = page.locator(".signup-suggestion button");
  await fill(page, { ...ADA, email: "ada@gmial.com" });
  await page.clock.runFor(400);
  await suggestion.waitFor();
  const result = send(page, "form button[type=submit]");
  await page.locator("form[data-signup-busy]").waitFor();
  assert.equal(await suggestion.count(), 0);
  await page.fill("#email", "ada@gmial.co");
  await page.fill("#email", "ada@gmial.com");
  await page.clock.runFor(400);
  assert.equal(await suggestion.count(), 0);
  release();
  assert.equal((await result).user.email, "ada@gmial.com");
});

test("the page's own checks come before the request", async (t) => {
  const own = `<label>18+ <input type="checkbox" name="adult" required data-signup-ignore></label>
    <label>Again <input name="again" data-signup-ignore></label>`;
  const page = await open(chromium, t, publish("/own", plain(own)));
  await ready(page);
  const posts = await intercept(page);
  await fill(page, { email: "own@example.com", password: ADA.password });
  await page.click("form button");
  assert.ok(await page.locator("[name=adult]").evaluate((input) => input === document.activeElement));
  await page.check("[name=adult]");
  await page.locator("[name=again]").evaluate((input) => input.setCustomValidity("differs"));
  await page.click("form button");
  assert.deepEqual(posts, []);
  await page.locator("[name=again]").evaluate((input) => input.setCustomValidity(""));
  assert.equal((await send(page)).status, "created");
});

test("two forms on a page keep their messages apart", async (t) => {
  const page = await open(chromium, t, publish("/two", plain() + plain()));
  await page.waitForSelector("form:nth-of-type(2)[data-signup-ready]");
  for (const nth of [1, 2]) await send(page, `form:nth-of-type(${nth}) button`);
  for (const nth of [1, 2]) {
    const email = page.locator(`form:nth-of-type(${nth}) [name=email]`);
    const described = await email.getAttribute("aria-describedby");
    assert.equal(await page.locator(`form:nth-of-type(${nth}) #${described}`).count(), 1);
  }
  assert.deepEqual(await axeViolations(page), []);
});

test("a removed enhancement leaves nothing behind, and can be added again", async (t) => {
  const page = await open(chromium, t, publish("/twice", plain("<div data-signup-rules></div>")));
  await page.waitForSelector("[data-rule]");
  await fill(page, { password: "abc", email: "a@gmail.con" });
  await page.locator(".signup-suggestion button").waitFor();
  await intercept(page, respond(400, '{"code":"malformed_body","detail":"x"}', "application/problem+json"));
  await send(page);
  await page.getByRole("alert").waitFor();
  assert.equal((await send(page)).status, "invalid");
  const left = await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const form = document.querySelector("form");
    enhance(form).destroy();
    const { noValidate } = form;
    const left = form.querySelectorAll(".signup-error, .signup-suggestion, .alert, [aria-invalid]").length;
    enhance(form);
    return [noValidate, left];
  }, `${service.url}/signup.js`);
  assert.deepEqual(left, [false, 0]);
  await fill(page, { password: "abcdefgh" });
  const rule = page.locator("[data-rule='password.too_short']");
  await rule.filter({ hasText: /^done: At least 8 characters$/ }).waitFor();
  assert.deepEqual(page.consoleErrors, []);
});

test("an abort takes effect at once, and a form may be removed during a request", async (t) => {
  const page = await open(chromium, t);
  await page.clock.install();
  await page.goto(publish("/gone", plain()));
  await ready(page);
  await intercept(page, ...Array(4).fill(respond(503, "")));
  // During the pause before the second post, which never ends while the clock is paused.
  await page.clock.pauseAt(Date.now() + 60_000);
  const name = await page.evaluate(async ([address, url]) => {
    const { signUp } = await import(address);
    const controller = new AbortController();
    const { signal } = controller;
    const onRetry = () => queueMicrotask(() => controller.abort());
    return signUp(url, { email: "x" }, { signal, onRetry }).catch((error) => error.name);
  }, [`${service.url}/signup.js`, form]);
  assert.equal(name, "AbortError");
  await fill(page, { email: "gone@example.com", password: ADA.password });
  const result = await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const form = document.querySelector("form");
    const sending = enhance(form).submit();
    enhance(form).destroy();
    form.remove();
    return sending;
  }, `${service.url}/signup.js`);
  assert.equal(result, undefined);
  assert.deepEqual(page.consoleErrors, []);
});

test("a user reads about a server error in plain words, with the reference for the operator", async (t) => {
  const page = await open(chromium, t, form);
  await service.fault({ route: "create_user", kind: "answer", status: 403 });
  await fill(page, { ...ADA, email: "rejected@example.com" });
  const { problem } = await send(page);
  await service.clearFaults();
  assert.equal(problem.code, "upstream_rejected");
  const text = await page.textContent("[role=alert]");
  assert.match(text, /Contact support and quote this reference/);
  assert.ok(text.includes(`Reference: ${problem.request_id}`), text);
});

test("a suggestion is not part of the accessible name of its field", async (t) => {
  const page = await open(chromium, t, publish("/named", plain()));
  await ready(page);
  await fill(page, { email: "ada@gmial.com" });
  await page.getByRole("button", { name: "ada@gmail.com" }).waitFor();
  assert.equal(await page.getByRole("textbox", { name: "Email", exact: true }).count(), 1);
});

test("all messages are in the languages that a form requests", async (t) => {
  const hidden = '<input type="hidden" name="ui_locales" value="tlh de-AT"><div data-signup-rules></div>';
  const page = await open(chromium, t, publish("/locales", plain(hidden)));
  await page.waitForSelector("[data-rule]");
  assert.match(await page.textContent("[data-rule='password.too_short']"), /Zeichen/);
  await intercept(page, ...Array(3).fill(respond(502, "")));
  await fill(page, { email: "locales@example.com", password: ADA.password });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /Verbindung fehlgeschlagen/);
});

test("a form that cannot be enhanced does not affect others, and works without the script", async (t) => {
  const broken = plain().replace("data-signup", "data-signup data-signup-texts='{'");
  const page = await open(chromium, t, publish("/broken", broken + plain()));
  await page.waitForSelector("form:nth-of-type(2)[data-signup-ready]");
  assert.equal(page.consoleErrors.length, 1);
  await page.fill("form:nth-of-type(1) [name=email]", "broken@example.com");
  await page.fill("form:nth-of-type(1) [name=password]", ADA.password);
  await page.click("form:nth-of-type(1) button");
  await done(page);
});

test("an address field may be removed before a suggestion is shown", async (t) => {
  const page = await open(chromium, t);
  await page.clock.install();
  await page.goto(publish("/steps", plain()));
  await ready(page);
  await fill(page, { email: "ada@gmial.com" });
  await page.locator("[name=email]").evaluate((input) => input.remove());
  await page.clock.runFor(1_000);
  assert.deepEqual(page.consoleErrors, []);
});

test("the pressed button is sent, and one with a formaction is left to the browser", async (t) => {
  const planned = await Service.start({ "http.allowed_origins": shop, "user_metadata.allow": "plan" });
  const buttons = ["free", "pro"].map((plan) =>
    `<button name="user_metadata.plan" value="${plan}">${plan}</button>`);
  const elsewhere = '<button formaction="/there" formmethod="get">Log in instead</button>';
  files["/there"] = "<!doctype html><title>there</title>";
  const body = plain(buttons.join("") + elsewhere).replace(form, `${planned.url}/signup`);
  const page = await open(chromium, t, publish("/buttons", body));
  await ready(page);
  await fill(page, { email: "button@example.com", password: ADA.password });
  await send(page, "text=pro");
  const [create] = await planned.creates("button@example.com");
  assert.equal(create.user_metadata.plan, "pro");
  // A form ends with its sign-up.
  await page.reload();
  await ready(page);
  await page.click("text=Log in instead");
  await page.waitForURL("**/there?**");
});

for (const script of [true, false]) {
  test(`formaction and formnovalidate mean ${script ? "with" : "without"} the script what HTML says`, async (t) => {
    const buttons = `<label>Promo <input name="user_metadata.promo" pattern="[A-Z]+"></label>
      <button name="later" value="1" formnovalidate>Without</button>
      <button formaction="/there" formmethod="get">Draft</button>
      <button formaction="/there" formmethod="get" formnovalidate>Leave</button>`;
    files["/there"] = "<!doctype html><title>there</title>";
    const body = plain(buttons).replace('name="email"', 'name="email" required');
    const page = await open(chromium, t, publish("/html", body), { javaScriptEnabled: script });
    if (script) await ready(page);
    const reached = (path) => page.waitForRequest((request) => new URL(request.url()).pathname === path);
    const isReached = [];
    page.on("request", (request) => isReached.push(new URL(request.url()).pathname));
    await page.click("text=Draft");
    await fill(page, { email: "html@example.com", password: ADA.password, "user_metadata.promo": "abc" });
    await page.click("text=Draft");
    // The button that sends the form, and needs the whole of it.
    await page.click("form button:has-text('Join')");
    assert.equal(isReached.filter((path) => /there|signup$/.test(path)).length, 0);
    await Promise.all([reached("/signup"), page.click("text=Without")]);
    await page.goto(publish("/html", body));
    if (script) await ready(page);
    await Promise.all([reached("/there"), page.click("text=Leave")]);
  });
}

const PASSWORD = `Basic ${Buffer.from("stage:secret").toString("base64")}`;
for (const [gate, credentials, admits] of [
  ["a password that the browser knows", { httpCredentials: { username: "stage", password: "secret" } }, ({ authorization }) => authorization === PASSWORD],
  ["a password in the address of the page", "stage:secret@", ({ authorization }) => authorization === PASSWORD],
  ["a cookie", {}, ({ cookie }) => cookie === "gate=open"],
]) {
  test(`a page behind ${gate} sends its form and loads its second file`, async (t) => {
    const proxy = await startProxy(service.url);
    proxy.admits = ({ headers }) => admits(headers);
    const isInAddress = typeof credentials === "string";
    const page = await open(chromium, t, null, isInAddress ? {} : credentials);
    if (gate === "a cookie") await page.context().addCookies([{ name: "gate", value: "open", url: proxy.url }]);
    await page.goto(`${isInAddress ? proxy.url.replace("//", `//${credentials}`) : proxy.url}/signup`);
    await ready(page);
    await fill(page, { ...ADA, email: `behind.${gate.replaceAll(" ", ".")}@gmial.com` });
    await page.locator(".signup-suggestion button").waitFor();
    assert.equal((await send(page, "form button[type=submit]")).status, "created");
  });
}

test("a service on another origin gets no cookie", async (t) => {
  const proxy = await startProxy(service.url);
  const cookies = new Set();
  proxy.admits = ({ headers }) => Boolean(cookies.add(String(headers.cookie)));
  const page = await open(chromium, t);
  // Browsers have one jar for all ports of a host.
  await page.context().addCookies([{ name: "session", value: "own", url: shop }]);
  await page.goto(publish("/jar", plain().replace(form, `${proxy.url}/signup`)));
  await ready(page);
  await fill(page, { email: "no.cookie@example.com", password: ADA.password });
  assert.equal((await send(page)).status, "created");
  assert.deepEqual([...cookies], ["undefined"]);
});

test("a page can prevent its form from being sent", async (t) => {
  const prevent = `<script>document.forms[0].addEventListener("submit", (event) => event.preventDefault())</script>`;
  const page = await open(chromium, t, publish("/prevented", plain() + prevent));
  await ready(page);
  const posts = await intercept(page);
  await fill(page, { email: "kept@example.com", password: ADA.password });
  await page.click("form button");
  assert.equal(await page.getAttribute("form", "data-signup-busy"), null);
  assert.deepEqual(posts, []);
});

test("inputs outside their form, disabled or in a group work like others", async (t) => {
  const planned = await Service.start({ "http.allowed_origins": shop, "user_metadata.allow": "plan" });
  const group = ["x".repeat(501), "free"].map((plan, nth) =>
    `<label>${nth}<input type="radio" name="user_metadata.plan" value="${plan}"></label>`);
  const body = `<form id="f" action="${planned.url}/signup" method="post" data-signup>
    ${group.join("")}<input data-signup-ignore disabled aria-label="off"><button>Join</button></form>
    <label>Email <input form="f" name="email"></label>
    <label>Password <input form="f" name="password" type="password"></label>
    <label>Note <input form="f" name="note" data-signup-ignore></label>`;
  const page = await open(chromium, t, publish("/outside", body));
  await ready(page);
  await page.locator("[disabled]").evaluate((input) => input.setCustomValidity("no"));
  await page.fill("[name=note]", "stays on the page");
  await page.fill("[name=password]", ADA.password);
  await page.check("[type=radio] >> nth=0");
  const { errors } = await send(page);
  assert.deepEqual(errors.map(({ field }) => field).sort(), ["email", "user_metadata.plan"]);
  const focused = () => page.evaluate(() => document.activeElement.name);
  await page.locator("[role=alert]:focus").waitFor();
  await page.click("[role=alert] a >> nth=-1");
  assert.ok(["email", "user_metadata.plan"].includes(await focused()));
  await page.check("[type=radio] >> nth=1");
  assert.equal(await page.locator("[type=radio][aria-invalid]").count(), 0);
  await page.fill("[name=email]", "outside@example.com");
  assert.equal(await page.locator("[aria-invalid]").count(), 0);
  assert.equal((await send(page)).status, "created");
  assert.match(await page.textContent(".signup-done"), /account for outside@example\.com has been created/);
});

for (const [kind, body] of [
  ["that the module draws", '<input form="f" name="password" type="password" data-signup-password>'],
  ["of the page", '<input form="f" name="password" type="password"> <button form="f" data-signup-reveal><i>See</i></button>'],
]) {
  test(`a button ${kind} shows a password outside its form`, async (t) => {
    const outside = `<form id="f" action="${form}" method="post" data-signup><input name="email"><button>Join</button></form>`;
    const page = await open(chromium, t, publish("/reveal", `${outside}<label>Password ${body}</label>`));
    await ready(page);
    const posts = await intercept(page);
    const password = page.locator("[name=password]");
    const type = () => password.getAttribute("type");
    await page.click("[data-signup-reveal]");
    assert.equal(await type(), "text");
    // As React does, once the second file is there.
    await page.focus("[name=email]");
    await page.waitForFunction(() => performance.getEntriesByType("resource").some(({ name }) => name.includes("extras")));
    await password.evaluate(async (input) => {
      while (input.type === "text") {
        input.type = "password";
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (input.type === "text") return;
        input.type = "text";
      }
    });
    assert.equal(await type(), "text");
    await page.click("[data-signup-reveal]");
    assert.equal(await type(), "password");
    assert.deepEqual(posts, []);
    assert.deepEqual(page.consoleErrors, []);
  });
}

/** Puts a clone into the place of the form, as Turbo and htmx do, and waits until it is enhanced. */
const cloneForm = (page) =>
  page.evaluate(() => {
    const form = document.querySelector("form");
    const isReady = new Promise((resolve) => addEventListener("signup:ready", resolve, { once: true }));
    form.replaceWith(form.cloneNode(true));
    return isReady.then(() => {});
  });

test("a clone of a form can be sent, whatever the form was doing", async (t) => {
  const spans = "<button><span data-signup-idle>Join</span><span data-signup-working hidden></span></button>";
  const page = await open(chromium, t, publish("/clone", plain().replace("<button>Join</button>", spans)));
  await ready(page);
  const posts = await intercept(page, respond(400, '{"code":"malformed_body","detail":"x"}', "application/problem+json"));
  await send(page);
  await page.locator("[role=alert]").waitFor();
  assert.equal((await send(page)).status, "invalid");
  await page.locator(".signup-error").first().waitFor();

  const held = posts.length + 1;
  await page.route(/\/signup$/, (route) => (posts.length < held ? posts.push("held") : route.fallback()));
  await fill(page, { email: "clone@example.com" });
  await page.click("form button");
  await page.locator("form[data-signup-busy]").waitFor();
  await cloneForm(page);
  await page.locator("form:not([data-signup-busy])").waitFor();
  assert.equal(await page.locator("[data-signup-idle]").isVisible(), true);
  assert.equal(await page.locator("[data-signup-working]").isVisible(), false);
  assert.deepEqual(await page.locator(".signup-status").allTextContents(), [""]);
  await fill(page, { password: ADA.password });
  assert.equal((await send(page)).status, "created");
  await done(page);

  // Finished, and still in sight: the page shows its own success.
  await page.reload();
  await ready(page);
  await page.evaluate(() => addEventListener("signup:done", (event) => event.preventDefault(), { once: true }));
  await fill(page, { email: "clone.2@example.com", password: ADA.password });
  assert.equal((await send(page)).status, "created");
  await page.locator("form[data-signup-done]").waitFor();
  await cloneForm(page);
  await fill(page, { email: "clone.3@example.com", password: ADA.password });
  assert.equal((await send(page)).status, "created");

  await page.reload();
  await ready(page);
  await cloneForm(page);
  const noValidate = await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const form = document.querySelector("form");
    enhance(form).destroy();
    return form.noValidate;
  }, `${service.url}/signup.js`);
  assert.equal(noValidate, false);
  assert.deepEqual(page.consoleErrors, []);
});

test("a result is scrolled into view, and a reset clears the errors", async (t) => {
  const tall = '<div data-signup-rules></div><p style="height: 900px">…</p>';
  const page = await open(chromium, t, publish("/tall", plain(tall)), { viewport: { width: 320, height: 568 } });
  await page.waitForSelector("[data-rule]");
  await fill(page, { email: "nope", password: "abcdefgh" });
  await send(page);
  await page.evaluate(() => document.forms[0].reset());
  await page.locator("[data-rule='password.too_short'][data-met=false]").waitFor();
  assert.equal(await page.locator(".signup-error, [aria-invalid]").count(), 0);
  await fill(page, { email: "tall@example.com", password: ADA.password });
  assert.equal((await send(page)).status, "created");
  const box = page.locator(".signup-done");
  await box.waitFor();
  const { y } = await box.boundingBox();
  assert.ok(y > -1 && y < 568, `${y}`);
});

test("a form that was removed during its request does not redirect", async (t) => {
  const leading = plain().replace("data-signup", 'data-signup data-signup-success="/elsewhere"');
  const page = await open(chromium, t, publish("/left", leading));
  await ready(page);
  await page.evaluate(() => {
    const [form] = document.forms;
    form.addEventListener("signup:submit", () => setTimeout(() => form.remove()));
    form.addEventListener("signup:created", () => (globalThis.isCreated = true));
  });
  await fill(page, { email: "left@example.com", password: ADA.password });
  await page.click("form button");
  await page.waitForFunction(() => globalThis.isCreated);
  assert.equal(page.url(), `${shop}/left`);
});

test("a message is shown while a proof is solved", async (t) => {
  const always = await Service.start({
    "challenge.required": "always",
    "challenge.work.cost": 1000,
    "auth0_compat.without_challenge": true,
  });
  const page = await open(chromium, t);
  const proofs = await holdProofs(page);
  await page.goto(`${always.url}/signup`);
  await fill(page, { ...ADA, email: "hard@example.com" });
  await proofs.started();
  const result = page.nextResult();
  await page.click("button[type=submit]");
  await page.locator(".signup-status", { hasText: /not a robot/ }).waitFor();
  await proofs.release();
  assert.equal((await result).status, "created");
});

test("signUp takes the key from the form, shortens the languages and sends dates", async (t) => {
  const page = await open(chromium, t, form);
  const posts = await intercept(page, ...Array(2).fill(respond(400, '{"code":"x"}', "application/problem+json")));
  const long = Array(60).fill("de-AT").join(" ");
  const statuses = await page.evaluate(async ([url, lang]) => {
    const { signUp } = await import("/signup.js");
    const data = new FormData();
    data.set("idempotency_key", "the-key-of-the-form-itself");
    const born = { user_metadata: { born: new Date(0) } };
    return [(await signUp(url, data, { lang })).status, (await signUp(url, born)).status];
  }, [form, long]);
  assert.deepEqual(statuses, ["failed", "failed"]);
  assert.equal(posts[0].get("idempotency_key"), "the-key-of-the-form-itself");
  assert.match(posts[1].get("user_metadata.born"), /1970/);
});

test("the rules can be shown in a list, and another country is not a typo", async (t) => {
  const page = await open(chromium, t, publish("/list", plain("<ul data-signup-rules></ul>")));
  await page.waitForSelector("[data-signup-rules] > [data-rule]");
  assert.deepEqual(await axeViolations(page), []);
  const suggested = await page.evaluate(async (address) => {
    const { suggestEmail } = await import(address);
    const domains = ["hotmail.be", "yahoo.com.ar", "outlook.ie", "gmail.co", "hotmial.de", "yahoo.con"];
    return Promise.all(domains.map((domain) => suggestEmail(`a@${domain}`)));
  }, `${service.url}/signup.js`);
  const meant = [undefined, undefined, undefined, "a@gmail.com", "a@hotmail.de", "a@yahoo.com"];
  assert.deepEqual(suggested, meant);
});
