// A form of one's own and the page around it: the page's own errors and listeners, forms that are enhanced before they
// are on the page, groups of inputs, and custom elements.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, browser, done, fill, open, ready, site } from "./support.js";

const files = {};
const shop = await site(files);
const chromium = await browser();
const service = await Service.start({
  "http.allowed_origins": shop,
  "user_metadata.allow": "bio",
  "user_metadata.keys.plan.values": "free,pro",
  "user_metadata.keys.plan.required": "true",
});
const url = `${service.url}/signup`;

/** Serves a page with the module, opens it, and waits for the enhanced form. */
async function visit(t, name, body) {
  files[`/${name}`] = `<!doctype html><html lang="en"><title>Join</title><link rel="icon" href="data:,">
    <main>${body}</main><script type="module" src="${service.url}/signup.js"></script>`;
  const page = await open(chromium, t, `${shop}/${name}`);
  page.posts = [];
  page.on("request", (request) => request.method() === "POST" && page.posts.push(request.postData()));
  await ready(page);
  return page;
}
const send = (page) => page.click("form > button:last-of-type");
const sendForErrors = async (page) => {
  await send(page);
  await page.locator("[role=alert]:focus").waitFor();
};
const plan = '<input type="hidden" name="user_metadata.plan" value="free">';
const password = '<label>Password <input name="password" type="password"></label>';
const form = (content, attributes = "data-signup", action = url) =>
  `<form action="${action}" method="post" ${attributes}>${content}<button>Join</button></form>`;
const plain = (attributes) => form(`<label>Email <input name="email"></label>${password}${plan}`, attributes);

test("the page's own errors stay when the module shows and removes its own", async (t) => {
  const page = await visit(t, "errors", form(`
    <label for="email">Email</label> <input id="email" name="email" aria-invalid="false" aria-describedby="email-error">
    <p id="email-error">We write to this address.</p>
    <label for="note">Note</label>
    <input id="note" name="note" data-signup-ignore aria-invalid="true" aria-describedby="note-error">
    <p id="note-error">A note is missing.</p>${password}${plan}`));
  const described = () =>
    page.locator("#email").evaluate((input) =>
      input.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent));
  const own = async () => {
    assert.equal(await page.textContent("#email-error"), "We write to this address.");
    assert.equal(await page.textContent("#note-error"), "A note is missing.");
    assert.equal(await page.getAttribute("#note", "aria-invalid"), "true");
    assert.equal(await page.getAttribute("#note", "aria-describedby"), "note-error");
  };
  await fill(page, { note: "x", email: "nope" });
  await own();
  assert.equal(await page.getAttribute("#email", "aria-invalid"), "false");
  await sendForErrors(page);
  const [message, ...rest] = await described();
  assert.match(message, /name@example\.com/);
  assert.deepEqual(rest, ["We write to this address."]);
  await own();
  await fill(page, { email: "own.errors@example.com", password: ADA.password });
  assert.deepEqual(await described(), ["We write to this address."]);
  assert.equal(await page.locator(".signup-error").count(), 0);
  await page.evaluate(() => document.forms[0].dispatchEvent(new Event("reset")));
  await own();
  await send(page);
  await done(page);
});

test("the errors of the built-in page without a script go with the script, one by one", async (t) => {
  const page = await open(chromium, t);
  // As the service renders it for a form that a browser without a script sent.
  const response = await fetch(url, {
    method: "POST",
    headers: { Accept: "text/html" },
    body: new URLSearchParams({ email: "nope", password: "abc" }),
  });
  const rendered = await response.text();
  await page.route(url, (route) => route.fulfill({ body: rendered, contentType: "text/html" }));
  await page.goto(url);
  await ready(page);
  const invalid = () => page.locator("[aria-invalid=true]").evaluateAll((all) => all.map(({ name }) => name));
  assert.deepEqual(await invalid(), ["email", "password", "user_metadata.plan"]);
  await page.fill("#email", "rendered@example.com");
  assert.deepEqual(await invalid(), ["password", "user_metadata.plan"]);
  assert.equal(await page.textContent("#email-error"), "");
  await page.fill("#password", ADA.password);
  await page.selectOption("select", "pro");
  assert.deepEqual(await invalid(), []);
  assert.equal(await page.getAttribute("#password", "aria-describedby"), "password-rules");
});

