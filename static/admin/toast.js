/** What was done, said at the foot of the page, and its undoing for a few seconds. Knows no comment. */

import { button, el } from '../widget/dom.js';
import { text } from './texts.js';

/** ms */
export const UNDO_WITHIN = 10_000;
const SHOWN_FOR = 6_000;
const TOASTS_MAX = 3;

const polite = el('div', { class: 'unseen', role: 'status' });
const alarm = el('div', { class: 'unseen', role: 'alert' });
const box = el('div', { class: 'lines' });
export const toasts = el('section', { class: 'toasts', 'aria-label': text('undo') }, box, polite, alarm);

/** Newest last: `{undo, end, node, timer}`. */
const open = [];

/** Says it; with `undo` it can be taken back until then, and with `final` that is what happens else. */
export function toast(words, { undo, final, isBad } = {}) {
  (isBad ? alarm : polite).textContent = words;
  const one = { undo, final };
  const end = Date.now() + (undo ? UNDO_WITHIN : SHOWN_FOR);
  const left = el('span', { 'aria-hidden': true });
  one.button = undo && button('undo', () => take(one), text('undo'));
  one.button?.append(left);
  one.node = el('div', { class: isBad ? 'toast bad' : 'toast' }, el('span', { class: 'words' }, words), one.button ?? shut(one));
  box.append(one.node);
  const tick = () => {
    const seconds = Math.ceil((end - Date.now()) / 1000);
    left.textContent = ` ${seconds} s`;
    if (seconds <= 0) finish(one);
  };
  tick();
  one.timer = setInterval(tick, 250);
  one.close = () => close(one);
  open.push(one);
  // What can be taken back stays; it is only seen no more.
  while (box.childElementCount > TOASTS_MAX) box.firstChild.remove();
  return one;
}

function shut(one) {
  const made = button('shut', () => close(one), '×');
  made.ariaLabel = text('close');
  return made;
}

function close(one) {
  clearInterval(one.timer);
  one.node.remove();
  const at = open.indexOf(one);
  if (at >= 0) open.splice(at, 1);
  return at >= 0;
}

function finish(one) {
  if (close(one)) one.final?.();
}

function take(one) {
  const had = one.node.contains(document.activeElement);
  if (close(one)) one.undo();
  if (had) document.querySelector('.row[tabindex="0"]')?.focus({ preventScroll: true });
}

/** Takes back the newest that still can be. */
export function undoLast() {
  const last = open.findLast(({ undo }) => undo);
  if (last) take(last);
  else toast(text('nothingUndo'));
}

/** Whoever leaves has decided: what would have been done after the time for undoing is done now. */
export function settle() {
  for (const one of open.splice(0)) {
    clearInterval(one.timer);
    one.node.remove();
    one.final?.(true);
  }
}

addEventListener('pagehide', settle);
