/** Hearts: two people see the same number, whatever happens in between. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';

import { replaceServer, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { live } from './widget.mjs';

const heart = (page, text) => page.locator('.comment', { hasText: text }).locator('.like');

const liked = (page, text, count, isMine) => until(async () => {
  const button = heart(page, text);
  return await button.textContent() === count && await button.getAttribute('aria-pressed') === String(isMine);
}, `"${text}" to show ${count || 'no'} hearts`);

test('two people like a comment, and both see two hearts, after a reload too', async () => {
  await server.post({ content: 'the first' });
  await server.post({ content: 'the second' });
  const [ada, bob] = [await live(), await live()];
  await heart(ada, 'the first').click();
  await liked(ada, 'the first', '1', true);
  await liked(bob, 'the first', '1', false);
  await heart(bob, 'the first').focus();
  await bob.keyboard.press('Enter');
  await liked(ada, 'the first', '2', true);
  assert.equal(await heart(ada, 'the first').getAttribute('aria-label'), 'Like the comment by Anonymous 2');
  await ada.reload();
  await liked(ada, 'the first', '2', true);
  await liked(ada, 'the second', '', false);
  const plain = await visit(server.url, { javaScriptEnabled: false });
  assert.equal(await plain.getByRole('img', { name: '2 likes' }).count(), 1);
  await heart(ada, 'the first').click();
  await heart(bob, 'the first').click();
  await liked(ada, 'the first', '', false);
  await liked(bob, 'the first', '', false);
  assert.equal(readFileSync(server.log, 'utf8').match(/"kind":"like"/g).length, 4);
});

test('hearts that went while one was away are gone when one is back', async () => {
  await server.post({ content: 'the first' });
  const [ada, bob] = [await live(), await live()];
  await heart(bob, 'the first').click();
  await liked(ada, 'the first', '1', false);
  await ada.context().setOffline(true);
  await server.kill();
  await server.start();
  await bob.locator('.state[data-state=live]').waitFor();
  await heart(bob, 'the first').click();
  await liked(bob, 'the first', '', false);
  await ada.context().setOffline(false);
  await liked(ada, 'the first', '', false);
});

test('a heart that is refused goes again, and one is told why', async () => {
  await replaceServer({ rate: '2/600' });
  await server.post({ content: 'the first' });
  const page = await live();
  for (let i = 0; i < 12; i++) {
    await heart(page, 'the first').click();
    await liked(page, 'the first', i % 2 ? '' : '1', i % 2 === 0);
  }
  await heart(page, 'the first').click();
  await page.getByRole('alert').getByText(/^At most 12 likes in 600 s are allowed/).waitFor();
  await liked(page, 'the first', '', false);
});

test('where WebSocket is blocked, hearts go over HTTP and come with the next look', async () => {
  await server.post({ content: 'the first' });
  const blocked = (context) => context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
  const page = await visit(server.url, {}, blocked);
  await page.locator('.state[data-state=polling]').waitFor();
  await heart(page, 'the first').click();
  await liked(page, 'the first', '1', true);
  const other = await live();
  await liked(other, 'the first', '1', false);
  await heart(other, 'the first').click();
  await liked(page, 'the first', '2', true);
});
