/** One's own comments: listed, taken along, deleted all at once, and had on another device. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { violations } from './axe.mjs';
import { allow, live, newPerson, people, serve, server, visit } from './fixture.mjs';
import { Server, pseudonym, until } from './harness.mjs';
import { approve, hide, moderated } from './moderator.mjs';
import { choose, comment, isConfirmed, isLive, say } from './page.mjs';
import { live as embedded, site } from './widget.mjs';

const SHOTS = fileURLToPath(new URL('shots/', import.meta.url));
/** As the widget makes them. */
const KEY = 'abcdefg1234567hijklmn7654321';
const OTHER = 'zzzzzzz1234567hijklmn7654321';
const UNDO_MS = 10_000;

/** Somebody who has written here before, with this key. */
const known = (key = KEY, name = 'Grace', origin = server.url, base = server.url) => ({
  storageState: { cookies: [], origins: [{ origin, localStorage: [{ name: `sayso ${base} me`, value: JSON.stringify({ key, name, author: pseudonym(key) }) }] }] },
});

const panel = (page) => page.getByRole('dialog');
const press = (page, name) => panel(page).getByRole('button', { name, exact: true }).click();
const contents = async () => (await server.comments()).filter((line) => !line.deleted).map((line) => line.content);

async function open(page) {
  await page.getByRole('button', { name: 'Your comments' }).click();
  await panel(page).getByRole('heading', { name: 'Your comments' }).waitFor();
}

async function write(n, key = KEY, page = '/') {
  for (let i = 1; i <= n; i++) await server.post({ page, content: `mine ${i}`, name: 'Grace', key });
}

/** Everything that a page asks a server for, by address. */
function watch(page) {
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  page.on('websocket', (socket) => asked.push(socket.url()));
  return asked;
}

/** The link and the code, which are shown when asked for. */
async function reveal(page) {
  await open(page);
  assert.equal(await panel(page).locator('[readonly]').count(), 0);
  await press(page, 'Show link and code');
  const fields = panel(page).locator('[readonly]');
  return { link: await fields.first().inputValue(), code: await fields.last().inputValue() };
}

const stored = (page) => page.evaluate(() => JSON.parse(Object.entries(localStorage).find(([key]) => key.endsWith(' me'))?.[1] ?? 'null'));

// The list
test('one\'s own comments are listed with their pages, also those that wait or are hidden', async () => {
  await moderated({ flags: ['--hold', 'links'] });
  await write(1);
  const { id } = await server.post({ page: 'blog.example/post#1', content: 'hidden *here*', key: KEY });
  await hide(id);
  const waits = await server.post({ page: 'a name', content: 'see https://a.example', key: KEY });
  await server.post({ page: '/', content: 'not mine', key: OTHER });
  const page = await live(server.url, known());
  await open(page);
  const items = panel(page).locator('li');
  await until(async () => await items.count() === 3, 'all three');
  assert.deepEqual(await items.locator('.where').allTextContents(), ['a name', 'blog.example/post#1', '/']);
  assert.deepEqual(await items.locator('.where').evaluateAll((all) => all.map((link) => link.getAttribute('href'))),
    [`${server.url}/?page=a%20name#sayso-${waits.id}`, 'http://blog.example/post%231#sayso-2', `${server.url}/#sayso-1`]);
  assert.match(await items.nth(0).textContent(), /Waiting for approval/);
  assert.match(await items.nth(1).textContent(), /Hidden/);
  assert.equal(await items.nth(1).locator('em').textContent(), 'here');
  await page.keyboard.press('Escape');
  assert.equal(await panel(page).count(), 0);
  await choose(comment(page, 'mine 1'), 'Your comments');
  await until(async () => await items.count() === 3, 'the list again');
});

