// <auth0-signup url="https://signup.example.com/signup"></auth0-signup> draws the whole form from the policy of
// the service. docs/front-ends.md lists its attributes, slots, parts and events.

import { enhance } from "./form.js";
import { fieldsOf, policyAttribute } from "./fields.js";
import { awaitPolicy } from "./request.js";
import { STYLE } from "./style.js";

const h = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
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
  if (!isPassword) return [labelled, error];
  return [labelled, error, h("div", { part: "rules", "data-signup-rules": true })];
}

/** The style, shared by all elements. */
let sheet;
function makeSheet() {
  const made = new CSSStyleSheet();
  made.replaceSync(STYLE);
  return made;
}

const Base = globalThis.HTMLElement ?? class {};

/** A sign-up form. */
export class SignupElement extends Base {
  static observedAttributes = ["url", "lang"];

  #enhanced;
  #loading;
  #policy;
  #isDrawing = false;

  constructor() {
    super();
    this.attachShadow({ mode: "open", delegatesFocus: true });
  }

  connectedCallback() {
    // A property that was set before the element was defined hides the accessor.
    if (Object.hasOwn(this, "policy")) {
      const { policy } = this;
      delete this.policy;
      this.policy = policy;
    }
    this.#draw();
  }

  disconnectedCallback() {
    this.#loading?.abort();
    // The message of its success moves with the element.
    if (this.#isDone()) return;
    this.#enhanced?.destroy();
    this.#enhanced = undefined;
  }

  attributeChangedCallback(name, before, value) {
    if (before !== value) this.#draw();
  }

  /** The policy that the form is drawn from. Set it to save the request. */
  get policy() {
    return this.#policy;
  }

  set policy(policy) {
    this.#policy = policy;
    this.#draw();
  }

  /** Sends the form, as its button does. */
  submit() {
    return this.#enhanced?.submit();
  }

  /** Draws the form once, however many attributes change at the same time. */
  #draw() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    queueMicrotask(() => {
      this.#isDrawing = false;
      if (this.isConnected && !this.#isDone()) this.#load();
    });
  }

  async #load() {
    this.disconnectedCallback();
    // Until the policy is there, and without it, the content of the element is shown: best a link to the built-in page.
    this.shadowRoot.replaceChildren(h("slot"));
    const url = this.getAttribute("url");
    if (!url) return;
    const { signal } = (this.#loading = new AbortController());
    const lang = this.closest("[lang]")?.lang;
    const policy = this.#policy ?? (await awaitPolicy(url, { lang, signal }));
    // Another attribute changed meanwhile.
    if (signal.aborted || !policy) return;
    this.#policy = undefined;
    this.#render(url, lang, policy);
  }

  #render(url, lang, policy) {
    const { texts } = policy;
    // The page has these itself, such as a hidden one of user_metadata.
    const own = new Set(this.#slotted().map(({ name }) => name));
    const success = this.getAttribute("success") ?? undefined;
    const form = h("form", {
      action: url, method: "post", part: "form", "data-signup": "manual",
      "data-signup-policy": policyAttribute(policy), "data-signup-success": success,
    },
      h("slot", { name: "heading" }),
      h("div", { "data-signup-alert": true, part: "alert", hidden: true }),
      lang && h("input", { type: "hidden", name: "ui_locales", value: lang }),
      ...fieldsOf(policy).filter(({ name }) => !own.has(name)).flatMap((field) => fieldElements(field, texts)),
      h("slot", { name: "fields" }),
      h("button", { part: "button" },
        h("span", { "data-signup-idle": true }, h("slot", { name: "submit" }, texts.submit)),
        h("span", { "data-signup-working": true, hidden: true }, texts.submitting)),
      h("slot", { name: "footer" }));
    form.addEventListener("formdata", ({ formData }) => {
      for (const input of this.#slotted()) {
        const isOff = /^(checkbox|radio)$/.test(input.type) && !input.checked;
        if (!isOff && !input.disabled) formData.append(input.name, input.value);
      }
    });
    this.shadowRoot.replaceChildren(form);
    this.shadowRoot.adoptedStyleSheets = [(sheet ??= makeSheet())];
    this.#enhanced = enhance(form);
  }

  #isDone() {
    return "signupDone" in (this.#enhanced?.form.dataset ?? {});
  }

  /** The inputs of the page in the slot `fields`. */
  #slotted() {
    return [...this.querySelectorAll('[slot="fields"][name], [slot="fields"] [name]')];
  }
}

if (globalThis.customElements && !customElements.get("auth0-signup")) {
  customElements.define("auth0-signup", SignupElement);
}
