// /signup.js on the built-in page and on forms of other sites.

import assert from "node:assert/strict";
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { ADA, Service, browser, done, fill, holdPosts, open, ready, send, site } from "./support.js";

const foreign = (service) => `<!doctype html><html lang="en"><title>Join</title>
<form action="${service}/signup" method="post" data-signup>
  <label>Email <input name="email" inputmode="email"></label>
  <label>Password <input name="password" type="password"></label>
  <label>Again <input name="password_again" type="password" data-signup-ignore></label>
  <div data-signup-rules></div>
  <button>Join</button>
</form>
<script type="module" src="${service}/signup.js"></script>`;

const files = {};
const shop = await site(files);
const chromium = await browser();
const service = await Service.start({
  "page.login_url": "https://www.example.com/login",
  "http.allowed_origins": shop,
});
files["/"] = foreign(service.url);
const form = `${service.url}/signup`;

test("a user signs up without leaving the page in between", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "script@example.com" });
  const posts = [];
  page.on("request", (request) => request.method() === "POST" && posts.push(request));
  await page.click("button[type=submit]");
  await done(page);
  assert.equal(posts.length, 1);
  assert.equal(posts[0].resourceType(), "fetch");
  assert.equal(await page.textContent("h1:visible"), "Welcome, Ada");
  assert.match(await page.textContent(".signup-done"), /account for script@example\.com has been created/);
  const login = "https://www.example.com/login?login_hint=script%40example.com";
  assert.equal(await page.getAttribute(".signup-done a", "href"), login);
  assert.equal(await page.locator("form").isVisible(), false);
  assert.equal(page.url(), form);
  assert.deepEqual(page.consoleErrors, []);
});

test("the title of a success has the page's name, as it has without the script, whenever the second file comes", async (t) => {
  const named = await Service.start({ "page.name": "Acme – Tools" });
  const start = "Create your account – Acme – Tools";
  for (const mode of ["plain", "early", "late", "cancelled"]) {
    const page = await open(chromium, t, undefined, { javaScriptEnabled: mode !== "plain" });
    // The second file comes after the success.
    if (mode === "late") {
      await page.route("**/signup-extras-*.js", async (route) => {
        await done(page);
        await route.fallback();
      });
    }
    await page.goto(`${named.url}/signup`);
    assert.equal(await page.title(), start);
    const isPlain = mode === "plain";
    const press = () => page.click("button[type=submit]");
    // With the script the title marks no error: the alert takes the focus, and the page stays.
    if (mode === "plain" || mode === "early") {
      await press();
      await page.locator("[role=alert]:focus").waitFor();
      assert.equal(await page.title(), isPlain ? `Error: ${start}` : start);
    }
    if (mode === "cancelled") await page.evaluate(() => addEventListener("signup:done", (event) => event.preventDefault()));
    await fill(page, { ...ADA, email: `title.${mode}@example.com` });
    await press();
    if (mode === "cancelled") {
      await page.locator("form[data-signup-done]").waitFor();
      assert.equal(await page.title(), start);
      // The Back button brings the page back: the message takes the place of the form.
      await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    }
    await done(page);
    if (!isPlain) await page.waitForFunction((before) => document.title !== before, start);
    assert.equal(await page.title(), "Welcome – Acme – Tools", mode);
  }
});

test("the password rules follow what is typed", async (t) => {
  const page = await open(chromium, t, form);
  const met = () =>
    page.locator("[data-rule]").evaluateAll((lines) => lines.map((line) => line.dataset.met));
  assert.deepEqual(await met(), [undefined, undefined]);
  // The check comes with the second file.
  await page.focus("#password");
  await page.waitForSelector("[data-rule][data-met=false]");
  assert.deepEqual(await met(), ["false", "false"]);
  await page.locator("#password").pressSequentially("abcdefgh");
  assert.deepEqual(await met(), ["true", "false"]);
  await page.locator("#password").pressSequentially("1A");
  assert.deepEqual(await met(), ["true", "true"]);
  assert.match(await page.textContent("[data-rule='password.too_short']"), /^done: /);
  const state = page.locator("[data-rule='password.too_short'] .signup-state");
  const { width, height } = await state.boundingBox();
  assert.ok(width <= 1 && height <= 1, "the state is for screen readers alone");
});

