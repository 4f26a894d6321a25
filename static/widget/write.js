/**
 * What this browser writes to one page: the field at the top, answers, who one is, and what the server says to it.
 *
 * Loaded by thread.js once it is connected, so that it is there when the connection no longer is; works on that thread.
 *
 * @typedef Request {content, name?, parent?, key, nonce} | {key} | {edit, content, key, nonce} | {delete, key, nonce} |
 *   {like, on, key, nonce} | {flag, key, nonce} | {typing}; with user.js `user` instead of `key` and `name`, and {edit, status, user, nonce}
 */

import { button, store } from './dom.js';
import { draft, showState } from './frame.js';
import { learn } from './texts.js';
import { isShown } from './view.js';

const TEXTS = {
  answer: 'Answer {name}…', cancel: 'Cancel', copied: 'The link is copied.', copy: 'Copy link', delete: 'Delete', edit: 'Edit',
  examples: 'emphasis,strong,code,a link,a quote,a list', flag: 'Flag', flagged: 'Flagged. Thank you.', keep: 'Keep', left: '{n} left', like: 'Like the comment by {name}',
  long: 'This is {bytes} bytes long; at most {max} fit.', mine: 'Your comments', missing: 'Write something first.', over: '{n} too many',
  preview: 'Preview', save: 'Save', sending: 'sending…', sure: 'Delete for good?', undo: 'Undo', waiting: 'waits for the connection',
  write: 'Write',
  held: { one: 'Offline: {n} comment waits here', other: 'Offline: {n} comments wait here' },
};
learn(TEXTS);

/** ms */
const TYPING_EVERY = 2_000;

const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36).padStart(7, 0)).join('');

export class Writer {
  #Composer;
  #changes;
  #menu;
  #typed = 0;
  /** Who one was when one last looked. */
  #key;
  #author;
  /** Where it was said that the host page's word has run out. */
  #expired;
  /** Of answers.js, for who has written something. */
  answers = null;

  /** The classes of the modules that have come with this one. */
  constructor(thread, { Composer, Changes, Menu, Drafts, Outbox, User }) {
    this.thread = thread;
    thread.user = User && new User(thread);
    this.outbox = new Outbox(thread, (request) => this.#send(request));
    this.#Composer = Composer;
    this.#changes = new Changes(this, thread);
    this.#menu = new Menu(this, thread);
    const draftKey = thread.key('draft', thread.page);
    this.drafts = new Drafts((key) => key === draftKey || key.startsWith(this.kept('')));
    this.main = new Composer(thread, thread.main, {
      typing: () => this.#type(), send: (...said) => this.#post(...said),
      change: (draft) => this.drafts.set(draftKey, draft),
    });
    // Before what has been typed since the page came.
    const recalled = this.drafts.get(draftKey);
    if (recalled) this.main.value = [recalled, this.main.value].filter(Boolean).join('\n\n');
    thread.user?.dress(this.main);
    this.main.name.addEventListener('input', () => this.#remember({ name: this.main.name.value.trim() }));
    // Set early, since what is recalled may be sent, and answered, at once.
    thread.writer = this;
    this.outbox.recall();
    for (const key of this.drafts.keys()) {
      const [verb, id] = key.startsWith(this.kept('')) ? key.split(' ').slice(-2) : [];
      const entry = thread.entries.get(Number(id));
      if (entry && (verb === 'reply' || thread.isMine(entry.line))) this[verb](entry, true);
    }
    this.#changes.recall();
    this.#author = thread.me.author;
    this.#introduce();
    thread.foot.prepend(button('own', () => this.mine(), thread.text('mine')));
    if (thread.likes) this.showLikes([]);
    this.#followAnswers();
    this.#show();
  }

  /** Where the text of a field in the list is kept, should the page go. */
  kept(...verbAndId) {
    return this.thread.key('field', this.thread.connection.log, ...verbAndId);
  }

  /** Where it is kept what one has done to comments of this log. */
  ownKey(what) {
    const { thread } = this;
    return thread.key(what, thread.connection.log, ...thread.user ? [thread.me.id] : []);
  }

  #remember(known) {
    const { thread } = this;
    if (!thread.user) store.set(thread.key('me'), JSON.stringify({ ...thread.me, ...known }));
  }

  #secret() {
    if (!this.thread.me.key) {
      this.#remember({ key: random() });
      this.#introduce();
    }
    return this.thread.me.key;
  }

