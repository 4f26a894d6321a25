/** Colours: an avatar for each author, and those of the widget as they follow from the page that it stands on. */

import { svg } from './dom.js';

/** Hues of embed.css, far apart. */
const HUES = 9;
const SHAPES = ['M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0z', 'M-9-9H1a8 8 0 0 1 8 8V1a8 8 0 0 1-8 8H-1a8 8 0 0 1-8-8z',
  'M-11 5a11 11 0 0 1 22 0z', 'M-10 7L0-9L10 7z'];
const SILHOUETTE = 'M12 15a6 6 0 1 1 12 0a6 6 0 1 1-12 0M6 36a12 12 0 0 1 24 0z';
/** In scripts from here on, letters side by side would change or are words of their own. */
const FIRST_OF_ONE = '\u0590';

/** The first letters of the first and the last word, or of the first word alone. */
function initials(name) {
  const letters = name.split(' ').map((word) => /^[\p{Alphabetic}\p{N}]/u.exec(word)?.[0] ?? '').filter(Boolean);
  const ends = letters.length > 1 ? [letters[0], letters.at(-1)] : letters;
  return (ends.every((letter) => letter < FIRST_OF_ONE) ? ends : ends.slice(0, 1)).join('').toUpperCase();
}

/**
 * A name's initials, or two or three soft shapes, in a colour that is always the same for the same author; grey without one.
 * The same drawing as the server makes, which a test compares.
 */
export function avatar(author, name = '') {
  // FNV-1a, then a linear congruential generator (Numerical Recipes).
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(author)) seed = Math.imul(seed ^ byte, 16777619);
  const draw = (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return (seed >>> 16) % n;
  };
  const frame = svg('svg', { class: author ? `avatar h${draw(HUES)}` : 'avatar', viewBox: '0 0 36 36', 'aria-hidden': true });
  const letters = initials(name);
  if (letters) {
    frame.append(svg('text', { x: 18, y: 18 }, letters));
  } else if (author) {
    const group = svg('g', { transform: `rotate(${draw(8) * 45} 18 18)` });
    for (const [x, y, size] of [[12, 14, 6], [21, 20, 5], [20, 10, 3]].slice(0, 2 + draw(2))) {
      const place = `translate(${x + draw(3)} ${y + draw(3)}) rotate(${draw(8) * 45}) scale(0.${size + draw(2)})`;
      group.append(svg('path', { opacity: '.6', transform: place, d: SHAPES[draw(4)] }));
    }
    frame.append(group);
  } else {
    frame.append(svg('path', { opacity: '.5', d: SILHOUETTE }));
  }
  return frame;
}

// The page around
/** What embed.css has, light and dark. */
const INKS = ['28,30,33', '230,232,235'];
/** Contrast that a text needs, and that which leaves enough for all other colours (WCAG 2.2, 1.4.3). */
const TEXT_MIN = 4.5;
const EASY = 9;
/** Luminance of backgrounds on which sayso's own accents can be read. */
const [DARK_MAX, LIGHT_MIN] = [0.05, 0.8];
/** How much of the ink the colours have that aren't sayso's own then, %. */
const SHARES = { soft: 76, line: 13, edge: 55, fill: 5 };

export const mix = (from, to, share) => from.map((part, i) => part + (to[i] - part) * share);
export const luminance = (colour) => colour.map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);

export function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** `[red, green, blue, alpha]` of a colour; other spaces than sRGB are left to the browser. */
function parts(colour, probe) {
  const numbers = () => colour.replaceAll('none', '0').match(/-?[\d.]+(e-?\d+)?/g).map(Number);
  const whole = ([red, green, blue, alpha = 1]) => [red, green, blue, alpha];
  if (/^rgb/.test(colour)) return whole(numbers());
  probe.style.color = `color-mix(in srgb, ${colour}, ${colour})`;
  colour = getComputedStyle(probe).color.replace('srgb', '');
  return whole(numbers().map((part, i) => /^rgb/.test(colour) || i === 3 ? part : Math.min(255, Math.max(0, part * 255))));
}

/** What an element stands on: the backgrounds around it until one hides what is behind, or else the page's canvas. */
function groundOf(host, probe) {
  const layers = [];
  for (let up = host; up && layers.at(-1)?.[3] !== 1; up = up.assignedSlot ?? up.parentElement ?? up.getRootNode().host) {
    const { backgroundColor, backgroundImage } = getComputedStyle(up);
    // Of a gradient the first colour is as good as any.
    const first = /gradient\(.*?((rgb|color|lab|lch|oklab|oklch)a?\([^)]*\))/.exec(backgroundImage)?.[1];
    layers.push(parts(backgroundColor, probe), ...first ? [parts(first, probe)] : []);
  }
  probe.style.cssText = `color-scheme: ${getComputedStyle(document.documentElement).colorScheme}; background: Canvas`;
  layers.push(parts(getComputedStyle(probe).backgroundColor, probe));
  return layers.reduceRight((ground, [red, green, blue, alpha]) => mix(ground, [red, green, blue], alpha), [255, 255, 255]);
}

/** Takes ink and darkness from around the host, unless its `theme` says how it is. */
function blendIn(host, root) {
  const set = (name, colour) => root.style.setProperty(`--here-${name}`, Array.isArray(colour) ? `rgb(${colour.map(Math.round)})` : colour);
  root.style = '';
  if (host.hasAttribute('theme') || matchMedia('(forced-colors: active)').matches) return;
  const probe = host.shadowRoot.appendChild(document.createElement('i'));
  probe.hidden = true;
  const ground = groundOf(host, probe);
  let ink = parts(getComputedStyle(host).color, probe).slice(0, 3);
  probe.remove();

  // Some colour their paragraphs only: what is inherited can't be read then.
  const end = contrast([255, 255, 255], ground) > contrast([0, 0, 0], ground) ? 255 : 0;
  const choices = [ink, INKS[Number(end > 0)].split(',').map(Number), [end, end, end]];
  ink = choices.find((colour) => contrast(colour, ground) >= TEXT_MIN) ?? choices[2];
  const isDark = luminance(ink) > luminance(ground);
  root.style.colorScheme = isDark ? 'dark' : 'light';
  set('ground', ground);
  set('ink', ink);
  if (String(ink) !== INKS[Number(isDark)]) {
    for (const [name, share] of Object.entries(SHARES)) set(name, `color-mix(in srgb, var(--ink) ${share}%, var(--bg))`);
  }
  const bright = luminance(ground);
  if (bright > DARK_MAX && bright < LIGHT_MIN || contrast(ink, ground) < EASY) {
    import('./contrast.js').then(({ strengthen }) => strengthen(ink, ground, set)).catch(() => {});
  }
}

/** Blends in, now and whenever what it follows may have changed; ends with `signal`. */
export function follow(host, root, signal) {
  let frame = 0;
  const again = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      if (!signal.aborted) blendIn(host, root);
    });
  };
  const watch = new MutationObserver(again);
  for (let up = host; up; up = up.parentElement ?? up.getRootNode().host) watch.observe(up, { attributes: true });
  signal.addEventListener('abort', () => watch.disconnect());
  for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) matchMedia(query).addEventListener('change', again, { signal });
  // A background that fades over is its new one only at the end; a style sheet counts once it has come.
  const isAround = ({ target }) => target.contains?.(host) || /^(link|style)$/.test(target.localName);
  for (const type of ['transitionend', 'load']) document.addEventListener(type, (event) => isAround(event) && again(), { signal, capture: true });
  blendIn(host, root);
}
