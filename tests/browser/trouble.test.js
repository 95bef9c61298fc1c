// /signup.js where things go wrong: lost and foreign answers, proofs that are used up, pages with more
// than one form, and forms that come and go.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, axeViolations, browser, fill, open, site } from "./support.js";

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
  <label>E-mail <input name="email" type="email"></label>
  <label>Password <input name="password" type="password"></label>
  ${inside}<button>Join</button></form>`;
const shown = (path, body) => {
  files[path] = `<!doctype html><html lang="en"><title>Join</title>
<main><h1>Join</h1>${body}</main>${script}`;
  return shop + path;
};

const send = async (page, button = "form button:not([type=button])") => {
  const told = page.nextResult();
  await page.click(button);
  return told;
};

/** Answers the next posts of the page like this, then as the service does. */
const answer = async (page, ...answers) => {
  const posts = [];
  await page.route(/\/signup(\?sent)?$/, async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    posts.push(new URLSearchParams(route.request().postData()));
    const next = answers.shift();
    return next ? next(route) : route.fallback();
  });
  return posts;
};
const says = (status, body, type = "text/html") => (route) =>
  route.fulfill({ status, body, contentType: type, headers: { "Access-Control-Allow-Origin": "*" } });

for (const [name, broken] of [
  ["a page of a proxy", says(502, "<h1>Bad gateway</h1>")],
  ["nothing at all", says(503, "")],
  ["half of a success", says(201, '{"status":"created","user":{"user_', "application/json")],
  ["a success that is none", says(201, "null", "application/json")],
]) {
  test(`${name} is a lost answer, and the same sign-up is sent again`, async (t) => {
    const page = await open(chromium, t, form);
    const posts = await answer(page, broken);
    await fill(page, { ...ADA, email: `${name.replaceAll(" ", ".")}@example.com` });
    const told = await send(page);
    assert.equal(told.status, "created");
    assert.equal(posts.length, 2);
    assert.equal(posts[0].get("idempotency_key"), posts[1].get("idempotency_key"));
  });
}

test("where no answer is the service's, the person is told what to do", async (t) => {
  const page = await open(chromium, t, form);
  const foreign = says(403, "<h1>Forbidden</h1>");
  await answer(page, foreign, foreign, foreign);
  await fill(page, { ...ADA, email: "foreign@example.com" });
  const told = await send(page);
  assert.deepEqual([told.status, told.httpStatus], ["offline", 403]);
  assert.match(await page.textContent("[role=alert]"), /Nothing is lost/);
});

test("a post that nobody answers is given up and sent again, and meanwhile something is said", async (t) => {
  const page = await open(chromium, t);
  await page.clock.install();
  await page.goto(form);
  const posts = await answer(page, () => {});
  await fill(page, { ...ADA, email: "silent@example.com" });
  const told = page.nextResult();
  await page.click("button[type=submit]");
  while (!posts.length) await page.waitForTimeout(10);
  await page.clock.runFor(20_000);
  await page.getByRole("status").filter({ hasText: "One moment" }).waitFor();
  await page.clock.runFor(1_000);
  assert.equal((await told).status, "created");
  assert.equal(posts.length, 2);
});

test("a proof is made anew for a sign-up that is sent again", async (t) => {
  const always = await Service.start({
    "challenge.required": "always",
    "challenge.work.cost": 1000,
    "auth0_compat.without_challenge": true,
  });
  const page = await open(chromium, t, `${always.url}/signup`);
  // Whoever says so has used the proof up by then.
  const problem = { code: "upstream_busy", retry_after: 1, detail: "busy", request_id: "x" };
  const posts = await answer(page, says(503, JSON.stringify(problem), "application/problem+json"));
  await fill(page, { ...ADA, email: "proof.again@example.com" });
  const told = await send(page);
  assert.equal(told.status, "created", JSON.stringify(told));
  const proofs = posts.map((post) => post.get("altcha")).filter(Boolean);
  assert.deepEqual([proofs.length, new Set(proofs).size], [2, 2]);
});

test("a limit of one address does not hold for another", async (t) => {
  const page = await open(chromium, t, form);
  const problem = { code: "rate_limited", retry_after: 3600, detail: "limited", request_id: "x" };
  const posts = await answer(page, says(429, JSON.stringify(problem), "application/problem+json"));
  await fill(page, { ...ADA, email: "typo@example.com" });
  assert.equal((await send(page)).status, "later");
  assert.match(await page.textContent("[role=alert]"), /Try again in 60 min\./);
  await page.click("button[type=submit]");
  assert.equal(posts.length, 1, "not before the time");
  await fill(page, { email: "no.typo@example.com" });
  assert.equal((await send(page)).status, "created");
});

test("what the page itself asks for is asked for before the service is", async (t) => {
  const own = `<label>18+ <input type="checkbox" name="adult" required data-signup-ignore></label>
    <label>Again <input name="again" data-signup-ignore></label>`;
  const page = await open(chromium, t, shown("/own", plain(own)));
  await page.waitForSelector("form[data-signup-ready]");
  const posts = await answer(page);
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
  const page = await open(chromium, t, shown("/two", plain() + plain()));
  await page.waitForSelector("form:nth-of-type(2)[data-signup-ready]");
  for (const nth of [1, 2]) await send(page, `form:nth-of-type(${nth}) button`);
  for (const nth of [1, 2]) {
    const email = page.locator(`form:nth-of-type(${nth}) [name=email]`);
    const described = await email.getAttribute("aria-describedby");
    assert.equal(await page.locator(`form:nth-of-type(${nth}) #${described}`).count(), 1);
  }
  assert.deepEqual(await axeViolations(page), []);
});

