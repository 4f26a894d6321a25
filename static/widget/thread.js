/** A page's comments: takes what comes, knows what of it is not loaded, and how many there are. */

import { Connection } from './connection.js';
import { button, store } from './dom.js';
import { arrange, frame, showState, showTotal, takeOver } from './frame.js';
import { Tree, isNew, isShown, rankOf, title } from './view.js';

/** A page of history, in threads; the server sends fewer where they are long. */
const THREADS = 50;
/** How many of a thread's answers come before those that are left out. */
const FIRST_ANSWERS = 3;
/** ms */
const RECOUNT_AFTER = 1_000;
/** What writing needs, and what there may be no connection for any more when it is needed. */
const WRITING = ['write', 'outbox', 'composer', 'change', 'menu', 'drafts', 'live', 'catch-up'];

export class Thread extends Tree {
  /** Of write.js. */
  writer = null;
  /** Of moderation.js, where moderators have done anything here. */
  moderation = null;
  /** Of user.js, where the host page says who one is. */
  user = null;
  /** Whether nobody may write any more. */
  locked = false;
  /** By id; where the server has hearts. */
  likes = null;
  /** Whether there are threads beyond `edge`, the first comment of the last thread that has come in the order of reading, and its rank. */
  more = true;
  edge = NaN;
  end = '';
  /** Whether there are comments whose ids say nothing about their places. */
  isMixed = false;
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
  /** How many comments the page has, without those that wait behind the pill; and how many are drawn, but for deleted ones. */
  count = 0;
  shown = 0;
  readers = 0;
  #wasReady = false;
  #counting = 0;

  constructor(host, { base, page, isWall, rising, text, ask, sheet, history, target }) {
    super();
    Object.assign(this, { host, base, page, isWall, rising, text, sheet });
    this.connection = new Connection({ base, page, ask, history }, {
      query: () => this.query,
      moderate: (said) => this.moderate(said),
      bring: (...names) => this.bring(...names),
      history: (history) => this.replace(history),
      line: (line) => this.#receive(line),
      notice: (notice) => this.#handleNotice(notice),
      state: () => this.#stateChanged(),
    });
    const does = { sort: (order) => this.past('sort', order), release: () => this.live.release(true), goBack: () => this.past('goBack') };
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
    this.loaded.then(() => this.tell('ready', { page }));
    if (target) this.past('seek', target);
    this.#arrive();
  }

  key(...parts) {
    return ['sayso', this.base, ...parts].join(' ');
  }

  /** `{name, key, author}`, the last once the server has told it; or what user.js knows. */
  get me() {
    return this.user?.me ?? store.read(this.key('me'));
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
      const [parts, style] = await Promise.all([this.bring(...WRITING, ...this.host.getAttribute('user') ? ['user'] : []), this.sheet(`${this.base}/widget/write.css`)]);
      if (!this.writer) this.host.shadowRoot.adoptedStyleSheets.push(style);
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
    if (!(this.moderation || locked || pinned || moderators || note || comments.some((line) => line.mod || line.mod_edited || line.pinned || line.verified))) return;
    const parts = await this.bring('moderation', 'namesake').catch(() => {});
    if (parts) await (this.moderation ??= new parts.Moderation(this)).take(said);
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

  tell(what, detail) {
    this.host.dispatchEvent(new CustomEvent(`sayso:${what}`, { detail, bubbles: true, composed: true }));
  }

  // What comes
  /** Draws a history in the place of all that is drawn. */
  replace(history, isSameLog) {
    const before = this.entries;
    this.clear();
    this.gaps.clear();
    this.shown = 0;
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
    this.count = history.comments.filter(isShown).length;
    // What has come live since this history was read, and one's own that are held, which are in no history.
    if (isSameLog) for (const { line } of before.values()) if (line.seq > history.seq || line.status === 'pending') this.place(line);
    this.writer?.hang();
    if (this.isPartial) this.recount(0);
    this.writer?.rescue(before);
    this.#isLoaded(history);
    this.tidy();
    takeOver(this);
  }

  /** Places lines of threads, each thread's after the comment that began it, which may be drawn already. */
  take({ comments, answers = {} }, root) {
    const sent = {};
    for (const line of comments) {
      if (line.parent) (sent[root] ??= []).push(line);
      else root = line.id;
      this.place(line, false, root);
    }
    for (const id of Object.keys(answers)) {
      const [entry, lines] = [this.entries.get(Number(id)), sent[id]];
      if (!entry || entry.isWhole || !lines) continue;
      const [last, next] = lines.slice(FIRST_ANSWERS - 1);
      entry.gap ??= { after: rankOf(last), from: last.id, before: next ? rankOf(next) : '~', to: next?.id ?? Infinity, n: answers[id] - lines.length };
      this.showGap(entry);
    }
  }

  /** A page of history has come: where the next begins. */
  advance({ comments, more }) {
    const last = comments.filter((line) => !line.parent).at(this.rising ? -1 : 0);
    this.more = more && Boolean(last);
    this.endAt(last);
    for (const { entry } of [...this.far.children]) this.hang(entry);
  }

  endAt(last) {
    this.edge = last?.id ?? 0;
    this.end = last ? rankOf(last) : '';
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
      this.readers = notice.readers;
      showState(this);
    } else if (notice.typing !== undefined) {
      this.#wake().then(() => this.live.heard(notice.typing), () => {});
    } else if (notice.error || notice.lost) {
      this.writer?.refused(notice);
    } else if (notice.flagged) {
      this.writer?.flagged(notice.flagged);
    } else if (notice.user) {
      this.user?.take(notice.user);
    }
  }

