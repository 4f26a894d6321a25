/**
 * sayso: live comments, <sayso-comments page src heading level theme>. Without `page` it is host/path of the canonical address,
 * without `src` this file's server, without `theme` (light, dark, auto) the host's color-scheme.
 *
 * Nothing from the server becomes an element but through createElement, textContent and the allowlist of `rich`.
 *
 * @typedef Line a comment's present state; of two with one id the later seq wins: {seq, id, page, parent?, name?, author?,
 *   content?, html?, created_at, edited_at?, deleted?, nonce?, status?, kind?}
 * @typedef Notice {hello: {log, seq, readers, resumed?}} | {readers} | {typing} | {seq} | {error, nonce?, retry_after?}
 * @typedef Request {content, name?, parent?, key, nonce} | {key} | {edit, content, key, nonce} | {delete, key, nonce} |
 *   {typing, name?}
 */

// Limits; times in ms
const CONTENT_BYTES_MAX = 8192;
const NAME_CHARS_MAX = 64;
const DEPTH_MAX = 4;
const HISTORY_LINES = 50;
/** How many lots of 200 lines are worth catching up with, or going back for a permalink. */
const STEPS_MAX = 20;
const RETRY_MIN = 500;
const RETRY_MAX = 30_000;
const SILENCE_MAX = 60_000;
const HELLO_WAIT = 8_000;
const POLL_EVERY = 5_000;
const FLUSH_EVERY = 100;
const FRESH_MAX = 8;
const TYPING_EVERY = 2_000;
const TYPING_SHOWN = 4_000;
const TICK = 15_000;

// Texts
const TEXTS = {
  anonymous: 'Anonymous', cancel: 'Cancel', comment: 'Comment', connecting: 'Connecting…', delete: 'Delete',
  deleted: 'Deleted', edit: 'Edit', edited: 'edited', heading: 'Comments', keep: 'Keep', live: 'Live', markdown: 'Markdown',
  name: 'Name (optional)', now: 'just now', offline: 'Offline', older: 'Older comments', pending: 'Waiting for approval',
  placeholder: 'Say something…', reply: 'Reply', polling: 'Updated every few seconds', retry: 'Reconnecting…', save: 'Save', send: 'Send', sending: 'sending…',
  someone: 'Someone', waiting: 'waits for the connection', you: 'You',
  answer: 'Answer {name}…',
  empty: 'No comments yet. Say the first word.',
  failed: 'This could not be loaded. Try again.',
  left: '{n} left',
  long: 'This is {bytes} bytes long; at most {max} fit.',
  missing: 'Write something first.',
  notLive: 'There is no connection right now. Try again in a moment.',
  older_comment: 'an older comment',
  over: '{n} too many',
  reading: 'Live · {n} reading',
  sure: 'Delete for good?',
  to: 'to ',
  came: { one: '{n} new comment', other: '{n} new comments' },
  held: { one: 'Offline: {n} comment waits here', other: 'Offline: {n} comments wait here' },
  typing: { one: '{who} is typing…', other: '{who} are typing…' },
};
const LANG = 'en';
const plural = new Intl.PluralRules(LANG);
const number = new Intl.NumberFormat(LANG);
const relative = new Intl.RelativeTimeFormat(LANG, { numeric: 'always', style: 'short' });
const date = new Intl.DateTimeFormat(LANG, { dateStyle: 'medium' });
const moment = new Intl.DateTimeFormat(LANG, { dateStyle: 'long', timeStyle: 'short' });

function text(key, values = {}) {
  const found = TEXTS[key];
  const form = typeof found === 'string' ? found : found[plural.select(values.n)] ?? found.other;
  return form.replace(/\{(\w+)\}/g, (_, name) => typeof values[name] === 'number' ? number.format(values[name]) : values[name]);
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? '' : '.');