test("an enhancement that is taken away leaves nothing, and can be had again", async (t) => {
  const page = await open(chromium, t, shown("/twice", plain("<div data-signup-rules></div>")));
  await page.waitForSelector("[data-rule]");
  await fill(page, { password: "abc", email: "a@gmail.con" });
  await page.locator(".signup-suggestion button").waitFor();
  await answer(page, says(400, '{"code":"malformed_body","detail":"x"}', "application/problem+json"));
  await send(page);
  await page.getByRole("alert").waitFor();
  assert.equal((await send(page)).status, "invalid");
  const left = await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const form = document.querySelector("form");
    enhance(form).destroy();
    const { noValidate } = form;
    const faults = form.querySelectorAll(".fault, .signup-suggestion, .alert, [aria-invalid]").length;
    enhance(form);
    return [noValidate, faults];
  }, `${service.url}/signup.js`);
  assert.deepEqual(left, [false, 0]);
  await fill(page, { password: "abcdefgh" });
  const rule = page.locator("[data-rule='password.too_short']");
  await rule.filter({ hasText: /^met: Use at least 8 characters\.$/ }).waitFor();
  assert.deepEqual(page.complaints, []);
});

test("an abort is heard at once, and a form that goes away is no fault", async (t) => {
  const page = await open(chromium, t);
  await page.clock.install();
  await page.goto(shown("/gone", plain()));
  await page.waitForSelector("form[data-signup-ready]");
  await answer(page, ...Array(4).fill(says(503, "")));
  // In the pause before the second post, which never ends while the clock stands still.
  await page.clock.pauseAt(Date.now() + 60_000);
  const name = await page.evaluate(async ([address, url]) => {
    const { signUp } = await import(address);
    const own = new AbortController();
    const how = { signal: own.signal, onRetry: () => queueMicrotask(() => own.abort()) };
    return signUp(url, { email: "x" }, how).catch((error) => error.name);
  }, [`${service.url}/signup.js`, form]);
  assert.equal(name, "AbortError");
  await fill(page, { email: "gone@example.com", password: ADA.password });
  await page.click("form button");
  await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const form = document.querySelector("form");
    enhance(form).destroy();
    form.remove();
  }, `${service.url}/signup.js`);
  await page.waitForTimeout(100);
  assert.deepEqual(page.complaints, []);
});

test("a person is told of a fault in their own words, with what the operator needs", async (t) => {
  const page = await open(chromium, t, form);
  await service.fault({ route: "create_user", kind: "answer", status: 403 });
  await fill(page, { ...ADA, email: "refused@example.com" });
  const told = await send(page);
  await service.mend();
  assert.equal(told.problem.code, "upstream_rejected");
  const text = await page.textContent("[role=alert]");
  assert.match(text, /Tell the people who run this site/);
  assert.ok(text.includes(`Reference: ${told.problem.request_id}`), text);
});

