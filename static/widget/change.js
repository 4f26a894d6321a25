/** What one does to a comment that is there: edit and delete one's own, like any. Loaded with write.js. */

import { button, el, store, svg } from './dom.js';
import { isShown } from './view.js';

/** ms */
const LIKE_WAIT = 10_000;
const UNDO_WITHIN = 5_000;
/** How far from the pointer stays what deletes, px. */
const APART = 12;
const HEART = 'M8 13.6 2.4 8a3.5 3.5 0 0 1 5-5l.6.6.6-.6a3.5 3.5 0 0 1 5 5z';

export class Changes {
  #writer;
  #thread;
  /** By nonce: what waits for an answer, `{id, composer}`. */
  #asked = new Map();
  /** By id: what is being deleted, or gets another `status`: `{until, status, timer, nonce}`. */
  #going = new Map();
  #pointer = [-1, -1];
  #hasHearts = false;

  constructor(writer, thread) {
    this.#writer = writer;
    this.#thread = thread;
    thread.root.addEventListener('pointerdown', ({ clientX, clientY }) => {
      this.#pointer = [clientX, clientY];
    }, true);
  }

  /** Sends what is asked about a comment; `composer.complain` is told why it is not done. */
  ask(id, request, composer) {
    const nonce = this.#writer.request(request);
    if (nonce) {
      composer.sent = true;
      this.#asked.set(nonce, { id, composer });
    } else {
      composer.complain(this.#thread.text('notLive'));
    }
    return nonce;
  }

  /** A comment has changed: what was asked about it is done. */
  answered(id) {
    for (const [nonce, asked] of this.#asked) {
      if (asked.id !== id) continue;
      this.#asked.delete(nonce);
      asked.composer.does?.change('');
    }
  }

  /** Where to say why it is not done, if it was asked for here. */
  refused(nonce, code) {
    const composer = this.#asked.get(nonce)?.composer;
    this.#asked.delete(nonce);
    const [id] = [...this.#going].find(([, going]) => going.nonce === nonce && nonce) ?? [];
    if (!id) return composer;
    const entry = this.#thread.entries.get(id);
    // Somebody else was quicker, or it was done and the answer lost; of a held comment nothing is left.
    const isDone = ['deleted', 'unknown_comment'].includes(code);
    if (isDone && entry) this.#thread.place({ ...entry.line, seq: entry.line.seq + 0.5, deleted: true });
    this.settled(id);
    return { complain: (words) => isDone || this.warn(entry, words) };
  }

  /** Whether what was not done is a deletion, which then goes again after so many seconds. */
  postpone(nonce, seconds) {
    for (const [id, going] of this.#going) {
      if (!nonce || going.nonce !== nonce) continue;
      going.nonce = undefined;
      going.timer = setTimeout(() => this.#finish(id), seconds * 1000);
      return true;
    }
    return false;
  }

  /** With the connection the answers are gone; what is being deleted waits for the next. */
  stateChanged() {
    const { isReady } = this.#thread.connection;
    // The log, by which it is kept, is known once there is a connection.
    if (isReady) this.recall();
    for (const [id, going] of this.#going) {
      if (isReady) this.#finish(id);
      else going.nonce = undefined;
    }
    if (isReady) return;
    for (const { composer } of this.#asked.values()) composer.complain(this.#thread.text('notLive'));
    this.#asked.clear();
  }

  warn(entry, words) {
    const row = entry?.article.querySelector('.actions');
    row?.querySelector('.warn')?.remove();
    if (row && words) row.append(el('span', { class: 'warn', role: 'alert' }, words));
  }

  // One's own
  edit(entry, isAgain) {
    const thread = this.#thread;
    const kept = this.#writer.kept('edit', entry.line.id);
    const change = (text) => this.#writer.drafts.set(kept, text === entry.line.content ? '' : text);
    const close = () => {
      change('');
      entry.editing = undefined;
      thread.redraw(entry, entry.line);
      thread.tidy();
      thread.settle(entry);
    };
    const composer = this.#writer.compose({
      verb: 'save', before: entry.line.content, cancel: close, change,
      send: (changed) => {
        if (changed === entry.line.content) close();
        else this.ask(entry.line.id, { edit: entry.line.id, content: changed }, composer);
      },
    });
    entry.editing = composer;
    composer.value = this.#writer.drafts.get(kept) || entry.line.content;
    entry.article.querySelector('.text').replaceWith(composer.form);
    entry.article.querySelector('.actions').replaceChildren();
    if (!isAgain) composer.input.focus();
    return composer;
  }

  /**
   * Asks first. The answer that deletes is in a row of its own and never where the pointer is, nor is it given by the second half
   * of a double click.
   */
  delete(entry) {
    const thread = this.#thread;
    const { text } = thread;
    entry.article.querySelector('.ask')?.remove();
    const close = () => {
      row.remove();
      thread.settle(entry);
    };
    const act = ({ detail }) => {
      if (detail > 1) return;
      row.remove();
      this.#begin(entry);
    };
    const keep = button('keep', close, text('keep'));
    const sure = button('sure', act, text('delete'));
    const row = el('div', { class: 'ask', role: 'group', 'aria-label': text('sure'), keydown: ({ key }) => key === 'Escape' && close() },
      el('span', { class: 'warn' }, text('sure')), sure, keep);
    entry.article.append(row);
    this.#keepAway(row, sure);
    keep.focus();
  }

  #keepAway(row, control) {
    const { left, right, top, bottom } = control.getBoundingClientRect();
    const [x, y] = this.#pointer;
    const isNear = x > left - APART && x < right + APART && y > top - APART && y < bottom + APART;
    if (isNear) row.style.marginTop = `${y - top + APART}px`;
  }

  /** What a moderator of the host page does; it can be undone as a deletion can. */
  conceal(entry) {
    this.#begin(entry, 'hidden');
  }

  /** Gone for the reader, and for everybody once there is no more undoing it. Kept, so that it is sent even if the page goes. */
  #begin(entry, status) {
    const { id } = entry.line;
    const { page } = this.#thread;
    store.set(this.#goneKey(id), JSON.stringify({ page, status, until: Date.now() + UNDO_WITHIN }));
    this.#await(id);
    entry.article.querySelector('button')?.focus();
  }

  #goneKey(id) {
    return this.#thread.key('gone', this.#thread.connection.log, id);
  }

