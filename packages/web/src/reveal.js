// The button that shows the password.

import { findInput, make } from "./dom.js";

const BUTTON = "button[data-signup-reveal]";
/** A button that does something else beside a field, although its type would send the form. */
const ASIDE = "button:is([aria-controls], [aria-pressed], label *):not([type])";

/** True if a button that would send a form is not there to send it. */
export const isAside = (button) => Boolean(button?.matches(`${BUTTON}, ${ASIDE}`));

export class Reveal {
  #form;
  #texts;
  #say;
  #own;

  /** `say` announces a text. */
  constructor(form, texts, say) {
    this.#form = form;
    this.#texts = texts;
    this.#say = say;
    const input = this.#input();
    if (input && "signupPassword" in input.dataset && !this.#button()) {
      this.#own = make("button", { type: "button", className: "signup-reveal" });
      this.#own.dataset.signupReveal = "words";
      (input.closest("label") ?? input).after(this.#own);
      this.label();
    }
    // Otherwise the Enter key presses the first of them in place of the form's own button.
    for (const button of form.elements) if (isAside(button)) button.type = "button";
  }

  /** Labels the button that this added. */
  label() {
    if (this.#own) this.#name(this.#own, this.#input()?.type === "text");
  }

  /** Shows or hides the password; by default the other of what it is. */
  toggle(shown = this.#input()?.type === "password") {
    const [input, button] = [this.#input(), this.#button()];
    if (!input || !button || (input.type === "text") === shown) return;
    input.type = shown ? "text" : "password";
    if (button.dataset.signupReveal !== "words") {
      button.setAttribute("aria-pressed", String(shown));
      return;
    }
    this.#name(button, shown);
    this.#say(this.#texts[shown ? "password_shown" : "password_hidden"]);
  }

  /** Removes what this added. */
  remove() {
    this.#own?.remove();
  }

  /** The words change with the state, so the button is not a toggle to screen readers. */
  #name(button, shown) {
    const { show, hide, show_password, hide_password } = this.#texts;
    button.textContent = shown ? hide : show;
    button.setAttribute("aria-label", shown ? hide_password : show_password);
  }

  #input() {
    return findInput(this.#form, "password");
  }

  #button() {
    return this.#form.querySelector(BUTTON);
  }
}
