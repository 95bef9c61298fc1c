// The inputs of a form, from the policy of the service.

/** Attributes of the inputs of root attributes, as on the built-in page. */
const ATTRIBUTES = {
  // Not of the type "email", whose domain Chromium rewrites in Punycode: one mailbox could become two users.
  email: { type: "text", inputMode: "email", autocomplete: "email", dir: "ltr" },
  password: { type: "password", autocomplete: "new-password", dir: "ltr" },
  given_name: { type: "text", autocomplete: "given-name", autocapitalize: "words" },
  family_name: { type: "text", autocomplete: "family-name", autocapitalize: "words" },
  name: { type: "text", autocomplete: "name", autocapitalize: "words" },
  nickname: { type: "text", autocomplete: "nickname", autocapitalize: "words" },
  picture: { type: "url", inputMode: "url", autocomplete: "photo", dir: "ltr" },
  username: { type: "text", autocomplete: "username" },
  phone_number: { type: "tel", inputMode: "tel", autocomplete: "tel", dir: "ltr" },
};

const KEY = "user_metadata.";

/** Returns the attributes of the input of a key of `user_metadata`. */
function inputOf({ type, values }) {
  if (values) return {};
  if (type === "boolean") return { type: "checkbox", value: "true" };
  const number = type === "integer" && { inputMode: "numeric", dir: "ltr" };
  return { type: "text", autocomplete: "off", ...number };
}

/** Returns what an enhanced form needs of the policy, as its attribute `data-signup-policy`. */
export function policyAttribute({ password, challenge, login_url, reset_url, texts }) {
  return JSON.stringify({ password, challenge, login_url, reset_url, texts });
}

/** Returns the fields of a form in the order of the built-in page. */
export function fieldsOf(policy) {
  const { fields, user_metadata, terms, texts, order, password } = policy;
  return order.flatMap((name) => {
    if (name === "terms") {
      if (!terms) return [];
      // The link is in brackets.
      const [before, link, after = ""] = texts.accept_terms.split(/[[\]]/);
      const input = { type: "checkbox", value: terms.version };
      return { name, kind: "terms", label: before + link + after, before, link, after, url: terms.url, required: terms.required, input };
    }
    const rule = name.startsWith(KEY) ? user_metadata[name.slice(KEY.length)] : fields[name];
    if (!rule) return [];
    const { label, required, values, options = {} } = rule;
    const input = { autocapitalize: "none", spellcheck: false, ...(ATTRIBUTES[name] ?? inputOf(rule)) };
    if (name === "password" && password.passwordrules) input.passwordrules = password.passwordrules;
    if (!values) return { name, kind: input.type === "checkbox" ? "checkbox" : name === "password" ? "password" : "text", label, required, input };
    const choices = values.map((value) => ({ value, label: options[value] ?? value }));
    return { name, kind: "choice", label, required, input, choices };
  });
}
