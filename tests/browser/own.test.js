// A form of one's own: the ten lines of the example with /signup.js, pinned files, forms that appear later, buttons
// beside a field, and the end of a form.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chromium, demo, fields, files, head, lines, newEmail, own, posts, publish, script, service, shop, unstyled } from "./own-form.js";
import { ADA, done, fill, holdPosts, open, ready, site } from "./support.js";

test("the demo prints ten lines, serves them at /example, and takes them from every loopback origin", async (t) => {
  assert.equal(lines.split("\n").length, 10);
  const example = await (await fetch(`${demo.url}/example`)).text();
  assert.ok(example.endsWith(`${demo.lines}\n`), example);
  files["/ten"] = head + demo.lines;
  const at = (host, url) => url.replace("127.0.0.1", host);
  for (const address of [
    `${demo.url}/example`, `${at("localhost", demo.url)}/example`,
    ...["127.0.0.1", "localhost", "app.localhost", "a.b.localhost"].map((host) => `${at(host, shop)}/ten`),
    `${await site(files, "127.0.0.2")}/ten`,
  ]) {
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

test("a pinned module and style are cached for ever, load from another site, and reject other content", async (t) => {
  const { assets } = await (await fetch(`${service.url}/signup/policy`)).json();
  for (const { path, integrity } of Object.values(assets)) {
    const response = await fetch(service.url + path, { headers: { Origin: "https://anywhere.example" } });
    assert.equal(response.headers.get("cache-control"), "public, max-age=31536000, immutable");
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(response.headers.get("cross-origin-resource-policy"), "cross-origin");
    const digest = await crypto.subtle.digest("SHA-256", await response.arrayBuffer());
    assert.equal(integrity, `sha256-${Buffer.from(digest).toString("base64")}`);
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
  "with nothing else": "<button>Show</button>",
  "with an action of the page": `<button class="toggle" onclick="this.form.secret.type = 'text'">Show</button>`,
  "with only a name for screen readers": '<button aria-label="Show password"></button>',
  "but a state": '<button type="submit" aria-pressed="false">Show</button>',
})) {
  test(`a button without a type ${kind} never sends the form`, async (t) => {
    const body = `<form action="${service.url}/signup" method="post" data-signup>
      <label for="mail">Email</label> <input id="mail" name="email" inputmode="email">
      <label for="secret">Password</label> <input id="secret" name="password" type="password">
      ${button}<button>Join</button></form>${script}`;
    const page = await open(chromium, t, publish(body));
    await ready(page);
    const sent = posts(page);
    const email = newEmail();
    await fill(page, { email, password: ADA.password });
    await page.locator("button").first().click();
    await page.waitForTimeout(300);
    assert.deepEqual(sent, []);
    // The Enter key presses the form's own button.
    await page.press("[name=email]", "Enter");
    await done(page);
    assert.equal(sent.length, 1);
    assert.equal((await service.creates(email)).length, 1);
  });
}

test("a form's only button sends it, whatever it looks like, and so do buttons with a name or a type", async (t) => {
  for (const [button, path] of [
    ['<button aria-controls="status">Join</button>', "only"],
    ["<label>You agree. <button>Join</button></label>", "label"],
    ['<button type="submit">Join</button><button name="user_metadata.x" value="1">Other</button>', "typed"],
    ['<button name="ui_locales" value="de">Join</button><button>Other</button>', "named"],
    ['<button>Show</button><input type="submit" value="Join">', "input"],
  ]) {
    const form = `<form action="${service.url}/signup" method="post" data-signup>${fields}${button}</form>${script}`;
    const page = await open(chromium, t, publish(form));
    await ready(page);
    const sent = posts(page);
    await fill(page, { email: newEmail(), password: ADA.password });
    await page.locator("button:has-text('Join'), [type=submit]").first().click();
    await done(page);
    assert.equal(sent.length, 1, path);
  }
});

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
  await page.press("[name=email]", "Enter");
  await done(page);
  assert.equal(sent.length, 1);
});

test("the ten lines send an address as it was typed", async (t) => {
  const page = await open(chromium, t, publish(lines));
  await ready(page);
  const [name] = newEmail().split("@");
  await fill(page, { ...ADA, email: `${name}@bücher.example` });
  const request = page.waitForRequest((seen) => seen.method() === "POST");
  await page.click(own);
  assert.equal(new URLSearchParams((await request).postData()).get("email"), `${name}@bücher.example`);
  await done(page);
});

test("the page's own required and pattern hold where the service does not judge", async (t) => {
  const form = unstyled(`<label>Company <input name="user_metadata.company" required></label>
    <label>First name <input name="given_name" required pattern="[A-Z].*"></label>`);
  const page = await open(chromium, t, publish(form.replace('name="email"', 'name="email" type="email" required') + script));
  await page.waitForLoadState("networkidle");
  const sent = posts(page);
  await fill(page, { email: "nope", password: ADA.password });
  await page.click(own);
  assert.equal(await page.evaluate(() => document.activeElement.name), "user_metadata.company");
  await page.fill('[name="user_metadata.company"]', "Acme");
  await page.fill("[name=given_name]", "ada");
  await page.click(own);
  assert.equal(await page.evaluate(() => document.activeElement.name), "given_name");
  assert.deepEqual(sent, []);
  await page.fill("[name=given_name]", "Ada");
  await page.click(own);
  // The service says what is wrong with an address, beside the other errors.
  await page.locator(".signup-alert").waitFor();
  assert.equal(sent.length, 1);
});

test("a consent that the page requires holds without the policy, and while it loads", async (t) => {
  const consent = '<label><input type="checkbox" name="adult" required> I am an adult</label>';
  const name = '<label>Last name <input name="family_name" required></label>';
  for (const [field, fix] of [
    [consent.replace(" required", " required data-signup-ignore"), (page) => page.check("[name=adult]")],
    [consent, (page) => page.check("[name=adult]")],
    [name, (page) => fill(page, { family_name: "Lovelace" })],
  ]) {
    for (const respond of [(route) => route.abort(), () => {}]) {
      const page = await open(chromium, t);
      await page.route("**/signup/policy", respond);
      await page.goto(publish(unstyled(field) + script));
      await ready(page);
      const sent = posts(page);
      await fill(page, { email: newEmail(), password: ADA.password });
      await page.click(own);
      await page.waitForTimeout(300);
      assert.deepEqual(sent, [], field);
      await fix(page);
      const result = page.nextResult();
      await page.click(own);
      // The service judges what it is sent: it does not know the name of the checkbox.
      assert.equal((await result).status, field === consent ? "invalid" : "created", field);
    }
  }
});

test("a script with a nonce lets the second file in", async (t) => {
  const policy = `<meta http-equiv="Content-Security-Policy" content="script-src 'nonce-abc'">`;
  files["/nonce"] = head + policy + unstyled() + script.replace("<script", '<script nonce="abc"');
  const page = await open(chromium, t, `${shop}/nonce`);
  await ready(page);
  await fill(page, { email: "ada@gmial.com" });
  await page.locator(".signup-suggestion button").waitFor();
  assert.deepEqual(page.consoleErrors, []);
});

test("the message of a success goes with its form, and a reset takes the alert away", async (t) => {
  const page = await open(chromium, t, publish(unstyled('<button type="reset">Clear</button>') + script));
  await ready(page);
  await fill(page, { email: "nope", password: "abc" });
  await page.click(own);
  await page.locator(".signup-alert").waitFor();
  await page.click("[type=reset]");
  assert.equal(await page.locator(".signup-alert:visible").count(), 0);
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click(own);
  await done(page);
  // Another route of the application.
  await page.evaluate(() => document.querySelector("form").replaceWith("Next"));
  await page.locator(".signup-done").waitFor({ state: "detached" });
  assert.match(await page.innerText("main"), /^Next\s*$/);
});

test("a listener of signup:ready may call enhance, and a label's name has no text of a textarea", async (t) => {
  const form = unstyled('<label>About you <textarea name="user_metadata.about">Draft</textarea></label>')
    .replace("data-signup>", 'data-signup="manual">');
  const page = await open(chromium, t, publish(form));
  const same = await page.evaluate(async (address) => {
    const { enhance } = await import(address);
    const seen = [];
    addEventListener("signup:ready", ({ target }) => seen.push(enhance(target)));
    return enhance(document.querySelector("form")) === seen[0] && seen.length === 1;
  }, `${service.url}/signup.js`);
  assert.ok(same);
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click(own);
  await page.locator(".signup-alert li").waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("textarea").labels[0].firstChild.textContent.trim()), "About you");
  assert.doesNotMatch(await page.innerText(".signup-alert"), /Draft/);
});

