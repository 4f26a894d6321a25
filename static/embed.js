/**
 * sayso: live comments, <sayso-comments>; its attributes, lines and notices are in the README.
 *
 * Nothing from the server becomes an element but through createElement, textContent and the allowlist of `rich`. write.js comes
 * after the first paint, other languages from lang/, the rest on demand.
 */

// Limits; times in ms
const NAME_CHARS_MAX = 64;
const DEPTH_MAX = 4;
const HISTORY_LINES = 50;
/** How many lots of 200 lines are worth catching up with, or going back for a permalink. */
const STEPS_MAX = 60;
const RETRY_MIN = 500;
const RETRY_MAX = 30_000;
const SILENCE_MAX = 60_000;
const HELLO_WAIT = 8_000;
const POLL_EVERY = 5_000;
const FLUSH_EVERY = 100;
const FLUSH_LINES = 40;
const FRESH_MAX = 8;
const TYPING_SHOWN = 4_000;
const TICK = 15_000;

// Texts
const TEXTS = {
  anonymous: 'Anonymous', answer: 'Answer {name}…', cancel: 'Cancel', comment: 'Comment', connecting: 'Connecting…',
  delete: 'Delete', deleted: 'Deleted', edit: 'Edit', edited: 'edited', empty: 'No comments yet. Say the first word.',
  failed: 'This could not be loaded. Try again.', heading: 'Comments', keep: 'Keep', left: '{n} left', like: 'Like', live: 'Live',
  long: 'This is {bytes} bytes long; at most {max} fit.', markdown: 'Markdown', missing: 'Write something first.',
  name: 'Name (optional)', newest: 'Newest first', notLive: 'There is no connection right now. Try again in a moment.',
  now: 'just now', offline: 'Offline', older: 'Older comments', older_comment: 'an older comment', oldest: 'Oldest first',
  over: '{n} too many', pending: 'Waiting for approval', placeholder: 'Say something…', polling: 'Updated every few seconds',
  preview: 'Preview', reading: 'Live · {n} reading', reply: 'Reply', retry: 'Reconnecting…', save: 'Save', send: 'Send',
  sending: 'sending…', someone: 'Someone', sure: 'Delete for good?', to: 'to {name}', waiting: 'waits for the connection',
  write: 'Write', you: 'You',
  came: { one: '{n} new comment', other: '{n} new comments' },
  held: { one: 'Offline: {n} comment waits here', other: 'Offline: {n} comments wait here' },
  hide: { one: 'Hide {n} answer', other: 'Hide {n} answers' },
  show: { one: 'Show {n} answer', other: 'Show {n} answers' },
  typing: { one: '{who} is typing…', other: '{who} are typing…' },
};
/** Each has its texts in lang/. */
const LANGUAGES = ['ar', 'de', 'es', 'fr', 'it', 'ja', 'nl', 'pl', 'pt', 'ru', 'zh'];
const AGES = [['minute', 60, 3600], ['hour', 3600, 86400], ['day', 86400, 7 * 86400]];

/** What an element says: `text(key, values)`, with its language's numbers and times. */
function speaker(lang, texts) {
  const plural = new Intl.PluralRules(lang);
  const { format } = new Intl.NumberFormat(lang);
  const relative = new Intl.RelativeTimeFormat(lang, { style: 'short' });
  const date = new Intl.DateTimeFormat(lang, { dateStyle: 'medium' });
  const moment = new Intl.DateTimeFormat(lang, { dateStyle: 'long', timeStyle: 'short' });
  const text = (key, values = {}) => {
    const found = texts[key] ?? TEXTS[key];
    const form = found.other ? found[plural.select(values.n)] ?? found.other : found;
    return form.replace(/\{(\w+)\}/g, (_, name) => typeof values[name] === 'number' ? format(values[name]) : values[name]);
  };
  text.lang = lang;
  text.number = format;
  text.moment = (at) => moment.format(at);
  text.ago = (at) => {
    const seconds = Math.max(0, (Date.now() - at) / 1000);
    if (seconds < 45) return text('now');
    for (const [unit, size, end] of AGES) {
      // Without the full stop of "4 min. ago".
      if (seconds < end) return relative.format(-Math.max(1, Math.floor(seconds / size)), unit).replace(/\b(min|hr)\./, '$1');
    }
    return date.format(at);
  };
  return text;
}

