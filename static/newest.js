/**
 * <sayso-newest limit prefix src>: the newest comments of a server, or of its pages whose names begin with `prefix`, for a start page. Until
 * there is an answer, and where there is none, the element's own children stay.
 *
 * embed.js loads this for the first such element; a document that has nothing else loads it alone.
 */

import { addressOf, ownAddressOf } from './widget/address.js';
import { el, rich } from './widget/dom.js';
import { speaker } from './widget/texts.js';

const HERE = new URL('.', import.meta.url).href.slice(0, -1);
const LIMIT = 5;
const EXCERPT_CHARS = 140;
/** ms */
const READ_EVERY = 60_000;
const ANSWER_WAIT = 20_000;
/** Its colours are shades of the text around it, so that they suit whatever it stands on. */
const STYLE = `
:host { display: block }
:host([hidden]) { display: none }
.list { list-style: none; margin: 0; padding: 0 }
.item + .item { margin-top: 1.1rem }
.about { margin: 0; font-size: .8125em }
.when { color: color-mix(in srgb, currentColor 76%, transparent) }
.name { font-weight: 600 }
.link { display: -webkit-box; overflow: hidden; -webkit-box-orient: vertical; -webkit-line-clamp: 2; color: inherit; text-decoration: none; overflow-wrap: anywhere }
.link:hover { text-decoration: underline; text-underline-offset: .15em }
.link:focus-visible { outline: 2px solid; outline-offset: 2px; border-radius: 4px }
@media (pointer: coarse) { .link { min-height: 44px } }
`;

/** By element: `{timer, text, lines}` of those in a document. */
const shown = new Map();

const isPublic = (line) => line.content !== undefined && !line.deleted && !line.status;

/** What a comment says, in one line. */
function excerptOf({ html, content }) {
  let words = content;
  if (html) {
    const built = rich(html);
    for (const block of built.querySelectorAll('p, br, pre, li')) block.after(' ');
    words = built.textContent;
  }
  const all = Array.from(words.replace(/\s+/g, ' ').trim());
  return all.slice(0, EXCERPT_CHARS).join('').trim() + (all.length > EXCERPT_CHARS ? '…' : '');
}

/**
 * On the page itself where that is of this site or of what the element asks for, else on sayso's own: anybody may name a page after
 * another site, which is no reason to lead there.
 */
function linkOf(element, base, { page, id }) {
  const address = addressOf(page);
  const prefix = element.getAttribute('prefix');
  const isOurs = address?.startsWith(`${location.host}/`) || prefix?.includes('/') && page.startsWith(prefix);
  return address && isOurs ? `${location.protocol}//${address}#sayso-${id}` : ownAddressOf(base, page, id);
}

async function learn(base, code) {
  const answer = code === 'en' ? undefined : await fetch(`${base}/lang/${code}.json`).catch(() => {});
  return answer?.ok ? speaker(code, await answer.json()) : speaker('en', {});
}

const baseOf = (element) => element.getAttribute('src')?.replace(/\/+$/, '') || HERE;

function itemOf(element, text, line) {
  const at = Date.parse(line.created_at) || 0;
  const about = el('p', { class: 'about' }, el('bdi', { class: 'name' }, line.name || line.mod || text('anonymous')), ' · ',
    el('time', { class: 'when', datetime: line.created_at, title: text.moment(at) }, text.ago(at)));
  return el('li', { class: 'item' }, about, el('a', { class: 'link', dir: 'auto', href: linkOf(element, baseOf(element), line) }, excerptOf(line)));
}

function draw(element, state, lines) {
  const { text } = state;
  const root = element.shadowRoot;
  const seen = JSON.stringify(lines);
  if (seen === state.seen) {
    for (const time of root.querySelectorAll('time')) time.textContent = text.ago(Date.parse(time.dateTime) || 0);
    return;
  }
  state.seen = seen;
  const focused = root.activeElement?.href;
  const list = el('ul', { class: 'list', role: 'list', dir: text.lang === 'ar' ? 'rtl' : undefined }, ...lines.map((line) => itemOf(element, text, line)));
  root.replaceChildren(lines.length ? list : document.createElement('slot'));
  if (focused) [...root.querySelectorAll('.link')].find((link) => link.href === focused)?.focus({ preventScroll: true });
}

async function read(element) {
  const state = shown.get(element);
  if (!state || document.visibilityState === 'hidden') return;
  clearTimeout(state.timer);
  state.timer = setTimeout(() => read(element), READ_EVERY);
  const base = baseOf(element);
  const prefix = element.getAttribute('prefix');
  const query = new URLSearchParams({ limit: element.getAttribute('limit') || LIMIT, ...prefix && { prefix } });
  try {
    const code = element.closest('[lang]')?.lang.toLowerCase().split('-')[0] || 'en';
    state.text ??= await learn(base, code);
    const answer = await fetch(`${base}/api/newest?${query}`, { signal: AbortSignal.timeout(ANSWER_WAIT) });
    if (!answer.ok) return;
    const { comments } = await answer.json();
    if (shown.get(element) === state) draw(element, state, comments.filter(isPublic));
  } catch {
    // What is shown stays; in a minute there is another try.
  }
}

document.addEventListener('visibilitychange', () => {
  for (const element of shown.keys()) read(element);
});

/** Shows the newest comments in this element from now on. */
export function follow(element) {
  if (!element.isConnected || shown.has(element)) return;
  if (!element.shadowRoot) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const root = element.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [sheet];
    root.append(document.createElement('slot'));
  }
  shown.set(element, {});
  read(element);
}

/** And no more. */
export function leave(element) {
  clearTimeout(shown.get(element)?.timer);
  shown.delete(element);
}

if (!customElements.get('sayso-newest')) {
  customElements.define('sayso-newest', class extends HTMLElement {
    connectedCallback() {
      follow(this);
    }

    disconnectedCallback() {
      leave(this);
    }
  });
}
