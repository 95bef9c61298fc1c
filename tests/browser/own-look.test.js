// The look of a form of one's own: every state of the ten lines, with and without /signup.css, and the ways to write
// a field.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chromium, lines, newEmail, own, publish, script, service, unstyled } from "./own-form.js";
import { ADA, axeViolations, done, fill, holdPosts, open, ready } from "./support.js";

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
    await page.waitForSelector("form[data-signup-busy]");
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

/** Ways to write a field, which the style promises to take. */
const LAYOUTS = {
  "an input in its label": (id, label, input) => `<label>${label} ${input}</label>`,
  "after its label": (id, label, input) => `<label for="${id}">${label}</label>${input}`,
  "both in a row": (id, label, input) => `<div><label for="${id}">${label}</label>${input}</div>`,
  "a row in a section": (id, label, input) =>
    `<section><div class="row"><label for="${id}">${label}</label>${input}</div></section>`,
  "a label in a paragraph": (id, label, input) => `<p><label>${label} ${input}</label></p>`,
  "a button of the page": (id, label, input) =>
    `<label for="${id}">${label}</label>${input}${id === "password" ? "<button data-signup-reveal=words>Show</button>" : ""}`,
  "a button in the label": (id, label, input) =>
    `<label>${label} ${input}${id === "password" ? "<button data-signup-reveal>Show</button>" : ""}</label>`,
};
/** What a careless style of the page sets on elements. */
const CARELESS = `<style>label { float: left; width: 110px; text-align: right; letter-spacing: 3px }
  p { text-indent: 2em; text-transform: uppercase } li { padding: 6px; margin: 4px } fieldset { padding: 2em }
  input { width: 150px; height: 18px; text-transform: uppercase } button { float: right; width: 100px; height: 22px }</style>`;

for (const [name, layout] of Object.entries(LAYOUTS)) {
  test(`errors, rules and buttons have their places: ${name}`, async (t) => {
    const inputs = [["given_name", "First name", ""], ["email", "Email", ""], ["password", "Password", "type=password data-signup-password"]];
    const rows = inputs.map(([id, label, more]) => layout(id, label, `<input id="${id}" name="${id}" ${more}>`));
    const form = `<form action="${service.url}/signup" method="post" data-signup>${rows.join("")}<button>Join</button></form>`;
    const body = `<link rel="stylesheet" href="${service.url}/signup.css">${form}${script}`;
    const sizes = [];
    for (const style of ["", CARELESS]) {
      const page = await open(chromium, t, publish(style + body));
      await ready(page);
      await page.locator("[data-rule]").first().waitFor();
      await fill(page, { email: "nope", password: "abc" });
      await page.click(own);
      await page.locator(".signup-alert").waitFor();
      const box = (selector) => page.locator(selector).first().evaluate((element) => element.getBoundingClientRect().toJSON());
      const [first, email, password, error, rule, reveal, button] = await Promise.all(
        ["[name=given_name]", "[name=email]", "[name=password]", ".signup-error", "[data-rule]", "[data-signup-reveal]", own].map(box),
      );
      const between = (value, least, most, what) => assert.ok(value >= least && value <= most, `${what}: ${value}`);
      between(email.top - first.bottom, 36, 56, "a label and a gap above an input");
      between(error.top - email.bottom, 2, 8, "an error below its input");
      between(password.top - error.bottom, 36, 56, "a label and a gap below an error");
      between(rule.top - password.bottom, 1, 8, "the rules below the password");
      between(reveal.top - password.top, 2, 8, "the button in its field, from the top");
      between(password.bottom - reveal.bottom, 2, 8, "the button in its field, from the bottom");
      between(password.right - reveal.right, 2, 8, "the button at the end of its field");
      between(button.width - email.width, -1, 1, "a button as wide as the inputs");
      sizes.push([email.width, email.height, button.height, error.left, rule.left]);
    }
    assert.deepEqual(sizes[1], sizes[0], "the style of the page's elements changes nothing");
  });
}

