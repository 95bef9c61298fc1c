// Random choices that are the same on every run: the vectors are committed and compared.

/** mulberry32: small, even enough for test inputs, and the same everywhere. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound) => Math.floor(next() * bound);
  const pick = (list) => list[below(list.length)];
  return { below, pick, chance: (share) => next() < share };
}

/** Characters at the edges of the packages' classes, or that JavaScript and Rust treat differently. */
export const EDGES = [
  0x00, 0x01, 0x08, 0x09, 0x0a, 0x0b, 0x0d, 0x1f, 0x20, 0x22, 0x25, 0x2b, 0x2d, 0x2e, 0x2f, 0x3a, 0x3c, 0x3e,
  0x40, 0x5b, 0x5c, 0x5d, 0x5f, 0x7e, 0x7f, 0x80, 0x85, 0x9f, 0xa0, 0xa1, 0xa8, 0xa9, 0xaa, 0xad, 0xb5,
  0xdf, 0xff, 0x130, 0x131, 0x149, 0x17f, 0x1c5, 0x301, 0x3a3, 0x3c2, 0x430, 0x660, 0x1680, 0x180e, 0x1e9e,
  0x2000, 0x200a, 0x200b, 0x200d, 0x200e, 0x2028, 0x2029, 0x202e, 0x202f, 0x205f, 0x2060, 0x212a, 0x3000,
  0x3002, 0x4e2d, 0xd7ff, 0xe000, 0xf8ff, 0xf900, 0xfdcf, 0xfdd0, 0xfdef, 0xfdf0, 0xfeff, 0xff01, 0xff0e,
  0xff20, 0xff21, 0xff5e, 0xff5f, 0xffef, 0xfff0, 0xfffd, 0xffff, 0x10000, 0x10400, 0x1f600, 0x1d400,
  0xe0001, 0x10ffff,
].map((point) => String.fromCodePoint(point));

/** The text with one to three characters inserted, removed, doubled or replaced. */
export function mutate(random, text, alphabet) {
  let characters = [...text];
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    const at = random.below(characters.length + 1);
    const put = random.pick(alphabet);
    const doubled = characters[at] ?? put;
    const [removed, added] = random.pick([[0, [put]], [1, []], [0, [doubled]], [1, [put]]]);
    characters = [...characters.slice(0, at), ...added, ...characters.slice(at + removed)];
  }
  return characters.join("");
}

/** Without repetitions and without lone surrogates, which no Rust string can hold. */
export function distinct(texts) {
  return [...new Set(texts)].filter((text) => text.isWellFormed());
}
