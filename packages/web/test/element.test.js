// <auth0-signup> and the hook of React, in pages that use them beyond the examples.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { getPolicy } from "../src/index.js";
import { build } from "../../../tests/browser/node_modules/esbuild/lib/main.js";
import { ADA, Service, axeViolations, browser, open, site } from "../../../tests/browser/support.js";

const files = {};
const shop = await site(files);
const [chromium, service] = await Promise.all([
  browser(),
  Service.start({
    "http.allowed_origins": shop,
    "terms.version": "2026-11",
    "terms.url": "https://www.example.com/terms",
    "user_metadata.allow": "source",
    "user_metadata.keys.seats.type": "integer",
    "user_metadata.keys.newsletter.type": "boolean",
  }),
]);
const url = `${service.url}/signup`;

/** Bundles a script that imports from the package, with React from the browser tests. */
async function bundle(contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(import.meta.dirname, "../src"), loader: "jsx" },
    bundle: true,
    format: "esm",
    jsx: "automatic",
    nodePaths: [join(import.meta.dirname, "../../../tests/browser/node_modules")],
    write: false,
  });
  return outputFiles[0].text;
}
const pageOf = (script, body, lang = "en") =>
  `<!doctype html><html lang="${lang}"><meta name="color-scheme" content="light dark"><title>Join</title>
  <link rel="icon" href="data:,"><main>${body}</main><script type="module" src="${script}"></script>`;

files["/element.js"] = await bundle('import "./element.js";');
const element = (attributes, content = "") => `<auth0-signup url="${url}" ${attributes}>${content}</auth0-signup>`;

async function visit(t, path, options) {
  const page = await open(chromium, t, null, options);
  await page.goto(shop + path);
  await page.locator("form[data-signup-ready]").waitFor();
  return page;
}
const complete = async (page, email) => {
  for (const [name, value] of Object.entries({ ...ADA, email })) await page.fill(`[name="${name}"]`, value);
  await page.check('[name="terms"]');
};
const send = (page) => page.click("form > button:not([type=button])");

test("the element is in the language around it, and passes with axe", async (t) => {
  files["/de"] = pageOf("/element.js", element("", "<h1 slot=heading>Konto</h1>"), "de");
  const page = await visit(t, "/de");
  await page.getByLabel("Vorname").fill("Ada");
  await send(page);
  await page.getByText("Bitte geben Sie Ihre E-Mail-Adresse ein").first().waitFor();
  await page.getByRole("button", { name: "Konto erstellen" }).waitFor();
  assert.deepEqual(await axeViolations(page), []);
});

files["/react-lang.js"] = await bundle(`
  import { createRoot } from "react-dom/client";
  import { SignupForm } from "./react.js";
  createRoot(document.querySelector("main")).render(<SignupForm url="${url}" lang={location.search.slice(1)} />);`);
for (const [name, page] of Object.entries({
  "the element": (lang) => pageOf("/element.js", element(`lang="${lang}"`)),
  React: () => pageOf("/react-lang.js", ""),
})) {
  for (const [lang, texts, direction] of [["ar", "ar", "rtl"], ["da", "en", "ltr"]]) {
    test(`${name}: what is drawn for ${lang} has the language and the direction of its texts, up to the message`, async (t) => {
      files[`/in-${lang}`] = page(lang);
      const shown = await visit(t, `/in-${lang}?${lang}`);
      const language = (selector) => shown.locator(selector).evaluate((drawn) => [drawn.closest("[lang]").lang, getComputedStyle(drawn).direction]);
      assert.deepEqual(await language("form"), [texts, direction]);
      await complete(shown, `${name.length}.${lang}@example.com`);
      await send(shown);
      await shown.locator(".signup-done").waitFor();
      assert.deepEqual(await language(".signup-done"), [texts, direction]);
    });
  }
}

files["/react-around.js"] = await bundle(`
  import { createRoot } from "react-dom/client";
  import { SignupForm } from "./react.js";
  createRoot(document.querySelector("main")).render(<SignupForm url="${url}"><h1>הצטרפות</h1><p>שלום!</p></SignupForm>);`);
