// A sign-up form in React. README.md says where signup.js and its types come from.

import { type FormEvent, useEffect, useId, useRef, useState } from "react";

import { type Policy, type Result, checkPassword, newKey, signUp } from "./signup.js";

/** What is asked for, in this order, as far as the service takes it. */
const FIELDS = [
  { name: "given_name", label: "First name", type: "text", autoComplete: "given-name" },
  { name: "family_name", label: "Last name", type: "text", autoComplete: "family-name" },
  { name: "username", label: "User name", type: "text", autoComplete: "username" },
  { name: "phone_number", label: "Phone", type: "tel", autoComplete: "tel" },
  { name: "email", label: "E-mail", type: "email", autoComplete: "email" },
  { name: "password", label: "Password", type: "password", autoComplete: "new-password" },
];

type Done = Extract<Result, { status: "created" | "accepted" }>;
type Refused = Exclude<Result, Done>;

export function SignUp({ service, onDone }: { service: string; onDone: (done: Done) => void }) {
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const sent = useRef({ as: "", key: "" });
  const [policy, setPolicy] = useState<Policy>();
  const [password, setPassword] = useState("");
  const [refused, setRefused] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const [waiting, setWaiting] = useState(false);

  useEffect(() => {
    const aborted = new AbortController();
    fetch(`${service}/signup/policy`, { signal: aborted.signal })
      .then((response) => response.json())
      .then(setPolicy, () => {}); // Without it the form works as well: the service knows the rules.
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

  const fields = FIELDS.filter(({ name }) => !policy || policy.fields[name]);
  const faults = faultsOf(refused);
  const elsewhere = faults.filter(({ field }) => !fields.some(({ name }) => name === field));
  const rules = policy && checkPassword(password, policy.password);
  return (
    <form ref={form} onSubmit={submit} noValidate aria-busy={busy}>
      {elsewhere.length > 0 && (
        <div role="alert" tabIndex={-1}>
          {elsewhere.map(({ field, message }) => (
            <p key={message}>{field ? `${field}: ${message}` : message}</p>
          ))}
        </div>
      )}
      {fields.map(({ name, label, ...input }) => {
        const own = faults.filter(({ field }) => field === name);
        const described = [own.length > 0 && `${id}fault-${name}`, name === "password" && `${id}rules`];
        return (
          <p key={name}>
            <label htmlFor={id + name}>{label}</label>{" "}
            <input
              id={id + name}
              name={name}
              required={policy?.fields[name]?.required}
              aria-invalid={own.length > 0}
              aria-describedby={described.filter(Boolean).join(" ") || undefined}
              onChange={name === "password" ? (event) => setPassword(event.target.value) : undefined}
              {...input}
            />
            <span id={`${id}fault-${name}`}>{own.map(({ message }) => message).join(" ")}</span>
          </p>
        );
      })}
      <ul id={`${id}rules`}>
        {policy?.password.rules.map(({ code, message }) => (
          <li key={code}>
            {rules?.find((rule) => rule.code === code)?.met ? "✓" : "·"} {message}
          </li>
        ))}
      </ul>
      <button disabled={waiting}>{busy ? "One moment …" : "Sign up"}</button>
    </form>
  );
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
