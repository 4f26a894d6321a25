/** Comments that are held for a moderator, as their author sees them. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { live, replaceServer, server } from './fixture.mjs';
import { comment, isConfirmed, say } from './page.mjs';

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
