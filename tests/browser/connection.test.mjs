/** A page that is connected, and one that is not: nothing is lost and nothing is there twice. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rmSync } from 'node:fs';

import { live, newPerson, replaceServer, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { choose, comment, isConfirmed, isLive, remove, say } from './page.mjs';

test('two tabs see each other at once, in both directions', async () => {
  const ada = await live();
  const grace = await live();
  await say(ada, 'Hello from Ada', 'Ada');
  await isConfirmed(grace, 'Hello from Ada');
  await say(grace, 'Hello back', 'Grace');
  await isConfirmed(ada, 'Hello back');
  await isConfirmed(ada, 'Hello from Ada');
  assert.deepEqual(await ada.locator('.name').allTextContents(), ['Grace', 'Ada']);
  assert.deepEqual(await grace.locator('.name').allTextContents(), ['Grace', 'Ada']);
  await ada.locator('.state', { hasText: 'Live · 2 reading' }).waitFor();
  assert.equal(await ada.locator('.count').textContent(), '2');
});

test('a server that is killed and comes back is resumed, and what was written meanwhile is sent once', async () => {
  const ada = await live();
  const grace = await live();
  await say(ada, 'before', 'Ada');
  await isConfirmed(grace, 'before');
  await server.kill();
  await ada.locator('.state:not([data-state=live])').waitFor();
  await say(ada, 'while it was down');
  await comment(ada, 'while it was down').getByText('waits for the connection').waitFor();
  await server.start();
  await isConfirmed(ada, 'while it was down');
  await isConfirmed(grace, 'while it was down');
  await isLive(ada);
  await say(ada, 'after');
  await isConfirmed(grace, 'after');
  const written = ['before', 'while it was down', 'after'];
  assert.deepEqual((await server.comments()).map((line) => line.content), written);
  assert.deepEqual(await grace.locator('.text').allTextContents(), written.toReversed());
  assert.deepEqual(await ada.locator('.text').allTextContents(), written.toReversed());
});

test('a server that restarts while one is typing leaves the text, the caret and the connection', async () => {
  const ada = await live();
  const box = ada.getByRole('textbox', { name: 'Comment' });
  await box.pressSequentially('Half a sent');
  await server.kill();
  await ada.locator('.state:not([data-state=live])').waitFor();
  await ada.keyboard.type('ence, ');
  await server.start();
  await isLive(ada);
  await ada.keyboard.type('whole.');
  assert.equal(await box.inputValue(), 'Half a sentence, whole.');
  await ada.keyboard.press('Control+Enter');
  await isConfirmed(ada, 'Half a sentence, whole.');
});

test('comments written offline survive a reload and are sent once', async () => {
  const ada = await live();
  await server.kill();
  await ada.locator('.state:not([data-state=live])').waitFor();
  for (const text of ['one', 'two', 'three']) await say(ada, text, 'Ada');
  await ada.locator('.state', { hasText: 'Offline: 3 comments wait here' }).waitFor();
  await until(async () => /Offline/.test(await ada.locator('[role=status]').first().textContent()), 'it is announced');
  await server.start();
  await ada.reload();
  for (const text of ['one', 'two', 'three']) await isConfirmed(ada, text);
  assert.deepEqual((await server.comments()).map((line) => line.content).sort(), ['one', 'three', 'two']);
  assert.equal(await ada.locator('.comment').count(), 3);
});

test('a page that was away in the back/forward cache catches up', async () => {
  const ada = await live();
  await ada.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await ada.locator('.state:not([data-state=live])').waitFor();
  await server.post({ content: 'meanwhile' });
  await ada.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await isConfirmed(ada, 'meanwhile');
  await isLive(ada);
});

test('where a proxy blocks WebSocket, one reads, writes, edits and deletes over HTTP', async () => {
  const context = await newPerson();
  await context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
  const ada = await context.newPage();
  await ada.goto(server.url);
  await say(ada, 'before anything is known', 'Ada');
  await ada.locator('.state[data-state=polling]').waitFor();
  await ada.getByText('Updated every few seconds').waitFor();
  await isConfirmed(ada, 'before anything is known');
  await say(ada, 'over HTTP');
  await isConfirmed(ada, 'over HTTP');
  const grace = await live();
  await say(grace, 'from a socket', 'Grace');
  await isConfirmed(ada, 'from a socket');
  await choose(comment(ada, 'over HTTP'), 'Edit');
  await ada.locator('.comment textarea').fill('edited over HTTP');
  await ada.getByRole('button', { name: 'Save' }).click();
  await comment(grace, 'edited over HTTP').waitFor();
  await remove(ada, comment(ada, 'before anything is known'));
  await comment(grace, 'before anything is known').waitFor({ state: 'detached' });
  await say(ada, 'a bell \u0007 rings');
  await ada.getByText(/^Content has the control character U\+0007/).waitFor();
  assert.deepEqual((await server.comments()).filter((line) => line.content).map((line) => line.content),
    ['edited over HTTP', 'from a socket']);
});

test('a post whose answer is lost is sent again over HTTP, and is there once', async () => {
  const context = await newPerson();
  await context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
  const ada = await context.newPage();
  let lost = 0;
  await ada.route('**/api/comments', async (route) => {
    if (lost++) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await ada.goto(server.url);
  await ada.locator('.state[data-state=polling]').waitFor();
  await say(ada, 'just once', 'Ada');
  await isConfirmed(ada, 'just once');
  assert.deepEqual((await server.comments()).map((line) => line.content), ['just once']);
  assert.equal(await comment(ada, 'just once').count(), 1);
});