const prevent = 'addEventListener("submit", (event) => { globalThis.prevented = true; event.preventDefault(); })';
for (const [where, script] of Object.entries({
  "on the form, added later": `document.forms[0].${prevent}`,
  "above the form": `document.querySelector("main").${prevent}`,
  "on the document": `document.${prevent}`,
})) {
  test(`a listener of the page ${where} prevents a submission`, async (t) => {
    const page = await visit(t, "prevented", plain());
    await page.evaluate(script);
    await fill(page, { email: "prevented@example.com", password: ADA.password });
    await send(page);
    assert.equal(await page.evaluate(() => globalThis.prevented), true);
    assert.equal(await page.getAttribute("form", "data-signup-busy"), null);
    assert.deepEqual(page.posts, []);
  });
}

test("in a shadow root, a listener of the page prevents a submission, and without one the form is sent", async (t) => {
  const page = await visit(t, "shadow", plain());
  await page.evaluate(async ([address, html]) => {
    const { enhance } = await import(address);
    document.querySelector("main").innerHTML = "<p></p>";
    const root = document.querySelector("p").attachShadow({ mode: "open" });
    root.innerHTML = html;
    enhance(root.querySelector("form"));
    root.addEventListener("submit", (event) => globalThis.allowed || event.preventDefault());
  }, [`${service.url}/signup.js`, plain("")]);
  await fill(page, { email: "shadow@example.com", password: ADA.password });
  await send(page);
  assert.deepEqual(page.posts, []);
  await page.evaluate(() => (globalThis.allowed = true));
  await send(page);
  await done(page);
  assert.equal(page.posts.length, 1);
});

for (const [what, make] of Object.entries({
  "a clone of a template": "const form = template.content.cloneNode(true).querySelector('form'); const added = form.parentNode;",
  "in an element": "const added = document.createElement('div'); added.append(template.content); const form = added.firstChild;",
})) {
  test(`a form that is enhanced before it is on the page is enhanced whole: ${what}`, async (t) => {
    const page = await visit(t, "early", plain());
    await page.route(`${shop}/signup**`, (route) => route.continue({ url: route.request().url().replace(shop, service.url) }));
    await page.evaluate(`(async () => {
      const { enhance } = await import("${service.url}/signup.js");
      const template = document.createElement("template");
      template.innerHTML = ${JSON.stringify(form(`<label>Email <input name="email"></label>
        <label>Password <input name="password" type="password" data-signup-password></label>${plan}`, 'id="early"', "/signup"))};
      ${make}
      enhance(form);
      document.querySelector("main").replaceChildren(added);
      document.querySelector("main").insertAdjacentHTML("beforeend", '<input form="early" name="user_metadata[bio]">');
    })()`);
    await page.waitForSelector("[data-rule]");
    await fill(page, { email: "ada@gmial.com", password: "abc" });
    await page.fill('[name="user_metadata[bio]"]', "x".repeat(501));
    await page.locator("[data-rule='password.too_short'][data-met=false]").waitFor();
    await page.locator(".signup-suggestion button").waitFor();
    await sendForErrors(page);
    const invalid = () => page.locator("[aria-invalid]").evaluateAll((all) => all.map(({ name }) => name));
    assert.deepEqual(await invalid(), ["password", "user_metadata[bio]"]);
    await page.fill('[name="user_metadata[bio]"]', "Analyst");
    await fill(page, { email: `early.${what.length}@example.com`, password: ADA.password });
    assert.deepEqual(await invalid(), []);
    await send(page);
    await done(page);
    assert.deepEqual(page.consoleErrors, []);
  });
}

