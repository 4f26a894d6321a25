/**
 * What moderators do, as readers see it: pinned comments first, marks, a closed conversation, and reasons given to an author. Loaded by
 * thread.js where there is any of it; works on that thread.
 */

import { el } from './dom.js';
import { namesake } from './namesake.js';
import { learn } from './texts.js';
import { verified } from './verified.js';
import { isShown, rankOf, rove } from './view.js';

const TEXTS = {
  author: 'Author', because: '{what}: {reason}', closed: 'This conversation is closed.', deleted_by: 'Deleted by a moderator',
  edited_by: 'edited by a moderator', hidden_by: 'Hidden by a moderator', moderator: 'A moderator', pinned: 'Pinned',
};
learn(TEXTS);

/** How long a history waits for pinned threads that it does not have, ms. */
const PINNED_WAIT = 3_000;
/** How much of a pseudonym tells it from a moderator's name. */
const PSEUDONYM_CHARS = 6;
/** What is done to a comment that leaves nothing of it. */
const GONE = { hide: 'hidden_by', delete: 'deleted_by' };

const mark = (name, words) => el('span', { class: `mark ${name}` }, words);

export class Moderation {
  #thread;
  /** Ids, the newest last; with which line that has changed last, in which run of the server. */
  #pinned = [];
  #seq = 0;
  #mark = '';
  /** Threads of pinned comments that came before the history that lacks them, and the ids of those asked for. */
  #early = new Map();
  #asked = new Set();
  /** What moderators are called, as namesake.js writes it. */
  #names = new Set();
  /** What moderators have said about one's own comments, by id. */
  #notes = new Map();
  /** By id: one's own comments that are gone, where no history has them. */
  #placeholders = new Map();

  constructor(thread) {
    this.#thread = thread;
    // Drawn before this module came.
    for (const entry of thread.entries.values()) this.redrawn(entry);
  }

  /** Takes from a hello, a history or a notice what it says of moderators; resolves once what a history lacks is there. */
  async take({ log, mark, seq, locked, pinned = [], moderators = [], note, comments = [] }) {
    const thread = this.#thread;
    this.#learn([...moderators, ...comments.map((line) => line.mod).filter(Boolean)]);
    // A hello and a history say all of it, a notice what has changed.
    if (log || locked !== undefined) this.#lock(Boolean(locked));
    if (note) this.#addNote(note);
    // One that was asked for before a line came live is older than that.
    if (!log) {
      this.#follow(comments);
    } else if (mark !== this.#mark || seq >= this.#seq) {
      this.#pin([...pinned]);
      [this.#mark, this.#seq] = [mark, seq];
    }
    const missing = this.#pinned.filter((id) => !thread.entries.has(id) && !this.#asked.has(id) && !comments.some((line) => log && line.id === id));
    const late = new Promise((resolve) => setTimeout(resolve, PINNED_WAIT));
    if (missing.length) await Promise.race([late, Promise.all(missing.map((id) => this.#bring(id)))]);
  }

  // Names
  #learn(names) {
    const before = this.#names.size;
    for (const name of names) this.#names.add(namesake(name));
    if (this.#names.size === before) return;
    for (const entry of this.#thread.entries.values()) if (this.#isNamesake(entry.line)) this.#again(entry);
  }

  #isNamesake({ mod, name }) {
    return !mod && name && this.#names.has(namesake(name));
  }

  // Pins
  /** Lines that have come live. */
  #follow(lines) {
    const changed = lines.filter(({ id, pinned = false }) => pinned !== this.#pinned.includes(id));
    if (!changed.length) return;
    const kept = this.#pinned.filter((id) => !changed.some((line) => line.id === id));
    this.#pin([...kept, ...changed.filter((line) => line.pinned).map(({ id }) => id)]);
    this.#seq = Math.max(this.#seq, ...changed.map((line) => line.seq));
  }

  #pin(ids) {
    ids.sort((a, b) => a - b);
    const changed = [...this.#pinned, ...ids].filter((id) => this.#pinned.indexOf(id) !== ids.indexOf(id));
    this.#pinned = ids;
    for (const id of changed) {
      const entry = this.#thread.entries.get(id);
      if (entry) this.#again(entry);
    }
    if (changed.length) this.#thread.tidy();
  }

  /** The thread of a pinned comment that no history has brought. */
  async #bring(id) {
    const thread = this.#thread;
    this.#asked.add(id);
    try {
      let page = await thread.connection.get({ threads: 1, before: id + 1 });
      let fill;
      // Of an answer's thread all is needed, since it may be in the middle.
      if (page.comments[0]?.id !== id) {
        const history = await thread.bring('history');
        fill = history.fill;
        page = await history.wholeThread(thread, id);
      }
      // Of one that nobody sees there is nothing to ask for again.
      if (!page.comments.length) return;
      this.#early.set(id, { fill, page });
      if (!Number.isNaN(thread.edge)) this.#show();
    } catch {
      // With the next history or hello.
    }
    this.#asked.delete(id);
  }

  #show() {
    const thread = this.#thread;
    for (const { fill, page } of this.#early.values()) {
      const [{ id }] = page.comments;
      thread.take(page, id);
      fill?.(thread, thread.entries.get(id), page);
    }
    this.#early.clear();
    thread.tidy();
  }

  /** Moves the thread of an entry to where its pins belong. */
  #raise(entry) {
    const thread = this.#thread;
    const root = this.#rootOf(entry);
    const pin = Math.max(0, ...this.#pinned.map((id, i) => this.#rootOf(thread.entries.get(id)) === root ? i + 1 : 0));
    if (pin === (root.pin ?? 0)) return;
    root.pin = pin;
    // One that is being drawn is hung at its place anyway.
    if (!root.item.parentNode) return;
    const { activeElement } = thread.host.shadowRoot;
    const hadFocus = root.item.contains(activeElement);
    root.item.remove();
    thread.hang(root);
    if (hadFocus) activeElement.focus({ preventScroll: true });
  }

  #rootOf(entry) {
    const { entries } = this.#thread;
    for (let up = entry; up; up = up.above ?? entries.get(up.line.parent) ?? up.root) entry = up;
    return entry;
  }

  // A closed conversation
  #lock(isLocked) {
    const thread = this.#thread;
    if (isLocked === thread.locked) return;
    thread.locked = isLocked;
    this.close(thread.main.form);
    for (const entry of thread.entries.values()) {
      if (entry.reply) this.close(entry.reply.form);
      this.#again(entry);
    }
    thread.down.hidden = !thread.rising || isLocked;
    thread.tidy();
    if (!Number.isNaN(thread.edge)) thread.said.textContent = isLocked ? thread.text('closed') : '';
  }

  /** Says in the place of a field that there is none, and gives it back with all that was typed there. */
  close(form) {
    const { text, locked, host } = this.#thread;
    const field = form.querySelector('.field');
    const { activeElement } = host.shadowRoot;
    const hadFocus = activeElement && form.contains(activeElement);
    form.querySelector('.closed')?.remove();
    if (locked) field.before(el('p', { class: 'closed', tabindex: -1 }, text('closed')));
    field.hidden = locked;
    if (hadFocus) form.querySelector(locked ? '.closed' : '.input').focus({ preventScroll: true });
  }

  // Reasons
  #addNote(note) {
    this.#notes.set(note.id, note);
    const entry = this.#thread.entries.get(note.id);
    if (entry) this.#again(entry);
    else this.#addPlaceholder(note);
    this.#thread.tidy();
  }

