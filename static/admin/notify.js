/** How many wait, on the tab, its icon and, where wished, as the browser's notification. Knows no comment's text. */

import { store } from '../widget/dom.js';
import { app } from './app.js';
import { text } from './texts.js';

const KEY = 'sayso admin notify';
const FONT = 'font-family="sans-serif" font-weight="700" text-anchor="middle"';

let before = null;
let icon = null;

function drawIcon(n) {
  const words = n > 99 ? '99+' : n;
  const badge = n ? `<circle cx="21" cy="21" r="11" fill="#c2410c"/><text x="21" y="25" ${FONT} font-size="${n > 9 ? 10 : 13}" fill="#fff">${words}</text>` : '';
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M4 4h24v18H14l-6 6v-6H4z" fill="#2457d6"/>${badge}</svg>`;
  icon ??= document.querySelector('link[rel=icon]');
  icon.href = `data:image/svg+xml,${encodeURIComponent(drawing)}`;
}

/** The tab says it; what has come since is notified while nobody looks. */
export function showWaiting(title) {
  const n = app.totals.pending ?? 0;
  document.title = `${n ? `(${n}) ` : ''}${title} · sayso`;
  if (n === before) return;
  drawIcon(n);
  if (before !== null && n > before && document.hidden && isOn()) {
    try {
      new Notification('sayso', { body: text('notified', { n }), tag: 'sayso-waiting' }).onclick = () => window.focus();
    } catch {
      // Some phones let only workers do so.
    }
  }
  before = n;
}

export const isOn = () => store.get(KEY) === 'on' && globalThis.Notification?.permission === 'granted';

/** Says whether it could be done. */
export async function turn(isWished) {
  const may = !isWished || await globalThis.Notification?.requestPermission() === 'granted';
  store.set(KEY, isWished && may ? 'on' : '');
  return may;
}