for (const [name, script, body] of [
  ["the element", "/element.js", element("", '<h1 slot="heading">הצטרפות</h1><b slot="submit">הצטרפות</b><p slot="footer">שלום!</p>')],
  ["React", "/react-around.js", ""],
]) {
  test(`${name}: what the page puts in keeps its own language and direction beside texts in another`, async (t) => {
    files["/around"] = pageOf(script, body, "he").replace("<main", '<main dir="rtl"');
    const page = await visit(t, "/around");
    const language = (selector) => page.locator(selector).evaluate((part) => [part.closest("[lang]").lang, getComputedStyle(part).direction]);
    for (const part of ["h1", "main p:has-text('שלום!')"]) assert.deepEqual(await language(part), ["he", "rtl"], part);
    assert.deepEqual(await language("[name=email]"), ["en", "ltr"]);
    await send(page);
    await page.locator(".signup-alert:focus").waitFor();
    assert.deepEqual(await language(".signup-alert h2"), ["en", "ltr"]);
    const [heading, alert] = [await page.locator("h1").boundingBox(), await page.locator(".signup-alert").boundingBox()];
    assert.ok(heading.y < alert.y, "the alert is below the heading");
  });
}

test("the message of a success takes the place of a slotted heading, at its level", async (t) => {
  files["/heading"] = pageOf("/element.js", element("", "<h1 slot=heading>Join Acme</h1>"));
  const page = await visit(t, "/heading");
  await complete(page, "heading@example.com");
  await send(page);
  await page.locator(".signup-done").waitFor();
  assert.deepEqual(await page.locator("h1:visible").allTextContents(), ["Welcome, Ada"]);
});

test("the element sends slotted fields, and takes parts, a button's words and integers", async (t) => {
  const more = '<input slot="fields" type="hidden" name="user_metadata.source" value="fair"><b slot="submit">Go</b>';
  const style = "<style>auth0-signup::part(button) { background: rgb(1, 2, 3) }</style>";
  files["/slots"] = pageOf("/element.js", style + element("", more));
  const page = await visit(t, "/slots");
  await complete(page, "slots@example.com");
  await page.fill('[name="user_metadata.seats"]', "3");
  await page.check('[name="user_metadata.newsletter"]');
  const button = page.getByRole("button", { name: "Go" });
  assert.equal(await button.evaluate((shown) => getComputedStyle(shown).backgroundColor), "rgb(1, 2, 3)");
  await button.click();
  await page.locator(".signup-done").waitFor();
  assert.equal(await page.locator(".signup-done").getAttribute("part"), "done");
  const [create] = await service.creates("slots@example.com");
  assert.deepEqual(create.user_metadata, { source: "fair", seats: 3, newsletter: true });
  assert.deepEqual(page.consoleErrors, []);
});

test("a slotted field replaces the drawn one in either spelling", async (t) => {
  const seats = '<input slot="fields" type="hidden" name="user_metadata[seats]" value="3">';
  files["/spelled"] = pageOf("/element.js", element("", seats));
  const page = await visit(t, "/spelled");
  assert.equal(await page.locator("form [name*=seats]").count(), 0);
  await complete(page, "spelled@example.com");
  await send(page);
  await page.locator(".signup-done").waitFor();
  const [create] = await service.creates("spelled@example.com");
  assert.equal(create.user_metadata.seats, 3);
});

test("a slotted field in a disabled group is not sent, and the drawn one stays", async (t) => {
  const group = `<fieldset slot="fields" disabled><input type="hidden" name="user_metadata.source" value="no">
    <input name="user_metadata.seats" value="4"></fieldset>`;
  files["/group"] = pageOf("/element.js", element("", group));
  const page = await visit(t, "/group");
  await complete(page, "group@example.com");
  await page.fill('form [name="user_metadata.seats"]', "3");
  await send(page);
  await page.locator(".signup-done").waitFor();
  const [create] = await service.creates("group@example.com");
  assert.deepEqual(create.user_metadata, { seats: 3 });
});

test("a slotted field that is enabled after the drawing takes the place of the drawn one", async (t) => {
  files["/enabled"] = pageOf("/element.js", element("", '<input slot="fields" name="user_metadata[seats]" value="4" disabled>'));
  const page = await visit(t, "/enabled");
  await complete(page, "enabled@example.com");
  await page.evaluate(() => (document.querySelector("[slot=fields]").disabled = false));
  await send(page);
  await page.locator(".signup-done").waitFor();
  const [create] = await service.creates("enabled@example.com");
  assert.deepEqual(create.user_metadata, { seats: 4 });
});

test("a click on the element's text leaves the focus, one on a label moves it, and so does focus()", async (t) => {
  files["/focus"] = pageOf("/element.js", element('lang="en"', '<p slot="heading">About</p>'));
  const page = await visit(t, "/focus");
  const focused = () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.name);
  await page.locator("[data-rule]").first().click();
  await page.getByText("About").click();
  assert.equal(await focused(), undefined);
  await page.getByText("Password", { exact: true }).click();
  assert.equal(await focused(), "password");
  await page.evaluate(() => document.querySelector("auth0-signup").focus());
  assert.equal(await focused(), await page.locator("form label :is(input, select)").first().getAttribute("name"));
});

