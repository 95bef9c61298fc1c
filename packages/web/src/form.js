// The enhanced form: sends itself, and shows the result.

import { checkPassword } from "./password.js";
import { prove } from "./proof.js";
import { getBelow, getPolicy } from "./request.js";
import { newKey, signUp } from "./sign-up.js";
import { suggestEmail } from "./suggest.js";
import { TEXTS } from "./texts.js";

const forms = new WeakMap();
let idCount = 0;
/** Leaves text to screen readers alone. Needs no style sheet of the page. */
const HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
const make = (tag, members, ...children) => {
  const made = Object.assign(document.createElement(tag), members);
  made.append(...children);
  return made;
};
/** Replaces `%name%` in a text. */
const put = (text, value) => text.replace(/%\w+%/, () => value);

/** Enhances a form, or returns its object if it is enhanced. `options`: see signup.d.ts. */
export function enhance(form, options = {}) {
  if (!forms.has(form)) forms.set(form, new SignupForm(form, options));
  return forms.get(form);
}

class SignupForm {
  #listeners = new AbortController();
  #busy = false;
  #key;
  #sent;
  #waitUntil = 0;
  /** The error elements, by their inputs. */
  #errors = new Map();

  constructor(form, options) {
    this.form = form;
    // Not `form.action`, which an input of that name would shadow.
    this.url = new URL(options.url ?? form.getAttribute("action") ?? "", form.baseURI).href;
    const own = { ...JSON.parse(form.dataset.signupTexts ?? "{}"), ...options.texts };
    this.texts = { ...TEXTS, ...own };
    const { signal } = this.#listeners;
    const { signupPolicy } = form.dataset;
    this.policy = signupPolicy
      ? Promise.resolve(JSON.parse(signupPolicy))
      : getPolicy(this.url, { lang: this.#lang(), signal });
    const on = (name, listener, target = form) => target.addEventListener(name, listener, { signal });
    on("submit", (event) => {
      const { defaultPrevented, submitter } = event;
      const elsewhere = ["formaction", "formmethod"].some((name) => submitter?.hasAttribute(name));
      if (defaultPrevented || elsewhere) return;
      event.preventDefault();
      this.submit(submitter);
    });
    on("reset", () => {
      this.#clearErrors();
      setTimeout(() => this.#checkRules());
    });
    on("click", (event) => {
      if (!event.target.closest?.("[data-signup-reveal]")) return;
      // A button without a type would send the form.
      event.preventDefault();
      this.#reveal();
    });
    // An input may be outside its form.
    const root = form.getRootNode();
    on("focusin", ({ target }) => {
      if (target.form !== form) return;
      this.#prepared ??= this.#prepareProof();
      if (target === this.#input("password")) this.#loadCommon();
    }, root);
    for (const name of ["keydown", "keyup", "focusout"]) on(name, (event) => this.#checkCapsLock(event), root);
    on("input", ({ target }) => {
      if (target.form !== form) return;
      this.#clearError((target.name && this.#input(target.name)) || target);
      if (target === this.#input("password")) this.#checkRules();
      if (target !== this.#input("email")) return;
      // The rate limit may have been that of the previous address.
      this.#waitUntil = 0;
      this.#suggestion?.replaceChildren();
      // Not on blur: the shift in layout would make a click on the button miss it.
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#suggest(), 400);
    }, root);
    this.#noValidate = form.noValidate;
    form.noValidate = true;
    form.dataset.signupReady = "";
    // Present before its first text, so that screen readers notice the text.
    this.#live = make("p", { className: "signup-status", style: HIDDEN });
    this.#live.setAttribute("role", "status");
    form.append(this.#live);
    this.policy.then((policy) => {
      if (!policy || signal.aborted) return;
      Object.assign(this.texts, policy.texts, own);
      this.#policy = policy;
      this.#rules(policy);
      const { kinds, site_key, action } = policy.challenge ?? {};
      if (kinds?.includes("recaptcha_v3")) {
        this.#getScore = async () => globalThis.grecaptcha.execute(site_key, { action });
      }
    });
    this.#emit("ready");
  }

  #suggestion;
  #typing;
  #prepared;
  #proof;
  #getScore;
  #checkRules = () => {};
  #ruleLine = () => {};
  #policy = {};
  #live;
  #capsLock;
  #noValidate;

  /** Removes the enhancement. */
  destroy() {
    this.#listeners.abort();
    clearTimeout(this.#typing);
    this.#clearErrors();
    this.#suggestion?.remove();
    this.#capsLock?.remove();
    this.#live.remove();
    this.#alert();
    if (!("signupAlert" in this.#alertBox.dataset)) this.#alertBox.remove();
    this.form.noValidate = this.#noValidate;
    delete this.form.dataset.signupReady;
    forms.delete(this.form);
  }

  /** Sends the form and shows the result. Does nothing while a request is in progress. */
  async submit(submitter) {
    const { form } = this;
    const seconds = Math.ceil((this.#waitUntil - Date.now()) / 1000);
    if (this.#busy || "signupDone" in form.dataset) return undefined;
    // The page's own checks come first: those of ignored inputs, and custom errors of the others.
    const invalid = [...form.elements].find(({ dataset, validity, willValidate }) =>
      willValidate && !("signupIgnore" in dataset ? validity.valid : !validity.customError),
    );
    if (invalid) {
      invalid.reportValidity();
      return undefined;
    }
    if (seconds > 0) {
      this.#alert({ ...this.#limit, lines: [this.#wait(seconds)] });
      this.#alertBox.focus();
      return undefined;
    }
    if (!this.#emit("submit", {}, true)) return undefined;
    this.#busy = true;
    form.setAttribute("aria-busy", "true");
    this.#reveal(false);
    this.#progress(this.texts.submitting);
    try {
      const result = await this.#send(submitter);
      this.#progress();
      this.#show(result);
      return result;
    } catch (error) {
      if (!this.#listeners.signal.aborted) throw error;
      return undefined;
    } finally {
      this.#busy = false;
      form.removeAttribute("aria-busy");
      this.#progress();
    }
  }

  /** Shows how a request is going, in a live region and in the page's own elements. */
  #progress(text = "") {
    const { form } = this;
    this.#live.textContent = text;
    const swap = (name, hidden) => form.querySelectorAll(`[data-signup-${name}]`).forEach((shown) => (shown.hidden = hidden));
    swap("idle", Boolean(text));
    swap("working", !text);
    if (text) form.querySelectorAll("[data-signup-working]").forEach((shown) => (shown.textContent = text));
  }

  async #send(submitter) {
    const data = new FormData(this.form, submitter);
    this.#data = data;
    for (const { dataset, name } of this.form.elements) {
      if ("signupIgnore" in dataset) data.delete(name);
    }
    const { signal } = this.#listeners;
    const onRetry = () => this.#progress(this.texts.retrying);
    const solving = () => this.#progress(this.texts.checking);
    const timer = setTimeout(() => this.#proof && solving(), 500);
    const proof = await this.#proof;
    clearTimeout(timer);
    this.#progress(this.texts.submitting);
    if (proof) data.set("altcha", proof);
    const token = await this.#getScore?.().catch(() => {});
    if (token) data.set("g-recaptcha-response", token);
    const onChallenge = () => {
      this.#emit("challenge");
      solving();
    };
    const options = { lang: this.#lang(), signal, onChallenge, onRetry };
    const post = () => signUp(this.url, data, { key: this.#keyFor(data), ...options });
    let result = await post();
    if (result.problem?.code === "idempotency_key_reused") {
      // After Back the form still has the key of the request sent before.
      this.#setKey(newKey());
      result = await post();
    }
    // A proof can be used once, and so can a captcha token. Field errors do not use the token up,
    // unless Auth0 found them, which happens after the token was verified.
    this.#proof = this.#prepared = undefined;
    const { status, errors = [] } = result;
    const late = errors.every(({ code }) => /common|breached|used|weak/.test(code));
    if (status !== "created" && (status !== "invalid" || late)) {
      for (const widget of ["turnstile", "hcaptcha", "grecaptcha"]) {
        try {
          globalThis[widget]?.reset?.();
        } catch { /* no widget on this page */ }
      }
    }
    if (status === "taken") this.#setKey(newKey());
    return result;
  }

  /** Returns the key of this sign-up, which changes only with the address or the password. */
  #keyFor(data) {
    const identity = JSON.stringify([data.get("email"), data.get("password")]);
    const hidden = this.#input("idempotency_key");
    if (!this.#key) this.#key = hidden?.value || newKey();
    if (this.#sent !== undefined && this.#sent !== identity) this.#setKey(newKey());
    this.#sent = identity;
    return this.#key;
  }

  #setKey(key) {
    this.#key = key;
    const hidden = this.#input("idempotency_key");
    if (hidden) hidden.value = key;
  }

  /** Solves a challenge while the form is being filled in, if one will be required. */
  async #prepareProof() {
    const { challenge } = (await this.policy) ?? {};
    if (challenge?.kinds?.includes("proof_of_work") && !this.#input("altcha")) {
      const { signal } = this.#listeners;
      const issued = await getBelow(this.url, "/challenge", { signal });
      if (issued?.required) this.#proof = prove(issued, signal);
    }
  }

  // ----------------------------------------------------------------------------- display

  #show(result) {
    this.#alert();
    this.#clearErrors();
    this.#emit("result", result);
    this.#emit(result.status, result);
    if (this.#listeners.signal.aborted || !this.form.isConnected) return;
    const { problem = {}, status, httpStatus, retryAfter } = result;
    if (status === "created" || status === "accepted") {
      this.#finish(status);
      return;
    }
    const { texts } = this;
    const heading = problem.heading ?? problem.title ?? texts.offline_heading;
    const lines = [problem.code ? problem.advice ?? problem.detail : texts.offline];
    if (retryAfter) {
      this.#waitUntil = Date.now() + retryAfter * 1000;
      this.#limit = { heading };
      lines.push(this.#wait(retryAfter));
    }
    const errors = [...(result.errors ?? [])];
    if (problem.code === "username_taken") errors.push({ field: "username", message: lines.shift() });
    const summary = this.#showErrors(errors);
    if (summary.length && status === "invalid") lines.shift();
    const hasAccount = ["email_taken", "outcome_unknown", "signups_closed"].includes(problem.code);
    this.#alert({
      heading,
      lines,
      summary,
      links: hasAccount ? this.#accountLinks() : undefined,
      reference: httpStatus >= 500 && problem.request_id,
      calm: hasAccount,
    });
    this.#alertBox.focus();
  }

  /** Ends the form: opens the page's own address, or puts a message into its place. */
  #finish(status) {
    const { form, texts } = this;
    form.dataset.signupDone = "";
    const password = this.#input("password");
    if (password) password.value = "";
    const given = (name) => String(this.#data?.get(name) ?? "").trim();
    const email = given("email");
    if (!this.#emit("done", { status, email }, true)) return;
    const { signupSuccess } = form.dataset;
    if (signupSuccess) {
      location.assign(signupSuccess.replace("{login_hint}", encodeURIComponent(email)));
      return;
    }
    const name = given("given_name") || given("nickname") || given("name");
    const isCreated = status === "created";
    const title = isCreated ? texts.success_title : texts.accepted_title;
    const greeting = isCreated && name && texts.success_title_name;
    const heading = greeting ? put(greeting, name) : title;
    const naming = email && texts[`${status}_email`];
    const lines = [naming ? put(naming, email) : texts[status]];
    if (isCreated) lines.push(texts.confirm_email, texts.then_log_in);
    const area = form.closest("[data-signup-area]") ?? form;
    const message = make("div", { className: "signup-done", tabIndex: -1 },
      make(area === form ? "h2" : "h1", { textContent: heading }),
      ...lines.filter(Boolean).map((textContent) => make("p", { textContent })));
    const links = this.#accountLinks(email, false);
    if (links) message.append(links);
    area.after(message);
    area.hidden = true;
    area.style.display = "none";
    if (area !== form) document.title = heading;
    message.focus();
    message.scrollIntoView({ block: "nearest" });
  }

  /** Shows errors beside their fields. Returns a line for the summary for each field. */
  #showErrors(errors) {
    const lines = new Map();
    for (const error of errors) {
      const { field } = error;
      const input = this.#input(field);
      const onForm = input && input.type !== "hidden" ? input : undefined;
      const line = lines.get(field) ?? { input: onForm, field, texts: new Set() };
      const isRule = onForm && this.#showRule(error);
      if (onForm && !isRule) this.#showError(onForm, error);
      line.texts.add((isRule && this.texts.password_rules_unmet) || error.message);
      lines.set(field, line);
    }
    return [...lines.values()];
  }

  /** Marks an unmet rule in the list of password rules. Returns false if it is not there. */
  #showRule({ field, code, message }) {
    const line = field === "password" && this.#ruleLine(code);
    if (!line) return false;
    line.dataset.met = "false";
    // This error names what the password contains.
    if (code === "password.contains_user_info") {
      line.dataset.text ??= line.lastChild.textContent;
      line.lastChild.textContent = message;
    }
    const input = this.#input("password");
    const list = line.parentElement;
    const box = list.closest("[data-signup-rules]") ?? list;
    box.id ||= `signup-rules-${++idCount}`;
    this.#markInvalid(input, box.id);
    return true;
  }

  /** Shows an error beside its field. */
  #showError(input, { field, message }) {
    const shown = this.#errors.get(input);
    if (shown) {
      shown.append(make("br"), message);
      return;
    }
    const own = this.form.querySelector(`[data-signup-error="${CSS.escape(field)}"]`);
    const place = own ?? this.#errorFor(input) ?? make("p");
    place.id ||= input.id ? `${input.id}-error` : `signup-error-${++idCount}`;
    place.classList.add("field-error", "signup-error");
    place.textContent = message;
    place.hidden = false;
    if (!place.isConnected) {
      const around = input.closest(".secret") ?? input.closest("label") ?? input;
      around.before(place);
    }
    this.#markInvalid(input, place.id);
    this.#errors.set(input, place);
  }

  /** Marks an input as invalid, described by the element with this id. */
  #markInvalid(input, id) {
    input.closest(".field")?.classList.add("invalid");
    input.setAttribute("aria-invalid", "true");
    const ids = (input.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
    input.setAttribute("aria-describedby", [...new Set([id, ...ids])].join(" "));
  }

  /** Removes all errors and the suggestion. */
  #clearErrors() {
    for (const input of this.form.elements) this.#clearError(input);
    this.#suggestion?.replaceChildren();
  }

  #clearError(input) {
    if (!input.getAttribute?.("aria-invalid")) return;
    const place = this.#errors.get(input) ?? this.#errorFor(input);
    input.removeAttribute("aria-invalid");
    input.closest(".field")?.classList.remove("invalid");
    if (!place) return;
    this.#errors.delete(input);
    const ids = (input.getAttribute("aria-describedby") ?? "").split(" ");
    const left = ids.filter((id) => id && id !== place.id).join(" ");
    if (left) input.setAttribute("aria-describedby", left);
    else input.removeAttribute("aria-describedby");
    if (place.dataset.signupError) place.textContent = "";
    else place.remove();
  }

  /** Finds the error that the built-in page rendered for an input. */
  #errorFor({ id }) {
    return id ? this.form.querySelector(`#${CSS.escape(`${id}-error`)}`) : null;
  }

  #alertBox;
  #limit;
  #data;

  /** Shows an alert above the fields, built like that of the built-in page. Without one, hides it. */
  #alert(shown) {
    this.#alertBox ??= this.form.querySelector("[data-signup-alert]")
      ?? make("div", { tabIndex: -1 });
    const box = this.#alertBox;
    box.replaceChildren();
    box.hidden = !shown;
    if (!shown) return;
    const { heading, lines, summary = [], links, reference, calm } = shown;
    box.setAttribute("role", "alert");
    box.classList.add("alert", "signup-alert");
    box.classList.toggle("calm", Boolean(calm));
    box.tabIndex = -1;
    const title = make("h2", { textContent: heading, id: `signup-alert-${++idCount}` });
    box.setAttribute("aria-labelledby", title.id);
    box.append(title, ...lines.filter(Boolean).map((textContent) => make("p", { textContent })));
    if (summary.length) box.append(make("ul", {}, ...summary.map((line) => this.#summaryLine(line))));
    if (links) box.append(links);
    if (reference) {
      const code = make("code", { textContent: reference });
      box.append(make("p", { className: "reference" }, this.texts.reference + this.texts.colon, code));
    }
    if (!box.isConnected) this.form.prepend(box);
    box.scrollIntoView({ block: "nearest" });
  }

  /** Returns a line of the summary: a link to the field, and its errors. */
  #summaryLine({ input, field, texts }) {
    const message = this.texts.colon + [...texts].join(" ");
    if (!input) return make("li", {}, make("code", { textContent: field }), message);
    input.id ||= `signup-input-${++idCount}`;
    const onclick = (event) => {
      event.preventDefault();
      input.focus();
    };
    const link = make("a", { href: `#${input.id}`, textContent: this.#label(input), onclick });
    return make("li", {}, link, message);
  }

  /** Returns the label of an input, without the texts of other elements in it. */
  #label(input) {
    const { signupLabel } = input.dataset;
    const label = input.labels?.[0]?.cloneNode(true);
    label?.querySelectorAll("input, select, button, p, .quiet").forEach((inner) => inner.remove());
    return signupLabel ?? (label?.textContent.trim() || input.getAttribute("aria-label") || input.name);
  }

  /** Returns the links to log in and to reset a password, if the service has their addresses. */
  #accountLinks(email = this.#data?.get("email"), reset = true) {
    const { login_url, reset_url } = this.#policy;
    const link = (href, className, textContent) => href && make("a", { href, className, textContent });
    let login = login_url;
    if (login && email) {
      login = new URL(login);
      login.searchParams.set("login_hint", email);
    }
    const links = [
      link(login, "primary", this.texts.log_in),
      link(reset && reset_url, "secondary", this.texts.reset_password),
    ].filter(Boolean);
    return links.length ? make("p", { className: "account-links" }, ...links) : undefined;
  }

  /** Lists the password rules, and keeps their states up to date. */
  #rules(policy) {
    const box = this.form.querySelector("[data-signup-rules]");
    if (!box) return;
    const rules = checkPassword("", policy.password ?? {});
    const list = box.matches("ul") ? box : box.querySelector("ul") ?? box.appendChild(make("ul"));
    const find = (code) => list.querySelector(`[data-rule="${code}"]`);
    const add = (code, text) => {
      const line = list.appendChild(make("li", {}, text));
      line.dataset.rule = code;
      return line;
    };
    for (const { code, message } of policy.password?.rules ?? []) {
      if (rules.some((rule) => rule.code === code) && !find(code)) add(code, message);
    }
    this.#ruleLine = find;
    this.#checkRules = () => {
      const password = this.#input("password")?.value ?? "";
      const checked = checkPassword(password, policy.password ?? {});
      for (const line of list.querySelectorAll("[data-live]")) line.remove();
      for (const line of list.querySelectorAll("[data-text]")) {
        line.lastChild.textContent = line.dataset.text;
        delete line.dataset.text;
        delete line.dataset.met;
      }
      for (const { code, met } of checked) {
        // A rule that is listed only while the password breaks it.
        const line = find(code) ?? add(code, this.texts[code.replace(".", "_")] ?? "");
        if (!met && /too_(long|common)$/.test(code)) line.dataset.live = "";
        if (!line.querySelector(".signup-state")) {
          line.prepend(make("span", { className: "signup-state", style: HIDDEN }));
        }
        line.dataset.met = String(met && password !== "");
        line.firstChild.textContent = password && `${this.texts[met ? "met" : "unmet"]} `;
      }
    };
    this.#checkRules();
  }

  /** Loads the passwords that are too common, once, if the policy rejects them. */
  async #loadCommon() {
    const { password } = this.#policy;
    if (!password?.dictionary || password.common) return;
    password.common = new Set();
    const text = await getBelow(this.url, "/common-passwords.txt", { as: "text" });
    password.common = new Set(text?.split("\n").filter(Boolean));
    this.#checkRules();
  }

  /** Warns while Caps Lock is on in the password. */
  #checkCapsLock(event) {
    const input = this.#input("password");
    if (!input || event.target !== input) return;
    const isOn = event.type !== "focusout" && event.getModifierState?.("CapsLock");
    if (!isOn && !this.#capsLock) return;
    if (!this.#capsLock) {
      this.#capsLock = make("p", { className: "hint signup-caps-lock" });
      this.#capsLock.setAttribute("role", "status");
      (input.closest(".secret") ?? input.closest("label") ?? input).after(this.#capsLock);
    }
    this.#capsLock.textContent = isOn ? this.texts.caps_lock : "";
  }

  #suggest() {
    const input = this.#input("email");
    const address = input && suggestEmail(input.value);
    if (!address) return;
    this.#emit("suggestion", { address });
    if (!this.#suggestion) {
      this.#suggestion = make("p", { className: "hint signup-suggestion" });
      this.#suggestion.setAttribute("role", "status");
      (input.closest("label") ?? input).after(this.#suggestion);
    }
    const button = make("button", {
      type: "button",
      textContent: address,
      onclick: () => {
        input.value = address;
        this.#suggestion.replaceChildren();
        input.focus();
        input.dispatchEvent(new Event("input", { bubbles: true }));
      },
    });
    const [before, after = ""] = this.texts.suggestion.split("%address%");
    this.#suggestion.replaceChildren(before, button, after);
  }

  #reveal(shown = this.#input("password")?.type === "password") {
    const input = this.#input("password");
    const button = this.form.querySelector("[data-signup-reveal]");
    if (!input || !button) return;
    if ((input.type === "text") === shown) return;
    input.type = shown ? "text" : "password";
    if (button.dataset.signupReveal !== "words") {
      button.setAttribute("aria-pressed", String(shown));
      return;
    }
    // The words change with the state, so the button is not a toggle to screen readers.
    const { show, hide, show_password, hide_password, password_shown, password_hidden } = this.texts;
    button.textContent = shown ? hide : show;
    button.setAttribute("aria-label", shown ? hide_password : show_password);
    this.#live.textContent = shown ? password_shown : password_hidden;
  }

  #input(name) {
    const bracketed = name.replace(/^user_metadata\.(.+)$/, "user_metadata[$1]");
    const found = this.form.elements.namedItem(name) ?? this.form.elements.namedItem(bracketed);
    if (!(found instanceof RadioNodeList)) return found;
    return [...found].find(({ type }) => type !== "hidden") ?? found[0];
  }

  #wait(seconds) {
    const { wait, wait_minutes } = this.texts;
    // At least 2: the texts have plurals only.
    const [text, number] =
      seconds < 120 ? [wait, Math.max(seconds, 2)] : [wait_minutes, Math.ceil(seconds / 60)];
    return put(text, number);
  }

  /** Returns the languages that the form requests. */
  #lang() {
    return this.#input("ui_locales")?.value || new URL(this.url).searchParams.get("ui_locales");
  }

  #emit(name, detail = {}, cancelable = false) {
    const init = { detail, cancelable, bubbles: true };
    return this.form.dispatchEvent(new CustomEvent(`signup:${name}`, init));
  }
}