test("a policy brings no link that runs a script, and each login_hint in an address is replaced", async (t) => {
  const policy = JSON.stringify({ login_url: "javascript:alert(1)", reset_url: "https://www.example.com/reset", texts: { log_in: "Log in", reset_password: "Reset" } });
  const page = await open(chromium, t, publish(unstyled().replace("data-signup>", `data-signup data-signup-policy='${policy}'>`) + script));
  await ready(page);
  const email = newEmail();
  const body = new URLSearchParams({ email, password: ADA.password });
  await fetch(`${service.url}/signup`, { method: "POST", body });
  await fill(page, { email, password: "Analytical-Engine-1837" });
  await page.click(own);
  await page.locator(".account-links").waitFor();
  assert.deepEqual(await page.locator(".account-links a").allInnerTexts(), ["Reset"]);

  const twice = `${publish("Welcome")}?a={login_hint}&b={login_hint}`;
  const other = await open(chromium, t, publish(unstyled().replace("data-signup>", `data-signup data-signup-success="${twice}">`) + script));
  await ready(other);
  await fill(other, { email: newEmail(), password: ADA.password });
  await other.click(own);
  await other.waitForURL(/a=own.*&b=own/);
  assert.doesNotMatch(other.url(), /login_hint/);
});

test("after a success the form has ended, and cannot be sent again", async (t) => {
  for (const cancels of [false, true]) {
    const page = await open(chromium, t, publish(unstyled("<div data-signup-rules></div>") + script));
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
    assert.notEqual(await page.locator("[data-rule]").count(), 0);
    assert.equal(await page.locator("[data-met=true]").count(), 0, "no rule is met by an empty password");
    await form.evaluate((element) => {
      element.elements.password.value = "Analytical-Engine-1837";
      element.requestSubmit();
    });
    await page.waitForTimeout(300);
    assert.equal(sent.length, 1);
  }
});

