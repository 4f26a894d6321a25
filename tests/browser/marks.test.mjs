/** A log that has gone back since a page was loaded, as when a backup is restored: the page shows what is there now. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync, writeFileSync } from 'node:fs';

import { live, newPerson, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { comment, isConfirmed, isLive, say } from './page.mjs';

const texts = (page) => page.locator('.text').allTextContents();
const post = async (...contents) => {
  for (const content of contents) await server.post({ content });
};

/** Three comments, a backup of them, and three more. */
async function backUp() {
  await post('c1', 'c2', 'c3');
  const backup = readFileSync(server.log);
  await post('c4', 'c5', 'c6');
  return backup;
}

async function restore(backup) {
  await server.kill();
  writeFileSync(server.log, backup);
  await server.start();
}

const hide = async (page) => {
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await page.locator('.state:not([data-state=live])').waitFor();
};
const show = (page) => page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));

const NOW = ['new 5', 'new 4', 'new 3', 'new 2', 'new 1', 'c3', 'c2', 'c1'];

test('after a backup was restored, all that has come since is there, and nothing that is gone', async () => {
  const backup = await backUp();
  const ada = await live();
  await isConfirmed(ada, 'c6');
  await hide(ada);
  await restore(backup);
  await post('new 1', 'new 2', 'new 3', 'new 4', 'new 5');
  await show(ada);
  await until(async () => (await texts(ada)).join() === NOW.join(), 'the restored log and what came since');
  await isLive(ada);
  assert.equal(await ada.locator('.count').textContent(), '8');
  await post('live again');
  await isConfirmed(ada, 'live again');
  // From here on the cursor is good again: a restart loads nothing anew.
  const asked = [];
  ada.on('request', ({ url }) => url().includes('/api/comments') && asked.push(url()));
  await server.kill();
  await ada.locator('.state:not([data-state=live])').waitFor();
  await server.start();
  await post('after a restart');
  await isConfirmed(ada, 'after a restart');
  assert.deepEqual((await texts(ada)), ['after a restart', 'live again', ...NOW]);
  assert.ok(asked.every((url) => /[?&]since=\d+&log=\w{16}&mark=\w{16}/.test(url)), asked.join('\n'));
});

test('a log that goes back while the page is connected is noticed as soon as the server is there again', async () => {
  const backup = await backUp();
  const ada = await live();
  const grace = await live();
  await isConfirmed(grace, 'c6');
  await restore(backup);
  await until(async () => (await texts(ada)).join() === 'c3,c2,c1', 'the restored log');
  await isLive(ada);
  await isLive(grace);
  await say(ada, 'the first one since', 'Ada');
  await isConfirmed(ada, 'the first one since');
  await isConfirmed(grace, 'the first one since');
  assert.deepEqual(await texts(grace), ['the first one since', 'c3', 'c2', 'c1']);
});

test('what is being written and what waits to be sent outlive that the log goes back', async () => {
  const backup = await backUp();
  const ada = await live();
  await isConfirmed(ada, 'c6');
  await hide(ada);
  await say(ada, 'waits', 'Ada');
  await comment(ada, 'waits').getByText('waits for the connection').waitFor();
  for (const [to, answer] of [['c2', 'to one that stays'], ['c5', 'to one that goes']]) {
    await comment(ada, to).getByRole('button', { name: 'Reply' }).click();
    await ada.locator('.item textarea').last().waitFor();
    const field = ada.locator('.item', { has: comment(ada, to) }).locator('textarea');
    await field.fill(answer);
  }
  await ada.locator('textarea').first().fill('half a comment');
  await restore(backup);
  await post('new 1', 'new 2', 'new 3', 'new 4', 'new 5');
  await show(ada);
  await isConfirmed(ada, 'waits');
  await until(async () => (await texts(ada)).join() === ['waits', ...NOW].join(), 'the restored log');
  assert.deepEqual((await server.comments()).map((line) => line.content), [...NOW.toReversed(), 'waits']);
  // "new 2" has the number that "c5" had, and the answer is not for it.
  const fields = await ada.locator('.item', { has: comment(ada, 'c2') }).locator('textarea').all();
  assert.deepEqual(await Promise.all(fields.map((field) => field.inputValue())), ['to one that stays']);
  assert.equal(await ada.locator('.item textarea').count(), 1);
  assert.equal(await ada.locator('textarea').first().inputValue(), 'to one that goes\n\nhalf a comment');
});

test('where a proxy blocks WebSocket, a log that has gone back is noticed by asking', async () => {
  const backup = await backUp();
  const context = await newPerson();
  await context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
  const ada = await context.newPage();
  await ada.goto(server.url);
  await ada.locator('.state[data-state=polling]').waitFor();
  await isConfirmed(ada, 'c6');
  const refused = [];
  ada.on('response', (response) => response.status() === 409 && refused.push(response.url()));
  await restore(backup);
  await post('new 1', 'new 2', 'new 3', 'new 4', 'new 5');
  await until(async () => (await texts(ada)).join() === NOW.join(), 'the restored log and what came since');
  assert.match(refused.join(), /since=6&log=\w{16}&mark=\w{16}/);
});

test('a page of history that was asked for before the log went back is not taken for one of the new log', async () => {
  await post('c1', 'c2', 'c3');
  const backup = readFileSync(server.log);
  await post(...Array.from({ length: 147 }, (_, i) => `old ${i + 1}`));
  const ada = await live();
  const older = ada.locator('.older');
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  const isAsked = new Promise((resolve) => {
    ada.route(/before=/, async (route) => {
      const response = await route.fetch();
      resolve();
      await released;
      await route.fulfill({ response });
    }, { times: 1 });
  });
  await older.click();
  await isAsked;
  await hide(ada);
  await restore(backup);
  await post(...Array.from({ length: 160 }, (_, i) => `new ${i + 1}`));
  await show(ada);
  await isConfirmed(ada, 'new 160');
  await isLive(ada);
  const newest = (n) => Array.from({ length: n }, (_, i) => `new ${160 - i}`);
  assert.deepEqual(await texts(ada), newest(50));
  release();
  await ada.locator('.older:not([aria-disabled])').click();
  await until(async () => (await texts(ada)).length === 100, 'the next page');
  assert.deepEqual(await texts(ada), newest(100));
});
