/** Requests as a moderator; whatever goes wrong is an error in words. Knows no view. */

import { sentence } from '../widget/texts.js';
import { base, session } from './session.js';
import { text } from './texts.js';

/** ms */
const ANSWER_WAIT = 20_000;
const BUSY_WAIT = 150;
const BUSY_WAIT_MAX = 5_000;

/** What was refused: `status` is 0 where nothing was answered, `said` the server's answer, `wait` so many seconds before trying again. */
export class Refusal extends Error {
  constructor(status, said = {}, wait = 0) {
    super(said.error ? sentence(said.error) : text(status ? 'strange' : 'unreachable', { status }));
    this.status = status;
    this.said = said;
    this.wait = wait;
  }
}

let signedOut = () => {};
/** `act(words)` is called when the token is no longer taken. */
export const whenSignedOut = (act) => {
  signedOut = act;
};

/** `keepalive`: the page may be closed meanwhile. */
export async function call(method, path, body, keepalive = false) {
  let answer;
  try {
    answer = await fetch(`${base}/api/${path}`, {
      method, keepalive, cache: 'no-store', credentials: 'omit', signal: keepalive ? undefined : AbortSignal.timeout(ANSWER_WAIT),
      headers: { authorization: `Bearer ${session.token}`, ...body && { 'content-type': 'application/json' } },
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0);
  }
  const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  const refusal = new Refusal(answer.status, said, Number(answer.headers.get('retry-after')));
  if (answer.status === 401) signedOut(refusal.message);
  throw refusal;
}

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined));

// The server searches for two at once, whoever they are; so this page asks for one at a time, and again where it was refused.
const searches = [];
let isSearching = false;

function search(act, isUrgent = true) {
  return new Promise((resolve, reject) => {
    const one = { isUrgent, run: () => again(act).then(resolve, reject) };
    const behind = isUrgent ? searches.findIndex((other) => !other.isUrgent) : -1;
    searches.splice(behind < 0 ? searches.length : behind, 0, one);
    next();
  });
}

async function next() {
  if (isSearching || !searches.length) return;
  isSearching = true;
  await searches.shift().run();
  isSearching = false;
  next();
}

async function again(act) {
  for (let wait = BUSY_WAIT; ; wait *= 2) {
    try {
      return await act();
    } catch (error) {
      if (error.status !== 503 || error.wait !== 1 || wait > BUSY_WAIT_MAX) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
  }
}

/** Comments, newest first: `{comments, more, before}`. */
export const list = (asked, isUrgent) => search(() => call('GET', `admin/comments?${query(asked)}`), isUrgent);
export const pages = (before) => call('GET', `admin/pages?${query({ limit: 100, before })}`);
export const bans = () => search(() => call('GET', 'admin/bans'));
export const author = (who, isUrgent) => search(() => call('GET', `admin/authors/${encodeURIComponent(who)}`), isUrgent);
export const noteOn = (who, note) => search(() => call('PUT', `admin/authors/${encodeURIComponent(who)}/note`, { note }));
export const change = (id, body, keepalive) => call('PATCH', `comments/${id}`, body, keepalive);
export const remove = (id, body, keepalive) => call('DELETE', `comments/${id}`, body, keepalive);
export const answer = (body) => call('POST', 'admin/comments', body);
export const lock = (page, locked) => call('PATCH', 'admin/pages', { page, locked });
export const ban = (body) => search(() => call('POST', 'admin/bans', body));
export function lift(key, restore, keepalive) {
  const act = () => call('DELETE', `admin/bans/${encodeURIComponent(key)}${restore ? '?restore=true' : ''}`, undefined, keepalive);
  return keepalive ? act() : search(act);
}

/** A single comment as moderators see it, or nothing. */
export const one = async (id, isUrgent) => (await list({ q: `#sayso-${id}`, limit: 1 }, isUrgent)).comments.find((line) => line.id === id);

/** The public part of the thread that a comment is in, oldest first, tombstones included. */
export async function thread(page, id) {
  const found = [];
  for (let after, more = true; more && found.length < 5_000; after = found.at(-1).id) {
    const said = await call('GET', `comments?${query({ page, thread: id, limit: 200, after })}`);
    found.push(...said.comments.filter((line) => !(line.id <= after)));
    more = said.more && said.comments.length > 0 && found.at(-1).id !== after;
  }
  return found;
}