async function speak(lang, base) {
  const code = LANGUAGES.find((known) => known === lang.toLowerCase().split('-')[0]) ?? 'en';
  return speaker(code, code === 'en' ? TEXTS : await (await ask(`${base}/lang/${code}.json`)).json());
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? '' : '.');

// What is kept in the browser
function guarded(act) {
  try {
    return act();
  } catch {
    return undefined;
  }
}

const memory = new Map();
const store = {
  get: (key) => guarded(() => localStorage.getItem(key)) ?? memory.get(key),
  set(key, value) {
    memory.set(key, value);
    guarded(() => value ? localStorage.setItem(key, value) : localStorage.removeItem(key));
  },
  keys: () => [...memory.keys(), ...guarded(() => Object.keys(localStorage)) ?? []],
  read: (key) => guarded(() => JSON.parse(store.get(key))) ?? {},
};

// Elements
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), { ...attributes, part: attributes.class }, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const button = (name, click, label) => el('button', { class: name, type: 'button', click }, label);

/** What a comment's html may hold; everything else leaves its text behind. */
const RICH = new Set(['p', 'br', 'em', 'strong', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a']);

/** Built anew, so that even a lying server runs nothing here. */
function rich(html) {
  const built = document.createDocumentFragment();
  copy((Document.parseHTML?.(html) ?? new DOMParser().parseFromString(html, 'text/html')).body, built, 0);
  return built;
}

function copy(from, to, depth) {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.append(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE || depth > 32) continue;
    const tag = node.localName;
    if (['script', 'style', 'template'].includes(tag)) continue;
    const made = RICH.has(tag) ? to.appendChild(document.createElement(tag)) : to;
    if (tag === 'a') link(made, node.getAttribute('href'));
    if (tag === 'ol' && /^\d{1,9}$/.test(node.getAttribute('start'))) made.setAttribute('start', node.getAttribute('start'));
    copy(node, made, depth + 1);
  }
}

function link(a, href) {
  if (!['http:', 'https:', 'mailto:'].includes(guarded(() => new URL(href).protocol))) return;
  a.setAttribute('href', href);
  a.setAttribute('rel', 'nofollow ugc noopener');
}

/** As in src/page.rs. */
const HUES = ['#4f7df0', '#7a6cf0', '#a463e0', '#cf5bb4', '#e0587f', '#e8694f', '#e58a34', '#c9a227', '#8aa83a', '#45a566',
  '#2aa198', '#3a97cf'];
const SHAPES = ['M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0z', 'M-9-9H1a8 8 0 0 1 8 8V1a8 8 0 0 1-8 8H-1a8 8 0 0 1-8-8z',
  'M-11 5a11 11 0 0 1 22 0z', 'M-10 7L0-9L10 7z'];
const SQUARE = 'M0 0h36v36H0z';
const SILHOUETTE = 'M12 15a6 6 0 1 1 12 0a6 6 0 1 1-12 0M6 36a12 12 0 0 1 24 0z';

function avatar(author) {
  const frame = svg('svg', { class: 'avatar', viewBox: '0 0 36 36', 'aria-hidden': true });
  const path = (fill, opacity, d) => svg('path', { fill, opacity, d });
  if (!author) {
    frame.append(path('currentColor', '.1', SQUARE), path('currentColor', '.3', SILHOUETTE));
    return frame;
  }
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(author)) seed = Math.imul(seed ^ byte, 16777619);
  const draw = (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return (seed >>> 16) % n;
  };
  const hue = draw(12);
  const group = svg('g', { transform: `rotate(${draw(8) * 45} 18 18)` });
  for (const [colour, x, y, size] of [[0, 12, 13, 8], [1, 24, 22, 8], [10, 22, 9, 4]].slice(0, 2 + draw(2))) {
    const place = `translate(${x + draw(4)} ${y + draw(4)}) rotate(${draw(8) * 45}) scale(${((size + draw(4)) / 10).toFixed(1)})`;
    group.append(svg('path', { fill: HUES[(hue + colour) % 12], opacity: '.8', transform: place, d: SHAPES[draw(4)] }));
  }
  frame.append(path(HUES[hue], '.2', SQUARE), group);
  return frame;
}