  #stateChanged() {
    const { isReady, state } = this.connection;
    if (isReady && !this.isWall) this.write();
    if (isReady && this.queue.length) this.#flush();
    if (state === 'retry' && !this.#wasReady) this.bring('refusal').then(({ diagnose }) => diagnose(this)).catch(() => {});
    this.writer?.stateChanged();
    showState(this);
    if (this.#wasReady) this.said.textContent = this.state.textContent;
    this.#wasReady ||= isReady;
  }

  // The list
  get isPartial() {
    return this.more || this.gaps.size > 0;
  }

  /** Whether a first comment belongs to what has come in the order of reading, without a gap. */
  isNear(rank) {
    return !this.more || (this.rising ? rank <= this.end : rank >= this.end);
  }

  listOf({ rank, pin }) {
    return pin || this.isNear(rank) ? this.list : this.far;
  }

  /** Whether the place of a comment that is not drawn is loaded. */
  #hasPlace(line) {
    if (!this.isPartial) return true;
    let entry = this.entries.get(line.parent);
    if (line.parent && !entry) return false;
    if (isNew(line)) return true;
    while (entry?.above) entry = entry.above;
    const rank = rankOf(line);
    return entry ? !entry.gap || rank < entry.gap.after || rank > entry.gap.before : this.isNear(rank);
  }

  /** `root` is the first comment of the thread, where a history tells. */
  place(line, isNews = false, root = undefined) {
    this.isMixed ||= Boolean(line.imported);
    const known = this.entries.get(line.id);
    if (known && known.line.seq >= line.seq) return;
    if (!known && !root && !this.#hasPlace(line)) {
      this.recount();
      // An answer to what is left out in the middle of a thread: to which of them?
      if (line.parent && isNew(line) && this.gaps.size) this.past('findPlace', line);
      return;
    }
    if (!root) this.count += isShown(line) - (known ? isShown(known.line) : false);
    this.writer?.answered(line.id);
    if (known) {
      this.redraw(known, line);
      return;
    }
    this.shown += isShown(line);
    const entry = this.draw(line, rankOf(line));
    if (isNews) entry.article.classList.add('fresh');
    entry.isImported = line.imported && !root;
    this.entries.set(line.id, entry);
    if (line.parent && !this.entries.has(line.parent)) entry.root = this.entries.get(root);
    this.#complete(entry);
    this.hang(entry);
  }

  redraw(entry, line) {
    this.shown += isShown(line) - isShown(entry.line);
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
    showTotal(this);
  }

  /** A thousand comments to what is not loaded are a few questions. */
  recount(wait = RECOUNT_AFTER) {
    this.counting ||= setTimeout(async () => {
      this.counting = 0;
      const before = this.count;
      const counts = await this.connection.get({}, 'counts').catch(() => {});
      // What was counted meanwhile may be in the answer, or not.
      if (this.count !== before) return this.recount();
      if (counts) this.count = counts[this.page] - (this.live?.held.size ?? 0);
      this.tidy();
    }, wait);
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
