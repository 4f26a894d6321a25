/** A page's comments: takes what comes, shows it when it disturbs nobody, and knows how many there are. */

import { Connection } from './connection.js';
import { button, store } from './dom.js';
import { Tree, arrange, frame, isShown, takeOver, title } from './view.js';

/** What has come is drawn so often at most, ms, and so many lines at once. */
const FLUSH_EVERY = 100;
const FLUSH_LINES = 40;
/** More at once are not marked as new. */
const FRESH_MAX = 8;
/** ms */
const TYPING_SHOWN = 4_000;
/** How many lots of 200 lines are worth going back for a permalink. */
const STEPS_MAX = 60;
const STEP_LINES = 200;
/** What writing needs; each comes by its own name, so that all can be fetched anew. */
const WRITING = ['write', 'composer', 'change', 'menu'];
/** How many more lots of older comments are looked through for the most liked. */
const LIKED_STEPS_MAX = 10;

export class Thread extends Tree {
  /** Of write.js. */
  writer = null;
  /** By id; where the server has hearts. */
  likes = null;
  more = false;
  oldest = Infinity;
  typing = new Map();
  #again = '';
  #queue = [];
  #held = new Map();
  #count = 0;
  #readers = 0;
  #top = true;
  #wasReady = false;
  #unsaid = 0;
  #frame = 0;
  #flushed = 0;

