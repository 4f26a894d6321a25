/** The element by script: another page, loading anew, and what it tells the document around it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { allow, server, serve, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { comment, isConfirmed, isLive, say } from './page.mjs';
import { site } from './widget.mjs';

const texts = (page) => page.locator('.text').allTextContents();
const element = (page) => page.locator('sayso-comments');

/** Everything that the element tells the document, as `[name, what it is about]`. */
async function listen(page) {
  await page.addInitScript(() => {
    window.told = [];
    for (const name of ['ready', 'posted', 'received', 'error']) {
      document.addEventListener(`sayso:${name}`, ({ detail, target }) => told.push([name, detail.code ?? detail.content ?? detail.page, target.localName]));
    }
  });
}
const told = (page) => page.evaluate(() => told);

/** Two pages with comments, and somebody who reads one of them. */
async function read(attributes = 'page="a"') {
  await server.post({ page: 'a', content: 'on a', name: 'Ada' });
  await server.post({ page: 'b', content: 'on b', name: 'Ada' });
  const page = await visit('about:blank');
  await listen(page);
  await page.goto(await site(`<sayso-comments ${attributes}></sayso-comments>`));
  await isLive(page);
  return page;
}

for (const [how, turn] of [
  ['its attribute', (node, page) => node.setAttribute('page', page)],
  ['its property', (node, page) => {
    node.page = page;
  }],
]) {
  test(`by ${how} it goes to another page, live, with its own drafts and without a trace of the one before`, async () => {
    const page = await read();
    const sockets = [];
    page.on('websocket', (socket) => sockets.push(socket));
    await page.locator('.input').fill('half a thought on a');
    assert.equal(await element(page).evaluate((node) => node.page), 'a');
    // Whatever a frame shows is noted: comments of both pages, or one page's comments under the other's name, are a flash.
    await page.evaluate(() => {
      window.frames = new Set();
      const look = () => {
        const node = document.querySelector('sayso-comments');
        frames.add(`${node.page}: ${[...node.shadowRoot.querySelectorAll('.text')].map((text) => text.textContent)}`);
        requestAnimationFrame(look);
      };
      look();
    });
    await element(page).evaluate(turn, 'b');
    await isConfirmed(page, 'on b');
    await isLive(page);
    assert.deepEqual(await texts(page), ['on b']);
    assert.equal(await page.locator('.input').inputValue(), '');
    assert.equal(await page.locator('.sayso').count(), 1);
    await server.post({ page: 'a', content: 'later on a' });
    await server.post({ page: 'b', content: 'later on b' });
    await isConfirmed(page, 'later on b');
    await say(page, 'from here', 'Grace');
    await isConfirmed(page, 'from here');
    assert.deepEqual((await server.comments('b')).map(({ content }) => content), ['on b', 'later on b', 'from here']);
    await page.locator('.input').fill('half a thought on b');
    await element(page).evaluate(turn, 'a');
    await isConfirmed(page, 'later on a');
    await isLive(page);
    assert.deepEqual(await texts(page), ['later on a', 'on a']);
    assert.equal(await page.locator('.input').inputValue(), 'half a thought on a');
    await element(page).evaluate(turn, 'b');
    await isConfirmed(page, 'from here');
    await isLive(page);
    assert.equal(await page.locator('.input').inputValue(), 'half a thought on b');
    const seen = await page.evaluate(() => [...frames]);
    assert.deepEqual(seen.filter((frame) => frame.startsWith('a') ? /on b|here/.test(frame) : /on a/.test(frame)), []);
    await until(() => sockets.filter((socket) => !socket.isClosed()).length === 1, 'the other sockets to close');
    const pages = (await told(page)).filter(([name]) => name === 'ready').map(([, name]) => name);
    assert.deepEqual(pages, ['a', 'b', 'a', 'b']);
  });
}

test('many changes at once end with the last, and the same page again changes nothing', async () => {
  const page = await read();
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await element(page).evaluate((node) => node.setAttribute('page', 'a'));
  await element(page).evaluate((node) => {
    for (const name of ['b', 'c', 'a', 'b']) node.page = name;
  });
  await isConfirmed(page, 'on b');
  await isLive(page);
  assert.deepEqual(await texts(page), ['on b']);
  assert.deepEqual((await told(page)).map(([, name]) => name), ['a', 'b']);
  assert.equal(asked.filter((url) => url.includes('/api/comments')).length, 4);
  // While it is out of the document it asks for nothing.
  await element(page).evaluate((node) => {
    window.kept = node;
    node.remove();
    node.page = 'a';
  });
  assert.equal(asked.filter((url) => url.includes('/api/comments')).length, 4);
  await page.evaluate(() => document.querySelector('main').append(kept));
  await isConfirmed(page, 'on a');
  assert.deepEqual(await texts(page), ['on a']);
});

