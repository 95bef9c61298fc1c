// Proofs of work.

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Solves a challenge in the ALTCHA format. The browser derives the keys on its own threads. */
export async function solve(challenge, signal) {
  const { algorithm, cost, keyLength, keyPrefix, nonce, salt } = challenge.parameters;
  if (algorithm !== "PBKDF2/SHA-256") throw new Error(`cannot solve ${algorithm}`);
  const [nonceBytes, saltBytes, started] = [unhex(nonce), unhex(salt), Date.now()];
  const derive = async (counter) => {
    const password = new Uint8Array(nonceBytes.length + 4);
    password.set(nonceBytes);
    new DataView(password.buffer).setUint32(nonceBytes.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const kdf = { name: "PBKDF2", hash: "SHA-256", salt: saltBytes, iterations: cost };
    return hex(new Uint8Array(await crypto.subtle.deriveBits(kdf, key, keyLength * 8)));
  };
  const width = Math.min(Math.max(globalThis.navigator?.hardwareConcurrency ?? 2, 2), 8);
  for (let first = 0; ; first += width) {
    signal?.throwIfAborted();
    const keys = await Promise.all(Array.from({ length: width }, (_, nth) => derive(first + nth)));
    const found = keys.findIndex((key) => key.startsWith(keyPrefix));
    if (found < 0) continue;
    const solution = { counter: first + found, derivedKey: keys[found], time: Date.now() - started };
    const { parameters, signature } = challenge;
    return btoa(JSON.stringify({ challenge: { parameters, signature }, solution }));
  }
}
