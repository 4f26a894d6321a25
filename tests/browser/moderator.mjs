/** What a moderator does, over the HTTP interface; readers are in the tests. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { replaceServer, server } from './fixture.mjs';

const TOKEN = 'm'.repeat(43);
const folder = mkdtempSync(join(tmpdir(), 'sayso-moderators-'));
const file = join(folder, 'moderators');
writeFileSync(file, `ada ${TOKEN}\nmia ${'n'.repeat(43)}\n`, { mode: 0o600 });
process.on('exit', () => rmSync(folder, { recursive: true }));

/** Puts a server in the place of this test's that has the moderators ada and mia; what is called here is ada's. */
export const moderated = ({ flags = [], ...options } = {}) => replaceServer({ flags: ['--admin-token-file', file, ...flags], ...options });

export async function ask(method, path, body) {
  const answer = await fetch(`${server.url}/api/${path}`, {
    method, headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

export const change = (id, what) => ask('PATCH', `comments/${id}`, what);
export const pin = (id, pinned = true) => change(id, { pinned });
export const hide = (id, reason) => change(id, { status: 'hidden', reason });
export const approve = (id) => change(id, { status: 'public' });
export const remove = (id, reason) => ask('DELETE', `comments/${id}`, { reason });
export const lock = (page = '/', locked = true) => ask('PATCH', 'admin/pages', { page, locked });
/** As the site. */
export const write = (content, parent, page = '/') => ask('POST', 'admin/comments', { page, parent, content });
export const ban = (what) => ask('POST', 'admin/bans', what);
/** The ids of flagged comments, each as often as it was flagged. */
export const flagged = () => readFileSync(server.log, 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  .filter(({ kind }) => kind === 'flag').map(({ id }) => id);
