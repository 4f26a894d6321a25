/** Who somebody is to moderators: since when, what became of what they wrote, and a private note. */

import { avatar } from '../widget/view.js';
import { button, el } from '../widget/dom.js';
import * as api from './api.js';
import { complain, ban } from './actions.js';
import { emit, on } from './app.js';
import { askBan } from './ban.js';
import { close, place, show } from './dialog.js';
import { toast } from './toast.js';
import { text } from './texts.js';

const NOTE_CHARS_MAX = 1_000;
/** A look that takes longer is not made for every entry, ms. */
const CHEAP_MAX = 150;
const KNOWN_MAX = 2_000;

/** By author: what is known, or the promise of it. */
const known = new Map();
const waiting = [];
let isBusy = false;
let isCheap = true;

on('bans', () => known.clear());

/**
 * How much they have written, if that is known; else it is looked for, and `emit('author')` says when it is found. Only of the current
 * entry's author where that takes long: each time the whole log is read for it.
 */
export function glance(who, isCurrent = false) {
  const about = known.get(who);
  if (about || !(isCheap || isCurrent)) return about?.author && about;
  if (known.size > KNOWN_MAX) known.clear();
  known.set(who, {});
  if (isCurrent) waiting.push(who);
  else waiting.unshift(who);
  pump();
  return undefined;
}

async function pump() {
  if (isBusy || !waiting.length) return;
  isBusy = true;
  const who = waiting.pop();
  const start = performance.now();
  try {
    known.set(who, await api.author(who, false));
    emit('author', who);
  } catch {
    known.delete(who);
  }
  isCheap = performance.now() - start < CHEAP_MAX;
  isBusy = false;
  pump();
}

const fact = (n, word) => el('div', {}, el('dd', {}, typeof n === 'number' ? text.number(n) : n), el('dt', {}, word));

export async function showCard(entry, from) {
  const who = entry.line.author;
  if (!who) return toast(text('noAuthor'), { isBad: true });
  const name = entry.line.name || text('anonymous');
  const body = el('div', { class: 'card', 'aria-busy': true }, el('p', { class: 'quiet' }, text('loading')));
  show(from, text('card', { name }), body);
  try {
    const about = await api.author(who);
    known.set(who, about);
    fillCard(body, entry, about, from);
  } catch (error) {
    body.replaceChildren(el('p', { class: 'quiet' }, error.message));
  }
  body.ariaBusy = null;
  place();
  return undefined;
}

export const untilWhen = (until = '9999') => (until.startsWith('9999') ? text('forEver') : text('untilWhen', { when: text.moment(Date.parse(until)) }));

function fillCard(body, entry, about, from) {
  const who = entry.line.author;
  const name = about.name || entry.line.name || text('anonymous');
  const { ban: banned, note } = about;
  const field = el('textarea', { rows: 2, maxlength: NOTE_CHARS_MAX, 'aria-label': text('note'), placeholder: text('noteHint'), dir: 'auto' });
  field.value = note?.reason ?? '';
  const save = button('act', async () => {
    try {
      const said = await api.noteOn(who, field.value.trim());
      known.set(who, said);
      toast(text('done_note'));
    } catch (error) {
      complain([error]);
    }
  }, text('save'));
  save.hidden = true;
  field.addEventListener('input', () => {
    save.hidden = false;
  });
  const lift = () => api.lift(who).then(() => {
    toast(text('done_lift'));
    emit('bans');
    close();
  }, (error) => complain([error]));
  const hold = () => {
    close();
    ban([{ author: who, hold: true }], [name], true);
  };
  const theirs = el('a', { class: 'button', href: `#author=${encodeURIComponent(who)}`, click: close }, text('theirs'));
  const since = about.since ? text('since', { when: text.ago(Date.parse(about.since)) }) : text('never');
  body.replaceChildren(
    el('div', { class: 'card-head' }, avatar(who, name), el('div', {}, el('h2', {}, el('bdi', {}, name)), el('p', { class: 'quiet' }, since))),
    el('dl', {}, ...['Public', 'Pending', 'Hidden', 'Deleted'].map((state) => fact(about[state.toLowerCase()], text(`is${state}`))),
      fact(`${Math.round((about.rejected ?? 0) * 100)} %`, text('rejectedShare'))),
    ...banned ? [el('p', { class: 'warned' }, text(banned.hold ? 'onHoldNow' : 'bannedNow'), ' ', untilWhen(banned.until),
      ...banned.by ? [` · ${banned.by}`] : [])] : [],
    el('label', { class: 'note' }, el('span', {}, text('note'), ...note?.by ? [` · ${note.by}`] : []), field), save,
    el('div', { class: 'bar-end' }, theirs, ...banned ? [button('', lift, text('lift'))] : [button('', hold, text('holdAuthor')), button('', () => {
      close();
      askBan([entry], from);
    }, text('ban'))]));
  theirs.focus({ preventScroll: true });
}
