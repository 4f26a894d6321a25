/** Colours that can be read where the page leaves little contrast: on backgrounds neither light nor dark. Loaded by frame.js there. */

import { contrast, luminance, mix } from './frame.js';

const BLACK = [0, 0, 0];
const WHITE = [255, 255, 255];
/** What embed.css has, light and dark. */
const ACCENTS = { accent: [[36, 87, 214], [143, 176, 255]], live: [[26, 143, 76], [95, 211, 141]], warn: [[168, 91, 0], [255, 180, 84]] };
/** Contrast that texts get where there is any to spare, and that they and edges of fields need (WCAG 2.2, 1.4.3 and 1.4.11). */
const TEXT_WISHED = 5.4;
const TEXT_MIN = 4.5;
const EDGE_MIN = 3.1;

/** `set(name, colour)` puts a colour in the place of embed.css's own. */
export function strengthen(ink, ground, set) {
  const isDark = luminance(ink) > luminance(ground);
  const end = isDark ? WHITE : BLACK;
  // As much of the end mixed in as it takes to be seen.
  const seen = (colour, least) => {
    let share = 0;
    while (share < 1 && contrast(mix(colour, end, share), ground) < least) share += 0.05;
    return mix(colour, end, Math.min(share, 1));
  };
  // Nothing needs to be told from the ground better than the text itself.
  const least = Math.min(TEXT_WISHED, contrast(ink, ground));
  set('soft', seen(mix(ink, ground, 0.4), least));
  set('edge', seen(mix(ground, ink, 0.3), EDGE_MIN));
  // What lies below a text must not take any of its contrast.
  const fills = [mix(ground, ink, 0.05), mix(ground, isDark ? BLACK : WHITE, 0.12)];
  set('fill', fills.find((fill) => contrast(ink, fill) >= TEXT_WISHED) ?? fills[1]);
  for (const [name, pair] of Object.entries(ACCENTS)) set(name, seen(pair[Number(isDark)], name === 'live' ? EDGE_MIN : least));
  const accent = seen(ACCENTS.accent[Number(isDark)], least);
  if (contrast(accent, mix(ground, accent, 0.1)) < TEXT_MIN) set('tint', ground);
}
