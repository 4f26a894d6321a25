/**
 * What people who write need: fields that come to life, the outbox, editing, deleting, hearts. Loaded by embed.js once it is
 * connected, so that it is there when the connection no longer is; works on its Thread.
 *
 * @typedef Request {content, name?, parent?, key, nonce} | {key} | {edit, content, key, nonce} | {delete, key, nonce} |
 *   {like, on, key, nonce} | {typing, name?}
 */

const CONTENT_BYTES_MAX = 8192;
const LEFT_SHOWN = 500;
const LEFT_NEAR = 100;
const TYPING_EVERY = 2_000;
const TYPING_SHOWN = 4_000;
const LIKE_WAIT = 10_000;

const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36).padStart(7, 0)).join('');

const HEART = 'M8 13.6 2.4 8a3.5 3.5 0 0 1 5-5l.6.6.6-.6a3.5 3.5 0 0 1 5 5z';
const bytes = (string) => new TextEncoder().encode(string).length;
const GROWS = CSS.supports('field-sizing', 'content');

/** A field that counts, grows, shows a preview and says what is wrong. */
class Composer {
  constructor(text, { button, el }, fields, does) {
    Object.assign(this, fields);
    this.text = text;
    this.does = does;
    this.el = el;
    this.look = button('look', () => this.#look(), text('preview'));
    this.hint.after(this.look);
    const pressed = (event) => this.#pressed(event);
    this.input.addEventListener('input', () => this.#changed());
    this.input.addEventListener('keydown', pressed);
    this.name.addEventListener('keydown', pressed);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    this.#changed(true);
  }

  get value() {
    return this.input.value;
  }

  set value(value) {
    this.input.value = value;
    if (this.shown) this.#look();
    this.#changed();
  }

  complain(words) {
    this.sent = false;
    this.error.textContent = words;
    this.form.classList.toggle('bad', words !== '');
    this.input.ariaInvalid = words ? 'true' : null;
    this.input.ariaDescribedByElements = words ? [this.error] : null;
  }

  #changed(isFirst) {
    if (!GROWS) {
      this.input.style.height = 'auto';
      this.input.style.height = `${this.input.scrollHeight}px`;
    }
    const { text, value } = this;
    const isEmpty = !value.trim();
    const left = CONTENT_BYTES_MAX - bytes(value.trim());
    this.hint.textContent = left < 0 ? text('over', { n: -left }) : left < LEFT_SHOWN ? text('left', { n: left }) : text('markdown');
    this.hint.classList.toggle('near', left < LEFT_NEAR);
    this.look.hidden = isEmpty;
    this.hint.hidden = left >= LEFT_SHOWN && !isEmpty;
    if (isFirst) return;
    if (this.error.textContent) this.complain('');
    this.does.change?.(value);
    if (!isEmpty && this.input.matches(':focus')) this.does.typing?.();
  }

  async #look() {
    const isShown = !this.shown;
    const { preview } = isShown ? await import('./preview.js').catch(() => ({})) : {};
    if (isShown && !preview) return this.complain(this.text('notLive'));
    this.shown?.remove();
    this.shown = preview && this.el('div', { class: 'text preview', dir: 'auto', tabindex: 0 }, preview(this.value));
    if (isShown) this.input.before(this.shown);
    this.input.hidden = isShown;
    this.look.textContent = this.text(isShown ? 'write' : 'preview');
    (this.shown ?? this.input).focus();
  }

  #pressed(event) {
    if (event.isComposing) return;
    // What has been typed is thrown away by a button alone.
    if (event.key === 'Escape' && this.value === (this.does.before ?? '')) this.does.cancel?.();
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.submit();
  }

  submit() {
    const content = this.value.trim();
    const size = bytes(content);
    if (content && size <= CONTENT_BYTES_MAX) {
      this.complain('');
      this.does.send(content, this.name.value.trim());
      return;
    }
    this.complain(this.text(content ? 'long' : 'missing', { bytes: size, max: CONTENT_BYTES_MAX }));
    this.input.focus();
  }
}

/** What this browser has written to one page and the server has not confirmed yet. */
export class Writer {
  /** By nonce: what waits to be a comment, `{item, entry, sent, note}`. */
  outbox = new Map();
  /** By nonce: what waits for an answer, `{id, composer}`. */
  #asked = new Map();
  #typed = 0;

