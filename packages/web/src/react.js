// React: a hook that enhances a form of your own, and a form drawn from the policy of the service.

import { createElement as h, useCallback, useEffect, useRef, useState } from "react";

import { enhance } from "./form.js";
import { fieldsOf } from "./fields.js";
import { getPolicy } from "./request.js";

/** Enhances the form that gets `ref`. */
export function useSignup({ url, texts, ...handlers } = {}) {
  const [result, setResult] = useState();
  const latest = useRef(handlers);
  useEffect(() => void (latest.current = handlers));
  const ref = useCallback((form) => {
    if (!form) return undefined;
    const enhanced = enhance(form, { url, texts });
    const listeners = {
      "signup:result": ({ detail }) => {
        setResult(detail);
        latest.current.onResult?.(detail);
      },
      "signup:done": (event) => {
        if (!latest.current.onDone) return;
        event.preventDefault();
        latest.current.onDone(event.detail);
      },
    };
    const all = Object.entries(listeners);
    all.forEach(([name, listener]) => form.addEventListener(name, listener));
    return () => {
      all.forEach(([name, listener]) => form.removeEventListener(name, listener));
      enhanced.destroy();
    };
  }, [url]);
  return { ref, result };
}

/** Loads the policy of the service. */
export function usePolicy(url, given) {
  const [policy, setPolicy] = useState(given);
  useEffect(() => {
    if (given) return undefined;
    const controller = new AbortController();
    getPolicy(url, { signal: controller.signal }).then((loaded) => loaded && setPolicy(loaded));
    return () => controller.abort();
  }, [url, given]);
  return given ?? policy;
}

/** A sign-up form. */
export function SignupForm({ url, policy: given, success, onResult, onDone, texts, children, ...rest }) {
  const policy = usePolicy(url, given);
  const { ref } = useSignup({ url, texts, onResult, onDone });
  if (!policy) return null;
  const data = { "data-signup-policy": JSON.stringify(policy), "data-signup-success": success };
  // In an element of its own, which takes the form's message with it.
  return h("div", null, h("form", { action: url, method: "post", ref, "data-signup": "manual", ...data, ...rest },
    fieldsOf(policy).map((field) => h(SignupField, { key: field.name, texts: policy.texts, field })),
    children,
    h("button", { className: "primary" },
      h("span", { "data-signup-idle": "" }, policy.texts.submit),
      h("span", { "data-signup-working": "", hidden: true }, policy.texts.submitting))));
}

/** One field: a label with its input. */
function SignupField({ texts, field: { name, kind, label, required, choices, input, ...terms } }) {
  const { autocomplete, autocapitalize, spellcheck, ...attributes } = input;
  const react = { autoComplete: autocomplete, autoCapitalize: autocapitalize, spellCheck: spellcheck };
  const shared = { name, required, ...react, ...attributes };
  const optional = !required && h("span", { className: "quiet" }, ` (${texts.optional})`);
  if (input.type === "checkbox") {
    const link = kind === "terms" && h("a", { href: terms.url, target: "_blank", rel: "noopener" }, terms.link);
    const words = kind === "terms" ? h("span", null, terms.before, link, terms.after) : h("span", null, label);
    return h("label", { className: "box" }, h("input", { ...shared, "data-signup-label": label }), words, optional);
  }
  const option = ({ value, label }) => h("option", { key: value, value }, label);
  return h("div", { className: "field" },
    h("label", null, label, optional,
      kind === "choice"
        ? h("select", shared, [{ value: "", label: texts.choose }, ...choices].map(option))
        : h("input", shared)),
    kind === "password" && h("div", { className: "rules", "data-signup-rules": "" }, h("p", null, texts.password_rules)));
}
