/** Links to single comments: what they name is in view, and stays there. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { live, newPerson, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { comment } from './page.mjs';

/** Where a comment stands in the window once it has not moved for a while, px. */
async function settled(page, id) {
  const article = page.locator('.comment', { has: page.locator(`.when[href$="#sayso-${id}"]`) });
  await article.waitFor();
  return page.evaluate((hash) => new Promise((resolve) => {
    let [last, still] = [NaN, 0];
    const look = () => {
      const link = document.querySelector('sayso-comments').shadowRoot.querySelector(`.when[href$="${hash}"]`);
      const { top, bottom } = link?.closest('.comment').getBoundingClientRect() ?? {};
      still = top === last ? still + 1 : 0;
      last = top;
      const { scrollTop, scrollHeight } = document.documentElement;
      if (still < 40) requestAnimationFrame(look);
      else resolve({ top, bottom, height: innerHeight, above: scrollTop, below: scrollHeight - innerHeight - scrollTop });
    };
    look();
  }), `#sayso-${id}`);
}

function assertIsInView({ top, bottom, height, above, below }, what) {
  assert.ok(top >= 0 && bottom <= height, `${what} is in view: ${[top, bottom, height]}`);
  const isInTheMiddle = Math.abs((top + bottom) / 2 - height / 2) < 4;
  assert.ok(isInTheMiddle || above < 1 || below < 1, `${what} is in the middle, as far as one can scroll: ${[top, bottom, height, above, below]}`);
}

/** So many comments, each of a height of its own; their ids from 1 on. */
async function say(n) {
  const ids = [];
  for (let k = 1; k <= n; k++) {
    const words = 'and some words more, so that it has a height of its own. '.repeat(k % 7);
    ids[k] = (await server.post({ content: `number ${k}.\n\n${words}`.trim(), name: 'Ada' })).id;
  }
  return ids;
}

for (const width of [1100, 390]) {
  test(`of 51 comments any is in view after a fresh load, ${width} px wide`, async () => {
    const ids = await say(51);
    for (const [order, numbers] of [['newest', [1, 2, 26, 51]], ['oldest', [1, 26, 50, 51]]]) {
      for (const k of numbers) {
        const kept = { origin: server.url, localStorage: [{ name: `sayso ${server.url} order`, value: order }] };
        const context = await newPerson({ viewport: { width, height: 800 }, storageState: { origins: [kept] } });
        const page = await context.newPage();
        await page.goto(`${server.url}/#sayso-${ids[k]}`);
        await page.locator('.state[data-state=live]').waitFor();
        await page.locator('.fresh', { has: page.locator(`.when[href$="#sayso-${ids[k]}"]`) }).waitFor();
        assertIsInView(await settled(page, ids[k]), `${k}, ${order} first`);
        await context.close();
      }
    }
  });

  test(`one in the middle of 500 is in view, and stays while the rest comes, ${width} px wide`, async () => {
    const ids = await say(500);
    const page = await live(`${server.url}/#sayso-${ids[250]}`, { viewport: { width, height: 800 } });
    assertIsInView(await settled(page, ids[250]), 'it');
    assert.ok(await page.locator('.comment').count() <= 60, 'the rest is not loaded for it');
    // What is between can be had, and comes between.
    await page.getByRole('button', { name: 'Older comments' }).click();
    await until(async () => await page.locator('.comment').count() > 60, 'older ones');
    const shown = await page.locator('.text').evaluateAll((all) => all.map((node) => Number(/^number (\d+)/.exec(node.textContent)[1])));
    assert.deepEqual(shown, shown.toSorted((a, b) => b - a));
    assert.equal(new Set(shown).size, shown.length);
  });
}

test('its thread is drawn before the rest, and does not move when that comes', async () => {
  const ids = await say(120);
  let release;
  const isReleased = new Promise((resolve) => {
    release = resolve;
  });
  const page = await visit(`about:blank`);
  await page.context().route(/api\/comments\?.*threads=/, async (route) => {
    await isReleased;
    await route.fallback();
  });
  await page.goto(`${server.url}/#sayso-${ids[10]}`);
  const before = await settled(page, ids[10]);
  assert.equal(await page.locator('.comment').count(), 1);
  assertIsInView(before, 'it alone');
  release();
  await until(async () => await page.locator('.comment').count() > 40, 'the rest');
  assertIsInView(await settled(page, ids[10]), 'it among the others');
});

test('whoever scrolls is not taken back', async () => {
  const ids = await say(60);
  const page = await live(`${server.url}/#sayso-${ids[40]}`);
  assertIsInView(await settled(page, ids[40]), 'it');
  await page.mouse.move(300, 300);
  await page.mouse.wheel(0, -700);
  await until(() => page.evaluate(async () => {
    const before = scrollY;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return before === scrollY;
  }), 'the wheel to stop');
  const there = await page.evaluate(() => scrollY);
  // Something grows above; that is what would be held against.
  await page.evaluate(() => new Promise((done) => {
    document.body.style.paddingTop = '120px';
    let frames = 20;
    const wait = () => frames-- ? requestAnimationFrame(wait) : done();
    wait();
  }));
  assert.ok(Math.abs(await page.evaluate(() => scrollY) - there) <= 120, 'it stays where one has scrolled to');
});

test('an answer in the middle of a long thread is brought, with what it answers', async () => {
  const { id } = await server.post({ content: 'a long thread' });
  const ids = [];
  for (let i = 1; i <= 40; i++) ids[i] = (await server.post({ content: `answer ${i}`, parent: i % 5 ? id : ids[i - 1] })).id;
  const page = await live(`${server.url}/#sayso-${ids[20]}`, { viewport: { width: 390, height: 700 } });
  assertIsInView(await settled(page, ids[20]), 'it');
  assert.equal(await comment(page, 'answer 20').locator('.to').count(), 0, 'what it answers is there');
  assert.deepEqual(await page.locator('.gap').count(), 0);
});

test('a link to what is not there shows the page', async () => {
  await say(3);
  const page = await live(`${server.url}/#sayso-77`);
  assert.equal(await page.locator('.comment').count(), 3);
});

test('a link that is followed on the page brings what is not loaded', async () => {
  const ids = await say(120);
  const page = await live();
  await page.evaluate((hash) => { location.hash = hash; }, `#sayso-${ids[5]}`);
  assertIsInView(await settled(page, ids[5]), 'it');
});