test("a suggestion is no part of the name of its field", async (t) => {
  const page = await open(chromium, t, shown("/named", plain()));
  await page.waitForSelector("form[data-signup-ready]");
  await fill(page, { email: "ada@gmial.com" });
  await page.getByRole("button", { name: "ada@gmail.com" }).waitFor();
  assert.equal(await page.getByRole("textbox", { name: "E-mail", exact: true }).count(), 1);
});

test("the languages that a form asks for are those of all that is said", async (t) => {
  const hidden = '<input type="hidden" name="ui_locales" value="tlh de-AT"><div data-signup-rules></div>';
  const page = await open(chromium, t, shown("/locales", plain(hidden)));
  await page.waitForSelector("[data-rule]");
  assert.match(await page.textContent("[data-rule='password.too_short']"), /Zeichen/);
  await answer(page, ...Array(3).fill(says(502, "")));
  await fill(page, { email: "locales@example.com", password: ADA.password });
  await send(page);
  assert.match(await page.textContent("[role=alert]"), /Verbindung/);
});

test("a form that cannot be enhanced does not stop the others, and works as it is", async (t) => {
  const broken = plain().replace("data-signup", "data-signup data-signup-texts='{'");
  const page = await open(chromium, t, shown("/broken", broken + plain()));
  await page.waitForSelector("form:nth-of-type(2)[data-signup-ready]");
  assert.equal(page.complaints.length, 1);
  await page.fill("form:nth-of-type(1) [name=email]", "broken@example.com");
  await page.fill("form:nth-of-type(1) [name=password]", ADA.password);
  await page.click("form:nth-of-type(1) button");
  await page.waitForURL("**/signup/success");
});

test("an address field that goes away while it is looked at is no fault", async (t) => {
  const page = await open(chromium, t, shown("/steps", plain()));
  await page.waitForSelector("form[data-signup-ready]");
  await fill(page, { email: "ada@gmial.com" });
  await page.locator("[name=email]").evaluate((input) => input.remove());
  await page.waitForTimeout(700);
  assert.deepEqual(page.complaints, []);
});

test("the button that was pressed is sent, and one that leads elsewhere is left to the browser", async (t) => {
  const planned = await Service.start({ "http.allowed_origins": shop, "user_metadata.allow": "plan" });
  const buttons = ["free", "pro"].map((plan) =>
    `<button name="user_metadata.plan" value="${plan}">${plan}</button>`);
  const elsewhere = '<button formaction="/there" formmethod="get">Log in instead</button>';
  files["/there"] = "<!doctype html><title>there</title>";
  const body = plain(buttons.join("") + elsewhere).replace(form, `${planned.url}/signup`);
  const page = await open(chromium, t, shown("/buttons", body));
  await page.waitForSelector("form[data-signup-ready]");
  await fill(page, { email: "button@example.com", password: ADA.password });
  await send(page, "text=pro");
  const [create] = await planned.creates("button@example.com");
  assert.equal(create.user_metadata.plan, "pro");
  await page.click("text=Log in instead");
  await page.waitForURL("**/there?**");
});

test("a page that keeps its form from being sent keeps it", async (t) => {
  const stop = `<script>document.forms[0].addEventListener("submit", (event) => event.preventDefault())</script>`;
  const page = await open(chromium, t, shown("/kept", plain() + stop));
  await page.waitForSelector("form[data-signup-ready]");
  const posts = await answer(page);
  await fill(page, { email: "kept@example.com", password: ADA.password });
  await page.click("form button");
  await page.waitForTimeout(200);
  assert.deepEqual(posts, []);
});

