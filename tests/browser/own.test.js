// A form of one's own: the ten lines of the example with /signup.css and /signup.js, pinned files, forms that
// appear later, buttons beside a field, and the end of a form.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { startDemo } from "./demo.js";
import { ADA, Service, axeViolations, browser, done, fill, holdPosts, open, site } from "./support.js";

const files = {};
const shop = await site(files);
const chromium = await browser();
const demo = await startDemo();
after(() => demo.stop());
const service = await Service.start({
  "http.allowed_origins": shop,
  "page.login_url": "https://www.example.com/login",
});
/** The lines that the demo printed, for the service of this file. */
const lines = demo.lines.replaceAll(demo.url, service.url);
const script = `<script type="module" src="${service.url}/signup.js"></script>`;
const head = '<!doctype html><html lang="en"><meta name="color-scheme" content="light dark"><title>Join</title>';
let count = 0;
/** Serves a page on the other site, and returns its address. */
const publish = (body) => {
  const path = `/${++count}`;
  files[path] = `${head}<main>${body}</main>`;
  return shop + path;
};
const fields = `<label>Email <input name="email" type="email"></label>
  <label>Password <input name="password" type="password"></label>`;
const unstyled = (extra = "") =>
  `<form action="${service.url}/signup" method="post" data-signup>${fields}${extra}<button>Join</button></form>`;

const own = "form > button:last-of-type";
const ready = (page) => page.waitForSelector("form[data-signup-ready]");
const newEmail = () => `own.${++count}@example.com`;
/** Counts the posts of a page. */
const posts = (page) => {
  const seen = [];
  page.on("request", (request) => request.method() === "POST" && seen.push(request.url()));
  return seen;
};

test("the demo prints ten lines, serves them at /example, and takes them from every loopback origin", async (t) => {
  assert.equal(lines.split("\n").length, 10);
  const example = await (await fetch(`${demo.url}/example`)).text();
  assert.ok(example.endsWith(`${demo.lines}\n`), example);
  files["/ten"] = head + demo.lines;
  const ownAddress = demo.url.replace("127.0.0.1", "localhost");
  for (const address of [`${demo.url}/example`, `${ownAddress}/example`, `${shop}/ten`, `${shop.replace("127.0.0.1", "localhost")}/ten`]) {
    const page = await open(chromium, t, address);
    await ready(page);
    await fill(page, { ...ADA, email: newEmail() });
    await page.click(own);
    await done(page);
    assert.deepEqual(page.consoleErrors, [], address);
  }
});

test("the example works without JavaScript", async (t) => {
  const page = await open(chromium, t, `${demo.url}/example`, { javaScriptEnabled: false });
  await fill(page, { ...ADA, email: newEmail() });
  await page.click(own);
  assert.match(await page.textContent("h1"), /Welcome/);
});

/** Each state of the form, and how to reach it. */
const STATES = {
  empty: async () => {},
  suggestion: async (page) => {
    await fill(page, { email: "ada@gmial.com" });
    await page.locator(".signup-suggestion button").waitFor();
  },
  errors: async (page) => {
    await fill(page, { ...ADA, email: "nope", password: "abc" });
    await page.click(own);
    await page.locator(".signup-alert:focus").waitFor();
  },
  taken: async (page) => {
    await fill(page, { ...ADA, password: "Analytical-Engine-1837" });
    await page.click(own);
    await page.locator(".signup-alert:focus").waitFor();
  },
  waiting: async (page) => {
    await fill(page, { ...ADA, email: newEmail() });
    await holdPosts(page);
    await page.click(own, { noWaitAfter: true });
    await page.waitForSelector("form[aria-busy=true]");
  },
  success: async (page) => {
    await fill(page, { ...ADA, email: newEmail() });
    await page.click(own);
    await done(page);
  },
};

for (const [look, options] of Object.entries({
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  "light, 320 px": { colorScheme: "light", viewport: { width: 320, height: 700 } },
  "forced colours": { forcedColors: "active" },
})) {
  test(`the ten lines look finished in every state: ${look}`, async (t) => {
    const address = publish(lines);
    const first = await open(chromium, t, address);
    await ready(first);
    await fill(first, ADA);
    await first.click(own);
    await first.locator(".signup-done, .signup-alert:focus").first().waitFor();
    for (const [state, reach] of Object.entries(STATES)) {
      const page = await open(chromium, t, address, options);
      await ready(page);
      await page.locator("[data-rule]").first().waitFor();
      await reach(page);
      // A transition of a colour would be measured halfway.
      await page.waitForTimeout(200);
      assert.deepEqual(await axeViolations(page), [], state);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), state);
      await page.context().close();
    }
  });
}