  // Other tabs
  /** Something kept has changed in another tab of this browser, or all of it. */
  storageChanged(key) {
    const { thread, main } = this;
    if (key !== null && !key.startsWith(thread.key(''))) return;
    const { me } = thread;
    if (!main.name.matches(':focus')) main.name.value = me.name ?? '';
    if (me.key && me.key !== this.#key) this.#introduce();
    if (me.author !== this.#author) {
      for (const entry of thread.entries.values()) {
        if (entry.line.author && [me.author, this.#author].includes(entry.line.author)) thread.redraw(entry, entry.line);
      }
      this.#author = me.author;
      thread.tidy();
    }
    this.#changes.storageChanged(key);
  }

  /** The server counts all of one's tabs as one reader, and knows who is typing. */
  #introduce() {
    this.#key = this.thread.me.key;
    if (this.thread.user) this.thread.user.introduce();
    else if (this.#key) this.thread.connection.send({ key: this.#key });
  }

  /** The host page says anew who one is; answers whether that is who one was. */
  renew() {
    const isSame = this.thread.user?.renew();
    if (isSame) {
      this.#expired?.complain('');
      this.#introduce();
    }
    return isSame;
  }

  leave() {
    this.drafts.leave();
  }

  comeBack() {
    this.drafts.take();
  }

  #show() {
    this.thread.tidy();
    showState(this.thread);
  }

  // What goes
  #post(content, name, parent) {
    const { main } = this;
    const { page } = this.thread;
    if (name) this.#remember({ name });
    main.name.value = name;
    this.outbox.put({ nonce: random(), page, content, name, parent, by: this.thread.me.id });
    if (!parent) {
      main.value = '';
      // On a touch screen the keyboard would hide what has been written.
      if (matchMedia('(pointer: coarse)').matches) main.input.blur();
      else main.input.focus();
    }
    this.#typed = 0;
    this.#show();
  }

  /** Sends a request of one's own with a nonce, unless there is no connection. */
  request(request) {
    const nonce = random();
    return this.#send({ ...request, nonce }) ? nonce : undefined;
  }

  #send(request) {
    const { connection, user } = this.thread;
    return connection.send({ ...request, ...user ? { user: user.me.user } : { key: this.#secret() } });
  }

  // What comes back
  acknowledge(line) {
    if (!isShown(line)) this.#changes.settled(line.id);
    if (!this.outbox.take(line.nonce)) return;
    if (line.author) {
      this.#author = line.author;
      this.#remember({ author: line.author });
    }
    this.thread.place(line);
    this.#followAnswers();
    this.answers?.take(line);
    this.thread.tell('posted', line);
  }

  async #followAnswers() {
    const { thread } = this;
    if (this.answers === null && thread.me.author) {
      this.answers = undefined;
      this.answers = await thread.bring('answers').then(({ answersOf }) => answersOf(thread)).catch(() => null);
    }
  }

  stateChanged() {
    this.outbox.stateChanged();
    this.#introduce();
    this.#followAnswers();
    this.#changes.stateChanged();
  }

  /** The text goes back to its field, with the reason; where waiting helps, it waits. */
  async refused(notice) {
    const { thread } = this;
    const { lost, nonce, retry_after: seconds = lost && 2 } = notice;
    if (seconds && this.#changes.postpone(nonce, seconds)) return;
    const say = lost ? () => thread.text('notLive') : await this.inWords(notice);
    if (seconds && this.outbox.postpone(nonce, seconds, say)) return;
    // A conversation that has closed says so in the place of the field.
    const isClosed = notice.code === 'page_locked';
    if (isClosed) await thread.moderate({ locked: true });
    const words = isClosed ? '' : say(seconds);
    let composer = this.#changes.refused(nonce, notice.code) ?? this.main;
    const item = this.outbox.take(nonce);
    if (item) composer = this.#giveBack(item.content, thread.entries.get(item.parent));
    composer.complain(words);
    thread.tidy();
    if (notice.error) thread.tell('error', notice);
    if (notice.code !== 'user_expired') return;
    this.#expired = composer;
    thread.tell('expired', notice);
  }

  /** What a server refuses, as a function that says it so many seconds before it may be tried again. */
  async inWords(notice) {
    const { inWords } = await this.thread.bring('refusal').catch(() => ({}));
    return inWords ? inWords(this.thread, notice) : () => notice.error;
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
    const made = new this.#Composer(this.thread, draft(this.thread.text, does), does);
    this.thread.user?.dress(made);
    return made;
  }

  reply(entry, isAgain) {
    const { thread } = this;
    const kept = this.kept('reply', entry.line.id);
    const close = () => {
      this.drafts.set(kept, '');
      entry.reply.form.remove();
      thread.touch(entry);
      thread.tidy();
      thread.settle(entry);
    };
    entry.reply ??= this.compose({
      name: this.main.name.value, cancel: close, placeholder: thread.text('answer', { name: thread.nameOf(entry.line) }),
      typing: () => this.#type(), change: (text) => this.drafts.set(kept, text),
      send: (content, name) => {
        entry.reply.value = '';
        thread.fold(entry, false);
        this.#post(content, name, entry.line.id);
        close();
      },
    });
    entry.reply.value ||= this.drafts.get(kept);
    entry.article.after(entry.reply.form);
    if (thread.locked) thread.moderation.close(entry.reply.form);
    else if (!isAgain) entry.reply.input.focus();
    return entry.reply;
  }

  /** All that one has written on this server. */
  async mine() {
    const { thread, main } = this;
    const { show } = await thread.bring('mine').catch(() => ({}));
    await (show?.(thread) ?? Promise.reject()).catch(() => main.complain(thread.text('notLive')));
  }

  // Of menu.js
  dots = (entry) => this.#menu.toggle(entry);
  flagged = (id) => this.#menu.flagged(id);

  hang = () => this.outbox.hang();

  // Of change.js
  ask = (...asked) => this.#changes.ask(...asked);
  warn = (...said) => this.#changes.warn(...said);
  edit = (...asked) => this.#changes.edit(...asked);
  delete = (entry) => this.#changes.delete(entry);
  conceal = (entry) => this.#changes.conceal(entry);
  like = (entry) => this.#changes.like(entry);
  heart = (entry) => this.#changes.heart(entry);
  showLikes = (ids) => this.#changes.showLikes(ids);
  answered = (id) => this.#changes.answered(id);
  redrawn = (entry) => this.#changes.redrawn(entry);

  // Typing
  #type() {
    const now = Date.now();
    if (now - this.#typed < TYPING_EVERY) return;
    this.#typed = now;
    const { connection, page } = this.thread;
    // So that no tab of this browser shows it.
    store.set(this.thread.key('typed', page), String(now));
    connection.send({ typing: true });
  }
}
