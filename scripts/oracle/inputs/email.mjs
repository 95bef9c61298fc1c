// E-mail addresses to validate: hand-picked hostile ones, local parts and domains in many pairs, and
// mutations of both.

import { EDGES, distinct, mutate, randomFrom } from "../random.mjs";

const LOCAL_PARTS = [
  "ada", "Ada.Lovelace", "a", "a+b", "o'neil", "a/b", "a%b", "a}b", "{|}~", "!#$%&'*+-/=?^_`", "1", "-a-", "_",
  "ünï.cödé", "用户", "пользователь", "ﬁ", "ſ", "K", "İ", "ı", "ΑΣ", "ß", "ẞ", "ａ", "😀", "a\u0301", "a\u200bb",
  "a\u00a0b", "a\u00adb", "\u202ea", "a\ufeffb", "a\u3000b", "", ".", ".a", "a.", "a..b", "a b", "a@b", "a,b", "a;b",
  "a:b", "a(b)", "a[b]", "a<b>", "a\\b", "a\"b", '"', '""', '"""', '"a"', '"a b"', '"a@b"', '"a.b"', '".a."',
  '"a\\"b"', '"a\\\\"', '"a\\"', '"a"b"', '"a', 'a"', '"é"', '"\u00a0"', '"😀"', '"\\😀"', '"\\é"', '"\t"', '"\n"',
  '"\\\n"', '"\\\t"', '"\u0000"', '"\u007f"', '"\u0085"', '"\ue000"', '"a".b', 'a."b"', '"a"."b"',
];

const DOMAINS = [
  "example.com", "EXAMPLE.Com", "a.co", "a.b.c.d.example", "xn--bcher-kva.example", "bücher.example", "例え.テスト",
  "пример.рф", "example.xn--p1ai", "example.xn", "example.xn-", "example.xn--", "example.xna", "example.xn1", "example.xn12", "example.xn-1", "example.XN--P1AI",
  "example.c", "example.c1", "example.1c", "example.123", "example.co-m", "example.com.", ".example.com", "example..com",
  "example", "localhost", "", ".", "-example.com", "example-.com", "ex-ample.com", "ex--ample.com", "ex_ample.com",
  "_a.com", "1.2.3.4", "[1.2.3.4]", "[::1]", "[IPv6:::1]", "::1", "123.com", "1.com", "example.com:80", "example.com/",
  "exa mple.com", "example .com", "example.com ", " example.com", "exam\u200bple.com", "exam\u3000ple.com",
  "example.c\u3000m", "example.c\u00a0m", "example.\u2028om", "example.\ufeffom", "ｅxample.com", "example.ｃom",
  "example．com", "example。com", "ex©mple.com", "example.c©m", "example.\u00a8\u00a8", "example.\u00a9\u00a9",
  "example.\u00aa\u00aa", "😀.com", "example.😀😀", "example.é", "example.éé", "exam\u0301ple.com", "ex\ue000mple.com",
  "example.\ue000\ue000", "example.\ufdd0\ufdd0", "example.\uffef\uffef", "example.\ufff0\ufff0", "раypal.com",
  "K.com", "ſ.com", "İ.com", "example.İİ", "example.KK", "ΣΑΣ.gr", "-.com", "a.-b", "a.b-", "\u00a0.com", "\u0085.com",
  "example.c\u200bm", "example.c\u200dm",
];

const WHOLE = [
  "", "@", "@@", "a", "a@", "@a", "ada@example.com ", " ada@example.com", "ada@example.com\n", "ada\n@example.com",
  "Ada <ada@example.com>", "<ada@example.com>", "ada@example.com, eve@example.com", "mailto:ada@example.com",
  "ada@example.com@example.org", "ada@@example.com", "ada%40example.com", "ada@example.com?subject=x",
  "ada@example.com#x", "(ada)ada@example.com", "ada@(x)example.com", "ada@exam\u0000ple.com", "ada＠example.com",
];

/** Lengths around every bound, in characters of one to four bytes. */
function lengths() {
  const texts = [];
  for (const character of ["a", "é", "用", "A", "İ", "😀"]) {
    for (const count of [15, 16, 17, 20, 21, 22, 31, 32, 33, 63, 64, 65]) {
      const run = character.repeat(count);
      texts.push(`${run}@example.com`, `a@${run}.com`, `a@example.${run}`, `"${run}"@example.com`);
    }
  }
  for (const total of [250, 251, 252, 253, 254, 255, 256, 320]) {
    for (const local of ["a", "a".repeat(64)]) {
      const room = total - local.length - 1 - ".com".length;
      for (const label of ["b".repeat(62), "b".repeat(20), "ü".repeat(20)]) {
        const domain = `${label}.`.repeat(20).slice(0, room).replace(/\.$/, "b");
        texts.push(`${local}@${domain}.com`);
      }
    }
  }
  return texts;
}

export function emails() {
  const random = randomFrom(1);
  const texts = [...WHOLE, ...lengths()];
  for (const local of LOCAL_PARTS) {
    texts.push(`${local}@example.com`);
  }
  for (const domain of DOMAINS) {
    texts.push(`ada@${domain}`, `"a b"@${domain}`);
  }
  for (let count = 0; count < 400; count += 1) {
    texts.push(`${random.pick(LOCAL_PARTS)}@${random.pick(DOMAINS)}`);
  }
  for (const edge of EDGES) {
    texts.push(
      `a${edge}b@example.com`, `"a${edge}b"@example.com`, `"\\${edge}"@example.com`, `a@b${edge}c.com`,
      `a@${edge}.com`, `a@b.c${edge}`, `a@b.${edge}${edge}`, `a@b.x${edge}m`,
    );
  }
  const alphabet = [...EDGES, ..."abz09.@\"\\-_+"];
  for (let count = 0; count < 1200; count += 1) {
    const [local, domain] = random.chance(0.5)
      ? ["ada.lovelace", "mail.example.com"]
      : [random.pick(LOCAL_PARTS), random.pick(DOMAINS)];
    texts.push(mutate(random, `${local}@${domain}`, alphabet));
  }
  return distinct(texts);
}
