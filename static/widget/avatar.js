/** The avatar of a pseudonym: the same drawing as src/web/html.rs makes, which a test compares. */

import { svg } from './dom.js';

/** In the order of their hue, so that neighbours go together. */
const HUES = ['#4f7df0', '#7a6cf0', '#a463e0', '#cf5bb4', '#e0587f', '#e8694f', '#e58a34', '#c9a227', '#8aa83a', '#45a566',
  '#2aa198', '#3a97cf'];
const SHAPES = ['M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0z', 'M-9-9H1a8 8 0 0 1 8 8V1a8 8 0 0 1-8 8H-1a8 8 0 0 1-8-8z',
  'M-11 5a11 11 0 0 1 22 0z', 'M-10 7L0-9L10 7z'];
const SQUARE = 'M0 0h36v36H0z';
const SILHOUETTE = 'M12 15a6 6 0 1 1 12 0a6 6 0 1 1-12 0M6 36a12 12 0 0 1 24 0z';

/** Two or three soft shapes that are always the same for the same author; a silhouette for nobody. */
export function avatar(author) {
  const frame = svg('svg', { class: 'avatar', viewBox: '0 0 36 36', 'aria-hidden': true });
  const path = (fill, opacity, d) => svg('path', { fill, opacity, d });
  if (!author) {
    frame.append(path('currentColor', '.1', SQUARE), path('currentColor', '.3', SILHOUETTE));
    return frame;
  }
  // FNV-1a, then a linear congruential generator (Numerical Recipes).
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(author)) seed = Math.imul(seed ^ byte, 16777619);
  const draw = (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return (seed >>> 16) % n;
  };
  const hue = draw(12);
  const group = svg('g', { transform: `rotate(${draw(8) * 45} 18 18)` });
  for (const [colour, x, y, size] of [[0, 12, 13, 8], [1, 24, 22, 8], [10, 22, 9, 4]].slice(0, 2 + draw(2))) {
    const place = `translate(${x + draw(4)} ${y + draw(4)}) rotate(${draw(8) * 45}) scale(${((size + draw(4)) / 10).toFixed(1)})`;
    group.append(svg('path', { fill: HUES[(hue + colour) % 12], opacity: '.8', transform: place, d: SHAPES[draw(4)] }));
  }
  frame.append(path(HUES[hue], '.2', SQUARE), group);
  return frame;
}