test('who has written nothing is told so, and is offered only a place for a code', async () => {
  await write(1, OTHER);
  const page = await live();
  await open(page);
  await panel(page).getByText('You have written nothing here with this browser.').waitFor();
  assert.deepEqual(await panel(page).getByRole('button').allTextContents(), ['Close', 'Use']);
});

test('more comments than come at once are shown when asked for, and are all in the download', async () => {
  await write(203);
  const page = await live(server.url, known());
  await open(page);
  const items = panel(page).locator('li');
  await until(async () => await items.count() === 200, 'the newest');
  await press(page, 'Older comments');
  await until(async () => await items.count() === 203, 'all');
  const [download] = await Promise.all([page.waitForEvent('download'), press(page, 'Download')]);
  assert.match(download.suggestedFilename(), /^comments-\d{4}-\d\d-\d\d\.json$/);
  const text = readFileSync(await download.path(), 'utf8');
  const said = JSON.parse(text);
  assert.equal(said.server, server.url);
  assert.deepEqual(said.comments.map((line) => line.content), Array.from({ length: 203 }, (_, i) => `mine ${203 - i}`));
  assert.ok(said.comments.every((line) => line.page === '/' && line.created_at && line.name === 'Grace'));
  assert.ok(!text.includes(KEY));
});

// Deleting all
test('all are deleted for everybody once there is no more undoing it', async () => {
  await write(3);
  await server.post({ content: 'not mine', key: OTHER });
  const reader = await live();
  const page = await visit(server.url, known(), (context) => context.clock.install());
  await isLive(page);
  await open(page);
  await press(page, 'Delete all');
  await panel(page).getByText('All are deleted in 10 seconds, with your hearts and flags. If you leave this page before, nothing is.').waitFor();
  await page.keyboard.press('Escape');
  assert.equal((await contents()).length, 4);
  await page.clock.fastForward(UNDO_MS);
  await until(async () => (await contents()).join() === 'not mine', 'the others to be gone');
  await until(async () => (await reader.locator('.text').allTextContents()).join() === 'not mine', 'a reader to see it');
  await page.locator('.comment', { hasText: 'mine 1' }).waitFor({ state: 'detached' });
  await page.locator('.unseen').getByText('3 comments are deleted.').waitFor();
});

test('deleting all is undone in time, and then nothing has been sent', async () => {
  await write(2);
  const page = await visit(server.url, known(), (context) => context.clock.install());
  await isLive(page);
  const sent = [];
  page.on('request', (request) => request.method() === 'DELETE' && sent.push(request.url()));
  await open(page);
  await press(page, 'Delete all');
  await press(page, 'Undo');
  await panel(page).getByRole('button', { name: 'Delete all' }).and(panel(page).locator(':focus')).waitFor();
  await page.clock.fastForward(2 * UNDO_MS);
  assert.deepEqual(sent, []);
  assert.equal((await contents()).length, 2);
});

test('batches go on until nothing is left, as slowly as the server asks, and it is said how far they are', async () => {
  await write(1);
  const context = await newPerson(known());
  await context.clock.install();
  const asked = [];
  const answers = [
    { json: { deleted: 2000, more: true, before: 70 } },
    { status: 429, json: { error: 'too fast, try again in 40 s', code: 'too_fast', retry_after: 40 } },
    { json: { deleted: 5 } },
  ];
  await context.route('**/api/mine*', (route) => {
    const request = route.request();
    if (request.method() !== 'DELETE') return route.continue();
    asked.push(new URL(request.url()).search);
    return route.fulfill(answers.shift());
  });
  const page = await context.newPage();
  await page.goto(server.url);
  await isLive(page);
  await open(page);
  await press(page, 'Delete all');
  await page.clock.fastForward(UNDO_MS);
  await panel(page).getByText('2,000 comments deleted so far… Too fast, try again in 40 s.').waitFor();
  assert.deepEqual(asked, ['', '?before=70']);
  assert.equal(await panel(page).getByRole('button', { name: 'Delete all' }).count(), 0);
  await page.clock.fastForward(40_000);
  await panel(page).getByText('2,005 comments are deleted.').waitFor();
  assert.deepEqual(asked, ['', '?before=70', '?before=70']);
});