test("the password can be shown, and is hidden when it is sent", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "nope" });
  await page.click("[data-signup-reveal]");
  assert.equal(await page.getAttribute("#password", "type"), "text");
  assert.equal(await page.textContent("[data-signup-reveal]"), "Hide");
  assert.equal(await page.getAttribute("[data-signup-reveal]", "aria-label"), "Hide password");
  assert.equal(await page.textContent(".signup-status"), "Your password is visible.");
  await send(page);
  assert.equal(await page.getAttribute("#password", "type"), "password");
});

test("a mistyped domain is pointed out, never rejected", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "grace@gmial.com" });
  await page.locator(".signup-suggestion button").click();
  assert.equal(await page.inputValue("#email"), "grace@gmail.com");
  await fill(page, { email: "grace@gmial.com" });
  assert.equal((await send(page)).status, "created");
});

test("errors are shown beside their fields and disappear when the fields change", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "nope", password: "abc" });
  const { status, errors } = await send(page);
  assert.equal(status, "invalid");
  assert.deepEqual(errors.map(({ field }) => field), ["email", "password", "password"]);
  await page.locator("[role=alert]:focus").waitFor();
  const [described] = (await page.getAttribute("#email", "aria-describedby")).split(" ");
  assert.ok(await page.locator(`#${described}`).isVisible());
  assert.equal(await page.inputValue("#password"), "abc");
  await fill(page, { email: "corrected@example.com", password: ADA.password });
  assert.equal(await page.getAttribute("#email", "aria-invalid"), null);
  assert.equal(await page.getAttribute("#email", "aria-describedby"), null);
  assert.equal(await page.getAttribute("#password", "aria-describedby"), "password-rules");
  assert.equal(await page.textContent("#password-error"), "", "the list of rules is the error");
  assert.equal((await send(page)).status, "created");
  assert.deepEqual(page.consoleErrors, []);
});

test("a taken address is reported in words, with a link to log in that Tab reaches", async (t) => {
  const page = await open(chromium, t, form);
  const email = "taken@example.com";
  await fill(page, { ...ADA, email });
  await send(page);
  await done(page);
  await page.goto(form);
  await fill(page, { ...ADA, email, password: "Analytical-Engine-1837" });
  const { status, field } = await send(page);
  assert.deepEqual([status, field], ["taken", "email"]);
  assert.match(await page.textContent("[role=alert]"), /You already have an account.*already an account with this/s);
  await page.locator("[role=alert]:focus").waitFor();
  await page.keyboard.press("Tab");
  const login = `https://www.example.com/login?login_hint=${encodeURIComponent(email)}`;
  assert.equal(await page.locator(":focus").getAttribute("href"), login);
  await fill(page, { email: "taken.no.more@example.com" });
  assert.equal((await send(page)).status, "created");
});

