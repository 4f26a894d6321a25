/** The proof of work that a server with `--challenge` asks for. Loaded by write.js when needed; knows no elements. */

/** Pieces in which it is found, ms: short enough for a page to stay at ease. */
const PIECE = 12;
const K = new Uint32Array(64);
const START = new Uint32Array(8);

// FIPS 180-4 §4.2.2, §5.3.3: the first 32 bits of the fractions of roots of the first primes.
const fraction = (root) => (root - Math.floor(root)) * 2 ** 32;
for (let n = 2, found = 0; found < 64; n++) {
  if (Array.from({ length: n - 2 }, (_, i) => i + 2).some((d) => n % d === 0)) continue;
  if (found < 8) START[found] = fraction(Math.sqrt(n));
  K[found++] = fraction(Math.cbrt(n));
}

const turn = (x, n) => (x >>> n) | (x << (32 - n));
const w = new Uint32Array(64);

/** One block of 64 bytes at `at` (§6.2.2). */
function compress(state, view, at) {
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] += word;
  });
}

/** Eight words. `crypto.subtle` is not there over plain http. */
export function sha256(bytes) {
  const padded = new Uint8Array((bytes.length + 72) & ~63);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, bytes.length * 8);
  const state = START.slice();
  for (let at = 0; at < padded.length; at += 64) compress(state, view, at);
  return state;
}

/** What makes SHA-256(SHA-256(nonce, 0, content), proof) begin with so many zero bits. */
export async function prove(nonce, content, bits) {
  const text = new TextEncoder();
  const seed = new DataView(new ArrayBuffer(32));
  sha256(text.encode(`${nonce}\0${content}`)).forEach((word, i) => seed.setUint32(4 * i, word));
  const tried = new Uint8Array(48);
  tried.set(new Uint8Array(seed.buffer));
  for (let n = 0, since = Date.now(); ; n++) {
    const { written } = text.encodeInto(String(n), tried.subarray(32));
    if (Math.clz32(sha256(tried.subarray(0, 32 + written))[0]) >= bits) return String(n);
    if (n % 64 || Date.now() - since < PIECE) continue;
    await new Promise((resolve) => setTimeout(resolve));
    since = Date.now();
  }
}
