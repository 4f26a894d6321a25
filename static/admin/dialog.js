/** A small box above the page beside what opened it: the ban, an author's card, the menu, the keys. Knows not what is in it. */

import { el } from '../widget/dom.js';

/** Between the box and what it belongs to, or the window's edge, px. */
const GAP = 6;

let box = null;
let opener = null;

/** Shows it; focus goes to what has `autofocus`, and back when it is closed. */
export function show(from, label, ...children) {
  close();
  opener = from;
  box = el('div', { class: 'box', role: 'dialog', 'aria-label': label, popover: 'auto', tabindex: -1 }, ...children);
  const mine = box;
  box.addEventListener('toggle', ({ newState }) => {
    if (newState !== 'closed') return;
    const had = mine.contains(document.activeElement) || document.activeElement === document.body;
    mine.remove();
    if (mine === box) box = null;
    if (had) (from?.isConnected ? from : document.querySelector('.row[tabindex="0"]'))?.focus({ preventScroll: true });
  });
  document.body.append(box);
  box.showPopover();
  place();
  (box.querySelector('[data-focus]') ?? box).focus({ preventScroll: true });
  return box;
}

export function close() {
  box?.hidePopover();
}

export const isOpen = () => Boolean(box?.matches(':popover-open'));

/** Under what opened it, or above; on a phone the style sheet puts it at the foot. */
export function place() {
  if (!box || !opener?.isConnected) return;
  const { left, top, bottom } = opener.getBoundingClientRect();
  const { width, height } = box.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const below = bottom + GAP + height <= clientHeight || top < height + GAP;
  box.style.setProperty('--left', `${Math.max(GAP, Math.min(left, clientWidth - width - GAP))}px`);
  box.style.setProperty('--top', `${Math.max(GAP, Math.min(below ? bottom + GAP : top - GAP - height, clientHeight - height - GAP))}px`);
}

addEventListener('resize', place);