function ago(at) {
  const seconds = Math.max(0, (Date.now() - at) / 1000);
  if (seconds < 45) return text('now');
  for (const [unit, size, end] of [['minute', 60, 3600], ['hour', 3600, 86400], ['day', 86400, 7 * 86400]]) {
    // Without the full stop of "4 min. ago".
    if (seconds < end) return relative.format(-Math.max(1, Math.floor(seconds / size)), unit).replace(/\b(min|hr)\./, '$1');
  }
  return date.format(at);
}

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

const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36).padStart(7, 0)).join('');

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

const button = (name, click, label = text(name)) => el('button', { class: name, type: 'button', click }, label);

/** What a comment's html may hold; everything else leaves its text behind. */
const RICH = new Set(['p', 'br', 'em', 'strong', 'del', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a']);

/** Built anew, so that even a lying server runs nothing here. */
function rich(html) {
  const built = document.createDocumentFragment();
  copy(new DOMParser().parseFromString(html, 'text/html').body, built, 0);
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

/** Fetched as text, so that a host's style-src has no say. */
const sheets = new Map();
function sheet(base) {
  if (!sheets.has(base)) {
    const made = fetch(`${base}/embed.css`).then(async (answer) => {
      if (!answer.ok) throw new Error(`${answer.status} for embed.css`);
      const css = new CSSStyleSheet();
      css.replaceSync(await answer.text());
      return css;
    });
    sheets.set(base, made);
    made.catch(() => sheets.delete(base));
  }
  return sheets.get(base);
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

  async get(query, what = 'comments') {
    const address = `${this.#base}/api/${what}?${new URLSearchParams({ page: this.#page, ...query })}`;
    const answer = await fetch(address, { signal: AbortSignal.timeout(20_000) });
    if (!answer.ok) throw new Error(`${answer.status} for ${address}`);
    return answer.json();
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
    this.#log = history.log;
    this.#cursor = Math.max(history.seq, ...history.comments.map((line) => line.seq));
    this.#ahead = null;
    this.#on.history(history);
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
      this.#enter('live');
      this.#on.notice({ readers: message.hello.readers });
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

// Composer
const bytes = (string) => new TextEncoder().encode(string).length;
const GROWS = CSS.supports('field-sizing', 'content');

class Composer {
  constructor(does) {
    this.does = does;
    this.input = el('textarea', { class: 'input', rows: '2', 'aria-label': text('comment'), dir: 'auto',
      placeholder: does.placeholder ?? text('placeholder'), input: () => this.#changed(), keydown: (event) => this.#pressed(event) });
    this.name = el('input', { class: 'who', value: does.name, maxlength: NAME_CHARS_MAX, placeholder: text('name'),
      'aria-label': text('name'), autocomplete: 'nickname', keydown: (event) => this.#pressed(event) });
    this.hint = el('span', { class: 'hint' }, text('markdown'));
    this.error = el('p', { class: 'error', role: 'alert' });
    const bar = el('div', { class: 'bar' }, ...(does.name === undefined ? [] : [this.name]), this.hint,
      ...(does.cancel ? [button('cancel', does.cancel)] : []), el('button', { class: 'send' }, text(does.verb ?? 'send')));
    this.form = el('form', { class: 'composer', submit: (event) => this.#submit(event) },
      el('div', { class: 'field' }, this.input, bar), this.error);
    this.form.noValidate = true;
  }

  get value() {
    return this.input.value;
  }

  set value(value) {
    this.input.value = value;
    this.#changed(true);
  }

  complain(words) {
    this.sent = false;
    this.error.textContent = words;
    this.form.classList.toggle('bad', words !== '');
    this.input.ariaInvalid = words ? 'true' : null;
  }

  #changed(quiet) {
    if (!GROWS) {
      this.input.style.height = 'auto';
      this.input.style.height = `${this.input.scrollHeight}px`;
    }
    if (this.error.textContent) this.complain('');
    const left = CONTENT_BYTES_MAX - bytes(this.value.trim());
    this.hint.textContent = left < 0 ? text('over', { n: -left }) : left < 500 ? text('left', { n: left }) : text('markdown');
    this.hint.classList.toggle('near', left < 100);
    this.does.change?.(this.value);
    if (!quiet && this.value.trim()) this.does.typing?.();
  }

  #pressed(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#submit(event);
    if (event.key === 'Escape') this.does.cancel?.();
  }

  #submit(event) {
    event.preventDefault();
    const content = this.value.trim();
    const size = bytes(content);
    if (content && size <= CONTENT_BYTES_MAX) {
      this.complain('');
      this.does.send(content, this.name.value.trim());
      return;
    }
    this.complain(content ? text('long', { bytes: size, max: CONTENT_BYTES_MAX }) : text('missing'));
    this.input.focus();
  }
}

// The element
const drawn = new Set();
let ticking = 0;
function tick() {
  for (const element of drawn) element.tick();
}

const HERE = new URL('.', import.meta.url).href.slice(0, -1);

function canonicalPage() {
  const { host, pathname } = new URL(document.querySelector('link[rel=canonical]')?.href || location.href);
  return (host + pathname).slice(0, 512);
}

/** An entry is a comment as drawn: `item` its place with its answers, `article` what it says, `below` what answers it. */
class SaysoComments extends HTMLElement {
  #entries = new Map();
  #outbox = new Map();
  #asked = new Map();
  #queue = [];
  #held = new Map();
  #more = false;
  #count = 0;
  #readers = 0;
  #top = true;
  #typing = new Map();
  #typed = 0;
  #unsaid = 0;
  #frame = 0;
  #flushed = 0;

  connectedCallback() {
    this.#listen();
    if (this.#wire) {
      this.#watch.observe(this.#who);
      this.#wire.start();
      return;
    }
    this.#base = this.getAttribute('src')?.replace(/\/+$/, '') || HERE;
    this.#page = this.getAttribute('page') || canonicalPage();
    this.#wire = new Wire(this.#base, this.#page, {
      history: (history) => this.#replace(history),
      line: (line) => this.#receive(line),
      notice: (notice) => this.#hear(notice),
      state: () => this.#stateChanged(),
    });
    this.attachShadow({ mode: 'open' }).append(el('slot'));
    this.#build();
    this.#begin();
  }

  disconnectedCallback() {
    this.#leave.abort();
    this.#watch.disconnect();
    drawn.delete(this);
    this.#wire.stop();
  }

  tick() {
    for (const time of this.#list.querySelectorAll('time')) {
      const words = ago(Date.parse(time.dateTime) || 0);
      if (time.textContent !== words) time.textContent = words;
    }
    this.#wire.check();
  }

  #wire;
  #base;
  #page;
  #leave;
  #watch;
  #root;
  #total;
  #state;
  #main;
  #who;
  #pill;
  #list;
  #empty;
  #older;
  #said;

  #listen() {
    this.#leave = new AbortController();
    const { signal } = this.#leave;
    const wake = () => document.visibilityState === 'visible' && this.#wire.wake();
    addEventListener('online', wake, { signal });
    document.addEventListener('visibilitychange', wake, { signal });
    // An open socket keeps the page out of the back/forward cache.
    addEventListener('pagehide', () => this.#wire.stop(), { signal });
    addEventListener('pageshow', (event) => event.persisted && this.#wire.start(), { signal });
    addEventListener('hashchange', () => this.#seek(), { signal });
    drawn.add(this);
    ticking ||= setInterval(tick, TICK);
  }

  // Drawing the frame
  #build() {
    this.#total = el('span', { class: 'count' });
    this.#state = el('p', { class: 'state' }, text('connecting'));
    this.#main = new Composer({ name: this.#me.name ?? '', typing: () => this.#type(), send: (...said) => this.#post(...said),
      change: (draft) => store.set(this.#key('draft', this.#page), draft) });
    this.#who = el('p', { class: 'typing' });
    this.#pill = button('pill', () => this.#release(true), '');
    this.#list = el('ol', { class: 'list', role: 'list', tabindex: -1,
      animationend: ({ target, animationName }) => animationName === 'fade' && target.classList.remove('fresh') });
    this.#empty = el('p', { class: 'empty' }, text('empty'));
    this.#older = button('older', () => this.#goBack());
    this.#said = el('p', { class: 'unseen', role: 'status' });
    const level = /^[1-6]$/.exec(this.getAttribute('level')) ?? 2;
    const title = el(`h${level}`, { class: 'title' }, this.getAttribute('heading') || text('heading'));
    this.#root = el('section', { class: 'sayso', 'aria-label': title.textContent },
      el('header', { class: 'head' }, title, this.#total, this.#state), this.#main.form, this.#who,
      el('div', { class: 'pillbox' }, this.#pill), this.#list, this.#empty,
      el('footer', { class: 'foot' }, this.#older, el('a', { class: 'brand', href: `${this.#base}/` }, 'sayso')), this.#said);
    this.#watch = new IntersectionObserver(([seen]) => {
      this.#top = seen.isIntersecting || seen.boundingClientRect.top > 0;
      if (this.#top) this.#release(false);
    });
  }

  /** Served children stay until what replaces them is there. */
  async #begin() {
    try {
      this.shadowRoot.adoptedStyleSheets = [await sheet(this.#base)];
    } catch { /* plain */ }
    this.#recall();
    this.#watch.observe(this.#who);
    if (!this.firstElementChild) {
      this.#list.classList.add('skeleton');
      this.shadowRoot.replaceChildren(this.#root);
    }
    if (this.isConnected) this.#wire.start();
  }

  #takeOver() {
    if (this.#root.isConnected) return;
    const { content, name } = this.querySelector('form')?.elements ?? {};
    const note = this.querySelector('.error')?.textContent;
    if (content?.value) this.#main.value = content.value;
    if (name?.value) this.#main.name.value = name.value;
    if (note) this.#main.complain(sentence(note));
    const focused = document.activeElement;
    const { selectionStart, selectionEnd } = focused;
    this.shadowRoot.replaceChildren(this.#root);
    const heir = new Map([[content, this.#main.input], [name, this.#main.name]]).get(focused);
    heir?.focus({ preventScroll: true });
    heir?.setSelectionRange(selectionStart, selectionEnd);
    this.replaceChildren();
  }

  #recall() {
    this.#pill.hidden = this.#older.hidden = this.#empty.hidden = true;
    this.#main.value = store.get(this.#key('draft', this.#page)) ?? '';
    for (const key of store.keys()) {
      const item = key.startsWith(this.#key('out', '')) ? store.read(key) : {};
      if (item.page === this.#page && item.content && !this.#outbox.has(item.nonce)) this.#enqueue(item);
    }
  }

  #key(...parts) {
    return ['sayso', this.#base, ...parts].join(' ');
  }

  /** `{name, key, author}`, the last once the server has told it. */
  get #me() {
    return store.read(this.#key('me'));
  }

  #remember(known) {
    store.set(this.#key('me'), JSON.stringify({ ...this.#me, ...known }));
  }

  #secret() {
    if (!this.#me.key) this.#remember({ key: random() });
    return this.#me.key;
  }

  #isMine(line) {
    return line.author !== undefined && line.author === this.#me.author;
  }

  // What comes
  #replace({ comments, more }) {
    const before = this.#entries;
    this.#entries = new Map();
    this.#queue = [];
    this.#held.clear();
    this.#list.replaceChildren();
    this.#list.classList.remove('skeleton');
    this.#more = more;
    for (const line of comments) {
      if (line.nonce) this.#acknowledge(line);
      this.#place(line);
    }
    for (const { entry } of this.#outbox.values()) this.#hang(entry);
    this.#count = [...this.#entries.values()].filter(({ line }) => isShown(line)).length;
    if (more) this.#recount();
    for (const { line, reply, editing } of before.values()) {
      if (reply?.value) this.#giveBack(reply.value, this.#entries.get(line.id));
      if (editing) this.#giveBack(editing.value);
    }
    this.#tidy();
    this.#takeOver();
    this.#seek();
  }

  #giveBack(content, above) {
    if (above) this.#reply(above);
    const composer = above?.reply ?? this.#main;
    composer.value = [content, composer.value].filter(Boolean).join('\n\n');
    return composer;
  }

  #receive(line) {
    if (line.kind) return;
    if (line.nonce) this.#acknowledge(line);
    this.#queue.push(line);
    // Frames stop in a hidden tab.
    const wait = this.#flushed + FLUSH_EVERY - Date.now();
    const flush = () => this.#flush();
    this.#frame ||= wait > 0 || document.hidden ? setTimeout(flush, wait) : requestAnimationFrame(flush);
  }

  #flush() {
    this.#frame = 0;
    this.#flushed = Date.now();
    const lines = this.#queue.splice(0);
    let came = 0;
    for (const line of lines) {
      const isNews = !this.#entries.has(line.id) && !this.#isMine(line);
      if (!isNews || this.#top || this.#entries.has(line.parent)) this.#place(line, isNews && lines.length <= FRESH_MAX);
      else if (!this.#isBeforeAll(line)) this.#held.set(line.id, line);
      came += isNews && isShown(line);
    }
    this.#announce(came);
    this.#tidy();
  }

  #announce(n) {
    this.#unsaid += n;
    if (n && this.#unsaid === n) setTimeout(() => {
      this.#said.textContent = text('came', { n: this.#unsaid });
      this.#unsaid = 0;
    }, 2_000);
  }

  #release(go) {
    const lines = [...this.#held.values()];
    this.#held.clear();
    for (const line of lines) this.#place(line, true);
    this.#tidy();
    if (!go) return;
    this.#root.scrollIntoView({ behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
    this.#list.focus({ preventScroll: true });
  }

  #hear(notice) {
    if (notice.readers !== undefined) {
      this.#readers = notice.readers;
      this.#showState();
    } else if (notice.typing !== undefined) {
      this.#showTyping(notice.typing);
    } else if (notice.lost) {
      this.#refused({ ...notice, error: text('notLive'), retry_after: 2 });
    } else if (notice.error) {
      this.#refused(notice);
    }
  }

  #stateChanged() {
    const { isReady } = this.#wire;
    for (const waiting of this.#outbox.values()) {
      waiting.sent &&= isReady;
      if (isReady) this.#dispatch(waiting);
      else this.#mark(waiting);
    }
    if (this.#me.key) this.#wire.send({ key: this.#me.key });
    if (!isReady) {
      for (const { composer } of this.#asked.values()) composer.complain(text('notLive'));
      this.#asked.clear();
    }
    this.#showState();
  }

  #showState() {
    const { state } = this.#wire;
    const n = this.#outbox.size;
    this.#state.dataset.state = state;
    this.#state.textContent = state === 'live' && this.#readers > 1 ? text('reading', { n: this.#readers })
      : state === 'offline' && n ? text('held', { n }) : text(state);
  }

  // The list
  get #oldest() {
    return Math.min(...this.#entries.keys());
  }

  /** Whether a line belongs to what is not loaded. */
  #isBeforeAll(line) {
    return this.#more && line.seq !== line.id && line.id < this.#oldest;
  }

  #place(line, isNews = false) {
    const known = this.#entries.get(line.id);
    if (known && known.line.seq >= line.seq) return;
    if (!known && this.#isBeforeAll(line)) {
      this.#recount();
      return;
    }
    this.#count += isShown(line) - (known ? isShown(known.line) : false);
    for (const [nonce, { id }] of this.#asked) if (id === line.id) this.#asked.delete(nonce);
    if (known) {
      this.#redraw(known, line);
      return;
    }
    const entry = this.#draw(line, line.id);
    if (isNews) entry.article.classList.add('fresh');
    this.#entries.set(line.id, entry);
    this.#hang(entry);
  }

  #draw(line, rank) {
    const entry = { line, rank, item: el('li', { class: 'item' }), below: [] };
    entry.item.entry = entry;
    entry.article = entry.item.appendChild(this.#article(entry));
    return entry;
  }

  #hang(entry) {
    const { line, item } = entry;
    const above = this.#entries.get(line.parent);
    entry.depth = above ? Math.min(above.depth + 1, DEPTH_MAX) : 0;
    if (!above) {
      insert(this.#list, item, false);
    } else {
      if (!above.below.includes(entry)) above.below.push(entry);
      insert(above.depth < DEPTH_MAX ? answersOf(above) : above.item.parentElement, item, true);
    }
  }

  #gather(entry) {
    this.#hang(entry);
    if (entry.line.parent) this.#redraw(entry, entry.line);
    for (const answer of entry.below) this.#gather(answer);
  }

  #redraw(entry, line) {
    entry.line = line;
    // Only their own edit's coming back interrupts who is writing.
    if (entry.editing && !entry.editing.sent && isShown(line)) return;
    entry.editing = undefined;
    const article = this.#article(entry);
    const hadFocus = entry.article.contains(this.shadowRoot.activeElement);
    if (entry.article.classList.contains('fresh')) article.classList.add('fresh');
    entry.article.replaceWith(article);
    entry.article = article;
    if (hadFocus) this.#settle(entry);
  }

  #settle(entry) {
    (entry.article.querySelector('.actions button') ?? this.#list).focus({ preventScroll: true });
  }

  #tidy() {
    for (const entry of this.#entries.values()) {
      entry.item.hidden = !isShown(entry.line) && !hasBelow(entry) && !entry.reply?.form.isConnected;
    }
    const held = [...this.#held.values()].filter(isShown).length;
    this.#pill.hidden = !held;
    this.#pill.textContent = `↑ ${text('came', { n: held })}`;
    const total = this.#count + held;
    this.#total.textContent = total ? number.format(total) : '';
    this.#empty.hidden = total > 0 || this.#outbox.size > 0;
    this.#older.hidden = !this.#more;
  }

  async #recount() {
    const counts = await this.#wire.get({}, 'counts').catch(() => {});
    this.#count = counts ? counts[this.#page] - this.#held.size : this.#count;
    this.#tidy();
  }

  async #goBack(limit = HISTORY_LINES) {
    this.#older.disabled = true;
    try {
      const { comments, more } = await this.#wire.get({ before: this.#oldest, limit });
      const alone = [...this.#entries.values()].filter(({ line }) => line.parent && !this.#entries.has(line.parent));
      const count = this.#count;
      this.#more = false;
      for (const line of comments) this.#place(line);
      this.#count = count;
      this.#more = more && comments.length > 0;
      for (const entry of alone) if (this.#entries.has(entry.line.parent)) this.#gather(entry);
      this.#older.textContent = text('older');
    } catch {
      this.#older.textContent = text('failed');
    }
    this.#older.disabled = false;
    this.#tidy();
  }

  async #seek() {
    const id = Number(/^#sayso-(\d+)$/.exec(location.hash)?.[1]);
    if (!id) return;
    for (let step = 0; step < STEPS_MAX && this.#more && id < this.#oldest; step++) await this.#goBack(200);
    const article = this.#entries.get(id)?.article;
    article?.scrollIntoView({ block: 'center' });
    article?.classList.add('fresh');
  }

  // One comment
  #article(entry) {
    const { line } = entry;
    if (!isShown(line)) {
      return el('article', { class: 'comment gone' }, el('p', { class: 'meta' }, text('deleted'), this.#when(line)));
    }
    const meta = el('p', { class: 'meta' }, el('bdi', { class: 'name' }, nameOf(line)));
    if (this.#isMine(line) || line.id === undefined) meta.append(el('span', { class: 'mark' }, text('you')));
    if (line.id) meta.append(' ', this.#when(line));
    if (line.edited_at) meta.append(' ', el('span', { class: 'edited' }, text('edited')));
    if (line.status === 'pending') meta.append(' ', el('span', { class: 'warn' }, text('pending')));
    const above = this.#entries.get(line.parent);
    if (line.parent && (!above || above.depth >= DEPTH_MAX)) {
      const name = above ? nameOf(above.line) : text('older_comment');
      meta.append(' ', el('a', { class: 'to', href: permalink(line.parent) }, text('to'), el('bdi', {}, name)));
    }
    const body = line.html ? el('div', { class: 'text', dir: 'auto' }, rich(line.html))
      : el('div', { class: 'text plain', dir: 'auto' }, line.content);
    return el('article', { class: 'comment' }, avatar(line.author), meta, body, this.#actions(entry));
  }

  #when(line) {
    const at = Date.parse(line.created_at) || 0;
    return el('a', { class: 'when', href: permalink(line.id) },
      el('time', { datetime: line.created_at, title: moment.format(at) }, ago(at)));
  }

  #actions(entry) {
    const row = el('div', { class: 'actions' });
    if (!entry.line.id) return row;
    if (entry.confirming) {
      const stop = (event) => {
        if (event.key && event.key !== 'Escape') return;
        entry.confirming = false;
        this.#redraw(entry, entry.line);
      };
      row.append(el('span', { class: 'warn' }, text('sure')), button('delete', () => this.#delete(entry)), button('keep', stop));
      row.addEventListener('keydown', stop);
      return row;
    }
    row.append(button('reply', () => this.#reply(entry)));
    if (this.#isMine(entry.line)) {
      row.append(button('edit', () => this.#edit(entry)), button('delete', () => {
        entry.confirming = true;
        this.#redraw(entry, entry.line);
        entry.article.querySelector('.keep').focus();
      }));
    }
    return row;
  }

  #reply(entry) {
    const close = () => {
      entry.reply.form.remove();
      this.#tidy();
      this.#settle(entry);
    };
    entry.reply ??= new Composer({
      name: this.#main.name.value, cancel: close, typing: () => this.#type(),
      placeholder: text('answer', { name: nameOf(entry.line) }),
      send: (content, name) => {
        entry.reply.value = '';
        this.#post(content, name, entry.line.id);
        close();
      },
    });
    entry.article.after(entry.reply.form);
    entry.reply.input.focus();
  }

  #edit(entry) {
    const close = () => {
      entry.editing = undefined;
      this.#redraw(entry, entry.line);
      this.#settle(entry);
    };
    const composer = new Composer({
      verb: 'save', cancel: close,
      send: (changed) => {
        if (changed === entry.line.content) close();
        else this.#ask(entry.line.id, { edit: entry.line.id, content: changed }, composer);
      },
    });
    entry.editing = composer;
    composer.value = entry.line.content;
    entry.article.querySelector('.text').replaceWith(composer.form);
    entry.article.querySelector('.actions').replaceChildren();
    composer.input.focus();
  }

  #delete(entry) {
    entry.confirming = false;
    this.#redraw(entry, entry.line);
    const row = entry.article.querySelector('.actions');
    const complain = (words) => row.append(el('span', { class: 'warn', role: 'alert' }, words));
    this.#ask(entry.line.id, { delete: entry.line.id }, { complain });
  }

  #ask(id, request, composer) {
    const nonce = random();
    if (this.#wire.send({ ...request, key: this.#secret(), nonce })) {
      composer.sent = true;
      this.#asked.set(nonce, { id, composer });
    } else {
      composer.complain(text('notLive'));
    }
  }

  // What goes
  #post(content, name, parent) {
    this.#remember({ name });
    this.#main.name.value = name;
    const item = { nonce: random(), page: this.#page, content, name, parent };
    store.set(this.#key('out', item.nonce), JSON.stringify(item));
    if (!parent) {
      this.#main.value = '';
      this.#main.input.focus();
    }
    this.#enqueue(item);
    this.#typed = 0;
    this.#tidy();
    this.#showState();
  }

  #enqueue(item) {
    const entry = this.#draw({ ...item, author: this.#me.author }, Date.now() * 1000 + this.#outbox.size);
    entry.item.classList.add('waits');
    const waiting = { item, entry, sent: false, note: el('span', { class: 'note' }) };
    entry.article.querySelector('.meta').append(' ', waiting.note);
    this.#outbox.set(item.nonce, waiting);
    this.#hang(entry);
    this.#dispatch(waiting);
  }

  #dispatch(waiting) {
    const { content, name, parent, nonce } = waiting.item;
    if (!waiting.sent) {
      waiting.sent = this.#wire.send({ content, name: name || undefined, parent, key: this.#secret(), nonce });
    }
    this.#mark(waiting);
  }

  #mark({ note, sent }, words = text(sent ? 'sending' : 'waiting')) {
    note.textContent = words;
    note.classList.toggle('warn', !sent);
  }

  #acknowledge(line) {
    const waiting = this.#outbox.get(line.nonce);
    if (!waiting) return;
    if (line.author) this.#remember({ author: line.author });
    this.#discard(waiting);
    this.#place(line);
  }

  #discard({ item, entry }) {
    this.#outbox.delete(item.nonce);
    store.set(this.#key('out', item.nonce), '');
    entry.item.remove();
    const above = this.#entries.get(item.parent);
    if (above) above.below = above.below.filter((answer) => answer !== entry);
    this.#showState();
  }

  /** The text goes back to its field, with the reason; where waiting helps, it waits. */
  #refused({ error, nonce, retry_after: seconds }) {
    const waiting = this.#outbox.get(nonce);
    if (waiting && seconds) {
      waiting.sent = false;
      this.#mark(waiting, sentence(error));
      setTimeout(() => this.#outbox.has(nonce) && this.#wire.isReady && this.#dispatch(waiting), seconds * 1000);
      return;
    }
    let composer = this.#asked.get(nonce)?.composer ?? this.#main;
    this.#asked.delete(nonce);
    if (waiting) {
      this.#discard(waiting);
      composer = this.#giveBack(waiting.item.content, this.#entries.get(waiting.item.parent));
    }
    composer.complain(sentence(error));
    this.#tidy();
  }

  // Typing
  #type() {
    const now = Date.now();
    if (now - this.#typed < TYPING_EVERY) return;
    this.#typed = now;
    this.#wire.send({ typing: true, name: this.#main.name.value.trim() || undefined });
  }

  #showTyping(name) {
    if (name === this.#main.name.value.trim() && Date.now() - this.#typed < TYPING_SHOWN) return;
    const who = name || text('someone');
    clearTimeout(this.#typing.get(who));
    this.#typing.set(who, setTimeout(() => {
      this.#typing.delete(who);
      this.#showWho();
    }, TYPING_SHOWN));
    this.#showWho();
  }

  #showWho() {
    const who = [...this.#typing.keys()];
    this.#who.textContent = who.length ? text('typing', { who: who.slice(0, 3).join(', '), n: who.length }) : '';
  }
}

const nameOf = (line) => line.name || text('anonymous');
const isShown = (line) => !line.deleted && line.status !== 'hidden' && line.content !== undefined;
/** Whole, since a host may have a <base>. */
const permalink = (id) => `${location.href.split('#')[0]}#sayso-${id}`;
const hasBelow = (entry) => entry.below.some((answer) => isShown(answer.line) || hasBelow(answer));

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

customElements.define('sayso-comments', SaysoComments);
