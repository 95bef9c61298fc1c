// A sign-up form in React. README.md describes where signup.js and its types come from.

import type { ComponentProps, FormEvent, ReactNode } from "react";
import { useEffect, useId, useRef, useState } from "react";

import type { FieldPolicy, Policy, Problem, Result } from "./signup.js";
import { checkPassword, getPolicy, newKey, signUp } from "./signup.js";

/** Inputs of the attributes, in this order; those that the service does not accept are left out. */
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

/** English texts, for a page without a policy. */
const TEXTS = {
  submit: "Create account",
  choose: "Choose an option",
  optional: "optional",
  accept_terms: "I accept the [terms].",
  submitting: "Creating your account…",
  offline: "Check your internet connection, then try again. Everything you entered is still here.",
  wait: "Try again in %seconds% seconds.",
  wait_minutes: "Try again in %minutes% minutes.",
};
type Texts = typeof TEXTS;

/** The part of the policy that the form is built from. */
type FormPolicy = Pick<Policy, "fields" | "user_metadata" | "password" | "terms"> & { texts: Texts };

/** Used if the policy cannot be loaded: the fields that every service accepts. */
const MINIMAL: FormPolicy = {
  fields: {
    email: { label: "Email address", type: "string", required: true },
    password: { label: "Password", type: "string", required: true },
  },
  user_metadata: {},
  password: { rules: [] },
  terms: null,
  texts: TEXTS,
};

type Success = Extract<Result, { status: "created" | "accepted" }>;
type Failure = Exclude<Result, Success>;

export function SignUp({ service, onDone }: { service: string; onDone: (result: Success) => void }) {
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const sent = useRef({ identity: "", key: "" });
  const [policy, setPolicy] = useState<FormPolicy>();
  const [password, setPassword] = useState("");
  const [failure, setFailure] = useState<Failure>();
  const [busy, setBusy] = useState(false);
  const [waitS, setWaitS] = useState(0);

  useEffect(() => {
    let unmounted = false;
    // In the language of the page, as are the messages. The form is not delayed for long.
    getPolicy(`${service}/signup`, { signal: AbortSignal.timeout(3000) }).then((loaded) => {
      if (!unmounted) setPolicy(loaded ?? MINIMAL);
    });
    return () => void (unmounted = true);
  }, [service]);

  useEffect(() => {
    const timer = setTimeout(() => setWaitS(0), waitS * 1000);
    return () => clearTimeout(timer);
  }, [waitS, failure]);

  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true], [role=alert]")?.focus();
  }, [failure]);

  /** Returns the same key until the address or the password changes, so that a repeat is one sign-up. */
  function keyFor(data: FormData) {
    const identity = JSON.stringify([data.get("email"), data.get("password")]);
    if (sent.current.identity !== identity) sent.current = { identity, key: newKey() };
    return sent.current.key;
  }

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy || waitS) return;
    setBusy(true);
    const data = new FormData(event.currentTarget);
    // Solves a proof of work, and retries automatically if the wait is short.
    const result = await signUp(`${service}/signup`, data, { key: keyFor(data) });
    setBusy(false);
    if (result.status === "created" || result.status === "accepted") return onDone(result);
    setFailure(result);
    setWaitS(("retryAfter" in result && result.retryAfter) || 0);
  }

  /** Clears the wait when the address changes: the limit may be that of the previous address. */
  function onInput({ target }: FormEvent) {
    if (target instanceof HTMLInputElement && target.name === "email") setWaitS(0);
  }

  if (!policy) return null;
  const { texts } = policy;
  const fields = fieldsOf(policy);
  const errors = errorsOf(texts, failure);
  const unplaced = errors.filter(({ field }) => !fields.some(({ name }) => name === field));
  const rules = checkPassword(password, policy.password);
  return (
    <form ref={form} onSubmit={submit} onInput={onInput} noValidate aria-busy={busy}>
      {unplaced.length > 0 && (
        <div role="alert" tabIndex={-1}>
          {unplaced.map(({ field, message }) => (
            <p key={message}>{field ? `${field}: ${message}` : message}</p>
          ))}
        </div>
      )}
      {fields.map(({ name, label, required, values, options, input }, nth) => {
        const own = errors.filter(({ field }) => field === name);
        const described = [own.length > 0 && `${id}error${nth}`, name === "password" && `${id}rules`];
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
              {!required && ` (${texts.optional})`}
            </label>{" "}
            {values ? (
              <select {...shared}>
                <option value="">{texts.choose}</option>
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
            <span id={`${id}error${nth}`}>{own.map(({ message }) => message).join(" ")}</span>
          </p>
        );
      })}
      <ul id={`${id}rules`}>
        {policy.password.rules.map(({ code, message }) => (
          <li key={code}>
            {rules.find((rule) => rule.code === code)?.met ? "✓" : "·"} {message}
          </li>
        ))}
      </ul>
      <button disabled={waitS > 0}>{busy ? texts.submitting : texts.submit}</button>
    </form>
  );
}

interface Field {
  name: string;
  label: ReactNode;
  required: boolean;
  /** The values to choose from. */
  values?: string[];
  /** Their labels. */
  options?: Record<string, string>;
  input?: ComponentProps<"input">;
}

/** Returns all fields that the service accepts: attributes, metadata keys, terms. */
function fieldsOf({ fields, user_metadata, terms, texts }: FormPolicy): Field[] {
  const inputs: Field[] = [];
  for (const { name, ...input } of ATTRIBUTES) {
    const rule = fields[name];
    if (rule) inputs.push({ name, label: rule.label, required: rule.required, input });
  }
  for (const [key, rule] of Object.entries(user_metadata)) {
    if (rule) inputs.push({ ...rule, name: `user_metadata.${key}`, input: inputFor(rule) });
  }
  if (terms) {
    // The link is in brackets.
    const [before, text, after] = texts.accept_terms.split(/[\[\]]/);
    const link = <a href={terms.url} target="_blank" rel="noopener">{text}</a>;
    const label = <>{before}{link}{after}</>;
    // The version records which terms the user saw.
    const input = { type: "checkbox", value: terms.version };
    inputs.push({ name: "terms", label, required: terms.required, input });
  }
  return inputs;
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

/** Returns the messages of a failure with their fields. Those without a field go above the form. */
function errorsOf(texts: Texts, failure?: Failure): { field?: string; message: string }[] {
  if (!failure) return [];
  switch (failure.status) {
    case "invalid":
      return failure.errors;
    case "taken":
      return [{ field: failure.field, message: messageOf(failure.problem) }];
    case "offline":
      return [{ message: texts.offline + waitOf(texts, failure.retryAfter) }];
    default:
      return [{ message: messageOf(failure.problem) + waitOf(texts, failure.retryAfter) }];
  }
}

/** Returns the advice for users, if the problem has one. */
function messageOf({ advice, detail }: Problem) {
  return advice ?? detail;
}

function waitOf({ wait, wait_minutes }: Texts, seconds = 0) {
  if (seconds >= 120) return ` ${wait_minutes.replace("%minutes%", `${Math.ceil(seconds / 60)}`)}`;
  return seconds > 0 ? ` ${wait.replace("%seconds%", `${Math.max(seconds, 2)}`)}` : "";
}