test("the element follows its attribute success, and has the policy that it is drawn from", async (t) => {
  Object.assign(files, { "/old": pageOf("/none.js", "old"), "/new": pageOf("/none.js", "new") });
  files["/follows"] = pageOf("/element.js", element('success="/old"'));
  const page = await visit(t, "/follows");
  const drawn = await page.evaluate(() => document.querySelector("auth0-signup").policy.order);
  assert.ok(drawn.includes("email"), String(drawn));
  await page.evaluate(() => document.querySelector("auth0-signup").setAttribute("success", "/new?{login_hint}"));
  await complete(page, "follows@example.com");
  await send(page);
  await page.waitForURL(`${shop}/new?follows%40example.com`);
});

test("events leave the element once, and a cancelled one stops the form", async (t) => {
  files["/events"] = pageOf("/element.js", element(""));
  const page = await visit(t, "/events");
  await page.evaluate(() => {
    globalThis.seen = [];
    const element = document.querySelector("auth0-signup");
    for (const name of ["submit", "result", "created", "done"]) {
      document.addEventListener(`signup:${name}`, (event) => {
        globalThis.seen.push([name, event.target === element]);
        if (name === "submit" && globalThis.stop) event.preventDefault();
        if (name === "done") event.preventDefault();
      });
    }
    globalThis.stop = true;
  });
  await complete(page, "events@example.com");
  await send(page);
  assert.deepEqual(await page.evaluate(() => globalThis.seen), [["submit", true]]);
  await page.evaluate(() => (globalThis.stop = false));
  await send(page);
  await page.waitForFunction(() => globalThis.seen.length > 4);
  const names = (await page.evaluate(() => globalThis.seen)).slice(1).map(([name]) => name);
  assert.deepEqual(names, ["submit", "result", "created", "done"]);
  assert.equal(await page.locator(".signup-done").count(), 0, "the page shows its own message");
});

test("success opens the login with the address", async (t) => {
  files["/login"] = pageOf("/none.js", "login");
  files["/success"] = pageOf("/element.js", element('success="/login?login_hint={login_hint}"'));
  const page = await visit(t, "/success");
  await complete(page, "a+b@example.com");
  await send(page);
  await page.waitForURL(`${shop}/login?login_hint=a%2Bb%40example.com`);
});

/** Moves the element, and waits until it has noticed. */
const move = (page) =>
  page.evaluate(() => {
    document.getElementById("to").append(document.querySelector("auth0-signup"));
    return new Promise((resolve) => setTimeout(resolve));
  });

test("an element keeps what was typed when it is moved, removed or gets another language or address", async (t) => {
  files["/moved"] = pageOf("/element.js", `<p id="from">${element("")}</p><p id="to"></p>`);
  const page = await visit(t, "/moved");
  await complete(page, "moved@example.com");
  const form = await page.locator("form").elementHandle();
  await move(page);
  assert.ok(await form.evaluate((drawn) => drawn.isConnected), "the same form");
  await page.evaluate(() => document.querySelector("auth0-signup").setAttribute("lang", "fr"));
  await page.getByLabel("Adresse e-mail").waitFor();
  assert.equal(await page.locator("form").count(), 1);
  await page.evaluate(async (address) => {
    const element = document.querySelector("auth0-signup");
    element.remove();
    await new Promise((resolve) => setTimeout(resolve));
    element.setAttribute("url", address);
    document.querySelector("main").append(element);
  }, `${url}?again`);
  await page.locator("form[action$=again][data-signup-ready]").waitFor();
  await send(page);
  await page.locator(".signup-done").waitFor();
  const [{ email, password, given_name }] = await service.creates("moved@example.com");
  assert.deepEqual({ email, password, given_name }, { email: "moved@example.com", password: ADA.password, given_name: "Ada" });
});

test("a request goes on while its element is moved or gets another language, and is drawn afterwards", async (t) => {
  files["/busy"] = pageOf("/element.js", `${element("")}<p id="to"></p>`);
  const page = await visit(t, "/busy");
  const keys = [];
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route(/\/signup$/, async (route) => {
    const body = route.request().postData();
    if (!body) return route.fallback();
    keys.push(new URLSearchParams(body).get("idempotency_key"));
    await released;
    return keys.length > 1 ? route.fallback() : route.fulfill({ status: 400, json: { code: "malformed_body", detail: "x" } });
  });
  await complete(page, "busy@example.com");
  await send(page);
  await page.locator("form[data-signup-busy]").waitFor();
  await move(page);
  await page.evaluate(() => document.querySelector("auth0-signup").setAttribute("lang", "fr"));
  await page.waitForTimeout(200);
  assert.equal(await page.locator("form[data-signup-busy]").count(), 1);
  release();
  await page.getByLabel("Adresse e-mail").waitFor();
  await send(page);
  await page.locator(".signup-done").waitFor();
  assert.deepEqual(keys, [keys[0], keys[0]]);
});

