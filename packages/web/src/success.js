// What takes the place of a form after a sign-up.

import { make, put } from "./dom.js";

/** Replaces a form by the message of its success. `data` is what was sent. */
export function showSuccess(form, { status, texts, data, policy }) {
  const given = (name) => String(data?.get(name) ?? "").trim();
  const name = given("given_name") || given("nickname") || given("name");
  const email = given("email");
  const isCreated = status === "created";
  const title = isCreated ? texts.success_title : texts.accepted_title;
  const greeting = isCreated && name && texts.success_title_name;
  const heading = greeting ? put(greeting, name) : title;
  const naming = email && texts[`${status}_email`];
  const lines = [naming ? put(naming, email) : texts[status]];
  if (isCreated) lines.push(texts.confirm_email, texts.then_log_in);
  const area = form.closest("[data-signup-area]") ?? form;
  const message = make("div", { className: "signup-done", tabIndex: -1 },
    make(area.querySelector("h1") ? "h1" : "h2", { textContent: heading }),
    ...lines.filter(Boolean).map((textContent) => make("p", { textContent })));
  const links = accountLinks(policy, texts, email, false);
  if (links) message.append(links);
  area.after(message);
  area.hidden = true;
  area.style.display = "none";
  if (area !== form) document.title = heading;
  message.focus();
  message.scrollIntoView({ block: "nearest" });
}

/** Returns the links to log in and to reset a password, if the service has their addresses. */
export function accountLinks({ login_url, reset_url }, texts, email, reset = true) {
  const link = (href, className, textContent) => href && make("a", { href, className, textContent });
  let login = login_url;
  if (login && email) {
    login = new URL(login);
    login.searchParams.set("login_hint", email);
  }
  const links = [
    link(login, "primary", texts.log_in),
    link(reset && reset_url, "secondary", texts.reset_password),
  ].filter(Boolean);
  return links.length ? make("p", { className: "account-links" }, ...links) : undefined;
}