test('without a connection the panel says so, and deletes nothing', async () => {
  await write(1);
  const page = await visit(server.url, known(), (context) => context.clock.install());
  await isLive(page);
  await open(page);
  await panel(page).locator('li').waitFor();
  await server.kill();
  await press(page, 'Delete all');
  await page.clock.fastForward(UNDO_MS);
  await panel(page).getByText('There is no connection right now. Try again in a moment.').waitFor();
  await panel(page).getByRole('button', { name: 'Delete all' }).waitFor();
  await server.start();
  assert.equal((await contents()).length, 1);
});

// Another device
test('a link makes one\'s comments one\'s own on another device, after a question, and stays nowhere', async () => {
  const first = await live();
  const asked = watch(first);
  await say(first, 'from the first', 'Grace');
  await isConfirmed(first, 'from the first');
  const { link } = await reveal(first);
  const { key } = await stored(first);
  assert.ok(link.startsWith(`${server.url}/#sayso-key=${key}`), link);

  const context = await newPerson();
  const second = await context.newPage();
  const alsoAsked = watch(second);
  await second.goto(`${server.url}/#sayso-5`);
  await isLive(second);
  await second.goto(link);
  await panel(second).getByText('It last wrote as Grace: “from the first”').waitFor();
  assert.equal(second.url(), `${server.url}/`);
  assert.equal(await stored(second), null);
  assert.equal(await comment(second, 'from the first').locator('.mark').count(), 0);
  assert.equal(await panel(second).locator(':focus').textContent(), 'No');
  await press(second, 'No');
  assert.equal(await stored(second), null);

  await second.goto(link);
  await press(second, 'Use it');
  await comment(second, 'from the first').locator('.mark', { hasText: 'You' }).waitFor();
  assert.equal((await stored(second)).key, key);
  assert.equal(await second.getByLabel('Name (optional)').first().inputValue(), 'Grace');
  await choose(comment(second, 'from the first'), 'Edit');
  await second.locator('.item .input').fill('edited on the second');
  await second.getByRole('button', { name: 'Save' }).click();
  await comment(first, 'edited on the second').waitFor({ state: 'attached' });
  assert.equal(second.url(), `${server.url}/`);
  await second.goBack();
  assert.ok(!second.url().includes('key'), second.url());
  assert.deepEqual([...asked, ...alsoAsked].filter((address) => address.includes(key) && !address.startsWith(`${server.url}/#`)), []);
  assert.ok(!readFileSync(server.log, 'utf8').includes(key));
});

test('a link is asked about before there is a connection, and what it replaces is said', async () => {
  await write(1);
  const { link } = await reveal(await live(server.url, known()));
  const context = await newPerson(known(OTHER, 'Ada'));
  await context.routeWebSocket(/./, () => {});
  const page = await context.newPage();
  await page.goto(link);
  await panel(page).getByText('The identity that this browser has now is then lost, unless you have its code.').waitFor();
  assert.equal(page.url(), `${server.url}/`);
  assert.equal((await stored(page)).key, OTHER);
  await press(page, 'Use it');
  await comment(page, 'mine 1').locator('.mark', { hasText: 'You' }).waitFor();
  assert.deepEqual(await stored(page), { key: KEY, name: 'Grace', author: pseudonym(KEY) });
});

