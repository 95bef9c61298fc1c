// The errors beside the fields.

import { describe, described, dotted, findInput, idOf, make, putBelow } from "./dom.js";

export class FieldErrors {
  #form;
  #texts;
  #rules;
  /** The error elements, by their inputs. */
  #places = new Map();

  constructor(form, texts, rules) {
    this.#form = form;
    this.#texts = texts;
    this.#rules = rules;
  }

  /** Shows errors beside their fields. Returns a line for the summary for each field. */
  show(errors) {
    const lines = new Map();
    for (const error of errors) {
      const { field } = error;
      const found = findInput(this.#form, field);
      const input = found && found.type !== "hidden" ? found : undefined;
      const line = lines.get(field) ?? { input, field, texts: new Set() };
      // An unmet rule is an error in the list of rules.
      const list = input && field === "password" && this.#rules.showError(error);
      if (list) markInvalid(input, idOf(list));
      else if (input) this.#showBelow(input, error);
      line.texts.add((list && this.#texts.password_rules_unmet) || error.message);
      lines.set(field, line);
    }
    // In the order of the form, and then those that have no place on it.
    const all = [...this.#form.elements];
    const place = ({ input }) => all.indexOf(input) >>> 0;
    return [...lines.values()].sort((a, b) => place(a) - place(b));
  }

  #showBelow(input, { field, message }) {
    const shown = this.#places.get(input);
    if (shown) {
      shown.append(make("br"), message);
      return;
    }
    const place = this.#find(field) ?? this.#rendered(input) ?? make("p");
    if (input.id) place.id ||= `${input.id}-error`;
    place.classList.add("field-error", "signup-error");
    place.textContent = message;
    place.hidden = false;
    if (!place.isConnected) putBelow(input, place);
    markInvalid(input, idOf(place));
    this.#places.set(input, place);
  }

  /** Removes all errors. */
  clearAll() {
    for (const input of this.#form.elements) this.clear(input);
  }

  /** Removes the error of an input. */
  clear(input) {
    if (!input.getAttribute?.("aria-invalid")) return;
    const place = this.#places.get(input) ?? this.#rendered(input);
    input.removeAttribute("aria-invalid");
    input.closest(".field")?.classList.remove("invalid");
    if (!place) return;
    this.#places.delete(input);
    const left = described(input).filter((id) => id !== place.id).join(" ");
    if (left) input.setAttribute("aria-describedby", left);
    else input.removeAttribute("aria-describedby");
    if (place.dataset.signupError) place.textContent = "";
    else place.remove();
  }

  /** Finds the page's own place for the errors of a field. */
  #find(field) {
    const places = this.#form.querySelectorAll("[data-signup-error]");
    return [...places].find(({ dataset }) => dotted(dataset.signupError) === field);
  }

  /** Finds the error that the built-in page rendered for an input. */
  #rendered({ id }) {
    return id ? this.#form.querySelector(`#${CSS.escape(`${id}-error`)}`) : null;
  }
}

/** Marks an input as invalid, described by the element with this id. */
function markInvalid(input, id) {
  input.closest(".field")?.classList.add("invalid");
  input.setAttribute("aria-invalid", "true");
  describe(input, id);
}
