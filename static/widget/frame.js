/** What is around the comments: head, field to write in and foot, in the colours that follow from the page around. Knows no connection. */

import { button, el } from './dom.js';
import { sentence } from './texts.js';
import { comesAfter } from './view.js';

const NAME_CHARS_MAX = 64;
const ORDERS = ['newest', 'oldest', 'liked'];
/** What embed.css has, light and dark. */
const INKS = ['28,30,33', '230,232,235'];
/** Contrast that a text needs, and that which leaves enough for all other colours (WCAG 2.2, 1.4.3). */
const TEXT_MIN = 4.5;
const EASY = 9;
/** Luminance of backgrounds on which sayso's own accents can be read. */
const [DARK_MAX, LIGHT_MIN] = [0.05, 0.8];
/** How much of the ink the colours have that aren't sayso's own then, %. */
const SHARES = { soft: 76, line: 13, edge: 55, fill: 5 };

/** The field to write in, which composer.js brings to life. */
export function draft(text, { name, cancel, verb = 'send', placeholder = text('placeholder') }) {
  const input = el('textarea', { class: 'input', rows: '2', 'aria-label': text('comment'), dir: 'auto', placeholder });
  const who = el('input', { class: 'who', value: name, maxlength: NAME_CHARS_MAX, placeholder: text('name'),
    'aria-label': text('name'), autocomplete: 'nickname', dir: 'auto' });
  const hint = el('span', { class: 'hint', hidden: '' });
  const aide = button('aide', undefined, text('markdown'));
  const error = el('p', { class: 'error', role: 'alert', dir: 'auto' });
  const bar = el('div', { class: 'bar' }, ...(name === undefined ? [] : [who]), hint, aide,
    ...(cancel ? [button('cancel', cancel, text('cancel'))] : []), el('button', { class: 'send' }, text(verb)));
  const form = el('form', { class: 'composer', novalidate: '' }, el('div', { class: 'field' }, input, bar), error);
  return { form, input, name: who, hint, aide, error };
}

/** Everything around the comments; `does` says what its buttons do. */
export function frame(host, { base, text, isWall }, name, does) {
  const parts = {
    total: el('span', { class: 'count' }),
    state: el('p', { class: 'state' }, text('connecting')),
    order: el('select', { class: 'order', 'aria-label': text('sort'), change: ({ target }) => does.sort(target.value) },
      ...ORDERS.map((order) => el('option', { value: order }, text(order)))),
    main: draft(text, { name }),
    who: el('p', { class: 'typing' }),
    pill: button('pill', does.release, ''),
    list: el('ol', { class: 'list', role: 'list', tabindex: -1,
      animationend: ({ target, animationName }) => animationName === 'fade' && target.classList.remove('fresh') }),
    empty: el('p', { class: 'empty' }, text('empty')),
    /** What lies beyond the threads that are not loaded. */
    far: el('ol', { class: 'list', role: 'list' }),
    older: button('older', does.goBack, text('older')),
    said: el('p', { class: 'unseen', role: 'status' }),
    foot: el('footer', { class: 'foot' }),
  };
  parts.down = button('down', () => parts.main.input.focus(), `${text('write_comment')} ↓`);
  parts.sort = el('span', { class: 'sort' }, parts.order);
  if (isWall) parts.foot.append(el('a', { class: 'brand', href: `${base}/` }, location.host));
  else if (host.getAttribute('brand') !== 'off') parts.foot.append(el('a', { class: 'brand', href: `${base}/demo` }, 'sayso'));
  parts.pillbox = el('div', { class: 'pillbox' }, parts.pill);
  const level = /^[1-6]$/.exec(host.getAttribute('level')) ?? 2;
  const title = el(`h${level}`, { class: 'title' }, host.getAttribute('heading') || text('heading'));
  parts.root = el('section', { class: 'sayso', 'aria-label': title.textContent, dir: text.lang === 'ar' ? 'rtl' : undefined },
    el('header', { class: 'head' }, title, parts.total, parts.sort, parts.down, parts.state));
  // The host hears of keys as pressed on the element, which it may take for its own shortcuts.
  const keep = (event) => event.target.matches('input, textarea') && event.stopPropagation();
  for (const type of ['keydown', 'keypress', 'keyup']) parts.root.addEventListener(type, keep);
  for (const part of ['pill', 'older', 'empty', 'sort', 'down']) parts[part].hidden = true;
  return parts;
}

/** In the order of reading, for eyes and ears alike. */
export function arrange({ root, rising, order: { value }, isWall, list, far, empty, pillbox, who, main, foot, older, said, likes, down, locked }) {
  const writing = isWall ? [who] : rising ? [who, main.form] : [main.form, who];
  root.classList.toggle('rising', rising);
  const comments = [list, older, far, empty];
  root.append(...(rising ? [...comments, pillbox, ...writing] : [...writing, pillbox, ...comments]), foot, said);
  down.hidden = !rising || locked;
  const items = [...list.children];
  for (const { entry } of items) entry.hearts = value === 'liked' ? likes?.[entry.line.id] ?? 0 : undefined;
  list.append(...items.sort((a, b) => comesAfter(a.entry, b.entry, rising) ? 1 : -1));
}

/** How many comments there are, and beyond those that are loaded. */
export function showTotal(thread) {
  const { text, count, shown, gaps, more, rising, isWall, locked, writer } = thread;
  const held = thread.live?.showPill() ?? 0;
  const total = count + held;
  thread.total.textContent = total ? text.number(total) : '';
  thread.empty.hidden = total > 0 || locked || writer?.outbox.size > 0;
  thread.sort.hidden = total < 2 || isWall;
  thread.older.hidden = !more || isWall;
  let n = count - shown;
  for (const { gap } of gaps) n -= gap.n;
  const words = text(rising ? 'newer' : 'older');
  thread.older.textContent = n > 0 ? `${words} · ${text.number(n)}` : words;
}

/** Whether it is live, and who else reads. */
export function showState({ state: line, connection: { state }, text, readers, writer }) {
  const n = writer?.outbox.size;
  line.dataset.state = state;
  line.textContent = state === 'live' && readers > 1 ? text('reading', { n: readers })
    : state === 'offline' && n ? text('held', { n }) : text(state);
}

/** Puts the thread in the place of what was served, and what was typed there into its fields. */
export function takeOver({ host, root, main }) {
  if (root.isConnected) return;
  const { content, name } = host.querySelector('form')?.elements ?? {};
  const note = host.querySelector('.error')?.textContent;
  if (content?.value) main.input.value = content.value;
  if (name?.value) main.name.value = name.value;
  if (note) main.error.textContent = sentence(note);
  const focused = document.activeElement;
  const { selectionStart, selectionEnd } = focused;
  host.shadowRoot.replaceChildren(root);
  const heir = new Map([[content, main.input], [name, main.name]]).get(focused);
  heir?.focus({ preventScroll: true });
  heir?.setSelectionRange(selectionStart, selectionEnd);
  host.replaceChildren();
}

// Colours
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
