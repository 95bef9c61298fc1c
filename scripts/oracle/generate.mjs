// Runs the packages on every input and writes their results: node generate.mjs <folder>.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { emails } from "./inputs/email.mjs";
import { PROFILE, passwords, policies } from "./inputs/password.mjs";
import { pictures } from "./inputs/picture.mjs";
import { lengths, phones } from "./inputs/text.mjs";
import { COMMON, unmet } from "./policy.mjs";
import { isAccepted, isAcceptedByNewest, wasAcceptedIn2019 } from "./schema.mjs";

const folder = process.argv[2];

/** JSON in ASCII, since half of the inputs are invisible or would reverse the line's direction. */
const ascii = (value) =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** One vector a line, so that a diff shows only the changed vectors. */
const lines = (vectors) => `[\n${vectors.map(ascii).join(",\n")}\n]`;

function write(name, text) {
  writeFileSync(join(folder, name), `${text}\n`);
}

mkdirSync(folder, { recursive: true });

// An address is lower-cased before it is validated and sent.
const emailVectors = emails().map((input) => {
  const kept = input.toLowerCase();
  return isAccepted("email", kept) ? { input, accepted: true, kept } : { input, accepted: false };
});
write("email.json", lines(emailVectors));

const pictureVectors = pictures().map((input) => ({ input, accepted: isAccepted("picture", input) }));
write("strict_uri.json", lines(pictureVectors));

write("phone.json", lines(phones().map((input) => ({ input, accepted: isAccepted("phone_number", input) }))));

write("lengths.json", lines(lengths().map((vector) => ({
  ...vector,
  accepted: isAccepted(vector.field, vector.unit.repeat(vector.count)),
}))));

const judged = [
  ...emailVectors.map(({ input, accepted }) => ["email", input.toLowerCase(), accepted]),
  ...pictureVectors.map(({ input, accepted }) => ["picture", input, accepted]),
];
write("readings.json", lines(judged
  .map(([field, input, today]) => ({
    field,
    input,
    today,
    in_2019: wasAcceptedIn2019(field, input),
    newest: isAcceptedByNewest(field, input),
  }))
  .filter(({ today, in_2019, newest }) => today !== in_2019 || today !== newest)));

const named = policies();
const passwordVectors = passwords(COMMON).map(([policy, password]) => ({
  policy,
  password,
  failed: unmet(named[policy], password, PROFILE),
}));
write("password.json", `{\n"profile": ${ascii(PROFILE)},\n"policies": {\n${Object.entries(named)
  .map(([name, policy]) => `${ascii(name)}: ${ascii(policy)}`).join(",\n")}\n},\n"vectors": ${lines(passwordVectors)}\n}`);

const ours = readFileSync(new URL("../../src/domain/password/common-10k.txt", import.meta.url), "utf8");
if (ours !== `${COMMON.toSorted().join("\n")}\n`) {
  throw new Error("src/domain/password/common-10k.txt is not the sorted list of npm common-password");
}
