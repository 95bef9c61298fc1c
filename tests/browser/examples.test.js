// The examples of docs/examples, used as their README describes: on another origin.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { build } from "esbuild";

import { ADA, Service, axeViolations, browser, done, fill, holdPosts, open, site } from "./support.js";

const examples = join(import.meta.dirname, "../../docs/examples");
const modules = join(import.meta.dirname, "node_modules");
const DEMO = "http://127.0.0.1:8080";

const files = {};
const shop = await site(files);
const chromium = await browser();
const settings = { "http.allowed_origins": shop, "page.login_url": "https://www.example.com/login" };
const service = await Service.start(settings);
const strict = await Service.start({
  ...settings,
  "challenge.required": "always",
  "auth0_compat.enabled": false,
  "challenge.work.cost": 1000,
});
const full = await Service.start({
  ...settings,
  "terms.version": "2026-11",
  "terms.url": "https://www.example.com/terms",
  "user_metadata.allow": "company_name",
  "user_metadata.keys.plan.values": "free,pro",
  "user_metadata.keys.seats.type": "integer",
  "user_metadata.keys.seats.max": 50,
  "user_metadata.keys.newsletter.type": "boolean",
});

/** Folder of an application with the React example and the service's module. */
const app = await mkdtemp(join(tmpdir(), "signup-example-"));
after(() => rm(app, { recursive: true }));
await cp(join(examples, "react"), app, { recursive: true });
await symlink(modules, join(app, "node_modules"));
for (const name of ["signup.js", "signup.d.ts"]) {
  const response = await fetch(`${service.url}/${name}`);
  await writeFile(join(app, name), await response.text());
}

