// <auth0-signup url="https://signup.example.com/signup"></auth0-signup> draws the whole form from the policy of
// the service. docs/front-ends.md lists its attributes, slots, parts and events.

import { dotted } from "./dom.js";
import { enhance } from "./form.js";
import { fieldsOf, policyAttribute } from "./fields.js";
import { awaitPolicy } from "./request.js";
import { STYLE } from "./style.js";

const h = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(Boolean));
  return element;
};

/** Renders a field: a label around its input, and the place of its errors. */
function fieldElements({ name, kind, label, before, link, after, url, required, input, choices }, texts) {
  const quiet = required ? "" : h("small", {}, ` (${texts.optional})`);
  const shared = { name, required, part: "input", "data-signup-label": label, ...input };
  const error = h("p", { class: "signup-error", part: "error", hidden: true, "data-signup-error": name });
  if (kind === "checkbox" || kind === "terms") {
    const words = kind === "checkbox"
      ? [label]
      : [before, h("a", { href: url, target: "_blank", rel: "noopener", part: "link" }, link), after];
    return [h("label", { part: "label" }, h("input", { ...shared, part: "checkbox" }), ...words, quiet), error];
  }
  if (kind === "choice") {
    const option = ({ value, label }) => h("option", { value }, label);
    const options = [{ value: "", label: texts.choose }, ...choices].map(option);
    return [h("label", { part: "label" }, label, quiet, h("select", shared, ...options)), error];
  }
  const isPassword = kind === "password";
  const labelled = h("label", { part: "label" }, label, quiet,
    h("input", { ...shared, "data-signup-password": isPassword }));
  return [labelled, error, isPassword && h("div", { part: "rules", "data-signup-rules": true })];
}

/** The style, shared by all elements. */
let sheet;

const Base = globalThis.HTMLElement ?? class {};

/** A sign-up form. */
export class SignupElement extends Base {
  static observedAttributes = ["url", "lang"];

  #enhanced;
  #form;
  #loading;
  #target;
  #policy;
  #drawn;

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
  }

  connectedCallback() {
    // A property that was set before the element was defined hides the accessor.
    if (Object.hasOwn(this, "policy")) {
      this.#policy = this.policy;
      delete this.policy;
    }
    this.#draw();
  }

  disconnectedCallback() {
    // An element that is moved is on the page again by then.
    queueMicrotask(() => this.isConnected || this.#end());
  }

  attributeChangedCallback(name, before, value) {
    if (before !== value) this.#draw();
  }

  /** The policy that the form is drawn from. Set it to save the request. */
  get policy() {
    return this.#policy ?? this.#drawn;
  }

  set policy(policy) {
    this.#policy = policy;
    this.#draw();
  }

  /** Puts the focus on the first field. Not by `delegatesFocus`: a click on a text would do so too. */
  focus(options) {
    this.shadowRoot.querySelector("[data-signup-label]")?.focus(options);
  }

  /** Sends the form, as its button does. */
  submit() {
    return this.#enhanced?.submit();
  }

  /** Draws the form when all attributes that change at the same time have changed. */
  #draw() {
    queueMicrotask(() => this.isConnected && !this.#form?.matches("[data-signup-done]") && this.#load());
  }

  /** Draws the form, unless it is drawn for this address and language. */
  async #load() {
    const url = this.getAttribute("url");
    const lang = this.closest("[lang]")?.lang;
    const target = `${lang} ${url}`;
    if (target === this.#target && !this.#policy) return;
    if (this.#form?.matches("[data-signup-busy]")) {
      this.#form.addEventListener("signup:result", () => this.#draw(), { once: true });
      return;
    }
    this.#end();
    this.#target = target;
    // Until the policy is there, and without it, the content of the element is shown: best a link to the built-in page.
    this.shadowRoot.replaceChildren(h("slot"));
    if (!url) return;
    const { signal } = (this.#loading = new AbortController());
    const policy = this.#policy ?? (await awaitPolicy(url, { lang, signal }));
    // Another attribute changed meanwhile.
    if (signal.aborted || !policy) return;
    this.#policy = undefined;
    this.#drawn = policy;
    this.#render(url, lang, policy);
  }

  #render(url, lang, policy) {
    const { texts } = policy;
    // What the page puts in keeps the page's direction: that of the texts would reach it by the slots.
    const { direction } = getComputedStyle(this);
    const slot = (name, ...content) => h("slot", { name, dir: direction }, ...content);
    // The page has these itself, such as a hidden one of user_metadata.
    const own = this.#slotted().map(({ name }) => dotted(name));
    const form = h("form", {
      action: url, method: "post", part: "form", "data-signup": "manual",
      "data-signup-policy": policyAttribute(policy),
    },
      slot("heading"),
      h("div", { "data-signup-alert": true, part: "alert", hidden: true }),
      lang && h("input", { type: "hidden", name: "ui_locales", value: lang }),
      ...fieldsOf(policy).filter(({ name }) => !own.includes(name)).flatMap((field) => fieldElements(field, texts)),
      slot("fields"),
      h("button", { part: "button" },
        h("span", { "data-signup-idle": true }, slot("submit", h("span", { dir: policy.direction }, texts.submit))),
        h("span", { "data-signup-working": true, hidden: true }, texts.submitting)),
      slot("footer"));
    form.addEventListener("signup:done", () => {
      form.dataset.signupSuccess = this.getAttribute("success") ?? "";
      // The message takes the place of the heading in the slot too, at its level.
      if (this.querySelector("h1[slot=heading], [slot=heading] h1")) form.append(h("h1", { hidden: true }));
    });
    form.addEventListener("formdata", ({ formData }) => {
      const slotted = this.#slotted();
      // One that was enabled since takes the place of the drawn field.
      const names = slotted.map(({ name }) => dotted(name));
      for (const name of [...formData.keys()]) if (names.includes(dotted(name))) formData.delete(name);
      for (const input of slotted) {
        const isOff = /checkbox|radio/.test(input.type) && !input.checked;
        if (!isOff) formData.append(input.name, input.value);
      }
    });
    // What was typed before the form was drawn again. A consent holds for the same terms.
    for (const { type, name, value, checked } of this.#form?.elements ?? []) {
      const input = type !== "hidden" && form.elements.namedItem(name);
      if (!input) continue;
      if (type === "checkbox") input.checked = checked && value === input.value;
      else input.value = value;
    }
    this.#form = form;
    // In an element of its own, which takes the form's message too: both are in the language of the policy's texts.
    this.shadowRoot.replaceChildren(h("div", { lang: policy.language, dir: policy.direction }, form));
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
    }
    this.shadowRoot.adoptedStyleSheets = [sheet];
    this.#enhanced = enhance(form);
  }

  /** Ends the loading, and a form that is not done: the message of a success stays. */
  #end() {
    this.#loading?.abort();
    this.#target = undefined;
    if (this.#form?.matches("[data-signup-done]")) return;
    this.#enhanced?.destroy();
    this.#enhanced = undefined;
  }

  /** The inputs of the page in the slot `fields`, without those that it disabled. */
  #slotted() {
    return [...this.querySelectorAll(":is([slot=fields], [slot=fields] *)[name]:not(:disabled)")];
  }
}

if (globalThis.customElements && !customElements.get("auth0-signup")) {
  customElements.define("auth0-signup", SignupElement);
}