test("the element shows its content until the policy is there, loads it once, and takes one set early", async (t) => {
  files["/waiting"] = pageOf("/element.js", element('lang="fr"', '<a href="/elsewhere">Create an account</a>'));
  const page = await open(chromium, t);
  let [release, count] = [undefined, 0];
  const released = new Promise((resolve) => (release = resolve));
  await page.route("**/signup/policy", async (route) => {
    count++;
    await released;
    await route.fallback().catch(() => {});
  });
  await page.goto(`${shop}/waiting`);
  await page.getByText("Create an account").waitFor();
  release();
  await page.locator("form[data-signup-ready]").waitFor();
  assert.equal(await page.getByText("Create an account").isVisible(), false);
  assert.equal(count, 1);

  const policy = await (await fetch(`${url}/policy`)).text();
  const early = `<script>document.querySelector("auth0-signup").policy = ${policy.replaceAll("<", "\\u003c")}</script>`;
  files["/early"] = pageOf("/element.js", element("") + early);
  await page.goto(`${shop}/early`);
  await page.locator("form[data-signup-ready]").waitFor();
  assert.equal(count, 1);
});

test("after a success the message stays when the element is moved or gets another language", async (t) => {
  files["/after"] = pageOf("/element.js", `<p>${element("")}</p><p id="to"></p>`);
  const page = await visit(t, "/after");
  await complete(page, "after@example.com");
  await send(page);
  await page.locator(".signup-done").waitFor();
  await page.evaluate(() => {
    const moved = document.querySelector("auth0-signup");
    document.getElementById("to").append(moved);
    moved.lang = "fr";
  });
  await page.waitForTimeout(500);
  assert.equal(await page.locator("#to .signup-done").isVisible(), true);
  assert.equal(await page.locator("form:visible").count(), 0);
});

test("the password is described by its rules, in the element and in React", async (t) => {
  files["/described.js"] = await bundle(`
    import "./element.js";
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    createRoot(document.querySelector("#react")).render(<SignupForm url="${url}" />);`);
  files["/described"] = pageOf("/described.js", `<div id="react"></div>${element("")}`);
  const page = await open(chromium, t, `${shop}/described`);
  for (const where of ["#react", "auth0-signup"]) {
    await page.locator(`${where} [data-rule="password.too_short"]`).waitFor();
    const description = await page.locator(`${where} [name="password"]`).evaluate((input) =>
      input.getRootNode().getElementById(input.getAttribute("aria-describedby"))?.textContent);
    assert.match(description, /At least 8 characters/, where);
  }
});

test("the policy's words and addresses are data", async (t) => {
  files["/terms"] = pageOf("/element.js", element(""));
  const page = await open(chromium, t);
  await page.route("**/signup/policy", async (route) => {
    const response = await route.fetch();
    const policy = await response.json();
    policy.terms.url = "javascript:alert(1)";
    Object.assign(policy.user_metadata.source, { values: ["constructor"], options: {} });
    policy.order.push("user_metadata.source");
    await route.fulfill({ response, json: policy });
  });
  await page.goto(`${shop}/terms`);
  await page.locator("form[data-signup-ready]").waitFor();
  assert.equal(await page.locator("label a").getAttribute("href"), null);
  assert.equal(await page.locator("option").last().innerText(), "constructor");
});

test("the fallback of React and of the element stands until the policy is there, which is requested again", async (t) => {
  files["/late.js"] = await bundle(`
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    const root = (selector) => createRoot(document.querySelector(selector));
    root("#default").render(<SignupForm url="${url}" />);
    root("#own").render(<SignupForm url="http://127.0.0.1:9/signup" fallback={<b>Not now</b>} />);`);
  files["/late"] = pageOf("/late.js", `<p id="default"></p><p id="own"></p><script type="module" src="/element.js"></script>
    ${element("", "Wait")}`);
  const page = await open(chromium, t);
  let count = 0;
  await page.route(`${url}/policy`, (route) => (count++ > 2 ? route.fallback() : route.fulfill({ status: 503 })));
  await page.goto(`${shop}/late`);
  assert.equal(await page.getByRole("link", { name: "Create an account" }).getAttribute("href"), url);
  await page.getByText("Not now").waitFor();
  await page.getByText("Wait").waitFor();
  await page.locator("#default form[data-signup-ready]").waitFor();
  await page.locator("auth0-signup form[data-signup-ready]").waitFor();
  assert.equal(count, 5);
});

