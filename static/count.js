/**
 * <sayso-count page src words>: how many comments a page has, live. All of a document's counters of one server share one socket; where none
 * gets through they are asked for every while. Without `page` it is host/path of the link around it, or of the document. With `words` it says
 * "5 comments", in the language around it. Until there is an answer, and where there is none, the element's own children stay.
 *
 * embed.js loads this for the first counter; a document that only counts loads it alone.
 */

const HERE = new URL('.', import.meta.url).href.slice(0, -1);
const PAGES_MAX = 100;
const RETRY_MIN = 1_000;
const RETRY_MAX = 60_000;
const POLL_EVERY = 30_000;

/** One server's counters. */
class Counters {
  #base;
  #elements = new Set();
  #counts = {};
  #newest = new WeakMap();
  /** By language, for those that count in words. */
  #speakers = {};
  #sockets = [];
  #attempt = 0;
  #timer = 0;

  constructor(base) {
    this.#base = base;
    addEventListener('pagehide', () => this.#stop());
    addEventListener('pageshow', (event) => event.persisted && this.#later(0));
    addEventListener('online', () => this.#later(0));
  }

  add(element) {
    this.#elements.add(element);
    this.#show();
    // All that a document brings at once go together.
    this.#later(50);
  }

  remove(element) {
    if (this.#elements.delete(element)) this.#later(1_000);
  }

  #later(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#start(), wait);
  }

  #stop() {
    clearTimeout(this.#timer);
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #start() {
    this.#stop();
    const pages = [...new Set([...this.#elements].map(pageOf))];
    for (let i = 0; i < pages.length; i += PAGES_MAX) this.#follow(pages.slice(i, i + PAGES_MAX));
  }

  #follow(pages) {
    const query = (name) => new URLSearchParams(pages.map((page) => [name, page]));
    const socket = new WebSocket(`${this.#base.replace(/^http/, 'ws')}/ws/comments/?${query('count')}`);
    this.#sockets.push(socket);
    socket.onmessage = ({ data }) => {
      this.#attempt = 0;
      this.#show(JSON.parse(data).counts);
    };
    socket.onclose = async () => {
      if (!this.#sockets.includes(socket)) return;
      this.#attempt++;
      const answer = this.#attempt > 1 && await fetch(`${this.#base}/api/counts?${query('page')}`).catch(() => {});
      const counts = answer?.ok ? await answer.json().catch(() => {}) : undefined;
      this.#show(counts);
      const wait = counts ? POLL_EVERY : Math.min(RETRY_MAX, RETRY_MIN * 2 ** this.#attempt);
      if (this.#sockets.includes(socket)) this.#later(Math.random() * wait);
    };
  }

  #show(counts) {
    Object.assign(this.#counts, counts);
    for (const element of this.#elements) {
      const n = this.#counts[pageOf(element)];
      if (typeof n === 'number') this.#write(element, n);
    }
  }

  async #write(element, n) {
    const lang = element.closest('[lang]')?.lang || undefined;
    const isInWords = element.hasAttribute('words');
    // What comes meanwhile is newer.
    this.#newest.set(element, n);
    const words = isInWords ? await this.#inWords(n, lang).catch(() => {}) : undefined;
    const said = words ?? n.toLocaleString(lang);
    if (this.#newest.get(element) === n && element.textContent !== said) element.textContent = said;
  }

  async #inWords(n, lang = 'en') {
    const code = lang.toLowerCase().split('-')[0];
    this.#speakers[code] ??= this.#learn(code);
    return (await this.#speakers[code])('comments', { n });
  }

  /** The language's texts, or English. */
  async #learn(code) {
    const { speaker } = await import('./widget/texts.js');
    const answer = code === 'en' ? undefined : await fetch(`${this.#base}/lang/${code}.json`).catch(() => {});
    return answer?.ok ? speaker(code, await answer.json()) : speaker('en', {});
  }
}

function pageOf(element) {
  const named = [element.closest('a[href]')?.href, document.querySelector('link[rel=canonical]')?.href, location.href];
  const { host, pathname } = new URL(named.find((address) => URL.canParse(address)));
  return element.getAttribute('page') || (host + pathname).slice(0, 512);
}

const servers = new Map();
const baseOf = (element) => element.getAttribute('src')?.replace(/\/+$/, '') || HERE;

/** Counts for this element from now on. */
export function follow(element) {
  if (!element.isConnected) return;
  const base = baseOf(element);
  if (!servers.has(base)) servers.set(base, new Counters(base));
  servers.get(base).add(element);
}

/** And no more. */
export function leave(element) {
  servers.get(baseOf(element))?.remove(element);
}

if (!customElements.get('sayso-count')) {
  customElements.define('sayso-count', class extends HTMLElement {
    connectedCallback() {
      follow(this);
    }

    disconnectedCallback() {
      leave(this);
    }
  });
}
