// The enhanced form: sends itself, and shows the result.

import { AlertBox } from "./alert.js";
import { HIDDEN, findInput, interpolate, makeStatus, nameOf } from "./dom.js";
import { FieldErrors } from "./field-errors.js";
import { loadExtras } from "./load-extras.js";
import { awaitPolicy, getBelow, resolve } from "./request.js";
import { ELSEWHERE, REVEAL, Reveal, setButtonTypes } from "./reveal.js";
import { PasswordRules } from "./rules.js";
import { newKey, signUp } from "./sign-up.js";
import { accountLinks, showSuccess } from "./success.js";
import { TEXTS } from "./texts.js";

/** Time that the page's own address has to open before the message of a success is shown. */
const OPENS_MS = 5000;

/** Where a form has its object, which other copies of the module on the page find too. */
const ENHANCED = Symbol.for("auth0-signup");

/** Returns the place of an element in the document, or in its shadow root and that of its host. */
const placeOf = (element, root = element.getRootNode()) =>
  [...root.querySelectorAll(element.localName)].indexOf(element) + (root.host ? `-${placeOf(root.host)}` : "");

/** Enhances a form, or returns its object if it is enhanced. `options`: see signup.d.ts. */
export function enhance(form, options = {}) {
  return form[ENHANCED] ?? new SignupForm(form, options);
}

class SignupForm {
  #listeners = new AbortController();
  #signal = this.#listeners.signal;
  #key;
  #place;
  #sent;
  #data;
  /** The names of the inputs that the person changed since the form was sent. */
  #changed = new Set();
  #email;
  #waitUntil = 0;
  #showWait;
  #assisted;
  #addProofs;
  #policy = {};
  #live = makeStatus("signup-status", HIDDEN);
  #noValidate;
  #leaving;
  #removeMessage;
  #alert;
  #errors;
  #rules;
  #reveal;

  constructor(form, options) {
    this.form = form;
    // Not `form.action`, which an input of that name would shadow, and not `form.baseURI`: a clone of a template has none.
    this.url = resolve(options.url ?? form.getAttribute("action") ?? "");
    this.own = { ...JSON.parse(form.dataset.signupTexts ?? "{}"), ...options.texts };
    this.texts = { ...TEXTS, ...this.own };
    this.lang = this.languages();
    const { signupPolicy } = form.dataset;
    this.policy = signupPolicy
      ? Promise.resolve(JSON.parse(signupPolicy))
      : awaitPolicy(this.url, { lang: this.lang, signal: this.#signal });
    this.#alert = new AlertBox(form, this.texts);
    this.#rules = new PasswordRules(form, this.texts);
    this.#errors = new FieldErrors(form, this.texts, this.#rules);
    this.#reveal = new Reveal(form, this.texts, this.#live);
    setButtonTypes(form);
    this.#listen();
    // A clone, such as one of Turbo or htmx, has what the module did to the form that it was made from.
    this.#noValidate = form.matches("[data-signup-ready=novalidate], [novalidate]:not([data-signup-ready])");
    delete form.dataset.signupDone;
    form.querySelector(".signup-status")?.remove();
    this.#progress();
    form.noValidate = true;
    form.dataset.signupReady = this.#noValidate ? "novalidate" : "";
    form.append(this.#live);
    this.policy.then((policy) => {
      if (this.#signal.aborted) return;
      Object.assign(this.texts, policy.texts, this.own);
      this.#policy = policy;
      this.#rules.start(policy.password);
      this.#reveal.label();
    });
    // Before the event, whose listeners may call `enhance`.
    form[ENHANCED] = this;
    this.#emit("ready");
    // The person did not wait for the module.
    if ([...form.elements].some((input) => input.matches(":focus"))) this.#assist();
  }

  #listen() {
    const { form } = this;
    form.addEventListener("submit", (event) => {
      const { submitter } = event;
      if (submitter?.matches(ELSEWHERE)) {
        // As the browser does, which leaves it to the module.
        if (!this.#noValidate && !submitter.formNoValidate && !form.reportValidity()) event.preventDefault();
        return;
      }
      const send = (last) => {
        if (last !== event || event.defaultPrevented) return;
        event.preventDefault();
        setButtonTypes(form);
        if (submitter?.type !== "button") this.submit(submitter);
      };
      // After the page's listeners on the form and above it, which may prevent the submission.
      form.getRootNode().addEventListener("submit", send, { signal: this.#signal, once: true });
    }, { signal: this.#signal });
    this.#onInput("click", (button, event) => {
      if (!button.matches(REVEAL)) return;
      event.preventDefault();
      this.#reveal.toggle();
    });
    this.#onInput("focusin", () => {
      // The Enter key presses the first button that sends the form, which may be new.
      setButtonTypes(form);
      this.#assist();
    });
    this.#onInput("input", (input) => {
      const name = nameOf(input);
      this.#changed.add(name);
      this.#errors.clear(findInput(form, name));
      if (name === "password") this.#rules.check();
      // The rate limit may have been that of the previous address.
      if (name === "email") this.#waitUntil = 0;
    });
  }

  /** Listens to the inputs and buttons of the form. They may be outside it, and both may be put elsewhere. */
  #onInput = (name, listener) => {
    const { form } = this;
    let last;
    const find = (event) => {
      const all = [...form.elements];
      // The target of an event in a custom element is inside it, or hidden.
      const input = event.composedPath().find((part) => all.includes(part));
      if (input && event !== last) listener(input, (last = event));
    };
    for (const target of [form, document]) target.addEventListener(name, find, { signal: this.#signal });
  };

  /** Loads the extras, which help from then on. */
  #assist() {
    const assist = (extras) => (this.#addProofs = extras.assist(this, {
      alert: this.#alert,
      errors: this.#errors,
      signal: this.#signal,
      getBelow,
      onInput: this.#onInput,
      progress: (name) => this.#progress(name),
      reveal: this.#reveal,
      rules: this.#rules,
    }));
    // Without them the form works as well.
    this.#assisted ??= loadExtras(this.url).then(assist).catch(() => (this.#assisted = undefined));
  }

