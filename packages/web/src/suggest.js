// Suggestions for addresses with a typo in the domain.

const DOMAINS = `gmail.com googlemail.com yahoo.com hotmail.com outlook.com icloud.com live.com
  protonmail.com proton.me fastmail.com yahoo.co.uk hotmail.co.uk outlook.fr hotmail.fr yahoo.fr
  laposte.net wanadoo.fr orange.fr t-online.de freenet.de outlook.de yahoo.de hotmail.de
  libero.it hotmail.it yahoo.it hotmail.es yahoo.es yahoo.co.jp yahoo.co.in yahoo.com.br
  comcast.net verizon.net btinternet.com yandex.ru rambler.ru naver.com`.split(/\s+/);
/** Real domains that differ from a well-known one by a typo. */
const REAL = ["ymail.com", "mail.com", "email.com"];
const nameOf = (domain) => domain.split(".")[0];
/** True if the provider has domains in several countries, so that another country is no typo. */
const isInMany = (name) => DOMAINS.filter((known) => nameOf(known) === name).length > 1;

/** True if the words differ by one letter added, removed or changed, or by two letters swapped. */
function isOneTypo(a, b) {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [x, y] = [a.slice(start), b.slice(start)];
  return (
    x.slice(1) === y.slice(1) || x.slice(1) === y || x === y.slice(1) ||
    (x[0] === y[1] && x[1] === y[0] && x.slice(2) === y.slice(2))
  );
}

/** Returns the address that was probably meant, if the domain looks like a typo. */
export function suggestEmail(email) {
  const at = email.lastIndexOf("@");
  const domain = email.slice(at + 1).trim().toLowerCase();
  if (at < 1 || DOMAINS.includes(domain) || REAL.includes(domain)) return undefined;
  const name = nameOf(domain);
  const known = !isInMany(name) && DOMAINS.find((known) => isOneTypo(domain, known));
  const top = domain.replace(/\.(con|cmo|ocm|vom|xom|comm|cim)$/, ".com");
  const meant = known || (top === domain ? undefined : top);
  return meant && `${email.slice(0, at)}@${meant}`;
}