test("a place for errors may spell its field as the input does", async (t) => {
  const page = await visit(t, "spelled", form(`<label>Email <input name="email"></label>${password}${plan}
    <p data-signup-error="user_metadata[bio]"></p><p data-signup-error="email"></p>
    <textarea name="user_metadata[bio]" aria-label="Bio"></textarea>`));
  await fill(page, { email: "nope", password: ADA.password });
  await page.fill("textarea", "x".repeat(501));
  await sendForErrors(page);
  assert.equal(await page.locator(".signup-error").count(), 2);
  for (const text of await page.locator("[data-signup-error]").allTextContents()) assert.notEqual(text, "");
  await page.fill("textarea", "Analyst");
  assert.equal(await page.textContent("[data-signup-error^=user]"), "");
});

test("a group of radio buttons has the name of its legend, and its error below all of them", async (t) => {
  const radio = (value, after) =>
    after ? `<input type="radio" id="${value}" name="user_metadata[plan]" value="${value}"><label for="${value}">${value}</label>`
      : `<label><input type="radio" name="user_metadata[plan]" value="${value}">${value}</label>`;
  for (const after of [false, true]) {
    const page = await visit(t, `radio-${after}`, form(`<label>Email <input name="email"></label>${password}
      <fieldset><legend>Your plan</legend>${radio("free", after)}${radio("pro", after)}</fieldset>`));
    await fill(page, { email: `radio.${after}@example.com`, password: ADA.password });
    await sendForErrors(page);
    assert.equal(await page.textContent("[role=alert] a"), "Your plan");
    const last = await page.locator("fieldset").evaluate((group) => [group.lastElementChild.className, group.children.length]);
    assert.deepEqual(last, ["signup-error", after ? 6 : 4]);
    await page.click("[role=alert] a");
    assert.equal(await page.evaluate(() => document.activeElement.value), "free");
    await page.check("[value=pro]");
    assert.equal(await page.locator(".signup-error, [aria-invalid]").count(), 0);
    await send(page);
    await done(page);
  }
});

test("the error of a custom element goes while it is typed in", async (t) => {
  const page = await visit(t, "custom", form(`<own-input name="email" aria-label="Email"></own-input>${password}${plan}
    <own-input name="again" aria-label="Again" data-signup-ignore></own-input>`) +
    `<script>customElements.define("own-input", class extends HTMLElement {
      static formAssociated = true;
      constructor() {
        super();
        const internals = this.attachInternals();
        this.attachShadow({ mode: "closed", delegatesFocus: true }).innerHTML = "<input>";
        internals.setFormValue("");
        internals.shadowRoot.firstChild.oninput = ({ target }) => internals.setFormValue(target.value);
      }
    })</script>`);
  await fill(page, { password: ADA.password });
  await sendForErrors(page);
  assert.equal(await page.locator("own-input[aria-invalid=true]").count(), 1);
  await page.click("[role=alert] a");
  await page.keyboard.type("custom@example.com");
  assert.equal(await page.locator(".signup-error, [aria-invalid]").count(), 0);
  // Suggestions are looked for after a pause.
  await page.waitForTimeout(500);
  await send(page);
  await done(page);
  assert.equal(new URLSearchParams(page.posts.at(-1)).has("again"), false);
  assert.deepEqual(page.consoleErrors, []);
});

