/**
 * The comments of one view: loads them, takes lines as they come, and never moves what is shown: new ones gather apart.
 * Knows no element.
 */

import { emit } from './app.js';
import * as api from './api.js';
import { belongs, isOver, newEntry, stateOf } from './model.js';

const LOT = 200;
/** So many of what waits are loaded by themselves, to be selected and counted; the first lot is shown at once. */
const WAITING_MAX = 20_000;
/** How often a search goes on by itself where nothing was found so far. */
const EMPTY_LOTS_MAX = 20;
const LOOK_UP_MAX = 50;
const STATUS = { waiting: 'pending', flagged: 'flagged', newest: 'public', hidden: 'hidden', deleted: 'deleted' };

export class Queue {
  /** By id, and in the order of showing. */
  entries = new Map();
  order = [];
  /** What came since, newest last. */
  fresh = [];
  isLoading = true;
  more = false;
  error = '';
  /** Where the next lot begins. */
  #from = {};
  #isGone = false;
  /** What came while something was loaded. */
  #late = [];

  constructor(view) {
    this.view = view;
  }

  get isOldestFirst() {
    return this.view.kind === 'waiting';
  }

  leave() {
    this.#isGone = true;
  }

  get #asked() {
    const { kind, value } = this.view;
    return { status: STATUS[kind], [{ page: 'page', author: 'author', search: 'q' }[kind]]: value };
  }

  /** The first lot, or all of what waits. */
  async load() {
    const found = [];
    try {
      if (this.view.kind === 'thread') found.push(...await loadThread(this.view));
      else await this.#lots(found);
    } catch (error) {
      this.error = error.message;
    }
    if (this.#isGone) return;
    this.order = [];
    for (const line of found) this.#add(line);
    if (this.view.kind === 'thread') {
      for (const entry of this.order) entry.depth = entry.line.depth;
      this.view.ids = new Set(this.entries.keys());
    }
    this.isLoading = false;
    emit('loaded', this);
    this.#loaded();
    if (this.isOldestFirst) await this.#loadRest();
  }

  async #loadRest() {
    while (this.more && !this.#isGone && this.order.length < WAITING_MAX) {
      try {
        emit('came', { queue: this, entries: await this.goOn() });
      } catch (error) {
        this.error = error.message;
        emit('came', { queue: this, entries: [] });
        return;
      }
    }
  }

  #add(line) {
    if (this.entries.has(line.id)) return undefined;
    const entry = newEntry(line);
    this.entries.set(entry.id, entry);
    this.order.push(entry);
    return entry;
  }

  async #lots(found) {
    let empty = 0;
    do {
      const from = this.isOldestFirst ? { after: 0, ...this.#from } : this.#from;
      const { comments, more, before, after } = await api.list({ ...this.#asked, ...from, limit: this.isOldestFirst ? LOT : LOT / 2 });
      found.push(...comments);
      this.more = more;
      this.#from = this.isOldestFirst ? { after } : { before };
      empty = found.length ? EMPTY_LOTS_MAX : empty + 1;
    } while (!this.#isGone && this.more && empty < EMPTY_LOTS_MAX);
  }

  /** The next lot; says what came. */
  async goOn() {
    if (this.isLoading || !this.more) return [];
    this.isLoading = true;
    const found = [];
    try {
      await this.#lots(found);
      const added = this.#isGone ? [] : found.map((line) => this.#add(line)).filter(Boolean);
      this.fresh = this.fresh.filter(({ id }) => !this.entries.has(id));
      return added;
    } finally {
      this.#loaded();
    }
  }

  /** Something was written: a comment, a note about one, or a flag. */
  hear(said) {
    if (this.isLoading) this.#late.push(said);
    else if (said.kind) this.remark(said);
    else this.take(said);
  }

  #loaded() {
    this.isLoading = false;
    for (const said of this.#late.splice(0)) this.hear(said);
  }

  /** A comment's line has come. */
  take({ note, flags, ...line }) {
    const entry = this.entries.get(line.id);
    if (!entry) return this.#gather({ ...line, note, flags });
    // A reader's view of a hidden one lacks the text that moderators see.
    if (line.seq < entry.line.seq) return undefined;
    const [before, old] = [stateOf(entry), entry.line];
    entry.line = line.seq === entry.line.seq ? { ...entry.line, ...line } : line;
    if (note) entry.note = note;
    if (flags !== undefined) entry.flags = flags;
    if (old.content !== line.content && !line.deleted && line.content !== entry.sent) {
      entry.isChanged = true;
      entry.isWarned = false;
    }
    const state = stateOf(entry);
    if (state !== before && !entry.decided) entry.decided = { did: state };
    emit('changed', entry);
    return entry;
  }

  #gather(line) {
    const entry = newEntry(line);
    const { kind } = this.view;
    const known = this.fresh.find(({ id }) => id === entry.id);
    if (known) {
      Object.assign(known, { line: entry.line, note: line.note ?? known.note });
      if (!belongs(this.view, known)) this.fresh.splice(this.fresh.indexOf(known), 1);
    } else if (kind !== 'search' && belongs(this.view, entry) && (kind !== 'hidden' || line.note)) {
      // What is changed far back is no news.
      if (['newest', 'page', 'author'].includes(kind) && line.seq !== line.id && this.order.length && line.id < this.order[0].id) return;
      this.fresh.push(entry);
    }
    emit('fresh', this);
  }

  /** A note about a comment, or a flag. */
  async remark(said) {
    const entry = this.entries.get(said.id) ?? this.fresh.find(({ id }) => id === said.id);
    if (said.kind === 'flag') {
      if (entry) entry.flags += 1;
      else if (this.view.kind === 'flagged') await this.lookUp([said.id]);
    } else if (entry) {
      entry.note = said;
      if (['approve', 'hide', 'delete'].includes(said.did)) {
        entry.decided = { did: said.did, by: said.by };
        if (said.did === 'approve') entry.flags = 0;
      } else if (said.did === 'hold') entry.decided = null;
    }
    if (this.entries.has(said.id)) emit('changed', entry);
    else if (entry && !belongs(this.view, entry)) {
      this.fresh.splice(this.fresh.indexOf(entry), 1);
      emit('fresh', this);
    }
  }

  async lookUp(ids) {
    for (const id of ids.slice(0, LOOK_UP_MAX)) {
      const line = await api.one(id).catch(() => {});
      if (line && !this.#isGone) this.take(line);
    }
  }

  /** Something was missed: what is there now is taken as if it had just come. */
  async catchUp() {
    if (this.isLoading) return;
    if (['thread', 'search'].includes(this.view.kind)) return this.lookUp([...this.entries.keys()]);
    const { comments, more } = await api.list({ ...this.#asked, limit: LOT }).catch(() => ({ comments: [], more: true }));
    if (this.#isGone) return undefined;
    const there = new Set(comments.map(({ id }) => id));
    for (const line of comments.reverse()) this.take(line);
    // What is no longer among them was decided elsewhere.
    const oldest = more ? Math.min(...there) : 0;
    const gone = this.order.filter((entry) => entry.id >= oldest && !there.has(entry.id) && belongs(this.view, entry));
    return this.lookUp(gone.map(({ id }) => id));
  }

  /** Puts what came where it belongs: at the end of what waits, else at the beginning; says what. */
  release() {
    const came = this.fresh.splice(0).filter(({ id }) => !this.entries.has(id));
    for (const entry of came) {
      this.entries.set(entry.id, entry);
      this.view.ids?.add(entry.id);
      if (this.view.kind === 'thread') entry.depth = (this.entries.get(entry.line.parent)?.depth ?? 0) + 1;
    }
    const later = this.isOldestFirst || this.view.kind === 'thread';
    this.order = later ? [...this.order, ...came] : [...came.reverse(), ...this.order];
    return came;
  }

  /** Takes out what is decided. */
  tidy() {
    this.order = this.order.filter((entry) => !isOver(this.view, entry) || entry.isBusy);
    this.entries = new Map(this.order.map((entry) => [entry.id, entry]));
  }

  get open() {
    return this.order.filter((entry) => !isOver(this.view, entry) && !entry.isBusy);
  }

  get picked() {
    return this.order.filter((entry) => entry.isPicked);
  }
}

/** A whole thread in the order of reading, with what waits or is hidden in it; `line.depth` is how deep it hangs. */
async function loadThread(view) {
  const start = await api.one(view.value);
  if (!start) return [];
  view.page = start.page;
  const lines = new Map([[start.id, start]]);
  for (const status of ['pending', 'hidden']) {
    for (let before, lots = 0, more = true; more && lots < EMPTY_LOTS_MAX; lots++) {
      const said = await api.list({ status, page: start.page, before, limit: LOT });
      for (const line of said.comments) lines.set(line.id, line);
      ({ more, before } = said);
    }
  }
  // What has never been public isn't in the public thread, but what it answers may be.
  let shown = start;
  while (shown?.status === 'pending' && shown.parent) shown = lines.get(shown.parent) ?? await api.one(shown.parent);
  if (shown && shown.status !== 'pending') {
    for (const line of await api.thread(start.page, shown.id).catch(() => [])) if (!lines.has(line.id)) lines.set(line.id, line);
  }
  return inOrder(lines, start);
}

function inOrder(lines, start) {
  let root = start;
  while (lines.has(root.parent)) root = lines.get(root.parent);
  const below = new Map();
  for (const line of lines.values()) below.set(line.parent, [...below.get(line.parent) ?? [], line]);
  const found = [];
  const waiting = [[root, 0]];
  while (waiting.length) {
    const [line, depth] = waiting.pop();
    found.push({ ...line, depth });
    const answers = (below.get(line.id) ?? []).sort((a, b) => b.id - a.id);
    waiting.push(...answers.map((answer) => [answer, depth + 1]));
  }
  return found;
}
