// Makes any sign-up form better; without it the form works all the same:
//
//   <form action="https://signup.example.com/signup" method="post" data-signup> … </form>
//   <script type="module" src="https://signup.example.com/signup.js"></script>
//
// No dependencies, no cookies, no storage. docs/page.md says how it is used, signup.d.ts what it gives.

/** What the module says by itself until the policy tells it in the language of the page. */
const TEXTS = {
  suggestion: "Did you mean %address%?",
  created: "Your account was created.",
  accepted: "Thank you. Look into your mail for what comes next.",
  offline: "The connection failed. Nothing is lost: send the form again.",
  wait: "Try again in %seconds% s.",
  wait_minutes: "Try again in %minutes% min.",
  working: "One moment …",
  reference: "Reference",
  met: "met:",
  unmet: "not met yet:",
};

/** When the same sign-up is sent again by itself, with the same key. */
const RETRIES_MS = [1000, 3000];
/** The longest wait before that. */
const LONGEST_WAIT_S = 5;
/** How long an answer is waited for. The service gives its own up sooner. */
const TIMEOUT_MS = 20_000;

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

/** Judges a password by a policy: the code of each rule, and whether it is met. */
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
const REAL = ["ymail.com", "mail.com", "email.com"];
const nameOf = (domain) => domain.split(".")[0];
/** Whether somebody has a domain in many countries: another country is then no mistake. */
const isMany = (name) => DOMAINS.filter((known) => nameOf(known) === name).length > 1;

/** Whether a letter more, less, other, or two swapped lie between two words. */
function isOneSlip(a, b) {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [x, y] = [a.slice(start), b.slice(start)];
  return (
    x.slice(1) === y.slice(1) || x.slice(1) === y || x === y.slice(1) ||
    (x[0] === y[1] && x[1] === y[0] && x.slice(2) === y.slice(2))
  );
}

/** The address that was probably meant, if there is a more likely one. */
export function suggestEmail(email) {
  const at = email.lastIndexOf("@");
  const domain = email.slice(at + 1).trim().toLowerCase();
  if (at < 1 || DOMAINS.includes(domain) || REAL.includes(domain)) return undefined;
  const name = nameOf(domain);
  const known = !isMany(name) && DOMAINS.find((known) => isOneSlip(domain, known));
  const top = domain.replace(/\.(con|cmo|ocm|vom|xom|comm|cim)$/, ".com");
  const meant = known || (top === domain ? undefined : top);
  return meant && `${email.slice(0, at)}@${meant}`;
}

// --------------------------------------------------------------------------------- proof of work

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Solves a challenge in the ALTCHA format; the keys are derived on threads of the browser. */
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

/** Wakes after a while; rejects when it is aborted. */
async function sleep(ms, signal) {
  signal?.throwIfAborted();
  return new Promise((wake, fail) => {
    signal?.addEventListener("abort", () => fail(signal.reason), { once: true });
    setTimeout(wake, ms);
  });
}

