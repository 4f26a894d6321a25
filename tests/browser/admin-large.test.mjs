/** Ten thousand comments that wait: what the page for moderators draws of them is counted, not timed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { entry, moderated, toast } from './admin.mjs';
import { until } from './harness.mjs';

const COMMENTS = 10_000;
/** Some four lots of twenty entries with some thirty elements each, and a place for each other lot. */
const NODES_MAX = 5_000;

const LINES = Array.from({ length: COMMENTS }, (_, i) => ({
  seq: i + 1, id: i + 1, page: '/', name: `Writer ${i % 50}`, content: `comment ${i + 1}`, created_at: '2026-11-22T05:08:00.001Z',
  nonce: `nonce-number-${COMMENTS + i}`, status: 'pending',
}));

test('of 10,000 comments that wait only those near the window are drawn', async (t) => {
  const { server, moderator, ask } = await moderated(t, { lines: LINES });
  const ada = await moderator();
  await until(() => ada.evaluate(() => document.querySelectorAll('.row').length > 0), 'the first');
  const nodes = () => ada.evaluate(() => document.querySelectorAll('*').length);
  assert.ok(await nodes() <= NODES_MAX, `${await nodes()} at first`);
  // The first lot is shown before the others are loaded.
  await ada.locator('.row[data-id="1"]').waitFor();
  const size = () => ada.locator('.row').first().getAttribute('aria-setsize');
  await until(async () => await size() === String(COMMENTS), 'the rest');
  for (const share of [0.25, 0.5, 0.75, 1]) {
    await ada.evaluate((part) => scrollTo(0, document.documentElement.scrollHeight * part), share);
    await until(() => ada.evaluate(() => [...document.querySelectorAll('.row')].some((row) => {
      const { top, bottom } = row.getBoundingClientRect();
      return bottom > 100 && top < innerHeight;
    })), 'what is there to be drawn');
  }
  await entry(ada, `comment ${COMMENTS}`).waitFor();
  assert.ok(await nodes() <= NODES_MAX, `${await nodes()} at the end`);
  await ada.keyboard.press('k');
  await ada.keyboard.press('a');
  await toast(ada, 'Approved').waitFor();
  await ada.getByRole('button', { name: 'Select all' }).click();
  await ada.getByText('9,999 selected').waitFor();
  assert.ok(await nodes() <= NODES_MAX, `${await nodes()} with all selected`);
  assert.equal((await ask('GET', 'admin/comments?status=public')).comments.length, 1);
  assert.ok(server);
});
