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
  // As a hand would: Playwright's own click first scrolls to the pill, and at the top there is none.
  const pill = await ada.getByRole('button', { name: /new comment/ }).boundingBox();
  await ada.mouse.click(pill.x + pill.width / 2, pill.y + pill.height / 2);
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

/** A thread of so many answers, `#n` each; those whose number is in `below` answer the one that it names. */
async function longThread(n, below = {}) {
  const { id } = await server.post({ content: 'a long thread' });
  const ids = [id];
  for (let i = 1; i <= n; i++) ids[i] = (await server.post({ content: `#${i}`, parent: ids[below[i] ?? 0] })).id;
  return ids;
}

const texts = (page) => page.locator('.text').allTextContents();
const numbers = (...ranges) => ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => `#${from + i}`));

test('no answer is drawn without what it answers, on whatever page of history it is', async () => {
  const ids = [];
  for (let i = 0; i < 30; i++) ids.push((await server.post({ content: `question ${i}` })).id);
  for (let i = 0; i < 90; i++) await server.post({ content: `answer ${i} to question ${i % 30}`, parent: ids[i % 30] });
  for (const order of ['newest', 'oldest']) {
    const kept = { origin: server.url, localStorage: [{ name: `sayso ${server.url} order`, value: order }] };
    const page = await live(server.url, { storageState: { origins: [kept] } });
    const older = page.locator('.older');
    for (let seen = 0; ; seen++) {
      assert.equal(await page.locator('.to').count(), 0, 'nothing is "to an older comment"');
      const threads = await page.locator('.list > .item').evaluateAll((all) => all.map((item) => [...item.querySelectorAll('.text')].map((text) => text.textContent)));
      for (const [question, ...answers] of threads) {
        const n = /^question (\d+)$/.exec(question)[1];
        assert.ok(answers.length === 3 && answers.every((answer) => answer.endsWith(` to question ${n}`)), answers.join());
      }
      const asked = threads.map(([question]) => Number(question.slice(9)));
      const inOrder = Array.from({ length: 30 }, (_, i) => order === 'oldest' ? i : 29 - i);
      assert.deepEqual(asked, inOrder.slice(0, asked.length));
      if (await older.isHidden()) {
        assert.ok(seen > 0 && asked.length === 30, 'in several pages, all');
        break;
      }
      assert.equal(await older.getAttribute('aria-disabled'), null);
      await older.click();
      await until(async () => await page.locator('.list > .item').count() > asked.length, 'more of them');
    }
  }
});

test('a long thread shows its first and newest answers, and the others where they belong on demand', async () => {
  // #20 answers #10, which is left out, and #40 answers #12.
  await longThread(40, { 20: 10, 40: 12 });
  const page = await live();
  assert.deepEqual(await texts(page), ['a long thread', ...numbers([1, 3], [34, 40])]);
  assert.equal(await page.locator('.count').textContent(), '41');
  assert.equal(await comment(page, '#40').locator('.to').textContent(), 'to an older comment');
  const more = page.getByRole('button', { name: '30 more answers' });
  const places = await Promise.all(['#3', '#34'].map(async (text) => (await comment(page, text).boundingBox()).y));
  const { y } = await more.boundingBox();
  assert.ok(places[0] < y && y < places[1], 'it stands between');
  await more.click();
  await until(async () => (await texts(page)).length === 41, 'all of them');
  assert.equal(await page.locator('.gap').count(), 0);
  assert.equal(await page.locator('.to').count(), 0);
  const order = [...numbers([1, 10]), '#20', '#11', '#12', '#40', ...numbers([13, 19], [21, 39])];
  assert.deepEqual(await texts(page), ['a long thread', ...order]);
  assert.equal(await page.locator('.count').textContent(), '41');
});

test('where the middle of a thread can\'t be had its own button says so, and has it at the next click', async () => {
  await longThread(40);
  const page = await live();
  await page.route(/thread=/, (route) => route.abort(), { times: 1 });
  await page.locator('.more').click();
  await page.locator('.more', { hasText: 'This could not be loaded. Try again.' }).click();
  await until(async () => (await texts(page)).length === 41, 'all of them');
});

