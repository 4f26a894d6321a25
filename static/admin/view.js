/** The open view: its head, its comments, what came meanwhile, and its calm when there is nothing. Knows no action. */

import { button, el } from '../widget/dom.js';
import * as api from './api.js';
import { app, emit, on } from './app.js';
import { complain, lockPage } from './actions.js';
import { showBans } from './bans.js';
import { isOver, nameOf } from './model.js';
import { known, loadPages, lockIcon, pageItem } from './nav.js';
import { Queue } from './queue.js';
import { base } from './session.js';
import { showWaiting } from './notify.js';
import { text } from './texts.js';

/** So long changes gather before the head tells them, ms: thousands may be decided at once. */
const SOON = 30;
const BULK = [['approve', 'a'], ['hide', 'h'], ['ban', 'b'], ['delete', 'd']];

export class View {
  #title = el('h1', { tabindex: -1 });
  #order = el('span', { class: 'quiet' });
  #tools = el('span', { class: 'tools' });
  #all;
  #n = el('span', {});
  #fresh;
  #bulk;
  #foot = el('p', { class: 'calm', role: 'status' });
  #more;
  #tidy;
  #other = el('div', {});
  #due = 0;
  #list;
  root;

  /** `does.all(isPicked)`, `does.bulk(verb, button)`; `foot` is where what is done to many stands. */
  constructor(list, does, foot) {
    this.#list = list;
    this.#all = button('link', () => does.all(!this.#areAll), text('selectAll'));
    this.#fresh = button('fresh-pill', () => this.release(), '');
    this.#tidy = button('link', () => this.tidy(), text('refresh'));
    this.#more = button('more', () => this.#goOn(), text('more'));
    const none = button('link', () => does.all(false), '×');
    none.ariaLabel = text('selectNone');
    this.#bulk = el('div', { class: 'bulk', role: 'toolbar', 'aria-label': text('selectAll') },
      ...BULK.map(([verb, key]) => {
        const made = button(`act ${verb}`, ({ currentTarget }) => does.bulk(verb, currentTarget), text(verb));
        made.append(el('kbd', { 'aria-hidden': true }, key));
        return made;
      }), none);
    foot.append(this.#bulk);
    this.root = el('main', { id: 'main' },
      el('header', { class: 'top' }, this.#title, this.#order, this.#tools, el('span', { class: 'picks' }, this.#all, this.#n)),
      el('div', { class: 'sticky' }, this.#fresh), this.#other, list.root, this.#more, this.#foot, this.#tidy);
    const near = ([{ isIntersecting }]) => isIntersecting && !this.#more.hidden && !app.queue.isOldestFirst && this.#goOn();
    new IntersectionObserver(near, { rootMargin: '600px' }).observe(this.#more);
    for (const type of ['fresh', 'changed', 'loaded', 'came']) on(type, (what) => this.#heard(type, what));
    on('pages', () => this.#showTools());
    on('decided-last', () => this.update());
  }

  #heard(type, what) {
    if (type === 'loaded' && what === app.queue) {
      this.#list.show(what, what.entries.get(what.view.value));
      if (what.view.kind === 'thread') this.#list.select(this.#list.current, { reveal: true });
      if (!what.order.length) findLast();
    }
    if (type === 'changed') this.#list.redraw(what);
    if (type === 'came' && what.queue === app.queue) this.#list.append(what.entries);
    if (type === 'fresh' && !what.order.length && what === app.queue) this.release(false);
    this.#due ||= setTimeout(() => this.update(), SOON);
  }

  open(view) {
    app.queue?.leave();
    app.queue = new Queue(view);
    const isList = !['banned', 'pages'].includes(view.kind);
    this.#list.root.hidden = !isList;
    this.#list.show(app.queue);
    this.#other.replaceChildren();
    if (isList) app.queue.load();
    else app.queue.isLoading = false;
    if (view.kind === 'banned') showBans(this.#other);
    if (view.kind === 'pages') this.#showPages();
    if (view.kind === 'search') this.#showFoundPages(view.value);
    this.#showTools();
    this.update();
  }

  focus() {
    const { current } = this.#list;
    if (current?.row && !this.#list.root.hidden) this.#list.select(current, { focus: true });
    else this.#title.focus({ preventScroll: true });
  }

  #titleOf({ view, order }) {
    const { kind, value } = view;
    if (kind === 'page') return text('page', { page: value });
    if (kind === 'search') return text('found', { q: value });
    if (kind === 'author') return text('author', { name: order[0] ? nameOf(order[0]) : '…' });
    return text(kind);
  }

  get #areAll() {
    const { open } = app.queue;
    return open.length > 0 && open.every(({ isPicked }) => isPicked);
  }

  update() {
    const { queue } = app;
    clearTimeout(this.#due);
    this.#due = 0;
    if (!queue) return;
    const { view, fresh, open, order, picked } = queue;
    const title = this.#titleOf(queue);
    this.#title.textContent = title;
    const isList = !this.#list.root.hidden;
    const how = { waiting: 'oldestFirst', thread: 'inOrder' }[view.kind] ?? 'newestFirst';
    this.#order.textContent = isList ? text(how) : '';
    this.#all.parentElement.hidden = !isList || !open.length;
    this.#all.textContent = text(this.#areAll && open.length ? 'selectNone' : 'selectAll');
    this.#n.textContent = ` · ${text('selected', { n: picked.length })}`;
    this.#n.className = picked.length ? '' : 'none';
    this.#bulk.hidden = !picked.length;
    this.#fresh.hidden = !fresh.length;
    this.#fresh.textContent = text('fresh', { n: fresh.length });
    // Of what waits there is more than loads by itself: it is asked for when that is decided.
    const isUndecided = queue.isOldestFirst && (open.length || order.some(({ isBusy }) => isBusy));
    this.#more.hidden = !isList || queue.isLoading || !queue.more || isUndecided;
    this.#more.textContent = text(view.kind === 'search' ? 'searchOn' : 'more');
    const over = order.length - order.filter((entry) => !isOver(view, entry)).length;
    this.#tidy.hidden = !over || over < order.length && over < 3;
    this.#foot.hidden = !isList || Boolean(open.length) && !queue.error;
    this.#list.root.ariaLabel = order.length ? title : null;
    this.#list.root.ariaBusy = String(queue.isLoading);
    const calm = this.#foot.hidden ? '' : this.#calm(queue);
    if (calm !== this.#foot.textContent) this.#foot.textContent = calm;
    showWaiting(title);
  }

  #calm({ error, isLoading, view, more }) {
    if (error) return error;
    if (isLoading) return text('loading');
    if (more && view.kind === 'waiting') return '';
    const words = text({ waiting: 'calm', flagged: 'calmFlagged' }[view.kind] ?? 'calmHere');
    const { last } = app;
    if (!last || !['waiting', 'flagged'].includes(view.kind)) return words;
    return `${words} ${text('lastDecision', { when: text.ago(last.at), name: last.by })}`;
  }

  /** Shows what came since, where it belongs. */
  release(focus = true) {
    const { queue } = app;
    const came = queue.release();
    if (!came.length) return;
    const isBelow = queue.isOldestFirst || queue.view.kind === 'thread';
    if (isBelow) this.#list.append(came);
    else this.#list.show(queue, came[0]);
    this.#list.select(came[0], { focus, reveal: focus });
    this.update();
  }

  tidy() {
    app.queue.tidy();
    this.#list.show(app.queue, this.#list.current);
    this.update();
    this.focus();
  }

  async #goOn() {
    const { queue } = app;
    const came = await queue.goOn().catch((error) => complain([error]));
    if (queue !== app.queue) return undefined;
    if (came?.length) this.#list.append(came);
    return this.update();
  }

  #showTools() {
    const { kind, value } = app.queue?.view ?? {};
    if (kind === 'pages') this.#showPages();
    if (kind !== 'page') return this.#tools.replaceChildren();
    const locked = Boolean(known.pages.find(({ page }) => page === value)?.locked);
    const lock = button('link', () => lockPage(value, !locked).catch((error) => complain([error])), text(locked ? 'unlock' : 'lock'));
    const had = this.#tools.contains(document.activeElement);
    const there = el('a', { href: `${base}/?page=${encodeURIComponent(value)}`, target: '_blank' }, text('openPage'));
    this.#tools.replaceChildren(...locked ? [lockIcon()] : [], lock, ' · ', there);
    if (had) lock.focus();
    return undefined;
  }

  #showPages() {
    const more = known.more ? [button('more', () => loadPages(true), text('more'))] : [];
    this.#other.replaceChildren(el('ul', { class: 'pages all' }, ...known.pages.map(pageItem)), ...more);
  }

  #showFoundPages(q) {
    const found = known.pages.filter(({ page }) => page.toLowerCase().includes(q.toLowerCase())).slice(0, 5);
    if (found.length) this.#other.replaceChildren(el('h2', {}, text('pagesFound')), el('ul', { class: 'pages all' }, ...found.map(pageItem)));
  }
}

/** Where nothing waits, somebody has decided; unknown until it is looked up. */
async function findLast() {
  if (app.last) return;
  const { comments } = await api.list({ limit: 50 }).catch(() => ({ comments: [] }));
  const notes = comments.map(({ note }) => note).filter((note) => note?.by);
  const newest = notes.sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))[0];
  if (newest && !app.last) app.last = { by: newest.by, at: Date.parse(newest.created_at) };
  emit('decided-last');
}