test("React: a form drawn from the policy keeps the page's own checks", async (t) => {
  files["/consent.js"] = await bundle(`
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    createRoot(document.querySelector("main")).render(<SignupForm url="${url}">
      <label><input type="checkbox" name="adult" required data-signup-ignore /> I am an adult</label>
      <label><input type="checkbox" name="user_metadata.fair" required /> I play fair</label></SignupForm>);`);
  files["/consent"] = pageOf("/consent.js", "");
  const page = await visit(t, "/consent");
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request));
  const focused = () => page.evaluate(() => document.activeElement.name);
  await complete(page, "consent@example.com");
  await send(page);
  assert.equal(await focused(), "adult");
  await page.check("[name=adult]");
  await send(page);
  assert.equal(await focused(), "user_metadata.fair");
  // What the policy requires is left to the service, which reports all errors at once.
  await page.fill("[name=email]", "");
  await page.check("[name='user_metadata.fair']");
  assert.deepEqual(sent, []);
  await send(page);
  await page.locator(".signup-alert li").first().waitFor();
  assert.equal(sent.length, 1);
});

test("React: labels, messages and the next page are in the language of the form", async (t) => {
  files["/lang.js"] = await bundle(`
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    createRoot(document.querySelector("main")).render(<SignupForm url="${url}" lang="fr" />);`);
  files["/lang"] = pageOf("/lang.js", "");
  const page = await visit(t, "/lang");
  await page.getByLabel("Adresse e-mail").fill("nope");
  const [request] = await Promise.all([
    page.waitForRequest((sent) => sent.method() === "POST"),
    send(page),
  ]);
  assert.equal(request.headers()["accept-language"], "fr");
  assert.equal(new URLSearchParams(request.postData()).get("ui_locales"), "fr");
  await page.locator(".signup-alert").waitFor();
  assert.match(await page.locator(".signup-error").first().innerText(), /^Format attendu/);
  assert.equal(await page.locator("form").evaluate((form) => form.closest("[lang]").lang), "fr");
});

test("React: another language reaches all of a form, after its request, and leaves the message of a success", async (t) => {
  files["/langs.js"] = await bundle(`
    import { useState } from "react";
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    function App() {
      const [lang, setLang] = useState("en");
      return <>{["en", "fr", "de"].map((tag) => <button key={tag} type="button" onClick={() => setLang(tag)}>{tag}</button>)}
        <SignupForm url="${url}" lang={lang} /></>;
    }
    createRoot(document.querySelector("main")).render(<App />);`);
  files["/langs"] = pageOf("/langs.js", "");
  const page = await open(chromium, t);
  await page.addInitScript(() => {
    globalThis.readyCount = 0;
    addEventListener("signup:ready", () => globalThis.readyCount++);
  });
  await page.goto(`${shop}/langs`);
  const texts = () => Promise.all(["[data-signup-reveal]", "[data-rule]"].map((part) => page.locator(part).first().innerText()));
  const [show, rule] = [page.locator("[data-signup-reveal]"), page.locator("[data-rule]")];
  await rule.first().waitFor();
  assert.equal(await page.evaluate(() => globalThis.readyCount), 1);
  assert.match((await texts()).join(), /^Show,.*At least/s);
  await complete(page, "langs@example.com");
  await page.getByRole("button", { name: "fr", exact: true }).click();
  await show.filter({ hasText: "Afficher" }).waitFor();
  await rule.first().filter({ hasText: "Au moins" }).waitFor();
  assert.equal(await page.inputValue('[name="email"]'), "langs@example.com");

  const sent = [];
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route(/\/signup$/, async (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    sent.push(new URLSearchParams(route.request().postData()).get("ui_locales"));
    await released;
    return sent.length > 1 ? route.fallback() : route.fulfill({ status: 400, json: { code: "malformed_body", detail: "x" } });
  });
  await page.click("form > button:not([type=button])");
  await page.getByRole("button", { name: "de", exact: true }).click();
  await page.getByLabel("Vorname").waitFor();
  assert.equal(await page.locator("form[data-signup-busy]").count(), 1);
  release();
  await show.filter({ hasText: "Anzeigen" }).waitFor();
  await page.click("form > button:not([type=button])");
  await page.locator(".signup-done").waitFor();
  await page.getByRole("button", { name: "en", exact: true }).click();
  await page.waitForFunction(() => document.querySelector("form").closest("[lang]").lang === "en");
  await page.waitForTimeout(500);
  assert.equal(await page.locator(".signup-done").isVisible(), true);
  assert.deepEqual(sent, ["fr", "de"]);
  assert.deepEqual(page.consoleErrors, []);
});