test("an address goes on as the account has it, without what nobody sees around it", async (t) => {
  // What docs/api.md says is trimmed.
  const ranges = [
    [0x20], [0x85], [0xa0], [0xad], [0x61c], [0x115f, 0x1160], [0x180e], [0x200b, 0x200f], [0x202a, 0x202e],
    [0x2060, 0x206f], [0x2800], [0x3164], [0xfeff], [0xffa0],
  ];
  const code = ([first, last = first]) => Array.from({ length: last - first + 1 }, (_, nth) => first + nth);
  const unseen = String.fromCodePoint(...ranges.flatMap(code));
  const email = "copied@example.com";
  const copied = unseen + email + unseen;
  const login = `https://www.example.com/login?login_hint=${encodeURIComponent(email)}`;
  const page = await open(chromium, t, form);
  const keys = [];
  page.on("request", (request) => {
    if (request.method() === "POST") keys.push(new URLSearchParams(request.postData()).get("idempotency_key"));
  });
  await page.evaluate(() => addEventListener("signup:done", ({ detail }) => (window.handedOn = detail.email)));
  await fill(page, { ...ADA, email, given_name: "\u0007" });
  assert.equal((await send(page)).status, "invalid");
  await fill(page, { email: copied, given_name: ADA.given_name });
  assert.equal((await send(page)).status, "created");
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  assert.equal((await service.creates(email)).length, 1);
  assert.equal(await page.evaluate(() => window.handedOn), email);
  assert.ok((await page.textContent(".signup-done")).includes(`account for ${email} has been created`));
  assert.equal(await page.getAttribute(".signup-done a", "href"), login);

  await page.goto(form);
  await fill(page, { ...ADA, email: copied, password: "Analytical-Engine-1837" });
  assert.equal((await send(page)).status, "taken");
  assert.equal(await page.getAttribute("[role=alert] .account-links a", "href"), login);
});

test("a double click sends once", async (t) => {
  const page = await open(chromium, t, form);
  const email = "click@example.com";
  await fill(page, { ...ADA, email });
  let posts = 0;
  page.on("request", (request) => (posts += request.method() === "POST"));
  const release = await holdPosts(page);
  await page.dblclick("button[type=submit]");
  release();
  await done(page);
  assert.equal(posts, 1);
  assert.equal((await service.creates(email)).length, 1);
});

test("the key stays over retries and changes with the address", async (t) => {
  const page = await open(chromium, t, form);
  const keys = [];
  await page.route(form.concat("*"), async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    keys.push(new URLSearchParams(route.request().postData()).get("idempotency_key"));
    return keys.length < 2 ? route.abort("connectionreset") : route.continue();
  });
  await fill(page, { ...ADA, email: "key@example.com", password: "abc" });
  assert.equal((await send(page)).status, "invalid");
  await fill(page, { email: "key2@example.com" });
  await send(page);
  assert.equal(keys[0], keys[1], "a lost response is requested again");
  assert.notEqual(keys[1], keys[2]);
});

test("a lost response is replayed, and the user is created once", async (t) => {
  const page = await open(chromium, t, form);
  const email = "lost@example.com";
  let lost = 0;
  await page.route(form.concat("*"), async (route) => {
    if (route.request().method() !== "POST" || lost++) return route.continue();
    await route.fetch();
    return route.abort("connectionreset");
  });
  await fill(page, { ...ADA, email });
  const { status, replayed } = await send(page);
  assert.deepEqual([status, replayed], ["created", true]);
  assert.equal((await service.creates(email)).length, 1);
});

test("the module waits for as long as Retry-After says", async (t) => {
  const page = await open(chromium, t, form);
  let posts = 0;
  await page.route(form.concat("*"), (route) => {
    if (route.request().method() !== "POST") return route.continue();
    posts += 1;
    const problem = { code: "rate_limited", detail: "Too many.", retry_after: 3600 };
    return route.fulfill({ status: 429, json: problem, contentType: "application/problem+json" });
  });
  await fill(page, ADA);
  const { status, retryAfter } = await send(page);
  assert.deepEqual([status, retryAfter], ["later", 3600]);
  await page.click("button[type=submit]");
  assert.equal(await page.getAttribute("form", "data-signup-busy"), null);
  assert.match(await page.textContent("[role=alert]"), /Try again in \d+ minutes/);
  assert.equal(posts, 1);
});

test("the form is marked as busy while a request is in progress", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "slow@example.com" });
  const release = await holdPosts(page);
  await page.click("button[type=submit]");
  assert.equal(await page.getAttribute("form", "data-signup-busy"), "");
  release();
  await done(page);
});

test("a reload after a sign-up, then another address, is another sign-up", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "js.first@example.com" });
  await page.click("button[type=submit]");
  await done(page);
  await page.reload();
  await ready(page);
  await fill(page, { ...ADA, email: "js.second@example.com" });
  assert.equal((await send(page)).status, "created");
});