  /** Removes the enhancement. */
  destroy() {
    const { form } = this;
    this.#listeners.abort();
    this.#errors.clearAll();
    for (const part of [this.#rules, this.#reveal, this.#live, this.#alert]) part.remove();
    clearTimeout(this.#leaving);
    this.#progress();
    this.#removeMessage?.();
    form.noValidate = this.#noValidate;
    delete form.dataset.signupReady;
    delete form.dataset.signupDone;
    delete form[ENHANCED];
  }

  /** Sends the form and shows the result. Does nothing while a request is in progress. */
  async submit(submitter) {
    const { form } = this;
    const seconds = Math.ceil((this.#waitUntil - performance.now()) / 1000);
    if (form.matches("[data-signup-busy], [data-signup-done]")) return undefined;
    this.#changed.clear();
    const invalid = !submitter?.formNoValidate && [...form.elements].find((input) => this.#isWrongHere(input));
    if (invalid) {
      invalid.reportValidity();
      return undefined;
    }
    if (seconds > 0) {
      this.#showWait(seconds);
      return undefined;
    }
    if (!this.#emit("submit")) return undefined;
    this.#assist();
    this.#reveal.toggle(false);
    this.#progress("submitting");
    try {
      const result = await this.#send(submitter);
      this.#show(result);
      return result;
    } catch (error) {
      if (!this.#signal.aborted) throw error;
      return undefined;
    } finally {
      if (!this.#leaving) this.#progress();
    }
  }

  /** Returns whether the page itself finds an input invalid. What the service is known to check is left to it. */
  #isWrongHere(input) {
    const { dataset, validity, willValidate } = input;
    if (!willValidate || validity.valid) return false;
    const { fields, user_metadata, terms } = this.#policy;
    if ("signupIgnore" in dataset || validity.customError) return true;
    if (this.#noValidate || validity.typeMismatch) return false;
    const name = nameOf(input);
    const rule = { ...fields, terms }[name] ?? user_metadata?.[name?.slice("user_metadata.".length)];
    return !(validity.valueMissing && rule?.required);
  }

  /** Shows how a request is going, in a live region and in the page's own elements; without a name, that none is. */
  #progress(name) {
    const { form, texts } = this;
    const isBusy = Boolean(name);
    const text = name && (texts[name] ?? texts.submitting);
    // Not `aria-busy`: within it Firefox does not announce the live region.
    form.toggleAttribute("data-signup-busy", isBusy);
    this.#live.textContent = text;
    for (const part of form.querySelectorAll("[data-signup-idle], [data-signup-working]")) {
      const isIdle = "signupIdle" in part.dataset;
      part.hidden = isIdle === isBusy;
      if (isBusy && !isIdle) part.textContent = text;
    }
  }

  async #send(submitter) {
    const data = new FormData(this.form);
    // Not by `FormData`: the page may have taken the button away, and browsers of 2022 ignore it there.
    if (submitter?.name) data.append(submitter.name, submitter.value);
    this.#data = data;
    for (const input of this.form.elements) {
      if ("signupIgnore" in input.dataset) data.delete(input.getAttribute("name"));
    }
    // As the service reads it: it trims white space and what nobody sees, and rejects an address with the latter inside.
    this.#email = String(data.get("email") ?? "").replace(/[\x85\u2800\p{DI}]/gu, "").trim();
    const { challenge } = this.#policy;
    if (challenge?.kinds.includes("recaptcha_v3")) await this.#assisted;
    await this.#addProofs?.(data, challenge);
    const post = () => signUp(this.url, data, {
      key: this.#keyFor(data),
      lang: this.languages(),
      signal: this.#signal,
      onChallenge: () => {
        this.#emit("challenge");
        this.#progress("checking");
      },
      onRetry: () => this.#progress("retrying"),
    });
    let result = await post();
    if (result.problem?.code === "idempotency_key_reused") {
      // After Back or a reload the form still has the key of the request sent before.
      this.#setKey();
      result = await post();
    }
    if (result.status === "taken") this.#setKey();
    return result;
  }

  /** Returns the key of this sign-up, which changes only with the address or the password. */
  #keyFor(data) {
    // The service compares addresses in the same way.
    const identity = JSON.stringify([this.#email.toLowerCase(), data.get("password")]);
    if (!this.#key) {
      const stored = this.#inTab((tab, name) => /^\w{32}$/.exec(tab[name])[0]);
      this.#setKey(findInput(this.form, "idempotency_key")?.value || stored);
    }
    if (this.#sent && this.#sent !== identity) this.#setKey();
    this.#sent = identity;
    return this.#key;
  }

  /** Keeps a key, by default a new one, where a reload finds it again. */
  #setKey(key = newKey()) {
    this.#key = key;
    const hidden = findInput(this.form, "idempotency_key");
    if (hidden) hidden.value = key;
    else this.#inTab((tab, name) => (tab[name] = key));
  }

  /** Uses the tab's storage, with the name of this form's key. Returns undefined on failure: a browser may deny it. */
  #inTab(use) {
    try {
      return use(sessionStorage, "signupKey" + (this.#place ??= placeOf(this.form)));
    } catch {
      return undefined;
    }
  }

  #show(result) {
    this.#alert.hide();
    this.#errors.clearAll();
    this.#emit("result", result);
    const { problem = {}, status, httpStatus, retryAfter } = result;
    const isDone = status === "created" || status === "accepted";
    this.#emit(status, result);
    const { form, texts } = this;
    const changed = this.#changed;
    if (isDone) {
      // It cannot be sent again.
      form.dataset.signupDone = status;
      this.#inTab((tab, name) => tab[name] === this.#key && delete tab[name]);
      const password = findInput(form, "password") ?? {};
      password.value = "";
      this.#rules.check();
    }
    if (!form.isConnected) {
      // Added again, it is a new form.
      if (isDone) this.destroy();
      return;
    }
    if (this.#signal.aborted) return;
    if (isDone) {
      this.#leave(status);
      return;
    }
    const heading = problem.heading ?? texts.offline_heading;
    const lines = [problem.advice ?? problem.detail ?? texts.offline];
    // A captcha lifts the limit: the person may solve it now.
    const wait = !(problem.challenge && this.#policy.challenge?.site_key) && !changed.has("email") && retryAfter;
    // Not by the clock of the day, which may be set back.
    this.#waitUntil = performance.now() + wait * 1000;
    const errors = (result.errors ?? []).filter(({ field }) => !changed.has(field));
    // The person has corrected all of it since.
    if (changed.has(result.field) || (status === "invalid" && !errors.length)) return;
    if (status === "invalid") lines.shift();
    if (result.field === "username") errors.push({ field: "username", message: lines.shift() });
    const summary = this.#errors.show(errors);
    const calm = /^(email_taken|outcome_unknown|signups_closed)$/.test(problem.code);
    const links = calm && accountLinks(this.#policy, texts, this.#email);
    const reference = httpStatus >= 500 && problem.request_id;
    this.#showWait = (seconds) => {
      // Not while the person types.
      const takesFocus = ![...form.elements].some((input) => input.matches(":focus") && changed.has(nameOf(input)));
      // At least 2: the texts have plurals only.
      const text = seconds < 120
        ? interpolate(texts.wait, Math.max(seconds, 2))
        : interpolate(texts.wait_minutes, Math.ceil(seconds / 60));
      this.#alert.show({ heading, lines: [...lines, seconds && text], summary, links, reference, calm, takesFocus });
    };
    this.#showWait(wait);
  }

  /** Opens the page's own address, or puts a message into the place of the form. */
  #leave(status) {
    const { form } = this;
    const email = this.#email;
    const showMessage = (isNow) => {
      this.#progress();
      // Later the page may show something else in place of the form.
      if (!isNow && !form.getClientRects().length) return;
      this.#removeMessage ??= showSuccess(form, { status, email, texts: this.texts, data: this.#data, policy: this.#policy });
    };
    // After the Back button the page may be as it was left, with a form that is of no use.
    const onReturn = ({ persisted }) => persisted && showMessage();
    addEventListener("pageshow", onReturn, { signal: this.#signal });
    if (!this.#emit("done", { status, email })) return;
    const { signupSuccess } = form.dataset;
    if (!signupSuccess) {
      showMessage(true);
      return;
    }
    this.#leaving = setTimeout(showMessage, OPENS_MS);
    location.assign(signupSuccess.replaceAll("{login_hint}", encodeURIComponent(email)));
  }

  /** Returns the languages that the form requests. */
  languages() {
    // Of radio buttons this is the value of the one that is chosen.
    return this.form.elements.ui_locales?.value || this.url.searchParams.get("ui_locales");
  }

  #emit = (name, detail = {}) => {
    const init = { detail, cancelable: true, bubbles: true, composed: true };
    return this.form.dispatchEvent(new CustomEvent(`signup:${name}`, init));
  };
}