test("each element has its own key over a reload", async (t) => {
  const [a, b] = ["a", "b"].map((id) => `<div id="${id}">${element("")}</div>`);
  files["/keys"] = pageOf("/element.js", a + b);
  const page = await open(chromium, t);
  let loses = true;
  await page.route(/\/signup$/, async (route) => {
    if (route.request().method() !== "POST" || !loses) return route.fallback();
    await route.fetch();
    await route.abort("connectionreset");
  });
  const signUp = async (id, email) => {
    for (const [name, value] of Object.entries({ ...ADA, email })) await page.fill(`#${id} [name="${name}"]`, value);
    await page.check(`#${id} [name="terms"]`);
    const done = page.locator(`#${id}`).evaluate((around) =>
      new Promise((resolve) => around.addEventListener("signup:result", ({ detail }) => resolve([detail.status, detail.replayed]))));
    await page.click(`#${id} form > button:not([type=button])`);
    return done;
  };
  const load = async () => {
    await page.goto(`${shop}/keys`);
    for (const id of ["a", "b"]) await page.locator(`#${id} form[data-signup-ready]`).waitFor();
  };
  await load();
  assert.deepEqual(await signUp("a", "key.a@example.com"), ["offline", undefined]);
  loses = false;
  assert.deepEqual(await signUp("b", "key.b@example.com"), ["created", false]);
  await load();
  assert.deepEqual(await signUp("a", "key.a@example.com"), ["created", true]);
});

test("React: a consent ends with the terms that it was given for, and stays over another language", async (t) => {
  files["/versions.js"] = await bundle(`
    import { useState } from "react";
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    function App() {
      const [policy, setPolicy] = useState(globalThis.policy);
      globalThis.setPolicy = setPolicy;
      return <SignupForm url="${url}" policy={policy} />;
    }
    globalThis.start = (policy) => {
      globalThis.policy = policy;
      createRoot(document.querySelector("main")).render(<App />);
    };`);
  files["/versions"] = pageOf("/versions.js", "");
  const page = await open(chromium, t, `${shop}/versions`);
  const policy = async (lang, version) => {
    const loaded = await getPolicy(url, { lang });
    return { ...loaded, terms: { ...loaded.terms, version } };
  };
  await page.waitForFunction(() => globalThis.start);
  await page.evaluate((first) => globalThis.start(first), await policy("en", "2026-10"));
  await page.locator("form[data-signup-ready]").waitFor();
  await complete(page, "versions@example.com");
  const show = async (next, lang) => {
    await page.evaluate((policy) => globalThis.setPolicy(policy), next);
    await page.waitForFunction((lang) => document.querySelector("form").closest("[lang]").lang === lang, lang);
    const { value, checked } = await page.locator("[name=terms]").evaluate(({ value, checked }) => ({ value, checked }));
    return [value, checked];
  };
  assert.deepEqual(await show(await policy("de", "2026-10"), "de"), ["2026-10", true]);
  assert.deepEqual(await show(await policy("fr", "2026-11"), "fr"), ["2026-11", false]);
  await send(page);
  await page.locator("[name=terms][aria-invalid=true]").waitFor();
  assert.deepEqual(await service.creates("versions@example.com"), []);
});

test("React: the page's own error elements and its onSubmit work beside the module", async (t) => {
  files["/beside.js"] = await bundle(`
    import { useState } from "react";
    import { createRoot } from "react-dom/client";
    import { useSignup } from "./react.js";
    function App() {
      const { ref } = useSignup();
      const [bad, setBad] = useState(false);
      const onSubmit = (event) => globalThis.allowed || event.preventDefault();
      return <form ref={ref} action="${url}" method="post" onSubmit={onSubmit}>
        <label htmlFor="email">Email</label>
        <input id="email" name="email" aria-invalid={bad} aria-describedby={bad ? "email-error" : undefined}
          onChange={({ target: { value } }) => setBad(!value.includes("@"))} />
        {bad && <p id="email-error">An address has an @.</p>}
        {["given_name", "family_name", "password"].map((name) => <label key={name}>{name}<input name={name} /></label>)}
        <label><input type="checkbox" name="terms" value="2026-11" />terms</label><button>Join</button></form>;
    }
    createRoot(document.querySelector("main")).render(<App />);`);
  files["/beside"] = pageOf("/beside.js", "");
  const page = await visit(t, "/beside");
  const sent = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(request));
  await page.locator("#email").pressSequentially("be");
  await page.getByText("An address has an @.").waitFor();
  await complete(page, "beside@example.com");
  assert.equal(await page.getByText("An address has an @.").count(), 0);
  await send(page);
  assert.equal(await page.locator("form[data-signup-busy]").count(), 0);
  assert.deepEqual(sent, []);
  await page.evaluate(() => (globalThis.allowed = true));
  await send(page);
  await page.locator(".signup-done").waitFor();
  assert.equal(sent.length, 1);
  assert.deepEqual(page.consoleErrors, []);
});

