/**
 * What a thread shows beyond its first page: older threads, the other order, the middle of long threads, and what a permalink
 * names. Loaded by thread.js when asked for; works on that thread.
 */

import { store } from './dom.js';
import { arrange, takeOver } from './frame.js';
import { rankOf } from './view.js';

const ANSWERS = 200;
/** How many lots of these are worth going through for one thread. */
const STEPS_MAX = 60;
/** How many pages are looked through for the most liked. */
const LIKED_STEPS_MAX = 10;
/** An answer whose place is not known is looked up after so long, ms, at random: a thousand readers don't ask at once. */
const LOOK_UP_WITHIN = 4_000;
/** How long what a permalink names is kept where it is: until it has stood still so long, ms, and no longer than that. */
const STILL_FOR = 3_000;
const HELD_MAX = 30_000;
/** Whoever does one of these wants to be elsewhere. */
const HANDS = ['wheel', 'touchstart', 'pointerdown', 'keydown'];

/** The next page of threads. */
export async function goBack(thread) {
  const { older, connection, rising, edge } = thread;
  if (older.ariaDisabled) return;
  // Disabled in earnest it would lose the focus.
  older.ariaDisabled = 'true';
  const hasFocus = older.matches(':focus');
  try {
    const page = await connection.get({ ...thread.query, [rising ? 'after' : 'before']: edge });
    // It may have been turned or loaded anew meanwhile; then this page doesn't join what is there.
    if (rising !== thread.rising || edge !== thread.edge) return;
    thread.advance(page);
    thread.take(page);
    if (thread.order.value === 'liked') arrange(thread);
  } finally {
    older.ariaDisabled = null;
  }
  thread.tidy();
  if (hasFocus && older.hidden) thread.list.focus({ preventScroll: true });
}

/** Another order: from its own end of a history that is not all here, and the most liked of so much of it. */
export async function sort(thread, order) {
  const { connection } = thread;
  const rising = order === 'oldest';
  if (order !== 'liked') store.set(thread.key('order'), order);
  // It may be another by then.
  const isWanted = () => thread.order.value === order;
  if (rising !== thread.rising && thread.more) {
    const history = await connection.get({ ...thread.query, after: rising ? 0 : undefined }).catch((error) => {
      if (isWanted()) thread.order.value = thread.rising ? 'oldest' : 'newest';
      throw error;
    });
    if (!isWanted() || history.log !== connection.log) return;
    turn(thread, rising);
    thread.replace(history, true);
  } else {
    turn(thread, rising);
  }
  if (order !== 'liked') return;
  for (let step = 0; step < LIKED_STEPS_MAX && thread.more && isWanted(); step++) await goBack(thread);
  if (isWanted()) arrange(thread);
}

function turn(thread, rising) {
  thread.rising = rising;
  arrange(thread);
  thread.tidy();
}

/** The answers that were left out of a thread, so many at once. */
export async function open(thread, entry) {
  const { gap } = entry;
  const page = await thread.connection.get({ thread: entry.line.id, after: gap.from, limit: ANSWERS });
  if (thread.entries.get(entry.line.id) !== entry || entry.gap !== gap) return;
  const hadFocus = gap.item.contains(thread.host.shadowRoot.activeElement);
  const next = page.comments.find(({ id }) => !thread.entries.has(id));
  fill(thread, entry, page);
  thread.tidy();
  if (hadFocus && !gap.item.isConnected) thread.settle(thread.entries.get(next?.id) ?? entry);
}

/** Puts a page of a thread into it, and what is left out of that thread into what is known of it. */
export function fill(thread, root, { comments, more }) {
  const { gap } = root;
  const came = comments.filter(({ id }) => !thread.entries.has(id)).length;
  thread.take({ comments }, root.line.id);
  const last = comments.at(-1);
  const end = last ? rankOf(last) : '~';
  root.isWhole ||= !more || end >= gap?.before;
  if (gap) {
    [gap.after, gap.from] = [end, last?.id];
    gap.n = root.isWhole ? 0 : Math.max(1, gap.n - came);
    thread.showGap(root);
  }
  // What stood below the first comment, since what it answers was not there.
  for (const entry of thread.entries.values()) {
    if (!entry.root || !thread.entries.has(entry.line.parent)) continue;
    thread.drop(entry);
    entry.root = undefined;
    thread.gather(entry);
  }
}