test("a form is dark where its page is, and its colours are those of the page", async (t) => {
  const address = publish(lines);
  const page = await open(chromium, t, address, { colorScheme: "dark" });
  await ready(page);
  const style = (selector, property) =>
    page.locator(selector).evaluate((element, name) => getComputedStyle(element)[name], property);
  assert.equal(await style("form", "backgroundColor"), "rgb(25, 29, 36)");
  await page.evaluate(() => document.querySelector("meta[name=color-scheme]").remove());
  assert.equal(await style("form", "backgroundColor"), "rgb(255, 255, 255)");
  const white = "oklch(1 0 0)";
  const black = "oklch(0 0 0)";
  for (const [accent, text] of [["#1d4ed8", white], ["#ffd43b", black], ["#5c3d00", white]]) {
    await page.evaluate((value) => document.body.style.setProperty("--signup-accent", value), accent);
    await page.waitForTimeout(200);
    assert.equal(await style(own, "color"), text, accent);
  }
  // Nothing else of the page is touched.
  assert.equal(await style("body", "fontFamily"), await style("main", "fontFamily"));
});

test("without the style nothing is visible that should not be", async (t) => {
  const page = await open(chromium, t, publish(unstyled('<div data-signup-rules></div>') + script));
  await ready(page);
  await fill(page, { email: "nope", password: "abc" });
  await page.click(own);
  await page.locator(".signup-alert").waitFor();
  const hidden = page.locator(".signup-state, .signup-status");
  assert.ok((await hidden.count()) >= 2);
  for (const box of await hidden.evaluateAll((all) => all.map((element) => element.getBoundingClientRect().toJSON()))) {
    assert.ok(box.width <= 1 && box.height <= 1, JSON.stringify(box));
  }
});

test("a pinned module and style are cached for ever, load from another site, and reject other content", async (t) => {
  const { assets } = await (await fetch(`${service.url}/signup/policy`)).json();
  for (const { path, integrity } of Object.values(assets)) {
    const response = await fetch(service.url + path, { headers: { Origin: "https://anywhere.example" } });
    assert.equal(response.headers.get("cache-control"), "public, max-age=31536000, immutable");
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(response.headers.get("cross-origin-resource-policy"), "cross-origin");
    const digest = await crypto.subtle.digest("SHA-384", await response.arrayBuffer());
    assert.equal(integrity, `sha384-${Buffer.from(digest).toString("base64")}`);
  }
  const { script: module, style } = assets;
  const pinned = ({ path, integrity }, other) =>
    lines
      .replace(`${service.url}/signup.js"`, `${service.url}${path}" integrity="${other ?? integrity}" crossorigin`)
      .replace(`${service.url}/signup.css"`, `${service.url}${style.path}" integrity="${style.integrity}" crossorigin`);
  const page = await open(chromium, t);
  const seen = [];
  page.on("request", (request) => seen.push(new URL(request.url()).pathname));
  await page.goto(publish(pinned(module)));
  await ready(page);
  await fill(page, { email: "ada@gmial.com" });
  await page.locator(".signup-suggestion button").waitFor();
  assert.ok(seen.includes(module.path) && seen.includes(style.path) && seen.includes(assets.extras.path), String(seen));
  assert.ok(!seen.includes("/signup.js") && !seen.includes("/signup.css"));
  assert.deepEqual(page.consoleErrors, []);

  const changed = await open(chromium, t, publish(pinned(module, style.integrity)));
  await changed.waitForLoadState("load");
  assert.equal(await changed.locator("form[data-signup-ready]").count(), 0);
});

test("the second file loads with the focus, and is rejected when it is another one", async (t) => {
  const page = await open(chromium, t);
  const seen = [];
  page.on("request", (request) => seen.push(new URL(request.url()).pathname));
  await page.goto(publish(unstyled() + script));
  await ready(page);
  await page.waitForLoadState("networkidle");
  assert.ok(!seen.some((path) => path.startsWith("/signup-extras-")), String(seen));
  const headers = { "Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript" };
  await page.route("**/signup-extras-*.js", (route) =>
    route.fulfill({ headers, body: "globalThis.injected = true; export const assist = () => {};" }),
  );
  await page.focus("[name=email]");
  await page.waitForTimeout(500);
  assert.ok(seen.some((path) => path.startsWith("/signup-extras-")), String(seen));
  assert.equal(await page.evaluate(() => globalThis.injected), undefined);
  // The form works without it.
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click(own);
  await done(page);
});

test("a form that appears later is enhanced, and one that disappears is let go", async (t) => {
  const page = await open(chromium, t, publish(`<p>Later</p>${script}`));
  await page.waitForLoadState("networkidle");
  const add = () =>
    page.evaluate((html) => {
      const box = document.createElement("section");
      box.innerHTML = html;
      document.querySelector("main").append(box);
    }, unstyled());
  await add();
  await ready(page);
  // Moved: still the same form.
  await page.evaluate(() => document.querySelector("main").prepend(document.querySelector("section")));
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  assert.equal(await page.locator("form[data-signup-ready]").count(), 1);
  const removed = await page.evaluateHandle(() => {
    const form = document.querySelector("form");
    form.closest("section").remove();
    return form;
  });
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  assert.equal(await removed.evaluate((form) => "signupReady" in form.dataset), false);
  await add();
  await ready(page);
  const sent = posts(page);
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click(own);
  await done(page);
  assert.equal(sent.length, 1);
  // An attribute that appears later counts as well.
  await page.evaluate((url) => {
    const form = document.createElement("form");
    form.action = url;
    document.body.append(form);
    setTimeout(() => form.setAttribute("data-signup", ""), 10);
  }, `${service.url}/signup`);
  await page.waitForSelector("body > form[data-signup-ready]", { state: "attached" });
});

