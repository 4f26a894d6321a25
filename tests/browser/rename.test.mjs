/** Pages that move while somebody reads them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { live, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { isConfirmed, isLive, say } from './page.mjs';

const texts = (page) => page.locator('.text').allTextContents();
const rename = (...pages) => promisify(execFile)(server.binary, ['rename', ...pages, '--data', server.folder]);

test('who reads either of two pages that become one sees the comments of both, and goes on', async () => {
  for (const page of ['old', 'new', 'old']) await server.post({ page, content: `on ${page} ${(await server.comments(page)).length}` });
  const readers = [];
  for (const page of ['old', 'new']) readers.push(await live(`${server.url}/?page=${page}`));
  await rename('old', 'new');
  for (const reader of readers) {
    await until(async () => (await texts(reader)).join() === 'on old 1,on new 0,on old 0', 'the comments of both');
    await isLive(reader);
  }
  for (const [number, reader] of readers.entries()) {
    await say(reader, `from ${number}`, 'Ada');
    for (const other of readers) await isConfirmed(other, `from ${number}`);
  }
  for (const reader of readers) {
    assert.deepEqual(await texts(reader), ['from 1', 'from 0', 'on old 1', 'on new 0', 'on old 0']);
    assert.equal(await reader.locator('.count').textContent(), '5');
  }
});

test('who reads a page that moves to an empty one loads nothing anew', async () => {
  await server.post({ page: 'old', content: 'first' });
  const old = await live(`${server.url}/?page=old`);
  const empty = await live(`${server.url}/?page=new`);
  await isConfirmed(old, 'first');
  const asked = [];
  old.on('request', (request) => request.url().includes('/api/comments') && asked.push(request.url()));
  await rename('old', 'new');
  await isConfirmed(empty, 'first');
  await server.post({ page: 'new', content: 'second' });
  for (const reader of [old, empty]) await isConfirmed(reader, 'second');
  assert.deepEqual(asked, []);
});
