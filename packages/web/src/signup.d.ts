/** Types of /signup.js. docs/page.md describes its use. */

/** An error of one field, as in a problem document. */
export interface FieldError {
  pointer: string;
  field: string;
  code: string;
  message: string;
  params?: Record<string, unknown>;
}

/** A problem document (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  /** Explanation for a developer. */
  detail: string;
  /** Heading for the person who signs up. */
  heading: string;
  /** Advice for the person who signs up. Absent where the errors are the advice. */
  advice?: string;
  code: string;
  request_id: string;
  retry_after?: number;
  /** Route of a challenge whose proof replaces the wait. */
  challenge?: string;
  errors?: FieldError[];
}

/** The user as Auth0 returned it. Members that Auth0 left out are absent. */
export interface User {
  user_id: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
  given_name?: string;
  family_name?: string;
  nickname?: string;
  picture?: string;
  username?: string;
  phone_number?: string;
}

interface ProblemDetails {
  problem: Problem;
  httpStatus: number;
  /** Seconds. */
  retryAfter?: number;
}

/** The result of a sign-up. */
export type Result =
  /** The user exists. `replayed`: it was created by an earlier request of the same sign-up. */
  | { status: "created"; user: User; replayed: boolean }
  /** Accepted. The service does not reveal whether the address was already known. */
  | { status: "accepted" }
  | ({ status: "invalid"; errors: FieldError[] } & ProblemDetails)
  | ({ status: "taken"; field: "email" | "username" } & ProblemDetails)
  /** A proof is required, or the one that was sent is not valid. */
  | ({ status: "challenge" } & ProblemDetails)
  /** The user may or may not exist. Send it again with the same key, or without one as before. */
  | ({ status: "unknown" } & ProblemDetails)
  /** Nothing was created. Send it again later, likewise. */
  | ({ status: "later" } & ProblemDetails)
  /** An error that the user cannot fix. */
  | ({ status: "failed" } & ProblemDetails)
  /** No response, a truncated one, or one from another server. Send it again, likewise. */
  | { status: "offline"; httpStatus?: number; retryAfter?: number };

/**
 * The module's own texts, by default in the language of the policy. `%address%`, `%seconds%`,
 * `%minutes%`, `%name%` and `%email%` are replaced.
 */
export interface Texts {
  suggestion: string;
  caps_lock: string;
  show: string;
  hide: string;
  show_password: string;
  hide_password: string;
  password_shown: string;
  password_hidden: string;
  password_rules_unmet: string;
  password_too_long: string;
  password_too_common: string;
  submitting: string;
  retrying: string;
  checking: string;
  offline_heading: string;
  offline: string;
  wait: string;
  wait_minutes: string;
  reference: string;
  colon: string;
  met: string;
  unmet: string;
  log_in: string;
  reset_password: string;
  success_title: string;
  success_title_name: string;
  created: string;
  created_email: string;
  confirm_email: string;
  then_log_in: string;
  accepted_title: string;
  accepted: string;
  accepted_email: string;
}

export interface Options {
  /** URL that the form is sent to; by default its `action`. */
  url?: string | undefined;
  texts?: Partial<Texts> | undefined;
}

export interface SignUpOptions {
  /**
   * By default the field `idempotency_key`. Keep it while the e-mail address and the password stay the same: for a
   * day they are one sign-up. Without a key the service takes them for one within ten minutes.
   */
  key?: string | undefined;
  /** Languages of the messages, as tags separated by spaces; by default that of the page. */
  lang?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Retries automatically where that is safe and may help; `true` by default. */
  retry?: boolean | undefined;
  /** Called before a proof of work is solved, which takes a moment. */
  onChallenge?: (() => void) | undefined;
  /** Called before the pause of an automatic retry. */
  onRetry?: (() => void) | undefined;
}

/** The part of `password` in `GET /signup/policy` that the module reads. */
export interface PasswordPolicy {
  min_length?: number;
  max_bytes?: number;
  character_types?: ("lowercase" | "uppercase" | "number" | "special")[];
  rule?: "all" | "three_of_four";
  [more: string]: unknown;
}

/** Rules of a field, or of a key of `user_metadata`. Lengths are in code points. */
export interface FieldPolicy {
  /** Label, in the language of the document. */
  label: string;
  type: "string" | "integer" | "boolean";
  required: boolean;
  format?: string;
  min_length?: number;
  max_length?: number;
  min?: number;
  max?: number;
  pattern?: string;
  schemes?: string[];
  values?: string[];
  /** Label of each of `values`. */
  options?: Record<string, string>;
}