  /** What was deleted here, or in another tab, and not sent so far. */
  recall() {
    for (const key of store.keys()) {
      if (key.startsWith(this.#goneKey('')) && store.read(key).page === this.#thread.page) this.#await(Number(key.split(' ').at(-1)));
    }
  }

  #await(id) {
    const { until, status } = store.read(this.#goneKey(id));
    if (!until || this.#going.has(id)) return;
    const going = { until, status, nonce: undefined };
    going.timer = setTimeout(() => this.#finish(id), Math.max(0, until - Date.now()));
    this.#going.set(id, going);
    this.#redraw(id);
  }

  /** Sends it, unless there is no connection; then it goes with the next. */
  #finish(id) {
    const going = this.#going.get(id);
    if (!going || going.until > Date.now()) return;
    // It may have been undone in another tab.
    if (!store.read(this.#goneKey(id)).until) return this.settled(id);
    going.nonce ??= this.#writer.request(going.status ? { edit: id, status: going.status } : { delete: id });
    this.#redraw(id);
    return undefined;
  }

  /** Nothing is left to delete: it is done, undone or refused. */
  settled(id) {
    clearTimeout(this.#going.get(id)?.timer);
    store.set(this.#goneKey(id), '');
    if (this.#going.delete(id)) this.#redraw(id);
  }

  #redraw(id) {
    const thread = this.#thread;
    const entry = thread.entries.get(id);
    if (!entry) return;
    thread.redraw(entry, entry.line);
    thread.tidy();
  }

  /** A comment that is being deleted looks as if it were. */
  redrawn({ line, article }) {
    const going = this.#going.get(line.id);
    if (!going || !isShown(line)) return;
    const { text } = this.#thread;
    const undo = button('undo', ({ detail }) => detail > 1 || this.settled(line.id), text('undo'));
    const meta = el('p', { class: 'meta' }, text(going.status ? 'concealed' : 'deleted'), ' ',
      going.until > Date.now() ? undo : el('span', { class: 'note' }, text(going.nonce ? 'sending' : 'waiting')));
    article.classList.add('gone');
    article.replaceChildren(meta);
  }

  /** Another tab has begun to delete something, or has stopped. */
  storageChanged(key) {
    for (const id of this.#going.keys()) if (!store.read(this.#goneKey(id)).until) this.settled(id);
    if (key?.startsWith(this.#goneKey(''))) this.recall();
    if (key === this.#likedKey) for (const entry of this.#thread.entries.values()) this.#showLikeCount(entry);
  }

  // Hearts
  get #liked() {
    return store.read(this.#likedKey);
  }

  get #likedKey() {
    return this.#writer.ownKey('liked');
  }

  /** The first news of hearts brings the buttons. */
  showLikes(ids) {
    const { entries } = this.#thread;
    const isFirst = !this.#hasHearts;
    this.#hasHearts = true;
    if (isFirst) for (const entry of entries.values()) this.#thread.redraw(entry, entry.line);
    for (const id of ids.map(Number)) {
      this.answered(id);
      this.#showLikeCount(entries.get(id));
    }
  }

  heart(entry) {
    entry.heart = this.#thread.act('like', entry, svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': true }, svg('path', { d: HEART })));
    entry.heart.append(el('span', {}));
    this.#showLikeCount(entry);
    return entry.heart;
  }

  #showLikeCount(entry) {
    if (!entry?.heart) return;
    const { text, likes } = this.#thread;
    const { id } = entry.line;
    const n = likes[id] > 0 ? text.number(likes[id]) : '';
    entry.heart.ariaPressed = Boolean(this.#liked[id]);
    entry.heart.lastChild.textContent = n;
    entry.heart.ariaLabel = `${text('like', { name: this.#thread.nameOf(entry.line) })} ${n}`.trim();
  }

  /** Shown at once, taken back if refused, with the reason. */
  like(entry) {
    const { likes } = this.#thread;
    const { id } = entry.line;
    const before = likes[id] ?? 0;
    const on = !this.#liked[id];
    const set = (isLiked, n, words) => {
      const { [id]: _, ...others } = this.#liked;
      store.set(this.#likedKey, JSON.stringify(isLiked ? { ...others, [id]: 1 } : others));
      this.#thread.likes[id] = n;
      this.#showLikeCount(entry);
      this.warn(entry, words);
    };
    set(on, before + (on ? 1 : -1));
    const nonce = this.ask(id, { like: id, on }, { complain: (words) => set(!on, before, words) });
    setTimeout(() => this.#asked.delete(nonce), LIKE_WAIT);
  }
}
