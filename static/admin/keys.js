/** The keyboard: one letter for each action. Knows only which action is meant. */

import { el, store } from '../widget/dom.js';
import { close, isOpen, show } from './dialog.js';
import { KEYS, text } from './texts.js';

const KEY = 'sayso admin keys';
const VERBS = { a: 'approve', h: 'hide', d: 'delete', w: 'reason', r: 'answer', e: 'edit', p: 'pin', b: 'ban', u: 'card',
  o: 'openThread', x: 'pick', z: 'undo', n: 'fresh', j: 'next', k: 'previous', '/': 'search', '?': 'help' };

/** As in any feed, on an entry itself. */
const FEED = { PageDown: 'next', PageUp: 'previous' };

export const areOn = () => store.get(KEY) !== 'off';
export const turnKeys = (isWished) => store.set(KEY, isWished ? '' : 'off');

/** `act(verb)` says whether there was anything to do. */
export function listen(act) {
  document.addEventListener('keydown', (event) => {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    if (ctrlKey || metaKey || altKey || event.isComposing || !areOn() || isOpen()) return;
    if (target.closest?.('input:not([type=checkbox]), textarea, select, [contenteditable]')) return;
    if (/^[1-4]$/.test(key)) act('preset', Number(key) - 1);
    const verb = VERBS[key] ?? (target.matches?.('.row') ? FEED[key] : undefined);
    // Holding a key down decides nothing.
    if (!verb || event.repeat && verb !== 'next' && verb !== 'previous') return;
    event.preventDefault();
    act(verb);
  });
}

export function showHelp(from) {
  show(from, text('help'), el('h2', {}, text('help')), el('dl', { class: 'keys' },
    ...KEYS.flatMap(([keys, does]) => [el('dt', {}, ...keys.split(' ').map((key) => el('kbd', {}, key))), el('dd', {}, does)])),
  el('div', { class: 'bar-end' }, el('button', { type: 'button', click: close, 'data-focus': '' }, text('close'))));
}
