/** The page behind a link in a message by which a moderator decides: what a browser makes of its headers, and its look. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { replaceServer, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';

const folder = mkdtempSync(join(tmpdir(), 'sayso-links-'));
const [moderators, program, event] = ['moderators', 'program', 'event'].map((name) => join(folder, name));
writeFileSync(moderators, `mia ${'m'.repeat(43)}\n`, { mode: 0o600 });
writeFileSync(program, `#!/bin/sh\ncat >"${event}.new" && mv "${event}.new" "${event}"\n`, { mode: 0o755 });
after(() => rmSync(folder, { recursive: true }));

/** Where the links of the next event lead on this server. */
async function links() {
  await until(() => existsSync(event), 'an event');
  const { links } = JSON.parse(readFileSync(event));
  rmSync(event);
  return Object.fromEntries(Object.entries(links).map(([name, url]) => [name, url.replace('https://talk.example', server.url)]));
}

test('a browser without JavaScript shows the comment, and its button decides once', async () => {
  await replaceServer({ flags: ['--hold', 'all', '--admin-token-file', moderators, '--public-url', 'https://talk.example', '--notify', program] });
  await server.post({ content: 'waits <b>for</b> you', name: 'Ada' });
  const { approve, hide } = await links();
  const page = await visit(approve, { javaScriptEnabled: false, isStubbed: false });
  await page.getByText('waits <b>for</b> you').waitFor();
  assert.deepEqual(await server.comments(), []);
  // Its style is allowed.
  assert.notEqual(await page.getByRole('button', { name: 'Approve' }).evaluate((button) => getComputedStyle(button).backgroundColor), 'rgb(239, 239, 239)');
  const [request] = await Promise.all([page.waitForRequest(({ method }) => true), page.getByRole('button', { name: 'Approve' }).click()]);
  // So it says of a page that tells its address to nobody, and the server must know that.
  assert.deepEqual([request.method(), (await request.allHeaders()).origin, (await request.allHeaders()).referer], ['POST', 'null', undefined]);
  await page.getByRole('heading', { name: 'Approved' }).waitFor();
  assert.equal((await server.comments()).length, 1);
  assert.equal((await page.goto(hide)).status(), 409);
  await page.getByText('mia has approved this comment already').waitFor();
});