test('of a thread of 500 answers the middle comes 200 at a time', async () => {
  await longThread(500);
  const page = await live();
  for (const left of [490, 290, 90]) {
    await page.getByRole('button', { name: `${left} more answers` }).click();
    await until(async () => (await page.locator('.gap').allTextContents()).every((text) => !text.startsWith(String(left))), 'some');
  }
  assert.deepEqual(await texts(page), ['a long thread', ...numbers([1, 500])]);
});

test('what comes live goes to its place: below what it answers, or uncounted among what is left out', async () => {
  const ids = await longThread(30);
  for (let i = 0; i < 60; i++) await server.post({ content: `later ${i}` });
  const page = await live();
  const older = page.getByRole('button', { name: 'Older comments' });
  // Its thread is not loaded: it is counted, and not drawn among others.
  await server.post({ content: '#31', parent: ids[30] });
  await until(async () => await page.locator('.count').textContent() === '92', 'it to be counted');
  assert.equal(await comment(page, '#31').count(), 0);
  for (let n = 50; await older.isVisible(); n = await page.locator('.comment').count()) {
    await older.click();
    await until(async () => await page.locator('.comment').count() > n, 'older ones');
  }
  await comment(page, '#31').waitFor();
  // Below one that is there, and below one that is left out.
  await server.post({ content: '#32', parent: ids[2] });
  await server.post({ content: '#33', parent: ids[12] });
  await comment(page, '#33').waitFor();
  assert.equal(await comment(page, '#33').locator('.to').textContent(), 'to an older comment');
  const below = page.locator('.item', { has: comment(page, '#2') }).last();
  assert.deepEqual(await below.locator('.text').allTextContents(), ['#2', '#32']);
  assert.equal(await page.locator('.list > .item').count(), 61, 'neither began a thread');
  await page.getByRole('button', { name: /more answers/ }).click();
  await until(async () => await page.locator('.gap').count() === 0, 'all of them');
  assert.deepEqual(await page.locator('.item', { has: comment(page, '#12') }).last().locator('.text').allTextContents(), ['#12', '#33']);
  // The server's count of what was left out comes a second later.
  await until(async () => await page.locator('.count').textContent() === '94', 'all to be counted');
  assert.equal(await page.locator('.comment').count(), 94);
});

test('an edit of what is left out leaves it there', async () => {
  const key = 'k'.repeat(22);
  const { id } = await server.post({ content: 'a long thread' });
  const { id: middle } = await (async () => {
    let found;
    for (let i = 1; i <= 20; i++) {
      const posted = await server.post({ content: `#${i}`, parent: id, key });
      if (i === 8) found = posted;
    }
    return found;
  })();
  const page = await live();
  const change = (options) => fetch(`${server.url}/api/comments/${middle}`, { headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, ...options });
  await change({ method: 'PATCH', body: JSON.stringify({ content: '#8, better' }) });
  await change({ method: 'DELETE' });
  await until(async () => await page.locator('.count').textContent() === '20', 'the count without it');
  await server.post({ content: 'after it' });
  await comment(page, 'after it').waitFor();
  assert.deepEqual(await texts(page), ['after it', 'a long thread', ...numbers([1, 3], [14, 20])]);
});

test('oldest first begins with the oldest, and what comes live waits for its turn at the end', async () => {
  for (let i = 1; i <= 120; i++) await server.post({ content: `comment ${i}` });
  const page = await live();
  await page.getByRole('combobox', { name: 'Order of comments' }).selectOption('Oldest');
  await until(async () => (await texts(page))[0] === 'comment 1', 'the oldest first');
  assert.equal((await texts(page)).length, 50);
  await server.post({ content: 'comment 121' });
  await page.getByRole('button', { name: '↓ 1 new comment' }).click();
  await comment(page, 'comment 121').waitFor();
  const newer = page.getByRole('button', { name: 'Newer comments' });
  // In the order of reading, which no scrolling changes.
  const around = await page.locator('.text, .older').evaluateAll((all) => {
    const at = all.findIndex((node) => node.matches('.older'));
    return [all[at - 1].textContent, all[at + 1].textContent];
  });
  assert.deepEqual(around, ['comment 50', 'comment 121']);
  await newer.click();
  await until(async () => (await texts(page)).length === 101, 'the next');
  await newer.click();
  await newer.waitFor({ state: 'hidden' });
  assert.deepEqual(await texts(page), Array.from({ length: 121 }, (_, i) => `comment ${i + 1}`));
});
