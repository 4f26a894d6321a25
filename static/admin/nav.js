/** The queues and the pages, at the left or above, and which of them is open. Knows no comment. */

import { button, el, guarded, svg } from '../widget/dom.js';
import * as api from './api.js';
import { app, emit, on } from './app.js';
import { complain } from './actions.js';
import { text } from './texts.js';

/** Each with the total that it shows. */
const QUEUES = Object.entries({ waiting: 'pending', flagged: 'flagged', newest: 'public', hidden: 'hidden', deleted: 'deleted', banned: 'banned' });
const URGENT = ['waiting', 'flagged'];
const SHOWN_MAX = 12;
/** Counts of pages are asked for again at most so often, ms. */
const RENEW_AFTER = 5_000;

/** What the address says is open. */
export function viewOf(hash) {
  const [, kind, value] = /^#(\w+)(?:=(.*))?$/.exec(hash) ?? [];
  if (['page', 'author', 'search', 'thread'].includes(kind) && value) {
    // Whoever has typed it may have written a percent sign as it is.
    const decoded = guarded(() => decodeURIComponent(value)) ?? value;
    return { kind, value: kind === 'thread' ? Number(decoded) : decoded };
  }
  return { kind: kind === 'pages' || QUEUES.some(([name]) => name === kind) ? kind : 'waiting' };
}

export const lockIcon = () => svg('svg', { class: 'lock', viewBox: '0 0 16 16', role: 'img', 'aria-label': text('locked') },
  svg('path', { d: 'M4.5 7V5a3.5 3.5 0 0 1 7 0v2H13v7H3V7zm1.5 0h4V5a2 2 0 0 0-4 0z' }));

/** Newest first, as far as they are known. */
export const known = { pages: [], more: false };
let renewing = 0;

export async function loadPages(isMore = false) {
  try {
    const last = known.pages.at(-1);
    const said = await api.pages(isMore ? last?.seq : undefined);
    const names = new Set(said.pages.map(({ page }) => page));
    known.pages = isMore ? [...known.pages, ...said.pages] : [...said.pages, ...known.pages.filter(({ page }) => !names.has(page))];
    if (isMore || known.pages.length === said.pages.length) known.more = said.more;
    emit('pages');
  } catch (error) {
    complain([error]);
  }
}

/** Soon, once for all that is written meanwhile. */
export function renewPages() {
  if (renewing || document.hidden) return;
  renewing = setTimeout(() => {
    renewing = 0;
    loadPages();
  }, RENEW_AFTER);
}

on('locked', ({ page, locked }) => {
  for (const one of known.pages) if (one.page === page) one.locked = locked;
  emit('pages');
});

export function pageItem({ page, count, pending, locked }) {
  const isOpen = app.queue?.view.kind === 'page' && app.queue.view.value === page;
  const urgent = pending ? [el('b', { class: 'urgent', title: text('isPending') }, text.number(pending)), ' '] : [];
  return el('li', {}, el('a', { href: `#page=${encodeURIComponent(page)}`, 'aria-current': isOpen ? 'page' : undefined },
    el('bdi', { class: 'cut' }, page), ...locked ? [lockIcon()] : [], el('span', { class: 'n' }, ...urgent, text.number(count))));
}

/** The whole of it; `update()` shows how things are. */
export function makeNav() {
  const counts = new Map();
  const links = QUEUES.map(([name, total]) => {
    const n = el('span', { class: 'n' });
    const link = el('a', { href: `#${name}` }, text(name), ' ', n);
    counts.set(name, [link, n, total]);
    return el('li', {}, link);
  });
  const all = el('a', { href: '#pages' }, text('pages'));
  const pages = el('ul', { class: 'pages' });
  const more = button('quiet more', () => {
    location.hash = '#pages';
  }, text('allPages'));
  const title = el('h2', {}, text('pages'));
  const nav = el('nav', { class: 'nav', 'aria-label': text('queues') }, el('ul', { class: 'queues' }, ...links, el('li', { class: 'narrow' }, all)),
    title, pages, more);
  let shown;
  nav.update = () => {
    const kind = app.queue?.view.kind ?? viewOf(location.hash).kind;
    for (const [name, [link, n, total]] of counts) {
      const count = app.totals[total];
      n.textContent = count === undefined ? '' : text.number(count);
      n.classList.toggle('urgent', Boolean(count) && URGENT.includes(name));
      if (name === kind) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (kind === 'pages') all.setAttribute('aria-current', 'page');
    else all.removeAttribute('aria-current');
    const open = nav.querySelector('.queues [aria-current]');
    if (open && kind !== shown) open.scrollIntoView({ block: 'nearest', inline: 'center' });
    shown = kind;
    pages.replaceChildren(...known.pages.slice(0, SHOWN_MAX).map(pageItem));
    title.hidden = !known.pages.length;
    more.hidden = !known.more && known.pages.length <= SHOWN_MAX;
  };
  on('pages', nav.update);
  on('totals', nav.update);
  return nav;
}