/** The response of `GET /signup/policy`: enough to build a form. */
export interface Policy {
  /** Fields that are not listed are not accepted. */
  fields: Record<string, FieldPolicy | undefined>;
  user_metadata: Record<string, FieldPolicy | undefined>;
  /** `rules`: the texts of the rules that `checkPassword` checks. */
  password: PasswordPolicy & {
    rules: { code: string; message: string; params?: Record<string, unknown> }[];
    /** The attribute of that name for the input, by which password managers make a password. */
    passwordrules?: string;
  };
  /** The terms to accept; the field `terms` has the version as its value. */
  terms: { version: string; url: string; required: boolean } | null;
  /** `site_key` and `action` belong to a captcha. */
  challenge: {
    kinds: string[];
    endpoint: string;
    site_key: string | null;
    action: string | null;
  };
  existence: "reveal" | "uniform";
  /** The inputs of the built-in page, from the top. */
  order: string[];
  login_url: string | null;
  reset_url: string | null;
  languages: string[];
  /** The language of the document, one of `languages`, and its direction. */
  language: string;
  direction: "ltr" | "rtl";
  /** The files of the service's release: a path that never has another content, and its `integrity`. */
  assets: Record<"script" | "extras" | "style", { path: string; integrity: string }>;
  /** Texts of the module and of a form; `accept_terms` has its link in brackets. */
  texts: Texts & Record<
    "accept_terms" | "choose" | "create_account" | "have_account" | "optional" | "password_rules" | "submit" | "terms",
    string
  >;
}

/** Value of a field; `user_metadata` is an object of them. Null is not sent. */
export type FieldValue = string | number | boolean | null | undefined | object;

/** A challenge in the ALTCHA format, version 2. */
export interface Challenge {
  parameters: {
    algorithm: string;
    cost: number;
    keyLength: number;
    keyPrefix: string;
    nonce: string;
    salt: string;
    expiresAt?: number;
  };
  signature: string;
}

/** An enhanced form. */
export interface SignupForm {
  readonly form: HTMLFormElement;
  /** Sends the form and shows the result. Sends nothing while a request runs or has to wait. */
  submit(submitter?: HTMLElement | null): Promise<Result | undefined>;
  /** Removes the enhancement. */
  destroy(): void;
}

/** Enhances a form. Returns the same object if it is already enhanced. */
export function enhance(form: HTMLFormElement, options?: Options): SignupForm;

/**
 * Signs a user up without a form, and solves a proof of work if one is required. Rejects only when
 * `signal` aborts it.
 */
export function signUp<Fields extends { [Name in keyof Fields]: FieldValue }>(
  url: string | URL,
  data: FormData | URLSearchParams | Fields,
  options?: SignUpOptions,
): Promise<Result>;

/** Gets the policy for forms sent to this URL; undefined on failure. */
export function getPolicy(
  url: string | URL,
  options?: { lang?: string | undefined; signal?: AbortSignal | undefined },
): Promise<Policy | undefined>;

/** Returns a new idempotency key. */
export function newKey(): string;

/** Returns each rule that can be checked in the browser, and whether the password meets it. */
export function checkPassword(
  password: string,
  policy: PasswordPolicy,
): Promise<{ code: string; met: boolean }[]>;

/** Returns the address that was probably meant, if the domain looks like a typo. */
export function suggestEmail(email: string): Promise<string | undefined>;

/** Solves a challenge. Send the proof in the field `altcha`. */
export function solve(challenge: Challenge, signal?: AbortSignal): Promise<string>;

/** A sign-up that succeeded, with the address for the `login_hint` of a login. */
export interface SignupDone {
  status: "created" | "accepted";
  email: string;
}

/** Events of an enhanced form. They bubble, also out of a shadow tree; `signup:submit` and `signup:done` can be cancelled. */
export interface SignupEventMap {
  "signup:ready": CustomEvent<Record<string, never>>;
  "signup:submit": CustomEvent<Record<string, never>>;
  "signup:suggestion": CustomEvent<{ address: string }>;
  /** Any result; followed by an event named after its `status`, such as `signup:created`. */
  "signup:result": CustomEvent<Result>;
  "signup:created": CustomEvent<Extract<Result, { status: "created" }>>;
  "signup:accepted": CustomEvent<Extract<Result, { status: "accepted" }>>;
  "signup:invalid": CustomEvent<Extract<Result, { status: "invalid" }>>;
  "signup:taken": CustomEvent<Extract<Result, { status: "taken" }>>;
  /** A proof of work is being solved (no detail), or did not help (a result). */
  "signup:challenge": CustomEvent<Extract<Result, { status: "challenge" }> | Record<string, never>>;
  "signup:unknown": CustomEvent<Extract<Result, { status: "unknown" }>>;
  "signup:later": CustomEvent<Extract<Result, { status: "later" }>>;
  "signup:failed": CustomEvent<Extract<Result, { status: "failed" }>>;
  /** After a success. Cancelled, the form neither opens another address nor shows its message. */
  "signup:done": CustomEvent<SignupDone>;
  "signup:offline": CustomEvent<Extract<Result, { status: "offline" }>>;
}

declare global {
  // Of the DOM. A backend without its types has these empty ones, and no use for them.
  interface HTMLElement {}
  interface HTMLFormElement {}
  interface GlobalEventHandlersEventMap extends SignupEventMap {}
}