test("a form of another site is enhanced, and its own fields are not sent", async (t) => {
  const page = await open(chromium, t, shop);
  await ready(page);
  await fill(page, { email: "nope", password: "abc", password_again: "abc" });
  assert.equal((await send(page)).status, "invalid");
  assert.ok(await page.locator(".signup-error").first().isVisible());
  await fill(page, { email: "shop@example.com", password: ADA.password });
  const { status, user } = await send(page);
  assert.equal(status, "created");
  assert.equal(user.email, "shop@example.com");
  assert.match(await page.textContent(".signup-done"), /account for shop@example\.com has been created/);
  assert.equal(await page.locator("form").isVisible(), false);
});

test("a page in another language gets all messages in it, the module's own included", async (t) => {
  files["/de"] = foreign(service.url).replace('lang="en"', 'lang="de_DE"');
  const page = await open(chromium, t, `${shop}/de`);
  await page.waitForSelector("[data-rule]");
  assert.match(await page.textContent("[data-rule='password.too_short']"), /Zeichen/);
  await fill(page, { email: "nope", password: "abc" });
  assert.match((await send(page)).problem.detail, /Feld/);
  assert.match(await page.locator(".signup-error").first().textContent(), /Bitte so eingeben/);
  assert.match(await page.textContent("[data-rule='password.too_short']"), /^noch nicht erfüllt: /);
  await fill(page, { email: "seite@example.com", password: ADA.password });
  assert.equal((await send(page)).status, "created");
  assert.equal(await page.locator(".signup-done").getAttribute("tabindex"), "-1");
  assert.equal(await page.inputValue("[name=password]"), "", "the password is removed from the page");
  assert.deepEqual(page.consoleErrors, []);
});

test("an object of fields is sent whole, and a file is rejected with its field", async (t) => {
  const typed = await Service.start({
    "http.allowed_origins": shop,
    "user_metadata.allow": "plan,source_id",
    "terms.version": "v1",
    "terms.url": "https://www.example.com/terms",
  });
  const page = await open(chromium, t, shop);
  const [created, listed, file] = await page.evaluate(
    async ([module, url, ada]) => {
      const { signUp } = await import(module);
      const metadata = { plan: "pro", source_id: "ad", nothing: undefined };
      const whole = { ...ada, nickname: null, terms: true, user_metadata: metadata };
      const list = { ...whole, user_metadata: { plan: ["a", "b"] }, seats: 3 };
      const form = new FormData();
      Object.entries(ada).forEach((pair) => form.append(...pair));
      form.append("terms", "v1");
      form.append("empty", new File([], ""));
      form.append("picture", new File(["x"], "me.png"));
      return [await signUp(url, whole), await signUp(url, list), await signUp(url, form)];
    },
    [`${typed.url}/signup.js`, `${typed.url}/signup`, { ...ADA, email: "object@example.com" }],
  );
  assert.equal(created.status, "created", JSON.stringify(created));
  const [create] = await typed.creates("object@example.com");
  assert.deepEqual(create.user_metadata, { plan: "pro", source_id: "ad" });
  assert.equal(create.app_metadata.terms.version, "v1");
  const codes = ({ errors }) => errors.map(({ field, code }) => `${field} ${code}`).sort();
  assert.deepEqual(codes(listed), [
    "seats unknown_field",
    "user_metadata.plan.0 unknown_field",
    "user_metadata.plan.1 unknown_field",
  ]);
  assert.deepEqual(codes(file), ["picture not_allowed"]);
});

