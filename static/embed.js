/**
 * sayso: live comments, <sayso-comments>, and <sayso-count> and <sayso-newest>, which load themselves. README.md beside it has all
 * attributes, parts, events and properties.
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

const json = (answer) => answer.json();

/** What has been asked for, by address, unless it failed. */
const files = new Map();
function once(address, read) {
  const made = files.get(address) ?? ask(address).then(read);
  files.set(address, made);
  made.catch(() => files.delete(address));
  return made;
}

/** Fetched as text, so that a host's style-src has no say. */
const sheet = (address) => once(address, async (answer) => new CSSStyleSheet().replace(await answer.text()));

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
  const canonical = document.querySelector('link[rel=canonical]')?.href;
  const { host, pathname } = new URL(URL.canParse(canonical) ? canonical : location);
  return (host + pathname).slice(0, 512);
}

/** The threads of elements that are in a document. */
const drawn = new Set();
let ticking = 0;
function tick() {
  for (const thread of drawn) thread.tick();
}

class SaysoComments extends HTMLElement {
  static observedAttributes = ['page', 'user'];
  #page;
  #thread;
  #leave;
  /** Of widget/frame.js. */
  #follow;
  /** Another one each time that it begins: what an earlier one brings is dropped. */
  #turn;

  connectedCallback() {
    if (this.#thread) this.#resume();
    else if (!this.#turn) this.#begin(this.#turn = {});
  }

  disconnectedCallback() {
    if (!drawn.delete(this.#thread)) return;
    this.#leave.abort();
    this.#thread.watch.disconnect();
    this.#thread.connection.stop();
  }

  attributeChangedCallback(name, before, now) {
    if (this.#turn && before !== now && !(name === 'user' && this.#thread?.writer?.renew())) this.reload();
  }

  /** What is commented on. */
  get page() {
    return this.#page;
  }

  set page(page) {
    if (page == null) this.removeAttribute('page');
    else this.setAttribute('page', page);
  }

  /** Begins anew, with what the attributes and the document say now. */
  reload() {
    this.disconnectedCallback();
    this.#thread = this.#turn = undefined;
    this.replaceChildren();
    if (this.isConnected) this.connectedCallback();
  }

  /** Served children, or the page before, stay until what replaces them is there. */
  async #begin(turn) {
    const base = this.getAttribute('src')?.replace(/\/+$/, '') || HERE;
    if (!this.shadowRoot) this.attachShadow({ mode: 'open' }).append(document.createElement('slot'));
    const isWall = this.getAttribute('view') === 'wall';
    const page = this.#page = this.getAttribute('page') || (isWall ? new URLSearchParams(location.search).get('page') || '/' : canonicalPage());
    const code = this.closest('[lang]')?.lang?.toLowerCase().split('-')[0];
    const lang = LANGUAGES.includes(code) ? code : 'en';

    const rising = !isWall && (remembered(`sayso ${base} order`) || this.getAttribute('order')) === 'oldest';
    const id = Number(/^#sayso-(\d+)$/.exec(location.hash)?.[1]);

    // The comments are the most to send, so they are asked for first.
    const comments = (query) => ask(`${base}/api/comments?${new URLSearchParams({ page, ...query })}`).then(json);
    const history = comments({ threads: 50, ...rising && { after: 0 } });
    const target = id && !isWall ? { id, coming: comments({ thread: id, limit: 200 }) } : undefined;
    const style = () => Promise.allSettled((isWall ? ['embed', 'wall'] : ['embed']).map((name) => sheet(`${base}/${name}.css`)));
    style();
    const texts = lang === 'en' ? {} : once(`${base}/lang/${lang}.json`, json).catch(() => {});
    // The connection looks at the outcome and tries again; an error before that is no unhandled one.
    history.catch(() => {});
    target?.coming.catch(() => {});
    const { Thread, speaker, follow } = await load();
    const known = await texts;
    const styles = await style();
    if (turn !== this.#turn) return;

    // Without style, which is asked for again if it failed, it is plain; without its language English.
    this.shadowRoot.adoptedStyleSheets = styles.flatMap(({ value }) => value ?? []);
    this.#follow = follow;
    const text = known ? speaker(lang, known) : speaker('en', {});
    this.#thread = new Thread(this, { base, page, isWall, rising, text, ask, sheet, history, target });
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

/** Elements whose module comes with the first of them. */
function define(name) {
  const load = (verb, element) => import(`./${name}.js`).then((module) => module[verb](element));
  customElements.get(`sayso-${name}`) ?? customElements.define(`sayso-${name}`, class extends HTMLElement {
    connectedCallback() {
      load('follow', this);
    }

    disconnectedCallback() {
      load('leave', this);
    }
  });
}

['count', 'newest'].forEach(define);
// A document may load this from two servers.
customElements.get('sayso-comments') ?? customElements.define('sayso-comments', SaysoComments);
