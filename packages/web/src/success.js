// What takes the place of a form after a sign-up.

import { interpolate, make, paragraphs } from "./dom.js";

/** Replaces a form by the message of its success. Returns what undoes that. `data` is what was sent. */
export function showSuccess(form, { status, email, texts, data, policy }) {
  const given = (name) => String(data.get(name) ?? "").trim();
  const name = given("given_name") || given("nickname") || given("name");
  const isCreated = status === "created";
  const title = isCreated ? name && texts.success_title_name : texts.accepted_title;
  const heading = interpolate(title || texts.success_title, name);
  const lines = [interpolate((email && texts[`${status}_email`]) || texts[status], email)];
  if (isCreated) lines.push(texts.confirm_email, texts.then_log_in);
  const area = form.closest("[data-signup-area]") ?? form;
  const message = make("div", { className: "signup-done", tabIndex: -1, part: "done" },
    make(area.querySelector("h1") ? "h1" : "h2", {}, heading),
    ...paragraphs(lines),
    accountLinks({ login_url: policy.login_url }, texts, email));
  area.after(message);
  const { display } = area.style;
  area.style.display = "none";
  message.focus();
  return () => {
    message.remove();
    area.style.display = display;
  };
}

/** Returns the links to log in and to reset a password, if the service has their addresses. */
export function accountLinks({ login_url, reset_url }, texts, email) {
  const link = (href, className, text, hint) => {
    // Whatever the policy says, a link runs no script.
    if (!/^https?:/.test(href)) return undefined;
    const url = new URL(href);
    if (hint) url.searchParams.set("login_hint", hint);
    return make("a", { href: url, className }, text);
  };
  const links = make("p", { className: "account-links" },
    link(login_url, "primary", texts.log_in, email),
    link(reset_url, "secondary", texts.reset_password));
  return links.firstChild && links;
}