/** Reports to the page that it came back as it was left. */
const comeBack = (page) => page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));

test("a form is busy until the page's own address opens, and shows its success where none does", async (t) => {
  for (const returns of [false, true]) {
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
    assert.equal(await page.getAttribute("form", "data-signup-busy"), "");
    assert.match(await page.textContent(".signup-status"), /Creating your account/);
    if (returns) await comeBack(page);
    await done(page);
    assert.equal(await page.locator("form").isVisible(), false);
    assert.equal(await page.locator(".signup-done").count(), 1);
    assert.equal(await page.getAttribute("form", "data-signup-busy"), null);
  }
});

test("a page that shows its own success in place of the form keeps its focus and its title", async (t) => {
  const body = unstyled().replace("data-signup>", 'data-signup data-signup-success="#/welcome">');
  const page = await open(chromium, t, publish(`<div data-signup-area>${body}</div><h2 tabindex="-1" hidden>Welcome</h2>${script}`));
  await ready(page);
  await page.evaluate(() =>
    addEventListener("hashchange", () => {
      document.querySelector("[data-signup-area]").hidden = true;
      const heading = document.querySelector("h2");
      heading.hidden = false;
      heading.focus();
      document.title = "Home";
    }));
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click(own);
  await page.locator("h2").waitFor();
  assert.equal(await page.getAttribute("form", "data-signup-busy"), "");
  await page.waitForSelector("form:not([data-signup-busy])", { state: "attached" });
  assert.equal(await page.locator(".signup-done").count(), 0);
  assert.equal(await page.title(), "Home");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H2");
});

