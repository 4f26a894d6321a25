/**
 * What this browser writes to one page: the field at the top, answers, and the outbox of what the server has not confirmed yet.
 *
 * Loaded by thread.js once it is connected, so that it is there when the connection no longer is; works on that thread.
 *
 * @typedef Request {content, name?, parent?, key, nonce} | {key} | {edit, content, key, nonce} | {delete, key, nonce} |
 *   {like, on, key, nonce} | {typing, name?}
 */

import { el, store } from './dom.js';
import { sentence } from './texts.js';
import { draft } from './view.js';

/** Times in ms. */
const TYPING_EVERY = 2_000;
const TYPING_SHOWN = 4_000;

const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36).padStart(7, 0)).join('');

export class Writer {
  /** By nonce: what waits to be a comment, `{item, entry, sent, note}`. */
  outbox = new Map();
  #Composer;
  #changes;
  #typed = 0;

  /** The classes of the modules that have come with this one. */
  constructor(thread, { Composer, Changes }) {
    this.thread = thread;
    this.#Composer = Composer;
    this.#changes = new Changes(this, thread);
    this.main = new Composer(thread, thread.main, {
      typing: () => this.#type(), send: (...said) => this.#post(...said),
      change: (draft) => store.set(thread.key('draft', thread.page), draft),
    });
    this.main.name.addEventListener('input', () => this.#remember({ name: this.main.name.value.trim() }));
    // Set early, since what is recalled may be sent, and answered, at once.
    thread.writer = this;
    for (const key of store.keys()) {
      const item = key.startsWith(thread.key('out', '')) ? store.read(key) : {};
      if (item.page === thread.page && item.content && !this.outbox.has(item.nonce)) this.#enqueue(item);
      const [verb, id] = key.startsWith(this.kept('')) ? key.split(' ').slice(-2) : [];
      const entry = thread.entries.get(Number(id));
      if (entry && store.get(key) && (verb === 'reply' || thread.isMine(entry.line))) this[verb](entry, true);
    }
    if (thread.me.key) thread.connection.send({ key: thread.me.key });
    if (thread.likes) this.showLikes([]);
    this.#show();
  }

  /** Where the text of a field in the list is kept, should the page go. */
  kept(...verbAndId) {
    return this.thread.key('field', this.thread.connection.log, ...verbAndId);
  }

  #remember(known) {
    store.set(this.thread.key('me'), JSON.stringify({ ...this.thread.me, ...known }));
  }

