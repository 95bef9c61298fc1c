// Picture URLs to validate: mixes of schemes, credentials, hosts, ports and tails, hand-picked
// hostile ones, and mutations.

import { EDGES, distinct, mutate, randomFrom } from "../random.mjs";

const SCHEMES = [
  "https://", "http://", "HTTPS://", "HtTp://", "ftp://", "", "//", "http:", "https:", "ftp:", "http:/", "http:///",
  "http:////", "javascript:", "javascript://", "data:", "file://", "ws://", "ssh://", "mailto:", "MAILTO:", "tel:",
  "h2+x://", "1http://", "://", ":", "http ://", "blob:https://", "https://https://", "http//", "view-source:http://",
];

const CREDENTIALS = [
  "", "user@", "user:pass@", ":pass@", "user:@", ":@", "@", "a:b:c@", "a@b@", "us er@", "%61@", "user:%70w@", "a;b@",
  "a%zz@", "ü@", "a-b_c.d@", "a:1@", "user:pass;x@",
];

const HOSTS = [
  "example.com", "EXAMPLE.COM", "EXAMPLE.XN--P1AI", "a.example.co.uk", "localhost", "example", "127.0.0.1", "256.0.0.1", "1.2.3", "01.2.3.4",
  "1.2.3.4.5", "0.0.0.0", "255.255.255.255", "[::1]", "[::]", "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7::]",
  "[1:2:3:4:5:6:7::8]", "[::2:3:4:5:6:7:8]", "[::1:2:3:4:5:6:7:8]", "[fe80::1%eth0]", "[fe80::1%]", "[fe80::1%a b]",
  "[fe80::1%25eth0]", "[fe80::1%a%b]", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:7:1.2.3.4]",
  "[1:2:3:4:5::1.2.3.4]", "[::1:2:3:4:5:1.2.3.4]", "[::1:2:3:4:5:6:1.2.3.4]", "[1.2.3.4::]", "[::01.2.3.4]",
  "[::1.2.3.256]", "[12345::]", "[g::]", "[::1::]", "[:::]", "[1:]", "[:1]", "[]", "[", "]", "[::1", "::1]", "::1",
  "[::1]x", "[1.2.3.4]", "[example.com]", "[v1.x]", "bücher.example", "例え.テスト", "xn--bcher-kva.example", "😀.com",
  "example.😀😀", "ex_ample.com", "-a.com", "a-.com", "a..com", ".a.com", "a.com.", "a.c", "a.123", "ｅxample.com", "",
  "example。com", "a%2eb.com", `${"a".repeat(63)}.com`, `${"a".repeat(64)}.com`, `${"ü".repeat(63)}.com`,
  `${"😀".repeat(31)}.com`, `${"😀".repeat(32)}.com`, "[ABCD:EF01:2345:6789:abcd:ef01:2345:6789]", "[1::2::3]",
];

const PORTS = [
  "", ":", ":80", ":0", ":1", ":65535", ":65536", ":00080", ":000000000000000000000000000443", ":-1", ":+80", ":8a", ":80:80",
  ":٣", ":99999999999999999999", "::", ": 80", ":0x50", ":1e3",
];

const TAILS = [
  "", "/", "/a.png", "/a/b//c", "/a b", "/a<b", "/a>b", '/a"b', "/a\\b", "/ü/😀", "/%20", "/a\u00a0b", "/a\u200bb",
  "/a\ufeffb", "/a\u3000b", "/a\u0085b", "/\u0000", "?q=1", "/?q=1&r=2", "?", "#", "#top", "/#a#b", "/?a?b", "#?", "?#",
  "/a@b", "/a:b", "?x@y", "#x:y", "/..", "/://x", "?://", "\\a", ";x", ",x",
];

const WHOLE = [
  "example.com:80", "example.com:80/a", "example.com:a", "user:pass@example.com", "a:b@example.com/c:d@e",
  "javascript:alert(1)", "javascript:alert(1)@example.com", "javascript:%61lert@example.com", "javascript:1@example.com",
  "javascript:user@example.com", "data:image/png;base64,AAAA", "data:text/html,@example.com", "http:example.com",
  "http:user@example.com", "http:1.2.3.4", "http:80", "https:443/a", "example.com//a", "mailto:ada@example.com",
  " mailto:ada@example.com", "xmailto:ada@example.com", "a+b:c@example.com", "localhost:80", "a:80@example.com",
  "http://example.com@evil.example", "http://example.com\\@evil.example", "https://example.com/😀", "1.2.3.4", "1.2.3.4:80",
  "[::1]", "[::1]:80", "a.b:1.2.3.4", "x:1@y@example.com", "http://a.b?c@d", "http://a.bc?c@d", "http:?a", "http:#a",
  "http:a@b.cc/d@e", "ftp:x:y@example.com", "u:p%41@example.com", "u:p%4@example.com", "u:p%4g@example.com",
];

/** Lengths around the two bounds that validator.js has had, in characters of one to four bytes. */
function lengths() {
  return ["a", "é", "😀"].flatMap((character) =>
    [2081, 2082, 2083, 2084, 2085].map((total) => {
      const start = "https://example.com/";
      const count = Math.floor((total - start.length) / character.length);
      const run = character.repeat(count);
      return start + run + "b".repeat(total - start.length - run.length);
    }),
  );
}

export function pictures() {
  const random = randomFrom(2);
  const texts = [...WHOLE, ...lengths()];
  const base = ["https://", "", "example.com", "", "/a.png"];
  [SCHEMES, CREDENTIALS, HOSTS, PORTS, TAILS].forEach((parts, index) => {
    for (const part of parts) {
      texts.push(base.with(index, part).join(""));
      texts.push(base.with(0, "").with(index, part).join(""));
    }
  });
  for (let count = 0; count < 1200; count += 1) {
    const usual = (part, parts) => (random.chance(0.5) ? part : random.pick(parts));
    texts.push(
      usual("https://", SCHEMES) + usual("", CREDENTIALS) + usual("example.com", HOSTS) + usual("", PORTS) +
        usual("/a.png", TAILS),
    );
  }
  for (const edge of EDGES) {
    texts.push(
      `https://example.com/${edge}`, `https://a${edge}b.com`, `https://${edge}.com`, `https://b.${edge}${edge}`,
      `https://a${edge}@example.com`, `a${edge}:b@example.com`, `${edge}https://example.com`, `https://example.com:8${edge}`,
    );
  }
  const alphabet = [...EDGES, ...":/@[]%.?#-0189afz"];
  for (let count = 0; count < 800; count += 1) {
    texts.push(mutate(random, random.pick(["https://user:pw@example.com:80/a?b#c", "http://[fe80::1%e]:8/", ...WHOLE]), alphabet));
  }
  return distinct(texts);
}
