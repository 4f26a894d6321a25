/** What one does to a comment that is there: edit and delete one's own, like any. Loaded with write.js. */

import { button, el, store, svg } from './dom.js';

/** ms */
const LIKE_WAIT = 10_000;
const HEART = 'M8 13.6 2.4 8a3.5 3.5 0 0 1 5-5l.6.6.6-.6a3.5 3.5 0 0 1 5 5z';

export class Changes {
  #writer;
  #thread;
  /** By nonce: what waits for an answer, `{id, composer}`. */
  #asked = new Map();
  #hasHearts = false;

  constructor(writer, thread) {
    this.#writer = writer;
    this.#thread = thread;
  }

  #ask(id, request, composer) {
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
  refused(nonce) {
    const composer = this.#asked.get(nonce)?.composer;
    this.#asked.delete(nonce);
    return composer;
  }

  /** The connection is gone, and the answers with it. */
  giveUp() {
    for (const { composer } of this.#asked.values()) composer.complain(this.#thread.text('notLive'));
    this.#asked.clear();
  }

  #warn(entry, words) {
    const row = entry.article.querySelector('.actions');
    row.querySelector('.warn')?.remove();
    if (words) row.append(el('span', { class: 'warn', role: 'alert' }, words));
  }

  // One's own
  edit(entry, isAgain) {
    const thread = this.#thread;
    const kept = this.#writer.kept('edit', entry.line.id);
    const change = (text) => store.set(kept, text === entry.line.content ? '' : text);
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
        else this.#ask(entry.line.id, { edit: entry.line.id, content: changed }, composer);
      },
    });
    entry.editing = composer;
    composer.value = store.get(kept) || entry.line.content;
    entry.article.querySelector('.text').replaceWith(composer.form);
    entry.article.querySelector('.actions').replaceChildren();
    if (!isAgain) composer.input.focus();
    return composer;
  }

  delete(entry) {
    const thread = this.#thread;
    const { text } = thread;
    const row = entry.article.querySelector('.actions');
    const restore = () => {
      thread.redraw(entry, entry.line);
      thread.tidy();
    };
    const complain = (words) => {
      restore();
      this.#warn(entry, words);
    };
    const keep = button('keep', restore, text('keep'));
    const act = () => this.#ask(entry.line.id, { delete: entry.line.id }, { complain });
    row.replaceChildren(el('span', { class: 'warn' }, text('sure')), button('delete', act, text('delete')), keep);
    row.addEventListener('keydown', ({ key }) => key === 'Escape' && restore());
    keep.focus();
  }

  // Hearts
  get #liked() {
    return store.read(this.#likedKey);
  }

  get #likedKey() {
    return this.#thread.key('liked', this.#thread.connection.log);
  }

  /** The first news of hearts brings the buttons. */
  showLikes(ids) {
    const { entries } = this.#thread;
    const isFirst = !this.#hasHearts;
    this.#hasHearts = true;
    if (isFirst) for (const entry of entries.values()) this.#thread.redraw(entry, entry.line);
    for (const id of ids.map(Number)) {
      this.answered(id);
      this.#beat(entries.get(id));
    }
  }

  heart(entry) {
    entry.heart = this.#thread.act('like', entry, svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': true }, svg('path', { d: HEART })));
    entry.heart.append(el('span', {}));
    this.#beat(entry);
    return entry.heart;
  }

  #beat(entry) {
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
      this.#beat(entry);
      this.#warn(entry, words);
    };
    set(on, before + (on ? 1 : -1));
    const nonce = this.#ask(id, { like: id, on }, { complain: (words) => set(!on, before, words) });
    setTimeout(() => this.#asked.delete(nonce), LIKE_WAIT);
  }
}