const plain = await readFile(join(examples, "plain/index.html"), "utf8");
for (const [folder, { url }] of Object.entries({ "": service, "/strict": strict, "/full": full })) {
  files[`${folder}/plain/`] = plain.replaceAll(DEMO, url);
  files[`${folder}/react/`] = await readFile(join(app, "index.html"), "utf8");
  const { outputFiles } = await build({
    absWorkingDir: app,
    entryPoints: ["main.tsx"],
    bundle: true,
    minify: true,
    jsx: "automatic",
    write: false,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  files[`${folder}/react/bundle.js`] = outputFiles[0].text.replaceAll(DEMO, url);
}

/** Includes the lines that are only for some services. */
files["/full/plain/"] = files["/full/plain/"].replace(/<!-- For a service with [^:]*:([^]*?)-->/, "$1");

/** Opens an example, and waits until it is ready. */
const visit = async (t, path, options) => {
  const page = await open(chromium, t, `${shop}${path}`, options);
  await page.waitForSelector("form[data-signup-ready], form[aria-busy=false]");
  return page;
};

const send = (page) => page.click("form button:not([type=button])");
const created = (page) =>
  page.locator(".signup-done, [role=status]").filter({ hasText: /account .*created/ }).waitFor();

/** Waits until a field is marked as invalid, and returns its error. */
const errorOf = async (page, name) => {
  const input = page.locator(`[name="${name}"][aria-invalid=true]`);
  await input.waitFor();
  const [id] = (await input.getAttribute("aria-describedby")).split(" ");
  const place = page.locator(`[id="${id}"]`);
  assert.ok(await place.isVisible());
  return place.textContent();
};

/** Collects the keys of a page's posts. `respond` may return a response of its own. */
const posts = async (page, respond = () => {}) => {
  const keys = [];
  await page.route(`${service.url}/signup`, async (route) => {
    const request = route.request();
    if (request.method() !== "POST") return route.fallback();
    keys.push(new URLSearchParams(request.postData()).get("idempotency_key"));
    const response = respond(keys.length);
    return response ? route.fulfill(response) : route.fallback();
  });
  return keys;
};

const busy = (seconds) => ({
  status: 503,
  contentType: "application/problem+json",
  headers: { "Access-Control-Allow-Origin": shop, "Retry-After": String(seconds) },
  body: JSON.stringify({ code: "upstream_busy", detail: "Too many at once.", retry_after: seconds }),
});

for (const example of ["plain", "react"]) {
  const address = (name) => `${name}.${example}@example.com`;

  test(`${example}: a user signs up, with all attributes in one call`, async (t) => {
    const page = await visit(t, `/${example}/`);
    await fill(page, { ...ADA, email: address("ada") });
    await send(page);
    await created(page);
    const [create, ...more] = await service.creates(address("ada"));
    assert.deepEqual(more, []);
    const { given_name, family_name, name } = create;
    assert.deepEqual([given_name, family_name, name], ["Ada", "Lovelace", "Ada Lovelace"]);
    assert.deepEqual(page.consoleErrors, []);
  });

  test(`${example}: errors are shown at their fields`, async (t) => {
    const page = await visit(t, `/${example}/`);
    await fill(page, { ...ADA, email: "nope", password: "abc" });
    await send(page);
    assert.match(await errorOf(page, "email"), /full email address/);
    assert.match(await errorOf(page, "password"), /at least 8 characters/i);
    await page.locator("[role=alert]:focus, [name=email]:focus").waitFor();
    assert.deepEqual(await axeViolations(page), []);
    await fill(page, { email: address("corrected"), password: ADA.password });
    await send(page);
    await created(page);
  });

  test(`${example}: a taken address is reported beside its field`, async (t) => {
    const taken = { ...ADA, email: address("taken") };
    await fetch(`${service.url}/signup`, { method: "POST", body: new URLSearchParams(taken) });
    const page = await visit(t, `/${example}/`);
    await fill(page, { ...taken, password: "Analytical-Engine-1837" });
    await send(page);
    const place = example === "react" ? errorOf(page, "email") : page.textContent("[role=alert]");
    assert.match(await place, /already an account/);
    await fill(page, { email: address("not.taken") });
    await send(page);
    await created(page);
    assert.equal((await service.creates(address("not.taken"))).length, 1);
  });

  test(`${example}: the password rules follow what is typed`, async (t) => {
    const page = await visit(t, `/${example}/`);
    const rule = page.getByRole("listitem").filter({ hasText: "At least 8 characters" });
    const before = await rule.textContent();
    await fill(page, { password: "12345678" });
    assert.notEqual(await rule.textContent(), before);
  });

  test(`${example}: a proof of work is solved when it is required`, async (t) => {
    const page = await visit(t, `/strict/${example}/`);
    await fill(page, { ...ADA, email: address("proof") });
    await send(page);
    await created(page);
    assert.equal((await strict.creates(address("proof"))).length, 1);
    assert.deepEqual(page.consoleErrors, []);
  });

  test(`${example}: a double click sends once`, async (t) => {
    const page = await visit(t, `/${example}/`);
    const keys = await posts(page);
    await fill(page, { ...ADA, email: address("double") });
    const release = await holdPosts(page);
    await page.dblclick("form button");
    release();
    await created(page);
    assert.equal(keys.length, 1);
    assert.equal((await service.creates(address("double"))).length, 1);
  });

  test(`${example}: a request to a busy service is retried with the same key`, async (t) => {
    const page = await visit(t, `/${example}/`);
    const keys = await posts(page, (nth) => nth === 1 && busy(1));
    await fill(page, { ...ADA, email: address("busy") });
    await send(page);
    await created(page);
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
    assert.equal((await service.creates(address("busy"))).length, 1);
  });

  test(`${example}: a longer wait is left to the user, and enforced`, async (t) => {
    const page = await visit(t, `/${example}/`);
    await page.clock.install();
    const keys = await posts(page, (nth) => nth === 1 && busy(60));
    await fill(page, { ...ADA, email: address("later") });
    await send(page);
    await page.getByRole("alert").filter({ hasText: "Try again in 60 seconds" }).waitFor();
    // Enter, since the button may be disabled.
    await page.press("[name=email]", "Enter");
    // Half of it, since the clock runs on meanwhile.
    await page.clock.fastForward(30_000);
    await page.press("[name=email]", "Enter");
    assert.equal(keys.length, 1);
    await page.clock.fastForward(30_000);
    await send(page);
    await created(page);
    assert.equal(keys.length, 2);
    assert.equal(keys[0], keys[1]);
  });
}

/** Returns the attributes, the metadata and the terms of the create-user call for an address. */
const attributes = async (email) => {
  const [{ given_name, family_name, name, nickname, picture, user_metadata, app_metadata }] =
    await full.creates(email);
  const terms = app_metadata?.terms.version;
  return { given_name, family_name, name, nickname, picture, user_metadata, terms };
};

test("react: all fields of the policy are shown and sent", async (t) => {
  const page = await visit(t, "/full/react/");
  const email = "full.react@example.com";
  const given = {
    given_name: "Ada",
    family_name: "Lovelace",
    name: "Countess of Lovelace",
    nickname: "ada",
    picture: "https://www.example.com/ada.png",
  };
  await fill(page, { ...given, email, password: ADA.password });
  await page.getByLabel("Company name").fill("Engines & Co");
  await page.getByLabel("Plan").selectOption("pro");
  await page.getByLabel("Seats").fill("3");
  await page.getByLabel("Newsletter").check();
  const terms = page.getByRole("link", { name: "terms" });
  assert.equal(await terms.getAttribute("href"), "https://www.example.com/terms");
  await page.getByLabel("I accept the terms").check();
  assert.deepEqual(await axeViolations(page), []);
  await send(page);
  await created(page);
  const user_metadata = { company_name: "Engines & Co", plan: "pro", seats: 3, newsletter: true };
  assert.deepEqual(await attributes(email), { ...given, user_metadata, terms: "2026-11" });
  assert.deepEqual(page.consoleErrors, []);
});

test("react: all texts are in the language of the page", async (t) => {
  files["/full/react/de"] = files["/full/react/"].replace('lang="en"', 'lang="de_DE"');
  const page = await visit(t, "/full/react/de");
  await page.getByLabel("Vorname (optional)").fill("Ada");
  await page.getByRole("checkbox", { name: "Ich stimme den Nutzungsbedingungen zu." }).waitFor();
  await page.getByRole("button", { name: "Konto erstellen" }).click();
  assert.match(await errorOf(page, "email"), /geben Sie Ihre E-Mail-Adresse ein/);
  assert.deepEqual(page.consoleErrors, []);
});

test("react: optional fields may be left blank", async (t) => {
  const page = await visit(t, "/full/react/");
  const email = "blank.react@example.com";
  await fill(page, { ...ADA, email });
  await page.getByLabel("I accept the terms").check();
  await send(page);
  await created(page);
  const { given_name, family_name } = ADA;
  assert.deepEqual(await attributes(email), {
    ...{ given_name, family_name, name: "Ada Lovelace", nickname: undefined, picture: undefined },
    ...{ user_metadata: undefined, terms: "2026-11" },
  });
});

test("react: errors of metadata, picture and terms are shown at their fields", async (t) => {
  const page = await visit(t, "/full/react/");
  const email = "corrected.full.react@example.com";
  await fill(page, { ...ADA, email, picture: "ada.png", "user_metadata.seats": "51" });
  await send(page);
  assert.match(await errorOf(page, "picture"), /isn't allowed/);
  assert.ok(await errorOf(page, "user_metadata.seats"));
  assert.match(await errorOf(page, "terms"), /Accept the terms/);
  assert.equal(await page.getByRole("alert").count(), 0);
  assert.deepEqual(await axeViolations(page), []);
  assert.deepEqual(await full.creates(email), []);
  await fill(page, { picture: "", "user_metadata.seats": "50" });
  await page.getByLabel("I accept the terms").check();
  await send(page);
  await created(page);
  assert.deepEqual((await attributes(email)).user_metadata, { seats: 50 });
});

test("react: without the policy the form has the fields that every service accepts", async (t) => {
  const page = await open(chromium, t, null);
  await page.route("**/signup/policy", (route) => route.fulfill({ status: 503, body: "{}" }));
  await page.goto(`${shop}/react/`);
  await page.waitForSelector("form[aria-busy=false]");
  const email = "no.policy.react@example.com";
  await fill(page, { email, password: ADA.password });
  await send(page);
  await created(page);
  assert.equal((await service.creates(email)).length, 1);
});

test("plain: a key of user_metadata and the terms can be added as its comment describes", async (t) => {
  const page = await visit(t, "/full/plain/");
  const email = "full.plain@example.com";
  await fill(page, { ...ADA, email });
  await send(page);
  assert.match(await errorOf(page, "terms"), /Accept the terms/);
  await page.getByLabel("Plan").selectOption("pro");
  await page.getByLabel("I accept the terms").check();
  await send(page);
  await created(page);
  const { user_metadata, terms } = await attributes(email);
  assert.deepEqual([user_metadata, terms], [{ plan: "pro" }, "2026-11"]);
});

test("plain: without JavaScript the service's pages take over", async (t) => {
  const page = await open(chromium, t, `${shop}/plain/`, { javaScriptEnabled: false });
  await page.evaluate(() => document.querySelectorAll("[required]").forEach((i) => (i.required = false)));
  await fill(page, { ...ADA, email: "nope@example" });
  await send(page);
  await page.waitForURL(`${service.url}/signup`);
  assert.match(await page.textContent("[role=alert]"), /full email address/);
  await fill(page, { email: "plain.no.script@example.com", password: ADA.password });
  await send(page);
  await done(page);
  const [create] = await service.creates("plain.no.script@example.com");
  assert.equal(create.name, "Ada Lovelace");
});

test("the module's types and the React example pass the type checker", async () => {
  const flags = ["--noEmit", "--strict", "--jsx", "react-jsx", "--target", "es2022"];
  const more = ["--module", "esnext", "--moduleResolution", "bundler", "--noUncheckedIndexedAccess"];
  // Other uses in a page written in TypeScript.
  const use = `import { signUp, type Result } from "./signup.js";
    interface Plan { plan: string; seats?: number }
    interface Person { email: string; password: string; nickname?: string | null; user_metadata: Plan }
    export const join = (person: Person): Promise<Result> => signUp("https://x.example/signup", person);
    document.addEventListener("signup:result", ({ detail }) => detail.status);
    window.addEventListener("signup:created", ({ detail }) => detail.user.user_id);
    document.forms[0]?.addEventListener("signup:offline", ({ detail }) => detail.retryAfter);
    // @ts-expect-error a symbol cannot be a field value
    signUp("https://x.example/signup", { email: Symbol("x") });`;
  await writeFile(join(app, "use.ts"), use);
  const sources = ["main.tsx", "SignUp.tsx", "use.ts", "signup.d.ts"];
  const tsc = join(modules, ".bin/tsc");
  execFileSync(tsc, [...flags, ...more, ...sources], { cwd: app, stdio: "inherit" });
});
