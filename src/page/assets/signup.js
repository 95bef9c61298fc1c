// Makes any sign-up form better. A form that posts to a sign-up service works without this module;
//
//   <form action="https://signup.example.com/signup" method="post" data-signup> … </form>
//   <script type="module" src="https://signup.example.com/signup.js"></script>
//
// is enhanced with it: the password's rules while they are typed, a word about a mistyped e-mail
// domain, messages beside their fields, safe retries, proof of work. No dependencies, no cookies,
// no storage. docs/page.md says how it is used, signup.d.ts what it gives.

/** What the module says by itself. All else is worded by the service, in the language of the page. */
const TEXTS = {
  suggestion: "Did you mean %address%?",
  created: "Your account was created.",
  accepted: "Thank you. Look into your mail for what comes next.",
  offline: "The connection failed. Nothing is lost: send the form again.",
  wait: "Try again in %seconds% s.",
  working: "One moment …",
  met: "met:",
  unmet: "not met yet:",
};

/** How often, and how soon, the same sign-up is sent again by itself. It has the same key each time. */
const RETRIES_MS = [1000, 3000];
/** A service that asks for a longer wait than this is not asked again by itself. */
const LONGEST_WAIT_S = 5;

// ---------------------------------------------------------------------------- the form's own rules

const TYPES = {
  lowercase: /[a-z]/,
  uppercase: /[A-Z]/,
  number: /[0-9]/,
  special: /[ -/:-@[-`{-~]/,
};

/** Whether three neighbours stand in a row: abc, 321. */
function hasSequence(password) {
  const bytes = new TextEncoder().encode(password);
  const step = (at) => {
    const pair = String.fromCharCode(bytes[at], bytes[at + 1]);
    const difference = bytes[at + 1] - bytes[at];
    return /^[0-9A-Za-z]{2}$/.test(pair) && Math.abs(difference) === 1 ? difference : 0;
  };
  return bytes.some((_, at) => at > 0 && step(at - 1) && step(at - 1) === step(at));
}

/** Judges a password by the rules that a policy tells: code of each rule, and whether it is met. */
export function checkPassword(password, policy) {
  const { min_length = 0, max_bytes = 72, character_types = [], rule = "all" } = policy;
  const rules = [];
  if (min_length > 1) {
    rules.push({ code: "password.too_short", met: password.length >= min_length });
  }
  if (character_types.length) {
    const met = character_types.filter((type) => TYPES[type]?.test(password)).length;
    const needed = rule === "three_of_four" ? 3 : character_types.length;
    rules.push({ code: "password.character_types", met: met >= needed });
  }
  if (policy.identical_characters === "block") {
    rules.push({ code: "password.repeated_characters", met: !/([^])\1\1/.test(password) });
  }
  if (policy.sequential_characters === "block") {
    rules.push({ code: "password.sequential_characters", met: !hasSequence(password) });
  }
  if (new TextEncoder().encode(password).length > max_bytes) {
    rules.push({ code: "password.too_long", met: false });
  }
  return rules;
}

const DOMAINS = `gmail.com googlemail.com yahoo.com hotmail.com outlook.com icloud.com live.com
  protonmail.com proton.me fastmail.com yahoo.co.uk hotmail.co.uk outlook.fr hotmail.fr yahoo.fr
  laposte.net wanadoo.fr orange.fr t-online.de freenet.de outlook.de yahoo.de hotmail.de
  libero.it hotmail.it yahoo.it hotmail.es yahoo.es yahoo.co.jp yahoo.co.in yahoo.com.br
  comcast.net verizon.net btinternet.com yandex.ru rambler.ru naver.com`.split(/\s+/);
/** Domains that look like a mistake and are none. */
const REAL = "ymail.com mail.com email.com hotmail.ca yahoo.ca live.ca outlook.es outlook.it".split(" ");

/** Whether one slip of the fingers lies between two words: a letter more, less, other, or swapped. */
function isOneSlip(a, b) {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [x, y] = [a.slice(start), b.slice(start)];
  return (
    x.slice(1) === y.slice(1) || x.slice(1) === y || x === y.slice(1) ||
    (x[0] === y[1] && x[1] === y[0] && x.slice(2) === y.slice(2))
  );
}

/** The address that was probably meant, if there is a more likely one. Never a verdict. */
export function suggestEmail(email) {
  const at = email.lastIndexOf("@");
  const domain = email.slice(at + 1).trim().toLowerCase();
  if (at < 1 || DOMAINS.includes(domain) || REAL.includes(domain)) return undefined;
  const known = DOMAINS.find((known) => isOneSlip(domain, known));
  const top = domain.replace(/\.(con|cmo|ocm|vom|xom|comm|cim)$/, ".com");
  const meant = known ?? (top === domain ? undefined : top);
  return meant && `${email.slice(0, at)}@${meant}`;
}

// --------------------------------------------------------------------------------- proof of work

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Solves a challenge in the ALTCHA format. The browser derives the keys on threads of its own. */
export async function solve(challenge, signal) {
  const { algorithm, cost, keyLength, keyPrefix, nonce, salt } = challenge.parameters;
  if (algorithm !== "PBKDF2/SHA-256") throw new Error(`cannot solve ${algorithm}`);
  const [head, salted, started] = [unhex(nonce), unhex(salt), Date.now()];
  const derive = async (counter) => {
    const password = new Uint8Array(head.length + 4);
    password.set(head);
    new DataView(password.buffer).setUint32(head.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt: salted, iterations: cost };
    return hex(new Uint8Array(await crypto.subtle.deriveBits(how, key, keyLength * 8)));
  };
  const width = Math.min(Math.max(navigator.hardwareConcurrency ?? 2, 2), 8);
  for (let first = 0; ; first += width) {
    signal?.throwIfAborted();
    const keys = await Promise.all(Array.from({ length: width }, (_, nth) => derive(first + nth)));
    const found = keys.findIndex((key) => key.startsWith(keyPrefix));
    if (found < 0) continue;
    const solution = { counter: first + found, derivedKey: keys[found], time: Date.now() - started };
    const { parameters, signature } = challenge;
    return btoa(JSON.stringify({ challenge: { parameters, signature }, solution }));
  }
}

// -------------------------------------------------------------------------------------- the wire

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

/** A new idempotency key. */
export function newKey() {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** What the service tells beside this address; nothing where it does not answer. */
function ask(url, path) {
  const beside = new URL(url, document.baseURI);
  beside.pathname = beside.pathname.replace(/\/$/, "") + path;
  beside.search = "";
  const { lang } = document.documentElement;
  const headers = { Accept: "application/json", ...(lang && { "Accept-Language": lang }) };
  const answer = fetch(beside, { headers, credentials: "omit" });
  return answer.then((response) => (response.ok ? response.json() : undefined), () => undefined);
}

/** The proof that was told to be needed; nothing where that is not one of work. */
async function prove(told, signal) {
  if (!told?.parameters || !globalThis.crypto?.subtle) return undefined;
  return solve(told, signal).catch(() => undefined);
}

/** What an answer means. `status` tells the results apart. */
async function read(response) {
  const body = await response.json().catch(() => ({}));
  const replayed = response.headers.get("Idempotency-Replayed") === "true";
  if (response.status === 201) return { status: "created", user: body.user, replayed };
  if (response.status === 202) return { status: "accepted" };
  const retryAfter = Number(body.retry_after ?? response.headers.get("Retry-After")) || undefined;
  const told = { problem: body, httpStatus: response.status, retryAfter };
  switch (body.code) {
    case "invalid_fields":
      return { status: "invalid", errors: body.errors ?? [], ...told };
    case "email_taken":
      return { status: "taken", field: "email", ...told };
    case "username_taken":
      return { status: "taken", field: "username", ...told };
    case "challenge_required":
    case "challenge_failed":
      return { status: "challenge", ...told };
    case "outcome_unknown":
      return { status: "unknown", ...told };
    case "rate_limited":
    case "upstream_busy":
    case "unavailable":
    case "challenge_unavailable":
    case "upstream_unavailable":
    case "idempotency_in_progress":
      return { status: "later", ...told };
    default:
      return { status: "failed", ...told };
  }
}

/**
 * Signs somebody up: one post, sent again with the same key where that is safe and may help, and with
 * a proof of work where one is asked for. `data` is an object of fields, or a FormData. Never throws
 * but when it is aborted.
 */
export async function signUp(url, data, options = {}) {
  const { key = newKey(), signal, retry = true, onChallenge } = options;
  const pairs = data instanceof FormData ? [...data] : Object.entries(data);
  const texts = pairs.filter(([, value]) => typeof value === "string");
  // An urlencoded form with the key inside needs no preflight.
  const body = new URLSearchParams(texts);
  body.set("idempotency_key", key);
  const headers = { Accept: "application/json" };
  let proven = false;
  for (let tries = 0; ; tries++) {
    let result;
    try {
      const how = { method: "POST", headers, body, signal, credentials: "omit" };
      result = await read(await fetch(url, how));
    } catch (error) {
      if (signal?.aborted) throw error;
      result = { status: "offline" };
    }
    // A limit names the challenge whose proof passes beyond it.
    if ((result.status === "challenge" || result.problem?.challenge) && !proven) {
      proven = true;
      onChallenge?.();
      const proof = await prove(await ask(url, "/challenge"), signal);
      signal?.throwIfAborted();
      if (!proof) return result;
      body.set("altcha", proof);
      tries--;
      continue;
    }
    const wait = result.retryAfter === undefined ? RETRIES_MS[tries] : result.retryAfter * 1000;
    const mayHelp = ["offline", "unknown", "later"].includes(result.status);
    const soon = (result.retryAfter ?? 0) <= LONGEST_WAIT_S;
    if (!retry || !mayHelp || !soon || tries >= RETRIES_MS.length) return result;
    await sleep(wait);
  }
}

// -------------------------------------------------------------------------------------- the form

const forms = new WeakMap();

/** Enhances a form; the same form twice is once. `options` are in signup.d.ts. */
export function enhance(form, options = {}) {
  if (!forms.has(form)) forms.set(form, new SignupForm(form, options));
  return forms.get(form);
}

class SignupForm {
  #listeners = new AbortController();
  #busy = false;
  #key;
  #sent;
  #until = 0;
  #described = new Map();

  constructor(form, options) {
    this.form = form;
    // Not `form.action`, which an input of that name would hide.
    this.url = options.url ?? new URL(form.getAttribute("action") ?? "", form.baseURI).href;
    this.texts = { ...TEXTS, ...JSON.parse(form.dataset.signupTexts ?? "{}"), ...options.texts };
    const { signupPolicy } = form.dataset;
    this.policy = signupPolicy ? Promise.resolve(JSON.parse(signupPolicy)) : ask(this.url, "/policy");
    const on = (name, act) => form.addEventListener(name, act, { signal: this.#listeners.signal });
    on("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    on("input", ({ target }) => {
      this.#clear(target);
      if (target === this.#input("password")) this.#judge();
      if (target !== this.#input("email")) return;
      this.#suggestion?.replaceChildren();
      // Not when the field is left: what moves then makes a click on the button miss it.
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.#suggest(), 500);
    });
    on("focusin", () => (this.#prepared ??= this.#prepare()));
    on("click", ({ target }) => target.closest?.("[data-signup-reveal]") && this.#reveal());
    form.noValidate = true;
    form.dataset.signupReady = "";
    this.policy.then((policy) => policy && this.#rules(policy));
    this.#emit("ready");
  }

  #suggestion;
  #pause;
  #prepared;
  #proof;

  /** Takes the enhancement away again. */
  destroy() {
    this.#listeners.abort();
    clearTimeout(this.#pause);
    delete this.form.dataset.signupReady;
    forms.delete(this.form);
  }

  /** Sends the form and shows what came of it. Nothing while it is under way. */
  async submit() {
    const { form } = this;
    const seconds = Math.ceil((this.#until - Date.now()) / 1000);
    if (this.#busy) return undefined;
    if (seconds > 0) {
      this.#alert(this.#text("wait", { seconds }));
      return undefined;
    }
    if (!this.#emit("submit", {}, true)) return undefined;
    this.#busy = true;
    form.setAttribute("aria-busy", "true");
    this.#reveal(false);
    try {
      const result = await this.#send();
      this.#show(result);
      return result;
    } finally {
      this.#busy = false;
      form.removeAttribute("aria-busy");
    }
  }

  async #send() {
    const data = new FormData(this.form);
    for (const { name } of this.form.querySelectorAll("[data-signup-ignore]")) data.delete(name);
    const ahead = await this.#proof;
    if (ahead) data.set("altcha", ahead);
    const { signal } = this.#listeners;
    const onChallenge = () => {
      this.#emit("challenge");
      this.#alert(this.texts.working, true);
    };
    const post = () => signUp(this.url, data, { key: this.#keyOf(data), signal, onChallenge });
    let result = await post();
    if (result.problem?.code === "idempotency_key_reused") {
      // The page was gone back to: its key belongs to what was sent then.
      this.#setKey(newKey());
      result = await post();
    }
    // A proof and a captcha's answer are good once.
    this.#proof = this.#prepared = undefined;
    if (result.status !== "created") {
      for (const widget of ["turnstile", "hcaptcha", "grecaptcha"]) {
        try {
          globalThis[widget]?.reset?.();
        } catch { /* there is none on this page */ }
      }
    }
    return result;
  }

  /** The key of this sign-up: the same until the address or the password changes. */
  #keyOf(data) {
    const said = JSON.stringify([data.get("email"), data.get("password")]);
    const hidden = this.#input("idempotency_key");
    if (!this.#key) this.#key = hidden?.value || newKey();
    if (this.#sent !== undefined && this.#sent !== said) this.#setKey(newKey());
    this.#sent = said;
    return this.#key;
  }

  #setKey(key) {
    this.#key = key;
    const hidden = this.#input("idempotency_key");
    if (hidden) hidden.value = key;
  }

  /** Solves a challenge ahead, while the form is being filled in, if one will be needed. */
  async #prepare() {
    const { challenge } = (await this.policy) ?? {};
    if (challenge?.kinds?.length && !this.#captcha()) {
      const told = await ask(this.url, "/challenge");
      if (told?.required) this.#proof = prove(told, this.#listeners.signal);
    }
  }

  #captcha() {
    const names = ["altcha", "cf-turnstile-response", "h-captcha-response", "g-recaptcha-response"];
    return names.some((name) => this.#input(name));
  }

  // ------------------------------------------------------------------------- what is shown

  #show(result) {
    this.#alert();
    for (const input of this.#described.keys()) this.#clear(input);
    this.#emit("result", result);
    this.#emit(result.status, result);
    const { problem, status, retryAfter } = result;
    if (status === "created" || status === "accepted") {
      const { signupSuccess } = this.form.dataset;
      if (signupSuccess) location.assign(signupSuccess);
      else this.#alert(this.texts[status], true);
      return;
    }
    if (retryAfter) this.#until = Date.now() + retryAfter * 1000;
    const faults = [...(result.errors ?? [])];
    if (status === "taken") faults.push({ field: result.field, message: problem.detail });
    const rest = faults.filter((fault) => !this.#place(fault));
    const lines = rest.map(({ field, message }) => `${field}: ${message}`);
    if (status === "offline") lines.push(this.texts.offline);
    if (!faults.length && problem) lines.push(problem.detail ?? problem.title ?? "");
    if (retryAfter) lines.push(this.#text("wait", { seconds: retryAfter }));
    const links = status === "taken" || status === "unknown" ? this.#links() : [];
    if (lines.length || links.length) this.#alert(lines.join(" "), links.length > 0, links);
    const first = this.form.querySelector("[aria-invalid=true]");
    if (first) first.focus();
    else this.#box?.focus();
  }

  /** Puts a fault beside its field; false where the form has no such field. */
  #place({ field, message }) {
    const input = this.#input(field);
    if (!input || input.type === "hidden") return false;
    const known = this.#described.get(input);
    if (known) {
      known.append(document.createElement("br"), message);
      return true;
    }
    const id = input.id || `signup-${field}`;
    const own = this.form.querySelector(`[data-signup-error="${CSS.escape(field)}"]`);
    const place = own ?? document.getElementById(`${id}-error`) ?? document.createElement("p");
    place.id ||= `${id}-error`;
    place.classList.add("fault", "signup-error");
    place.textContent = message;
    if (!place.isConnected) {
      const around = input.closest(".secret") ?? input.closest("label") ?? input;
      around.before(place);
    }
    input.closest(".field")?.classList.add("faulty");
    input.setAttribute("aria-invalid", "true");
    const ids = (input.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
    input.setAttribute("aria-describedby", [...new Set([place.id, ...ids])].join(" "));
    this.#described.set(input, place);
    return true;
  }

  #clear(input) {
    const place = this.#described.get(input)
      ?? (input.getAttribute?.("aria-invalid") && document.getElementById(`${input.id}-error`));
    if (!place) return;
    this.#described.delete(input);
    const ids = (input.getAttribute("aria-describedby") ?? "").split(" ");
    const left = ids.filter((id) => id && id !== place.id).join(" ");
    if (left) input.setAttribute("aria-describedby", left);
    else input.removeAttribute("aria-describedby");
    input.removeAttribute("aria-invalid");
    input.closest(".field")?.classList.remove("faulty");
    if (place.dataset.signupError) place.textContent = "";
    else place.remove();
  }

  #box;

  /** Says something above the fields; nothing takes it away. */
  #alert(text, calm = false, links = []) {
    this.#box ??= this.form.querySelector("[data-signup-alert]")
      ?? Object.assign(document.createElement("div"), { tabIndex: -1 });
    const box = this.#box;
    box.setAttribute("role", calm ? "status" : "alert");
    box.removeAttribute("aria-labelledby");
    box.classList.add("alert", "signup-alert");
    box.classList.toggle("calm", calm);
    box.hidden = !text && !links.length;
    if (!box.isConnected && !box.hidden) this.form.prepend(box);
    const line = Object.assign(document.createElement("p"), { textContent: text ?? "" });
    box.replaceChildren(line, ...links);
  }

  /** The ways on for somebody who has an account. */
  #links() {
    const links = document.querySelector("template[data-signup-account]")?.content.cloneNode(true);
    return links ? [links] : [];
  }

  /** Fills the place for the password's rules, and keeps them up to date. */
  #rules(policy) {
    const box = this.form.querySelector("[data-signup-rules]");
    if (!box) return;
    const rules = checkPassword("", policy.password ?? {});
    const list = box.querySelector("ul") ?? box.appendChild(document.createElement("ul"));
    for (const { code } of rules) {
      const told = policy.password.rules?.find((rule) => rule.code === code)?.message;
      if (list.querySelector(`[data-rule="${code}"]`) || !told) continue;
      const line = list.appendChild(document.createElement("li"));
      line.dataset.rule = code;
      line.textContent = told;
    }
    for (const line of list.children) {
      line.prepend(Object.assign(document.createElement("span"), { className: "aside" }));
    }
    this.judge = () => {
      const password = this.#input("password")?.value ?? "";
      for (const { code, met } of checkPassword(password, policy.password)) {
        const line = list.querySelector(`[data-rule="${code}"]`);
        if (!line) continue;
        line.dataset.met = String(met && password !== "");
        line.firstChild.textContent = password && `${this.texts[met ? "met" : "unmet"]} `;
      }
    };
    this.judge();
  }

  #judge() {
    this.judge?.();
  }

  #suggest() {
    const input = this.#input("email");
    const address = suggestEmail(input.value);
    if (!address) return;
    this.#emit("suggestion", { address });
    if (!this.#suggestion) {
      this.#suggestion = document.createElement("p");
      this.#suggestion.className = "hint signup-suggestion";
      this.#suggestion.setAttribute("role", "status");
      input.after(this.#suggestion);
    }
    const take = Object.assign(document.createElement("button"), {
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
    this.#suggestion.replaceChildren(before, take, after);
  }

  #reveal(shown = this.#input("password")?.type === "password") {
    const input = this.#input("password");
    const button = this.form.querySelector("[data-signup-reveal]");
    if (!input || !button) return;
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
  }

  #input(name) {
    const bracketed = name.replace(/^user_metadata\.(.+)$/, "user_metadata[$1]");
    const found = this.form.elements.namedItem(name) ?? this.form.elements.namedItem(bracketed);
    return found instanceof RadioNodeList ? found[0] : found;
  }

  #text(name, values) {
    return this.texts[name].replace(/%(\w+)%/g, (_, key) => values[key]);
  }

  #emit(name, detail = {}, cancelable = false) {
    const what = { detail, cancelable, bubbles: true };
    return this.form.dispatchEvent(new CustomEvent(`signup:${name}`, what));
  }
}

// Forms that are there when the module is run, unless a server renders the page.
// `data-signup="manual"` waits for `enhance`.
const ready = 'form[data-signup]:not([data-signup="manual"])';
for (const form of globalThis.document?.querySelectorAll(ready) ?? []) enhance(form);