  constructor(thread, tools) {
    this.thread = thread;
    this.tools = tools;
    const { store } = tools;
    this.main = new Composer(thread.text, tools, thread.main, {
      typing: () => this.#type(), send: (...said) => this.#post(...said),
      change: (draft) => store.set(thread.key('draft', thread.page), draft),
    });
    this.main.name.addEventListener('input', () => this.#remember({ name: this.main.name.value.trim() }));
    // Set early, since what is recalled may be sent, and answered, at once.
    thread.writer = this;
    for (const key of store.keys()) {
      const item = key.startsWith(thread.key('out', '')) ? store.read(key) : {};
      if (item.page === thread.page && item.content && !this.outbox.has(item.nonce)) this.#enqueue(item);
      const [verb, id] = key.startsWith(this.#kept('')) ? key.split(' ').slice(-2) : [];
      const entry = thread.entries.get(Number(id));
      if (entry && store.get(key) && (verb === 'reply' || thread.isMine(entry.line))) this[verb](entry, true);
    }
    if (thread.me.key) thread.wire.send({ key: thread.me.key });
    if (thread.likes) this.showLikes([]);
    this.#show();
  }

  /** Where the text of a field in the list is kept, should the page go. */
  #kept(...verbAndId) {
    return this.thread.key('field', this.thread.wire.log, ...verbAndId);
  }

  #remember(known) {
    this.tools.store.set(this.thread.key('me'), JSON.stringify({ ...this.thread.me, ...known }));
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
    this.tools.store.set(this.thread.key('out', item.nonce), JSON.stringify(item));
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
    const waiting = { item, entry, sent: false, note: this.tools.el('span', { class: 'note' }) };
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
    const { wire } = this.thread;
    if (wire.challenge && !waiting.proof) {
      waiting.proof = import('./proof.js').then(({ prove }) => prove(nonce, content, wire.challenge));
      this.#mark(waiting, this.thread.text('sending'));
    }
    try {
      const proof = await waiting.proof;
      if (!waiting.sent && this.outbox.has(nonce)) {
        waiting.sent = wire.send({ content, name: name || undefined, parent, key: this.#secret(), nonce, proof });
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
    this.tools.store.set(this.thread.key('out', item.nonce), '');
    this.thread.drop(entry);
    this.thread.showState();
  }

  stateChanged() {
    const { wire, me } = this.thread;
    for (const waiting of this.outbox.values()) {
      waiting.sent &&= wire.isReady;
      if (wire.isReady) this.#dispatch(waiting);
      else this.#mark(waiting);
    }
    if (me.key) wire.send({ key: me.key });
    if (wire.isReady) return;
    for (const { composer } of this.#asked.values()) composer.complain(this.thread.text('notLive'));
    this.#asked.clear();
  }

  /** The text goes back to its field, with the reason; where waiting helps, it waits. */
  refused({ error, lost, nonce, retry_after: seconds = lost && 2 }) {
    const { thread } = this;
    const words = lost ? thread.text('notLive') : this.tools.sentence(error);
    const waiting = this.outbox.get(nonce);
    if (waiting && seconds) {
      waiting.sent = false;
      this.#mark(waiting, words);
      setTimeout(() => this.outbox.has(nonce) && thread.wire.isReady && this.#dispatch(waiting), seconds * 1000);
      return;
    }
    let composer = this.#asked.get(nonce)?.composer ?? this.main;
    this.#asked.delete(nonce);
    if (waiting) {
      this.#discard(waiting);
      composer = this.#giveBack(waiting.item.content, thread.entries.get(waiting.item.parent));
    }
    composer.complain(words);
    thread.tidy();
  }

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
      const entry = this.thread.entries.get(line.id);
      for (const [verb, composer] of Object.entries({ reply, edit: editing })) {
        if (!composer?.value) continue;
        if (entry) this[verb](entry, true).value = composer.value;
        else this.moveOut(composer);
      }
    }
  }

  #compose(does) {
    return new Composer(this.thread.text, this.tools, this.tools.draft(this.thread.text, does), does);
  }

  reply(entry, isAgain) {
    const { thread } = this;
    const kept = this.#kept('reply', entry.line.id);
    const close = () => {
      this.tools.store.set(kept, '');
      entry.reply.form.remove();
      thread.touch(entry);
      thread.tidy();
      thread.settle(entry);
    };
    entry.reply ??= this.#compose({
      name: this.main.name.value, cancel: close, placeholder: thread.text('answer', { name: thread.nameOf(entry.line) }),
      typing: () => this.#type(), change: (text) => this.tools.store.set(kept, text),
      send: (content, name) => {
        entry.reply.value = '';
        thread.fold(entry, false);
        this.#post(content, name, entry.line.id);
        close();
      },
    });
    entry.reply.value ||= this.tools.store.get(kept) ?? '';
    entry.article.after(entry.reply.form);
    if (!isAgain) entry.reply.input.focus();
    return entry.reply;
  }

  // One's own
  edit(entry, isAgain) {
    const { thread } = this;
    const kept = this.#kept('edit', entry.line.id);
    const change = (text) => this.tools.store.set(kept, text === entry.line.content ? '' : text);
    const close = () => {
      change('');
      entry.editing = undefined;
      thread.redraw(entry, entry.line);
      thread.tidy();
      thread.settle(entry);
    };
    const composer = this.#compose({
      verb: 'save', before: entry.line.content, cancel: close, change,
      send: (changed) => {
        if (changed === entry.line.content) close();
        else this.#ask(entry.line.id, { edit: entry.line.id, content: changed }, composer);
      },
    });
    entry.editing = composer;
    composer.value = this.tools.store.get(kept) || entry.line.content;
    entry.article.querySelector('.text').replaceWith(composer.form);
    entry.article.querySelector('.actions').replaceChildren();
    if (!isAgain) composer.input.focus();
    return composer;
  }

  delete(entry) {
    const { button, el } = this.tools;
    const { text } = this.thread;
    const row = entry.article.querySelector('.actions');
    const restore = () => {
      this.thread.redraw(entry, entry.line);
      this.thread.tidy();
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

  #warn(entry, words) {
    const row = entry.article.querySelector('.actions');
    row.querySelector('.warn')?.remove();
    if (words) row.append(this.tools.el('span', { class: 'warn', role: 'alert' }, words));
  }

  // Hearts
  get #liked() {
    return this.tools.store.read(this.thread.key('liked', this.thread.wire.log));
  }

  /** The first news of hearts brings the buttons. */
  showLikes(ids) {
    const { entries } = this.thread;
    const isFirst = !this.hasHearts;
    this.hasHearts = true;
    if (isFirst) for (const entry of entries.values()) this.thread.redraw(entry, entry.line);
    for (const id of ids.map(Number)) {
      this.answered(id);
      this.#beat(entries.get(id));
    }
  }

  heart(entry) {
    const { el, svg } = this.tools;
    entry.heart = this.thread.act('like', entry, svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': true }, svg('path', { d: HEART })));
    entry.heart.append(el('span', {}));
    this.#beat(entry);
    return entry.heart;
  }

  #beat(entry) {
    if (!entry?.heart) return;
    const { text, likes } = this.thread;
    const { id } = entry.line;
    const n = likes[id] > 0 ? text.number(likes[id]) : '';
    entry.heart.ariaPressed = Boolean(this.#liked[id]);
    entry.heart.lastChild.textContent = n;
    entry.heart.ariaLabel = `${text('like')} ${n}`.trim();
  }

  /** Shown at once, taken back if refused, with the reason. */
  like(entry) {
    const { thread } = this;
    const { id } = entry.line;
    const before = thread.likes[id] ?? 0;
    const on = !this.#liked[id];
    const set = (isLiked, n, words) => {
      const { [id]: _, ...others } = this.#liked;
      this.tools.store.set(thread.key('liked', thread.wire.log), JSON.stringify(isLiked ? { ...others, [id]: 1 } : others));
      thread.likes[id] = n;
      this.#beat(entry);
      this.#warn(entry, words);
    };
    set(on, before + (on ? 1 : -1));
    const nonce = this.#ask(id, { like: id, on }, { complain: (words) => set(!on, before, words) });
    setTimeout(() => this.#asked.delete(nonce), LIKE_WAIT);
  }

  #ask(id, request, composer) {
    const nonce = random();
    if (this.thread.wire.send({ ...request, key: this.#secret(), nonce })) {
      composer.sent = true;
      this.#asked.set(nonce, { id, composer });
    } else {
      composer.complain(this.thread.text('notLive'));
    }
    return nonce;
  }

  answered(id) {
    for (const [nonce, asked] of this.#asked) {
      if (asked.id !== id) continue;
      this.#asked.delete(nonce);
      asked.composer.does?.change('');
    }
  }

  // Typing
  get isTyping() {
    return Date.now() - this.#typed < TYPING_SHOWN;
  }

  #type() {
    const now = Date.now();
    if (now - this.#typed < TYPING_EVERY) return;
    this.#typed = now;
    this.thread.wire.send({ typing: true, name: this.main.name.value.trim() || undefined });
  }
}