test("a page's own switch of the password is left alone, and a password that it shows is hidden when it is sent", async (t) => {
  const email = '<label>Email <input name="email"></label>';
  const page = await visit(t, "switch", `${form(email + password + plan)}<a href="#">Switch</a>`);
  const type = () => page.locator('[name="password"]').getAttribute("type");
  await page.evaluate(() => {
    const input = document.querySelector('[name="password"]');
    document.querySelector("a").onclick = () => (input.type = input.type === "text" ? "password" : "text");
  });
  await page.fill('[name="password"]', "abc");
  // The second file is there once it suggests an address.
  await page.fill('[name="email"]', "ada@gmial.com");
  await page.getByRole("button", { name: "ada@gmail.com" }).waitFor();
  for (const expected of ["text", "password"]) {
    await page.click("a");
    assert.equal(await type(), expected);
  }

  const reveal = '<button type="button" data-signup-reveal="words">Hide</button>';
  const visible = password.replace('type="password"', 'type="text"') + reveal;
  const shown = await visit(t, "visible", form(email + visible + plan));
  await fill(shown, { email: ADA.email, password: ADA.password });
  await shown.getByRole("button", { name: "Hide" }).click();
  assert.equal(await shown.locator('[name="password"]').getAttribute("type"), "password");
  await shown.getByRole("button", { name: "Show" }).click();
  await send(shown);
  await done(shown);
  assert.equal(await shown.locator('[name="password"]').getAttribute("type"), "password");
});

test("the alert stands below the heading, also where hidden inputs come first", async (t) => {
  const start = '<input type="hidden" name="_csrf" value="x"><h1>Join</h1>';
  const page = await visit(t, "headed", form(start + password + plan));
  await sendForErrors(page);
  assert.equal(await page.locator("h1 + [role=alert]").count(), 1);
});

test("a button that closes a dialog or goes elsewhere is the page's own, and Enter presses the form's", async (t) => {
  const fields = `<label>Email <input name="email"></label>${password}${plan}`;
  const page = await visit(t, "elsewhere", `<dialog open>${form(`<button formmethod="dialog">Close</button>${fields}`)
    .replace("</form>", '<button formaction="/login" formmethod="get">Log in instead</button></form>')}</dialog>`);
  const types = await page.locator("button").evaluateAll((all) => all.map(({ type }) => type));
  assert.deepEqual(types, ["submit", "submit", "submit"]);
  await fill(page, { email: "elsewhere@example.com", password: ADA.password });
  await page.getByRole("button", { name: "Join" }).click();
  await done(page);
  assert.equal(page.posts.length, 1);
  await page.reload();
  await ready(page);
  await page.getByRole("button", { name: "Close" }).click();
  assert.equal(await page.locator("dialog[open]").count(), 0);
});

for (const event of ["submit", "signup:submit"]) {
  test(`the pressed button is sent although the page replaces it in ${event}`, async (t) => {
    const button = '<span><button name="user_metadata[bio]" value="pressed">Join</button></span>';
    const page = await visit(t, `replaced-${event.length}`, plain("data-signup").replace("<button>Join</button>", button));
    await page.evaluate((name) => document.forms[0].addEventListener(name, () => {
      document.querySelector("form > span").textContent = "Please wait";
    }), event);
    await fill(page, { email: `replaced.${event.length}@example.com`, password: ADA.password });
    await page.getByRole("button", { name: "Join" }).click();
    await done(page);
    assert.equal(new URLSearchParams(page.posts[0]).get("user_metadata[bio]"), "pressed");
  });
}

test("a password that is shown stays shown in an input that the page puts in its place", async (t) => {
  const own = '<label>Password <input name="password" type="password" data-signup-password></label>';
  const page = await visit(t, "keyed", form(`<label>Email <input name="email"></label>${own}${plan}`));
  const type = () => page.locator('[name="password"]').getAttribute("type");
  await page.click(".signup-reveal");
  assert.equal(await type(), "text");
  await page.evaluate(() => {
    const input = document.querySelector('[name="password"]');
    const next = input.cloneNode();
    next.type = "password";
    input.replaceWith(next);
  });
  await page.waitForSelector('[name="password"][type="text"]');
  await page.click(".signup-reveal");
  assert.equal(await type(), "password");
});

