/** Comments of other systems that come while somebody reads: they stand where their times belong, and disturb nobody. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { live, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { comment, isConfirmed } from './page.mjs';

/** Threads of a page of history, and what may come on top of it before it is taken away again. */
const DRAWN_MAX = 50 + 40;
const MANY = 1_500;
/** Of a thousand comments that are not drawn a reader asks so often how many there are. */
const COUNTS_MAX = 12;

const texts = (page) => page.locator('.text').allTextContents();

/** One of sayso's lines; `day` counts from the beginning of 2021. */
const line = (id, day, content, more) => ({
  seq: id, id, page: '/', content, created_at: new Date(Date.UTC(2021, 0, 1) + day * 86_400_000).toISOString(), nonce: `elsewhere-number-${id}`, ...more,
});

/** Imports lines into the running server. */
async function bring(lines) {
  const file = join(server.folder, 'elsewhere.jsonl');
  const header = { sayso: 1, log: '77777777aaaaaaaa', created_at: lines[0].created_at, next: 1 };
  writeFileSync(file, [header, ...lines].map((each) => `${JSON.stringify(each)}\n`).join(''));
  await promisify(execFile)(server.binary, ['import', '--from', 'sayso', file, '--data', server.folder]);
}

/** Notes what the page says of what comes. */
const listen = (page) => page.evaluate(() => {
  window.heard = [];
  document.addEventListener('sayso:received', ({ detail }) => heard.push(detail.content));
  const { shadowRoot } = document.querySelector('sayso-comments');
  const said = shadowRoot.querySelector('[role=status]');
  new MutationObserver(() => heard.push(said.textContent)).observe(said, { childList: true });
  new MutationObserver(() => shadowRoot.querySelector('.fresh') && heard.push('marked as new')).observe(shadowRoot, { subtree: true, childList: true });
});

for (const order of ['newest', 'oldest']) {
  test(`what is imported while one reads stands where its time belongs, ${order} first`, async () => {
    const inOrder = (...all) => order === 'newest' ? all.reverse() : all;
    await bring([line(1, 10, 'tenth day'), line(2, 11, 'answer of the 11th', { parent: 1 }), line(3, 15, 'answer of the 15th', { parent: 1 })]);
    await server.post({ content: 'written here' });
    const ada = await live();
    await ada.locator('.order').selectOption(order);
    await listen(ada);
    await bring([line(1, 10, 'tenth day'), line(4, 5, 'fifth day'), line(5, 20, 'twentieth day'), line(6, 13, 'answer of the 13th', { parent: 1 })]);
    await isConfirmed(ada, 'answer of the 13th');
    const thread = ['tenth day', 'answer of the 11th', 'answer of the 13th', 'answer of the 15th'];
    assert.deepEqual(await texts(ada), inOrder(['fifth day'], thread, ['twentieth day'], ['written here']).flat());
    assert.equal(await ada.locator('.count').textContent(), '7');
    await server.post({ content: 'written now' });
    await isConfirmed(ada, 'written now');
    assert.deepEqual(await texts(ada), inOrder(['fifth day'], thread, ['twentieth day'], ['written here'], ['written now']).flat());
    // The announcement comes a while after; what was imported would have been announced before it.
    await until(async () => (await ada.evaluate(() => heard)).includes('1 new comment'), 'the announcement');
    assert.deepEqual([...new Set(await ada.evaluate(() => heard))].sort(), ['1 new comment', 'marked as new', 'written now']);
    await ada.reload();
    await isConfirmed(ada, 'written now');
    assert.deepEqual(await texts(ada), inOrder(['fifth day'], thread, ['twentieth day'], ['written here'], ['written now']).flat());
  });
}

test('what is imported into what is not loaded is counted, and comes with its page of history', async () => {
  await bring(Array.from({ length: 60 }, (_, i) => line(100 + i, 100 + i, `day ${100 + i}`)));
  const ada = await live();
  await bring([line(1, 1, 'very old'), line(2, 129.5, 'in the middle'), line(3, 2, 'an answer', { parent: 1 })]);
  await isConfirmed(ada, 'in the middle');
  await until(async () => (await ada.locator('.count').textContent()) === '63', 'the count');
  const all = await texts(ada);
  assert.equal(all.length, 51);
  assert.equal(all.indexOf('in the middle'), all.indexOf('day 129') - 1);
  const older = ada.getByRole('button', { name: 'Older comments · 12' });
  await older.click();
  await isConfirmed(ada, 'an answer');
  assert.deepEqual((await texts(ada)).slice(-3), ['day 100', 'very old', 'an answer']);
  assert.equal(await older.count(), 0);
});

test(`an import of ${MANY} comments into the page that is read leaves the browser at ease`, async (t) => {
  for (let i = 1; i <= 3; i++) await server.post({ content: `written here ${i}` });
  const ada = await live();
  let counts = 0;
  ada.on('request', (request) => counts += request.url().includes('/api/counts'));
  await listen(ada);
  await ada.evaluate(() => {
    const { shadowRoot } = document.querySelector('sayso-comments');
    window.most = 0;
    new MutationObserver(() => {
      most = Math.max(most, shadowRoot.querySelectorAll('.item').length);
    }).observe(shadowRoot, { subtree: true, childList: true });
  });
  await bring(Array.from({ length: MANY }, (_, i) => line(i + 1, i, `day ${i}`)));
  const total = (MANY + 3).toLocaleString('en');
  await until(async () => (await ada.locator('.count').textContent()) === total, 'the count');
  await isConfirmed(ada, `day ${MANY - 1}`);
  const most = await ada.evaluate(() => most);
  t.diagnostic(`${most} comments drawn at most, ${counts} requests for their number`);
  assert.ok(most <= DRAWN_MAX, `${most} are drawn`);
  assert.ok(counts <= COUNTS_MAX, `${counts} requests for the count`);
  const newest = Array.from({ length: 47 }, (_, i) => `day ${MANY - 1 - i}`);
  await until(async () => (await texts(ada)).length === 50, 'the others to go');
  assert.deepEqual(await texts(ada), ['written here 3', 'written here 2', 'written here 1', ...newest]);
  assert.deepEqual(await ada.evaluate(() => heard), []);
  await ada.getByRole('button', { name: `Older comments · ${(MANY - 47).toLocaleString('en')}` }).click();
  await isConfirmed(ada, `day ${MANY - 97}`);
  assert.equal((await texts(ada))[50], `day ${MANY - 48}`);
  await comment(ada, `day ${MANY - 97}`).waitFor();
});

test(`an import of ${MANY} comments that are older than what is loaded draws none, and asks for their number a few times`, async (t) => {
  for (let i = 1; i <= 60; i++) await server.post({ content: `written here ${i}` });
  const ada = await live();
  await until(async () => (await ada.locator('.count').textContent()) === '60', 'the count');
  let counts = 0;
  ada.on('request', (request) => counts += request.url().includes('/api/counts'));
  await bring(Array.from({ length: MANY }, (_, i) => line(i + 1, i, `day ${i}`)));
  await until(async () => (await ada.locator('.count').textContent()) === (MANY + 60).toLocaleString('en'), 'the count of all');
  t.diagnostic(`${counts} requests for their number`);
  assert.ok(counts >= 1 && counts <= COUNTS_MAX, `${counts} requests for the count`);
  assert.equal((await texts(ada)).length, 50);
  assert.ok((await texts(ada)).every((text) => text.startsWith('written here')));
});
