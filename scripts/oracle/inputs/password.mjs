// Policies and passwords to validate: every level with and without a minimum length, flexible
// policies with every mix of options, and passwords at the edge of every rule.

import { EDGES, distinct, mutate, randomFrom } from "../random.mjs";

const TYPES = ["lowercase", "uppercase", "number", "special"];

/** Every subset of the four types, the empty one first. */
const SUBSETS = Array.from({ length: 16 }, (_, bits) => TYPES.filter((_, at) => bits & (1 << at)));

/** Policies by name, with the keys of Auth0's connection options. */
export function policies() {
  const named = {};
  for (const level of ["none", "low", "fair", "good", "excellent"]) {
    for (const min_length of [undefined, 1, 3, 12, 72]) {
      named[min_length ? `${level}-${min_length}` : level] = { level, min_length };
    }
  }
  for (const character_types of SUBSETS) {
    for (const character_type_rule of character_types.length === 4 ? ["all", "three_of_four"] : ["all"]) {
      for (const blocked of [[], ["identical"], ["sequential"], ["identical", "sequential"]]) {
        const initials = character_types.map((type) => type[0]).join("") || "any";
        const name = ["flexible", initials, character_type_rule, ...blocked].join("-");
        named[name] = {
          complexity: {
            character_types: [...character_types].reverse(),
            character_type_rule,
            identical_characters: blocked.includes("identical") ? "block" : "allow",
            sequential_characters: blocked.includes("sequential") ? "block" : "allow",
            max_length_exceeded: "error",
          },
          // A policy in four has no minimum, as Auth0's schema allows.
          min_length: [undefined, 1, 10, 15][(character_types.length + blocked.length) % 4],
        };
      }
    }
  }
  named.dictionary = { level: "low", dictionary: { active: true, default: "en_10k", custom: ["Acme", "zürich", "ÉCOLE", "ΟΔΟΣ", "x".repeat(50)] } };
  named.personal = { level: "none", profile_data: { active: true } };
  named["personal-own"] = {
    level: "none",
    profile_data: { active: true, blocked_fields: ["given_name", "family_name", "phone_number", "user_metadata.plan", "email"] },
  };
  named.everything = { level: "excellent", dictionary: { active: true, default: "en_10k", custom: [] }, profile_data: { active: true } };
  return named;
}

/** The user whose data a personal-information policy looks for in a password. */
export const PROFILE = {
  email: "ada.byron+news@example.com",
  name: "Ada Lovelace",
  nickname: "Countess",
  username: "al",
  given_name: "Augusta",
  family_name: "Kıng-Ünal",
  phone_number: "+442079460000",
  user_metadata: { name: "Zoë", first: "Ἀδελφός", last: "😀", plan: "gold" },
};

const PASSWORDS = [
  "a", "A", "1", " ", "!", "é", "😀", "aA1!", "abcdef", "Abcdef1", "Abcdefg1", "Abcdefg!", "ABCDEFG1!", "abcdefg1!", "Abcdefghi1",
  "aaa", "aab", "aabb", "Aaa", "aAa", "AAa", "111", "   ", "!!!", "ééé", "😀😀😀", "\u0301\u0301\u0301", "e\u0301e\u0301e\u0301",
  "\u00a0\u00a0\u00a0", "Passwörd1", "пароль12A", "パスワード1aA", "١٢٣٤٥٦٧٨", "Ａｂｃ１２３！", "abc", "ABC", "aBc", "abd", "acb", "cba",
  "CbA", "123", "321", "135", "012", "890", "901", "xyz", "yza", "zab", "XYZ[", "@AB", "/01", "89:", "`ab", "yz{", "Z[\\",
  "a1b2c3", "ab12", "abab", "abcba", "aba", "abba", "1234", "4321", "qwerty", "QWERTY123", "ab-cd", "ab cd", "ab😀c", "abéc",
  "correct horse battery staple", "Tr0ub4dor&3", "P@ssw0rd", "password", "\t\tA1a", "a\nB2c3d4", "\u0000Aa1xxxxx", "\u200bAa1xxxxx",
  "a\u007fB1cdefg", "Aa1\u007f\u0080\u009f", "İıſK1a", "~}|{`_^]\\[@?>=<;:/.-,+*)('&%$#\"!", "aaaaaaaaaa", "Aa1!Aa1!Aa1!",
  ...[70, 71, 72, 73, 74, 100, 1000].flatMap((count) => [`Aa1${"x-".repeat(count)}`.slice(0, count), "a".repeat(count)]),
  ...[17, 18, 19].flatMap((count) => ["😀".repeat(count), `Aa1!${"😀".repeat(count - 1)}`]),
  ...[23, 24, 25].map((count) => "用".repeat(count)), ...[35, 36, 37].map((count) => "é".repeat(count)),
  ...[5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16].flatMap((count) => ["aB1!xY2?".repeat(2).slice(0, count), "😀".repeat(count)]),
];