test("a password that comes later, or in the place of another, has its button and its rules", async (t) => {
  const page = await visit(t, "later", form(`<label>Email <input name="email"></label><div></div>${plan}`));
  const own = '<label>Password <input name="password" type="password" data-signup-password></label>';
  const show = (html) => page.evaluate((html) => (document.querySelector("form div").innerHTML = html), html);
  const parts = async () => {
    const count = (selector) => page.locator(selector).count();
    const described = () => page.locator("[name=password]").evaluate((input) => {
      const ids = (input.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
      return ids.map((id) => document.querySelectorAll(`ul#${id}`).length);
    });
    return [await count("[data-signup-reveal]"), await count("ul[data-signup-rules]"), await described()];
  };
  const meets = async (password) => {
    await page.fill("[name=password]", password);
    await page.locator("[data-rule='password.too_short'][data-met=true]").waitFor();
    assert.deepEqual(await parts(), [1, 1, [1]]);
  };
  await show(own);
  await page.focus("[name=password]");
  await meets("long enough");
  // Another step of the form.
  await show("");
  await show(own);
  await meets("long enough as well");
  await page.evaluate(() => {
    const input = document.querySelector("[name=password]");
    const next = Object.assign(document.createElement("input"), { name: "password", type: "password" });
    next.dataset.signupPassword = "";
    input.replaceWith(next);
  });
  await meets("still long enough");
  await page.click("[data-signup-reveal]");
  assert.equal(await page.getAttribute("[name=password]", "type"), "text");
});

test("the Caps Lock hint is written once, so that it is spoken once", async (t) => {
  const page = await visit(t, "caps", plain());
  await page.evaluate(() => {
    KeyboardEvent.prototype.getModifierState = (key) => key === "CapsLock";
    globalThis.writes = 0;
    const count = (changes) => {
      for (const { target } of changes) globalThis.writes += target.matches(".signup-caps-lock") ? 1 : 0;
    };
    new MutationObserver(count).observe(document, { childList: true, subtree: true });
  });
  await page.fill('[name="email"]', "ada@gmial.com");
  // The second file is there.
  await page.locator(".signup-suggestion button").waitFor();
  await page.focus('[name="password"]');
  for (const key of ["A", "B", "C"]) await page.keyboard.press(key);
  await page.locator(".signup-caps-lock", { hasText: "Caps Lock" }).waitFor();
  assert.equal(await page.evaluate(() => globalThis.writes), 1);
});

test("hints are live regions before their first text, and take no space without a style sheet", async (t) => {
  const page = await visit(t, "hints", form(`<label>Email <input name="email"></label>${password}${plan}`));
  const place = () => page.locator("[name=password], form > button:last-of-type").evaluateAll((all) =>
    all.map((element) => element.getBoundingClientRect().y));
  const before = await place();
  await page.focus('[name="email"]');
  const hints = page.locator("p[role=status]:is(.signup-suggestion, .signup-caps-lock)");
  await hints.nth(1).waitFor({ state: "attached" });
  assert.deepEqual(await hints.allTextContents(), ["", ""]);
  assert.deepEqual(await place(), before);
  const inTree = await hints.evaluateAll((all) => all.map((hint) => hint.checkVisibility()));
  assert.deepEqual(inTree, [true, true]);
  const [suggestion] = await hints.elementHandles();
  await page.fill('[name="email"]', "ada@gmial.com");
  await page.getByRole("button", { name: "ada@gmail.com" }).waitFor();
  assert.match(await suggestion.textContent(), /Did you mean/);
  await page.fill('[name="email"]', "ada@gmail.com");
  assert.deepEqual(await hints.allTextContents(), ["", ""]);
  assert.deepEqual(await place(), before);
});

test("the module speaks the language of the radio button that is chosen", async (t) => {
  const language = (tag, more = "") => `<label><input type="radio" name="ui_locales" value="${tag}" ${more}>${tag}</label>`;
  const own = '<label>Password <input name="password" type="password" data-signup-password></label>';
  const page = await visit(t, "spoken", form(`${language("en", "checked")}${language("de")}
    <label>Email <input name="email"></label>${own}${plan}`));
  await page.locator("[data-rule='password.too_short']", { hasText: "At least" }).waitFor();
  await page.check('[value="de"]');
  await page.locator("[data-rule='password.too_short']", { hasText: "Mindestens" }).waitFor();
  assert.equal(await page.textContent(".signup-reveal"), "Anzeigen");
});

test("rules of another language replace those of an enhancement that ended, and no description is left", async (t) => {
  const own = '<label>Password <input name="password" type="password"></label><ul data-signup-rules></ul>';
  const page = await visit(t, "again", form(`<label>Email <input name="email"></label>${own}${plan}`));
  const described = () => page.getAttribute('[name="password"]', "aria-describedby");
  await page.locator("[data-rule='password.too_short']", { hasText: "At least" }).waitFor();
  assert.equal(await described(), await page.getAttribute("[data-signup-rules]", "id"));
  await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const [target] = document.forms;
    enhance(target).destroy();
    globalThis.left = [target.querySelector("ul").childElementCount, target.elements.password.getAttribute("aria-describedby")];
    document.documentElement.lang = "de";
    enhance(target);
  }, `${service.url}/signup.js`);
  assert.deepEqual(await page.evaluate(() => globalThis.left), [0, null]);
  await page.locator("[data-rule='password.too_short']", { hasText: "Mindestens" }).waitFor();
  assert.equal(await described(), await page.getAttribute("[data-signup-rules]", "id"));
});

