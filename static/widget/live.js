/**
 * What comes while one reads: shown when it disturbs nobody, and announced; and who is writing. Loaded by thread.js; works on that
 * thread.
 */

import { store } from './dom.js';
import { learn } from './texts.js';
import { isNew, isShown } from './view.js';

const TEXTS = {
  someone: 'Someone',
  typing: { one: '{who} is typing…', other: '{who} are typing…' },
};
learn(TEXTS);

/** What has come is drawn so often at most, ms, and so many lines at once. */
const FLUSH_EVERY = 100;
const FLUSH_LINES = 40;
/** More threads than these are not drawn for an import: as many as a page of history has. */
const THREADS = 50;
/** More at once are not marked as new. */
const FRESH_MAX = 8;
/** What comes within so long is announced at once, ms. */
const ANNOUNCE_AFTER = 2_000;
/** ms */
const TYPING_SHOWN = 4_000;
const NAMED_MAX = 3;
/** What the server says of somebody who has no name here yet. */
const NOBODY = ['', 'Someone'];

export class Live {
  /** By id: what waits behind the pill. */
  held = new Map();
  #thread;
  #unsaid = 0;
  #frame = 0;
  #flushed = 0;
  /** By name, empty for whoever has none: the timers that end it. */
  #typing = new Map();

  constructor(thread) {
    this.#thread = thread;
  }

  // Comments
  schedule() {
    const wait = this.#flushed + FLUSH_EVERY - Date.now();
    const flush = () => this.#flush();
    // Frames stop in a hidden tab.
    this.#frame ||= wait > 0 || document.hidden ? setTimeout(flush, wait) : requestAnimationFrame(flush);
  }

  #flush() {
    const thread = this.#thread;
    const { queue } = thread;
    const lines = queue.splice(0, FLUSH_LINES);
    let came = 0;
    // Nothing moves the field that somebody writes in.
    const { activeElement } = thread.host.shadowRoot;
    const isAtEnd = thread.isAtEnd && !activeElement?.matches('.item textarea');
    for (const line of lines) {
      // What was written elsewhere long ago is no news.
      const isNews = !thread.entries.has(line.id) && !thread.isMine(line) && !line.imported;
      if (!isNews || isAtEnd || line.parent && !this.held.has(line.parent)) thread.place(line, isNews && lines.length <= FRESH_MAX);
      else this.held.set(line.id, line);
      thread.writer?.answers?.take(line);
      // Not what has changed where nothing is loaded.
      const isKnown = isNew(line) || thread.entries.has(line.id);
      if (!isNews || !isKnown || !isShown(line)) continue;
      came++;
      this.#ended(line);
      thread.tell('received', line);
    }
    if (lines.some((line) => line.imported)) this.#shed();
    this.#announce(came);
    thread.tidy();
    this.#frame = 0;
    this.#flushed = queue.length ? 0 : Date.now();
    if (queue.length) this.schedule();
  }

  /** Leaves the oldest threads that an import has just brought to the button for older ones. */
  #shed() {
    const thread = this.#thread;
    if (thread.rising || thread.order.value === 'liked') return;
    for (;;) {
      const { entry, previousElementSibling: before } = thread.list.lastElementChild ?? {};
      if (thread.list.childElementCount <= THREADS || !entry.isImported || entry.item.contains(thread.host.shadowRoot.activeElement)) return;
      this.#remove(entry);
      thread.more = true;
      thread.endAt(before.entry.line);
      thread.recount();
    }
  }

  #remove(entry) {
    const thread = this.#thread;
    for (const answer of entry.below) this.#remove(answer);
    thread.entries.delete(entry.line.id);
    thread.shown -= isShown(entry.line);
    thread.drop(entry);
  }

  #announce(n) {
    const { said, text } = this.#thread;
    this.#unsaid += n;
    if (n && this.#unsaid === n) setTimeout(() => {
      said.textContent = text('came', { n: this.#unsaid });
      this.#unsaid = 0;
    }, ANNOUNCE_AFTER);
  }

  /** How many wait. */
  showPill() {
    const { pill, rising, text } = this.#thread;
    const n = this.held.size && [...this.held.values()].filter(isShown).length;
    pill.hidden = !n;
    if (n) pill.textContent = `${rising ? '↓' : '↑'} ${text('came', { n })}`;
    return n;
  }

  async release(go) {
    const thread = this.#thread;
    if (!this.held.size) return;
    let n = 0;
    for (const [id, line] of this.held) {
      this.held.delete(id);
      thread.place(line, true);
      if (++n % FLUSH_LINES === 0) await new Promise(requestAnimationFrame);
    }
    thread.tidy();
    if (!go) return;
    const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth';
    thread.root.scrollIntoView({ behavior, block: thread.rising ? 'end' : 'start' });
    thread.list.focus({ preventScroll: true });
  }

  // Typing
  heard(said) {
    const name = NOBODY.includes(said) ? '' : said;
    if (this.#isOneself(name)) return;
    clearTimeout(this.#typing.get(name));
    this.#typing.set(name, setTimeout(() => this.#end(name), TYPING_SHOWN));
    this.#showTyping();
  }

  /** What somebody wrote has come. With their first comment they get the name that they had not while they wrote it. */
  #ended({ name = '' }) {
    this.#end(this.#typing.has(name) ? name : '');
  }

  #end(name) {
    clearTimeout(this.#typing.get(name));
    if (this.#typing.delete(name)) this.#showTyping();
  }

  /** Whether that may be this browser, in whichever tab. */
  #isOneself(name) {
    const thread = this.#thread;
    if (Date.now() - (store.get(thread.key('typed', thread.page)) ?? 0) > TYPING_SHOWN) return false;
    const own = new Set();
    for (const { line } of thread.entries.values()) if (thread.isMine(line)) own.add(line.name ?? '');
    return own.size ? own.has(name) : name === '' || name === thread.me.name;
  }

  #showTyping() {
    const { text, who } = this.#thread;
    const names = [...this.#typing.keys()].map((name) => name || text('someone'));
    who.textContent = names.length ? text('typing', { who: names.slice(0, NAMED_MAX).join(', '), n: names.length }) : '';
  }
}
