// A sign-up form in React. README.md says where signup.js and its types come from.

import type { ComponentProps, FormEvent, ReactNode } from "react";
import { useEffect, useId, useRef, useState } from "react";

import { type FieldPolicy, type Policy, type Result, checkPassword, newKey, signUp } from "./signup.js";

/** How the attributes are asked for, in this order, as far as the service takes them. */
const ATTRIBUTES = [
  { name: "given_name", type: "text", autoComplete: "given-name" },
  { name: "family_name", type: "text", autoComplete: "family-name" },
  { name: "name", type: "text", autoComplete: "name" },
  { name: "nickname", type: "text", autoComplete: "nickname" },
  { name: "picture", type: "url", autoComplete: "photo" },
  { name: "username", type: "text", autoComplete: "username" },
  { name: "phone_number", type: "tel", autoComplete: "tel" },
  { name: "email", type: "email", autoComplete: "email" },
  { name: "password", type: "password", autoComplete: "new-password" },
];

/** What of the policy makes the form. */
type Asked = Pick<Policy, "fields" | "user_metadata" | "password" | "terms">;

/** Where the policy cannot be had: what every service takes. */
const LEAST: Asked = {
  fields: {
    email: { label: "E-mail address", type: "string", required: true },
    password: { label: "Password", type: "string", required: true },
  },
  user_metadata: {},
  password: { rules: [] },
  terms: null,
};

type Done = Extract<Result, { status: "created" | "accepted" }>;
type Refused = Exclude<Result, Done>;

export function SignUp({ service, onDone }: { service: string; onDone: (done: Done) => void }) {
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const sent = useRef({ as: "", key: "" });
  const [asked, setAsked] = useState<Asked>();
  const [password, setPassword] = useState("");
  const [refused, setRefused] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const [waiting, setWaiting] = useState(false);

  useEffect(() => {
    const aborted = new AbortController();
    // The labels in the language of the page, as the module asks for the messages.
    const headers = { "Accept-Language": document.documentElement.lang };
    fetch(`${service}/signup/policy`, { headers, signal: aborted.signal })
      .then((response) => (response.ok ? response.json() : LEAST))
      .catch(() => LEAST)
      .then((policy) => aborted.signal.aborted || setAsked(policy));
    return () => aborted.abort();
  }, [service]);

  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true], [role=alert]")?.focus();
  }, [refused]);

  /** The same key until the address or the password changes: sent again, it is one sign-up. */
  function keyOf(data: FormData) {
    const as = JSON.stringify([data.get("email"), data.get("password")]);
    if (sent.current.as !== as) sent.current = { as, key: newKey() };
    return sent.current.key;
  }

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy || waiting) return;
    setBusy(true);
    const data = new FormData(event.currentTarget);
    // Solves a proof of work, and waits and sends again by itself where that is soon.
    const result = await signUp(`${service}/signup`, data, { key: keyOf(data) });
    setBusy(false);
    if (result.status === "created" || result.status === "accepted") return onDone(result);
    setRefused(result);
    if ("retryAfter" in result && result.retryAfter) {
      setWaiting(true);
      setTimeout(() => setWaiting(false), result.retryAfter * 1000);
    }
  }

  if (!asked) return null;
  const fields = fieldsOf(asked);
  const faults = faultsOf(refused);
  const elsewhere = faults.filter(({ field }) => !fields.some(({ name }) => name === field));
  const rules = checkPassword(password, asked.password);
  return (
    <form ref={form} onSubmit={submit} noValidate aria-busy={busy}>
      {elsewhere.length > 0 && (
        <div role="alert" tabIndex={-1}>
          {elsewhere.map(({ field, message }) => (
            <p key={message}>{field ? `${field}: ${message}` : message}</p>
          ))}
        </div>
      )}
      {fields.map(({ name, label, required, values, options, input }, nth) => {
        const own = faults.filter(({ field }) => field === name);
        const described = [own.length > 0 && `${id}fault${nth}`, name === "password" && `${id}rules`];
        const shared = {
          id: id + nth,
          name,
          required,
          "aria-invalid": own.length > 0,
          "aria-describedby": described.filter(Boolean).join(" ") || undefined,
        };
        return (
          <p key={name}>
            <label htmlFor={shared.id}>
              {label}
              {!required && " (optional)"}
            </label>{" "}
            {values ? (
              <select {...shared}>
                <option value="">Choose …</option>
                {values.map((value) => (
                  <option key={value} value={value}>{options?.[value] ?? value}</option>
                ))}
              </select>
            ) : (
              <input
                onChange={name === "password" ? (event) => setPassword(event.target.value) : undefined}
                {...shared}
                {...input}
              />
            )}
            <span id={`${id}fault${nth}`}>{own.map(({ message }) => message).join(" ")}</span>
          </p>
        );
      })}
      <ul id={`${id}rules`}>
        {asked.password.rules.map(({ code, message }) => (
          <li key={code}>
            {rules.find((rule) => rule.code === code)?.met ? "✓" : "·"} {message}
          </li>
        ))}
      </ul>
      <button disabled={waiting}>{busy ? "One moment …" : "Sign up"}</button>
    </form>
  );
}

interface Field {
  name: string;
  label: ReactNode;
  required: boolean;
  /** One of these is chosen. */
  values?: string[];
  /** What they are called. */
  options?: Record<string, string>;
  input?: ComponentProps<"input">;
}

/** Everything that the service takes: the attributes, its own keys, the terms. */
function fieldsOf({ fields, user_metadata, terms }: Asked): Field[] {
  const asked: Field[] = [];
  for (const { name, ...input } of ATTRIBUTES) {
    const rule = fields[name];
    if (rule) asked.push({ name, label: rule.label, required: rule.required, input });
  }
  for (const [key, rule] of Object.entries(user_metadata)) {
    if (rule) asked.push({ ...rule, name: `user_metadata.${key}`, input: inputFor(rule) });
  }
  if (terms) {
    const link = <a href={terms.url} target="_blank" rel="noopener">terms</a>;
    // The version says which terms the person saw.
    const input = { type: "checkbox", value: terms.version };
    asked.push({ name: "terms", label: <>I accept the {link}</>, required: terms.required, input });
  }
  return asked;
}

function inputFor({ type, min, max }: FieldPolicy): ComponentProps<"input"> {
  switch (type) {
    case "boolean":
      return { type: "checkbox", value: "true" };
    case "integer":
      return { type: "number", min, max };
    case "string":
      return { type: "text" };
  }
}

/** What to say of a refusal, each at its field; without a field above the form. */
function faultsOf(refused?: Refused): { field?: string; message: string }[] {
  if (!refused) return [];
  switch (refused.status) {
    case "invalid":
      return refused.errors;
    case "taken":
      return [{ field: refused.field, message: refused.problem.detail }];
    case "offline":
      return [{ message: "The connection failed. Nothing is lost: send the form again." }];
    default: {
      const { problem, retryAfter } = refused;
      const wait = retryAfter ? ` Try again in ${retryAfter} s.` : "";
      return [{ message: problem.detail + wait }];
    }
  }
}
