/** What one comment looks like to a moderator, with what can be done to it. Knows no request. */

import { avatar } from '../widget/view.js';
import { button, el, rich } from '../widget/dom.js';
import { on } from './app.js';
import { glance } from './author.js';
import { mark } from './marks.js';
import { going, isOver, nameOf, reasons, stateOf, verbsOf } from './model.js';
import { parentOf } from './parents.js';
import { REASONS, quote, text } from './texts.js';

const DEPTH_MAX = 4;
const REASON_CHARS_MAX = 200;
const QUOTE_CHARS = 140;
/** Of a reason, on its button. */
const REASON_CHARS = 12;
/** What can be done without looking closer. */
export const QUIET = new Set(['approve', 'keep', 'restore', 'hide']);
const KEY_OF = { approve: 'a', keep: 'a', restore: 'a', hide: 'h', answer: 'r', edit: 'e', pin: 'p', unpin: 'p', ban: 'b', delete: 'd', reason: 'w' };

/** `does(verb, entry, button)` is what its buttons do, `pick(entry, isPicked, event)` its box. */
export function draw(entry, { view, isCurrent, does, pick }) {
  const { line } = entry;
  const name = nameOf(entry);
  const box = el('input', { type: 'checkbox', 'aria-label': text('select', { name }), click: (event) => pick(entry, event.target.checked, event) });
  box.checked = entry.isPicked;
  const row = el('article', { class: 'row', 'data-id': entry.id, 'aria-label': text('by', { name }), tabindex: isCurrent ? 0 : -1 },
    el('label', { class: 'pick' }, box, avatar(line.author, line.name)),
    meta(entry, view, isCurrent, does), ...quoted(entry, view), body(entry), ...entry.composer ? [entry.composer] : [],
    ...isCurrent && entry.isReasonOpen ? [entry.why ??= why(entry)] : [], ...entry.composer ? [] : [acts(entry, isCurrent, does)]);
  // Of all entries only the current one's are stops of Tab.
  if (!isCurrent) for (const stop of row.querySelectorAll('a, button, input')) stop.tabIndex = -1;
  row.classList.toggle('current', isCurrent);
  row.classList.toggle('over', isOver(view, entry));
  row.classList.toggle('picked', entry.isPicked);
  if (entry.isBusy) row.ariaBusy = 'true';
  if (entry.depth) row.style.setProperty('--depth', Math.min(entry.depth, DEPTH_MAX));
  return row;
}

const isHeld = (entry) => stateOf(entry) === 'pending' && !going.has(entry.id);

function meta(entry, view, isCurrent, does) {
  const { line } = entry;
  const at = Date.parse(line.created_at) || 0;
  const parts = [line.author ? button('by', ({ currentTarget }) => does('card', entry, currentTarget), '') : el('span', { class: 'by' })];
  parts[0].append(el('bdi', {}, nameOf(entry)));
  if (isHeld(entry)) mark(parts[0], entry.note?.why);
  if (line.author) parts[0].ariaHasPopup = 'dialog';
  const isToldNew = entry.note?.why === 'new';
  if (line.author && !isToldNew) parts.push(tellAuthor(el('span', { 'data-about': line.author }), glance(line.author, isCurrent)));
  const isOnPage = view.kind === 'page' || view.kind === 'thread' && entry.depth > 0;
  if (!isOnPage) parts.push(el('a', { class: 'where', href: `#page=${encodeURIComponent(line.page)}` }, line.page));
  parts.push(el('a', { href: `#thread=${line.id}` }, el('time', { datetime: line.created_at, title: text.moment(at) }, text.ago(at))));
  const isTold = new Set();
  for (const [words, kind] of reasons(entry, view)) {
    if (!isTold.has(words)) parts.push(el('span', { class: `tag ${kind}` }, words));
    isTold.add(words);
  }
  if (entry.note?.reason) parts.push(el('span', {}, `“${entry.note.reason}”`));
  return el('p', { class: 'about' }, ...parts.flatMap((part) => [part, ' ']));
}

/** How much they have written; its room is kept until that is known. */
function tellAuthor(span, about) {
  span.textContent = about?.public ? text('comments', { n: about.public }) : text('newHere');
  span.classList.toggle('unknown', !about);
  return span;
}

