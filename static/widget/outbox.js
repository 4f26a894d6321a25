/**
 * Comments that the server has not confirmed yet: shown in their places, sent, and kept in the browser until they are confirmed or
 * refused. Loaded with write.js; works on its thread.
 */

import { el, store } from './dom.js';
import { showState } from './frame.js';

export class Outbox {
  #thread;
  #send;
  /** By nonce: `{item, entry, note, sent, proof, again}`. */
  #waiting = new Map();

  /** `send` sends a request of one's own, and tells whether there was a connection. */
  constructor(thread, send) {
    this.#thread = thread;
    this.#send = send;
  }

  get size() {
    return this.#waiting.size;
  }

  #key(nonce) {
    return this.#thread.key('out', nonce);
  }

  /** What was written to this page and not confirmed before it went. */
  recall() {
    for (const key of store.keys()) {
      const item = key.startsWith(this.#key('')) ? store.read(key) : {};
      const isOurs = item.page === this.#thread.page && item.by === this.#thread.me.id;
      if (isOurs && item.content && !this.#waiting.has(item.nonce)) this.#add(item);
    }
  }

  /** `item` is `{nonce, page, content, name, parent, by}`; the last is the host page's user, who alone sends it. */
  put(item) {
    store.set(this.#key(item.nonce), JSON.stringify(item));
    this.#add(item);
  }

  #add(item) {
    const thread = this.#thread;
    // After all that is there, and in the order of writing.
    const entry = thread.draw({ ...item, author: thread.me.author }, `~${Date.now() * 1000 + this.size}`);
    entry.item.classList.add('waits');
    const waiting = { item, entry, sent: false, note: el('span', { class: 'note' }) };
    entry.article.querySelector('.meta').append(' ', waiting.note);
    this.#waiting.set(item.nonce, waiting);
    thread.hang(entry);
    this.#dispatch(waiting);
  }

  /** Removes what is confirmed or refused; answers with it, if it is from here. */
  take(nonce) {
    const waiting = this.#waiting.get(nonce);
    if (!waiting) return undefined;
    clearTimeout(waiting.again);
    this.#waiting.delete(nonce);
    store.set(this.#key(nonce), '');
    this.#thread.drop(waiting.entry);
    showState(this.#thread);
    return waiting.item;
  }

  /** After the list was drawn anew. */
  hang() {
    for (const { entry } of this.#waiting.values()) {
      entry.above = undefined;
      this.#thread.hang(entry);
    }
  }

  async #dispatch(waiting) {
    const { content, name, parent, nonce } = waiting.item;
    const { connection, text } = this.#thread;
    clearTimeout(waiting.again);
    if (connection.challenge && !waiting.proof) {
      waiting.proof = import('./proof.js').then(({ prove }) => prove(nonce, content, connection.challenge));
      this.#mark(waiting, text('sending'));
    }
    try {
      const proof = await waiting.proof;
      if (!waiting.sent && this.#waiting.has(nonce)) waiting.sent = this.#send({ content, name: name || undefined, parent, nonce, proof });
    } catch {
      // The module did not come; there is another try when the state changes.
      waiting.proof = undefined;
    }
    this.#mark(waiting);
  }

  #mark({ note, sent }, words = this.#thread.text(sent ? 'sending' : 'waiting')) {
    note.textContent = words;
    note.classList.toggle('warn', !sent);
  }

  stateChanged() {
    const { isReady } = this.#thread.connection;
    for (const waiting of this.#waiting.values()) {
      waiting.sent &&= isReady;
      if (isReady) this.#dispatch(waiting);
      else this.#mark(waiting);
    }
  }

  /** Sends it again after so many seconds, which `say` counts down; answers whether it is from here. */
  postpone(nonce, seconds, say) {
    const waiting = this.#waiting.get(nonce);
    if (!waiting) return false;
    waiting.sent = false;
    clearTimeout(waiting.again);
    this.#countDown(waiting, say, Date.now() + seconds * 1000);
    return true;
  }

  #countDown(waiting, say, end) {
    const left = end - Date.now();
    if (left > 0) {
      this.#mark(waiting, say(Math.ceil(left / 1000)));
      waiting.again = setTimeout(() => this.#countDown(waiting, say, end), left % 1000 || 1000);
    } else if (this.#thread.connection.isReady) {
      this.#dispatch(waiting);
    }
  }
}
