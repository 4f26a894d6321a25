/** Whether two names look alike. The same as src/web/html/namesake.rs says, by the same letters. */

/** What looks like a letter, and what Unicode does not take apart. */
const LETTERS = {
  a: 'аαɑ', ae: 'æ', b: 'вβƀ', c: 'сϲȼ', d: 'ԁđð', e: 'еεɇ', f: 'ϝ', g: 'ɡǥ', h: 'һнհħ', j: 'јϳȷɉ', k: 'кκĸ', l: '1iіιıɩɨӏł', m: 'м', n: 'ոηŋ',
  o: '0оοօσςø', oe: 'œ', p: 'рρ', r: 'гᴦɍ', s: 'ѕꜱ', ss: 'ß', t: 'тτŧ', th: 'þ', u: 'υսцʉ', v: 'νѵ', w: 'ԝω', x: 'хχ', y: 'уүɏ', z: 'ƶ',
};
const PLAIN = new Map(Object.entries(LETTERS).flatMap(([plain, letters]) => [...letters].map((letter) => [letter, plain])));

/** Names that look alike become the same: lower case, no accents, nothing but letters and digits, plain letters for similar ones. */
export function namesake(name) {
  const letters = name.normalize('NFKD').toLowerCase().normalize('NFKD').replace(/\p{M}|[^\p{Alphabetic}\p{N}]/gu, '');
  return Array.from(letters, (letter) => PLAIN.get(letter) ?? letter).join('');
}
