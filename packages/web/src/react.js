"use client";

// React: a hook that enhances a form of your own, and a form drawn from the policy of the service.

import { Fragment, createElement as h, useCallback, useEffect, useRef, useState } from "react";

import { enhance } from "./form.js";
import { fieldsOf, policyAttribute } from "./fields.js";
import { awaitPolicy } from "./request.js";

/** Enhances the form that gets `ref`, and again when it is drawn from another policy. */
export function useSignup({ url, ...options } = {}) {
  const [result, setResult] = useState();
  const latest = useRef(options);
  const update = useRef();
  useEffect(() => {
    latest.current = options;
    update.current?.();
  });
  const ref = useCallback((form) => {
    if (!form) return undefined;
    const start = () => [form.dataset.signupPolicy, enhance(form, { url, texts: latest.current.texts })];
    let [policy, enhanced] = start();
    update.current = () => {
      if (form.dataset.signupPolicy === policy) return;
      // A request goes on, and the message of a success stays.
      if (form.matches("[data-signup-busy], [data-signup-done]")) return;
      enhanced.destroy();
      [policy, enhanced] = start();
    };
    const controller = new AbortController();
    const { signal } = controller;
    form.addEventListener("signup:result", ({ detail }) => {
      setResult(detail);
      latest.current.onResult?.(detail);
    }, { signal });
    form.addEventListener("signup:done", (event) => latest.current.onDone?.(event.detail, event), { signal });
    return () => {
      controller.abort();
      update.current = undefined;
      enhanced.destroy();
    };
  }, [url]);
  return { ref, result };
}

/** Loads the policy of the service. */
export function usePolicy(url, given, lang) {
  const [policy, setPolicy] = useState(given);
  useEffect(() => {
    if (given) return undefined;
    const controller = new AbortController();
    const { signal } = controller;
    // Without the policy the fallback stays.
    awaitPolicy(url, { lang, signal }).then((loaded) => signal.aborted || setPolicy(loaded));
    return () => controller.abort();
  }, [url, given, lang]);
  return given ?? policy;
}

/** Gives the children of a form the language and the direction of the page, which may have no texts here. */
function setAsAround(children) {
  const around = children?.parentElement.parentElement.parentElement;
  if (!around) return;
  children.lang = around.closest("[lang]")?.lang ?? "";
  children.dir = getComputedStyle(around).direction;
}

/** A sign-up form. */
export function SignupForm({ url, policy: given, lang, fallback, success, onResult, onDone, texts, children, ...rest }) {
  const policy = usePolicy(url, given, lang);
  const { ref } = useSignup({ url, texts, onResult, onDone });
  if (!policy) return fallback === undefined ? h("a", { href: url }, "Create an account") : fallback;
  const data = { "data-signup-policy": policyAttribute(policy), "data-signup-success": success };
  // In an element of its own, which takes the form's message with it: both are in the language of the policy's texts.
  return h("div", { lang: policy.language, dir: policy.direction }, h("form", { action: url, method: "post", ref, "data-signup": "manual", ...data, ...rest },
    lang && h("input", { type: "hidden", name: "ui_locales", value: lang }),
    // A new function each time, as the page may have changed its direction.
    children && h("div", { "data-signup-own": "", ref: (element) => setAsAround(element) }, children),
    h("div", { "data-signup-alert": "", hidden: true }),
    // By the value too: a consent holds for the same terms.
    fieldsOf(policy).map((field) => h(SignupField, { key: field.name + field.input.value, texts: policy.texts, field })),
    h("button", null,
      h("span", { "data-signup-idle": "" }, policy.texts.submit),
      h("span", { "data-signup-working": "", hidden: true }, policy.texts.submitting))));
}

/** One field: a label around its input. */
function SignupField({ texts, field: { name, kind, label, required, choices, input, ...terms } }) {
  const { autocomplete, autocapitalize, inputmode, spellcheck, ...attributes } = input;
  const shared = {
    name, required, "data-signup-label": label,
    autoComplete: autocomplete, autoCapitalize: autocapitalize, inputMode: inputmode, spellCheck: spellcheck,
    ...attributes,
  };
  const quiet = !required && h("small", null, ` (${texts.optional})`);
  const option = ({ value, label }) => h("option", { key: value, value }, label);
  switch (kind) {
    case "terms": {
      const link = h("a", { href: terms.url, target: "_blank", rel: "noopener" }, terms.link);
      return h("label", null, h("input", shared), terms.before, link, terms.after, quiet);
    }
    case "checkbox":
      return h("label", null, h("input", shared), label, quiet);
    case "choice": {
      const options = [{ value: "", label: texts.choose }, ...choices].map(option);
      return h("label", null, label, quiet, h("select", shared, options));
    }
    case "password": {
      const rules = h("div", { "data-signup-rules": "" });
      return h(Fragment, null, h("label", null, label, h("input", { ...shared, "data-signup-password": "" })), rules);
    }
    default:
      return h("label", null, label, quiet, h("input", shared));
  }
}
