/** The comments in their places, and what each looks like. Knows no connection. */

import { button, el, rich, svg } from './dom.js';

/** Answers are set in by one level each up to here; deeper ones stay at this level. */
const DEPTH_MAX = 4;
/** Likewise where there is little room. */
const NARROW_DEPTH_MAX = 2;
/** So many answers stand below a comment without a button that folds them away. */
const UNFOLDED_MAX = 1;
const UNFOLDED_BELOW_ANSWERS_MAX = 5;
/** Hues of embed.css, far apart. */
const HUES = 9;
const SHAPES = ['M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0z', 'M-9-9H1a8 8 0 0 1 8 8V1a8 8 0 0 1-8 8H-1a8 8 0 0 1-8-8z',
  'M-11 5a11 11 0 0 1 22 0z', 'M-10 7L0-9L10 7z'];
const SILHOUETTE = 'M12 15a6 6 0 1 1 12 0a6 6 0 1 1-12 0M6 36a12 12 0 0 1 24 0z';
/** In scripts from here on, letters side by side would change or are words of their own. */
const FIRST_OF_ONE = '\u0590';

/** What comments are sorted by: their times, then their ids. */
export const rankOf = ({ created_at: at, id }) => at + String(id).padStart(16, 0);

/** Whether it comes at the end, as what is written now does. */
export const isNew = (line) => line.seq === line.id && !line.imported;

export const isShown = (line) => !line.deleted && line.status !== 'hidden' && line.content !== undefined;

/**
 * The comments in their places, each below what it answers. An entry is one of them: `item` its place with its answers,
 * `article` what it says, `above` what it answers, `below` what answers it, `n` how many of all below are shown,
 * `pin` is higher the newer a pinned comment in its thread is, `note` what a moderator has said about it to its author.
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
      gap.item.entry = { rank: `${gap.after}~` };
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
      entry.item.hidden = !isShown(entry.line) && !entry.n && !entry.note && !entry.reply?.form.isConnected;
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
  const made = el('article', { class: 'comment' }, avatar(line.author, line.name || line.mod), meta, body, actions(thread, entry));
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

/** Pinned ones come first. What comes later has no hearts here, so that nothing changes its place while it is read. */
export function comesAfter(entry, other, isRising) {
  const pins = (entry.pin ?? 0) - (other.pin ?? 0);
  if (pins) return pins < 0;
  const isNewer = entry.rank > other.rank;
  if (isRising) return isNewer;
  const [hearts, others] = [entry.hearts ?? Infinity, other.hearts ?? Infinity];
  return hearts === others ? !isNewer : hearts < others;
}

// Avatars
/** The first letters of the first and the last word, or of the first word alone. */
function initials(name) {
  const letters = name.split(' ').map((word) => /^[\p{Alphabetic}\p{N}]/u.exec(word)?.[0] ?? '').filter(Boolean);
  const ends = letters.length > 1 ? [letters[0], letters.at(-1)] : letters;
  return (ends.every((letter) => letter < FIRST_OF_ONE) ? ends : ends.slice(0, 1)).join('').toUpperCase();
}

/**
 * A name's initials, or two or three soft shapes, in a colour that is always the same for the same author; grey without one.
 * The same drawing as the server makes, which a test compares.
 */
export function avatar(author, name = '') {
  // FNV-1a, then a linear congruential generator (Numerical Recipes).
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(author)) seed = Math.imul(seed ^ byte, 16777619);
  const draw = (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return (seed >>> 16) % n;
  };
  const frame = svg('svg', { class: author ? `avatar h${draw(HUES)}` : 'avatar', viewBox: '0 0 36 36', 'aria-hidden': true });
  const letters = initials(name);
  if (letters) {
    frame.append(svg('text', { x: 18, y: 18 }, letters));
  } else if (author) {
    const group = svg('g', { transform: `rotate(${draw(8) * 45} 18 18)` });
    for (const [x, y, size] of [[12, 14, 6], [21, 20, 5], [20, 10, 3]].slice(0, 2 + draw(2))) {
      const place = `translate(${x + draw(3)} ${y + draw(3)}) rotate(${draw(8) * 45}) scale(0.${size + draw(2)})`;
      group.append(svg('path', { opacity: '.6', transform: place, d: SHAPES[draw(4)] }));
    }
    frame.append(group);
  } else {
    frame.append(svg('path', { opacity: '.5', d: SILHOUETTE }));
  }
  return frame;
}
