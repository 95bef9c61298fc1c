// The button that shows the password.

import { findInput, make } from "./dom.js";

/** The button of a form. */
export const REVEAL = "button[data-signup-reveal]";
/** Buttons that do something else beside a field, although their type would send the form. */
const ASIDE = `${REVEAL}, button[aria-pressed], button:is([aria-controls], label *):not([type])`;
/** Buttons that may have got their type by mistake: the default of HTML sends the form. */
const BARE = "button:not([type], [name], [value])";
/** Buttons that send the form elsewhere: the page's own behaviour. */
export const ELSEWHERE = "[formaction], [formmethod]";

/** Takes the type from the buttons that are not there to send a form. One always is: the last. */
export function setButtonTypes(form) {
  const all = [...form.elements].filter((button) => button.type === "submit" && !button.matches(ELSEWHERE));
  const last = all.findLast((button) => !button.matches(ASIDE)) ?? all.at(-1);
  for (const button of all) {
    if (button !== last && button.matches(`${ASIDE}, ${BARE}`)) button.type = "button";
  }
}

export class Reveal {
  /** True while the password is shown, whatever the page makes of its input meanwhile. */
  shown;
  #form;
  #texts;
  #live;
  #own;

  /** `live` is a live region of the form. */
  constructor(form, texts, live) {
    this.#form = form;
    this.#texts = texts;
    this.#live = live;
    this.shown = findInput(form, "password")?.type === "text";
    this.start();
  }

  /** Adds a button beside an input that asks for it, unless there is one. */
  start() {
    const input = findInput(this.#form, "password");
    if (!input?.matches("[data-signup-password]") || this.button()) return;
    this.#own ??= make("button", { type: "button", className: "signup-reveal" });
    this.#own.dataset.signupReveal = "words";
    const form = input.getAttribute("form");
    if (form) this.#own.setAttribute("form", form);
    (input.closest("label") ?? input).after(this.#own);
    this.label();
  }

  /** Returns the button, which may be outside the form as its input may. */
  button() {
    return [...this.#form.elements].find((button) => button.matches(REVEAL));
  }

  /** Labels a button, by default the one that this added. Its words change, so it is not a toggle to screen readers. */
  label(button = this.#own) {
    if (!button) return;
    const { show, hide, show_password, hide_password } = this.#texts;
    button.textContent = this.shown ? hide : show;
    button.setAttribute("aria-label", this.shown ? hide_password : show_password);
  }

  /** Shows or hides the password; by default the other of what it is. */
  toggle(shown = !this.shown) {
    const [input, button] = [findInput(this.#form, "password"), this.button()];
    if (!input || !button || this.shown === shown) return;
    this.shown = shown;
    input.type = shown ? "text" : "password";
    if (button.dataset.signupReveal !== "words") {
      button.setAttribute("aria-pressed", shown);
      return;
    }
    this.label(button);
    this.#live.textContent = this.#texts[shown ? "password_shown" : "password_hidden"];
  }

  /** Hides the password, and removes what this added. */
  remove() {
    this.toggle(false);
    this.#own?.remove();
  }
}
