// The errors beside the fields.

import { describe, dotted, findInputs, idOf, make, nameOf, putBelow } from "./dom.js";

export class FieldErrors {
  #form;
  #texts;
  #rules;
  /** The inputs that this or the service marked as invalid, with their error elements. Other marks are the page's own. */
  #marked = new Map();

  constructor(form, texts, rules) {
    this.#form = form;
    this.#texts = texts;
    this.#rules = rules;
    for (const input of form.querySelectorAll("[aria-invalid=true]")) {
      const rendered = this.#find(nameOf(input));
      if (rendered) this.#marked.set(input, rendered);
    }
  }

  /** Shows errors beside their fields. Returns a line for the summary for each field. */
  show(errors) {
    const lines = new Map();
    for (const error of errors) {
      const { field } = error;
      const inputs = findInputs(this.#form, field).filter(({ type }) => type !== "hidden");
      const [input] = inputs;
      const line = lines.get(field) ?? { input, field, texts: new Set() };
      // An unmet rule is an error in the list of rules.
      const list = input && field === "password" && this.#rules.showError(error);
      if (list) this.#mark(input, list, this.#marked.get(input));
      else if (input) this.#showBelow(inputs, error);
      line.texts.add((list && this.#texts.password_rules_unmet) || error.message);
      lines.set(field, line);
    }
    // In the order of the form, and then those that have no place on it.
    const all = [...this.#form.elements];
    const place = ({ input }) => all.indexOf(input) >>> 0;
    return [...lines.values()].sort((a, b) => place(a) - place(b));
  }

  #showBelow(inputs, { field, message }) {
    const [input] = inputs;
    const shown = this.#marked.get(input);
    if (shown) {
      shown.append(make("br"), message);
      return;
    }
    const place = this.#find(field) ?? make("p");
    place.classList.add("signup-error");
    place.textContent = message;
    place.hidden = false;
    if (!place.isConnected) putBelow(inputs.at(-1), place);
    this.#mark(input, place, place);
  }

  /** Removes all errors. */
  clearAll() {
    for (const input of this.#marked.keys()) this.clear(input);
  }

  /** Removes the error of an input. */
  clear(input) {
    if (!this.#marked.has(input)) return;
    const place = this.#marked.get(input);
    this.#marked.delete(input);
    input.removeAttribute("aria-invalid");
    input.closest(".field")?.classList.remove("invalid");
    if (!place) return;
    describe(input, place.id, false);
    if (place.dataset.signupError) place.textContent = "";
    else place.remove();
  }

  /** Finds the page's own place for the errors of a field. */
  #find(field) {
    const places = this.#form.querySelectorAll("[data-signup-error]");
    return [...places].find(({ dataset }) => dotted(dataset.signupError) === field);
  }

  /** Marks an input as invalid, described by a list of rules or by its error element. */
  #mark(input, description, place) {
    input.closest(".field")?.classList.add("invalid");
    input.setAttribute("aria-invalid", "true");
    describe(input, idOf(description));
    this.#marked.set(input, place);
  }
}