  /** Shows an author where a comment was that no history has any more, in the thread that it was in. */
  async #addPlaceholder({ id, did }) {
    const thread = this.#thread;
    this.#removePlaceholder(id);
    if (!GONE[did] || Number.isNaN(thread.edge)) return;
    const { comments: [first] = [] } = await thread.connection.get({ thread: id, limit: 1 }).catch(() => ({}));
    // It may be there by now, or its thread is not.
    const isAnswer = first && first.id !== id;
    if (thread.entries.has(id) || this.#placeholders.has(id) || isAnswer && !thread.entries.has(first.id)) return;
    const placeholder = thread.draw({ id, status: 'hidden' }, this.#rankOf(id));
    placeholder.root = isAnswer ? thread.entries.get(first.id) : undefined;
    this.redrawn(placeholder);
    this.#placeholders.set(id, placeholder);
    thread.hang(placeholder);
    thread.tidy();
  }

  /** About where it stood: behind those that were written before it. */
  #rankOf(id) {
    const older = [...this.#thread.entries.values()].map(({ line }) => line).filter((line) => line.id < id && !line.imported);
    return rankOf({ created_at: older.map((line) => line.created_at).sort().at(-1) ?? '', id });
  }

  #removePlaceholder(id) {
    const placeholder = this.#placeholders.get(id);
    if (placeholder && this.#placeholders.delete(id)) this.#thread.drop(placeholder);
  }

  #because(what, reason) {
    const { text } = this.#thread;
    if (!reason) return text(what);
    const [before, after] = text('because', { what: text(what), reason: '\n' }).split('\n');
    return el('span', {}, before, el('bdi', {}, reason), after);
  }

  // Comments
  /** The list was drawn anew. */
  drawn() {
    this.#show();
    this.#placeholders.clear();
    for (const note of this.#notes.values()) if (!this.#thread.entries.has(note.id)) this.#addPlaceholder(note);
    this.take({});
  }

  #again(entry) {
    this.#thread.redraw(entry, entry.line);
    this.#raise(entry);
  }

  /** An entry has been drawn: adds what moderators did. */
  redrawn(entry) {
    const { line, article } = entry;
    const { text, locked } = this.#thread;
    const meta = article.querySelector('.meta');
    const note = this.#notes.get(line.id);
    const what = GONE[note?.did];
    if (this.#thread.entries.get(line.id) === entry) {
      this.#removePlaceholder(line.id);
      this.#raise(entry);
    }
    entry.note = what && !isShown(line) ? note : undefined;
    if (entry.note) {
      article.ariaLabel = text(what);
      meta.classList.add('warn');
      meta.firstChild.replaceWith(this.#because(what, note.reason));
    }
    // What is being deleted looks as if it were; what is being edited stays as it is drawn.
    if (!isShown(line) || article.matches('.gone') || entry.editing) return;

    const marks = line.verified ? [verified(text)] : [];
    if (line.mod) marks.push(mark('author', text('author')));
    else if (this.#isNamesake(line)) marks.push(this.#pseudonym(line));
    if (this.#pinned.includes(line.id)) marks.push(mark('pinned', text('pinned')));
    meta.querySelector('.name').after(...marks);
    if (line.mod_edited) {
      meta.querySelector('.edited')?.remove();
      meta.querySelector('.when').after(' ', el('span', { class: 'edited' }, text('edited_by')));
    }
    if (note?.reason && !what) article.querySelector('.text')?.after(el('p', { class: 'meta warn reason' }, this.#because('moderator', note.reason)));
    if (locked) {
      article.querySelector('.reply')?.remove();
      rove(article.querySelector('.actions'));
    }
  }

  /** Beside a name that is a moderator's too: whose it is. */
  #pseudonym({ author }) {
    return el('span', { class: 'alias', dir: 'ltr' }, author ? `#${author.slice(0, PSEUDONYM_CHARS)}` : this.#thread.text('anonymous'));
  }
}