test("ids are those of no other element, also in HTML that the page restores after a reload", async (t) => {
  const page = await visit(t, "restored", plain());
  await sendForErrors(page);
  const html = await page.locator("main").innerHTML();
  await page.reload();
  await ready(page);
  await page.evaluate((restored) => (document.querySelector("main").innerHTML = restored), html);
  await page.waitForFunction(() => document.querySelector("form .signup-status")?.isConnected);
  await sendForErrors(page);
  const ids = await page.locator("[id]").evaluateAll((all) => all.map(({ id }) => id));
  assert.ok(ids.length > 2);
  assert.deepEqual(ids, [...new Set(ids)]);
});

test("two copies of the module on a page help once", async (t) => {
  const { assets } = await (await fetch(`${url}/policy`)).json();
  const own = '<label>Password <input name="password" type="password" data-signup-password></label>';
  const copy = `<script type="module" src="${service.url}${assets.script.path}"></script>`;
  const page = await visit(t, "twice", form(`<label>Email <input name="email"></label>${own}${plan}`) + copy);
  await page.fill('[name="email"]', "ada@gmial.com");
  await page.locator(".signup-suggestion button").first().waitFor();
  await page.locator("[data-rule]").first().waitFor();
  await page.waitForFunction(() => performance.getEntriesByType("resource").filter(({ name }) => /signup(-\w+)?\.js$/.test(name)).length > 1);
  const counts = await Promise.all([".signup-status", ".signup-suggestion", ".signup-reveal", "ul[data-signup-rules]"].map((part) => page.locator(part).count()));
  assert.deepEqual(counts, [1, 1, 1, 1]);
  await page.click(".signup-reveal");
  assert.equal(await page.locator('[name="password"]').getAttribute("type"), "text");
});

test("the summary names fields by their labels, without the marks around them, and the terms by their name", async (t) => {
  const agreed = await Service.start({
    "http.allowed_origins": shop, "terms.version": "2026-11", "terms.url": "https://www.example.com/terms", "fields.given_name": "required",
  });
  const inputs = `<label for="email">Email: </label><input id="email" name="email">
    <label>Password <span aria-hidden="true">(!)</span> * <input name="password" type="password"></label>
    <label>名前：<input name="given_name"></label>
    <label><input type="checkbox" name="terms" value="2026-11"> I have read the <a href="/terms">terms</a> and accept them.</label>`;
  files["/named-marks"] = `<!doctype html><html lang="en"><title>Join</title><main>${form(inputs, "data-signup", `${agreed.url}/signup`)}
    </main><script type="module" src="${agreed.url}/signup.js"></script>`;
  const page = await open(chromium, t);
  const policy = page.waitForResponse((response) => response.url().endsWith("/policy"));
  await page.goto(`${shop}/named-marks`);
  await ready(page);
  await (await policy).finished();
  await sendForErrors(page);
  assert.deepEqual(await page.locator("[role=alert] li a").allTextContents(), ["Email", "Password", "名前", "Terms"]);
});

