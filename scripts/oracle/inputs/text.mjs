// Names, usernames and phone numbers to validate. Long texts are given as a unit and a count.

import { EDGES, distinct, mutate, randomFrom } from "../random.mjs";

const BOUNDS = { given_name: 150, family_name: 150, name: 300, nickname: 300, username: 128 };

const UNITS = ["a", "é", "用", "😀", "e\u0301", "👩‍👩‍👧", "\u200b", "ﬃ", "\u{10ffff}", "\ufeff", "ﷺ"];

export function lengths() {
  return Object.entries(BOUNDS).flatMap(([field, max]) =>
    UNITS.flatMap((unit) => {
      const points = [...unit].length;
      const counts = [1, max / 2, max - 1, max, max + 1].map((bound) => Math.ceil(bound / points));
      return [...new Set([...counts, Math.floor(max / points)])].map((count) => ({ field, unit, count }));
    }),
  );
}

const PHONES = [
  "", "+", "+1", "+0", "+442079460000", "+123456789012345", "+1234567890123456", "442079460000", "0044", "+44 20", "+44-20",
  "+44(0)20", "++44", "+44+", " +44", "+44 ", "+44\n", "\n+44", "+４４", "+٤٤", "＋44", "+4a", "+1e5", "+0x1", "+1.5", "tel:+44",
];

export function phones() {
  const random = randomFrom(3);
  const texts = [...PHONES];
  for (let digits = 1; digits <= 18; digits += 1) {
    texts.push(`+${"1234567890".repeat(2).slice(0, digits)}`);
  }
  for (let count = 0; count < 300; count += 1) {
    texts.push(mutate(random, "+442079460000", [...EDGES, ..."+0123456789"]));
  }
  return distinct(texts);
}
