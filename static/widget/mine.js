/**
 * One's own comments on this server: listed, to take along, to delete all of them, and to be had on another device. Loaded by write.js
 * when it is asked for, and by thread.js where an address brings somebody's key; works on that thread.
 */

import { addressOf, ownAddressOf } from './address.js';
import { Device } from './device.js';
import { button, el, rich } from './dom.js';
import { FRAGMENT, keyOf } from './identity.js';
import { learn, speaker } from './texts.js';
// Its texts: a link may bring somebody before there is a connection, and with it what writing needs.
import './write.js';

const TEXTS = {
  all: 'Delete all', ask_use: 'Use this identity here?', clipped: 'Copied', clip: 'Copy', close: 'Close', code: 'Code',
  device: 'Use on another device', download: 'Download', enter: 'Code or link from another device', link: 'Link', loading: 'Loading…',
  no: 'No', none: 'You have written nothing here with this browser.', replaces: 'The identity that this browser has now is then lost, unless you have its code.',
  reveal: 'Show link and code', same: 'This browser has this identity already.',
  secret: 'Whoever has the link or the code can edit and delete in your name. Keep them to yourself.',
  silent: 'It has written nothing here so far.', use: 'Use', used: 'Done. Its comments are yours here as well.', use_it: 'Use it',
  what: 'It comes from another device. You then write with it here, and can edit and delete its comments. Say no if somebody else gave it to you.',
  whose: 'It last wrote as {name}: “{words}”', withheld: 'Hidden', wrong: 'This is no code for these comments. Is a letter missing or mistyped?',
  gone: { one: '{n} comment is deleted.', other: '{n} comments are deleted.' },
  going: { one: '{n} comment deleted so far…', other: '{n} comments deleted so far…' },
  soon: { one: 'All are deleted in {n} second, with your hearts and flags. If you leave this page before, nothing is.',
    other: 'All are deleted in {n} seconds, with your hearts and flags. If you leave this page before, nothing is.' },
};
learn(TEXTS);

/** Comments that are asked for at once. */
const LIMIT = 200;
const ANSWER_WAIT = 30_000;
const UNDO_SECONDS = 10;

const sleep = (seconds, signal) => new Promise((resolve, reject) => {
  setTimeout(resolve, seconds * 1000);
  signal?.addEventListener('abort', () => reject(signal.reason));
});

/** Each thread's. */
const panels = new WeakMap();

/** With its style and texts, which nobody else needs. */
async function panelOf(thread) {
  const { base, text: { lang }, host } = thread;
  const get = async (path) => {
    const answer = await fetch(base + path, { signal: AbortSignal.timeout(ANSWER_WAIT) });
    if (!answer.ok) throw new Error(`${answer.status} for ${path}`);
    return answer;
  };
  const [css, texts] = await Promise.all([
    get('/widget/mine.css').then((answer) => answer.text()),
    lang === 'en' ? {} : get(`/mine/${lang}.json`).then((answer) => answer.json()).catch(() => ({})),
  ]);
  if (!panels.has(thread)) {
    host.shadowRoot.adoptedStyleSheets.push(await new CSSStyleSheet().replace(css));
    panels.set(thread, panels.get(thread) ?? new Panel(thread, speaker(lang, texts)));
  }
  return panels.get(thread);
}

export const show = async (thread) => (await panelOf(thread)).open();

/** Elements for whose servers a code is none. */
const refusers = { code: '', hosts: new Set() };

/** Whether another element of the document may be the one that a code is for. */
function isForOthers(code, thread) {
  if (keyOf(code, thread)) return false;
  if (refusers.code !== code) Object.assign(refusers, { code, hosts: new Set() });
  refusers.hosts.add(thread.host);
  return [...document.querySelectorAll(thread.host.localName)].some((host) => !refusers.hosts.has(host));
}

/** Takes a key out of the address before anybody sees it there, and asks whether it is to be used. Every element is told; the first that it fits has it. */
export async function arrive(thread) {
  const code = location.hash;
  if (!code.startsWith(FRAGMENT) || isForOthers(code, thread)) return;
  history.replaceState(history.state, '', location.href.split('#')[0]);
  await thread.loaded;
  (await panelOf(thread)).device.receive(code);
}

