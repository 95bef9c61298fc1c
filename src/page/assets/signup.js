// Enhances any sign-up form, which also works without it:
//
//   <form action="https://signup.example.com/signup" method="post" data-signup> … </form>
//   <script type="module" src="https://signup.example.com/signup.js"></script>
//
// No dependencies, no cookies, no storage. docs/page.md describes its use, signup.d.ts its types.

/** The module's own texts, until the policy arrives with those in the language of the page. */
const TEXTS = {
  suggestion: "Did you mean %address%?",
  success_title: "Welcome",
  created: "Your account has been created.",
  accepted_title: "Check your inbox",
  accepted: "We've received your sign-up. Check your inbox for what to do next.",
  offline_heading: "We couldn't connect",
  offline: "Check your internet connection, then try again. Everything you entered is still here.",
  wait: "Try again in %seconds% seconds.",
  wait_minutes: "Try again in %minutes% minutes.",
  submitting: "Creating your account…",
  retrying: "This is taking longer than usual. We're still trying…",
  checking: "Checking that you're not a robot…",
  caps_lock: "Caps Lock is on.",
  reference: "Reference",
  colon: ": ",
  met: "done:",
  unmet: "not yet:",
  log_in: "Log in",
  reset_password: "Reset your password",
};

/** Delays before the same sign-up is sent again automatically, with the same key. */
const RETRIES_MS = [1000, 3000];
/** Longest Retry-After that is waited for automatically. */
const MAX_WAIT_S = 5;
/** Timeout of a response. The service itself times out sooner. */
const TIMEOUT_MS = 20_000;

// ---------------------------------------------------------------------- checks before sending

