/** A page's comments: takes what comes, knows what of it is not loaded, and how many there are. */

import { Connection } from './connection.js';
import { button, store } from './dom.js';
import { arrange, frame, takeOver } from './frame.js';
import { Tree, isShown, title } from './view.js';

/** A page of history, in threads; the server sends fewer where they are long. */
const THREADS = 50;
/** How many of a thread's answers come before those that are left out. */
const FIRST_ANSWERS = 3;
/** What writing needs. */
const WRITING = ['write', 'outbox', 'composer', 'change', 'menu', 'drafts', 'live'];

export class Thread extends Tree {
  /** Of write.js. */
  writer = null;
  /** Of moderation.js, where moderators have done anything here. */
  moderation = null;
  /** Whether nobody may write any more. */
  locked = false;
  /** By id; where the server has hearts. */
  likes = null;
  /** Whether there are threads beyond `edge`, the first comment of the last thread that has come in the order of reading. */
  more = true;
  edge = NaN;
  /** The first comments of threads whose middle is not loaded. */
  gaps = new Set();
  /** What a permalink brought before the history: its thread, as the server sent it. */
  permalinkThread = null;
  #isLoaded;
  /** The first history, once it has come. */
  loaded = new Promise((resolve) => {
    this.#isLoaded = resolve;
  });
  /** What has come and is not drawn. */
  queue = [];
  /** Of live.js. */
  live = null;
  /** Whether what comes now moves nothing that is being read. */
  isAtEnd = true;
  #again = '';
  #count = 0;
  /** How many comments are drawn that are not deleted. */
  #shown = 0;
  #readers = 0;
  #wasReady = false;
  #counting;

