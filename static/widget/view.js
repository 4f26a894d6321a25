/** What a thread looks like: the frame around it, each comment, and the places of all of them. Knows no connection. */

import { avatar } from './colours.js';
import { button, el, rich } from './dom.js';
import { sentence } from './texts.js';

const NAME_CHARS_MAX = 64;
const ORDERS = ['newest', 'oldest', 'liked'];
/** Answers are set in by one level each up to here; deeper ones stay at this level. */
const DEPTH_MAX = 4;
/** Likewise where there is little room. */
const NARROW_DEPTH_MAX = 2;
/** So many answers stand below a comment without a button that folds them away. */
const UNFOLDED_MAX = 1;
const UNFOLDED_BELOW_ANSWERS_MAX = 5;

/** The field to write in, which composer.js brings to life. */
export function draft(text, { name, cancel, verb = 'send', placeholder = text('placeholder') }) {
  const input = el('textarea', { class: 'input', rows: '2', 'aria-label': text('comment'), dir: 'auto', placeholder });
  const who = el('input', { class: 'who', value: name, maxlength: NAME_CHARS_MAX, placeholder: text('name'),
    'aria-label': text('name'), autocomplete: 'nickname', dir: 'auto' });
  const hint = el('span', { class: 'hint', hidden: '' });
  const aide = button('aide', undefined, text('markdown'));
  const error = el('p', { class: 'error', role: 'alert', dir: 'auto' });
  const bar = el('div', { class: 'bar' }, ...(name === undefined ? [] : [who]), hint, aide,
    ...(cancel ? [button('cancel', cancel, text('cancel'))] : []), el('button', { class: 'send' }, text(verb)));
  const form = el('form', { class: 'composer', novalidate: '' }, el('div', { class: 'field' }, input, bar), error);
  return { form, input, name: who, hint, aide, error };
}

/** Everything around the comments; `does` says what its buttons do. */
export function frame(host, { base, text, isWall }, name, does) {
  const parts = {
    total: el('span', { class: 'count' }),
    state: el('p', { class: 'state' }, text('connecting')),
    order: el('select', { class: 'order', 'aria-label': text('sort'), change: ({ target }) => does.sort(target.value) },
      ...ORDERS.map((order) => el('option', { value: order }, text(order)))),
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
    foot: el('footer', { class: 'foot' }),
  };
  parts.down = button('down', () => parts.main.input.focus(), `${text('write_comment')} ↓`);
  parts.sort = el('span', { class: 'sort' }, parts.order);
  if (isWall) parts.foot.append(el('a', { class: 'brand', href: `${base}/` }, location.host));
  else if (host.getAttribute('brand') !== 'off') parts.foot.append(el('a', { class: 'brand', href: `${base}/demo` }, 'sayso'));
  parts.pillbox = el('div', { class: 'pillbox' }, parts.pill);
  const level = /^[1-6]$/.exec(host.getAttribute('level')) ?? 2;
  const title = el(`h${level}`, { class: 'title' }, host.getAttribute('heading') || text('heading'));
  parts.root = el('section', { class: 'sayso', 'aria-label': title.textContent, dir: text.lang === 'ar' ? 'rtl' : undefined },
    el('header', { class: 'head' }, title, parts.total, parts.sort, parts.down, parts.state));
  // The host hears of keys as pressed on the element, which it may take for its own shortcuts.
  const keep = (event) => event.target.matches('input, textarea') && event.stopPropagation();
  for (const type of ['keydown', 'keypress', 'keyup']) parts.root.addEventListener(type, keep);
  for (const part of ['pill', 'older', 'empty', 'sort', 'down']) parts[part].hidden = true;
  return parts;
}

/** In the order of reading, for eyes and ears alike. */
export function arrange({ root, rising, order: { value }, isWall, list, far, empty, pillbox, who, main, foot, older, said, likes, down }) {
  const writing = isWall ? [who] : rising ? [who, main.form] : [main.form, who];
  root.classList.toggle('rising', rising);
  const comments = [list, older, far, empty];
  root.append(...(rising ? [...comments, pillbox, ...writing] : [...writing, pillbox, ...comments]), foot, said);
  down.hidden = !rising;
  const items = [...list.children];
  for (const { entry } of items) entry.hearts = value === 'liked' ? likes?.[entry.line.id] ?? 0 : 0;
  list.append(...items.sort((a, b) => comesAfter(a.entry, b.entry, rising) ? 1 : -1));
}