const TYPES = {
  lowercase: /[a-z]/,
  uppercase: /[A-Z]/,
  number: /[0-9]/,
  special: /[ -/:-@[-`{-~]/,
};

/** Finds three adjacent characters in sequence, such as abc or 321. */
function hasSequence(password) {
  const bytes = new TextEncoder().encode(password);
  const step = (at) => {
    const pair = String.fromCharCode(bytes[at], bytes[at + 1]);
    const difference = bytes[at + 1] - bytes[at];
    return /^[0-9A-Za-z]{2}$/.test(pair) && Math.abs(difference) === 1 ? difference : 0;
  };
  return bytes.some((_, at) => at > 0 && step(at - 1) && step(at - 1) === step(at));
}

/** Checks a password against a policy. Returns the code of each rule, and whether it is met. */
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
  if (policy.common?.has(password.toLowerCase())) {
    rules.push({ code: "password.too_common", met: false });
  }
  return rules;
}

const DOMAINS = `gmail.com googlemail.com yahoo.com hotmail.com outlook.com icloud.com live.com
  protonmail.com proton.me fastmail.com yahoo.co.uk hotmail.co.uk outlook.fr hotmail.fr yahoo.fr
  laposte.net wanadoo.fr orange.fr t-online.de freenet.de outlook.de yahoo.de hotmail.de
  libero.it hotmail.it yahoo.it hotmail.es yahoo.es yahoo.co.jp yahoo.co.in yahoo.com.br
  comcast.net verizon.net btinternet.com yandex.ru rambler.ru naver.com`.split(/\s+/);
/** Real domains that differ from a well-known one by a typo. */
const REAL = ["ymail.com", "mail.com", "email.com"];
const nameOf = (domain) => domain.split(".")[0];
/** True if the provider has domains in several countries, so that another country is no typo. */
const isInMany = (name) => DOMAINS.filter((known) => nameOf(known) === name).length > 1;

/** True if the words differ by one letter added, removed or changed, or by two letters swapped. */
function isOneTypo(a, b) {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [x, y] = [a.slice(start), b.slice(start)];
  return (
    x.slice(1) === y.slice(1) || x.slice(1) === y || x === y.slice(1) ||
    (x[0] === y[1] && x[1] === y[0] && x.slice(2) === y.slice(2))
  );
}

/** Returns the address that was probably meant, if the domain looks like a typo. */
export function suggestEmail(email) {
  const at = email.lastIndexOf("@");
  const domain = email.slice(at + 1).trim().toLowerCase();
  if (at < 1 || DOMAINS.includes(domain) || REAL.includes(domain)) return undefined;
  const name = nameOf(domain);
  const known = !isInMany(name) && DOMAINS.find((known) => isOneTypo(domain, known));
  const top = domain.replace(/\.(con|cmo|ocm|vom|xom|comm|cim)$/, ".com");
  const meant = known || (top === domain ? undefined : top);
  return meant && `${email.slice(0, at)}@${meant}`;
}

// --------------------------------------------------------------------------------- proof of work

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Solves a challenge in the ALTCHA format. The browser derives the keys on its own threads. */
export async function solve(challenge, signal) {
  const { algorithm, cost, keyLength, keyPrefix, nonce, salt } = challenge.parameters;
  if (algorithm !== "PBKDF2/SHA-256") throw new Error(`cannot solve ${algorithm}`);
  const [nonceBytes, saltBytes, started] = [unhex(nonce), unhex(salt), Date.now()];
  const derive = async (counter) => {
    const password = new Uint8Array(nonceBytes.length + 4);
    password.set(nonceBytes);
    new DataView(password.buffer).setUint32(nonceBytes.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const kdf = { name: "PBKDF2", hash: "SHA-256", salt: saltBytes, iterations: cost };
    return hex(new Uint8Array(await crypto.subtle.deriveBits(kdf, key, keyLength * 8)));
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

// --------------------------------------------------------------------------------- requests

/** Resolves after a delay, or rejects when aborted. */
async function sleep(ms, signal) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    setTimeout(resolve, ms);
  });
}

/** Returns a new idempotency key. */
export function newKey() {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Fetches JSON in these languages or that of the page. `body` is undefined if it is not JSON. */
async function call(url, { lang, signal, as = "json", ...init } = {}) {
  const tags = lang || globalThis.document?.documentElement.lang || "";
  // Other characters, or more than 128 bytes, would need a preflight.
  const languages = tags.replace(/_/g, "-").match(/[a-z0-9-]+/gi)?.join(",").slice(0, 120);
  const headers = { Accept: "application/json", ...(languages && { "Accept-Language": languages }) };
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, TIMEOUT_MS);
  signal?.addEventListener("abort", abort);
  try {
    signal?.throwIfAborted();
    const response = await fetch(url, {
      ...init, headers, signal: controller.signal, credentials: "omit",
    });
    const body = await response[as]().catch(() => undefined);
    signal?.throwIfAborted();
    return { response, body };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** Gets JSON from a path below this URL. Returns undefined on failure. */
async function getBelow(url, path, options) {
  const target = new URL(url, globalThis.document?.baseURI);
  target.pathname = target.pathname.replace(/\/$/, "") + path;
  target.search = "";
  const { response, body } = await call(target, options).catch(() => ({}));
  return response?.ok ? body : undefined;
}

/** Gets the policy for forms sent to this URL. Returns undefined on failure. */
export function getPolicy(url, options) {
  return getBelow(url, "/policy", options);
}

/** Solves a challenge if it is a proof of work. Returns undefined otherwise, or on failure. */
async function prove(challenge, signal) {
  if (!challenge?.parameters || !globalThis.crypto?.subtle) return undefined;
  return solve(challenge, signal).catch(() => undefined);
}

let explainedAt;

/** Explains to the developer why the service rejects this page, once a minute. */
function explainOrigin(url) {
  if (explainedAt > Date.now() - 60_000) return;
  explainedAt = Date.now();
  const { origin } = globalThis.location ?? {};
  console.error(`auth0-signup at ${url} rejects this page. Is ${origin} in http.allowed_origins?`);
}

/** Status of a result, by the code of its problem. */
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

/** Turns a response into a result. */
function toResult({ response, body }) {
  const { status: httpStatus, headers } = response;
  const retryAfter = Number(body?.retry_after ?? headers.get("Retry-After")) || undefined;
  if (httpStatus === 201 && body?.user) {
    const replayed = headers.get("Idempotency-Replayed") === "true";
    return { status: "created", user: body.user, replayed };
  }
  if (httpStatus === 202 && body?.status) return { status: "accepted" };
  // A truncated response, or one from another server.
  if (typeof body?.code !== "string") return { status: "offline", httpStatus, retryAfter };
  const details = { problem: body, httpStatus, retryAfter };
  const field = /^(email|username)_taken$/.exec(body.code)?.[1];
  if (field) return { status: "taken", field, ...details };
  if (body.code === "invalid_fields") details.errors = body.errors ?? [];
  return { status: STATUSES[body.code] ?? "failed", ...details };
}

/** Flattens an object into form fields, such as `user_metadata.plan`. Leaves null out. */
function fields(data, prefix = "") {
  return Object.entries(data).flatMap(([name, value]) => {
    if (value === undefined || value === null) return [];
    const isNested = typeof value === "object" && !(value instanceof Date);
    return isNested ? fields(value, `${prefix}${name}.`) : [[prefix + name, value]];
  });
}

/**
 * Signs a user up with one post. Retries with the same key where that is safe and may help, and
 * solves a proof of work if one is required. Rejects only when aborted.
 */
export async function signUp(url, data, options = {}) {
  const { key, lang, signal, retry = true, onChallenge, onRetry } = options;
  // A file is sent as its name, so that the service can reject it. An empty file input is left out.
  const body = new URLSearchParams();
  for (const [name, value] of data[Symbol.iterator] ? data : fields(data)) {
    if (value?.name !== "") body.append(name, value?.name ?? value);
  }
  // An urlencoded form with the key inside needs no preflight.
  body.set("idempotency_key", key || body.get("idempotency_key") || newKey());
  const hasCaptcha = [...body].some(([name, value]) => value && name.endsWith("-response"));
  let [retries, proven] = [0, false];
  for (;;) {
    let result;
    try {
      result = toResult(await call(url, { method: "POST", body, lang, signal }));
    } catch {
      signal?.throwIfAborted();
      result = { status: "offline" };
    }
    const { status, problem, retryAfter } = result;
    if (problem?.code === "origin_not_allowed") explainOrigin(url);
    // A rate limit with a challenge admits requests that carry its proof.
    if ((status === "challenge" || problem?.challenge) && !proven) {
      proven = true;
      onChallenge?.();
      const proof = await prove(await getBelow(url, "/challenge", { signal }), signal);
      signal?.throwIfAborted();
      if (!proof) return result;
      body.set("altcha", proof);
      continue;
    }
    // Any response uses a captcha token up, and only the user can get another.
    const mayHelp = ["offline", "unknown"].includes(status) || (status === "later" && !hasCaptcha);
    const soon = (retryAfter ?? 0) <= MAX_WAIT_S;
    if (!retry || !mayHelp || !soon || retries >= RETRIES_MS.length) return result;
    onRetry?.();
    await sleep(retryAfter ? retryAfter * 1000 : RETRIES_MS[retries], signal);
    retries++;
    // A proof of work can be used once.
    body.delete("altcha");
    proven = false;
  }
}

// ------------------------------------------------------------------------------------- forms

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
    const { signupSuccess } = form.dataset;
    if (signupSuccess) {
      location.assign(signupSuccess);
      return;
    }
    const given = (name) => String(this.#data?.get(name) ?? "").trim();
    const name = given("given_name") || given("nickname") || given("name");
    const email = given("email");
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

// Enhances the forms of the page, except `data-signup="manual"`, which wait for `enhance`.
const ready = 'form[data-signup]:not([data-signup="manual"])';
for (const form of globalThis.document?.querySelectorAll(ready) ?? []) {
  try {
    enhance(form);
  } catch (error) {
    reportError(error);
  }
}
