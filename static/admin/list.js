/**
 * Shows any number of entries as few elements: they stand in lots, and only those near the window are drawn. One entry is the
 * current one. Knows no request.
 */

import { el } from '../widget/dom.js';
import { draw } from './entry.js';
import { isOver } from './model.js';

const LOT = 20;
/** What an entry may be high before it was ever drawn, px. */
const HEIGHT = 112;
const NEAR = '1000px 0px';

export class List {
  root = el('div', { class: 'rows' });
  current = null;
  #queue = null;
  #lots = [];
  #does;
  #watch = new IntersectionObserver((seen) => this.#look(seen), { rootMargin: NEAR });

  /** `does`: `{does, pick}` of an entry. */
  constructor(does) {
    this.#does = does;
  }

  /** Another queue, or this one in another order. */
  show(queue, current = null) {
    this.#queue = queue;
    this.#watch.disconnect();
    this.#lots = [];
    this.current = current && queue.entries.get(current.id) === current ? current : queue.open[0] ?? queue.order[0] ?? null;
    this.root.replaceChildren();
    for (const entry of queue.order) entry.row = null;
    this.append(queue.order);
  }

  append(entries) {
    let rest = entries;
    const last = this.#lots.at(-1);
    if (last && last.entries.length < LOT) {
      const some = rest.slice(0, LOT - last.entries.length);
      for (const entry of some) entry.lot = last;
      last.entries.push(...some);
      if (last.isDrawn) last.node.append(...some.map((entry) => this.#draw(entry)));
      else this.#reserve(last);
      rest = rest.slice(some.length);
    }
    for (let i = 0; i < rest.length; i += LOT) {
      const lot = { node: el('div', { class: 'lot' }), entries: rest.slice(i, i + LOT), isDrawn: false };
      lot.node.lot = lot;
      for (const entry of lot.entries) entry.lot = lot;
      this.#reserve(lot);
      this.#lots.push(lot);
      this.root.append(lot.node);
      this.#watch.observe(lot.node);
    }
    if (this.#lots[0] && !this.#lots[0].isDrawn) this.#open(this.#lots[0]);
    this.root.role = this.#queue.order.length ? 'feed' : null;
    this.#number();
  }

  #reserve(lot) {
    lot.node.style.height = `${lot.height ?? lot.entries.length * HEIGHT}px`;
  }

  #look(seen) {
    for (const { target: { lot }, isIntersecting } of seen) {
      if (isIntersecting) this.#open(lot);
      else this.#close(lot);
    }
  }

  #open(lot) {
    if (lot.isDrawn) return;
    lot.isDrawn = true;
    lot.node.replaceChildren(...lot.entries.map((entry) => this.#draw(entry)));
    lot.node.style.height = '';
    this.#number(lot);
  }

  #close(lot) {
    if (!lot.isDrawn || lot.entries.some((entry) => entry === this.current || entry.composer) || lot.node.contains(document.activeElement)) return;
    lot.height = lot.node.offsetHeight;
    lot.isDrawn = false;
    for (const entry of lot.entries) entry.row = null;
    lot.node.replaceChildren();
    this.#reserve(lot);
  }

  /** For those who can't see how many there are. */
  #number(only) {
    const size = this.#queue.more ? -1 : this.#queue.order.length;
    this.#lots.forEach((lot, at) => {
      if (!lot.isDrawn || only && only !== lot) return;
      lot.entries.forEach(({ row }, i) => {
        row.setAttribute('aria-posinset', at * LOT + i + 1);
        row.setAttribute('aria-setsize', size);
      });
    });
  }

  #draw(entry) {
    entry.row = draw(entry, { view: this.#queue.view, isCurrent: entry === this.current, ...this.#does });
    return entry.row;
  }

  redraw(entry) {
    const { row } = entry;
    if (!row?.isConnected || !this.#queue.entries.has(entry.id)) return;
    const active = row.contains(document.activeElement) ? document.activeElement : null;
    const { height } = row.getBoundingClientRect();
    const wasOver = row.classList.contains('over');
    const made = this.#draw(entry);
    for (const name of ['aria-posinset', 'aria-setsize']) made.setAttribute(name, row.getAttribute(name));
    row.replaceWith(made);
    // What is decided keeps its room, so that nothing comes under the finger.
    const kept = wasOver ? row.style.minHeight : isOver(this.#queue.view, entry) && `${height}px`;
    if (kept) made.style.minHeight = kept;
    if (!active) return;
    const { verb } = active.dataset;
    const heir = made.contains(active) ? active : verb ? made.querySelector(`[data-verb=${verb}]`) : active.closest('.pick') && made.querySelector('input');
    (heir ?? made).focus({ preventScroll: true });
  }

  /** Makes it the current one; what was under the finger stays there. */
  select(entry, { focus = false, reveal = false } = {}) {
    if (!entry) return;
    const before = this.current;
    const top = entry.row?.getBoundingClientRect().top;
    if (entry !== before) {
      this.current = entry;
      if (before) {
        Object.assign(before, { isReasonOpen: false, why: null });
        this.redraw(before);
      }
      this.#open(entry.lot);
      this.redraw(entry);
      if (top !== undefined && !reveal) scrollBy(0, entry.row.getBoundingClientRect().top - top);
    }
    this.#open(entry.lot);
    if (reveal) entry.row.scrollIntoView({ block: 'nearest' });
    if (focus) entry.row.focus({ preventScroll: true });
  }

  move(step) {
    const { order } = this.#queue;
    const at = order.indexOf(this.current);
    const to = order[Math.max(0, Math.min(order.length - 1, at + step))];
    this.select(to, { focus: true, reveal: true });
    return at + step < order.length;
  }

  /** The next that is not decided, below the current one, else above. */
  goOn(focus, reveal) {
    const { order, view } = this.#queue;
    const at = order.indexOf(this.current);
    const isOpen = (entry) => !isOver(view, entry) && !entry.isBusy && !entry.decided;
    const next = order.slice(at + 1).find(isOpen) ?? order.slice(0, Math.max(at, 0)).findLast(isOpen);
    if (next) this.select(next, { focus, reveal });
  }
}
