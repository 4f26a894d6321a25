/** The row of a comment's buttons by keyboard, and the menu behind "⋯". Loaded with write.js, on whose thread it works. */

import { button, el, store } from './dom.js';
import { rove } from './view.js';

/** Between the menu and what it belongs to, or the window's edge, px. */
const GAP = 4;
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export class Menu {
  #writer;
  #thread;
  /** One for all comments, above whatever clips those. */
  #box;
  /** The button it was opened by. */
  #dots = null;
  /** By id: the item that has sent a flag which has not been answered. */
  #flagging = new Map();

  constructor(writer, thread) {
    this.#writer = writer;
    this.#thread = thread;
    this.#box = el('div', { class: 'menu', role: 'menu', popover: 'manual', keydown: (event) => this.#pressed(event) });
    thread.root.append(this.#box);
    thread.root.addEventListener('focusin', ({ target }) => rove(target.closest('.actions'), target));
    thread.root.addEventListener('keydown', (event) => this.#step(event));
  }

  /** Of a row of buttons one is a stop of Tab, and arrows go to the others. */
  #step(event) {
    const { key, target } = event;
    const row = target.closest('.actions');
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key] * (row?.matches(':dir(rtl)') ? -1 : 1);
    if (!row || !step) return;
    const all = [...row.querySelectorAll('button')];
    all.at((all.indexOf(target) + step) % all.length).focus();
    event.preventDefault();
  }

  /** Opens it for a comment, or closes it again. */
  toggle(entry) {
    const dots = entry.article.querySelector('.dots');
    const wasOpen = this.#dots === dots;
    this.#close();
    if (wasOpen) return;
    const { line } = entry;
    const verbs = [...this.#thread.isMine(line) ? ['edit', 'delete', 'copy', 'mine'] : line.status ? ['copy'] : ['flag', 'copy', ...this.#thread.me.moderator ? ['conceal', 'delete'] : []]];
    this.#box.replaceChildren(...verbs.map((verb) => this.#item(verb, entry)));
    this.#box.ariaLabel = dots.ariaLabel;
    this.#dots = dots;
    dots.ariaExpanded = 'true';
    this.#box.showPopover();
    this.#place();
    this.#box.firstChild.focus({ preventScroll: true });
    this.#leave = new AbortController();
    const { signal } = this.#leave;
    const outside = (event) => event.composedPath().some((node) => node === this.#box || node === dots) || this.#close();
    for (const type of ['pointerdown', 'focusin']) document.addEventListener(type, outside, { signal, capture: true });
    document.addEventListener('scroll', () => this.#place(), { signal, capture: true, passive: true });
    addEventListener('resize', () => this.#place(), { signal });
  }

  /** Ends the listening for whatever closes it. */
  #leave = null;

  #close() {
    if (!this.#dots) return;
    this.#leave.abort();
    this.#dots.ariaExpanded = null;
    if (this.#box.contains(this.#thread.host.shadowRoot.activeElement)) this.#dots.focus({ preventScroll: true });
    this.#dots = null;
    this.#box.hidePopover();
  }

  #place() {
    const { left, right, top, bottom } = this.#dots.getBoundingClientRect();
    const { width, height } = this.#box.getBoundingClientRect();
    const { clientWidth } = document.documentElement;
    const wished = this.#dots.matches(':dir(rtl)') ? right - width : left;
    this.#box.style.left = `${Math.max(GAP, Math.min(wished, clientWidth - width - GAP))}px`;
    this.#box.style.top = `${bottom + GAP + height > innerHeight && top > height ? top - GAP - height : bottom + GAP}px`;
  }

  #item(verb, entry) {
    const act = () => {
      if (verb === 'copy') return this.#copy(entry, made);
      if (verb === 'flag') return this.#flag(entry, made);
      const isThere = this.#dots.isConnected;
      this.#close();
      return isThere && this.#writer[verb](entry);
    };
    const made = button(verb, act, this.#thread.text(verb));
    made.role = 'menuitem';
    made.tabIndex = -1;
    if (verb === 'flag' && this.#flagged[entry.line.id]) this.#thank(made);
    return made;
  }

  // Flags
  get #flagged() {
    return store.read(this.#flaggedKey);
  }

  get #flaggedKey() {
    return this.#writer.ownKey('flagged');
  }

  /** Once for each comment. */
  #flag({ line: { id } }, made) {
    if (made.ariaDisabled) return;
    const complain = (words) => {
      this.#flagging.delete(id);
      if (made.isConnected) this.#close();
      this.#writer.warn(this.#thread.entries.get(id), words);
    };
    made.ariaDisabled = 'true';
    this.#flagging.set(id, made);
    this.#writer.ask(id, { flag: id }, { complain });
  }

  /** The server has it. */
  flagged(id) {
    store.set(this.#flaggedKey, JSON.stringify({ ...this.#flagged, [id]: 1 }));
    const made = this.#flagging.get(id);
    this.#flagging.delete(id);
    this.#writer.answered(id);
    if (!made) return;
    this.#thank(made);
    this.#thread.said.textContent = made.textContent;
  }

  #thank(made) {
    made.textContent = this.#thread.text('flagged');
    made.ariaDisabled = 'true';
  }

  async #copy({ line }, made) {
    const { said, text } = this.#thread;
    const address = `${location.href.split('#')[0]}#sayso-${line.id}`;
    try {
      await navigator.clipboard.writeText(address);
      made.textContent = text('copied');
      said.textContent = text('copied');
    } catch {
      // Not allowed to: then the window's own address is it.
      this.#close();
      location.hash = `sayso-${line.id}`;
    }
  }

  #pressed(event) {
    const { key, target } = event;
    if (key === 'Escape' || key === 'Tab') this.#close();
    const items = [...this.#box.children];
    const to = key === 'Home' ? 0 : key === 'End' ? -1 : STEPS[key] && (items.indexOf(target) + STEPS[key]) % items.length;
    if (to !== undefined) items.at(to).focus();
    if (to !== undefined || key === 'Escape') event.preventDefault();
  }
}
