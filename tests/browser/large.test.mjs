/** Pages with very many comments: what they cost is counted, not timed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { newPerson, replaceServer, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { isLive } from './page.mjs';
import { say } from './widget.mjs';

const COMMENTS = 10_000;
/** A page of history. */
const DRAWN_MAX = 50;
/** What posting may touch, of ten thousand comments with some ten elements each. */
const TOUCHED_MAX = 150;

const LINES = Array.from({ length: COMMENTS }, (_, i) => ({
  seq: i + 1, id: i + 1, page: '/', content: `comment ${i + 1}`, created_at: '2026-11-22T05:08:00.001Z', nonce: `nonce-number-${COMMENTS + i}`,
}));

const drawn = (page) => page.evaluate(() => document.querySelector('sayso-comments').shadowRoot.querySelectorAll('.item').length);

/** Says afterwards how much each turn of layout and style touched, and how many nodes came, went or changed. */
async function watchWork(page) {
  await page.evaluate(() => {
    window.touched = new Set();
    const look = (records) => {
      for (const { target, addedNodes, removedNodes } of records) {
        for (const node of [target, ...addedNodes, ...removedNodes]) {
          touched.add(node);
          if (node !== target) for (const below of node.querySelectorAll?.('*') ?? []) touched.add(below);
        }
      }
    };
    new MutationObserver(look).observe(document.querySelector('sayso-comments').shadowRoot, { subtree: true, childList: true, attributes: true, characterData: true });
  });
  const browser = page.context().browser();
  await browser.startTracing(page, { categories: ['devtools.timeline'] });
  return async () => {
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
    const all = (name, read) => traceEvents.filter((event) => event.name === name).map(({ args }) => read(args) ?? 0);
    const layout = all('Layout', ({ beginData }) => beginData?.dirtyObjects);
    const style = all('UpdateLayoutTree', ({ elementCount }) => elementCount);
    assert.ok(layout.some((n) => n > 0) && style.some((n) => n > 0), 'nothing was measured');
    return { layout: Math.max(...layout), style: Math.max(...style), nodes: await page.evaluate(() => touched.size) };
  };
}

async function countPosting(t, page) {
  const work = await watchWork(page);
  await say(page, 'still here');
  // Locators that ask for names or texts would themselves be slow among so many.
  await page.waitForFunction(() => {
    const [first] = document.querySelector('sayso-comments').shadowRoot.querySelector('.list').children;
    return first.querySelector('.text').textContent === 'still here' && first.querySelector('time');
  });
  const done = await work();
  t.diagnostic(`posting touches ${JSON.stringify(done)}`);
  for (const [what, n] of Object.entries(done)) assert.ok(n <= TOUCHED_MAX, `${what}: ${n}`);
}

test('a page with 10,000 comments is as little to load and draw as one with 50, and a link to the first comment too', async (t) => {
  await replaceServer({ lines: LINES });
  for (const [hash, requests] of [['', 1], ['#sayso-1', 2]]) {
    const asked = [];
    const page = await visit('about:blank');
    page.on('request', (request) => request.url().includes('/api/comments?') && asked.push(request.url()));
    await page.goto(`${server.url}/${hash}`);
    await isLive(page);
    if (hash) await page.locator('.text', { hasText: /^comment 1$/ }).waitFor();
    await until(async () => /^10,00\d$/.test(await page.locator('.count').textContent()), 'the count');
    assert.ok(await drawn(page) <= DRAWN_MAX + 1, `${await drawn(page)} are drawn`);
    assert.ok(asked.length <= requests, asked.join());
    if (!hash) await countPosting(t, page);
  }
});

test('posting among 10,000 drawn comments touches none of them', async (t) => {
  await replaceServer({ lines: LINES });
  const { log, seq } = await (await fetch(`${server.url}/api/comments?page=/&limit=1`)).json();
  const context = await newPerson();
  context.setDefaultTimeout(60_000);
  const comments = LINES.map(({ nonce, ...line }) => line);
  await context.route(/threads=/, (route) => route.fulfill({ json: { log, seq, comments, more: false } }));
  const page = await context.newPage();
  await page.goto(server.url);
  await isLive(page);
  assert.equal(await drawn(page), COMMENTS);
  await countPosting(t, page);
});
