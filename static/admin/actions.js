/** Decisions: each takes effect at once, for one comment or many, and can be taken back for a while. */

import * as api from './api.js';
import { app, emit } from './app.js';
import { going, stateOf } from './model.js';
import { toast } from './toast.js';
import { quote, text } from './texts.js';

const AT_ONCE_MAX = 4;
const STEPS_MAX = 20;

/** How an action is done: answers with what takes it back. */
const DO = {
  approve: (entry) => setStatus(entry, 'public'),
  keep: (entry) => setStatus(entry, 'public'),
  restore: (entry) => setStatus(entry, 'public'),
  hide: (entry) => setStatus(entry, 'hidden', entry.reason),
  pin: (entry) => setPinned(entry, true),
  unpin: (entry) => setPinned(entry, false),
  /** Hidden first; gone only after the time for undoing. */
  delete: (entry) => (stateOf(entry) === 'public' ? setStatus(entry, 'hidden') : undefined),
};
const DID = { approve: 'approve', restore: 'approve', keep: 'approve', hide: 'hide', delete: 'delete' };

/** Decisions without an answer yet. */
let unanswered = 0;

// So many are with the server already; others would be lost with the page.
addEventListener('beforeunload', (event) => unanswered > AT_ONCE_MAX && event.preventDefault());

/** `seen`: what was read, so that nothing else is decided on. */
async function send(entry, body, seen = entry.line.seq) {
  // Its line may come by the socket before the answer does.
  entry.sent = body.content ?? entry.sent;
  learn(entry, await api.change(entry.id, { ...body, seen }));
}

/** What the answer says, wherever the comment is shown by now. */
function learn(entry, { note, flags, ...line }) {
  if (line.seq >= entry.line.seq) entry.line = { ...line.seq === entry.line.seq && entry.line, ...line };
  if (note) entry.note = note;
  if (flags !== undefined) entry.flags = flags;
}

async function setStatus(entry, status, reason) {
  const was = stateOf(entry);
  const { flags, line: { pinned } } = entry;
  await send(entry, { status, ...reason && { reason } });
  if (status === 'public') entry.flags = 0;
  const back = { pending: status === 'hidden' ? 'pending' : 'hidden', rejected: 'hidden', hidden: 'hidden', public: 'public' }[was];
  if (was === 'public' && status === 'public') return undefined;
  return async () => {
    entry.reason = '';
    await send(entry, { status: back });
    // Whatever is hidden is pinned no more.
    if (pinned && back === 'public') await send(entry, { pinned });
    entry.flags = flags;
    return was === 'pending' && back === 'hidden' ? { did: 'hide', by: app.name } : null;
  };
}

async function setPinned(entry, pinned) {
  await send(entry, { pinned });
  return () => send(entry, { pinned: !pinned });
}

const isConflict = ({ said }) => said?.code === 'changed_meanwhile';

/** Nobody decides on a text that changed under their eyes: the first try only says so. */
function mayDecide(entry) {
  if (!entry.isChanged || entry.isWarned) {
    entry.isChanged = false;
    entry.read = entry.line.content;
    return true;
  }
  entry.isWarned = true;
  emit('changed', entry);
  return false;
}

function refused(entry, error) {
  const { line } = error.said ?? {};
  if (!isConflict(error) || !line) return;
  // With the same words, somebody else was quicker to decide.
  error.isDecided = line.content === entry.read;
  entry.isChanged = entry.isWarned = !error.isDecided;
  learn(entry, line);
}

/** Does it to all of them; some at once. */
async function each(entries, act) {
  const errors = [];
  const left = [...entries];
  const work = async () => {
    for (let entry = left.shift(); entry; entry = left.shift()) {
      await act(entry).catch((error) => errors.push(error));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE_MAX }, work));
  return errors;
}

/** Says whether it is done for all of them. */
export async function decide(all, verb) {
  const asked = all.filter((entry) => !entry.isBusy);
  const entries = asked.filter(mayDecide);
  if (entries.length < asked.length) toast(text('changedAsk'), { isBad: true });
  if (!entries.length) return false;
  const undos = new Map();
  const mine = { did: DID[verb], by: app.name };
  const before = new Map(entries.map((entry) => [entry, entry.decided]));
  for (const entry of entries) {
    Object.assign(entry, { isBusy: true, isPicked: false });
    if (verb === 'delete') going.add(entry.id);
    if (DID[verb]) entry.decided = mine;
    emit('changed', entry);
  }
  emit('decided', entries);
  const done = new Set(entries);
  unanswered += entries.length;
  const work = each(entries, async (entry) => {
    try {
      undos.set(entry, await DO[verb](entry));
    } catch (error) {
      done.delete(entry);
      // Another's decision may have come meanwhile.
      if (entry.decided === mine) entry.decided = before.get(entry);
      going.delete(entry.id);
      refused(entry, error);
      throw error;
    } finally {
      unanswered -= 1;
      entry.isBusy = false;
      emit('changed', entry);
    }
  });
  const said = announce(entries, verb, { work, done, undos, before });
  complain(await work);
  if (!done.size) said.close();
  return done.size === all.length;
}

