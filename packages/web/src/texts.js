// The texts of the module.

/**
 * The module's own texts, until the policy arrives with those in the language of the page. Without those that are
 * of use only with the policy: of its rules and its links. extras.js has those of its hints. Until then `submitting`
 * stands for `checking` and `retrying`.
 */
export const TEXTS = {
  success_title: "Welcome",
  created: "Your account has been created.",
  accepted_title: "Check your inbox",
  offline_heading: "We couldn't connect",
  offline: "Check your connection. Everything you entered is still here.",
  wait: "Try again in %seconds% seconds.",
  wait_minutes: "Try again in %minutes% minutes.",
  submitting: "Creating your account…",
  show: "Show",
  hide: "Hide",
  show_password: "Show password",
  hide_password: "Hide password",
  reference: "Reference",
  colon: ": ",
};
