// The password rules that a browser can check.

const TYPES = {
  lowercase: /[a-z]/,
  uppercase: /[A-Z]/,
  number: /[0-9]/,
  special: /[ -/:-@[-`{-~]/,
};

/** Finds three adjacent characters in sequence, such as abc or 321. */
function hasSequence(password) {
  const step = (at) => {
    const difference = password.charCodeAt(at + 1) - password.charCodeAt(at);
    return /^[0-9A-Za-z]{2}$/.test(password.slice(at, at + 2)) && difference ** 2 === 1 && difference;
  };
  return password.split("").some((_, at) => step(at) && step(at) === step(at + 1));
}

/** Checks a password against a policy. Returns the code of each rule, and whether it is met. */
export function checkPassword(password, policy) {
  const { min_length = 0, max_bytes = 72, character_types = [], rule = "all" } = policy;
  const rules = [];
  if (min_length > 1) {
    rules.push({ code: "password.too_short", met: password.length >= min_length });
  }
  if (character_types.length) {
    const met = character_types.filter((type) => TYPES[type]?.test(password)).length;
    const needed = rule === "three_of_four" ? 3 : character_types.length;
    rules.push({ code: "password.character_types", met: met >= needed });
  }
  if (policy.identical_characters === "block") {
    rules.push({ code: "password.repeated_characters", met: !/([^])\1\1/.test(password) });
  }
  if (policy.sequential_characters === "block") {
    rules.push({ code: "password.sequential_characters", met: !hasSequence(password) });
  }
  if (new TextEncoder().encode(password).length > max_bytes) {
    rules.push({ code: "password.too_long", met: false });
  }
  if (policy.common?.has(password.toLowerCase())) {
    rules.push({ code: "password.too_common", met: false });
  }
  return rules;
}
