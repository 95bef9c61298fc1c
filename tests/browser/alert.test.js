// The alert of each problem, with and without JavaScript: the same words, the same ways on, and the focus.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ADA, Service, axeViolations, browser, fill, open } from "./support.js";

const chromium = await browser();
const links = {
  "page.login_url": "https://www.example.com/login",
  "page.reset_url": "https://www.example.com/reset",
};
const service = await Service.start(links);
const form = `${service.url}/signup`;

/** One document of every problem, as the service renders it in English. */
const { paths } = await (await fetch(`${service.url}/openapi.json`)).json();
const problems = new Map();
for (const operation of Object.values(paths).flatMap(Object.values)) {
  for (const { content } of Object.values(operation.responses ?? {})) {
    for (const { value } of Object.values(content?.["application/problem+json"]?.examples ?? {})) {
      problems.set(value.code, value);
    }
  }
}

/** What an alert or a page says: the heading, the texts and the links. */
const readAlert = (page, selector) =>
  page.locator(selector).evaluate((box) => {
    const texts = (all) => [...box.querySelectorAll(all)].map((part) => part.textContent.trim());
    const links = [...box.querySelectorAll("a")].map((link) => link.href.replace(/\?login_hint.*/, ""));
    return { heading: texts("h1, h2")[0], texts: texts("p:not(.account-links):not(.reference), li"), links };
  });

const HAS_ACCOUNT = ["email_taken", "outcome_unknown", "signups_closed"];

test("every problem has words for people", () => {
  assert.ok(problems.size >= 24, [...problems.keys()].join(" "));
  for (const { code, heading, advice } of problems.values()) {
    assert.ok(heading, code);
    assert.ok(advice || code === "invalid_fields", code);
  }
});

for (const [code, document] of problems) {
  test(`${code}: the script shows the problem's own words and takes the focus there`, async (t) => {
    const page = await open(chromium, t, form);
    await page.route(/\/signup(\?sent)?$/, (route) => {
      if (route.request().method() !== "POST") return route.fallback();
      const { status } = document;
      // A wait that the module leaves to the person.
      const json = { ...document, retry_after: document.retry_after && 30 };
      return route.fulfill({ status, json, contentType: "application/problem+json" });
    });
    await fill(page, ADA);
    const result = page.nextResult();
    await page.click("form button[type=submit]");
    await result;
    await page.locator("[role=alert]:focus").waitFor();
    const alert = await readAlert(page, "[role=alert]");
    assert.equal(alert.heading, document.heading);
    const text = alert.texts.join(" ");
    if (document.advice) assert.ok(text.includes(document.advice), text);
    if (document.retry_after) assert.match(text, /Try again in \d+ seconds/);
    for (const { message } of document.errors ?? []) assert.ok(text.includes(message), text);
    const ways = HAS_ACCOUNT.includes(code) ? Object.values(links) : [];
    assert.deepEqual(alert.links.filter((link) => link.startsWith("https:")), ways);
    const reference = await page.locator("[role=alert] .reference").count();
    assert.equal(reference, document.status >= 500 ? 1 : 0);
    assert.deepEqual(await axeViolations(page), []);
  });
}

const taken = { ...ADA, email: "taken.alert@example.com" };
await fetch(form, { method: "POST", body: new URLSearchParams(taken) });

/** How to meet a problem: values of the form, and a fault of the tenant. */
const MET = {
  invalid_fields: { values: { ...ADA, email: "nope", password: "abc" } },
  email_taken: { values: { ...ADA, email: taken.email, password: "Analytical-Engine-1837" } },
  upstream_rejected: { fault: { status: 403 } },
  upstream_busy: { fault: { status: 429, headers: { "retry-after": "3600" } } },
};

for (const [code, { values, fault }] of Object.entries(MET)) {
  test(`${code}: the alert is the same with and without the script`, async (t) => {
    const shown = [];
    for (const [nth, javaScriptEnabled] of [true, false].entries()) {
      const page = await open(chromium, t, form, { javaScriptEnabled });
      if (fault) await service.fault({ route: "create_user", kind: "answer", times: "always", ...fault });
      await fill(page, values ?? { ...ADA, email: `${code}.${nth}@example.com` });
      await page.click("form button[type=submit]");
      await page.locator("[role=alert]:focus").waitFor();
      const alert = await readAlert(page, "[role=alert]");
      shown.push({ ...alert, links: alert.links.map((link) => link.replace(/.*#/, "#")) });
      await service.clearFaults();
    }
    const wait = (alert) => ({ ...alert, texts: alert.texts.map((text) => text.replace(/\d+ (minutes|seconds)/, "n")) });
    assert.deepEqual(wait(shown[0]), wait(shown[1]));
    assert.equal(shown[0].heading, problems.get(code).heading);
  });
}