test("the module checks passwords, suggests addresses and solves challenges", async (t) => {
  const page = await open(chromium, t, form);
  const [nonce, salt] = [randomBytes(16), randomBytes(16)];
  const counter = 57;
  const password = Buffer.alloc(20);
  nonce.copy(password);
  password.writeUInt32BE(counter, 16);
  const key = pbkdf2Sync(password, salt, 200, 32, "sha256").toString("hex");
  const parameters = {
    algorithm: "PBKDF2/SHA-256",
    cost: 200,
    keyLength: 32,
    keyPrefix: key.slice(0, 32),
    nonce: nonce.toString("hex"),
    salt: salt.toString("hex"),
  };
  const found = await page.evaluate(async (challenge) => {
    const { checkPassword, solve, suggestEmail } = await import("/signup.js");
    const types = ["lowercase", "uppercase", "number", "special"];
    const strict = {
      min_length: 4,
      character_types: types,
      rule: "three_of_four",
      identical_characters: "block",
      sequential_characters: "block",
    };
    const unmet = async (password) =>
      (await checkPassword(password, strict)).flatMap(({ code, met }) => (met ? [] : [code.slice(9)]));
    return {
      rules: await Promise.all(
        ["aB1", "aB1-", "aaa-B", "abx-B2c", "abc-B9", "321-Bx", "ß".repeat(40)].map(unmet),
      ),
      addresses: await Promise.all(["a@gmail.con", "a@hotnail.com", "a@example.cmo", "a@gmail.com", "a@mail.com",
        "a@example.com", "@gmial.com", "a@outlok.com", "a@yahooo.com"].map(suggestEmail)),
      proof: JSON.parse(atob(await solve(challenge))),
    };
  }, { parameters, signature: "00" });
  assert.deepEqual(found.rules, [
    ["too_short"], [], ["repeated_characters"], [], ["sequential_characters"],
    ["sequential_characters"], ["character_types", "repeated_characters", "too_long"],
  ]);
  assert.deepEqual(found.addresses, [
    "a@gmail.com", "a@hotmail.com", "a@example.com", undefined, undefined, undefined, undefined,
    "a@outlook.com", "a@yahoo.com",
  ]);
  assert.equal(found.proof.solution.counter, counter);
  assert.equal(found.proof.solution.derivedKey, key);
});

test("a request under way is shown on the button and spoken at once", async (t) => {
  const page = await open(chromium, t, form);
  await fill(page, { ...ADA, email: "spoken@example.com" });
  const release = await holdPosts(page);
  const started = Date.now();
  await page.click("button[type=submit]");
  await page.locator(".signup-status[role=status]", { hasText: "Creating your account" }).waitFor({ state: "attached" });
  assert.ok(Date.now() - started < 5_000);
  assert.ok(await page.getByRole("button", { name: "Creating your account…" }).isVisible());
  // Firefox announces nothing within an element that is busy.
  assert.equal(await page.locator("[aria-busy]").count(), 0);
  release();
  await done(page);
});

test("a page that is not allowed finds the reason on its console, and its user an honest alert", async (t) => {
  files["/stranger"] = foreign(service.url);
  const stranger = shop.replace("127.0.0.1", "localhost");
  const page = await open(chromium, t, `${stranger}/stranger`);
  await ready(page);
  await fill(page, { email: "stranger@example.com", password: ADA.password });
  const { status, problem } = await send(page);
  assert.deepEqual([status, problem.code], ["failed", "origin_not_allowed"]);
  assert.match(await page.textContent("[role=alert]"), /can't sign up from this page/);
  await send(page);
  const expected = `auth0-signup at ${form} rejects this page. Is ${stranger} in http.allowed_origins?`;
  assert.deepEqual(page.consoleErrors.filter((text) => text.includes("auth0-signup")), [expected], "once a minute");
});

test("a page opened from a file learns on its console that it has no origin", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "signup-file-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "page.html"), foreign(service.url));
  const page = await open(chromium, t, `file://${folder}/page.html`);
  await ready(page);
  await fill(page, { email: "file@example.com", password: ADA.password });
  const { problem } = await send(page);
  assert.equal(problem.code, "origin_not_allowed");
  await page.waitForTimeout(500);
  const [text, ...more] = page.consoleErrors.filter((line) => line.includes("auth0-signup"));
  assert.match(text, /have no origin: open the page from a web server/);
  assert.deepEqual(more, []);
});

