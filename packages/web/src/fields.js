// The inputs of a form, from the policy of the service.

/** Attributes of the inputs of root attributes, as on the built-in page. */
const ATTRIBUTES = {
  // Not of the type "email", whose domain Chromium rewrites in Punycode: one mailbox could become two users.
  email: { type: "text", inputmode: "email", autocomplete: "email", dir: "ltr" },
  password: { type: "password", autocomplete: "new-password", dir: "ltr" },
  given_name: { type: "text", autocomplete: "given-name", autocapitalize: "words" },
  family_name: { type: "text", autocomplete: "family-name", autocapitalize: "words" },
  name: { type: "text", autocomplete: "name", autocapitalize: "words" },
  nickname: { type: "text", autocomplete: "nickname", autocapitalize: "words" },
  picture: { type: "url", inputmode: "url", autocomplete: "photo", dir: "ltr" },
  username: { type: "text", autocomplete: "username" },
  phone_number: { type: "tel", inputmode: "tel", autocomplete: "tel", dir: "ltr" },
};

const KEY = "user_metadata.";

/** Returns the attributes of the input of a key of `user_metadata`. */
function inputOf({ type }) {
  if (type === "boolean") return { type: "checkbox", value: "true" };
  const number = type === "integer" && { inputmode: "numeric", dir: "ltr" };
  return { type: "text", autocomplete: "off", ...number };
}

/** Returns the checkbox of the terms. The policy has the link in brackets. */
function termsField({ version, url, required }, { accept_terms, terms: label }) {
  const [before, link, after = ""] = accept_terms.split(/[[\]]/);
  // Otherwise a browser that goes back restores a tick for terms that have changed since.
  const input = { type: "checkbox", value: version, autocomplete: "off" };
  // Whatever the policy says, a link runs no script.
  const address = /^https?:/.test(url) ? { url } : {};
  return { name: "terms", kind: "terms", label, before, link, after, ...address, required, input };
}

/** Returns the field of an attribute, or of a key of `user_metadata`. */
function fieldOf(name, rule, { passwordrules }) {
  const { label, required, values } = rule;
  const options = new Map(Object.entries(rule.options ?? {}));
  if (values) {
    const choices = values.map((value) => ({ value, label: options.get(value) ?? value }));
    return { name, kind: "choice", label, required, input: {}, choices };
  }
  const own = ATTRIBUTES[name] ?? inputOf(rule);
  if (own.type === "checkbox") return { name, kind: "checkbox", label, required, input: own };
  const input = { autocapitalize: "none", spellcheck: "false", ...own };
  if (name !== "password") return { name, kind: "text", label, required, input };
  return { name, kind: "password", label, required, input: { ...input, ...(passwordrules && { passwordrules }) } };
}

/** Returns what an enhanced form needs of the policy, as its attribute `data-signup-policy`. */
export function policyAttribute({ fields, user_metadata, terms, password, challenge, login_url, reset_url, texts }) {
  const brief = (rules) => Object.fromEntries(Object.entries(rules).map(([name, { required }]) => [name, { required }]));
  const rules = { fields: brief(fields), user_metadata: brief(user_metadata), terms };
  return JSON.stringify({ ...rules, password, challenge, login_url, reset_url, texts });
}

/** Returns the fields of a form in the order of the built-in page. */
export function fieldsOf({ fields, user_metadata, terms, texts, order, password }) {
  return order.flatMap((name) => {
    if (name === "terms") return terms ? [termsField(terms, texts)] : [];
    const rule = name.startsWith(KEY) ? user_metadata[name.slice(KEY.length)] : fields[name];
    return rule ? [fieldOf(name, rule, password)] : [];
  });
}