test("a page that left after signup:done, and comes back, shows the success", async (t) => {
  const page = await open(chromium, t, publish(unstyled() + script));
  await ready(page);
  await page.evaluate(() => addEventListener("signup:done", (event) => event.preventDefault()));
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click(own);
  await page.locator("form[data-signup-done]").waitFor();
  await comeBack(page);
  await done(page);
  assert.equal(await page.locator("form").isVisible(), false);
});

test("a finished form that was removed is a new form when it is added again", async (t) => {
  const page = await open(chromium, t, publish(`<div data-signup-area style="display: grid">${unstyled()}</div>${script}`));
  for (const nth of [1, 2, 3]) {
    await ready(page);
    // Another route of the application.
    if (nth === 2) await page.evaluate(() => (document.querySelector("form").dataset.signupSuccess = "#welcome"));
    await fill(page, { email: newEmail(), password: ADA.password });
    await page.click(own);
    if (nth === 1) await done(page);
    else await page.waitForSelector("form[data-signup-busy][data-signup-done]");
    const step = (act) => page.evaluate(act).then(() => page.evaluate(() => new Promise((resolve) => setTimeout(resolve))));
    await step(() => {
      globalThis.area = document.querySelector("[data-signup-area]");
      globalThis.area.remove();
    });
    assert.equal(await page.locator(".signup-done").count(), 0, `${nth}`);
    await step(() => document.querySelector("main").append(globalThis.area));
    assert.equal(await page.locator("form[data-signup-ready]:not([data-signup-busy])").isVisible(), true, `${nth}`);
  }
  assert.equal(await page.locator("[data-signup-area]").evaluate((area) => area.style.display), "grid");
});

test("a form that was removed during its request, and succeeded, is a new form when it is added again", async (t) => {
  const page = await open(chromium, t, publish(unstyled() + script));
  await ready(page);
  const release = await holdPosts(page);
  await fill(page, { email: newEmail(), password: ADA.password });
  await page.click(own, { noWaitAfter: true });
  await page.waitForSelector("form[data-signup-busy]");
  await page.evaluate(() => {
    globalThis.removed = document.querySelector("form");
    globalThis.removed.addEventListener("signup:created", () => (globalThis.isCreated = true));
    globalThis.removed.remove();
  });
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  release();
  await page.waitForFunction(() => globalThis.isCreated);
  await page.evaluate(() => document.querySelector("main").append(globalThis.removed));
  await page.waitForSelector("form[data-signup-ready]:not([data-signup-done])");
  const email = newEmail();
  await fill(page, { email, password: ADA.password });
  await page.click(own);
  await done(page);
  assert.equal((await service.creates(email)).length, 1);
});

test("a policy that could not be loaded is requested again, and brings rules and language", async (t) => {
  files["/late"] = `<!doctype html><html lang="de"><title>Konto</title>${lines}`;
  const page = await open(chromium, t);
  const seen = [];
  await page.route("**/signup/policy", (route) => {
    seen.push(Date.now());
    return seen.length < 3 ? route.fulfill({ status: 503 }) : route.fallback();
  });
  await page.goto(`${shop}/late`);
  await page.locator("[data-rule='password.too_short']", { hasText: /Zeichen/ }).waitFor();
  await page.locator(".signup-reveal", { hasText: "Anzeigen" }).waitFor();
  assert.equal(seen.length, 3);
  assert.ok(seen[2] - seen[1] > seen[1] - seen[0], "after ever longer pauses");
});

test("after a long outage the policy is requested every half a minute, and at once when the browser is online", async (t) => {
  const page = await open(chromium, t);
  await page.clock.install();
  let requests = 0;
  await page.route("**/signup/policy", async (route) => {
    await route.fulfill({ status: 503 });
    requests++;
  });
  await page.goto(publish(unstyled() + script));
  await ready(page);
  /** Lets this time pass, and returns the number of requests in it. */
  const after = async (seconds) => {
    const before = requests;
    for (let second = 0; second < seconds; second++) {
      await page.clock.runFor(1000);
      // The response of a request, before the next second.
      await page.evaluate(() => fetch("/").catch(() => {}));
    }
    return requests - before;
  };
  await after(70);
  const inTwoMinutes = await after(120);
  assert.ok(inTwoMinutes >= 3 && inTwoMinutes <= 5, `${inTwoMinutes} in two minutes`);
  const online = page.waitForResponse("**/signup/policy");
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await online;
});

