/**
 * Answers to what this browser has written on the page: how many have come since one was here last, one after another, and notifications
 * of them for who wants any. Loaded by write.js for who has written something; works on its thread.
 */

import { button, guarded, store } from './dom.js';
import { learn, speaker } from './texts.js';
import { isShown } from './view.js';

const TEXTS = {
  answered: '{name} has answered you', barred: 'The browser does not allow notifications here.', notify: 'Notify me of answers',
  quiet: 'Stop notifications', told: 'You are notified of answers while this page is open in a tab.',
  unread: { one: '{n} answer to you', other: '{n} answers to you' },
};
learn(TEXTS);

/** So many of one's own comments are remembered for a page, and so many answers. */
const KEPT_MAX = 500;
/** How many lots of lines are gone through for answers, and how many are in one. */
const STEPS_MAX = 10;
const LIMIT = 200;
/** How much of an answer a notification has. */
const WORDS = 120;
const ANSWER_WAIT = 20_000;
/** Who reads what comes live sees it within so long, ms; then nothing is said. */
const SHOW_AFTER = 500;

/** A browser only tells what it may; a document in another's frame may not ask. */
const isPossible = () => isSecureContext && 'Notification' in window && Notification.permission !== 'denied' && window === top;

/** Follows a thread's answers, in its language; answers with what follows them. */
export async function answersOf(thread) {
  const { base, text: { lang } } = thread;
  const texts = lang === 'en' ? {} : await fetch(`${base}/answers/${lang}.json`, { signal: AbortSignal.timeout(ANSWER_WAIT) })
    .then((answer) => answer.json()).catch(() => ({}));
  await thread.loaded;
  return new Answers(thread, speaker(lang, texts));
}

/**
 * What is kept of a page is `{log, mark, seq, mine, known, unread}`: up to which line answers are known, by what that is proved, and the ids of
 * one's own comments, of answers to them, and of those that have not been on the screen. An answer that a moderator held is new when it comes,
 * though its id is not.
 */
class Answers {
  #thread;
  #text;
  #mine = new Set();
  #known = new Set();
  #unread = new Set();
  /** What has been on the screen or gone to. It is still counted while one is here, but not the next time. */
  #seen = new Set();
  /** What has come while one is here. */
  #live = new Set();
  #watch;

  constructor(thread, text) {
    this.#thread = thread;
    this.#text = text;
    this.button = button('unread', () => this.#next(), '');
    this.button.hidden = true;
    thread.state.before(this.button);
    this.bell = button('bell', () => this.#turn(), '');
    this.bell.hidden = !isPossible();
    thread.foot.querySelector('.own').after(this.bell);
    this.#watch = new IntersectionObserver((all) => {
      for (const { isIntersecting, target } of all) if (isIntersecting) this.#see(target.entry.line.id);
    });
    for (const type of ['visibilitychange', 'pagehide']) addEventListener(type, () => this.#keep(), true);
    this.#showBell();
    this.#recall();
  }

  get #key() {
    return this.#thread.key('answers', this.#thread.page);
  }