async function ask(address) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(20_000) });
  if (!answer.ok) throw new Error(`${answer.status} for ${address}`);
  return answer;
}

/** Fetched as text, so that a host's style-src has no say. */
const sheets = new Map();
function sheet(address) {
  const made = sheets.get(address) ?? ask(address).then(async (answer) => new CSSStyleSheet().replace(await answer.text()));
  sheets.set(address, made);
  made.catch(() => sheets.delete(address));
  return made;
}

// Wire
/** One page's comments from one server; knows no elements. */
class Wire {
  state = 'connecting';
  #on;
  #base;
  #page;
  /** What to resume from: nothing up to this seq is missing. */
  #log = '';
  #cursor = 0;
  /** The highest seq seen while a gap below it is filled. */
  #ahead = null;
  #socket = null;
  #attempt = 0;
  #timer = 0;
  #heard = 0;
  #since = Infinity;
  /** Counts starts and stops: what was begun in an earlier one is dropped. */
  #run = 0;

  constructor(base, page, on) {
    this.#base = base;
    this.#page = page;
    this.#on = on;
  }

  start() {
    this.#run++;
    this.#connect(this.#run);
  }

  stop() {
    this.#run++;
    clearTimeout(this.#timer);
    this.#drop();
  }

  /** At once, where it can't be known whether the connection is still there. */
  wake() {
    if (this.#socket && Date.now() - this.#heard < SILENCE_MAX / 2) return;
    this.#attempt = 0;
    this.stop();
    this.start();
  }

  check() {
    if (this.#socket && Date.now() - this.#heard > SILENCE_MAX) this.wake();
  }

  get isReady() {
    return this.state === 'live' || this.state === 'polling';
  }

  send(request) {
    if (this.state === 'live') this.#socket.send(JSON.stringify(request));
    else if (this.isReady && request.nonce) this.#post(request);
    else return false;
    return true;
  }

  /** Where no socket gets through. The nonce makes it harmless to try again. */
  async #post(request) {
    try {
      const { post } = await import('./post.js');
      const said = await post(this.#base, this.#page, request);
      if (said.id) this.#on.line(said);
      else this.#on.notice(said);
    } catch {
      this.#on.notice({ lost: true, nonce: request.nonce });
    }
  }

  get log() {
    return this.#log;
  }

  async get(query, what = 'comments') {
    const said = await (await ask(`${this.#base}/api/${what}?${new URLSearchParams({ page: this.#page, ...query })}`)).json();
    if (said.likes) this.#on.notice({ likes: said.likes });
    if (said.comments) this.challenge = said.challenge;
    return said;
  }

  async #connect(run) {
    const n = this.#attempt;
    try {
      if (!this.#log) await this.#load(run);
      else if (n > 1) await this.#catchUp(run);
    } catch {
      if (run === this.#run) this.#retry(false);
      return;
    }
    if (run !== this.#run) return;
    if (n > 1) this.#enter('polling');
    // While polling works, a socket is tried ever more rarely: the 2nd, 4th, 8th, 16th time, then each 32nd.
    if (n & (n - 1) && n % 32) this.#retry(true);
    else this.#open(run);
  }

  async #load(run) {
    const history = await this.get({ limit: HISTORY_LINES });
    if (run !== this.#run) return;
    this.#cursor = Math.max(history.seq, ...history.comments.map((line) => line.seq));
    this.#ahead = null;
    this.#on.history(history);
    this.#log = history.log;
  }

  /** Fills the gap above the cursor; what comes live meanwhile moves the cursor only afterwards. */
  async #catchUp(run) {
    this.#ahead = this.#cursor;
    for (let step = 0; step < STEPS_MAX; step++) {
      const { log, seq, comments, more } = await this.get({ since: this.#cursor, limit: 200 });
      if (run !== this.#run) return;
      if (log !== this.#log) break;
      for (const line of comments) this.#on.line(line);
      this.#cursor = Math.max(this.#cursor, comments.at(-1)?.seq ?? 0);
      if (more) continue;
      this.#cursor = Math.max(this.#cursor, seq, this.#ahead);
      this.#ahead = null;
      return;
    }
    await this.#load(run);
  }

  #open(run) {
    const query = new URLSearchParams({ page: this.#page, since: this.#cursor, log: this.#log });
    const socket = new WebSocket(`${this.#base.replace(/^http/, 'ws')}/ws/comments/?${query}`, 'sayso.1');
    this.#socket = socket;
    this.#heard = Date.now();
    socket.onmessage = (event) => socket === this.#socket && this.#take(JSON.parse(event.data), run);
    socket.onclose = () => socket === this.#socket && this.#retry(this.state === 'polling');
    const late = () => socket === this.#socket && this.#since === Infinity && socket.close();
    setTimeout(late, HELLO_WAIT);
  }

  #take(message, run) {
    this.#heard = Date.now();
    if (message.hello) {
      if (message.hello.resumed === false) this.#mend(message.hello.log, run);
      this.#since = Date.now();
      this.challenge = message.hello.challenge;
      this.#enter('live');
      this.#on.notice(message.hello);
    } else if (message.id) {
      if (this.#ahead !== null) this.#ahead = Math.max(this.#ahead, message.seq);
      else this.#cursor = Math.max(this.#cursor, message.seq);
      this.#on.line(message);
    } else if (message.seq) {
      if (message.seq > this.#cursor && this.#ahead === null) this.#mend(this.#log, run);
    } else {
      this.#on.notice(message);
    }
  }

  async #mend(log, run) {
    try {
      await (log === this.#log ? this.#catchUp(run) : this.#load(run));
    } catch {
      if (run !== this.#run) return;
      this.#drop();
      this.#retry(false);
    }
  }

  #retry(isPolling) {
    this.#socket = null;
    this.#ahead = null;
    this.#attempt = Date.now() - this.#since > TICK ? 1 : this.#attempt + 1;
    this.#since = Infinity;
    if (!isPolling) this.#enter(navigator.onLine === false || this.#attempt > 3 ? 'offline' : 'retry');
    // Full jitter, so that a thousand readers come back spread out.
    const wait = isPolling ? POLL_EVERY * (0.5 + Math.random())
      : Math.random() * Math.min(RETRY_MAX, RETRY_MIN * 2 ** (this.#attempt - 1));
    const run = this.#run;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => run === this.#run && this.#connect(run), wait);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#ahead = null;
    socket?.close();
    if (this.isReady) this.#enter('retry');
  }

  #enter(state) {
    if (this.state === state) return;
    this.state = state;
    this.#on.state();
  }
}

/** The field to write in, which write.js brings to life. */
function draft(text, { name, cancel, verb = 'send', placeholder = text('placeholder') }) {
  const input = el('textarea', { class: 'input', rows: '2', 'aria-label': text('comment'), dir: 'auto', placeholder });
  const who = el('input', { class: 'who', value: name, maxlength: NAME_CHARS_MAX, placeholder: text('name'),
    'aria-label': text('name'), autocomplete: 'nickname' });
  const hint = el('span', { class: 'hint' }, text('markdown'));
  const error = el('p', { class: 'error', role: 'alert', dir: 'auto' });
  const bar = el('div', { class: 'bar' }, ...(name === undefined ? [] : [who]), hint,
    ...(cancel ? [button('cancel', cancel, text('cancel'))] : []), el('button', { class: 'send' }, text(verb)));
  const form = el('form', { class: 'composer', novalidate: '' }, el('div', { class: 'field' }, input, bar), error);
  return { form, input, name: who, hint, error };
}

// Thread
/**
 * A page's comments as drawn. An entry is one of them: `item` its place with its answers, `article` what it says, `above` what
 * it answers, `below` what answers it, `n` how many of all below are shown.
 */
class Thread {
  entries = new Map();
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
  #touched = new Set();
  #count = 0;
  #readers = 0;
  #top = true;
  #wasReady = false;
  #unsaid = 0;
  #frame = 0;
  #flushed = 0;

  constructor(host, base, text) {
    this.host = host;
    this.base = base;
    this.text = text;
    this.isWall = host.getAttribute('view') === 'wall';
    this.page = host.getAttribute('page') || (this.isWall ? new URLSearchParams(location.search).get('page') || '/' : canonicalPage());
    this.rising = !this.isWall && (store.get(this.key('order')) || host.getAttribute('order')) === 'oldest';
    this.wire = new Wire(base, this.page, {
      history: (history) => this.#replace(history),
      line: (line) => this.#receive(line),
      notice: (notice) => this.#hear(notice),
      state: () => this.#stateChanged(),
    });
    this.#build();
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
      const { Writer } = await import(`./write.js${this.#again}`);
      this.writer ??= new Writer(this, { button, draft, el, sentence, store, svg });
    } catch {
      // A module that failed is only fetched again by another name.
      this.#again += '?';
      if (isAsked) this.main.error.textContent = this.text('notLive');
    }
    return this.writer;
  }

  // Drawing the frame
  #build() {
    const { text } = this;
    this.total = el('span', { class: 'count' });
    this.state = el('p', { class: 'state' }, text('connecting'));
    this.order = button('order', () => this.#turn(), '');
    this.main = draft(text, { name: this.me.name ?? '' });
    this.main.input.value = store.get(this.key('draft', this.page)) ?? '';
    this.main.form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!this.writer) this.write(true).then((writer) => writer?.main.submit());
    });
    this.who = el('p', { class: 'typing' });
    this.pill = button('pill', () => this.release(true), '');
    this.pillbox = el('div', { class: 'pillbox' }, this.pill);
    this.list = el('ol', { class: 'list', role: 'list', tabindex: -1,
      animationend: ({ target, animationName }) => animationName === 'fade' && target.classList.remove('fresh') });
    this.empty = el('p', { class: 'empty' }, text('empty'));
    this.older = button('older', () => this.#goBack(), text('older'));
    this.said = el('p', { class: 'unseen', role: 'status' });
    const level = /^[1-6]$/.exec(this.host.getAttribute('level')) ?? 2;
    const title = el(`h${level}`, { class: 'title' }, this.host.getAttribute('heading') || text('heading'));
    this.foot = el('footer', { class: 'foot' }, el('a', { class: 'brand', href: `${this.base}/` }, this.isWall ? location.host : 'sayso'));
    this.root = el('section', { class: 'sayso', 'aria-label': title.textContent, dir: text.lang === 'ar' ? 'rtl' : undefined },
      el('header', { class: 'head' }, title, this.total, this.order, this.state));
    // The host hears of keys as pressed on the element, which it may take for its own shortcuts.
    const keep = (event) => event.target.matches('input, textarea') && event.stopPropagation();
    for (const type of ['keydown', 'keypress', 'keyup']) this.root.addEventListener(type, keep);
    this.#arrange();
    this.pill.hidden = this.older.hidden = this.empty.hidden = this.order.hidden = true;
    this.watch = new IntersectionObserver(([seen]) => {
      const { bottom } = seen.boundingClientRect;
      this.#top = this.isWall || seen.isIntersecting || (this.rising ? bottom < 0 : bottom > 0);
      if (this.#top) this.release(false);
    });
  }

  /** In the order of reading, for eyes and ears alike. */
  #arrange() {
    const { root, rising, list, empty, pillbox, who, main, foot, older } = this;
    const writing = this.isWall ? [who] : rising ? [who, main.form] : [main.form, who];
    root.classList.toggle('rising', rising);
    root.append(...(rising ? [list, empty, pillbox, ...writing] : [...writing, pillbox, list, empty]), foot, this.said);
    if (rising) list.before(older);
    else foot.prepend(older);
    list.append(...[...list.children].sort(({ entry: a }, { entry: b }) => rising ? a.rank - b.rank : b.rank - a.rank));
    this.order.textContent = this.text(rising ? 'oldest' : 'newest');
  }

  #turn() {
    this.rising = !this.rising;
    store.set(this.key('order'), this.rising ? 'oldest' : 'newest');
    this.#arrange();
  }

  tick() {
    for (const time of this.list.querySelectorAll('time')) {
      const words = this.text.ago(Date.parse(time.dateTime) || 0);
      if (time.textContent !== words) time.textContent = words;
    }
    this.wire.check();
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
    this.entries = new Map();
    this.#queue = [];
    this.#held.clear();
    this.#touched.clear();
    this.list.replaceChildren();
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
    this.host.takeOver();
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
    if (this.wire.isReady && !this.isWall) this.write();
    this.writer?.stateChanged();
    this.showState();
    if (this.#wasReady) this.said.textContent = this.state.textContent;
    this.#wasReady ||= this.wire.isReady;
  }

  showState() {
    const { state } = this.wire;
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

  draw(line, rank) {
    const entry = { line, rank, item: el('li', { class: 'item' }), below: [], n: 0 };
    entry.item.entry = entry;
    entry.article = entry.item.appendChild(this.#article(entry));
    return entry;
  }

  hang(entry) {
    const { line, item } = entry;
    const above = this.entries.get(line.parent);
    entry.depth = above ? Math.min(above.depth + 1, DEPTH_MAX) : 0;
    if (above !== entry.above) {
      entry.above = above;
      above.below.push(entry);
      this.#weigh(above, entry.n + isShown(line));
    }
    this.#touched.add(entry);
    if (!above) insert(this.list, item, this.rising);
    else insert(above.depth < DEPTH_MAX ? answersOf(above) : above.item.parentElement, item, true);
  }

  drop(entry) {
    entry.item.remove();
    if (!entry.above) return;
    entry.above.below = entry.above.below.filter((answer) => answer !== entry);
    this.#weigh(entry.above, -entry.n - isShown(entry.line));
  }

  touch(entry) {
    this.#touched.add(entry);
  }

  /** Adds to what is shown below an entry and all above it. */
  #weigh(entry, n) {
    for (let up = entry; up; up = up.above) {
      up.n += n;
      this.#touched.add(up);
    }
  }

  #gather(entry) {
    this.hang(entry);
    if (entry.line.parent) this.redraw(entry, entry.line);
    for (const answer of entry.below) this.#gather(answer);
  }

  redraw(entry, line) {
    this.#weigh(entry.above, isShown(line) - isShown(entry.line));
    this.#touched.add(entry);
    const { content } = entry.line;
    entry.line = line;
    // Only their own edit's coming back interrupts who is writing.
    if (entry.editing && !entry.editing.sent) {
      if (isShown(line)) return;
      if (entry.editing.value !== content) this.writer.moveOut(entry.editing);
    }
    entry.editing = undefined;
    const article = this.#article(entry);
    const hadFocus = entry.article.contains(this.host.shadowRoot.activeElement);
    if (entry.article.classList.contains('fresh')) article.classList.add('fresh');
    entry.article.replaceWith(article);
    entry.article = article;
    if (hadFocus) this.settle(entry);
  }

  settle(entry) {
    const beside = entry.item.nextElementSibling ?? entry.item.previousElementSibling;
    const [place] = [entry.article, beside].map((near) => near?.querySelector('.actions button')).filter(Boolean);
    (place ?? this.list).focus({ preventScroll: true });
  }

  tidy() {
    for (const entry of this.#touched) {
      entry.item.hidden = !isShown(entry.line) && !entry.n && !entry.reply?.form.isConnected;
      this.#showFold(entry);
    }
    this.#touched.clear();
    const held = [...this.#held.values()].filter(isShown).length;
    this.pill.hidden = !held;
    this.pill.textContent = `${this.rising ? '↓' : '↑'} ${this.text('came', { n: held })}`;
    const total = this.#count + held;
    this.total.textContent = total ? this.text.number(total) : '';
    this.empty.hidden = total > 0 || this.writer?.outbox.size > 0;
    this.order.hidden = total < 2 || this.isWall;
    this.older.hidden = !this.more || this.isWall;
  }

  async #recount() {
    const counts = await this.wire.get({}, 'counts').catch(() => {});
    this.#count = counts ? counts[this.page] - this.#held.size : this.#count;
    this.tidy();
  }

  async #goBack(limit = HISTORY_LINES) {
    if (this.older.ariaDisabled) return;
    // Disabled in earnest it would lose the focus.
    this.older.ariaDisabled = 'true';
    const hasFocus = this.older.matches(':focus');
    try {
      const { comments, more } = await this.wire.get({ before: this.oldest, limit });
      const alone = [...this.entries.values()].filter(({ line, above }) => line.parent && !above);
      const count = this.#count;
      this.more = false;
      for (const line of comments) this.place(line);
      this.#count = count;
      this.more = more && comments.length > 0;
      for (const entry of alone) if (this.entries.has(entry.line.parent)) this.#gather(entry);
      this.older.textContent = this.text('older');
    } catch {
      this.older.textContent = this.text('failed');
    }
    this.older.ariaDisabled = null;
    this.tidy();
    if (hasFocus && this.older.hidden) this.list.focus({ preventScroll: true });
  }

  async seek() {
    const id = Number(/^#sayso-(\d+)$/.exec(location.hash)?.[1]);
    if (!id) return;
    for (let step = 0; step < STEPS_MAX && this.more && id < this.oldest; step++) await this.#goBack(200);
    const entry = this.entries.get(id);
    for (let up = entry?.above; up; up = up.above) this.fold(up, false);
    entry?.article.scrollIntoView({ block: 'center' });
    entry?.article.classList.add('fresh');
  }

  // One comment
  #article(entry) {
    const { line } = entry;
    if (!isShown(line)) {
      return el('article', { class: 'comment gone' }, el('p', { class: 'meta' }, this.text('deleted'), ' ', this.#when(line)));
    }
    const meta = el('p', { class: 'meta' }, el('bdi', { class: 'name' }, this.nameOf(line)));
    if (this.isMine(line) || line.id === undefined) meta.append(el('span', { class: 'mark' }, this.text('you')));
    if (line.id) meta.append(' ', this.#when(line));
    if (line.edited_at) meta.append(' ', el('span', { class: 'edited' }, this.text('edited')));
    if (line.status === 'pending') meta.append(' ', el('span', { class: 'warn' }, this.text('pending')));
    const above = this.entries.get(line.parent);
    if (line.parent && (!above || above.depth >= DEPTH_MAX)) {
      const [before, after] = this.text('to', { name: '\n' }).split('\n');
      const name = above ? this.nameOf(above.line) : this.text('older_comment');
      meta.append(' ', el('a', { class: 'to', href: permalink(line.parent) }, before, el('bdi', {}, name), after));
    }
    const body = line.html ? el('div', { class: 'text', dir: 'auto' }, rich(line.html))
      : el('div', { class: 'text plain', dir: 'auto' }, line.content);
    return el('article', { class: 'comment' }, avatar(line.author), meta, body, this.#actions(entry));
  }

  #when(line) {
    const at = Date.parse(line.created_at) || 0;
    return el('a', { class: 'when', href: permalink(line.id) },
      el('time', { datetime: line.created_at, title: this.text.moment(at) }, this.text.ago(at)));
  }

  #actions(entry) {
    const { line } = entry;
    const row = el('div', { class: 'actions' });
    if (!line.id || this.isWall) return row;
    for (const name of [...line.status ? [] : ['reply'], ...this.isMine(line) ? ['edit', 'delete'] : []]) row.append(this.act(name, entry, this.text(name)));
    if (entry.fold?.isConnected) row.append(entry.fold);
    if (this.likes && this.writer && !line.status) row.append(this.writer.heart(entry));
    return row;
  }

  act(name, entry, label) {
    return button(name, () => this.writer ? this.writer[name](entry) : this.write(true).then((writer) => writer?.[name](entry)), label);
  }

  #showFold(entry) {
    if (!entry.answers || !isShown(entry.line)) return;
    entry.fold ??= button('fold', () => this.fold(entry, !entry.answers.hidden), '');
    const { hidden } = entry.answers;
    entry.fold.ariaExpanded = !hidden;
    entry.fold.textContent = this.text(hidden ? 'show' : 'hide', { n: entry.n });
    const row = entry.article.querySelector('.actions');
    if (entry.n < (entry.depth ? 6 : 2) && !hidden || entry.editing) entry.fold.remove();
    else if (!entry.fold.isConnected && row) row.insertBefore(entry.fold, row.querySelector('.like'));
  }

  fold(entry, isHidden) {
    if (entry.answers) entry.answers.hidden = isHidden;
    this.#showFold(entry);
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

const isShown = (line) => !line.deleted && line.status !== 'hidden' && line.content !== undefined;
/** Whole, since a host may have a <base>. */
const permalink = (id) => `${location.href.split('#')[0]}#sayso-${id}`;

function answersOf(entry) {
  entry.answers ??= entry.item.appendChild(el('ol', { class: 'answers', role: 'list' }));
  return entry.answers;
}

function insert(list, item, isRising) {
  const comesAfter = ({ entry }) => isRising ? entry?.rank > item.entry.rank : entry?.rank < item.entry.rank;
  let next = null;
  if (!isRising && list.lastElementChild && comesAfter(list.lastElementChild)) {
    next = list.firstElementChild;
    while (!comesAfter(next)) next = next.nextElementSibling;
  } else {
    for (let last = list.lastElementChild; last && comesAfter(last); last = last.previousElementSibling) next = last;
  }
  list.insertBefore(item, next);
}

// The elements
const drawn = new Set();
let ticking = 0;
function tick() {
  for (const thread of drawn) thread.tick();
}

const HERE = new URL('.', import.meta.url).href.slice(0, -1);

function canonicalPage() {
  const { host, pathname } = new URL(document.querySelector('link[rel=canonical]')?.href || location.href);
  return (host + pathname).slice(0, 512);
}

class SaysoComments extends HTMLElement {
  #thread;
  #leave;

  connectedCallback() {
    if (this.#thread) this.#resume();
    else if (!this.shadowRoot) this.#begin(this.getAttribute('src')?.replace(/\/+$/, '') || HERE);
  }

  disconnectedCallback() {
    if (!drawn.delete(this.#thread)) return;
    this.#leave.abort();
    this.#thread.watch.disconnect();
    this.#thread.wire.stop();
  }

  /** Served children stay until what replaces them is there. */
  async #begin(base) {
    this.attachShadow({ mode: 'open' }).append(el('slot'));
    const lang = this.closest('[lang]')?.lang ?? '';
    const files = this.getAttribute('view') === 'wall' ? ['embed', 'wall'] : ['embed'];
    const [text, ...sheets] = await Promise.allSettled([speak(lang, base), ...files.map((name) => sheet(`${base}/${name}.css`))]);
    // Without style it is plain, without its language English.
    this.shadowRoot.adoptedStyleSheets = sheets.flatMap(({ value }) => value ?? []);
    this.#thread = new Thread(this, base, text.value ?? speaker('en', TEXTS));
    if (!this.firstElementChild) {
      this.#thread.list.classList.add('skeleton');
      this.shadowRoot.replaceChildren(this.#thread.root);
    }
    if (this.isConnected) this.#resume();
  }

  #resume() {
    const { wire, watch, who } = this.#thread;
    this.#leave = new AbortController();
    const { signal } = this.#leave;
    const wake = () => document.visibilityState === 'visible' && wire.wake();
    addEventListener('online', wake, { signal });
    addEventListener('offline', () => (wire.stop(), wire.start()), { signal });
    document.addEventListener('visibilitychange', wake, { signal });
    // An open socket keeps the page out of the back/forward cache.
    addEventListener('pagehide', () => wire.stop(), { signal });
    addEventListener('pageshow', (event) => event.persisted && wire.start(), { signal });
    addEventListener('hashchange', () => this.#thread.seek(), { signal });
    drawn.add(this.#thread);
    ticking ||= setInterval(tick, TICK);
    watch.observe(who);
    wire.start();
  }

  takeOver() {
    const { root, main } = this.#thread;
    if (root.isConnected) return;
    const { content, name } = this.querySelector('form')?.elements ?? {};
    const note = this.querySelector('.error')?.textContent;
    if (content?.value) main.input.value = content.value;
    if (name?.value) main.name.value = name.value;
    if (note) main.error.textContent = sentence(note);
    const focused = document.activeElement;
    const { selectionStart, selectionEnd } = focused;
    this.shadowRoot.replaceChildren(root);
    const heir = new Map([[content, main.input], [name, main.name]]).get(focused);
    heir?.focus({ preventScroll: true });
    heir?.setSelectionRange(selectionStart, selectionEnd);
    this.replaceChildren();
  }
}

const counter = () => import('./count.js');

class SaysoCount extends HTMLElement {
  connectedCallback() {
    counter().then(({ follow }) => follow(this));
  }

  disconnectedCallback() {
    counter().then(({ leave }) => leave(this));
  }
}

customElements.define('sayso-comments', SaysoComments);
if (!customElements.get('sayso-count')) customElements.define('sayso-count', SaysoCount);