on('author', (who) => {
  for (const span of document.querySelectorAll(`[data-about="${who}"]`)) tellAuthor(span, glance(who));
});

function quoted(entry, view) {
  const { line } = entry;
  if (!line.parent || view.ids?.has(line.parent)) return [];
  return [tellParent(el('a', { class: 'quoted', href: `#thread=${line.id}`, dir: 'auto', 'data-parent': line.parent }), parentOf(line))];
}

function tellParent(link, above) {
  const isGone = above === null || above && above.content === undefined;
  const words = isGone ? text('answersGone') : !above ? text('answersUnknown')
    : text('answers', { name: above.name || above.mod || text('anonymous'), quote: quote(above.content, QUOTE_CHARS) });
  link.textContent = words;
  return link;
}

on('parent', (parent) => {
  for (const link of document.querySelectorAll(`[data-parent="${parent}"]`)) tellParent(link, parentOf({ parent }));
});

function body(entry) {
  const { line } = entry;
  if (line.deleted) return el('p', { class: 'quiet' }, text('gone'));
  const made = line.html ? el('div', { class: 'text', dir: 'auto' }, rich(line.html))
    : el('div', { class: 'text plain', dir: 'auto' }, line.content ?? '');
  for (const a of made.querySelectorAll('a')) a.target = '_blank';
  if (isHeld(entry)) mark(made, entry.note?.why);
  made.hidden = entry.composer?.dataset.hides === 'text';
  return made;
}

function act(verb, label, entry, does, isWhole) {
  const key = KEY_OF[verb];
  const made = button(`act ${verb}`, (event) => does(verb, entry, event.currentTarget), label);
  made.dataset.verb = verb;
  if (isWhole && key) {
    made.append(el('kbd', { 'aria-hidden': true }, key));
    made.setAttribute('aria-keyshortcuts', key);
  }
  return made;
}

function acts(entry, isCurrent, does) {
  const verbs = verbsOf(entry);
  const row = el('div', { class: 'acts', role: 'group', 'aria-label': text('by', { name: nameOf(entry) }) });
  const add = (verb, label = text(verb)) => row.append(act(verb, label, entry, does, isCurrent));
  if (isCurrent) {
    for (const verb of verbs.slice(0, -1)) add(verb);
    if (verbs.includes('hide') || verbs.includes('delete')) {
      add('reason', reasonLabel(entry));
      row.lastChild.ariaExpanded = String(Boolean(entry.isReasonOpen));
    }
    if (verbs.length) add(verbs.at(-1));
  } else {
    for (const verb of verbs.filter((one) => QUIET.has(one))) add(verb);
    add('dots', '⋯');
    row.lastChild.ariaLabel = text('actions');
    if (!verbs.length) row.replaceChildren();
  }
  return row;
}

const reasonLabel = ({ reason, isReasonOpen }) => (reason && !isReasonOpen ? `“${quote(reason, REASON_CHARS)}”` : text('reason'));

/** The line for the author alone: one of four, or one's own. */
function why(entry) {
  const words = text('reasonOwn');
  const own = el('input', { class: 'own', maxlength: REASON_CHARS_MAX, placeholder: words, 'aria-label': words, dir: 'auto' });
  own.value = REASONS.includes(entry.reason) ? '' : entry.reason;
  const chips = REASONS.map((preset) => button('chip', () => choose(entry.reason === preset ? '' : preset), preset));
  const tell = () => {
    for (const chip of chips) chip.ariaPressed = String(chip.textContent === entry.reason);
    const label = box.parentElement?.querySelector('[data-verb=reason]')?.firstChild;
    if (label) label.data = reasonLabel(entry);
  };
  const choose = (reason) => {
    entry.reason = reason;
    if (document.activeElement !== own) own.value = '';
    tell();
  };
  own.addEventListener('input', () => choose(own.value.trim()));
  own.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== 'Escape') return;
    event.preventDefault();
    own.closest('.row').focus({ preventScroll: true });
  });
  const box = el('div', { class: 'why', role: 'group', 'aria-label': text('reasonHint') },
    ...chips, own, el('span', { class: 'quiet' }, text('reasonHint')));
  tell();
  return box;
}