test('a code is taken however it is typed, on another site that has the same comments', async () => {
  await write(1, KEY, 'a');
  const address = await site('<sayso-comments page="a"></sayso-comments>');
  const { code } = await reveal(await live(server.url, known()));
  assert.match(code, /^(\w{4} ){7}\w{4}$/);
  const page = await embedded(address, { ...known(OTHER, 'Ada', address) });
  await open(page);
  await panel(page).getByLabel('Code or link from another device').fill(` ${code.toUpperCase().replaceAll(' ', '-')} `);
  await press(page, 'Use');
  await panel(page).getByText('It last wrote as Grace: “mine 1”').waitFor();
  await press(page, 'Use it');
  await comment(page, 'mine 1').locator('.mark', { hasText: 'You' }).waitFor();
  await page.reload();
  await comment(page, 'mine 1').locator('.mark', { hasText: 'You' }).waitFor();
});

test('where comments of two servers share a document, a link reaches those that it is for', async () => {
  let elements = [];
  const address = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><html lang="en"><title>A site</title><script type="module" src="${server.url}/embed.js"></script><main>${elements.join('')}</main></html>`);
  });
  await allow(address);
  const other = await Server.start({ flags: ['--allow-origin', address] });
  try {
    await other.post({ page: 'a', content: 'on the other', key: KEY, name: 'Grace' });
    const { link } = await reveal(await live(`${other.url}/?page=a`, known(KEY, 'Grace', other.url, other.url)));
    const { hash } = new URL(link);
    const both = ['<sayso-comments page="a"></sayso-comments>', `<sayso-comments page="a" src="${other.url}"></sayso-comments>`];
    for (const [order, at] of [[both, 1], [[...both].reverse(), 0]]) {
      elements = order;
      const page = await visit(`${address}/${hash}`);
      const right = page.locator('sayso-comments').nth(at);
      await right.getByText('It last wrote as Grace: “on the other”').waitFor();
      assert.equal(await page.getByRole('dialog').count(), 1);
      assert.equal(page.url(), `${address}/`);
      await right.getByRole('button', { name: 'Use it' }).click();
      await right.locator('.mark', { hasText: 'You' }).waitFor();
      // One that is for neither is refused once.
      await page.goto(`${address}/${hash.slice(0, -1)}`);
      await page.getByText('This is no code for these comments.').waitFor();
      assert.equal(await page.getByRole('dialog').count(), 1);
      assert.equal(page.url(), `${address}/`);
    }
  } finally {
    await other.stop();
  }
});

test('what is no code is refused in words and changes nothing', async () => {
  await write(1);
  const { code, link } = await reveal(await live(server.url, known()));
  const page = await live(server.url, known(OTHER, 'Ada'));
  const asked = watch(page);
  await open(page);
  await panel(page).getByText('You have written nothing here with this browser.').waitFor();
  const before = asked.length;
  const field = panel(page).getByLabel('Code or link from another device');
  const wrong = panel(page).getByRole('alert').getByText('This is no code for these comments. Is a letter missing or mistyped?');
  for (const typed of ['', 'rubbish', code.slice(1), code.replace('a', 'b'), `${code}1`, KEY, 'é'.repeat(40), 'x'.repeat(300), '%E0%A4%A'.repeat(5)]) {
    await field.fill(typed);
    await press(page, 'Use');
    await wrong.waitFor();
    await page.keyboard.press('Escape');
    await open(page);
    assert.equal(await wrong.count(), 0);
  }
  // The next address comes to a panel that has closed.
  const close = async () => {
    await page.keyboard.press('Escape');
    await panel(page).waitFor({ state: 'hidden' });
  };
  await close();
  for (const address of [link.replace('1234', '1243'), `${server.url}/#sayso-key=`, `${server.url}/#sayso-key=%00${'a'.repeat(30)}`]) {
    await page.goto(address);
    await wrong.waitFor();
    assert.equal(page.url(), `${server.url}/`);
    await close();
  }
  // What a mistyped key would be is told to nobody.
  assert.ok(asked.slice(before).every((address) => !address.includes('1243')));
  assert.equal((await stored(page)).key, OTHER);

  const own = await live(server.url, known());
  await open(own);
  await panel(own).getByLabel('Code or link from another device').fill(code);
  await press(own, 'Use');
  await panel(own).getByText('This browser has this identity already.').waitFor();
});