/** An answer has come live to one that is left out; it belongs below the first comment of its thread. */
export async function findPlace(thread, line) {
  const isLeftOut = () => [...thread.gaps].some(({ gap }) => thread.isMixed || line.parent > gap.from && line.parent < gap.to);
  if (!isLeftOut()) return;
  await new Promise((resolve) => setTimeout(resolve, Math.random() * LOOK_UP_WITHIN));
  if (!isLeftOut()) return;
  // Nobody has asked for it, and it may be gone again: then it stays among what is left out.
  const [first] = (await thread.connection.get({ thread: line.id, limit: 1 }).catch(() => {}))?.comments ?? [];
  if (thread.entries.has(first?.id)) thread.place(line, true, first.id);
  thread.tidy();
}

/** Brings a comment with its thread and shows it; `coming` is its thread, if it has been asked for. */
export async function seek(thread, { id, coming }) {
  let found = null;
  if (!thread.entries.has(id)) {
    found = await (coming ?? ask(thread, id)).catch(() => {});
    if (!found?.comments?.length) return;
    await takeThread(thread, id, found);
  }
  for (let up = thread.entries.get(id)?.above; up; up = up.above) thread.fold(up, false);
  hold(thread, id);
  const history = await thread.loaded;
  // What was asked for before the history may be older than it, and what changed in between comes from nowhere else.
  if (found && (found.log !== history.log || found.seq < history.seq)) await takeThread(thread, id, await ask(thread, id));
}

const ask = (thread, id, after) => thread.connection.get({ thread: id, limit: ANSWERS, ...after && { after } });

/** The whole thread of a comment, of which a page may be there already. Without comments if there is nothing to see of it. */
export async function wholeThread(thread, id, page) {
  page ??= await ask(thread, id);
  for (let step = 0; page.more && page.comments.length && step < STEPS_MAX; step++) {
    const { comments, more } = await ask(thread, id, page.comments.at(-1).id);
    page.comments.push(...comments);
    page.more = more && comments.length > 0;
  }
  return page;
}

async function takeThread(thread, id, page) {
  // It may be gone since it was found.
  if (!page.comments.length) return;
  const root = page.comments[0].id;
  await wholeThread(thread, id, page);
  if (Number.isNaN(thread.edge)) {
    thread.permalinkThread = page;
    thread.list.classList.add('skeleton');
    takeOver(thread);
  }
  thread.take(page, root);
  fill(thread, thread.entries.get(root), page);
  thread.tidy();
}

/** Keeps a comment in the middle of the window while the rest of the page comes, and until somebody goes elsewhere. */
function hold(thread, id) {
  const end = Date.now() + HELD_MAX;
  const done = new AbortController();
  for (const type of HANDS) addEventListener(type, () => done.abort(), { capture: true, passive: true, signal: done.signal });
  thread.held?.abort();
  thread.held = done;
  let [shown, place, since, isLoaded, isMarked] = [null, NaN, 0, false, false];
  thread.loaded.then(() => {
    isLoaded = true;
  });
  const look = () => {
    const article = thread.entries.get(id)?.article;
    const now = Date.now();
    if (done.signal.aborted || !article?.isConnected || now > end) return done.abort();
    // The history draws it anew.
    if (article !== shown && !isMarked) article.classList.add('fresh');
    isMarked ||= isLoaded;
    shown = article;
    const { top, height } = article.getBoundingClientRect();
    if (Math.abs(top - place) > 1 || Number.isNaN(place)) {
      article.scrollIntoView({ block: height < innerHeight * 0.8 ? 'center' : 'start', behavior: 'instant' });
      place = article.getBoundingClientRect().top;
      since = now;
    } else if (isLoaded && now - since > STILL_FOR) {
      return done.abort();
    }
    requestAnimationFrame(look);
    return undefined;
  };
  look();
}
