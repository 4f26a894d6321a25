/** Deleting: never by a slip of the hand, and never forgotten. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { live, newPerson, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { choose, comment, isConfirmed, isLive, remove, say } from './page.mjs';

const contents = async () => (await server.comments()).filter((line) => !line.deleted).map((line) => line.content);

/** What keeps a deletion in this browser. */
const kept = (page) => page.evaluate(() => Object.keys(localStorage).filter((key) => / gone /.test(key)));

for (const [what, options] of [['1100 px', { viewport: { width: 1100, height: 800 } }], ['390 px', { viewport: { width: 390, height: 800 } }],
  ['280 px', { viewport: { width: 280, height: 800 } }], ['right to left', { viewport: { width: 390, height: 800 } }]]) {
  test(`a double click on Delete deletes nothing, ${what}`, async () => {
    const page = await live(server.url, options);
    if (what === 'right to left') await page.evaluate(() => { document.documentElement.dir = 'rtl'; });
    await say(page, 'dear to me', 'Ada');
    await isConfirmed(page, 'dear to me');
    for (const [across, down] of [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]) {
      await comment(page, 'dear to me').locator('.dots').click();
      const { x, y, width, height } = await page.getByRole('menuitem', { name: 'Delete' }).boundingBox();
      const place = [x + across * width, y + down * height];
      await page.mouse.dblclick(...place);
      await page.getByText('Delete for good?').waitFor();
      const under = await page.evaluate(([left, top]) => {
        const { shadowRoot } = document.querySelector('sayso-comments');
        return shadowRoot.elementFromPoint(left, top).closest('button')?.className;
      }, place);
      assert.notEqual(under, 'sure', 'what deletes is not under the pointer');
      // However fast, and however often.
      await page.mouse.click(...place, { clickCount: 2 });
      await page.mouse.click(...place);
      assert.equal(await comment(page, 'dear to me').count(), 1);
      assert.deepEqual(await kept(page), []);
      if (await page.locator('.ask').count()) await page.getByRole('button', { name: 'Keep' }).click();
    }
    // Nor does the second half of a double click that is aimed at it.
    await choose(comment(page, 'dear to me'), 'Delete');
    await page.locator('.ask .sure').dispatchEvent('click', { detail: 2 });
    assert.deepEqual(await kept(page), []);
    assert.deepEqual(await contents(), ['dear to me']);
  });
}

test('deleting can be undone for five seconds, and nobody else has noticed', async () => {
  const page = await live();
  const grace = await live();
  await say(page, 'dear to me', 'Ada');
  await isConfirmed(grace, 'dear to me');
  await page.clock.install();
  await remove(page, comment(page, 'dear to me'));
  await page.locator('.gone', { hasText: 'Deleted' }).waitFor();
  assert.equal(await page.locator('.sayso :focus').textContent(), 'Undo');
  await page.clock.runFor(4_000);
  await page.getByRole('button', { name: 'Undo' }).press('Enter');
  await comment(page, 'dear to me').waitFor();
  await page.clock.runFor(10_000);
  assert.deepEqual(await kept(page), []);
  assert.equal(await comment(grace, 'dear to me').count(), 1);
  assert.deepEqual(await contents(), ['dear to me']);
  await remove(page, comment(page, 'dear to me'));
  await page.clock.runFor(5_100);
  await comment(grace, 'dear to me').waitFor({ state: 'detached' });
  await until(async () => (await kept(page)).length === 0, 'it to be settled');
  assert.deepEqual(await contents(), []);
});

test('a page that goes within the five seconds deletes on its next load, and not before they are over', async () => {
  const page = await live();
  await say(page, 'dear to me', 'Ada');
  await isConfirmed(page, 'dear to me');
  await page.clock.install();
  await remove(page, comment(page, 'dear to me'));
  await page.goto('about:blank');
  assert.deepEqual(await contents(), ['dear to me']);
  await page.goto(server.url);
  await isLive(page);
  await page.getByRole('button', { name: 'Undo' }).waitFor();
  assert.deepEqual(await contents(), ['dear to me'], 'it can still be undone');
  await page.goto('about:blank');
  await page.clock.fastForward(6_000);
  await page.goto(server.url);
  await until(async () => (await contents()).length === 0, 'it to be deleted');
  await until(async () => (await kept(page)).length === 0, 'it to be settled');
});

test('what is deleted offline waits for the connection, over a reload too', async () => {
  const page = await live();
  await say(page, 'dear to me', 'Ada');
  await isConfirmed(page, 'dear to me');
  await page.clock.install();
  await server.kill();
  await page.locator('.state:not([data-state=live])').waitFor();
  await remove(page, comment(page, 'dear to me'));
  await page.clock.runFor(6_000);
  await page.locator('.gone', { hasText: 'waits for the connection' }).waitFor();
  await server.start();
  await page.reload();
  await until(async () => (await contents()).length === 0, 'it to be deleted');
});

test('undone in one tab, it is undone in the other', async () => {
  const context = await newPerson();
  const [one, two] = [await context.newPage(), await context.newPage()];
  for (const page of [one, two]) await page.goto(server.url);
  for (const page of [one, two]) await isLive(page);
  await say(one, 'dear to me', 'Ada');
  await isConfirmed(two, 'dear to me');
  await one.clock.install();
  await two.clock.install();
  await remove(one, comment(one, 'dear to me'));
  await two.getByRole('button', { name: 'Undo' }).click();
  for (const page of [one, two]) await comment(page, 'dear to me').waitFor();
  for (const page of [one, two]) await page.clock.runFor(6_000);
  assert.deepEqual(await contents(), ['dear to me']);
});
