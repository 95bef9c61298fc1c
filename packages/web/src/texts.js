// The texts of the module.

/**
 * The module's own texts, until the policy arrives with those in the language of the page. Without those that are of use
 * only with the policy: of its rules and its links. extras.js has more. Until then `submitting` stands for `checking` and
 * `retrying`, and `success_title` for the whole message of a success.
 */
export const TEXTS = {
  success_title: "Welcome",
  offline_heading: "We couldn't connect",
  offline: "Check your connection, then try again.",
  submitting: "Creating your account…",
  show: "Show",
  hide: "Hide",
  show_password: "Show password",
  hide_password: "Hide password",
  reference: "Reference",
  colon: ": ",
};