  constructor(host, { base, page, isWall, text, ask, history }) {
    super();
    Object.assign(this, { host, base, page, isWall, text });
    this.rising = !isWall && (store.get(this.key('order')) || host.getAttribute('order')) === 'oldest';
    this.connection = new Connection({ base, page, ask, history }, {
      history: (history) => this.#replace(history),
      line: (line) => this.#receive(line),
      notice: (notice) => this.#hear(notice),
      state: () => this.#stateChanged(),
    });
    const does = { sort: (order) => this.#sort(order), release: () => this.release(true), goBack: () => this.#goBack() };
    Object.assign(this, frame(host, this, this.me.name ?? '', does));
    this.main.input.value = store.get(this.key('draft', page)) ?? '';
    this.main.form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.writer) this.write(true).then((writer) => writer?.main.submit());
    });
    this.order.value = this.rising ? 'oldest' : 'newest';
    arrange(this);
    this.watch = new IntersectionObserver(([seen]) => {
      const { bottom } = seen.boundingClientRect;
      this.#top = isWall || seen.isIntersecting || (this.rising ? bottom < 0 : bottom > 0);
      if (this.#top) this.release(false);
    });
  }

  key(...parts) {
    return ['sayso', this.base, ...parts].join(' ');
  }

  /** `{name, key, author}`, the last once the server has told it. */
  get me() {
    return store.read(this.key('me'));
  }

  async write(isAsked) {
    try {
      const parts = Object.assign({}, ...await Promise.all(WRITING.map((name) => import(`./${name}.js${this.#again}`))));
      this.writer ??= new parts.Writer(this, parts);
    } catch {
      // A module that failed is only fetched again by another name.
      this.#again += '?';
      if (isAsked) this.main.error.textContent = this.text('notLive');
    }
    return this.writer;
  }

  async #sort(order) {
    this.rising = order === 'oldest';
    if (order !== 'liked') store.set(this.key('order'), order);
    arrange(this);
    const isLiked = () => this.order.value === 'liked';
    for (let step = 0; step < LIKED_STEPS_MAX && this.more && isLiked(); step++) await this.#goBack({ limit: STEP_LINES });
    if (isLiked()) arrange(this);
  }

  tick() {
    for (const time of this.list.querySelectorAll('time')) {
      const words = this.text.ago(Date.parse(time.dateTime) || 0);
      if (time.textContent === words) continue;
      time.textContent = words;
      title(this.text, time.closest('article'));
    }
    this.connection.check();
  }

  nameOf(line) {
    return line.name || this.text('anonymous');
  }

  isMine(line) {
    return line.author !== undefined && line.author === this.me.author;
  }

  tell(what, line) {
    this.host.dispatchEvent(new CustomEvent(`sayso:${what}`, { detail: line, bubbles: true, composed: true }));
  }

  // What comes
  #replace({ comments, more }) {
    const before = this.entries;
    this.clear();
    this.#queue = [];
    this.#held.clear();
    this.list.classList.remove('skeleton');
    this.more = more;
    this.oldest = Infinity;
    for (const line of comments) {
      this.writer?.acknowledge(line);
      this.place(line);
    }
    this.writer?.hang();
    this.#count = comments.filter(isShown).length;
    if (more) this.#recount();
    this.writer?.rescue(before);
    this.tidy();
    takeOver(this);
    this.seek();
  }

  #receive(line) {
    if (line.kind) return;
    this.writer?.acknowledge(line);
    this.#queue.push(line);
    this.#schedule();
  }

  #schedule() {
    const wait = this.#flushed + FLUSH_EVERY - Date.now();
    const flush = () => this.#flush();
    // Frames stop in a hidden tab.
    this.#frame ||= wait > 0 || document.hidden ? setTimeout(flush, wait) : requestAnimationFrame(flush);
  }

  #flush() {
    const lines = this.#queue.splice(0, FLUSH_LINES);
    let came = 0;
    // Nothing moves the field that somebody writes in.
    const { activeElement } = this.host.shadowRoot;
    const isAtTop = this.#top && !(this.list.contains(activeElement) && activeElement.matches('textarea'));
    for (const line of lines) {
      const isNews = !this.entries.has(line.id) && !this.isMine(line);
      if (!isNews || isAtTop || this.entries.has(line.parent)) this.place(line, isNews && lines.length <= FRESH_MAX);
      else if (!this.#isBeforeAll(line)) this.#held.set(line.id, line);
      if (!isNews || !isShown(line)) continue;
      came++;
      this.tell('received', line);
    }
    this.#announce(came);
    this.tidy();
    this.#frame = 0;
    this.#flushed = this.#queue.length ? 0 : Date.now();
    if (this.#queue.length) this.#schedule();
  }

  #announce(n) {
    this.#unsaid += n;
    if (n && this.#unsaid === n) setTimeout(() => {
      this.said.textContent = this.text('came', { n: this.#unsaid });
      this.#unsaid = 0;
    }, 2_000);
  }

  async release(go) {
    let n = 0;
    for (const [id, line] of this.#held) {
      this.#held.delete(id);
      this.place(line, true);
      if (++n % FLUSH_LINES === 0) await new Promise(requestAnimationFrame);
    }
    this.tidy();
    if (!go) return;
    const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth';
    this.root.scrollIntoView({ behavior, block: this.rising ? 'end' : 'start' });
    this.list.focus({ preventScroll: true });
  }

  #hear(notice) {
    if (notice.likes) {
      // A hello tells of all that have any.
      if (notice.log && Object.keys(notice.likes).length < 200) for (const id in this.likes) notice.likes[id] ??= 0;
      this.likes = { ...this.likes, ...notice.likes };
      this.writer?.showLikes(Object.keys(notice.likes));
    }
    if (notice.readers !== undefined) {
      this.#readers = notice.readers;
      this.showState();
    } else if (notice.typing !== undefined) {
      this.#showTyping(notice.typing);
    } else if (notice.error || notice.lost) {
      this.writer?.refused(notice);
    }
  }

  #stateChanged() {
    if (this.connection.isReady && !this.isWall) this.write();
    this.writer?.stateChanged();
    this.showState();
    if (this.#wasReady) this.said.textContent = this.state.textContent;
    this.#wasReady ||= this.connection.isReady;
  }

  showState() {
    const { state } = this.connection;
    const n = this.writer?.outbox.size;
    this.state.dataset.state = state;
    this.state.textContent = state === 'live' && this.#readers > 1 ? this.text('reading', { n: this.#readers })
      : state === 'offline' && n ? this.text('held', { n }) : this.text(state);
  }

  // The list
  /** Whether a line belongs to what is not loaded. */
  #isBeforeAll(line) {
    return this.more && line.seq !== line.id && line.id < this.oldest;
  }

  place(line, isNews = false) {
    const known = this.entries.get(line.id);
    if (known && known.line.seq >= line.seq) return;
    if (!known && this.#isBeforeAll(line)) {
      this.#recount();
      return;
    }
    this.#count += isShown(line) - (known ? isShown(known.line) : false);
    this.writer?.answered(line.id);
    if (known) {
      this.redraw(known, line);
      return;
    }
    this.oldest = Math.min(this.oldest, line.id);
    const entry = this.draw(line, line.id);
    if (isNews) entry.article.classList.add('fresh');
    this.entries.set(line.id, entry);
    this.hang(entry);
  }

  tidy() {
    super.tidy();
    const held = [...this.#held.values()].filter(isShown).length;
    this.pill.hidden = !held;
    this.pill.textContent = `${this.rising ? '↓' : '↑'} ${this.text('came', { n: held })}`;
    const total = this.#count + held;
    this.total.textContent = total ? this.text.number(total) : '';
    this.empty.hidden = total > 0 || this.writer?.outbox.size > 0;
    this.sort.hidden = total < 2 || this.isWall;
    this.older.hidden = !this.more || this.isWall;
    if (this.more) this.#countOlder(total);
  }

  #countOlder(total) {
    const n = total - [...this.entries.values()].filter(({ line }) => isShown(line)).length;
    this.older.textContent = n > 0 ? `${this.text('older')} · ${this.text.number(n)}` : this.text('older');
  }

  async #recount() {
    const counts = await this.connection.get({}, 'counts').catch(() => {});
    this.#count = counts ? counts[this.page] - this.#held.size : this.#count;
    this.tidy();
  }

  async #goBack(query = {}) {
    if (this.older.ariaDisabled) return;
    // Disabled in earnest it would lose the focus.
    this.older.ariaDisabled = 'true';
    const hasFocus = this.older.matches(':focus');
    try {
      const { comments, more } = await this.connection.get({ before: this.oldest, ...query });
      const alone = [...this.entries.values()].filter(({ line, above }) => line.parent && !above);
      const count = this.#count;
      this.more = false;
      for (const line of comments) this.place(line);
      this.#count = count;
      this.more = more && comments.length > 0;
      for (const entry of alone) if (this.entries.has(entry.line.parent)) this.gather(entry);
      this.tidy();
    } catch {
      this.older.textContent = this.text('failed');
    }
    this.older.ariaDisabled = null;
    if (this.order.value === 'liked') arrange(this);
    if (hasFocus && this.older.hidden) this.list.focus({ preventScroll: true });
  }

  async seek() {
    const id = Number(/^#sayso-(\d+)$/.exec(location.hash)?.[1]);
    if (!id) return;
    for (let step = 0; step < STEPS_MAX && this.more && id < this.oldest; step++) await this.#goBack({ limit: STEP_LINES });
    const entry = this.entries.get(id);
    for (let up = entry?.above; up; up = up.above) this.fold(up, false);
    entry?.article.scrollIntoView({ block: 'center' });
    entry?.article.classList.add('fresh');
  }

  act(name, entry, label) {
    return button(name, () => this.writer ? this.writer[name](entry) : this.write(true).then((writer) => writer?.[name](entry)), label);
  }

  // Typing
  #showTyping(name) {
    if (name === this.main.name.value.trim() && this.writer?.isTyping) return;
    const who = name || this.text('someone');
    clearTimeout(this.typing.get(who));
    this.typing.set(who, setTimeout(() => {
      this.typing.delete(who);
      this.#showWho();
    }, TYPING_SHOWN));
    this.#showWho();
  }

  #showWho() {
    const who = [...this.typing.keys()];
    this.who.textContent = who.length ? this.text('typing', { who: who.slice(0, 3).join(', '), n: who.length }) : '';
  }
}