test("a request under way is shown on the form's button, wherever it is, and on no other", async (t) => {
  for (const [name, around] of [["in the form", (button) => button], ["in a row", (button) => `<p><span>${button}</span></p>`]]) {
    const inside = '<input name="email"><input name="password" type="password" data-signup-password><button type="button">Other</button>';
    const form = `<form action="${service.url}/signup" method="post" data-signup>${inside}${around("<button>Join</button>")}</form>`;
    const page = await open(chromium, t, publish(`<link rel="stylesheet" href="${service.url}/signup.css">${form}${script}`));
    await ready(page);
    await fill(page, { email: newEmail(), password: ADA.password });
    await holdPosts(page);
    await page.click("text=Join", { noWaitAfter: true });
    await page.waitForSelector("form[data-signup-busy]");
    const turning = await page.locator("button").evaluateAll((all) =>
      ["borderTopStyle", "animationName"].map((property) =>
        all.filter((button) => getComputedStyle(button, "::before")[property] !== "none").map((button) => button.textContent)));
    assert.deepEqual(turning, [["Join"], ["Join"]], name);
  }
});

test("an input that sends the form looks as a button does, and shows that a request is under way", async (t) => {
  const form = (button) => `<link rel="stylesheet" href="${service.url}/signup.css">${unstyled().replace("<button>Join</button>", button)}${script}`;
  const looks = [];
  for (const button of ["<button>Join</button>", '<input type="submit" name="commit" value="Join" data-signup-ignore>']) {
    const page = await open(chromium, t, publish(form(button)));
    await ready(page);
    const names = ["backgroundColor", "color", "borderTopColor", "textAlign", "cursor", "fontWeight", "padding", "width", "height"];
    const look = () => page.locator("form > :is(button, [type=submit])").evaluate((element, names) => {
      const style = getComputedStyle(element);
      return names.map((name) => style[name]);
    }, names);
    looks.push(await look());
    await fill(page, { email: newEmail(), password: ADA.password });
    await holdPosts(page);
    await page.click("form > :is(button, [type=submit])", { noWaitAfter: true });
    await page.waitForSelector("form[data-signup-busy]");
    const busy = page.locator("form > [type=submit]");
    if (await busy.count()) {
      const shown = await busy.evaluate((element) => {
        const { animationName, backgroundImage, cursor } = getComputedStyle(element);
        return [animationName, backgroundImage.startsWith("linear-gradient"), cursor];
      });
      assert.deepEqual(shown, ["signup-slide", true, "progress"]);
    }
  }
  assert.deepEqual(looks[1], looks[0]);
});

test("from right to left, the button is at the end of the password, whichever direction that has", async (t) => {
  for (const [direction, side] of [["", "left"], ["dir=ltr", "right"]]) {
    for (const name of ["an input in its label", "after its label", "a button of the page", "a button in the label"]) {
      const input = `<input id="password" name="password" type=password data-signup-password ${direction}>`;
      const form = `<form action="${service.url}/signup" method="post" data-signup dir="rtl">
        ${LAYOUTS[name]("password", "Password", input)}<button>Join</button></form>`;
      const body = `<link rel="stylesheet" href="${service.url}/signup.css">${form}${script}`;
      const page = await open(chromium, t, publish(body), { viewport: { width: 320, height: 640 } });
      await ready(page);
      const box = (selector) => page.locator(selector).evaluate((element) => element.getBoundingClientRect().toJSON());
      const [password, reveal] = await Promise.all(["[name=password]", "[data-signup-reveal]"].map(box));
      const away = Math.abs(password[side] - reveal[side]);
      assert.ok(away >= 2 && away <= 8, `${name}, ${direction}: ${away} from the ${side}`);
      const padding = await page.locator("[name=password]").evaluate((input, side) => parseFloat(getComputedStyle(input)[`padding-${side}`]), side);
      assert.ok(padding >= reveal.width + away, `${name}, ${direction}: ${padding} for ${reveal.width}`);
    }
  }
});

test("the size of the text is that of the page's choice, also where 1rem is 10px", async (t) => {
  const small = "<style>html { font-size: 62.5%; --signup-font-size: 16px }</style>";
  const heights = [];
  for (const style of ["", small]) {
    const page = await open(chromium, t, publish(style + lines));
    await ready(page);
    await page.locator("[data-rule]").first().waitFor();
    heights.push(await page.locator("form").evaluate((form) => [form.offsetWidth, form.offsetHeight]));
  }
  assert.deepEqual(heights[1], heights[0]);
});

test("a long word in a group of inputs breaks on a narrow screen", async (t) => {
  const word = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen";
  const group = `<fieldset><legend>${word}</legend><label><input type="radio" name="x" data-signup-ignore>${word}</label></fieldset>`;
  const style = `<link rel="stylesheet" href="${service.url}/signup.css">`;
  const page = await open(chromium, t, publish(style + unstyled(group) + script), { viewport: { width: 320, height: 640 } });
  await ready(page);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wider <= 0, `${wider}`);
});