test('a code for another server\'s comments is refused', async () => {
  const page = await live();
  const same = await page.evaluate(async (key) => {
    const { codeOf, keyOf } = await import('/widget/identity.js');
    const [here, secure, other] = ['http://a.example', 'https://a.example', 'http://b.example'].map((base) => ({ base }));
    return [here, secure, other].map((thread) => keyOf(codeOf(key, here), thread) === key);
  }, KEY);
  assert.deepEqual(same, [true, true, false]);
});

test('link and code are covered again once the panel closes', async () => {
  await write(1);
  const page = await live(server.url, known());
  await reveal(page);
  await press(page, 'Close');
  assert.ok(!(await page.locator('sayso-comments').evaluate((node) => node.shadowRoot.innerHTML)).includes(KEY));
  await reveal(page);
});

// The look
for (const [what, options] of [
  ['light', {}], ['dark', { colorScheme: 'dark' }], ['phone', { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }],
  ['phone-dark', { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true, colorScheme: 'dark' }],
]) {
  test(`axe finds nothing to complain about and nothing scrolls sideways, ${what}`, async () => {
    await moderated({ flags: ['--hold', 'links'] });
    await write(3);
    const { id } = await server.post({ page: 'blog.example/a-page-with-a-long-name/and-a-longer-one/2026', content: 'A *longer* one, see https://example.org/a/very/long/address/that/goes/on/and/on', key: KEY, name: 'Grace' });
    await server.post({ page: '/', content: 'waits for https://a.example', key: KEY, name: 'Grace' });
    await approve(id);
    const page = await live(server.url, { ...known(), ...options, reducedMotion: 'reduce' });
    mkdirSync(SHOTS, { recursive: true });
    const look = async (state) => {
      await page.screenshot({ path: `${SHOTS}mine-${state}-${what}.png` });
      assert.deepEqual(await violations(page), [], state);
      assert.ok(await panel(page).evaluate((node) => node.scrollWidth <= node.clientWidth && node.getBoundingClientRect().right <= innerWidth), state);
      const small = await panel(page).evaluate((node, min) => [...node.querySelectorAll('button, input, textarea')].filter((control) => control.checkVisibility()
        && Math.min(control.offsetWidth, control.offsetHeight) < min).map((control) => control.className), options.hasTouch ? 44 : 24);
      assert.deepEqual(small, [], state);
    };
    await open(page);
    await panel(page).locator('li').last().waitFor();
    await look('list');
    await press(page, 'Show link and code');
    await look('code');
    const link = await panel(page).locator('[readonly]').first().inputValue();
    await press(page, 'Delete all');
    await panel(page).getByLabel('Code or link from another device').fill('rubbish');
    await press(page, 'Use');
    await look('undo');
    await press(page, 'Undo');
    await press(page, 'Close');
    await page.evaluate((origin) => localStorage.setItem(`sayso ${origin} me`, JSON.stringify({ key: 'q'.repeat(28) })), server.url);
    await page.goto(link);
    await panel(page).getByText('It last wrote as').waitFor();
    await look('question');
  });
}

test('the panel speaks the language of the page, from right to left where that is read so', async () => {
  const address = await site('<sayso-comments page="a"></sayso-comments>', 'lang="ar" dir="rtl"');
  await write(2, KEY, 'a');
  const page = await embedded(address, known(KEY, 'Grace', address));
  await page.getByRole('button', { name: 'تعليقاتك' }).click();
  await panel(page).getByRole('button', { name: 'حذف الكل' }).click();
  await panel(page).getByText('تُحذف كلها خلال 10 ثوانٍ').waitFor();
  const [title, close] = await Promise.all(['.title', '.shut'].map((part) => panel(page).locator(part).boundingBox()));
  assert.ok(title.x > close.x, 'the title stands at the right');
  assert.equal(people.length, 1);
});
