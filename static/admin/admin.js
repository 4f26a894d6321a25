/** The page for moderators: puts its parts together and says which does what. */

import { button, el } from '../widget/dom.js';
import { decide } from './actions.js';
import { whenSignedOut } from './api.js';
import { app, emit, on } from './app.js';
import { askBan } from './ban.js';
import { showCard } from './author.js';
import { compose } from './compose.js';
import { close, show } from './dialog.js';
import { areOn, listen, showHelp, turnKeys } from './keys.js';
import { QUIET } from './entry.js';
import { List } from './list.js';
import { isOver, verbsOf } from './model.js';
import { loadPages, makeNav, renewPages, viewOf } from './nav.js';
import { isOn, turn } from './notify.js';
import { renew } from './parents.js';
import { base, session } from './session.js';
import { askToken } from './sign-in.js';
import { Socket } from './socket.js';
import { REASONS, text } from './texts.js';
import { settle, toast, toasts, undoLast } from './toast.js';
import { View } from './view.js';

/** Ages are told anew so often, ms. */
const AGE_EVERY = 60_000;

let frame = null;
let shift = null;

const socket = new Socket({
  hello({ name, readers = 0, ...totals }) {
    Object.assign(app, { name, readers, totals });
    frame ??= open();
    emit('totals');
  },
  totals(totals) {
    Object.assign(app.totals, totals);
    emit('totals');
  },
  readers(n) {
    app.readers = n;
    emit('totals');
  },
  line(line) {
    if (line.by && line.did) {
      app.last = { by: line.by, at: Date.parse(line.created_at) };
      emit('decided-last');
    }
    if (!line.kind) {
      renew(line);
      renewPages();
    }
    if (!line.kind || line.kind === 'flag' || line.kind === 'note' && line.id) app.queue?.hear(line);
    else if (line.kind === 'page' && line.locked !== undefined) emit('locked', line);
    else if (line.kind === 'ban') emit('bans');
  },
  missed() {
    app.queue?.catchUp();
    loadPages();
  },
  refused: (error) => signOut(error),
  state(state) {
    app.state = state;
    emit('totals');
  },
});

function signOut(words = '') {
  settle();
  socket.stop();
  session.token = '';
  close();
  askToken(start, words);
}

/** Takes up where it was, where the token is taken again. */
function start() {
  if (frame) {
    document.body.replaceChildren(...frame);
    app.view.open(viewOf(location.hash));
  }
  socket.start();
}

whenSignedOut(signOut);

// The frame
function open() {
  const list = app.list = new List({ does, pick });
  const view = app.view = new View(list, { all, bulk }, toasts);
  const nav = makeNav();
  const state = el('span', { class: 'live' });
  const who = button('account', ({ currentTarget }) => menu(currentTarget), '');
  const field = el('input', { type: 'search', placeholder: text('search'), 'aria-label': text('search'), 'aria-keyshortcuts': '/',
    enterkeyhint: 'search', keydown: ({ key }) => key === 'Escape' && view.focus() });
  const search = el('form', { class: 'search', role: 'search', submit(event) {
    event.preventDefault();
    const q = field.value.trim();
    location.hash = q ? `#search=${encodeURIComponent(q)}` : '#waiting';
  } }, field, el('kbd', { 'aria-hidden': true }, '/'));
  const showState = () => {
    who.textContent = `${app.name} ▾`;
    who.ariaLabel = text('account', { name: app.name });
    state.dataset.state = app.state;
    state.textContent = app.state === 'live' && app.readers ? text('reading', { n: app.readers }) : text(app.state);
    view.update();
  };
  on('totals', showState);
  on('reload', () => view.open(app.queue.view));
  // Under a finger nothing scrolls.
  let isByKey = false;
  for (const type of ['keydown', 'pointerdown']) {
    addEventListener(type, () => {
      isByKey = type === 'keydown';
    }, { capture: true, passive: true });
  }
  on('decided', (entries) => {
    const { activeElement } = document;
    if (entries.includes(list.current)) list.goOn(list.root.contains(activeElement) || activeElement === document.body, isByKey);
  });
  addEventListener('hashchange', () => go(field));
  setInterval(() => {
    for (const time of list.root.querySelectorAll('time')) time.textContent = text.ago(Date.parse(time.dateTime));
    view.update();
  }, AGE_EVERY);
  list.root.addEventListener('click', ({ target }) => {
    const row = target.closest('.row');
    if (!row || target.closest('a, button, label, input, textarea, form') || !getSelection().isCollapsed) return;
    list.select(app.queue.entries.get(Number(row.dataset.id)), { focus: true });
  });
  listen(pressed);
  const parts = [el('a', { class: 'skip', href: '#main', click(event) {
    event.preventDefault();
    view.focus();
  } }, text('skip')),
  el('header', { class: 'bar-top' }, el('a', { class: 'brand', href: '#waiting' }, 'sayso'),
    el('a', { class: 'host', href: `${base}/` }, location.host), search, state, who),
  el('div', { class: 'frame' }, nav, view.root), toasts];
  document.body.replaceChildren(...parts);
  app.search = field;
  app.nav = nav;
  loadPages();
  go(field);
  return parts;
}