test("React: the message of a success goes with its form", async (t) => {
  files["/leave.js"] = await bundle(`
    import { useState } from "react";
    import { createRoot } from "react-dom/client";
    import { useSignup } from "./react.js";
    function Join() {
      const { ref } = useSignup();
      return <form ref={ref} action="${url}" method="post">
        {["given_name", "family_name", "email", "password"].map((name) => <label key={name}>{name}<input name={name} /></label>)}
        <label><input type="checkbox" name="terms" value="2026-11" />terms</label><button>Join</button></form>;
    }
    function App() {
      const [isNext, setNext] = useState(false);
      return <><a href="#" onClick={() => setNext(true)}>Next</a>{isNext ? <h1>Next route</h1> : <Join />}</>;
    }
    createRoot(document.querySelector("main")).render(<App />);`);
  files["/leave"] = pageOf("/leave.js", "");
  const page = await visit(t, "/leave");
  await complete(page, "leave@example.com");
  await send(page);
  await page.locator(".signup-done").waitFor();
  await page.getByText("Next").click();
  await page.getByText("Next route").waitFor();
  assert.equal(await page.locator(".signup-done").count(), 0);
});

test("React: a form from the server needs no inline style, which a Content-Security-Policy may forbid", async (t) => {
  files["/server.js"] = await bundle(`
    import { renderToString } from "react-dom/server";
    import { SignupForm } from "./react.js";
    const policy = await (await fetch("${url}/policy")).json();
    document.querySelector("main").innerHTML = renderToString(<SignupForm url="${url}" policy={policy}><h1>Join</h1></SignupForm>);`);
  const csp = `<meta http-equiv="Content-Security-Policy" content="style-src ${service.url}">`;
  files["/server"] = pageOf("/server.js", "").replace("<title>", `${csp}<link rel="stylesheet" href="${url}.css"><title>`);
  const page = await open(chromium, t, `${shop}/server`);
  await page.locator("[data-signup-own] h1").waitFor();
  assert.equal(await page.locator("[data-signup-own]").evaluate((own) => getComputedStyle(own).display), "contents");
  assert.deepEqual(page.consoleErrors, []);
});

test("React: a form of one's own is enhanced once in strict mode, and cleaned up", async (t) => {
  files["/hook.js"] = await bundle(`
    import { StrictMode, useState } from "react";
    import { createRoot } from "react-dom/client";
    import { useSignup } from "./react.js";
    function Join({ onDone }) {
      const { ref, result } = useSignup({ onDone });
      return <form ref={ref} action="${url}" method="post">
        {["given_name", "family_name", "email", "password"].map((name) => <label key={name}>{name}<input name={name} /></label>)}
        <label><input type="checkbox" name="terms" value="2026-11" />terms</label>
        <output>{result?.status}</output><button>Join</button></form>;
    }
    function App() {
      const [email, setEmail] = useState();
      return email ? <h1>Welcome, {email}</h1> : <Join onDone={(done) => setEmail(done.email)} />;
    }
    createRoot(document.querySelector("main")).render(<StrictMode><App /></StrictMode>);`);
  files["/hook"] = pageOf("/hook.js", "");
  const page = await visit(t, "/hook");
  await complete(page, "nope");
  await send(page);
  await page.getByText("invalid").waitFor();
  await page.fill('[name="email"]', "hook@example.com");
  await send(page);
  await page.getByRole("heading", { name: "Welcome, hook@example.com" }).waitFor();
  assert.equal(await page.locator("main").evaluate((main) => main.children.length), 1);
  assert.equal((await service.creates("hook@example.com")).length, 1);
  assert.deepEqual(page.consoleErrors, []);
});

