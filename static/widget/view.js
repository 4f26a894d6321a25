/** What a thread looks like: the frame around it, each comment, and the places of all of them. Knows no connection. */

import { avatar } from './avatar.js';
import { button, el, rich } from './dom.js';
import { sentence } from './texts.js';

const NAME_CHARS_MAX = 64;
/** Answers are set in by one level each up to here; deeper ones stay at this level. */
const DEPTH_MAX = 4;
/** So many answers stand below a comment without a button that folds them away. */
const UNFOLDED_MAX = 1;
const UNFOLDED_BELOW_ANSWERS_MAX = 5;

/** The field to write in, which composer.js brings to life. */
export function draft(text, { name, cancel, verb = 'send', placeholder = text('placeholder') }) {
  const input = el('textarea', { class: 'input', rows: '2', 'aria-label': text('comment'), dir: 'auto', placeholder });
  const who = el('input', { class: 'who', value: name, maxlength: NAME_CHARS_MAX, placeholder: text('name'),
    'aria-label': text('name'), autocomplete: 'nickname' });
  const hint = el('span', { class: 'hint' }, text('markdown'));
  const error = el('p', { class: 'error', role: 'alert', dir: 'auto' });
  const bar = el('div', { class: 'bar' }, ...(name === undefined ? [] : [who]), hint,
    ...(cancel ? [button('cancel', cancel, text('cancel'))] : []), el('button', { class: 'send' }, text(verb)));
  const form = el('form', { class: 'composer', novalidate: '' }, el('div', { class: 'field' }, input, bar), error);
  return { form, input, name: who, hint, error };
}

/** Everything around the comments; `does` says what its buttons do. */
export function frame(host, { base, text, isWall }, name, does) {
  const parts = {
    total: el('span', { class: 'count' }),
    state: el('p', { class: 'state' }, text('connecting')),
    order: button('order', does.turn, ''),
    main: draft(text, { name }),
    who: el('p', { class: 'typing' }),
    pill: button('pill', does.release, ''),
    list: el('ol', { class: 'list', role: 'list', tabindex: -1,
      animationend: ({ target, animationName }) => animationName === 'fade' && target.classList.remove('fresh') }),
    empty: el('p', { class: 'empty' }, text('empty')),
    /** What lies beyond the threads that are not loaded. */
    far: el('ol', { class: 'list', role: 'list' }),
    older: button('older', does.goBack, text('older')),
    said: el('p', { class: 'unseen', role: 'status' }),
    foot: el('footer', { class: 'foot' }, el('a', { class: 'brand', href: `${base}/` }, isWall ? location.host : 'sayso')),
  };
  parts.pillbox = el('div', { class: 'pillbox' }, parts.pill);
  const level = /^[1-6]$/.exec(host.getAttribute('level')) ?? 2;
  const title = el(`h${level}`, { class: 'title' }, host.getAttribute('heading') || text('heading'));
  parts.root = el('section', { class: 'sayso', 'aria-label': title.textContent, dir: text.lang === 'ar' ? 'rtl' : undefined },
    el('header', { class: 'head' }, title, parts.total, parts.order, parts.state));
  // The host hears of keys as pressed on the element, which it may take for its own shortcuts.
  const keep = (event) => event.target.matches('input, textarea') && event.stopPropagation();
  for (const type of ['keydown', 'keypress', 'keyup']) parts.root.addEventListener(type, keep);
  for (const part of ['pill', 'older', 'empty', 'order']) parts[part].hidden = true;
  return parts;
}

/** In the order of reading, for eyes and ears alike. */
export function arrange({ root, rising, isWall, list, far, empty, pillbox, who, main, foot, older, said, order, text }) {
  const writing = isWall ? [who] : rising ? [who, main.form] : [main.form, who];
  root.classList.toggle('rising', rising);
  const comments = [list, older, far, empty];
  root.append(...(rising ? [...comments, pillbox, ...writing] : [...writing, pillbox, ...comments]), foot, said);
  older.textContent = text(rising ? 'newer' : 'older');
  list.append(...[...list.children].sort(({ entry: a }, { entry: b }) => rising ? a.rank - b.rank : b.rank - a.rank));
  order.textContent = text(rising ? 'oldest' : 'newest');
}

