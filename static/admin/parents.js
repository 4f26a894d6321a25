/** What comments answer, which is quoted above them: looked up as they are shown. Knows no element. */

import * as api from './api.js';
import { app, emit } from './app.js';

const AT_ONCE_MAX = 3;
const KNOWN_MAX = 5_000;

/** By id: the line, or nothing where there is none, or it is still asked for. */
const known = new Map();
const waiting = [];
let busy = 0;

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
  while (busy < AT_ONCE_MAX && waiting.length) {
    busy += 1;
    const id = waiting.pop();
    api.one(id).then((line) => {
      known.set(id, line ?? null);
      emit('parent', id);
    }, () => known.delete(id)).finally(() => {
      busy -= 1;
      pump();
    });
  }
}

/** A line has come: what quotes it may be out of date. */
export function renew(line) {
  if (known.has(line.id)) known.set(line.id, line);
}