test("the module's texts follow the field ui_locales, except those of the page", async (t) => {
  const languages = ["en", "de", "fr", "it"].map((tag) => `<option>${tag}</option>`).join("");
  const select = `<select name="ui_locales">${languages}</select>`;
  const texts = `data-signup data-signup-texts='{"show_password":"Reveal"}'`;
  const form = unstyled(`<ul data-signup-rules><li data-rule="password.character_types">Mix</li></ul>${select}`);
  const password = form.replace("data-signup>", `${texts}>`).replace('type="password"', "$& data-signup-password");
  const page = await open(chromium, t, publish(password + script));
  const rule = (text) => page.locator("[data-rule='password.too_short']", { hasText: text }).waitFor();
  await rule("characters");
  await page.selectOption("select", "de");
  await page.focus("[name=email]");
  await rule("Zeichen");
  const button = page.locator(".signup-reveal", { hasText: "Anzeigen" });
  assert.equal(await button.getAttribute("aria-label"), "Reveal");
  assert.equal(await page.locator("[data-rule='password.character_types']").textContent(), "Mix");
  await fill(page, { email: newEmail(), password: "short" });
  await page.click(own);
  const summary = page.locator("[role=alert] li", { hasText: "Password" });
  await summary.waitFor();
  assert.match(await summary.textContent(), /Passwort/);

  // The response that was requested first comes last.
  let release;
  const released = new Promise((resolve) => (release = resolve));
  const requested = new Promise((resolve) => {
    page.route("**/signup/policy", async (route) => {
      if (route.request().headers()["accept-language"] === "en") {
        resolve();
        await released;
      }
      await route.fallback();
    });
  });
  await page.selectOption("select", "en");
  await requested;
  await page.selectOption("select", "fr");
  await rule("caractères");
  const late = page.waitForResponse(/policy$/);
  release();
  await (await late).finished();
  await rule("caractères");

  // A failed request changes nothing, and the next focus sends it again.
  await page.route("**/signup/policy", (route) => route.fulfill({ status: 503 }), { times: 1 });
  const failed = page.waitForResponse(/policy$/);
  await page.selectOption("select", "it");
  await (await failed).finished();
  await rule("caractères");
  await page.waitForFunction(() => {
    const { email, password } = document.forms[0].elements;
    (document.activeElement === email ? password : email).focus();
    return document.querySelector("[data-rule='password.too_short']").textContent.includes("caratteri");
  });
  assert.deepEqual(page.consoleErrors, []);
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

test("a button pressed before the wait is over keeps the alert's advice, links and reference", async (t) => {
  const page = await open(chromium, t, publish(unstyled("<div data-signup-rules></div>") + script));
  // The links are those of the policy.
  await page.waitForSelector("[data-rule]");
  const sent = posts(page);
  const problem = {
    ...{ code: "outcome_unknown", heading: "Not sure", advice: "Try to log in.", detail: "x" },
    ...{ retry_after: 60, request_id: "r-1" },
  };
  await page.route(/\/signup$/, (route) => {
    if (route.request().method() !== "POST") return route.fallback();
    return route.fulfill({ status: 504, json: problem, headers: { "Access-Control-Allow-Origin": "*" } });
  });
  await fill(page, { email: newEmail(), password: ADA.password });
  const read = async () => {
    const html = await page.locator("[role=alert]:focus").innerHTML();
    return html.replace(/\d+ seconds/, "n seconds").replace(/id="[^"]*"/g, "");
  };
  await page.click(own);
  const before = await read();
  for (const part of ["Not sure", "Try to log in.", "n seconds", "https://www.example.com/login", "r-1"]) {
    assert.ok(before.includes(part), part);
  }
  await page.focus("[name=email]");
  await page.click(own);
  assert.equal(await read(), before);
  assert.equal(sent.length, 1, "nothing is sent before the wait is over");
});