const ALPHABETS = ["abcxyz", "ABCXYZ", "0123789", " !~@[`{/:", "aA1!", "éÜ用", "😀\u0301\u200b", "aab", "abc123XYZ!"];

const PERSONAL = [
  "ada.byron+news", "ADA.BYRON+NEWS", "xxada.byron+newsxx", "ada.byron", "example.com", "ada.byron+news@example.com",
  "Ada Lovelace", "adalovelace", "ada lovelace!", "--ADA LOVELACE--", "Ada", "countess", "xCOUNTESSx", "countes", "al", "pAL", "normal",
  "augusta", "xxAugusta1", "kıng-ünal", "KING-ÜNAL", "KıNG-üNAL", "+442079460000", "442079460000", "x+442079460000", "zoë", "ZOËx", "zoe",
  "Zoe\u0308", "ἀδελφός", "ἈΔΕΛΦΌΣ", "ἀδελφόσ", "😀", "x😀x", "gold", "GOLDen", "nothing of it", "countessal", "CountessAda Lovelace",
];

/** Pairs of a policy's name and a password. */
export function passwords(common) {
  const random = randomFrom(4);
  const complexity = Object.keys(policies()).filter((name) => /^(none|low|fair|good|excellent|flexible)/.test(name));
  const generated = Array.from({ length: 900 }, () => {
    const letters = [...random.pick(ALPHABETS), ...random.pick(ALPHABETS)];
    return Array.from({ length: 1 + random.below(18) }, () => random.pick(letters)).join("");
  });
  // A walk by ones, twos and repeats through letters and digits: sequences of every length and direction.
  const walks = Array.from({ length: 400 }, () => {
    let unit = random.pick([..."amzAMZ059"]).charCodeAt(0);
    return Array.from({ length: 2 + random.below(8) }, () => {
      unit += random.pick([-1, -1, 0, 1, 1, 1, 2]);
      return String.fromCharCode(unit);
    }).join("");
  });
  const mutated = Array.from({ length: 300 }, () => mutate(random, random.pick(PASSWORDS), [...EDGES, ..."abcABC123"]));

  const pairs = distinct([...PASSWORDS, ...generated, ...mutated])
    .filter((password) => password !== "")
    .flatMap((password) => ["good", random.pick(complexity), random.pick(complexity)].map((name) => [name, password]));
  const strict = "flexible-any-all-identical-sequential";
  for (const name of ["none", "low", "fair", "excellent", strict, "flexible-luns-three_of_four-sequential"]) {
    pairs.push(...PASSWORDS.map((password) => [name, password]));
  }
  pairs.push(...distinct(walks).flatMap((password) => [[strict, password], [random.pick(complexity), password]]));
  common.forEach((word, index) => {
    if (index % 40 === 0) {
      const cased = [word, word.toUpperCase(), word[0].toUpperCase() + word.slice(1)][(index / 40) % 3];
      pairs.push(["dictionary", cased], ["dictionary", `${cased}1`], ["dictionary", ` ${cased}`], ["everything", cased]);
    }
  });
  for (const word of ["acme", "ACME", "acme1", "ZÜRICH", "Zürich", "École", "ecole", "οδος", "οδοσ", "ΟΔΟΣ", "X".repeat(50), "x".repeat(51), "???????", "?????", "PASSWORD", "\u212ailler", "kıller", "monkey\u0000"]) {
    pairs.push(["dictionary", word]);
  }
  for (const password of distinct(PERSONAL)) {
    pairs.push(["personal", password], ["personal-own", password], ["everything", password]);
  }
  return [...new Map(pairs.map((pair) => [JSON.stringify(pair), pair])).values()];
}