  // Since the last visit
  async #recall() {
    const { connection, entries } = this.#thread;
    const kept = store.read(this.#key);
    const lines = [...entries.values()].map(({ line }) => line).filter(({ id }) => id);
    for (const line of lines) if (this.#thread.isMine(line)) this.#mine.add(line.id);
    // Another log gives ids again; at the first time there is nothing to compare with.
    if (kept.log === connection.log) {
      for (const [ids, had] of [[this.#mine, kept.mine], [this.#known, kept.known], [this.#unread, kept.unread]]) had.forEach((id) => ids.add(id));
      await this.#catchUp(kept).catch(() => {});
    } else {
      for (const line of lines) if (this.#isAnswer(line)) this.#known.add(line.id);
    }
    this.#keep();
    this.#show();
  }

  async #catchUp({ log, mark, seq }) {
    const { connection } = this.#thread;
    for (let step = 0; step < STEPS_MAX && seq < connection.cursor; step++) {
      const { comments, more } = await connection.get({ since: seq, log, ...mark && { mark }, limit: LIMIT });
      for (const line of comments) this.#look(line);
      if (!more || !comments.length) return;
      seq = comments.at(-1).seq;
    }
  }

  #isAnswer(line) {
    return this.#mine.has(line.parent) && !this.#thread.isMine(line) && isShown(line) && !line.imported;
  }

  /** Whether it is an answer to oneself that was not known. */
  #look(line) {
    if (this.#thread.isMine(line)) this.#mine.add(line.id);
    if (!isShown(line)) this.#unread.delete(line.id);
    if (!this.#isAnswer(line) || this.#known.has(line.id)) return false;
    this.#known.add(line.id);
    this.#unread.add(line.id);
    return true;
  }

  /** For the next time. Another tab may have kept other answers meanwhile. */
  #keep() {
    const { connection: { log, mark, cursor: seq }, root } = this.#thread;
    // The element may have gone to another page.
    if (!root.isConnected || !log) return;
    const kept = store.read(this.#key);
    const others = kept.log === log ? kept : { mine: [], known: [], unread: [] };
    const newest = (...ids) => [...new Set(ids)].sort((a, b) => a - b).slice(-KEPT_MAX);
    store.set(this.#key, JSON.stringify({
      log, mark, seq, mine: newest(...others.mine, ...this.#mine), known: newest(...others.known, ...this.#known),
      unread: newest(...others.unread, ...this.#unread).filter((id) => !this.#seen.has(id)),
    }));
  }

  // While one is here
  /** A line has come live, and has been drawn if it has a place. */
  take(line) {
    if (this.#look(line)) {
      this.#live.add(line.id);
      this.#tell(line);
    }
    this.#observe();
    setTimeout(() => this.#show(), SHOW_AFTER);
    this.#keep();
  }

  #see(id) {
    this.#seen.add(id);
    if (this.#live.has(id)) this.#unread.delete(id);
    this.#show();
  }

  #observe() {
    const { entries } = this.#thread;
    for (const id of this.#unread) if (entries.has(id)) this.#watch.observe(entries.get(id).item);
  }

  #show() {
    this.#observe();
    const n = this.#unread.size;
    this.button.hidden = !n;
    if (n) this.button.textContent = this.#text('unread', { n });
  }

  /** To the oldest that one has not gone to; the button for the next is then in view wherever that is. */
  async #next() {
    const thread = this.#thread;
    const { button: next } = this;
    if (next.className !== 'pill') {
      next.className = 'pill';
      next.setAttribute('part', 'pill');
      thread.pill.after(next);
    }
    await this.#go(Math.min(...this.#unread));
  }

  async #go(id) {
    const thread = this.#thread;
    this.#unread.delete(id);
    this.#seen.add(id);
    this.#show();
    this.#keep();
    // It may wait behind the pill.
    await thread.live?.release(false);
    await thread.past('seek', { id });
    const article = thread.entries.get(id)?.article;
    if (!article) return;
    article.tabIndex = -1;
    article.focus({ preventScroll: true });
  }

  // Notifications
  get #isWanted() {
    return isPossible() && Notification.permission === 'granted' && Boolean(store.get(this.#thread.key('notify')));
  }

  #showBell() {
    this.bell.textContent = this.#text(this.#isWanted ? 'quiet' : 'notify');
  }

  /** The only place where the browser is asked for leave. */
  async #turn() {
    const { said } = this.#thread;
    const isOn = this.#isWanted;
    const isGranted = !isOn && await Notification.requestPermission() === 'granted';
    // Some browsers have them for workers only.
    const isAble = isGranted && guarded(() => !new Notification(this.#text('told'), { tag: 'sayso', silent: true }).close());
    store.set(this.#thread.key('notify'), isAble ? '1' : '');
    if (!isOn) said.textContent = this.#text(isAble ? 'told' : 'barred');
    this.bell.hidden = !isOn && !isAble;
    this.#showBell();
  }

  #tell(line) {
    if (document.visibilityState !== 'hidden' || !this.#isWanted) return;
    const body = Array.from(line.content).slice(0, WORDS).join('');
    // Two tabs with the page tell of it once.
    const told = guarded(() => new Notification(this.#text('answered', { name: this.#thread.nameOf(line) }), { body, tag: this.#thread.key(line.id) }));
    told?.addEventListener('click', () => {
      focus();
      told.close();
      this.#go(line.id);
    });
  }
}
