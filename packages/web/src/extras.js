// What helps somebody who fills a form in: suggestions for mistyped addresses, the Caps Lock hint, the
// check for passwords that are too common, proofs of work, new captcha tokens and texts in another language. A file of
// its own, loaded when a form gets the focus or a challenge has to be solved.

import { explainInsecure, explainOrigin } from "./explain.js";
import { HIDDEN, findInput, make, makeStatus, putBelow } from "./dom.js";
import { checkPassword } from "./password.js";
import { solve } from "./proof.js";
import { within } from "./request.js";
import { suggestEmail } from "./suggest.js";

export { checkPassword, solve, suggestEmail };

/** More texts that stand in until the policy arrives. */
const TEXTS = {
  caps_lock: "Caps Lock is on.",
  suggestion: "Did you mean %address%?",
  created: "Your account has been created.",
  accepted_title: "Check your inbox",
  wait: "Try again in %seconds% seconds.",
  wait_minutes: "Try again in %minutes% minutes.",
};

/** Adds a token of reCAPTCHA v3, where its script is loaded. */
async function addToken(data, { site_key, action }) {
  const token = await within(10_000, globalThis.grecaptcha.execute(site_key, { action }));
  if (token) data.set("g-recaptcha-response", token);
}

/**
 * Helps with an enhanced form. `own` has the page's own texts, and `lang` the languages that `policy` was requested in.
 * `alert` and `errors` show what is wrong, `onInput` listens to the form's inputs, `signal` ends it all, `progress` shows
 * how a request is going, `reveal` shows the password, and `rules` marks the rules of the policy. Returns a function that
 * adds to a request what a challenge asks for.
 */
