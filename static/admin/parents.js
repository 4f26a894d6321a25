/** What comments answer, which is quoted above them: looked up as they are shown. Knows no element. */

import * as api from './api.js';
import { app, emit } from './app.js';

const KNOWN_MAX = 5_000;

/** By id: the line, or nothing where there is none, or it is still asked for. */
const known = new Map();
const waiting = [];
let isBusy = false;

/** The line it answers; `null` where that is gone; nothing while it is not known, and `emit('parent', id)` says when. */
export function parentOf({ parent }) {
  const here = app.queue?.entries.get(parent)?.line;
  if (here) return here;
  if (known.has(parent)) return known.get(parent);
  if (known.size > KNOWN_MAX) known.clear();
  known.set(parent, undefined);
  waiting.push(parent);
  pump();
  return undefined;
}

async function pump() {
  if (isBusy || !waiting.length) return;
  isBusy = true;
  // Those that are shown now come first.
  const id = waiting.pop();
  try {
    known.set(id, await api.one(id, false) ?? null);
    emit('parent', id);
  } catch {
    known.delete(id);
  }
  isBusy = false;
  pump();
}

/** A line has come: what quotes it may be out of date. */
export function renew(line) {
  if (known.has(line.id)) known.set(line.id, line);
}