/** What comes later has no hearts here, so that nothing changes its place while it is read. */
function comesAfter(entry, other, isRising) {
  const isNewer = entry.rank > other.rank;
  if (isRising) return isNewer;
  const [hearts, others] = [entry.hearts ?? Infinity, other.hearts ?? Infinity];
  return hearts === others ? !isNewer : hearts < others;
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
    const [place] = [entry.article, beside].map((near) => near?.querySelector('.actions :is(.reply, .dots)')).filter(Boolean);
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
    const at = line.deleted && line.edited_at ? [' ', when(text, line, line.edited_at)] : [];
    return el('article', { class: 'comment gone', 'aria-label': text('deleted') }, el('p', { class: 'meta' }, text('deleted'), ...at));
  }
  const meta = el('p', { class: 'meta' }, el('bdi', { class: 'name' }, thread.nameOf(line)));
  if (thread.isMine(line) || line.id === undefined) meta.append(el('span', { class: 'mark' }, text('you')));
  if (line.id) meta.append(' ', when(text, line, line.created_at));
  if (line.edited_at) meta.append(' ', el('span', { class: 'edited' }, text('edited')));
  if (line.status === 'pending') meta.append(' ', el('span', { class: 'warn' }, text('pending')));
  const above = thread.entries.get(line.parent);
  if (line.parent && (!above || above.depth >= NARROW_DEPTH_MAX)) {
    const [before, after] = text('to', { name: '\n' }).split('\n');
    const name = above ? thread.nameOf(above.line) : text('older_comment');
    const isNear = above?.depth < DEPTH_MAX;
    meta.append(' ', el('a', { class: isNear ? 'near-to' : 'to', href: permalink(line.parent) }, before, el('bdi', {}, name), after));
  }
  const body = line.html ? el('div', { class: 'text', dir: 'auto' }, rich(line.html))
    : el('div', { class: 'text plain', dir: 'auto' }, line.content);
  const made = el('article', { class: 'comment' }, avatar(line.author, line.name), meta, body, actions(thread, entry));
  title(text, made);
  return made;
}

/** Says to who can't see it whose comment it is, and from when. */
export function title(text, article) {
  const [name, time] = ['.name', 'time'].map((part) => article.querySelector(part));
  if (name) article.ariaLabel = text('by', { name: name.textContent, when: time ? text.ago(Date.parse(time.dateTime) || 0, 'long') : text('sending') });
}

/** Whole, since a host may have a <base>. */
const permalink = (id) => `${location.href.split('#')[0]}#sayso-${id}`;

/** By keyboard its address is had from the menu. */
function when(text, line, moment) {
  const at = Date.parse(moment) || 0;
  return el('a', { class: 'when', href: permalink(line.id), tabindex: -1 },
    el('time', { datetime: moment, title: text.moment(at) }, text.ago(at)));
}

function actions(thread, entry) {
  const { line } = entry;
  const row = el('div', { class: 'actions' });
  if (!line.id || thread.isWall) return row;
  const { text } = thread;
  const name = thread.nameOf(line);
  const act = (verb, label, whole) => {
    const made = thread.act(verb, entry, label);
    made.ariaLabel = whole;
    return made;
  };
  row.role = 'toolbar';
  row.ariaLabel = name;
  if (thread.likes && thread.writer && !line.status) row.append(thread.writer.heart(entry));
  if (!line.status) row.append(act('reply', text('reply'), text('reply_to', { name })));
  const dots = act('dots', '⋯', text('about', { name }));
  dots.ariaHasPopup = 'menu';
  row.append(dots);
  if (entry.fold?.isConnected) row.append(entry.fold);
  rove(row);
  return row;
}

/** Makes one button of a row the one that Tab stops at. */
export function rove(row, stop = row?.querySelector('button')) {
  for (const other of row?.querySelectorAll('button') ?? []) other.tabIndex = other === stop ? 0 : -1;
}

/** The button that folds away what is below an entry, where that is much. */
function showFold(thread, entry) {
  if (!entry.answers || !isShown(entry.line)) return;
  entry.fold ??= button('fold', () => thread.fold(entry, !entry.answers.hidden), '');
  const { hidden } = entry.answers;
  entry.fold.ariaExpanded = !hidden;
  entry.fold.textContent = thread.text(hidden ? 'show' : 'hide', { n: entry.n + (entry.gap?.n ?? 0) });
  const row = entry.article.querySelector('.actions');
  entry.fold.ariaLabel = `${entry.fold.textContent}, ${thread.nameOf(entry.line)}`;
  const isShort = entry.n <= (entry.depth ? UNFOLDED_BELOW_ANSWERS_MAX : UNFOLDED_MAX);
  const belongs = !(isShort && !hidden || entry.editing);
  if (!row || belongs === row.contains(entry.fold)) return;
  if (belongs) row.append(entry.fold);
  else entry.fold.remove();
  rove(row);
}

/** The list of what is below an entry. */
function answersOf(entry) {
  entry.answers ??= entry.item.appendChild(el('ol', { class: 'answers', role: 'list' }));
  return entry.answers;
}

/** Puts an item where its rank belongs, which is mostly at an end. */
function insert(list, item, isRising) {
  const isAfter = ({ entry }) => entry && comesAfter(entry, item.entry, isRising);
  let next = null;
  if (!isRising && list.lastElementChild && isAfter(list.lastElementChild)) {
    next = list.firstElementChild;
    while (!isAfter(next)) next = next.nextElementSibling;
  } else {
    for (let last = list.lastElementChild; last && isAfter(last); last = last.previousElementSibling) next = last;
  }
  list.insertBefore(item, next);
}