class Panel {
  #thread;
  #own;
  /** Ends what is asked for when the panel closes; but not what deletes. */
  #leave = new AbortController();
  /** Until when one may undo that all is deleted: ends the waiting. */
  #undo = null;
  #isDeleting = false;

  constructor(thread, own) {
    const { text } = thread;
    this.#thread = thread;
    this.#own = own;
    const level = Math.min(6, Number(thread.root.querySelector('.title').localName[1]) + 1);
    this.title = el(`h${level}`, { class: 'title' }, text('mine'));
    this.said = el('p', { class: 'note', role: 'status' });
    this.list = el('ol', { class: 'own-list', role: 'list' });
    this.older = button('older', () => this.#load(), text('older'));
    this.load = button('take', () => this.#download(), own('download'));
    this.all = button('all', () => this.#deleteAll(), own('all'));
    this.back = button('back', () => this.#undo?.abort(), text('undo'));
    this.does = el('div', { class: 'does' }, this.load, this.all, this.back);
    this.ours = el('div', {}, this.list, this.older, this.does);
    this.device = new Device(this, thread, own, level + 1);
    this.dialog = el('dialog', { class: 'panel', 'aria-label': text('mine'), close: () => this.#closed() },
      el('header', { class: 'top' }, this.title, button('shut', () => this.dialog.close(), own('close')), this.said),
      this.ours, this.device.section, this.device.question);
    thread.root.append(this.dialog);
  }

  get #me() {
    return this.#thread.me;
  }

  /** Shows it, or only what device.js asks. */
  show(title, asks = false) {
    this.#leave.abort();
    this.#leave = new AbortController();
    this.title.textContent = this.dialog.ariaLabel = title;
    this.ours.hidden = asks;
    // Whoever the host page names is so on every device.
    this.device.section.hidden = asks || Boolean(this.#thread.user);
    this.device.question.hidden = !asks;
    this.device.cover();
    if (!this.dialog.open) this.dialog.showModal();
  }

  open() {
    this.show(this.#thread.text('mine'));
    this.older.hidden = true;
    if (!this.#isDeleting) this.#refresh();
  }

  #closed() {
    this.#leave.abort();
    this.device.cover();
  }

  // What the server says
  async #ask(method, query, { key, user } = this.#me) {
    const answer = await fetch(`${this.#thread.base}/api/mine?${new URLSearchParams(query)}`, {
      method, headers: { authorization: user ? `Sayso ${user}` : `Bearer ${key}` }, cache: 'no-store', signal: AbortSignal.timeout(ANSWER_WAIT),
    });
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(said.error), { said });
    return said;
  }

  async #words(said) {
    if (!said) return this.#thread.text('notLive');
    const { inWords } = await this.#thread.bring('refusal').catch(() => ({}));
    return inWords ? (await inWords(this.#thread, said))(said.retry_after) : said.error;
  }

  /** Waits as long as the server says and asks again; `before` is said with the reason. Throws where waiting does not help. */
  async patiently(method, query, { signal, before = '', me } = {}) {
    for (;;) {
      try {
        const said = await this.#ask(method, query, me);
        signal?.throwIfAborted();
        return said;
      } catch (error) {
        signal?.throwIfAborted();
        error.words = await this.#words(error.said);
        const wait = error.said?.retry_after;
        if (!wait) throw error;
        this.said.textContent = `${before} ${error.words}`.trim();
        await sleep(wait, signal);
      }
    }
  }

  /** Does it, and says in words where it fails, unless it has been left. */
  async try(act) {
    const { signal } = this.#leave;
    try {
      return await act(signal);
    } catch (error) {
      if (!signal.aborted) this.said.textContent = error.words ?? this.#thread.text('notLive');
      return undefined;
    }
  }

  // The list
  async #refresh() {
    this.next = undefined;
    this.list.replaceChildren();
    this.does.hidden = true;
    this.#offer(false);
    if (this.#me.key || this.#me.user) await this.#load();
    else this.said.textContent = this.#own('none');
  }

  #load() {
    return this.try(async (signal) => {
      this.said.textContent = this.#own('loading');
      const { comments, more, before } = await this.patiently('GET', { limit: LIMIT, ...this.next && { before: this.next } }, { signal });
      this.next = before ?? comments.at(-1)?.id;
      this.list.append(...comments.map((line) => this.#item(line)));
      const isEmpty = !this.list.firstChild && !more;
      this.older.hidden = !more;
      this.does.hidden = isEmpty;
      this.said.textContent = isEmpty ? this.#own('none') : '';
    });
  }

  #item({ id, page, status, content, html, created_at: at }) {
    const { text } = this.#thread;
    const moment = Date.parse(at) || 0;
    const meta = el('p', { class: 'meta' }, el('a', { class: 'where', href: this.#addressOf(page, id) }, el('bdi', {}, page)),
      el('time', { datetime: at, title: text.moment(moment) }, text.ago(moment)));
    if (status) meta.append(el('span', { class: 'warn' }, status === 'pending' ? text('pending') : this.#own('withheld')));
    return el('li', {}, el('article', {}, meta, el('div', { class: html ? 'text' : 'text plain', dir: 'auto' }, html ? rich(html) : content)));
  }

  /** Where a comment is read: on the page that is shown, on the site that its page is named after, or else on sayso's own page. */
  #addressOf(page, id) {
    const { base, page: here } = this.#thread;
    if (page === here) return `${location.href.split('#')[0]}#sayso-${id}`;
    const address = addressOf(page);
    return address ? `${location.protocol}//${address}#sayso-${id}` : ownAddressOf(base, page, id);
  }

  // Taking along
  #download() {
    return this.try(async (signal) => {
      this.said.textContent = this.#own('loading');
      const comments = [];
      for (let query = { limit: LIMIT }; query;) {
        const said = await this.patiently('GET', query, { signal });
        comments.push(...said.comments);
        query = said.more && { limit: LIMIT, before: said.before ?? comments.at(-1).id };
      }
      const file = new Blob([JSON.stringify({ server: this.#thread.base, exported_at: new Date().toISOString(), comments }, undefined, 2)], { type: 'application/json' });
      const href = URL.createObjectURL(file);
      el('a', { href, download: `comments-${new Date().toISOString().slice(0, 10)}.json` }).click();
      // Some browsers begin to read it only later.
      setTimeout(() => URL.revokeObjectURL(href), ANSWER_WAIT);
      this.said.textContent = '';
    });
  }

  // Deleting all
  #offer(isUndo, isBusy = false) {
    this.back.hidden = !isUndo;
    this.all.hidden = this.load.hidden = isUndo || isBusy;
  }

  async #deleteAll() {
    if (this.#isDeleting) return;
    this.#isDeleting = true;
    const me = { ...this.#me };
    this.#undo = new AbortController();
    this.#offer(true);
    this.said.textContent = this.#own('soon', { n: UNDO_SECONDS });
    this.back.focus();
    const isMeant = await sleep(UNDO_SECONDS, this.#undo.signal).then(() => true, () => false);
    this.#undo = null;
    this.#offer(false, isMeant);
    if (isMeant) await this.#deleteBy(me);
    else this.said.textContent = '';
    this.#isDeleting = false;
    this.#offer(false);
    if (!this.dialog.open) this.#thread.said.textContent = this.said.textContent;
    if (!isMeant) this.all.focus();
  }

  /** In batches, of which each says whether there is more. Going on where it failed is harmless. */
  async #deleteBy(me) {
    let n = 0;
    this.older.hidden = true;
    try {
      for (let query = {}; query;) {
        const before = this.#own('going', { n });
        this.said.textContent = before;
        const said = await this.patiently('DELETE', query, { before, me });
        n += said.deleted;
        query = said.more && (said.before ? { before: said.before } : {});
      }
      this.list.replaceChildren();
      this.does.hidden = true;
      this.said.textContent = this.#own('gone', { n });
    } catch (error) {
      this.said.textContent = `${n ? this.#own('gone', { n }) : ''} ${error.words}`.trim();
    }
  }
}