test("an ordered list decides the form and the policy", async (t) => {
  const own = await Service.start({
    "page.fields": "email,user_metadata.plan,password,given_name",
    "user_metadata.allow": "size,plan",
    "user_metadata.keys.team.required": "true",
    "fields.username": "required",
  });
  const page = await open(chromium, t, `${own.url}/signup`);
  const names = await page.locator('form input:not([tabindex="-1"]):visible').evaluateAll((all) => all.map(({ name }) => name));
  const expected = ["username", "email", "user_metadata.plan", "password", "given_name",
    "user_metadata.team", "user_metadata.size"];
  assert.deepEqual(names, expected);
  const { order } = await (await fetch(`${own.url}/signup/policy`)).json();
  assert.deepEqual(order, expected);
});

test("a common password is pointed out while it is typed", async (t) => {
  const own = await Service.start({ "password.dictionary.active": "true", "password.dictionary.custom": "Countess-1843" });
  const page = await open(chromium, t, `${own.url}/signup`);
  const listed = page.waitForResponse("**/signup/common-passwords.txt");
  await page.focus("#password");
  assert.doesNotMatch(await (await listed).text(), /countess/i, "the operator's own words are not published");
  await page.locator("#password").pressSequentially("Password1");
  const line = page.locator("[data-rule='password.too_common']");
  await line.filter({ hasText: "too common" }).waitFor();
  await page.locator("#password").pressSequentially("-x");
  await line.waitFor({ state: "detached" });
});

test("a list of common passwords that was lost is requested again", async (t) => {
  const own = await Service.start({ "password.dictionary.active": "true" });
  const page = await open(chromium, t, `${own.url}/signup`);
  let requests = 0;
  await page.route("**/signup/common-passwords.txt", (route) => (requests++ ? route.fallback() : route.abort()));
  const lost = page.waitForEvent("requestfailed");
  await page.focus("#password");
  await lost;
  await page.focus("#email");
  const listed = page.waitForResponse("**/signup/common-passwords.txt");
  await page.focus("#password");
  await listed;
  await page.locator("#password").pressSequentially("Password1");
  await page.locator("[data-rule='password.too_common']", { hasText: "too common" }).waitFor();
  await page.focus("#email");
  await page.focus("#password");
  assert.equal(requests, 2);
});

test("a list without rules shows what the password breaks while it is typed", async (t) => {
  const own = await Service.start({
    "http.allowed_origins": shop,
    "password.policy": "none",
    "password.min_length": "1",
    "password.dictionary.active": "true",
  });
  files["/drawn"] = foreign(own.url)
    .replace("<div data-signup-rules></div>", "")
    .replace('type="password"', 'type="password" data-signup-password');
  for (const address of [`${own.url}/signup`, `${shop}/drawn`]) {
    const page = await open(chromium, t, address);
    await ready(page);
    const listed = page.waitForResponse("**/signup/common-passwords.txt");
    await page.focus("[name=password]");
    await listed;
    await page.locator("[name=password]").pressSequentially("Password1");
    await page.locator("[data-rule='password.too_common']").filter({ hasText: "too common" }).waitFor();
  }
});

test("a password with personal information is an error of the list, which names the kind", async (t) => {
  const own = await Service.start({ "password.profile_data.active": "true", "fields.nickname": "required" });
  const page = await open(chromium, t, `${own.url}/signup`);
  await fill(page, { ...ADA, nickname: "Countess", password: "My-Countess-1843" });
  assert.equal((await send(page)).status, "invalid");
  const line = page.locator("[data-rule='password.contains_user_info']");
  await line.filter({ hasText: "Your password contains your nickname." }).waitFor();
  assert.doesNotMatch(await line.textContent(), /username/);
  assert.equal(await page.locator("text=contains your nickname").count(), 1, "said once");
  await fill(page, { password: "Difference-Engine-1843" });
  await line.filter({ hasText: "No personal information" }).waitFor();
  assert.equal((await send(page)).status, "created");
});
