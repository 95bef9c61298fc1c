// A sign-up form in React. README.md says where signup.js and its types come from.

import type { ComponentProps, FormEvent, ReactNode } from "react";
import { useEffect, useId, useRef, useState } from "react";

import type { FieldPolicy, Policy, Problem, Result } from "./signup.js";
import { checkPassword, getPolicy, newKey, signUp } from "./signup.js";

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

/** English, where the policy has no words in the language of the page. */
const WORDS = {
  submit: "Create account",
  choose: "Choose",
  optional: "optional",
  accept_terms: "I accept the [terms].",
  working: "One moment …",
  offline: "The connection failed. Nothing is lost: send the form again.",
  wait: "Try again in %seconds% s.",
  wait_minutes: "Try again in %minutes% min.",
};
type Words = typeof WORDS;

/** What of the policy makes the form. */
type Asked = Pick<Policy, "fields" | "user_metadata" | "password" | "terms"> & { texts: Words };

/** Where the policy cannot be had: what every service takes. */
const LEAST: Asked = {
  fields: {
    email: { label: "E-mail address", type: "string", required: true },
    password: { label: "Password", type: "string", required: true },
  },
  user_metadata: {},
  password: { rules: [] },
  terms: null,
  texts: WORDS,
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
  const [waitS, setWaitS] = useState(0);

  useEffect(() => {
    let gone = false;
    // In the language of the page, as the messages will be. Nobody waits long for it.
    getPolicy(`${service}/signup`, { signal: AbortSignal.timeout(3000) }).then((policy) => {
      if (!gone) setAsked(policy ?? LEAST);
    });
    return () => void (gone = true);
  }, [service]);

  useEffect(() => {
    const over = setTimeout(() => setWaitS(0), waitS * 1000);
    return () => clearTimeout(over);
  }, [waitS, refused]);

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
    if (busy || waitS) return;
    setBusy(true);
    const data = new FormData(event.currentTarget);
    // Solves a proof of work, and waits and sends again by itself where that is soon.
    const result = await signUp(`${service}/signup`, data, { key: keyOf(data) });
    setBusy(false);
    if (result.status === "created" || result.status === "accepted") return onDone(result);
    setRefused(result);
    setWaitS(("retryAfter" in result && result.retryAfter) || 0);
  }

  /** A limit may be that of the address, which is another one now. */
  function mended({ target }: FormEvent) {
    if (target instanceof HTMLInputElement && target.name === "email") setWaitS(0);
  }

  if (!asked) return null;
  const words = asked.texts;
  const fields = fieldsOf(asked);
  const faults = faultsOf(words, refused);
  const elsewhere = faults.filter(({ field }) => !fields.some(({ name }) => name === field));
  const rules = checkPassword(password, asked.password);
  return (
    <form ref={form} onSubmit={submit} onInput={mended} noValidate aria-busy={busy}>
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
              {!required && ` (${words.optional})`}
            </label>{" "}
            {values ? (
              <select {...shared}>
                <option value="">{words.choose}</option>
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
      <button disabled={waitS > 0}>{busy ? words.working : words.submit}</button>
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
function fieldsOf({ fields, user_metadata, terms, texts }: Asked): Field[] {
  const asked: Field[] = [];
  for (const { name, ...input } of ATTRIBUTES) {
    const rule = fields[name];
    if (rule) asked.push({ name, label: rule.label, required: rule.required, input });
  }
  for (const [key, rule] of Object.entries(user_metadata)) {
    if (rule) asked.push({ ...rule, name: `user_metadata.${key}`, input: inputFor(rule) });
  }
  if (terms) {
    // The sentence has its link in brackets.
    const [before, text, after] = texts.accept_terms.split(/[\[\]]/);
    const link = <a href={terms.url} target="_blank" rel="noopener">{text}</a>;
    const label = <>{before}{link}{after}</>;
    // The version says which terms the person saw.
    const input = { type: "checkbox", value: terms.version };
    asked.push({ name: "terms", label, required: terms.required, input });
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
function faultsOf(words: Words, refused?: Refused): { field?: string; message: string }[] {
  if (!refused) return [];
  switch (refused.status) {
    case "invalid":
      return refused.errors;
    case "taken":
      return [{ field: refused.field, message: sayOf(refused.problem) }];
    case "offline":
      return [{ message: words.offline + waitOf(words, refused.retryAfter) }];
    default:
      return [{ message: sayOf(refused.problem) + waitOf(words, refused.retryAfter) }];
  }
}

/** To a person, where the service has words for one. */
function sayOf({ advice, detail }: Problem) {
  return advice ?? detail;
}

function waitOf({ wait, wait_minutes }: Words, seconds = 0) {
  if (seconds >= 120) return ` ${wait_minutes.replace("%minutes%", `${Math.ceil(seconds / 60)}`)}`;
  return seconds > 0 ? ` ${wait.replace("%seconds%", `${seconds}`)}` : "";
}