export function complain(errors) {
  if (!errors.length) return;
  const [error] = errors;
  const words = error.isDecided ? text('decidedAsk') : isConflict(error) ? text('changedAsk') : error.message;
  toast(errors.length > 1 ? text('failed', { n: errors.length, why: words }) : words, { isBad: true });
}

/** “Hidden: cheap watches…”, with Undo. */
export function told(verb, entries) {
  const what = text(`done_${verb}`);
  const [first] = entries;
  return entries.length === 1 ? text('one', { what, quote: quote(first.line.content) }) : text('some', { what, n: entries.length });
}

/** Says at once what is being done; it can be taken back as soon as it is. */
function announce(entries, verb, { work, done, undos, before }) {
  const undo = async () => {
    await work;
    let isHidden = false;
    const errors = await each(done, async (entry) => {
      going.delete(entry.id);
      const instead = await undos.get(entry)?.() ?? null;
      entry.decided = instead ?? (verb in DID ? before.get(entry) : entry.decided);
      isHidden ||= Boolean(instead);
      emit('changed', entry);
    });
    complain(errors);
    if (errors.length < done.size) toast(text(isHidden ? 'undidApprove' : 'undid'));
  };
  const final = (isLeaving) => (isLeaving ? buryNow(done) : work.then(() => bury(done)));
  // What was kept is as it was before.
  return toast(told(verb, entries), { undo: verb === 'keep' ? undefined : undo, final: verb === 'delete' ? final : undefined });
}

const last = ({ line, reason, isBusy }) => ({ ...!isBusy && { seen: line.seq }, ...reason && { reason } });

/** The page is being closed: nobody hears the answers. */
function buryNow(entries) {
  for (const entry of entries) api.remove(entry.id, last(entry), true).catch(() => {});
}

/** Deletes for good what is still as it was seen. */
async function bury(entries) {
  complain(await each(entries, async (entry) => {
    try {
      learn(entry, await api.remove(entry.id, last(entry)));
    } catch (error) {
      // Somebody else has deleted it already.
      if (error.status !== 404 && error.said?.code !== 'deleted') {
        entry.decided = null;
        refused(entry, error);
        throw error;
      }
    } finally {
      going.delete(entry.id);
      emit('changed', entry);
    }
  }));
}

// Writing
/** `seen`: the text that was there when the editing began. */
export async function edit(entry, content, seen) {
  const { content: before } = entry.line;
  await send(entry, { content }, seen);
  emit('changed', entry);
  const undo = async () => {
    await send(entry, { content: before }).catch((error) => complain([error]));
    emit('changed', entry);
  };
  toast(told('edit', [entry]), { undo });
}

/** Approves it first where it waits; says whether it is answered. */
export async function answer(entry, content, nonce) {
  if (stateOf(entry) === 'pending' && !await decide([entry], 'approve')) return false;
  const line = await api.answer({ page: entry.line.page, parent: entry.id, content, nonce });
  const undo = () => api.remove(line.id, { seen: line.seq }).then(() => toast(text('undid')), (error) => complain([error]));
  toast(text('one', { what: text('done_answer'), quote: quote(content) }), { undo });
  return true;
}

export async function lockPage(page, locked) {
  await api.lock(page, locked);
  emit('locked', { page, locked });
  const undo = () => api.lock(page, !locked).then(() => emit('locked', { page, locked: !locked }), (error) => complain([error]));
  toast(text('one', { what: text(locked ? 'done_lock' : 'done_unlock'), quote: page }), { undo });
}

/** Bans or holds the authors of these comments; what it hid comes back with the undoing. */
export async function ban(bodies, names, isHold) {
  const made = [];
  const hidden = [];
  const errors = [];
  for (const body of bodies) {
    try {
      const said = await api.ban(body);
      made.push(...said.bans);
      hidden.push(...said.hidden ?? []);
      // Of somebody who has written very much, some may be left.
      for (let step = 0, { more } = said; more && step < STEPS_MAX; step++) {
        const rest = await api.ban(body);
        hidden.push(...rest.hidden ?? []);
        ({ more } = rest);
      }
    } catch (error) {
      errors.push(error);
    }
  }
  complain(errors);
  if (!made.length) return;
  const what = text('one', { what: text(isHold ? 'done_holdAuthor' : 'done_ban'), quote: names.join(', ') });
  const undo = async () => {
    try {
      for (const one of made) await api.lift(one.author ?? one.address, true);
      toast(text('undid'));
    } catch (error) {
      complain([error]);
    }
    emit('bans');
  };
  toast(hidden.length ? text('alsoHidden', { what, n: hidden.length }) : what, { undo });
  emit('bans');
}
