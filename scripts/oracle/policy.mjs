// The rules that a password fails, according to password-sheriff with the rules of
// auth0-password-policies, and to a reference written here for the two rules that they lack.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import presets from "auth0-password-policies";
import sheriff from "password-sheriff";

const { PasswordPolicy } = sheriff;

const TYPE_NAMES = { lowerCase: "lowercase", upperCase: "uppercase", numbers: "number", specialCharacters: "special" };

/** The list behind Auth0's default dictionary, as the npm package holds it. */
export const COMMON = readFileSync(
  createRequire(import.meta.url).resolve("common-password").replace(/common-password\.js$/, "10k most common.txt"),
  "utf8",
).split(/\r?\n/).filter((word) => word !== "");

const common = new Set(COMMON);

/** The rules object of password-sheriff; 72 bytes are always enforced here. */
function rulesOf({ level, min_length, complexity }) {
  if (complexity) {
    return presets.createRulesFromOptions({ ...complexity, min_length });
  }
  const rules = { ...presets[level], maxLength: { maxBytes: 72 } };
  return min_length ? { ...rules, length: { minLength: min_length } } : rules;
}

/** One unmet rule of password-sheriff, as this project's error code and numbers. */
function translated({ code, format, items }) {
  const types = (unmetOnly) =>
    items.filter((item) => !unmetOnly || !item.verified).map((item) => TYPE_NAMES[item.code]);
  switch (code) {
    case "nonEmpty":
      return { code: "password.too_short", min_length: 1 };
    case "lengthAtLeast":
      return { code: "password.too_short", min_length: format[0] };
    case "shouldContain":
      return { code: "password.character_types", required: items.length, types: types(false), missing: types(true) };
    case "containsAtLeast":
      return { code: "password.character_types", required: format[0], types: types(false), missing: types(true) };
    case "identicalChars":
      return { code: "password.repeated_characters", max: format[0] };
    case "sequentialChars":
      return { code: "password.sequential_characters", max: format[0] };
    case "maxLength":
      return { code: "password.too_long", max_bytes: format[0] };
    default:
      throw new Error(`unknown rule ${code}`);
  }
}

/** Lower case, character by character, since whole-string lowercasing depends on neighbours (Σ). */
const folded = (text) => [...text].map((character) => character.toLowerCase()).join("");

const LEGACY_FIELDS = [
  "email", "name", "nickname", "username", "user_metadata.name", "user_metadata.first", "user_metadata.last",
];

function valueOf(profile, field) {
  if (field === "email") {
    return profile.email.slice(0, profile.email.lastIndexOf("@"));
  }
  return field.split(".").reduce((value, key) => value?.[key], profile);
}

/** Every rule of the policy that the password fails, in order, with its numbers. */
export function unmet(policy, password, profile) {
  const failed = new PasswordPolicy(rulesOf(policy))
    .missing(password)
    .rules.filter((rule) => !rule.verified)
    .map(translated);
  if (policy.dictionary?.active) {
    const own = policy.dictionary.custom.map(folded);
    if (common.has(folded(password)) || own.includes(folded(password))) {
      failed.push({ code: "password.too_common" });
    }
  }
  if (policy.profile_data?.active) {
    const fields = (policy.profile_data.blocked_fields ?? LEGACY_FIELDS).filter((field) => {
      const value = valueOf(profile, field);
      return value && folded(password).includes(folded(value));
    });
    if (fields.length > 0) {
      failed.push({ code: "password.contains_user_info", fields });
    }
  }
  return failed;
}
