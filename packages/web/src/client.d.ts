import type { FieldValue, Policy, Result, SignUpOptions } from "./signup.js";

export interface ClientOptions {
  /** The service's sign-up: `https://signup.example.com/signup`. */
  url: string | URL;
  /**
   * A token of `http.server_clients`, for servers. With it the service believes `clientAddress`. It is a secret: in
   * a page `createSignup` throws.
   */
  token?: string | undefined;
  /** Languages of the messages, as tags separated by spaces. */
  lang?: string | undefined;
  /** Retries automatically where that is safe and may help; `true` by default. */
  retry?: boolean | undefined;
}

export interface VisitorOptions {
  /**
   * The address of the person, as the platform of your server reports it, so that limits count people and not your
   * server. Never a header that the person may have sent. Needs `token`.
   */
  clientAddress?: string | undefined;
}

/** A client of the service. */
export interface SignupClient {
  /**
   * Signs a user up. Retries after a lost response and after a `Retry-After` of at most 5 s. Calls with the same
   * address and password within ten minutes are one sign-up; with the same `key`, for a day. With a `token` it solves no
   * challenge: that is the visitor's to do.
   *
   * Rejects when `signal` aborts it, and for a `clientAddress` without a `token`.
   */
  signUp<Fields extends { [Name in keyof Fields]: FieldValue }>(
    data: FormData | URLSearchParams | Fields,
    options?: Omit<SignUpOptions, "onChallenge"> & VisitorOptions,
  ): Promise<Result>;
  /** Gets the policy; undefined on failure. On a server never from a cache, so that a page has the terms in force. */
  policy(options?: { lang?: string | undefined; signal?: AbortSignal | undefined }): Promise<Policy | undefined>;
  /**
   * Passes a request of a page on to the service and returns its response: problems, pages and redirects as they
   * are. For a route handler at the path of the service, `/signup` and below: other paths there get 404. A response of 502 without a body means
   * that the service could not be reached; `enhance` and `signUp` then send it again as the same sign-up.
   */
  forward(request: Request, options?: VisitorOptions): Promise<Response>;
}

/** Returns a client of the service, for programs and servers. */
export function createSignup(options: ClientOptions): SignupClient;