/** A new idempotency key. */
export function newKey() {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Fetches in these languages, or in that of the page. `body` is undefined where there is no JSON. */
async function call(url, { lang, signal, ...how } = {}) {
  const tags = lang || globalThis.document?.documentElement.lang || "";
  // Anything but tags, and more than 128 bytes, would need a preflight.
  const languages = tags.replace(/_/g, "-").match(/[a-z0-9-]+/gi)?.join(",").slice(0, 120);
  const headers = { Accept: "application/json", ...(languages && { "Accept-Language": languages }) };
  const own = new AbortController();
  const end = () => own.abort();
  const timer = setTimeout(end, TIMEOUT_MS);
  signal?.addEventListener("abort", end);
  try {
    signal?.throwIfAborted();
    const response = await fetch(url, { ...how, headers, signal: own.signal, credentials: "omit" });
    const body = await response.json().catch(() => undefined);
    signal?.throwIfAborted();
    return { response, body };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

/** What the service tells beside this address; nothing where it does not answer. */
async function ask(url, path, options) {
  const beside = new URL(url, globalThis.document?.baseURI);
  beside.pathname = beside.pathname.replace(/\/$/, "") + path;
  beside.search = "";
  const { response, body } = await call(beside, options).catch(() => ({}));
  return response?.ok ? body : undefined;
}

/** What a form at this address has to hold; nothing where the service does not answer. */
export function getPolicy(url, options) {
  return ask(url, "/policy", options);
}

/** The proof of work that was told to be needed, if it was one. */
async function prove(told, signal) {
  if (!told?.parameters || !globalThis.crypto?.subtle) return undefined;
  return solve(told, signal).catch(() => undefined);
}

/** What tells the results apart, by the code of the problem. */
const STATUSES = {
  invalid_fields: "invalid",
  challenge_required: "challenge",
  challenge_failed: "challenge",
  outcome_unknown: "unknown",
  rate_limited: "later",
  upstream_busy: "later",
  unavailable: "later",
  challenge_unavailable: "later",
  upstream_unavailable: "later",
  idempotency_in_progress: "later",
};

/** What an answer means. */
function read({ response, body }) {
  const { status: httpStatus, headers } = response;
  const retryAfter = Number(body?.retry_after ?? headers.get("Retry-After")) || undefined;
  if (httpStatus === 201 && body?.user) {
    const replayed = headers.get("Idempotency-Replayed") === "true";
    return { status: "created", user: body.user, replayed };
  }
  if (httpStatus === 202 && body?.status) return { status: "accepted" };
  // Half an answer, or somebody else's.
  if (typeof body?.code !== "string") return { status: "offline", httpStatus, retryAfter };
  const told = { problem: body, httpStatus, retryAfter };
  const field = /^(email|username)_taken$/.exec(body.code)?.[1];
  if (field) return { status: "taken", field, ...told };
  if (body.code === "invalid_fields") told.errors = body.errors ?? [];
  return { status: STATUSES[body.code] ?? "failed", ...told };
}

/** The fields of an object as a form has them: a nested one as `user_metadata.plan`, nothing as nothing. */
function fields(data, inside = "") {
  return Object.entries(data).flatMap(([name, value]) => {
    if (value === undefined || value === null) return [];
    const isNested = typeof value === "object" && !(value instanceof Date);
    return isNested ? fields(value, `${inside}${name}.`) : [[inside + name, value]];
  });
}

/**
 * Signs somebody up: one post, sent again with the same key where that is safe and may help, and with
 * a proof of work where one is asked for. Throws only when it is aborted.
 */
export async function signUp(url, data, options = {}) {
  const { key, lang, signal, retry = true, onChallenge, onRetry } = options;
  // Files go by their names, so that the service can refuse them; an input without one sends nothing.
  const body = new URLSearchParams();
  for (const [name, value] of data[Symbol.iterator] ? data : fields(data)) {
    if (value?.name !== "") body.append(name, value?.name ?? value);
  }
  // An urlencoded form with the key inside needs no preflight.
  body.set("idempotency_key", key || body.get("idempotency_key") || newKey());
  const hasCaptcha = [...body].some(([name, value]) => value && name.endsWith("-response"));
  let [tries, proven] = [0, false];
  for (;;) {
    let result;
    try {
      result = read(await call(url, { method: "POST", body, lang, signal }));
    } catch {
      signal?.throwIfAborted();
      result = { status: "offline" };
    }
    const { status, problem, retryAfter } = result;
    // A limit names the challenge whose proof passes beyond it.
    if ((status === "challenge" || problem?.challenge) && !proven) {
      proven = true;
      onChallenge?.();
      const proof = await prove(await ask(url, "/challenge", { signal }), signal);
      signal?.throwIfAborted();
      if (!proof) return result;
      body.set("altcha", proof);
      continue;
    }
    // The answer to a captcha is used up by an answer, and only a person has another.
    const mayHelp = ["offline", "unknown"].includes(status) || (status === "later" && !hasCaptcha);
    const soon = (retryAfter ?? 0) <= LONGEST_WAIT_S;
    if (!retry || !mayHelp || !soon || tries >= RETRIES_MS.length) return result;
    onRetry?.();
    await sleep(retryAfter ? retryAfter * 1000 : RETRIES_MS[tries], signal);
    tries++;
    // So is a proof of work.
    body.delete("altcha");
    proven = false;
  }
}

// -------------------------------------------------------------------------------------- the form

const forms = new WeakMap();
let places = 0;
const make = (tag, members) => Object.assign(document.createElement(tag), members);

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
    this.url = new URL(options.url ?? form.getAttribute("action") ?? "", form.baseURI).href;
    const own = { ...JSON.parse(form.dataset.signupTexts ?? "{}"), ...options.texts };
    this.texts = { ...TEXTS, ...own };
    const { signal } = this.#listeners;
    const { signupPolicy } = form.dataset;
    this.policy = signupPolicy
      ? Promise.resolve(JSON.parse(signupPolicy))
      : getPolicy(this.url, { lang: this.#lang(), signal });
    const on = (name, act, target = form) => target.addEventListener(name, act, { signal });
    on("submit", (event) => {
      const { defaultPrevented, submitter } = event;
      const elsewhere = ["formaction", "formmethod"].some((name) => submitter?.hasAttribute(name));
      if (defaultPrevented || elsewhere) return;
      event.preventDefault();
      this.submit(submitter);
    });
    on("reset", () => {
      this.#forget();
      setTimeout(() => this.#judge());
    });
    on("click", ({ target }) => target.closest?.("[data-signup-reveal]") && this.#reveal());
    // An input may stand outside its form.
    const root = form.getRootNode();
    on("focusin", ({ target }) => target.form === form && (this.#prepared ??= this.#prepare()), root);
    on("input", ({ target }) => {
      if (target.form !== form) return;
      this.#clear((target.name && this.#input(target.name)) || target);
      if (target === this.#input("password")) this.#judge();
      if (target !== this.#input("email")) return;
      // A limit may be that of the address.
      this.#until = 0;
      this.#suggestion?.replaceChildren();
      // Not when the field is left: what moves then makes a click on the button miss it.
      clearTimeout(this.#pause);
      this.#pause = setTimeout(() => this.#suggest(), 400);
    }, root);
    this.#noValidate = form.noValidate;
    form.noValidate = true;
    form.dataset.signupReady = "";
    this.policy.then((policy) => {
      if (!policy || signal.aborted) return;
      Object.assign(this.texts, policy.texts, own);
      this.#rules(policy);
      const { kinds, site_key, action } = policy.challenge ?? {};
      if (kinds?.includes("recaptcha_v3")) {
        this.#score = async () => globalThis.grecaptcha.execute(site_key, { action });
      }
    });
    this.#emit("ready");
  }

  #suggestion;
  #pause;
  #prepared;
  #proof;
  #score;
  #judge = () => {};
  #noValidate;

  /** Takes the enhancement away again. */
  destroy() {
    this.#listeners.abort();
    clearTimeout(this.#pause);
    this.#forget();
    this.#suggestion?.remove();
    this.#alert();
    if (!("signupAlert" in this.#box.dataset)) this.#box.remove();
    this.form.noValidate = this.#noValidate;
    delete this.form.dataset.signupReady;
    forms.delete(this.form);
  }

  /** Sends the form and shows what came of it. Nothing while it is under way. */
  async submit(submitter) {
    const { form } = this;
    const seconds = Math.ceil((this.#until - Date.now()) / 1000);
    if (this.#busy) return undefined;
    // What the page itself asks for is no business of the service, and is judged before.
    const wrong = [...form.elements].find(({ dataset, validity, willValidate }) =>
      willValidate && !("signupIgnore" in dataset ? validity.valid : !validity.customError),
    );
    if (wrong) {
      wrong.reportValidity();
      return undefined;
    }
    if (seconds > 0) {
      this.#alert(this.#wait(seconds));
      return undefined;
    }
    if (!this.#emit("submit", {}, true)) return undefined;
    this.#busy = true;
    form.setAttribute("aria-busy", "true");
    this.#reveal(false);
    try {
      const result = await this.#send(submitter);
      this.#show(result);
      return result;
    } catch (error) {
      if (!this.#listeners.signal.aborted) throw error;
      return undefined;
    } finally {
      this.#busy = false;
      form.removeAttribute("aria-busy");
    }
  }

  async #send(submitter) {
    const data = new FormData(this.form, submitter);
    for (const { dataset, name } of this.form.elements) {
      if ("signupIgnore" in dataset) data.delete(name);
    }
    const { signal } = this.#listeners;
    const onRetry = () => this.#alert(this.texts.working, true);
    const patience = setTimeout(onRetry, 500);
    const ahead = await this.#proof;
    clearTimeout(patience);
    if (ahead) data.set("altcha", ahead);
    const token = await this.#score?.().catch(() => {});
    if (token) data.set("g-recaptcha-response", token);
    const onChallenge = () => {
      this.#emit("challenge");
      onRetry();
    };
    const how = { lang: this.#lang(), signal, onChallenge, onRetry };
    const post = () => signUp(this.url, data, { key: this.#keyOf(data), ...how });
    let result = await post();
    if (result.problem?.code === "idempotency_key_reused") {
      // The page was gone back to: its key belongs to what was sent then.
      this.#setKey(newKey());
      result = await post();
    }
    // A proof is good once, and so is a captcha's answer, which a form with faults does not use up: but
    // what Auth0 alone finds, it finds after it.
    this.#proof = this.#prepared = undefined;
    const { status, errors = [] } = result;
    const late = errors.every(({ code }) => /common|breached|used|weak/.test(code));
    if (status !== "created" && (status !== "invalid" || late)) {
      for (const widget of ["turnstile", "hcaptcha", "grecaptcha"]) {
        try {
          globalThis[widget]?.reset?.();
        } catch { /* there is none on this page */ }
      }
    }
    if (status === "taken") this.#setKey(newKey());
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
    if (challenge?.kinds?.includes("proof_of_work") && !this.#input("altcha")) {
      const { signal } = this.#listeners;
      const told = await ask(this.url, "/challenge", { signal });
      if (told?.required) this.#proof = prove(told, signal);
    }
  }

  // ------------------------------------------------------------------------- what is shown

  #show(result) {
    this.#alert();
    this.#forget();
    this.#emit("result", result);
    this.#emit(result.status, result);
    if (this.#listeners.signal.aborted || !this.form.isConnected) return;
    const { problem, status, httpStatus, retryAfter } = result;
    const advice = problem && (problem.advice ?? problem.detail ?? problem.title ?? "");
    if (status === "created" || status === "accepted") {
      const { signupSuccess } = this.form.dataset;
      const password = this.#input("password");
      if (password) password.value = "";
      if (signupSuccess) location.assign(signupSuccess);
      else this.#alert(this.texts[status], true);
      this.#box.focus();
      return;
    }
    if (retryAfter) this.#until = Date.now() + retryAfter * 1000;
    const faults = [...(result.errors ?? [])];
    if (status === "taken") faults.push({ field: result.field, message: advice });
    const rest = faults.filter((fault) => !this.#place(fault));
    const lines = rest.map(({ field, message }) => `${field}: ${message}`);
    if (status === "offline") lines.push(this.texts.offline);
    else if (!faults.length) lines.push(advice);
    if (retryAfter) lines.push(this.#wait(retryAfter));
    if (problem && httpStatus >= 500) lines.push(`${this.texts.reference}: ${problem.request_id}`);
    const links = status === "taken" || status === "unknown" ? this.#links() : [];
    if (lines.length || links.length) this.#alert(lines.join(" "), links.length > 0, links);
    const first = [...this.form.elements].find((input) => input.getAttribute("aria-invalid") === "true");
    (first ?? this.#box).focus();
  }

  /** Puts a fault beside its field; false where the form has no such field. */
  #place({ field, message }) {
    const input = this.#input(field);
    if (!input || input.type === "hidden") return false;
    const known = this.#described.get(input);
    if (known) {
      known.append(make("br"), message);
      return true;
    }
    const own = this.form.querySelector(`[data-signup-error="${CSS.escape(field)}"]`);
    const place = own ?? this.#faultOf(input) ?? make("p");
    place.id ||= input.id ? `${input.id}-error` : `signup-fault-${++places}`;
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

  /** Takes everything away that is said beside the fields. */
  #forget() {
    for (const input of this.#described.keys()) this.#clear(input);
    this.#suggestion?.replaceChildren();
  }

  #clear(input) {
    const place = this.#described.get(input)
      ?? (input.getAttribute?.("aria-invalid") && this.#faultOf(input));
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

  /** What the service's page says of an input. */
  #faultOf({ id }) {
    return id ? this.form.querySelector(`#${CSS.escape(`${id}-error`)}`) : null;
  }

  #box;

  /** Says something above the fields; nothing takes it away. */
  #alert(text, calm = false, links = []) {
    this.#box ??= this.form.querySelector("[data-signup-alert]")
      ?? make("div", { tabIndex: -1 });
    const box = this.#box;
    box.setAttribute("role", calm ? "status" : "alert");
    box.removeAttribute("aria-labelledby");
    box.classList.add("alert", "signup-alert");
    box.classList.toggle("calm", calm);
    box.hidden = !text && !links.length;
    if (!box.isConnected && !box.hidden) this.form.prepend(box);
    const line = make("p", { textContent: text ?? "" });
    box.replaceChildren(line, ...links);
    if (!box.hidden) box.scrollIntoView({ block: "nearest" });
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
    const list = box.matches("ul") ? box : box.querySelector("ul") ?? box.appendChild(make("ul"));
    for (const { code } of rules) {
      const told = policy.password.rules?.find((rule) => rule.code === code)?.message;
      if (list.querySelector(`[data-rule="${code}"]`) || !told) continue;
      const line = list.appendChild(make("li", { textContent: told }));
      line.dataset.rule = code;
    }
    for (const line of list.children) {
      if (!line.querySelector(".aside")) line.prepend(make("span", { className: "aside" }));
    }
    this.#judge = () => {
      const password = this.#input("password")?.value ?? "";
      for (const { code, met } of checkPassword(password, policy.password)) {
        const line = list.querySelector(`[data-rule="${code}"]`);
        if (!line) continue;
        line.dataset.met = String(met && password !== "");
        line.firstChild.textContent = password && `${this.texts[met ? "met" : "unmet"]} `;
      }
    };
    this.#judge();
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
    const take = make("button", {
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
    if (!(found instanceof RadioNodeList)) return found;
    return [...found].find(({ type }) => type !== "hidden") ?? found[0];
  }

  #wait(seconds) {
    const { wait, wait_minutes } = this.texts;
    const [text, number] = seconds < 120 ? [wait, seconds] : [wait_minutes, Math.ceil(seconds / 60)];
    return text.replace(/%\w+%/, number);
  }

  /** The languages that the form asks for. */
  #lang() {
    return this.#input("ui_locales")?.value || new URL(this.url).searchParams.get("ui_locales");
  }

  #emit(name, detail = {}, cancelable = false) {
    const what = { detail, cancelable, bubbles: true };
    return this.form.dispatchEvent(new CustomEvent(`signup:${name}`, what));
  }
}

// Forms that are there when the module is run. `data-signup="manual"` waits for `enhance`.
const ready = 'form[data-signup]:not([data-signup="manual"])';
for (const form of globalThis.document?.querySelectorAll(ready) ?? []) {
  try {
    enhance(form);
  } catch (error) {
    reportError(error);
  }
}
