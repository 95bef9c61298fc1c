// The alert above the fields, built like that of the built-in page.

import { idOf, make, nameOf, paragraphs } from "./dom.js";

export class AlertBox {
  #form;
  #texts;
  #found;

  constructor(form, texts) {
    this.#form = form;
    this.#texts = texts;
  }

  get #box() {
    return (this.#found ??= this.#form.querySelector("[data-signup-alert], .signup-alert") ?? make("div"));
  }

  /** Empties the alert and takes it away. */
  hide() {
    this.#box.replaceChildren();
    this.#box.hidden = true;
  }

  /** Removes what this added to the form. */
  remove() {
    this.hide();
    if (!this.#box.matches("[data-signup-alert]")) this.#box.remove();
  }

  /** Shows an alert, and may put the focus on it. */
  show({ heading, lines, summary, links, reference, calm, takesFocus }) {
    const box = this.#box;
    box.hidden = false;
    box.tabIndex = -1;
    box.setAttribute("role", "alert");
    box.classList.add("alert", "signup-alert");
    box.classList.toggle("calm", calm);
    const title = make("h2", {}, heading);
    box.setAttribute("aria-labelledby", idOf(title));
    box.replaceChildren(title, ...paragraphs(lines));
    if (summary.length) box.append(make("ul", {}, ...summary.map((line) => this.#line(line))));
    if (links) box.append(links);
    if (reference) {
      const code = make("code", {}, reference);
      const label = this.#texts.reference + this.#texts.colon;
      box.append(make("p", { className: "reference" }, label, code));
    }
    if (!box.isConnected) {
      const first = this.#form.querySelector(":not([type=hidden])");
      if (first?.matches("h1, h2, h3")) first.after(box);
      else this.#form.prepend(box);
    }
    if (takesFocus) box.focus();
  }

  /** Returns a line of the summary: a link to the field, and its errors. */
  #line({ input, field, texts }) {
    const message = this.#texts.colon + [...texts].join(" ");
    if (!input) return make("li", {}, make("code", {}, field), message);
    const onclick = (event) => {
      event.preventDefault();
      input.focus();
    };
    const link = make("a", { href: `#${idOf(input)}`, onclick }, labelOf(input, this.#texts));
    return make("li", {}, link, message);
  }
}

/** What belongs to a label on the page, and not to the name of its input. */
const ASIDE = "input, select, textarea, button, p, .quiet, [aria-hidden=true]";

/**
 * Returns the label of an input, without the texts of other elements in it and the marks at its end. A radio button has
 * that of its group.
 */
function labelOf(input, { terms }) {
  const { signupLabel = input.name === "terms" && terms } = input.dataset;
  const legend = input.type === "radio" && input.closest("fieldset")?.querySelector("legend");
  const label = (legend || input.labels?.[0])?.cloneNode(true);
  label?.querySelectorAll(ASIDE).forEach((inner) => inner.remove());
  const text = label?.textContent.trim().replace(/[\s:：*.。]+$/, "");
  return signupLabel || text || input.getAttribute("aria-label") || nameOf(input);
}