test("a custom element without a name that is invalid is reported by the page, as the browser does", async (t) => {
  const page = await visit(t, "nameless", form(`<own-check tabindex="0"></own-check><label>Email <input name="email"></label>${password}${plan}`) +
    `<script>customElements.define("own-check", class extends HTMLElement {
      static formAssociated = true;
      #internals = this.attachInternals();
      constructor() {
        super();
        this.#internals.setValidity({ valueMissing: true }, "Check this.");
      }
      get validity() { return this.#internals.validity }
      get willValidate() { return this.#internals.willValidate }
      reportValidity() { globalThis.reported = true; return this.#internals.reportValidity() }
    })</script>`);
  await fill(page, { email: "nameless@example.com", password: ADA.password });
  await send(page);
  assert.equal(await page.evaluate(() => globalThis.reported), true);
  assert.deepEqual([page.posts, page.consoleErrors], [[], []]);
});

test("an input that has the focus before the module arrives gets help, also one outside the form", async (t) => {
  const outside = `<label>Email <input name="email" form="f"></label>${form(password, 'data-signup id="f"')}`;
  for (const body of [plain(), outside]) {
    files["/early"] = `<!doctype html><html lang="en"><title>Join</title><main>${body}</main>`;
    const page = await open(chromium, t, `${shop}/early`);
    await page.focus('[name="email"]');
    await page.addScriptTag({ url: `${service.url}/signup.js`, type: "module" });
    await page.keyboard.type("ada@gmial.com");
    await page.getByRole("button", { name: "ada@gmail.com" }).waitFor();
  }
});

test("the button that a page draws again keeps its room, which ends with the enhancement", async (t) => {
  const button = '<button type="button" data-signup-reveal="words">Show</button>';
  const page = await visit(t, "redrawn", form(`<label>Email <input name="email"></label><div>${password}${button}</div>${plan}`));
  const room = () => page.locator("form").evaluate(({ style }) => style.getPropertyValue("--_reveal"));
  const isMeasured = () => page.waitForFunction(() => {
    const { style } = document.forms[0];
    return style.getPropertyValue("--_reveal") === `${document.querySelector("[data-signup-reveal]").offsetWidth}px`;
  });
  await page.focus('[name="email"]');
  await isMeasured();
  await page.evaluate(() => {
    const box = document.querySelector("form div");
    box.innerHTML = box.innerHTML.replace("Show<", "Show it<");
    // Two frames, in which the observer of sizes reports.
    return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  });
  await isMeasured();
  await page.evaluate(() => (document.querySelector("form div").hidden = true));
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  assert.notEqual(await room(), "0px");
  await page.evaluate(async (address) => (await import(address)).enhance(document.forms[0]).destroy(), `${service.url}/signup.js`);
  assert.equal(await room(), "");
});

test("an optional key of user_metadata has no rule of the field with its name", async (t) => {
  const named = await Service.start({
    "http.allowed_origins": shop, "user_metadata.allow": "given_name", "fields.given_name": "required",
  });
  const inputs = `<label>Email <input name="email"></label>${password}<label>First <input name="given_name" required></label>`;
  files["/named"] = `<!doctype html><html lang="en"><title>Join</title><main>${form(inputs, "data-signup", `${named.url}/signup`)}
    </main><script type="module" src="${named.url}/signup.js"></script>`;
  const page = await open(chromium, t);
  const policy = page.waitForResponse((response) => response.url().endsWith("/policy"));
  await page.goto(`${shop}/named`);
  await ready(page);
  await (await policy).finished();
  await fill(page, { email: "nope", password: "abc" });
  await sendForErrors(page);
  const invalid = await page.locator("[aria-invalid]").evaluateAll((all) => all.map(({ name }) => name));
  assert.deepEqual(invalid, ["email", "password", "given_name"]);
});