/** Puts the thread in the place of what was served, and what was typed there into its fields. */
export function takeOver({ host, root, main }) {
  if (root.isConnected) return;
  const { content, name } = host.querySelector('form')?.elements ?? {};
  const note = host.querySelector('.error')?.textContent;
  if (content?.value) main.input.value = content.value;
  if (name?.value) main.name.value = name.value;
  if (note) main.error.textContent = sentence(note);
  const focused = document.activeElement;
  const { selectionStart, selectionEnd } = focused;
  host.shadowRoot.replaceChildren(root);
  const heir = new Map([[content, main.input], [name, main.name]]).get(focused);
  heir?.focus({ preventScroll: true });
  heir?.setSelectionRange(selectionStart, selectionEnd);
  host.replaceChildren();
}

export const isShown = (line) => !line.deleted && line.status !== 'hidden' && line.content !== undefined;

/**
 * The comments in their places, each below what it answers. An entry is one of them: `item` its place with its answers,
 * `article` what it says, `above` what it answers, `below` what answers it, `n` how many of all below are shown.
 */
export class Tree {
  /** By id. */
  entries = new Map();
  /** What must be looked at again before anybody sees it. */
  #touched = new Set();

  clear() {
    this.entries = new Map();
    this.#touched.clear();
    this.list.replaceChildren();
    this.far.replaceChildren();
  }

  /** Where a comment stands that answers none. */
  listOf() {
    return this.list;
  }

  draw(line, rank) {
    const entry = { line, rank, item: el('li', { class: 'item' }), below: [], n: 0 };
    entry.item.entry = entry;
    entry.article = entry.item.appendChild(article(this, entry));
    return entry;
  }

  hang(entry) {
    const { line, item } = entry;
    // Below the first comment where what it answers is not loaded.
    const above = this.entries.get(line.parent) ?? entry.root;
    entry.depth = above ? Math.min(above.depth + 1, DEPTH_MAX) : 0;
    if (above !== entry.above) {
      entry.above = above;
      above.below.push(entry);
      this.#weigh(above, entry.n + isShown(line));
    }
    this.#touched.add(entry);
    if (!above) insert(this.listOf(entry), item, this.rising);
    else insert(above.depth < DEPTH_MAX ? answersOf(above) : above.item.parentElement, item, true);
  }

  drop(entry) {
    entry.item.remove();
    if (!entry.above) return;
    entry.above.below = entry.above.below.filter((answer) => answer !== entry);
    this.#weigh(entry.above, -entry.n - isShown(entry.line));
  }

  /** The button for what is left out between a thread's first and newest answers: `gap.n` of them. */
  showGap(entry, open) {
    const { gap } = entry;
    if (gap.n > 0) {
      gap.item ??= el('li', { class: 'gap' }, button('more', open, ''));
      gap.item.entry = { rank: gap.before - 0.5 };
      gap.item.firstChild.textContent = this.text('more', { n: gap.n });
      insert(answersOf(entry), gap.item, true);
    } else {
      gap.item?.remove();
      entry.gap = undefined;
    }
  }

  touch(entry) {
    this.#touched.add(entry);
  }

  /** Adds to what is shown below an entry and all above it. */
  #weigh(entry, n) {
    for (let up = entry; up; up = up.above) {
      up.n += n;
      this.#touched.add(up);
    }
  }

  gather(entry) {
    this.hang(entry);
    if (entry.line.parent) this.redraw(entry, entry.line);
    for (const answer of entry.below) this.gather(answer);
  }

  redraw(entry, line) {
    this.#weigh(entry.above, isShown(line) - isShown(entry.line));
    this.#touched.add(entry);
    const { content } = entry.line;
    entry.line = line;
    // Only their own edit's coming back interrupts who is writing.
    if (entry.editing && !entry.editing.sent) {
      if (isShown(line)) return;
      if (entry.editing.value !== content) this.writer.moveOut(entry.editing);
    }
    entry.editing = undefined;
    const made = article(this, entry);
    const hadFocus = entry.article.contains(this.host.shadowRoot.activeElement);
    if (entry.article.classList.contains('fresh')) made.classList.add('fresh');
    entry.article.replaceWith(made);
    entry.article = made;
    if (hadFocus) this.settle(entry);
  }

  settle(entry) {
    const beside = entry.item.nextElementSibling ?? entry.item.previousElementSibling;
    const [place] = [entry.article, beside].map((near) => near?.querySelector('.actions button')).filter(Boolean);
    (place ?? this.list).focus({ preventScroll: true });
  }

  tidy() {
    for (const entry of this.#touched) {
      entry.item.hidden = !isShown(entry.line) && !entry.n && !entry.reply?.form.isConnected;
      showFold(this, entry);
    }
    this.#touched.clear();
  }

  fold(entry, isHidden) {
    if (entry.answers) entry.answers.hidden = isHidden;
    showFold(this, entry);
  }
}

