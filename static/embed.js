/**
 * sayso: live comments, <sayso-comments> and <sayso-count>; their attributes, parts, events and properties are in README.md beside it.
 *
 * The entry. It imports nothing statically, since a module runs only once all that it imports has come. So the first element
 * asks for comments, style, language and modules in one round. What only writing needs comes after the first paint.
 */

/** All that reading needs. They import each other and nothing else, so none is found only when another has come. */
const MODULES = ['thread', 'connection', 'view', 'frame', 'texts', 'dom'];
/** Each has its texts in lang/. */
const LANGUAGES = ['ar', 'de', 'es', 'fr', 'it', 'ja', 'nl', 'pl', 'pt', 'ru', 'zh'];
/** ms */
const ANSWER_WAIT = 20_000;
/** How long until modules that failed are asked for again, ms; twice as long each time. */
const RETRY_WAIT = 3_000;
/** How often ages are told anew, ms. */
const TICK = 15_000;

const HERE = new URL('.', import.meta.url).href.slice(0, -1);

async function ask(address) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(ANSWER_WAIT) });
  if (!answer.ok) throw Object.assign(new Error(`${answer.status} for ${address}`), { status: answer.status });
  return answer;
}

const json = async (address) => (await ask(address)).json();

/** Fetched as text, so that a host's style-src has no say. */
const sheets = new Map();
function sheet(address) {
  const made = sheets.get(address) ?? ask(address).then(async (answer) => new CSSStyleSheet().replace(await answer.text()));
  sheets.set(address, made);
  made.catch(() => sheets.delete(address));
  return made;
}

let modules;
/** Asks again where one fails; by the same names, by which they import each other. */
async function load() {
  for (let wait = RETRY_WAIT; ; wait *= 2) {
    modules ??= Promise.all(MODULES.map((name) => import(`./widget/${name}.js`)));
    try {
      return Object.assign({}, ...await modules);
    } catch {
      modules = undefined;
      await new Promise((resolve) => {
        setTimeout(resolve, wait);
        addEventListener('online', resolve, { once: true });
      });
    }
  }
}

/** Some browsers throw where nothing may be kept. */
function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function canonicalPage() {
  const { host, pathname } = new URL(document.querySelector('link[rel=canonical]')?.href || location.href);
  return (host + pathname).slice(0, 512);
}

/** The threads of elements that are in a document. */
const drawn = new Set();
let ticking = 0;
function tick() {
  for (const thread of drawn) thread.tick();
}

class SaysoComments extends HTMLElement {
  #thread;
  #leave;
  /** Of widget/frame.js. */
  #follow;

  connectedCallback() {
    if (this.#thread) this.#resume();
    else if (!this.shadowRoot) this.#begin(this.getAttribute('src')?.replace(/\/+$/, '') || HERE);
  }

  disconnectedCallback() {
    if (!drawn.delete(this.#thread)) return;
    this.#leave.abort();
    this.#thread.watch.disconnect();
    this.#thread.connection.stop();
  }

  /** Served children stay until what replaces them is there. */
  async #begin(base) {
    this.attachShadow({ mode: 'open' }).append(document.createElement('slot'));
    const isWall = this.getAttribute('view') === 'wall';
    const page = this.getAttribute('page') || (isWall ? new URLSearchParams(location.search).get('page') || '/' : canonicalPage());
    const code = this.closest('[lang]')?.lang?.toLowerCase().split('-')[0];
    const lang = LANGUAGES.includes(code) ? code : 'en';

    const rising = !isWall && (remembered(`sayso ${base} order`) || this.getAttribute('order')) === 'oldest';
    const id = Number(/^#sayso-(\d+)$/.exec(location.hash)?.[1]);

    // The comments are the most to send, so they are asked for first.
    const comments = (query) => json(`${base}/api/comments?${new URLSearchParams({ page, ...query })}`);
    const history = comments({ threads: 50, ...rising && { after: 0 } });
    const target = id && !isWall ? { id, coming: comments({ thread: id, limit: 200 }) } : undefined;
    const style = () => Promise.allSettled((isWall ? ['embed', 'wall'] : ['embed']).map((name) => sheet(`${base}/${name}.css`)));
    style();
    const texts = lang === 'en' ? {} : json(`${base}/lang/${lang}.json`).catch(() => {});
    // The connection looks at the outcome and tries again; an error before that is no unhandled one.
    history.catch(() => {});
    target?.coming.catch(() => {});
    const { Thread, speaker, follow } = await load();
    this.#follow = follow;
    const known = await texts;

    // Without style, which is asked for again if it failed, it is plain; without its language English.
    this.shadowRoot.adoptedStyleSheets = (await style()).flatMap(({ value }) => value ?? []);
    const text = known ? speaker(lang, known) : speaker('en', {});
    this.#thread = new Thread(this, { base, page, isWall, rising, text, ask, history, target });
    if (!this.firstElementChild) {
      this.#thread.list.classList.add('skeleton');
      this.shadowRoot.replaceChildren(this.#thread.root);
    }
    if (this.isConnected) this.#resume();
  }

  #resume() {
    const { connection, watch, who, root } = this.#thread;
    this.#leave = new AbortController();
    const { signal } = this.#leave;
    const wake = () => document.visibilityState === 'visible' && connection.wake();
    addEventListener('online', wake, { signal });
    addEventListener('offline', () => (connection.stop(), connection.start()), { signal });
    document.addEventListener('visibilitychange', wake, { signal });
    // An open socket keeps the page out of the back/forward cache.
    addEventListener('pagehide', () => (connection.stop(), this.#thread.writer?.leave()), { signal });
    addEventListener('pageshow', (event) => event.persisted && (connection.start(), this.#thread.writer?.comeBack()), { signal });
    addEventListener('storage', ({ key }) => this.#thread.writer?.storageChanged(key), { signal });
    addEventListener('hashchange', () => this.#thread.seek(), { signal });
    this.#follow(this, root, signal);
    drawn.add(this.#thread);
    ticking ||= setInterval(tick, TICK);
    watch.observe(who);
    connection.start();
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