function go(field) {
  const view = viewOf(location.hash);
  field.value = view.kind === 'search' ? view.value : '';
  const isFirst = !app.queue;
  app.view.open(view);
  app.nav.update();
  scrollTo(0, 0);
  if (!isFirst) app.view.focus();
}

function menu(from) {
  const box = (label, isOn, change) => {
    const made = el('input', { type: 'checkbox', change: () => change(made) });
    made.checked = isOn;
    return el('label', { class: 'choice' }, made, label);
  };
  show(from, text('account', { name: app.name }),
    box(text('notify'), isOn(), async (made) => {
      if (await turn(made.checked)) return;
      made.checked = false;
      toast(text('noNotify'), { isBad: true });
    }),
    box(text('shortcuts'), areOn(), ({ checked }) => turnKeys(checked)),
    el('div', { class: 'bar-end' }, button('', () => showHelp(from), text('help')), button('', () => signOut(), text('signOut'))));
}

// What one does
function does(verb, entry, from) {
  // What is decided at a glance needs no more room for that.
  if (QUIET.has(verb)) return decide([entry], verb);
  app.list.select(entry);
  // Another element may stand for it now.
  const here = from?.isConnected ? from : entry.row?.querySelector(`[data-verb=${verb}]`) ?? entry.row;
  if (['edit', 'answer'].includes(verb)) compose(entry, verb, () => entry === app.list.current && app.list.select(entry, { focus: true }));
  else if (verb === 'ban') askBan([entry], here);
  else if (verb === 'card') showCard(entry, here.closest('.row') ? here : entry.row.querySelector('.by'));
  else if (verb === 'dots') entry.row.querySelector('.act')?.focus({ preventScroll: true });
  else if (verb === 'reason') toggleReason(entry);
  else if (verb === 'openThread') location.hash = `#thread=${entry.id}`;
  else decide([entry], verb);
  return undefined;
}

function toggleReason(entry) {
  entry.isReasonOpen = !entry.isReasonOpen;
  entry.why = null;
  app.list.redraw(entry);
  entry.row.querySelector(entry.isReasonOpen ? '.chip' : '[data-verb=reason]')?.focus({ preventScroll: true });
}

function pick(entry, isPicked, event) {
  const { order } = app.queue;
  const range = event?.shiftKey && shift ? [order.indexOf(shift), order.indexOf(entry)].sort((a, b) => a - b) : null;
  const meant = range ? order.slice(range[0], range[1] + 1) : [entry];
  shift = entry;
  choose(meant, isPicked);
}

function choose(entries, isPicked) {
  for (const entry of entries) {
    if (entry.isPicked === isPicked) continue;
    entry.isPicked = isPicked && !isOver(app.queue.view, entry);
    app.list.redraw(entry);
  }
  app.view.update();
}

const all = (isPicked) => choose(isPicked ? app.queue.open : app.queue.order, isPicked);

/** The action of that name that each of them takes: what is public and flagged is kept, what is hidden restored. */
const MEANT = { approve: ['approve', 'keep', 'restore'], pin: ['pin', 'unpin'] };

function bulk(verb, from) {
  const { picked } = app.queue;
  if (verb === 'ban') return askBan(picked, from);
  const meant = new Map();
  for (const entry of picked) {
    const found = verbsOf(entry).find((can) => (MEANT[verb] ?? [verb]).includes(can));
    if (found) meant.set(found, [...meant.get(found) ?? [], entry]);
  }
  for (const [can, entries] of meant) decide(entries, can);
  app.view.update();
  return undefined;
}

function pressed(verb, value) {
  const { list, queue, view } = app;
  const { current } = list;
  if (verb === 'undo') undoLast();
  else if (verb === 'fresh') view.release();
  else if (verb === 'help') showHelp(document.activeElement);
  else if (verb === 'search') app.search.focus();
  else if (verb === 'next' || verb === 'previous') step(verb);
  else if (!current || list.root.hidden) return;
  else if (verb === 'pick') pick(current, !current.isPicked);
  else if (verb === 'preset') preset(current, REASONS[value]);
  else if (['approve', 'hide', 'delete', 'ban'].includes(verb) && queue.picked.length) bulk(verb, current.row);
  else if (verb === 'card' || verb === 'openThread') does(verb, current, current.row);
  else {
    const can = verbsOf(current).find((other) => (MEANT[verb] ?? [verb]).includes(other));
    if (can || verb === 'reason' && verbsOf(current).length) does(can ?? verb, current, current.row);
  }
}

function step(verb) {
  const { list } = app;
  if (list.current && !list.root.hidden) list.move(verb === 'next' ? 1 : -1);
}

function preset(entry, words) {
  if (!entry.isReasonOpen) return;
  entry.reason = entry.reason === words ? '' : words;
  entry.why = null;
  app.list.redraw(entry);
}

if (session.token) start();
else askToken(start);
