/** Comments that are held for a moderator, as their author sees them. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { live, replaceServer, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { comment, isConfirmed, isLive, remove, say } from './page.mjs';

const LINES = Array.from({ length: 60 }, (_, i) => ({
  seq: i + 1, id: i + 1, page: '/', content: `comment ${i + 1}`, created_at: '2026-11-22T05:08:00.001Z', nonce: `nonce-number-${100 + i}`,
}));

const folder = mkdtempSync(join(tmpdir(), 'sayso-held-'));
const moderators = join(folder, 'moderators');
writeFileSync(moderators, `mia ${'m'.repeat(43)}\n`, { mode: 0o600 });
const flags = (what) => ['--hold', what, '--admin-token-file', moderators];
after(() => rmSync(folder, { recursive: true }));

test('one\'s own held comment stays when the order is turned', async () => {
  await replaceServer({ flags: flags('links'), lines: LINES });
  const page = await live();
  await say(page, 'is held: https://example.com/', 'Ada');
  const held = page.locator('.comment', { hasText: 'is held' });
  await held.getByText('Waiting for approval').waitFor();
  await server.post({ content: 'later' });
  await isConfirmed(page, 'later');
  const order = page.getByRole('combobox', { name: 'Order of comments' });
  for (const [name, first] of [['Oldest', 'comment 1'], ['Newest', 'comment 60']]) {
    await order.selectOption(name);
    await comment(page, first).waitFor();
    assert.equal(await held.count(), 1, name);
  }
});

test('one\'s own held comment that is gone already is deleted without complaint', async () => {
  await replaceServer({ flags: flags('all') });
  const page = await live();
  await say(page, 'is held', 'Ada');
  await isConfirmed(page, 'is held');
  // Its deletion is done, and the answer does not come.
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await page.locator('.state:not([data-state=live])').waitFor();
  const status = await page.evaluate(async () => {
    const { key } = Object.values(localStorage).filter((text) => text.startsWith('{')).map((text) => JSON.parse(text)).find(({ key }) => key);
    return (await fetch('/api/comments/1', { method: 'DELETE', headers: { authorization: `Bearer ${key}` } })).status;
  });
  assert.equal(status, 200);
  await page.clock.install();
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await isLive(page);
  await remove(page, comment(page, 'is held'));
  await page.clock.runFor(5_100);
  await until(() => page.evaluate(() => !Object.keys(localStorage).some((key) => / gone /.test(key))), 'it to be settled');
  assert.equal(await comment(page, 'is held').count(), 0);
  assert.deepEqual(await page.locator('.warn, .error:not(:empty)').allTextContents(), []);
});
