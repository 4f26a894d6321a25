/** The thread: where comments stand, and which of them are there. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { live, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { comment } from './page.mjs';

test('answers deeper than four levels stay at the fourth, in the widget as on the page', async () => {
  let parent;
  for (let i = 1; i <= 7; i++) ({ id: parent } = await server.post({ content: `level ${i}`, name: `n${i}`, parent }));
  const script = await live();
  const plain = await visit(server.url, { javaScriptEnabled: false });
  for (const page of [script, plain]) {
    const depths = await page.locator('.text').evaluateAll((all) => all.map((node) => {
      let depth = 0;
      for (let up = node.closest('.answers'); up; up = up.parentElement.closest('.answers')) depth++;
      return depth;
    }));
    assert.deepEqual(depths, [0, 1, 2, 3, 4, 4, 4]);
    assert.deepEqual(await page.locator('.to').allTextContents(), ['to n5', 'to n6']);
  }
});

test('new comments above what is being read wait behind a pill', async () => {
  for (let i = 1; i <= 30; i++) await server.post({ content: `old ${i}` });
  const ada = await live();
  await ada.evaluate(() => scrollTo(0, 900));
  const seen = comment(ada, 'old 15');
  // What is in view is known a frame after the scrolling.
  await ada.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));
  const place = (await seen.boundingBox()).y;
  await server.post({ content: 'new' });
  await ada.getByRole('button', { name: '↑ 1 new comment' }).waitFor();
  assert.equal((await seen.boundingBox()).y, place);
  await ada.getByRole('button', { name: /new comment/ }).click();
  await until(async () => (await ada.locator('.text', { hasText: /^new$/ }).count()) > 0, 'the new comments');
  await ada.locator('.pill').waitFor({ state: 'hidden' });
});

test('older comments come on demand, and a permalink brings its own', async () => {
  const first = await server.post({ content: 'the very first' });
  await server.post({ content: 'an answer to it', parent: first.id });
  for (let i = 1; i <= 110; i++) await server.post({ content: `filler ${i}` });
  const ada = await live();
  assert.equal(await ada.locator('.comment').count(), 50);
  await until(async () => (await ada.locator('.count').textContent()) === '112', 'the count of all');
  await ada.getByRole('button', { name: 'Older comments' }).click();
  await until(async () => (await ada.locator('.comment').count()) === 100, 'older comments');
  await ada.getByRole('button', { name: 'Older comments' }).click();
  await comment(ada, 'an answer to it').waitFor();
  assert.equal(await ada.locator('.answers .text').textContent(), 'an answer to it');
  assert.equal(await ada.getByRole('button', { name: 'Older comments' }).count(), 0);
  const grace = await live(`${server.url}/#sayso-${first.id}`);
  await comment(grace, 'the very first').waitFor();
  await until(() => comment(grace, 'the very first').evaluate((node) => {
    const { top, bottom } = node.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  }), 'the permalink to be in view');
});