test("React: the message of a success stands while onDone opens another page, unless it is cancelled", async (t) => {
  files["/leaves.js"] = await bundle(`
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    const onDone = ({ email }, event) => {
      globalThis.email = email;
      if (location.search) event.preventDefault();
    };
    createRoot(document.querySelector("main")).render(<SignupForm url="${url}" onDone={onDone} />);`);
  files["/leaves"] = pageOf("/leaves.js", "");
  for (const [path, count] of [["/leaves", 1], ["/leaves?cancelled", 0]]) {
    const page = await visit(t, path);
    await complete(page, `leaves${count}@example.com`);
    await send(page);
    await page.locator("form[data-signup-done]").waitFor({ state: "attached" });
    assert.equal(await page.locator(".signup-done:visible").count(), count, path);
    assert.equal(await page.evaluate(() => globalThis.email), `leaves${count}@example.com`);
  }
});

/** A form of one's own whose inputs have their values from React. */
const CONTROLLED = `
  import { useState } from "react";
  import { createRoot } from "react-dom/client";
  import { useSignup } from "./react.js";
  function Join() {
    const { ref } = useSignup();
    const [values, setValues] = useState({ email: "", password: "" });
    return <form ref={ref} action="${url}" method="post">
      {Object.entries(values).map(([name, value]) => <label key={name}>{name}
        <input name={name} type={name === "password" ? "password" : "text"} data-signup-password={name === "password" || undefined}
          value={value} onChange={(event) => setValues({ ...values, [name]: event.target.value })} /></label>)}
      <output>{values.email}</output><button>Join</button></form>;
  }
  createRoot(document.querySelector("main")).render(<Join />);`;

test("React: a shown password stays shown while its form is drawn again, until it is hidden", async (t) => {
  files["/shown.js"] = await bundle(CONTROLLED);
  files["/shown"] = pageOf("/shown.js", "");
  const page = await visit(t, "/shown");
  const password = page.locator('[name="password"]');
  await password.pressSequentially("Diffence");
  await page.getByRole("button", { name: "Show password" }).click();
  await password.evaluate((input) => {
    input.focus();
    input.setSelectionRange(4, 4);
  });
  await page.keyboard.type("er");
  assert.equal(await password.getAttribute("type"), "text");
  assert.equal(await password.inputValue(), "Difference");
  await page.getByRole("button", { name: "Hide password" }).click();
  await password.pressSequentially("-Engine");
  assert.equal(await password.getAttribute("type"), "password");
  assert.equal(await page.locator("[data-signup-reveal]").innerText(), "Show");

  files["/redrawn.js"] = await bundle(`
    import { useState } from "react";
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    function App() {
      const [count, setCount] = useState(0);
      return <><a href="#" onClick={() => setCount(count + 1)}>Drawn {count}</a><SignupForm url="${url}" /></>;
    }
    createRoot(document.querySelector("main")).render(<App />);`);
  files["/redrawn"] = pageOf("/redrawn.js", "");
  const other = await visit(t, "/redrawn");
  await other.getByRole("button", { name: "Show password" }).click();
  await other.getByText("Drawn 0").click();
  await other.getByText("Drawn 1").waitFor();
  assert.equal(await other.locator('[name="password"]').getAttribute("type"), "text");
  await complete(other, "redrawn@example.com");
  await send(other);
  await other.locator(".signup-done").waitFor();
  assert.equal(await other.locator('[name="password"]').getAttribute("type"), "password");
  assert.deepEqual([...page.consoleErrors, ...other.consoleErrors], []);
});

test("React: an accepted suggestion is the value of a controlled input", async (t) => {
  files["/suggested.js"] = await bundle(CONTROLLED);
  files["/suggested"] = pageOf("/suggested.js", "");
  const page = await visit(t, "/suggested");
  await page.locator('[name="email"]').pressSequentially("ada@gmial.com");
  await page.getByRole("button", { name: "ada@gmail.com" }).click();
  await page.locator("output").filter({ hasText: "ada@gmail.com" }).waitFor();
  await page.locator('[name="password"]').pressSequentially("Diff");
  assert.equal(await page.inputValue('[name="email"]'), "ada@gmail.com");
  assert.deepEqual(page.consoleErrors, []);
});

test("React: the alert of a form with a language stands below its heading", async (t) => {
  files["/headed.js"] = await bundle(`
    import { createRoot } from "react-dom/client";
    import { SignupForm } from "./react.js";
    createRoot(document.querySelector("main")).render(<SignupForm url="${url}" lang="de"><h1>Acme</h1></SignupForm>);`);
  files["/headed"] = pageOf("/headed.js", "");
  const page = await visit(t, "/headed");
  await send(page);
  await page.locator(".signup-alert").waitFor();
  assert.equal(await page.locator(":has(> h1) + .signup-alert").count(), 1);
});