/** One comment of a thread. */
function article(thread, entry) {
  const { text } = thread;
  const { line } = entry;
  if (!isShown(line)) {
    return el('article', { class: 'comment gone' }, el('p', { class: 'meta' }, text('deleted'), ' ', when(text, line)));
  }
  const meta = el('p', { class: 'meta' }, el('bdi', { class: 'name' }, thread.nameOf(line)));
  if (thread.isMine(line) || line.id === undefined) meta.append(el('span', { class: 'mark' }, text('you')));
  if (line.id) meta.append(' ', when(text, line));
  if (line.edited_at) meta.append(' ', el('span', { class: 'edited' }, text('edited')));
  if (line.status === 'pending') meta.append(' ', el('span', { class: 'warn' }, text('pending')));
  const above = thread.entries.get(line.parent);
  if (line.parent && (!above || above.depth >= DEPTH_MAX)) {
    const [before, after] = text('to', { name: '\n' }).split('\n');
    const name = above ? thread.nameOf(above.line) : text('older_comment');
    meta.append(' ', el('a', { class: 'to', href: permalink(line.parent) }, before, el('bdi', {}, name), after));
  }
  const body = line.html ? el('div', { class: 'text', dir: 'auto' }, rich(line.html))
    : el('div', { class: 'text plain', dir: 'auto' }, line.content);
  return el('article', { class: 'comment' }, avatar(line.author), meta, body, actions(thread, entry));
}

/** Whole, since a host may have a <base>. */
const permalink = (id) => `${location.href.split('#')[0]}#sayso-${id}`;

function when(text, line) {
  const at = Date.parse(line.created_at) || 0;
  return el('a', { class: 'when', href: permalink(line.id) },
    el('time', { datetime: line.created_at, title: text.moment(at) }, text.ago(at)));
}

function actions(thread, entry) {
  const { line } = entry;
  const row = el('div', { class: 'actions' });
  if (!line.id || thread.isWall) return row;
  const names = [...line.status ? [] : ['reply'], ...thread.isMine(line) ? ['edit', 'delete'] : []];
  for (const name of names) row.append(thread.act(name, entry, thread.text(name)));
  if (entry.fold?.isConnected) row.append(entry.fold);
  if (thread.likes && thread.writer && !line.status) row.append(thread.writer.heart(entry));
  return row;
}

/** The button that folds away what is below an entry, where that is much. */
function showFold(thread, entry) {
  if (!entry.answers || !isShown(entry.line)) return;
  entry.fold ??= button('fold', () => thread.fold(entry, !entry.answers.hidden), '');
  const { hidden } = entry.answers;
  entry.fold.ariaExpanded = !hidden;
  entry.fold.textContent = thread.text(hidden ? 'show' : 'hide', { n: entry.n + (entry.gap?.n ?? 0) });
  const row = entry.article.querySelector('.actions');
  const isShort = entry.n <= (entry.depth ? UNFOLDED_BELOW_ANSWERS_MAX : UNFOLDED_MAX);
  if (isShort && !hidden || entry.editing) entry.fold.remove();
  else if (!entry.fold.isConnected && row) row.insertBefore(entry.fold, row.querySelector('.like'));
}

/** The list of what is below an entry. */
function answersOf(entry) {
  entry.answers ??= entry.item.appendChild(el('ol', { class: 'answers', role: 'list' }));
  return entry.answers;
}

/** Puts an item where its rank belongs, which is mostly at an end. */
function insert(list, item, isRising) {
  const comesAfter = ({ entry }) => isRising ? entry?.rank > item.entry.rank : entry?.rank < item.entry.rank;
  let next = null;
  if (!isRising && list.lastElementChild && comesAfter(list.lastElementChild)) {
    next = list.firstElementChild;
    while (!comesAfter(next)) next = next.nextElementSibling;
  } else {
    for (let last = list.lastElementChild; last && comesAfter(last); last = last.previousElementSibling) next = last;
  }
  list.insertBefore(item, next);
}
