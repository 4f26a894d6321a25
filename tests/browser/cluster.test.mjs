/** One conversation on several machines, as people see it: on each node, through Caddy, and while nodes and Redis are killed. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Cluster, checkThatRedisCanBeUsed, heard, sent, watch } from './cluster.mjs';
import { dimTexts } from './contrast.mjs';
import { launch, person, until } from './harness.mjs';
import { choose, comment, isConfirmed, isLive, remove, say } from './page.mjs';

const SHOTS = fileURLToPath(new URL('shots/', import.meta.url));
/** What is said while there is no Redis. */
const REFUSED = /^Nothing can be stored right now, try again in \d s\.$/;

let browser;
let cluster;
let people = [];

before(async () => {
  checkThatRedisCanBeUsed();
  mkdirSync(SHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser?.close());
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(async () => {
  const faults = people.flatMap((context) => context.faults);
  await Promise.all(people.splice(0).map((context) => context.close()));
  await cluster?.stop();
  assert.deepEqual(faults, []);
});

async function newPerson(options = {}) {
  const context = await person(browser, { ignoreHTTPSErrors: true, ...options });
  people.push(context);
  return context;
}

async function live(address, options) {
  const page = await (await newPerson(options)).newPage();
  page.seen = watch(page);
  await page.goto(address);
  await isLive(page);
  return page;
}

/** Somebody at each address: on both nodes, and through Caddy. */
const everybody = () => Promise.all(cluster.addresses.map((address) => live(address)));
/** A page of ten lines that is connected to this address. */
const plain = async (address) => cluster.visitSite(await newPerson(), address);
const everyPlain = () => Promise.all(cluster.addresses.map(plain));

const texts = (page) => page.locator('.text').allTextContents();
const listed = (page) => page.locator('li').allTextContents();
const all = (pages, ask) => Promise.all(pages.map((page) => ask(page)));
const heart = (page, text) => comment(page, text).locator('.like');

/** All of these pages show the same, each once; answers with it, oldest first. */
async function showAlike(pages, wanted) {
  for (const page of pages) await until(async () => (await texts(page)).length >= wanted.length, `${wanted.length} comments`);
  const [first, ...others] = await all(pages, texts);
  for (const other of others) assert.deepEqual(other, first);
  assert.deepEqual(first.toSorted(), wanted.toSorted());
  return first.toReversed();
}

/** Nobody had to load anything again: one history for each visit, and no cursor was refused. */
function checkThatNobodyReloaded(pages) {
  for (const { seen } of pages) {
    assert.deepEqual([seen.navigations, seen.histories, seen.stale], [1, 1, 0]);
    // What resumes hears nothing a second time either.
    const numbers = heard(seen).filter(({ id }) => id).map(({ seq }) => seq);
    assert.equal(new Set(numbers).size, numbers.length, `${numbers}`);
  }
}

/** All that plain pages hear is comments; all that they show came in this order. */
async function checkPlain(pages, wanted) {
  for (const page of pages) {
    await until(async () => (await listed(page)).length >= wanted.length, `${wanted.length} comments of a plain page`);
    assert.deepEqual(await listed(page), wanted);
  }
  checkThatAllHasContent(pages);
}

function checkThatAllHasContent(pages) {
  for (const { seen } of pages) {
    assert.ok(heard(seen).length, 'something was heard');
    assert.deepEqual(heard(seen).filter(({ content }) => typeof content !== 'string' || content === ''), []);
  }
}

/** The greetings of this page's sockets, in their order; those that never were connected have none. */
const hellos = ({ seen }) => heard(seen).flatMap(({ hello }) => hello ?? []);

test('whatever is done on one node is seen on the other and through Caddy, once and in the same order', async () => {
  const [ada, grace, linus] = await everybody();
  const pages = [ada, grace, linus];
  for (const page of pages) await page.locator('.state', { hasText: 'Live · 3 reading' }).waitFor();
  const simple = await everyPlain();
  for (const page of pages) await page.locator('.state', { hasText: 'Live · 6 reading' }).waitFor();

  for (const [n, name] of ['Ada', 'Grace', 'Linus'].entries()) {
    await say(pages[n], `from ${name}`, name);
    for (const page of pages) await isConfirmed(page, `from ${name}`);
  }
  // Several at the same moment.
  await Promise.all(pages.map(async (page, n) => {
    for (let i = 0; i < 5; i++) await say(page, `${i} of ${n}`);
  }));
  const crossing = pages.flatMap((_, n) => [0, 1, 2, 3, 4].map((i) => `${i} of ${n}`));
  for (const page of pages) for (const text of crossing) await isConfirmed(page, text);
  const order = await showAlike(pages, ['from Ada', 'from Grace', 'from Linus', ...crossing]);
  await checkPlain(simple, order);

  // A plain page's own comment, too.
  await simple[1].locator('#say').fill('from ten lines');
  await simple[1].locator('#say').press('Enter');
  for (const page of pages) await comment(page, 'from ten lines').waitFor();

  // Typing: told at most once a second, and news of it may be lost, so she goes on until they know.
  const box = ada.getByRole('textbox', { name: 'Comment' }).first();
  const isTyping = (page) => page.locator('.typing', { hasText: 'Ada is typing…' }).isVisible();
  await until(async () => {
    await box.press('x');
    return (await all([grace, linus], isTyping)).every(Boolean);
  }, 'others to see that she types');
  assert.equal(await isTyping(ada), false);
  await box.fill('');

  await heart(grace, 'from Ada').click();
  for (const page of pages) await until(async () => await heart(page, 'from Ada').textContent() === '1', 'a heart');
  await heart(linus, 'from Ada').click();
  for (const page of pages) await until(async () => await heart(page, 'from Ada').textContent() === '2', 'two hearts');
  await heart(grace, 'from Ada').click();
  for (const page of pages) await until(async () => await heart(page, 'from Ada').textContent() === '1', 'one heart less');

  await choose(comment(linus, 'from Linus'), 'Edit');
  await linus.locator('.comment textarea').fill('from Linus, once more');
  await linus.getByRole('button', { name: 'Save' }).click();
  for (const page of pages) await comment(page, 'from Linus, once more').getByText('edited').waitFor();
  for (const page of pages) assert.equal(await comment(page, 'from Linus').count(), 0);

  await comment(linus, 'from Ada').getByRole('button', { name: 'Reply' }).click();
  await linus.locator('.item textarea').fill('an answer');
  await linus.locator('.item .send').click();
  for (const page of pages) await isConfirmed(page, 'an answer');

  await remove(grace, comment(grace, 'from Grace'));
  for (const page of pages) await comment(page, 'from Grace').waitFor({ state: 'detached' });
  await checkPlain(simple, [...order, 'from ten lines', 'from Linus, once more', 'an answer']);
  for (const page of pages) assert.equal(await page.locator('.count').textContent(), '19');
  checkThatNobodyReloaded(pages);
  for (const { seen } of [...pages, ...simple]) assert.equal(seen.sockets.length, 1);
});

test('without Redis one reads on, is told why nothing is posted, and it is posted by itself once Redis is back', async () => {
  const [ada, grace, linus] = await everybody();
  const simple = await everyPlain();
  await say(ada, 'before', 'Ada');
  await say(grace, 'to be deleted', 'Grace');
  await say(linus, 'to be edited', 'Linus');
  for (const page of [ada, grace, linus]) for (const text of ['before', 'to be deleted', 'to be edited']) await isConfirmed(page, text);

  await cluster.redis.kill();
  await say(ada, 'while Redis was away');
  await say(linus, 'through Caddy meanwhile');
  for (const [page, text] of [[ada, 'while Redis was away'], [linus, 'through Caddy meanwhile']]) {
    await comment(page, text).locator('.note.warn', { hasText: REFUSED }).waitFor();
    await page.locator('.state[data-state=live]').waitFor();
  }
  // Whoever comes now reads what there is, on either node.
  const newcomers = await all(cluster.addresses, (address) => live(address));
  for (const page of newcomers) for (const text of ['before', 'to be deleted', 'to be edited']) await isConfirmed(page, text);
  await shoot(ada, 'cluster-without-redis', { width: 760, height: 620 });
  await shoot(ada, 'cluster-without-redis-390', { width: 390, height: 760 });

  // An edit stays in its field, and a deletion and a heart wait.
  await choose(comment(linus, 'to be edited'), 'Edit');
  await linus.locator('.comment textarea').fill('edited meanwhile');
  await linus.getByRole('button', { name: 'Save' }).click();
  await linus.locator('.comment .error', { hasText: REFUSED }).waitFor();
  assert.equal(await linus.locator('.comment textarea').inputValue(), 'edited meanwhile');
  await shoot(linus, 'cluster-without-redis-edit', { width: 760, height: 620 });
  await remove(grace, comment(grace, 'to be deleted'));
  await until(() => sent(grace.seen).some((said) => said.delete), 'the deletion to be tried');

  await cluster.redis.start();
  const pages = [ada, grace, linus, ...newcomers];
  for (const page of pages) for (const text of ['while Redis was away', 'through Caddy meanwhile']) await isConfirmed(page, text);
  // Each node counts the others' readers again.
  for (const page of pages) await page.locator('.state', { hasText: 'Live · 9 reading' }).waitFor();
  for (const page of pages) await comment(page, 'to be deleted').waitFor({ state: 'detached' });
  await linus.getByRole('button', { name: 'Save' }).click();
  for (const page of pages) await comment(page, 'edited meanwhile').waitFor();
  const order = await showAlike(pages, ['before', 'while Redis was away', 'through Caddy meanwhile', 'edited meanwhile']);
  for (const node of cluster.nodes) {
    const stored = (await node.comments()).filter(({ deleted }) => !deleted);
    assert.deepEqual(stored.map(({ content }) => content), order);
  }
  checkThatNobodyReloaded(pages);
  for (const { seen } of pages) assert.equal(seen.sockets.length, 1);
  // It went several times, as one and the same.
  const tries = sent(ada.seen).filter(({ content }) => content === 'while Redis was away');
  assert.ok(tries.length > 1 && new Set(tries.map(({ nonce }) => nonce)).size === 1, `${tries.length}`);
  checkThatAllHasContent(simple);
  for (const page of simple) assert.equal((await listed(page)).length, 6);
});

test('a node that is killed while others post costs its readers nothing: they resume on the other', async () => {
  const { joined: linus, own, other } = await cluster.findNode(() => live(cluster.addresses.at(-1)));
  const [ada, grace] = [await live(own.url), await live(other.url)];
  const simple = await plain(other.url);
  const lost = await plain(own.url);
  await say(ada, 'before', 'Ada');
  for (const page of [ada, grace, linus]) await isConfirmed(page, 'before');

  // Four authors over HTTP to the node that stays; the other is killed once some of theirs are there, and they go on.
  const [lanes, each, killAt] = [4, 30, 40];
  let posted = 0;
  let killed;
  await all([...Array(lanes).keys()], async (lane) => {
    for (let i = 0; i < each; i++) {
      await other.post({ content: `${i} of ${lane}` });
      if (++posted === killAt) killed = own.kill();
    }
  });
  await killed;
  await say(grace, 'after', 'Grace');
  await ada.locator('.state:not([data-state=live])').waitFor();
  await say(ada, 'while the node was away');
  const stream = Array.from({ length: lanes * each }, (_, i) => `${i % each} of ${Math.floor(i / each)}`);
  await isConfirmed(linus, 'after');
  await isLive(linus);
  await showAlike([grace, linus], ['before', ...stream, 'after']);
  assert.ok(hellos(linus).length > 1 && hellos(linus).every(({ resumed }) => resumed), JSON.stringify(hellos(linus)));
  await say(linus, 'from Linus', 'Linus');
  await isConfirmed(grace, 'from Linus');

  // The node comes back, with those readers who know no other.
  await own.start();
  for (const page of [ada, grace, linus]) await isConfirmed(page, 'while the node was away');
  await isLive(ada);
  const order = await showAlike([ada, grace, linus], ['before', ...stream, 'after', 'from Linus', 'while the node was away']);
  assert.ok(hellos(ada).length > 1 && hellos(ada).every(({ resumed }) => resumed), JSON.stringify(hellos(ada)));
  for (const node of cluster.nodes) assert.deepEqual((await node.comments()).map(({ content }) => content), order);
  checkThatNobodyReloaded([ada, grace, linus]);
  assert.equal(grace.seen.sockets.length, 1);
  await checkPlain([simple], order);
  checkThatAllHasContent([lost]);
});

test('a Redis that was restarted leaves cursors good, also if a reader’s node is killed afterwards', async () => {
  const { joined: linus, own, other } = await cluster.findNode(() => live(cluster.addresses.at(-1)));
  const grace = await live(other.url);
  const simple = await all([own.url, other.url], plain);
  await say(grace, 'before', 'Grace');
  for (const page of [linus, grace]) await isConfirmed(page, 'before');

  await cluster.redis.kill();
  await cluster.redis.start();
  for (const page of [linus, grace]) await until(() => heard(page.seen).some(({ mark }) => mark), 'the new run’s mark');
  await say(linus, 'in the new run', 'Linus');
  for (const page of [linus, grace]) await isConfirmed(page, 'in the new run');
  const [{ mark }] = heard(linus.seen).filter((said) => said.mark).slice(-1);
  assert.notEqual(mark, hellos(linus)[0].mark);

  await own.kill();
  await say(grace, 'while Linus was on his way');
  await isConfirmed(linus, 'while Linus was on his way');
  await isLive(linus);
  assert.ok(linus.seen.sockets.at(-1).url.includes(`mark=${mark}`), linus.seen.sockets.at(-1).url);
  assert.equal(hellos(linus).at(-1).resumed, true);
  await say(linus, 'on the other node');
  await isConfirmed(grace, 'on the other node');
  const order = await showAlike([linus, grace], ['before', 'in the new run', 'while Linus was on his way', 'on the other node']);
  checkThatNobodyReloaded([linus, grace]);
  assert.equal(grace.seen.sockets.length, 1);
  await checkPlain([simple[1]], order);
  checkThatAllHasContent(simple);
});

/** A picture to be looked at; what can be read there has contrast enough, and nothing is wider than the window. */
async function shoot(page, name, size) {
  await page.setViewportSize(size);
  assert.deepEqual(await dimTexts(page), []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is too wide`);
  await page.screenshot({ path: `${SHOTS}${name}.png`, animations: 'disabled' });
}