test('more than the socket resumes is caught up over HTTP, and nothing is there twice', async () => {
  const ada = await live();
  await say(ada, 'before', 'Ada');
  await isConfirmed(ada, 'before');
  await ada.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await ada.locator('.state:not([data-state=live])').waitFor();
  const missed = Array.from({ length: 1_010 }, (_, i) => `missed ${i}`);
  for (let i = 0; i < missed.length; i += 50) {
    await Promise.all(missed.slice(i, i + 50).map((content) => server.post({ content })));
  }
  const asked = [];
  ada.on('request', (request) => request.url().includes('since=') && asked.push(request.url()));
  await ada.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await until(async () => (await ada.locator('.text').count()) === 1_011, 'all that was missed');
  assert.equal(new Set(await ada.locator('.text').allTextContents()).size, 1_011);
  assert.equal(await ada.locator('.count').textContent(), '1,011');
  assert.ok(asked.some((url) => url.includes('/api/comments?')), asked);
});

test('another log is loaded anew, and a half-written answer is kept', async () => {
  const ada = await live();
  await say(ada, 'in the old log', 'Ada');
  await isConfirmed(ada, 'in the old log');
  await comment(ada, 'in the old log').getByRole('button', { name: 'Reply' }).click();
  await ada.locator('.item textarea').fill('half an answer');
  await server.kill();
  rmSync(server.log);
  await server.start();
  await until(async () => (await ada.locator('.comment').count()) === 0, 'the old comments to go');
  await isLive(ada);
  assert.equal(await ada.getByRole('textbox', { name: 'Comment' }).inputValue(), 'half an answer');
  await say(ada, 'in the new log');
  await isConfirmed(ada, 'in the new log');
  assert.equal(await ada.locator('.comment').count(), 1);
});

test('a comment that comes too soon waits and is sent by itself', async () => {
  await replaceServer({ rate: '1/2' });
  const ada = await live();
  await say(ada, 'one', 'Ada');
  await say(ada, 'two');
  await comment(ada, 'two').getByText(/try again in \d+ s/).waitFor();
  await isConfirmed(ada, 'two');
  assert.deepEqual((await server.comments()).map((line) => line.content), ['one', 'two']);
});
