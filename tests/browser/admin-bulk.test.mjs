/** What moderators decide on at once, and what is left when the page is closed, taken back, or has not loaded everything. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TOKENS, WIDE, entry, moderated, toast } from './admin.mjs';
import { until } from './harness.mjs';

/** More than one lot of 200. */
const COMMENTS = 203;

const LINES = Array.from({ length: COMMENTS }, (_, i) => ({
  seq: i + 1, id: i + 1, page: '/', content: `comment ${i + 1}`, created_at: '2026-11-22T05:08:00.001Z', nonce: `nonce-number-${COMMENTS + i}`,
  status: 'pending',
}));

const selectAll = (page) => page.getByRole('button', { name: 'Select all' }).click();

test('where more waits than is loaded, nobody reads that nothing waits', async (t) => {
  const { open } = await moderated(t, { lines: LINES });
  const ada = await open('/admin', WIDE);
  await ada.route('**/admin/queue.js', async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/(WAITING_MAX ?= ?)[\d_e]+/, '$1200');
    await route.fulfill({ response, body });
  });
  await ada.reload();
  await ada.getByLabel('Token').fill(TOKENS.ada);
  await ada.getByRole('button', { name: 'Sign in' }).click();
  await selectAll(ada);
  await ada.getByText('200 selected').waitFor();
  await ada.keyboard.press('a');
  const more = ada.getByRole('button', { name: 'More', exact: true });
  await more.waitFor();
  assert.equal(await ada.getByText('Nothing waits.').count(), 0);
  await more.click();
  await entry(ada, `comment ${COMMENTS}`).waitFor();
  await selectAll(ada);
  await ada.getByText('3 selected').waitFor();
  await ada.keyboard.press('a');
  await ada.getByText('Nothing waits.').waitFor();
});

test('a page that still has decisions to send is not closed without a question', async (t) => {
  const { moderator } = await moderated(t, { lines: LINES.slice(0, 9) });
  const ada = await moderator();
  const held = [];
  let isHeld = true;
  await ada.route('**/api/comments/*', (route) => (isHeld ? held.push(route) : route.continue()));
  await selectAll(ada);
  await ada.keyboard.press('h');
  await until(() => held.length === 4, 'the first four to be sent');
  // The harness says no to each dialog, and remembers it.
  const { faults } = ada.context();
  await ada.close({ runBeforeUnload: true });
  await until(() => faults.length, 'the question');
  assert.deepEqual(faults.splice(0), ['dialog: ']);
  isHeld = false;
  for (const route of held) await route.continue();
  await until(async () => await ada.locator('.row[aria-busy=true]').count() === 0, 'all answers');
  await ada.close({ runBeforeUnload: true });
  await until(() => ada.isClosed(), 'the page to close');
});

test('to take back the hiding of a pinned comment pins it again', async (t) => {
  const { moderator, ask } = await moderated(t, { lines: [{ ...LINES[0], status: undefined }] });
  await ask('PATCH', 'comments/1', { pinned: true });
  const ada = await moderator('ada', WIDE, '#newest');
  await entry(ada, 'comment 1').waitFor();
  await ada.keyboard.press('h');
  await toast(ada, 'Hidden').waitFor();
  await ada.keyboard.press('z');
  await ada.getByText('Taken back.').first().waitFor();
  const { comments: [line] } = await ask('GET', 'admin/comments');
  assert.deepEqual([line.status, line.pinned], [undefined, true]);
});

test('what the end of a ban brings back says so, and piled up marks cover no other entry', async (t) => {
  const author = 'q83vEjRWeJCrze8SNFZ4kA';
  const { moderator, ask } = await moderated(t, { lines: [{ ...LINES[0], author, content: `comment 1 ${'\u0301'.repeat(200)}` }] });
  await ask('POST', 'admin/bans', { author, hide: true });
  await ask('DELETE', `admin/bans/${author}?restore=true`);
  const ada = await moderator();
  const row = ada.locator('.row').first();
  await row.getByText('taken back').waitFor();
  assert.equal(await row.getByText('author on hold').count(), 0);
  assert.equal(await row.locator('.text').evaluate((text) => getComputedStyle(text).overflowY), 'clip');
});