test('loading anew takes what attributes and document say now', async () => {
  const page = await read('');
  const host = new URL(page.url()).host;
  await server.post({ page: `${host}/second`, content: 'on the second' });
  assert.equal(await element(page).evaluate((node) => node.page), `${host}/`);
  await page.evaluate(() => {
    history.pushState({}, '', '/second?utm_source=x');
    const node = document.querySelector('sayso-comments');
    node.lang = 'de';
    node.reload();
  });
  await isConfirmed(page, 'on the second');
  await page.getByRole('heading', { name: 'Kommentare' }).waitFor();
  assert.equal(await element(page).evaluate((node) => node.page), `${host}/second`);
  // Without one it is again the document's.
  const set = (name) => element(page).evaluate((node, to) => {
    node.page = to;
    return node.page;
  }, name);
  assert.deepEqual([await set('a'), await set(null), await set('b'), await set(undefined)], ['a', `${host}/second`, 'b', `${host}/second`]);
});

test('the document hears of what is posted, received and refused, once each', async () => {
  const page = await read();
  await say(page, 'mine', 'Grace');
  await isConfirmed(page, 'mine');
  await server.post({ page: 'a', content: 'theirs' });
  await isConfirmed(page, 'theirs');
  await server.kill();
  server.flags.push('--page-prefix', 'blog.example/');
  await server.start();
  await say(page, 'refused', 'Grace');
  await page.locator('.error', { hasText: /\S/ }).waitFor();
  assert.deepEqual(await told(page), [['ready', 'a', 'sayso-comments'], ['posted', 'mine', 'sayso-comments'],
    ['received', 'theirs', 'sayso-comments'], ['error', 'page_not_allowed', 'sayso-comments']]);
});

test('the document hears where the server does not let it embed comments', async () => {
  const address = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><html lang="en"><title>A site</title><script type="module" src="${server.url}/embed.js"></script><sayso-comments page="a"></sayso-comments>`);
  });
  const page = await visit('about:blank');
  await listen(page);
  await page.goto(address);
  await until(async () => (await told(page)).length > 0, 'the error');
  assert.deepEqual(await told(page), [['error', 'origin_not_allowed', 'sayso-comments']]);
  await allow(address);
});

test('a page that the server refuses says why, and is asked for again only when the element begins anew', async () => {
  await server.post({ page: 'b', content: 'on b' });
  const page = await visit('about:blank');
  await listen(page);
  await page.clock.install();
  const asked = [];
  page.on('request', (request) => request.url().includes('/api/') && asked.push(request.url()));
  await page.goto(await site(`<sayso-comments page="${'x'.repeat(600)}"></sayso-comments>`));
  const state = page.locator('.state[data-state=refused]');
  await state.filter({ hasText: /^Page is 600 bytes.*512.*\.$/ }).waitFor();
  const error = ['error', 'page_length', 'sayso-comments'];
  assert.deepEqual(await told(page), [error]);
  assert.equal(await page.locator('.input').count(), 0);
  asked.length = 0;
  await page.evaluate(() => {
    dispatchEvent(new Event('online'));
    dispatchEvent(new Event('offline'));
    document.dispatchEvent(new Event('visibilitychange'));
    document.querySelector('main').append(document.querySelector('sayso-comments'));
  });
  for (let i = 0; i < 4; i++) await page.clock.runFor(40_000);
  assert.deepEqual(asked, []);
  assert.match(await state.textContent(), /^Page is 600 bytes/);
  await element(page).evaluate((node) => node.reload());
  await until(async () => (await told(page)).length === 2, 'the second refusal');
  assert.ok(asked.length > 0);
  await element(page).evaluate((node) => {
    node.page = 'b';
  });
  await isConfirmed(page, 'on b');
  await isLive(page);
  assert.equal(await state.count(), 0);
  assert.deepEqual(await told(page), [error, error, ['ready', 'b', 'sayso-comments']]);
});

test('what a proxy answers while there is no server is no refusal', async () => {
  const page = await visit('about:blank');
  await listen(page);
  let tries = 0;
  await page.route('**/api/comments?*', (route) => ++tries > 3 ? route.continue() : route.fulfill({ status: 404, body: '{}', headers: { 'access-control-allow-origin': '*' } }));
  await page.goto(await site('<sayso-comments page="a"></sayso-comments>'));
  await isLive(page);
  assert.deepEqual(await told(page), [['ready', 'a', 'sayso-comments']]);
});

test('a second script of another server leaves the first one\'s elements as they are', async () => {
  const page = await read();
  assert.equal(await page.evaluate((url) => import(`${url}/embed.js?again`).then(() => 'loaded'), server.url), 'loaded');
  await server.post({ page: 'a', content: 'still live' });
  await comment(page, 'still live').waitFor();
});