  #secret() {
    if (!this.thread.me.key) this.#remember({ key: random() });
    return this.thread.me.key;
  }

  #show() {
    this.thread.tidy();
    this.thread.showState();
  }

  // What goes
  #post(content, name, parent) {
    const { main } = this;
    const { page } = this.thread;
    if (name) this.#remember({ name });
    main.name.value = name;
    const item = { nonce: random(), page, content, name, parent };
    store.set(this.thread.key('out', item.nonce), JSON.stringify(item));
    if (!parent) {
      main.value = '';
      main.input.focus();
    }
    this.#enqueue(item);
    this.#typed = 0;
    this.#show();
  }

  #enqueue(item) {
    const entry = this.thread.draw({ ...item, author: this.thread.me.author }, Date.now() * 1000 + this.outbox.size);
    entry.item.classList.add('waits');
    const waiting = { item, entry, sent: false, note: el('span', { class: 'note' }) };
    entry.article.querySelector('.meta').append(' ', waiting.note);
    this.outbox.set(item.nonce, waiting);
    this.thread.hang(entry);
    this.#dispatch(waiting);
  }

  /** After the list was drawn anew. */
  hang() {
    for (const { entry } of this.outbox.values()) {
      entry.above = undefined;
      this.thread.hang(entry);
    }
  }

  async #dispatch(waiting) {
    const { content, name, parent, nonce } = waiting.item;
    const { connection } = this.thread;
    if (connection.challenge && !waiting.proof) {
      waiting.proof = import('./proof.js').then(({ prove }) => prove(nonce, content, connection.challenge));
      this.#mark(waiting, this.thread.text('sending'));
    }
    try {
      const proof = await waiting.proof;
      if (!waiting.sent && this.outbox.has(nonce)) {
        waiting.sent = connection.send({ content, name: name || undefined, parent, key: this.#secret(), nonce, proof });
      }
    } catch {
      // The module did not come; there is another try when the state changes.
      waiting.proof = undefined;
    }
    this.#mark(waiting);
  }

  #mark({ note, sent }, words = this.thread.text(sent ? 'sending' : 'waiting')) {
    note.textContent = words;
    note.classList.toggle('warn', !sent);
  }

  /** Sends a request of one's own with a nonce, unless there is no connection. */
  request(request) {
    const nonce = random();
    return this.thread.connection.send({ ...request, key: this.#secret(), nonce }) ? nonce : undefined;
  }

  // What comes back
  acknowledge(line) {
    const waiting = this.outbox.get(line.nonce);
    if (!waiting) return;
    if (line.author) this.#remember({ author: line.author });
    this.#discard(waiting);
    this.thread.place(line);
    this.thread.tell('posted', line);
  }

  #discard({ item, entry }) {
    this.outbox.delete(item.nonce);
    store.set(this.thread.key('out', item.nonce), '');
    this.thread.drop(entry);
    this.thread.showState();
  }

  stateChanged() {
    const { connection, me } = this.thread;
    for (const waiting of this.outbox.values()) {
      waiting.sent &&= connection.isReady;
      if (connection.isReady) this.#dispatch(waiting);
      else this.#mark(waiting);
    }
    if (me.key) connection.send({ key: me.key });
    if (!connection.isReady) this.#changes.giveUp();
  }

  /** The text goes back to its field, with the reason; where waiting helps, it waits. */
  refused({ error, lost, nonce, retry_after: seconds = lost && 2 }) {
    const { thread } = this;
    const words = lost ? thread.text('notLive') : sentence(error);
    const waiting = this.outbox.get(nonce);
    if (waiting && seconds) {
      waiting.sent = false;
      this.#mark(waiting, words);
      setTimeout(() => this.outbox.has(nonce) && thread.connection.isReady && this.#dispatch(waiting), seconds * 1000);
      return;
    }
    let composer = this.#changes.refused(nonce) ?? this.main;
    if (waiting) {
      this.#discard(waiting);
      composer = this.#giveBack(waiting.item.content, thread.entries.get(waiting.item.parent));
    }
    composer.complain(words);
    thread.tidy();
  }

  // Fields
  /** To where it was typed, before what has been typed there since. */
  #giveBack(content, above) {
    if (above) this.reply(above);
    const composer = above?.reply ?? this.main;
    composer.value = [content, composer.value].filter(Boolean).join('\n\n');
    return composer;
  }

  /** A field that goes: its text is kept with what is being written as a comment. */
  moveOut(composer) {
    composer.does.change('');
    this.#giveBack(composer.value);
  }

  /** What was being written below comments that are drawn no more. */
  rescue(before) {
    for (const { line, reply, editing } of before.values()) {
      const now = this.thread.entries.get(line.id);
      // Another log, or one that has gone back, gives ids again.
      const entry = now?.line.created_at === line.created_at ? now : undefined;
      for (const [verb, composer] of Object.entries({ reply, edit: editing })) {
        if (!composer?.value) continue;
        if (entry) this[verb](entry, true).value = composer.value;
        else this.moveOut(composer);
      }
    }
  }

  compose(does) {
    return new this.#Composer(this.thread, draft(this.thread.text, does), does);
  }

  reply(entry, isAgain) {
    const { thread } = this;
    const kept = this.kept('reply', entry.line.id);
    const close = () => {
      store.set(kept, '');
      entry.reply.form.remove();
      thread.touch(entry);
      thread.tidy();
      thread.settle(entry);
    };
    entry.reply ??= this.compose({
      name: this.main.name.value, cancel: close, placeholder: thread.text('answer', { name: thread.nameOf(entry.line) }),
      typing: () => this.#type(), change: (text) => store.set(kept, text),
      send: (content, name) => {
        entry.reply.value = '';
        thread.fold(entry, false);
        this.#post(content, name, entry.line.id);
        close();
      },
    });
    entry.reply.value ||= store.get(kept) ?? '';
    entry.article.after(entry.reply.form);
    if (!isAgain) entry.reply.input.focus();
    return entry.reply;
  }

  // Of change.js
  edit = (...asked) => this.#changes.edit(...asked);
  delete = (entry) => this.#changes.delete(entry);
  like = (entry) => this.#changes.like(entry);
  heart = (entry) => this.#changes.heart(entry);
  showLikes = (ids) => this.#changes.showLikes(ids);
  answered = (id) => this.#changes.answered(id);

  // Typing
  get isTyping() {
    return Date.now() - this.#typed < TYPING_SHOWN;
  }

  #type() {
    const now = Date.now();
    if (now - this.#typed < TYPING_EVERY) return;
    this.#typed = now;
    this.thread.connection.send({ typing: true, name: this.main.name.value.trim() || undefined });
  }
}