for (const [kind, button] of Object.entries({
  "that the module knows": "<button data-signup-reveal>Show</button>",
  "with aria-pressed": '<button aria-pressed="false">Show</button>',
  "with aria-controls": '<button aria-controls="secret">Show</button>',
})) {
  test(`a button without a type ${kind} never sends the form`, async (t) => {
    const body = `<form action="${service.url}/signup" method="post" data-signup>
      <label for="mail">Email</label> <input id="mail" name="email" type="email">
      <label for="secret">Password</label> <input id="secret" name="password" type="password">
      ${button}<button>Join</button></form>${script}`;
    const page = await open(chromium, t, publish(body));
    await ready(page);
    const sent = posts(page);
    const email = newEmail();
    await fill(page, { email, password: ADA.password });
    await page.click("button:has-text('Show')");
    await page.waitForTimeout(300);
    assert.deepEqual(sent, []);
    // The Enter key presses the form's own button.
    await page.press("[name=email]", "Enter");
    await done(page);
    assert.equal(sent.length, 1);
    assert.equal((await service.creates(email)).length, 1);
  });
}

test("an enhancement that the page ended stays ended, and a broken form is reported once", async (t) => {
  const broken = unstyled().replace("data-signup>", 'data-signup data-signup-texts="{" id="broken">');
  const page = await open(chromium, t, publish(unstyled() + broken + script));
  await ready(page);
  await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    enhance(document.querySelector("form")).destroy();
    for (let round = 0; round < 3; round++) {
      document.body.append("another change");
      await new Promise((resolve) => setTimeout(resolve));
    }
  }, `${service.url}/signup.js`);
  assert.equal(await page.locator("[data-signup-ready]").count(), 0);
  assert.equal(page.consoleErrors.length, 1, String(page.consoleErrors));
});

test("a button in a label that appears later never sends the form", async (t) => {
  const page = await open(chromium, t, publish(unstyled() + script));
  await ready(page);
  const sent = posts(page);
  await page.evaluate(() => {
    const button = document.createElement("button");
    button.textContent = "Show";
    document.querySelector("label:has([name=password])").append(button);
  });
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click("label button");
  await page.waitForTimeout(300);
  assert.deepEqual(sent, []);
});

test("after a success the form has ended, and cannot be sent again", async (t) => {
  for (const cancels of [false, true]) {
    const page = await open(chromium, t, publish(unstyled() + script));
    await ready(page);
    const sent = posts(page);
    const result = page.nextResult();
    await page.evaluate((prevents) => {
      if (prevents) addEventListener("signup:done", (event) => event.preventDefault());
    }, cancels);
    await fill(page, { email: newEmail(), password: ADA.password });
    await page.click(own);
    await result;
    const form = page.locator("form[data-signup-done]");
    await form.waitFor({ state: "attached" });
    assert.equal(await form.isVisible(), cancels);
    assert.equal(await page.locator(".signup-done").count(), cancels ? 0 : 1);
    assert.equal(await page.inputValue("[name=password]"), "");
    await form.evaluate((element) => {
      element.elements.password.value = "Analytical-Engine-1837";
      element.requestSubmit();
    });
    await page.waitForTimeout(300);
    assert.equal(sent.length, 1);
  }
});

test("a page that comes back with its finished form shows the success", async (t) => {
  const body = unstyled().replace("data-signup>", `data-signup data-signup-success="${shop}/welcome">`);
  const page = await open(chromium, t, publish(body + script));
  const left = new Promise((resolve) => {
    // No content: the page stays, as it is kept for the Back button.
    page.route("**/welcome", (route) => route.fulfill({ status: 204 }).then(resolve));
  });
  await ready(page);
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click(own);
  await left;
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await done(page);
  assert.equal(await page.locator("form").isVisible(), false);
});

test("a drawn button shows the password, and speaks the language of the page", async (t) => {
  files["/de"] = `<!doctype html><html lang="de"><title>Konto</title>${lines}`;
  const page = await open(chromium, t, `${shop}/de`);
  await page.locator(".signup-reveal", { hasText: "Anzeigen" }).waitFor();
  await fill(page, { password: "geheim" });
  await page.click(".signup-reveal");
  assert.equal(await page.getAttribute("[name=password]", "type"), "text");
  assert.match(await page.getAttribute("[name=password]", "aria-describedby"), /^signup-/);
  const [input, button] = await Promise.all(
    ["[name=password]", ".signup-reveal"].map((selector) => page.locator(selector).boundingBox()),
  );
  assert.ok(button.x > input.x && button.x + button.width <= input.x + input.width, "within the field");
  assert.ok(button.y >= input.y && button.y + button.height <= input.y + input.height, "within the field");
});
