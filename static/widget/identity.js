/** A key as a code that another device takes: with a check of what was mistyped and of whose comments it is for. Knows no elements. */

import { guarded } from './dom.js';

/** What the fragment of a link begins with. */
export const FRAGMENT = '#sayso-key=';
/** Characters of the check at the end of a code: one mistyped code in a million and a half passes for right. */
const CHECK_CHARS = 4;
/** What the server takes, bytes. */
const KEY_BYTES_MIN = 16;
const KEY_BYTES_MAX = 128;

/** FNV-1a: against mistakes, not against anybody. */
function check(key, { base }) {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(`${base.replace(/^\w+:/, '')} ${key}`)) hash = Math.imul(hash ^ byte, 16777619);
  return (hash >>> 0).toString(36).padStart(CHECK_CHARS, 0).slice(-CHECK_CHARS);
}

/** In groups, for those who type it. */
export const codeOf = (key, thread) => (key + check(key, thread)).match(/.{1,4}/g).join(' ');

/** Of the page that is shown, without what else its address says after "#". */
export const linkOf = (key, thread) => location.href.split('#')[0] + FRAGMENT + encodeURIComponent(key + check(key, thread));

/** The key of a code or a whole link; `undefined` where it is none or for another server's comments. */
export function keyOf(typed, thread) {
  const end = typed.split(FRAGMENT).pop();
  const plain = (guarded(() => decodeURIComponent(end)) ?? end).replace(/\s/g, '');
  // Those that the widget makes have small letters and digits only.
  for (const code of [plain, plain.replaceAll('-', '').toLowerCase()]) {
    const key = code.slice(0, -CHECK_CHARS);
    const isKey = /^[!-~]+$/.test(key) && key.length >= KEY_BYTES_MIN && key.length <= KEY_BYTES_MAX;
    if (isKey && code.slice(-CHECK_CHARS) === check(key, thread)) return key;
  }
  return undefined;
}
