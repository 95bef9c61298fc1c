/** What /signup.js gives. docs/page.md tells how it is used. */

/** A fault of one field, as in a problem document. */
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
  /** What to do, to a developer. */
  detail: string;
  /** What to do, to the person who signs up, where that is not the same. */
  advice?: string;
  code: string;
  request_id: string;
  retry_after?: number;
  /** Where a challenge is given whose proof lets it pass, in place of the wait. */
  challenge?: string;
  errors?: FieldError[];
}

/** The user as Auth0 answered; what is absent there is absent here. */
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

interface Told {
  problem: Problem;
  httpStatus: number;
  /** Seconds. */
  retryAfter?: number;
}

/** What came of a sign-up. */
export type Result =
  /** The user exists. `replayed`: an earlier request with the same key made it. */
  | { status: "created"; user: User; replayed: boolean }
  /** Taken in; the service does not tell whether the address was known. */
  | { status: "accepted" }
  | ({ status: "invalid"; errors: FieldError[] } & Told)
  | ({ status: "taken"; field: "email" | "username" } & Told)
  /** A proof is needed, or the one given is not good. */
  | ({ status: "challenge" } & Told)
  /** The user may or may not exist: send it again with the same key. */
  | ({ status: "unknown" } & Told)
  /** Nothing was created: send it again later, with the same key. */
  | ({ status: "later" } & Told)
  /** Nothing that the person can do. */
  | ({ status: "failed" } & Told)
  /** No answer arrived, or half of one, or somebody else's: send it again with the same key. */
  | { status: "offline"; httpStatus?: number; retryAfter?: number };

/**
 * The words that the module says by itself, unless given in the language of the policy. `%address%`,
 * `%seconds%` and `%minutes%` are put in.
 */
export interface Texts {
  suggestion: string;
  created: string;
  accepted: string;
  offline: string;
  wait: string;
  wait_minutes: string;
  working: string;
  reference: string;
  met: string;
  unmet: string;
}

export interface Options {
  /** Where the form is sent; its `action` unless said. */
  url?: string;
  texts?: Partial<Texts>;
}

export interface SignUpOptions {
  /** Unless given, the field `idempotency_key`, or a new one. Keep it while the e-mail address and the password stay the same. */
  key?: string;
  /** Of the messages: tags with spaces between them; those of the page unless said. */
  lang?: string;
  signal?: AbortSignal;
  /** Whether it is sent again by itself where that is safe and may help; `true` unless said. */
  retry?: boolean;
  /** Called before a proof of work is solved, which takes a moment. */
  onChallenge?: () => void;
  /** Called before it is sent again by itself, after a moment. */
  onRetry?: () => void;
}

/** The `password` of `GET /signup/policy`, as far as the module reads it. */
export interface PasswordPolicy {
  min_length?: number;
  max_bytes?: number;
  character_types?: ("lowercase" | "uppercase" | "number" | "special")[];
  rule?: "all" | "three_of_four";
  [more: string]: unknown;
}

/** What a field, or a key of `user_metadata`, takes. Lengths are in code points. */
export interface FieldPolicy {
  /** What it is called, in the language of the document. */
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
  /** What each of `values` is called. */
  options?: Record<string, string>;
}

/** What `GET /signup/policy` answers: enough to build a form from nothing. */
export interface Policy {
  /** A field that is not named is not taken. */
  fields: Record<string, FieldPolicy | undefined>;
  user_metadata: Record<string, FieldPolicy | undefined>;
  /** `rules`: what `checkPassword` judges, in words. */
  password: PasswordPolicy & {
    rules: { code: string; message: string; params?: Record<string, unknown> }[];
  };
  /** What people have to accept; the value of the field `terms` is the version. */
  terms: { version: string; url: string; required: boolean } | null;
  /** `site_key` and `action` are those of a captcha. */
  challenge: {
    kinds: string[];
    endpoint: string;
    site_key: string | null;
    action: string | null;
  };
  existence: "reveal" | "uniform";
  languages: string[];
  /** The module's own words, and those of a form: `accept_terms` has the link in brackets. */
  texts: Texts & { submit: string; choose: string; optional: string; accept_terms: string };
}

/** What a field takes; `user_metadata` takes an object of them. Nothing is sent for null. */
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
  /** Sends the form and shows what came of it; nothing while it is under way or has to wait. */
  submit(submitter?: HTMLElement | null): Promise<Result | undefined>;
  /** Takes the enhancement away again. */
  destroy(): void;
}

/** Enhances a form; the same form twice is once. */
export function enhance(form: HTMLFormElement, options?: Options): SignupForm;

/**
 * Signs somebody up without a form, with a proof of work where one is asked for. Rejects only when
 * `signal` aborts it.
 */
export function signUp<Fields extends { [Name in keyof Fields]: FieldValue }>(
  url: string | URL,
  data: FormData | URLSearchParams | Fields,
  options?: SignUpOptions,
): Promise<Result>;

/** What a form at this address has to hold; nothing where the service does not answer. */
export function getPolicy(
  url: string | URL,
  options?: { lang?: string; signal?: AbortSignal },
): Promise<Policy | undefined>;

/** A new idempotency key. */
export function newKey(): string;

/** Each rule that can be judged here, and whether the password meets it. */
export function checkPassword(
  password: string,
  policy: PasswordPolicy,
): { code: string; met: boolean }[];

/** The address that was probably meant, if there is a more likely one. */
export function suggestEmail(email: string): string | undefined;

/** Solves a challenge; the answer goes into the field `altcha`. */
export function solve(challenge: Challenge, signal?: AbortSignal): Promise<string>;

/** Events of an enhanced form; they bubble. `signup:submit` can be cancelled. */
export interface SignupEventMap {
  "signup:ready": CustomEvent<Record<string, never>>;
  "signup:submit": CustomEvent<Record<string, never>>;
  "signup:suggestion": CustomEvent<{ address: string }>;
  /** A result, whatever it is; then one named after its `status`: `signup:created`, … */
  "signup:result": CustomEvent<Result>;
  "signup:created": CustomEvent<Extract<Result, { status: "created" }>>;
  "signup:accepted": CustomEvent<Extract<Result, { status: "accepted" }>>;
  "signup:invalid": CustomEvent<Extract<Result, { status: "invalid" }>>;
  "signup:taken": CustomEvent<Extract<Result, { status: "taken" }>>;
  /** A proof of work is being solved (no detail), or it did not help (a result). */
  "signup:challenge": CustomEvent<Extract<Result, { status: "challenge" }> | Record<string, never>>;
  "signup:unknown": CustomEvent<Extract<Result, { status: "unknown" }>>;
  "signup:later": CustomEvent<Extract<Result, { status: "later" }>>;
  "signup:failed": CustomEvent<Extract<Result, { status: "failed" }>>;
  "signup:offline": CustomEvent<Extract<Result, { status: "offline" }>>;
}

declare global {
  interface GlobalEventHandlersEventMap extends SignupEventMap {}
}