test("inputs outside their form, switched off or in a group, are inputs like others", async (t) => {
  const made = await Service.start({ "http.allowed_origins": shop, "user_metadata.allow": "plan" });
  const group = ["x".repeat(501), "free"].map((plan, nth) =>
    `<label>${nth}<input type="radio" name="user_metadata.plan" value="${plan}"></label>`);
  const body = `<form id="f" action="${made.url}/signup" method="post" data-signup>
    ${group.join("")}<input data-signup-ignore disabled aria-label="off"><button>Join</button></form>
    <label>E-mail <input form="f" name="email"></label>
    <label>Password <input form="f" name="password" type="password"></label>
    <label>Note <input form="f" name="note" data-signup-ignore></label>`;
  const page = await open(chromium, t, shown("/outside", body));
  await page.waitForSelector("form[data-signup-ready]");
  await page.locator("[disabled]").evaluate((input) => input.setCustomValidity("no"));
  await page.fill("[name=note]", "stays at home");
  await page.fill("[name=password]", ADA.password);
  await page.check("[type=radio] >> nth=0");
  const told = await send(page);
  assert.deepEqual(told.errors.map(({ field }) => field).sort(), ["email", "user_metadata.plan"]);
  const focused = () => page.evaluate(() => document.activeElement.name);
  assert.equal(await focused(), "user_metadata.plan");
  await page.check("[type=radio] >> nth=1");
  assert.equal(await page.locator("[type=radio][aria-invalid]").count(), 0);
  await page.fill("[name=email]", "outside@example.com");
  assert.equal(await page.locator("[aria-invalid]").count(), 0);
  assert.equal((await send(page)).status, "created");
  assert.equal(await page.textContent("[role=status] p"), "Your account was created.");
});

test("what came of it is in sight, and a form that is reset forgets it", async (t) => {
  const tall = '<div data-signup-rules></div><p style="height: 900px">…</p>';
  const page = await open(chromium, t, shown("/tall", plain(tall)), { viewport: { width: 320, height: 568 } });
  await page.waitForSelector("[data-rule]");
  await fill(page, { email: "nope", password: "abcdefgh" });
  await send(page);
  await page.evaluate(() => document.forms[0].reset());
  await page.locator("[data-rule='password.too_short'][data-met=false]").waitFor();
  assert.equal(await page.locator(".fault, [aria-invalid]").count(), 0);
  await fill(page, { email: "tall@example.com", password: ADA.password });
  assert.equal((await send(page)).status, "created");
  const box = page.locator("[role=status]:not(.hint)");
  await box.filter({ hasText: "created" }).waitFor();
  const { y } = await box.boundingBox();
  assert.ok(y > -1 && y < 568, `${y}`);
});

test("a form that went away while it was sent leads nowhere", async (t) => {
  const leading = plain().replace("data-signup", 'data-signup data-signup-success="/elsewhere"');
  const page = await open(chromium, t, shown("/left", leading));
  await page.waitForSelector("form[data-signup-ready]");
  await page.evaluate(() => {
    addEventListener("signup:submit", ({ target }) => setTimeout(() => target.remove()));
  });
  await fill(page, { email: "left@example.com", password: ADA.password });
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  await page.click("form button");
  assert.equal((await answered).status(), 201);
  await page.waitForTimeout(200);
  assert.equal(page.url(), `${shop}/left`);
});

test("a wait for a proof is told", async (t) => {
  const hard = await Service.start({
    "challenge.required": "always",
    "challenge.work.cost": 20_000,
    "challenge.work.tries": 1000,
    "auth0_compat.without_challenge": true,
  });
  const page = await open(chromium, t, `${hard.url}/signup`);
  const asked = page.waitForResponse("**/signup/challenge");
  await fill(page, { ...ADA, email: "hard@example.com" });
  await asked;
  await page.click("button[type=submit]");
  await page.getByRole("status").filter({ hasText: "One moment" }).waitFor();
});

test("what signUp is given decides the key, the language and the dates", async (t) => {
  const page = await open(chromium, t, form);
  const posts = await answer(page, ...Array(2).fill(says(400, '{"code":"x"}', "application/problem+json")));
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

test("a list can be the place for the rules, and another country is no mistake", async (t) => {
  const page = await open(chromium, t, shown("/list", plain("<ul data-signup-rules></ul>")));
  await page.waitForSelector("[data-signup-rules] > [data-rule]");
  assert.deepEqual(await axeViolations(page), []);
  const suggested = await page.evaluate(async (address) => {
    const { suggestEmail } = await import(address);
    const domains = ["hotmail.be", "yahoo.com.ar", "outlook.ie", "gmail.co", "hotmial.de", "yahoo.con"];
    return domains.map((domain) => suggestEmail(`a@${domain}`));
  }, `${service.url}/signup.js`);
  const meant = [undefined, undefined, undefined, "a@gmail.com", "a@hotmail.de", "a@yahoo.com"];
  assert.deepEqual(suggested, meant);
});
