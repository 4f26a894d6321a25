/** Requests as a moderator; whatever goes wrong is an error in words. Knows no view. */

import { sentence } from '../widget/texts.js';
import { base, session } from './session.js';
import { text } from './texts.js';

const ANSWER_WAIT = 20_000;

/** What was refused: `status` is 0 where nothing was answered, `said` the server's answer. */
export class Refusal extends Error {
  constructor(status, said = {}) {
    super(said.error ? sentence(said.error) : text(status ? 'strange' : 'unreachable', { status }));
    this.status = status;
    this.said = said;
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
  const refusal = new Refusal(answer.status, said);
  if (answer.status === 401) signedOut(refusal.message);
  throw refusal;
}

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined));

/** Comments, newest first: `{comments, more, before}`. */
export const list = (asked) => call('GET', `admin/comments?${query(asked)}`);
export const pages = (before) => call('GET', `admin/pages?${query({ limit: 100, before })}`);
export const bans = () => call('GET', 'admin/bans');
export const author = (who) => call('GET', `admin/authors/${encodeURIComponent(who)}`);
export const noteOn = (who, note) => call('PUT', `admin/authors/${encodeURIComponent(who)}/note`, { note });
export const change = (id, body, keepalive) => call('PATCH', `comments/${id}`, body, keepalive);
export const remove = (id, body, keepalive) => call('DELETE', `comments/${id}`, body, keepalive);
export const answer = (body) => call('POST', 'admin/comments', body);
export const lock = (page, locked) => call('PATCH', 'admin/pages', { page, locked });
export const ban = (body) => call('POST', 'admin/bans', body);
export const lift = (key, restore, keepalive) => call('DELETE',
  `admin/bans/${encodeURIComponent(key)}${restore ? '?restore=true' : ''}`, undefined, keepalive);

/** A single comment as moderators see it, or nothing. */
export const one = async (id) => (await list({ q: `${base}/#sayso-${id}`, limit: 1 })).comments.find((line) => line.id === id);

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
