/** What a comment is to a moderator. Knows no element and no request. */

import { app } from './app.js';
import { text } from './texts.js';

export const newEntry = ({ note, flags = 0, ...line }) => ({
  id: line.id, line, note, flags, depth: 0,
  /** `{did, by}` once it was decided while it stood here. */
  decided: null,
  /** Its text is another than the one that was first shown; whether whoever decides was told. */
  isChanged: false, isWarned: false,
  isPicked: false, isBusy: false,
  /** The text that was decided on, and the one that was sent from here. */
  read: undefined, sent: undefined,
  /** The reason that goes with hiding or deleting. */
  reason: '',
});

/** Being deleted, which can still be taken back: by id, since several views may show them meanwhile. */
export const going = new Set();

export function stateOf({ line, note }) {
  if (line.deleted) return 'deleted';
  if (line.status === 'hidden' && note?.did === 'hold') return 'pending';
  if (line.status === 'pending') return note?.did === 'hide' ? 'rejected' : 'pending';
  return line.status ?? 'public';
}

export const nameOf = ({ line }) => line.name || (line.mod && line.mod) || text('anonymous');

/** Whether a view shows such an entry. */
export function belongs({ kind, value, ids }, entry) {
  const state = stateOf(entry);
  switch (kind) {
    case 'waiting': return state === 'pending';
    case 'flagged': return entry.flags > 0 && state !== 'deleted';
    case 'newest': return state === 'public';
    case 'hidden': return state === 'hidden' || state === 'rejected';
    case 'deleted': return state === 'deleted';
    case 'page': return entry.line.page === value;
    case 'author': return entry.line.author === value;
    case 'thread': return Boolean(ids?.has(entry.line.parent));
    default: return false;
  }
}

/** Decided and out of this view, where it stays to be seen. */
export const isOver = (view, entry) => going.has(entry.id) || Boolean(entry.decided) && (view.kind === 'flagged' || !belongs(view, entry));

export const countLinks = (content = '') => (content.match(/https?:\/\/\S+/gi) ?? []).length;

const IS = { public: 'was_approve', hidden: 'was_hide', rejected: 'was_reject', deleted: 'was_delete', pending: 'isPending' };

/** Why it waits or is where it is: `[words, kind of pill]`, for each. */
export function reasons(entry, view) {
  const { line, note, flags, decided } = entry;
  const found = [];
  const state = stateOf(entry);
  const why = note?.why;
  if (entry.isChanged) found.push([text('changed'), 'alarm']);
  if (state === 'pending' && note?.did === 'hold' && !going.has(entry.id) || why === 'flags') found.push(...whyHeld(why, line));
  if (flags && why !== 'flags') found.push([text('flags', { n: flags }), 'warn']);
  else if (flags) found.splice(-1, 1, [text('flags', { n: flags }), 'warn']);
  if (line.edited_at) found.push([text(line.mod_edited ? 'editedBySite' : 'edited'), state === 'pending' ? 'warn' : 'plain']);
  if (line.pinned) found.push([text('pinned'), 'plain']);
  if (line.mod) found.push([text('site'), 'plain']);
  if (line.imported) found.push([text('imported', { from: line.imported }), 'plain']);
  const by = decided?.by ?? (going.has(entry.id) ? app.name : undefined) ?? (note && ['hide', 'delete', 'approve'].includes(note.did) ? note.by : undefined);
  const is = going.has(entry.id) ? 'was_delete' : IS[state];
  const isTold = decided || (state === 'pending' ? view.kind !== 'waiting' : state !== 'public');
  if (isTold) found.push([by ? text('by_name', { what: text(is), name: by }) : text(is), 'is']);
  return found;
}

function whyHeld(why = '', { content }) {
  if (why.startsWith('word: ')) return [[why, 'alarm']];
  const words = { links: text('links', { n: countLinks(content) }), new: text('newHere'), all: text('held'), flags: text('flags', { n: 1 }),
    author: text('onHold'), ban: text('undone'), repair: text('repair'), undo: text('undone'), edited: text('edited') }[why];
  return words || why ? [[words ?? why, 'warn']] : [];
}

/** What may be done to it, in the order of the buttons. */
export function verbsOf(entry) {
  const { line, flags } = entry;
  if (going.has(entry.id)) return [];
  const more = ['edit', ...line.author ? ['ban'] : []];
  switch (stateOf(entry)) {
    case 'pending': return ['approve', 'hide', 'answer', ...more, 'delete'];
    case 'rejected': return ['approve', ...more, 'delete'];
    case 'hidden': return ['restore', ...more, 'delete'];
    case 'public': return [...flags ? ['keep'] : [], 'hide', 'answer', line.pinned ? 'unpin' : 'pin', ...more, 'delete'];
    default: return [];
  }
}