  constructor(host, { base, page, isWall, rising, text, ask, history, target }) {
    super();
    Object.assign(this, { host, base, page, isWall, rising, text });
    this.connection = new Connection({ base, page, ask, history }, {
      query: () => this.query,
      moderate: (said) => this.moderate(said),
      history: (history) => this.replace(history),
      line: (line) => this.#receive(line),
      notice: (notice) => this.#handleNotice(notice),
      state: () => this.#stateChanged(),
    });
    const does = { sort: (order) => this.#sort(order), release: () => this.live.release(true), goBack: () => this.past('goBack') };
    Object.assign(this, frame(host, this, this.me.name ?? '', does));
    this.main.form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.writer) this.write(true).then((writer) => writer?.main.submit());
    });
    this.order.value = rising ? 'oldest' : 'newest';
    arrange(this);
    this.watch = new IntersectionObserver(([seen]) => {
      const { bottom } = seen.boundingClientRect;
      this.isAtEnd = isWall || seen.isIntersecting || (this.rising ? bottom < 0 : bottom > 0);
      if (this.isAtEnd) this.live?.release(false);
    });
    if (target) this.past('seek', target);
    this.#arrive();
  }

  key(...parts) {
    return ['sayso', this.base, ...parts].join(' ');
  }

  /** `{name, key, author}`, the last once the server has told it. */
  get me() {
    return store.read(this.key('me'));
  }

  /** The history's first page, from its newer or older end. */
  get query() {
    return { threads: THREADS, ...this.rising && { after: 0 } };
  }

  /** Modules that not every reader needs. */
  async bring(...names) {
    try {
      return Object.assign({}, ...await Promise.all(names.map((name) => import(`./${name}.js${this.#again}`))));
    } catch (error) {
      // A module that failed is only fetched again by another name.
      this.#again += '?';
      throw error;
    }
  }

  async write(isAsked) {
    try {
      const parts = await this.bring(...WRITING);
      this.writer ??= new parts.Writer(this, parts);
      this.live ??= new parts.Live(this);
    } catch {
      if (isAsked) this.main.error.textContent = this.text('notLive');
    }
    return this.writer;
  }

  /** Does what history.js can; the button that asked for it says if that fails. */
  async past(verb, ...asked) {
    try {
      await (await this.bring('history'))[verb](this, ...asked);
    } catch {
      (asked[0]?.gap?.item.firstChild ?? this.older).textContent = this.text('failed');
    }
  }

  /** Hands what the server says to moderation.js, once there is anything in it that only that knows. */
  async moderate(said) {
    const { locked, pinned, moderators, note, comments = [] } = said;
    if (!(this.moderation || locked || pinned || moderators || note || comments.some((line) => line.mod || line.mod_edited || line.pinned))) return;
    const parts = await this.bring('moderation', 'namesake').catch(() => {});
    if (parts) await (this.moderation ??= new parts.Moderation(this)).take(said);
  }

  #sort(order) {
    if (order !== 'liked') store.set(this.key('order'), order);
    this.past('sort', order);
  }

  turn(rising) {
    this.rising = rising;
    arrange(this);
    this.tidy();
  }

  tick() {
    for (const time of this.root.querySelectorAll('time')) {
      const words = this.text.ago(Date.parse(time.dateTime) || 0);
      if (time.textContent === words) continue;
      time.textContent = words;
      title(this.text, time.closest('article'));
    }
    this.connection.check();
  }

  nameOf(line) {
    return line.name || line.mod || this.text('anonymous');
  }

  isMine(line) {
    return line.author !== undefined && line.author === this.me.author;
  }

  tell(what, line) {
    this.host.dispatchEvent(new CustomEvent(`sayso:${what}`, { detail: line, bubbles: true, composed: true }));
  }

  // What comes
  /** Draws a history in the place of all that is drawn. */
  replace(history, isSameLog) {
    const before = this.entries;
    this.clear();
    this.gaps.clear();
    this.#shown = 0;
    if (!isSameLog) {
      this.queue = [];
      this.live?.held.clear();
    }
    this.refusal?.remove();
    this.list.classList.remove('skeleton');
    for (const line of history.comments) this.writer?.acknowledge(line);
    this.advance(history);
    this.take(history);
    if (this.permalinkThread?.log === history.log) this.take(this.permalinkThread);
    this.permalinkThread = null;
    this.moderation?.drawn();
    this.#count = history.comments.filter(isShown).length;
    // What has come live since this history was read, and one's own that are held, which are in no history.
    if (isSameLog) for (const { line } of before.values()) if (line.seq > history.seq || line.status === 'pending') this.place(line);
    this.writer?.hang();
    if (this.isPartial) this.recount();
    this.writer?.rescue(before);
    this.#isLoaded(history);
    this.tidy();
    takeOver(this);
  }

  /** Places lines of threads, each thread's after the comment that began it, which may be drawn already. */
  take({ comments, answers = {} }, root) {
    const sent = {};
    for (const line of comments) {
      if (line.parent) (sent[root] ??= []).push(line.id);
      else root = line.id;
      this.place(line, false, root);
    }
    for (const id of Object.keys(answers)) {
      const [entry, ids] = [this.entries.get(Number(id)), sent[id]];
      if (!entry || entry.isWhole || !ids) continue;
      entry.gap ??= { after: ids[FIRST_ANSWERS - 1], before: ids[FIRST_ANSWERS] ?? Infinity, n: answers[id] - ids.length };
      this.showGap(entry);
    }
  }

  /** A page of history has come: where the next begins. */
  advance({ comments, more }) {
    const first = comments.filter((line) => !line.parent).map((line) => line.id);
    this.more = more && first.length > 0;
    this.edge = this.rising ? Math.max(...first) : Math.min(...first);
    for (const { entry } of [...this.far.children]) this.hang(entry);
  }

  showGap(entry) {
    if (entry.gap.n > 0) this.gaps.add(entry);
    else this.gaps.delete(entry);
    super.showGap(entry, () => this.past('open', entry));
  }

  #receive(line) {
    if (line.kind) return;
    this.moderate({ comments: [line] });
    this.writer?.acknowledge(line);
    this.queue.push(line);
    this.#flush();
  }

  async #flush() {
    try {
      await this.#wake();
      this.live.schedule();
    } catch {
      // With the next line, or when there is a connection again.
    }
  }

  async #wake() {
    const { Live } = await this.bring('live');
    this.live ??= new Live(this);
  }

  #handleNotice(notice) {
    this.moderate(notice);
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
      this.#wake().then(() => this.live.heard(notice.typing), () => {});
    } else if (notice.error || notice.lost) {
      this.writer?.refused(notice);
    } else if (notice.flagged) {
      this.writer?.flagged(notice.flagged);
    }
  }

  #stateChanged() {
    const { isReady, state } = this.connection;
    if (isReady && !this.isWall) this.write();
    if (isReady && this.queue.length) this.#flush();
    if (state === 'retry' && !this.#wasReady) this.bring('refusal').then(({ diagnose }) => diagnose(this)).catch(() => {});
    this.writer?.stateChanged();
    this.showState();
    if (this.#wasReady) this.said.textContent = this.state.textContent;
    this.#wasReady ||= isReady;
  }

  showState() {
    const { state } = this.connection;
    const n = this.writer?.outbox.size;
    this.state.dataset.state = state;
    this.state.textContent = state === 'live' && this.#readers > 1 ? this.text('reading', { n: this.#readers })
      : state === 'offline' && n ? this.text('held', { n }) : this.text(state);
  }

  // The list
  get isPartial() {
    return this.more || this.gaps.size > 0;
  }

  /** Whether a first comment belongs to what has come in the order of reading, without a gap. */
  isNear(rank) {
    return !this.more || (this.rising ? rank <= this.edge : rank >= this.edge);
  }

  listOf({ rank, pin }) {
    return pin || this.isNear(rank) ? this.list : this.far;
  }

  /** Whether the place of a comment that is not drawn is loaded. */
  #hasPlace(line) {
    if (!this.isPartial) return true;
    let entry = this.entries.get(line.parent);
    if (line.parent && !entry) return false;
    if (line.seq === line.id) return true;
    while (entry?.above) entry = entry.above;
    return entry ? !entry.gap || line.id < entry.gap.after || line.id > entry.gap.before : this.isNear(line.id);
  }

  /** `root` is the first comment of the thread, where a history tells. */
  place(line, isNews = false, root = undefined) {
    const known = this.entries.get(line.id);
    if (known && known.line.seq >= line.seq) return;
    if (!known && !root && !this.#hasPlace(line)) {
      this.recount();
      if (line.parent && line.seq === line.id) this.#findPlace(line);
      return;
    }
    if (!root) this.#count += isShown(line) - (known ? isShown(known.line) : false);
    this.writer?.answered(line.id);
    if (known) {
      this.redraw(known, line);
      return;
    }
    this.#shown += isShown(line);
    const entry = this.draw(line, line.id);
    if (isNews) entry.article.classList.add('fresh');
    this.entries.set(line.id, entry);
    if (line.parent && !this.entries.has(line.parent)) entry.root = this.entries.get(root);
    this.#complete(entry);
    this.hang(entry);
  }

  /** An answer to what is left out in the middle of a thread: to which of them? */
  #findPlace(line) {
    const isLeftOut = ({ gap }) => line.parent > gap.after && line.parent < gap.before;
    if ([...this.gaps].some(isLeftOut)) this.past('findPlace', line);
  }

  redraw(entry, line) {
    this.#shown += isShown(line) - isShown(entry.line);
    super.redraw(entry, line);
    this.#complete(entry);
  }

  #complete(entry) {
    this.writer?.redrawn(entry);
    this.moderation?.redrawn(entry);
  }

  tidy() {
    super.tidy();
    // Before the history comes there is nothing to say about it.
    if (Number.isNaN(this.edge)) return;
    const held = this.live?.showPill() ?? 0;
    const total = this.#count + held;
    this.total.textContent = total ? this.text.number(total) : '';
    this.empty.hidden = total > 0 || this.locked || this.writer?.outbox.size > 0;
    this.sort.hidden = total < 2 || this.isWall;
    this.older.hidden = !this.more || this.isWall;
    let n = total - held - this.#shown;
    for (const { gap } of this.gaps) n -= gap.n;
    const words = this.text(this.rising ? 'newer' : 'older');
    this.older.textContent = n > 0 ? `${words} · ${this.text.number(n)}` : words;
  }

  /** At most one is under way: a thousand comments to what is not loaded are one question. */
  async recount() {
    this.#counting ??= this.connection.get({}, 'counts').catch(() => {});
    const counts = await this.#counting;
    this.#counting = undefined;
    if (counts) this.#count = counts[this.page] - (this.live?.held.size ?? 0);
    this.tidy();
  }

  /** To the comment that the address names. */
  seek() {
    const id = Number(/^#sayso-(\d+)$/.exec(location.hash)?.[1]);
    if (id) this.past('seek', { id });
    this.#arrive();
  }

  /** An identity from another device. */
  #arrive() {
    if (/^#sayso-key=/.test(location.hash)) this.bring('mine').then(({ arrive }) => arrive(this)).catch(() => {});
  }

  act(name, entry, label) {
    return button(name, () => this.writer ? this.writer[name](entry) : this.write(true).then((writer) => writer?.[name](entry)), label);
  }
}