export function assist(enhanced, { alert, errors, signal, getBelow, onInput, progress, reveal, rules }) {
  if (signal.aborted) return undefined;
  const { form, texts, own, url, lang, policy } = enhanced;
  for (const [name, text] of Object.entries(TEXTS)) texts[name] ??= text;
  const input = (name) => findInput(form, name);
  let [typing, common, isPrepared, proof] = [];
  const [suggestion, capsLock] = ["suggestion", "caps-lock"].map((name) => makeStatus(`hint signup-${name}`, HIDDEN));
  const removeAll = () => {
    clearTimeout(typing);
    suggestion.remove();
    capsLock.remove();
  };
  signal.addEventListener("abort", removeAll);
  rules.checkPassword = checkPassword;
  rules.check();
  const placeHints = () => {
    for (const [hint, field] of [[suggestion, input("email")], [capsLock, input("password")]]) {
      if (field && !hint.isConnected) putBelow(field, hint);
    }
  };
  /** Writes a hint. Without content it takes no space, and is there for screen readers to notice the next. */
  const write = (hint, ...content) => {
    hint.style = content.length ? "" : HIDDEN;
    hint.replaceChildren(...content);
  };

  const suggest = () => {
    const field = input("email");
    const address = suggestEmail(field?.value ?? "");
    // What was sent stays what it was.
    if (!address || form.matches("[data-signup-busy]")) return;
    const init = { detail: { address }, cancelable: true, bubbles: true, composed: true };
    form.dispatchEvent(new CustomEvent("signup:suggestion", init));
    placeHints();
    const onclick = () => {
      // Past the property that React puts on an input: otherwise it takes the event for none.
      Reflect.set(Object.getPrototypeOf(field), "value", address, field);
      write(suggestion);
      field.focus();
      field.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const button = make("button", { type: "button", textContent: address, onclick });
    const [before, after = ""] = texts.suggestion.split("%address%");
    write(suggestion, before, button, after);
  };
  const suggestSoon = () => {
    write(suggestion);
    // Not on blur: the shift in layout would make a click on the button miss it.
    clearTimeout(typing);
    typing = setTimeout(suggest, 400);
  };
  onInput("input", (target) => target === input("email") && suggestSoon());
  for (const name of ["submit", "result"]) {
    form.addEventListener(`signup:${name}`, () => write(suggestion), { signal });
  }
  form.addEventListener("reset", () => {
    write(suggestion);
    alert.hide();
    errors.clearAll();
    setTimeout(() => rules.check());
  }, { signal });

  const isPassword = (target) => target === input("password");
  const warn = (field, event) => {
    if (!isPassword(field)) return;
    const isOn = event.type !== "focusout" && event.getModifierState?.("CapsLock");
    placeHints();
    const text = isOn ? [texts.caps_lock] : [];
    // A screen reader speaks what is written, also the same again.
    if (capsLock.textContent !== text.join("")) write(capsLock, ...text);
  };
  for (const name of ["keydown", "keyup", "focusout"]) onInput(name, warn);

  // The width of the button that shows the password depends on its text: signup.css keeps it free of the password.
  const sizes = new ResizeObserver(() => {
    // The page may have put a new button in the place of the observed one, or hide it.
    const width = reveal.button()?.offsetWidth;
    if (width) form.style.setProperty("--_reveal", `${width}px`);
  });

  // A page that is about the form has in its title what the message in place of the form says, once.
  const area = form.closest("[data-signup-area]");
  let isTitled;
  const setTitle = () => {
    if (isTitled || !area?.nextElementSibling?.matches(".signup-done")) return;
    isTitled = true;
    const title = form.dataset.signupDone === "created" ? texts.success_title : texts.accepted_title;
    // With the name of the page, as the service writes it.
    document.title = document.title.replace(/^.*?(?= – |$)/, () => title);
  };

  // A page may add the password later, or another one.
  const equip = async () => {
    await policy;
    if (signal.aborted) return;
    if (input("password") !== rules.input) {
      reveal.start();
      rules.start();
    }
    placeHints();
  };

  // React writes the type of an input whenever it draws the form, and a page may put a new input in its place.
  const keepShown = () => {
    if (reveal.button()) sizes.observe(reveal.button());
    const field = reveal.shown && reveal.button() && input("password");
    if (field?.type === "password") field.type = "text";
  };
  const keep = () => {
    equip();
    keepShown();
    setTitle();
  };
  const observer = new MutationObserver(keep);
  observer.observe(form.getRootNode(), { childList: true, subtree: true, attributeFilter: ["type"] });
  signal.addEventListener("abort", () => {
    observer.disconnect();
    sizes.disconnect();
    form.style.removeProperty("--_reveal");
  });
  keep();

  const loadCommon = async () => {
    const { password } = await policy ?? {};
    if (!password?.dictionary || common) return;
    common = getBelow(url, "/common-passwords.txt", { signal, as: "text" });
    const list = await common;
    // The next focus tries again.
    if (list === undefined) common = undefined;
    password.common = new Set(list?.split("\n").filter(Boolean));
    rules.check();
  };
  onInput("focusin", (target) => isPassword(target) && loadCommon());

  // Solves a challenge while the form is being filled in, if one will be required.
  const prepareProof = async () => {
    if (isPrepared) return;
    isPrepared = true;
    const { challenge } = await policy ?? {};
    if (!challenge?.kinds?.includes("proof_of_work") || input("altcha")) return;
    const issued = await getBelow(url, "/challenge", { signal });
    if (issued?.required) proof = solve(issued, signal).catch(() => {});
  };
  onInput("focusin", prepareProof);
  // A proof can be used once.
  form.addEventListener("signup:result", () => {
    isPrepared = false;
    proof = undefined;
  }, { signal });
  prepareProof();

  // A page may let people choose the language.
  let [requested, turns, shown] = [lang, 0, policy];
  const translate = async () => {
    const wanted = enhanced.languages();
    if (wanted === requested) return;
    requested = wanted;
    const turn = ++turns;
    const next = await getBelow(url, "/policy", { lang: wanted, signal });
    // The first policy would replace the texts of this one.
    const before = await shown;
    if (signal.aborted || turn !== turns) return;
    if (!next) {
      // The next focus tries again.
      requested = undefined;
      return;
    }
    shown = next;
    Object.assign(texts, next.texts, own);
    for (const { code, message } of before.password?.rules ?? []) {
      const text = form.querySelector(`[data-rule="${CSS.escape(code)}"]`)?.lastChild;
      const translated = next.password.rules.find((rule) => rule.code === code);
      // A line of the page itself stays.
      if (translated && text?.textContent === message) text.textContent = translated.message;
    }
    rules.check();
    reveal.label();
  };
  for (const name of ["change", "focusin"]) onInput(name, translate);
  form.addEventListener("reset", () => setTimeout(translate), { signal });
  translate();

  let captcha;
  policy.then((loaded) => (captcha = loaded?.challenge?.site_key));
  form.addEventListener("signup:result", ({ detail: { problem, status } }) => {
    if (problem?.code === "origin_not_allowed") explainOrigin(url);
    if (status !== "challenge" || captcha !== null) return;
    // Where the service has no captcha, its advice to solve one helps nobody.
    problem.advice = "";
    if (!crypto.subtle) explainInsecure(url);
  }, { signal });

  // A captcha token can be used once. Field errors do not use it up, unless Auth0 found them, which happens after
  // the token was verified.
  form.addEventListener("signup:result", ({ detail: { status, errors = [] } }) => {
    const late = errors.every(({ code }) => /common|breached|used|weak/.test(code));
    if (status === "created" || (status === "invalid" && !late)) return;
    for (const widget of ["turnstile", "hcaptcha", "grecaptcha"]) {
      try {
        globalThis[widget]?.reset?.();
      } catch { /* no widget on this page */ }
    }
  }, { signal });

  // The person did not wait for this file.
  if (input("password")?.matches(":focus")) loadCommon();
  if (input("email")?.value) suggestSoon();

  return async (data, challenge) => {
    const timer = proof && setTimeout(() => progress("checking"), 500);
    const solved = await proof;
    clearTimeout(timer);
    progress("submitting");
    if (solved) data.set("altcha", solved);
    // Without a token the service asks for one.
    if (challenge?.kinds.includes("recaptcha_v3")) await addToken(data, challenge).catch(() => {});
  };
}
