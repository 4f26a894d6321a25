/** Answers to what one has written: since the last visit, while one is here, and as notifications for who wants any. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { violations } from './axe.mjs';
import { newPerson, serve, server } from './fixture.mjs';
import { pseudonym, until } from './harness.mjs';
import { approve, hide, moderated } from './moderator.mjs';
import { comment, isConfirmed, isLive, say } from './page.mjs';
import { site } from './widget.mjs';

const SHOTS = fileURLToPath(new URL('shots/', import.meta.url));
const KEY = 'abcdefg1234567hijklmn7654321';
const OTHER = 'o'.repeat(28);

const known = (origin = server.url) => ({
  storageState: { cookies: [], origins: [{ origin, localStorage: [{ name: `sayso ${server.url} me`, value: JSON.stringify({ key: KEY, name: 'Grace', author: pseudonym(KEY) }) }] }] },
});
const answer = (content, parent, more) => server.post({ content, parent, name: 'Ada', key: OTHER, ...more });
const unread = (page) => page.getByRole('button', { name: /^\d+ answers? to you$/ });
const kept = (page) => page.evaluate(() => JSON.parse(Object.entries(localStorage).find(([key]) => key.endsWith(' answers /'))?.[1] ?? 'null'));

/** Waits until what is known of the page is kept, up to this line. */
const isKept = (page, { id }) => until(async () => (await kept(page))?.seq >= id, 'it to be kept');

/** Goes to the page in a fresh tab of this person. */
async function come(context, address = server.url) {
  const page = await context.newPage();
  await page.goto(address);
  await isLive(page);
  return page;
}

const isInView = (page, text) => until(() => comment(page, text).evaluate((node) => {
  const { top, bottom } = node.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
}), `${text} to be in view`);

test('answers since the last visit are counted, and shown one after another wherever they are', async () => {
  await moderated();
  const context = await newPerson();
  const first = await come(context);
  await say(first, 'a question', 'Grace');
  await isConfirmed(first, 'a question');
  const [question] = await server.comments();
  await isKept(first, question);
  await first.close();
  const [one, hidden] = [await answer('the first answer', question.id), await answer('hidden by a moderator', question.id)];
  await hide(hidden.id);
  await answer('to an answer', one.id);
  await server.post({ content: 'my own answer', parent: question.id, key: JSON.parse((await context.storageState()).origins[0].localStorage.find(({ name }) => name.endsWith(' me')).value).key });
  // The page goes on: what is answered is no longer among the newest.
  for (let i = 1; i <= 60; i++) await server.post({ content: `filler ${i}`, name: 'Ada', key: OTHER });
  await answer('the second answer', question.id);

  const page = await come(context);
  await unread(page).waitFor();
  assert.equal(await unread(page).textContent(), '2 answers to you');
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}answers-head.png` });
  await unread(page).click();
  await isInView(page, 'the first answer');
  assert.equal(await page.evaluate(() => document.querySelector('sayso-comments').shadowRoot.activeElement.textContent.includes('the first answer')), true);
  assert.equal(await unread(page).textContent(), '1 answer to you');
  await page.screenshot({ path: `${SHOTS}answers-pill.png` });
  await unread(page).click();
  await isInView(page, 'the second answer');
  await unread(page).waitFor({ state: 'hidden' });
  await page.reload();
  await isLive(page);
  await page.locator('.bell').waitFor({ state: 'attached' });
  const last = await answer('the third answer', question.id);
  await until(async () => (await kept(page)).seq >= last.id, 'the third');
  await page.reload();
  await unread(page).waitFor();
  assert.equal(await unread(page).textContent(), '1 answer to you', 'what was gone to is not counted again');
});

test('what was on the screen is not counted the next time, nor what another tab has shown', async () => {
  const { id } = await server.post({ content: 'a question', key: KEY, name: 'Grace' });
  const context = await newPerson(known());
  const first = await come(context);
  await isKept(first, { id });
  await first.close();
  await answer('an answer', id);
  const page = await come(context);
  await unread(page).waitFor();
  await isInView(page, 'an answer');
  await until(async () => {
    await page.evaluate(() => dispatchEvent(new Event('pagehide')));
    return (await kept(page)).unread.length === 0;
  }, 'it to be seen');
  const again = await come(context);
  await again.locator('.bell').waitFor({ state: 'attached' });
  await until(async () => (await kept(again))?.mine.includes(id), 'it to look');
  assert.equal(await unread(again).count(), 0);
});

test('an answer that was held counts once it is approved, live and later, and an edited one does not count again', async () => {
  await moderated({ flags: ['--hold', 'links'] });
  const { id } = await server.post({ content: 'a question', key: KEY, name: 'Grace' });
  const live = await answer('see https://one.example', id);
  const later = await answer('see https://two.example', id);
  const before = await answer('known already', id);
  for (let i = 1; i <= 30; i++) await server.post({ content: `filler ${i}` });
  const context = await newPerson(known());
  const page = await come(context);
  await page.locator('.bell').waitFor({ state: 'attached' });
  await until(async () => (await kept(page))?.known.includes(before.id), 'it to look');
  await approve(live.id);
  await unread(page).waitFor();
  assert.equal(await unread(page).textContent(), '1 answer to you');
  await unread(page).click();
  await isInView(page, 'see https://one.example');
  await page.close();
  await approve(later.id);
  await fetch(`${server.url}/api/comments/${before.id}`, {
    method: 'PATCH', headers: { authorization: `Bearer ${OTHER}`, 'content-type': 'application/json' }, body: JSON.stringify({ content: 'edited' }),
  });
  const again = await come(context);
  await unread(again).waitFor();
  assert.equal(await unread(again).textContent(), '1 answer to you');
  await unread(again).click();
  await isInView(again, 'see https://two.example');
});

test('an answer that comes while one reads elsewhere is counted until it is seen', async () => {
  const { id } = await server.post({ content: 'a question', key: KEY, name: 'Grace' });
  for (let i = 1; i <= 30; i++) await server.post({ content: `filler ${i}` });
  const page = await come(await newPerson(known()));
  await page.locator('.bell').waitFor({ state: 'attached' });
  await answer('far below', id);
  await unread(page).waitFor();
  await answer('to somebody else', (await server.post({ content: 'somebody', key: OTHER })).id);
  await isConfirmed(page, 'to somebody else');
  assert.equal(await unread(page).textContent(), '1 answer to you');
  await comment(page, 'far below').scrollIntoViewIfNeeded();
  await unread(page).waitFor({ state: 'hidden' });
});

test('whoever has written nothing loads nothing for it', async () => {
  const context = await newPerson();
  const asked = [];
  context.on('request', (request) => asked.push(request.url()));
  const page = await come(context);
  assert.ok(asked.every((url) => !url.includes('answers')), asked.join());
  assert.equal(await page.locator('.bell').count(), 0);
});

// Notifications
/** A browser that may be asked, and writes down what it is asked and told. Headless Chromium refuses. */
const permission = (answers) => `
  // Of about:blank there is nothing to read.
  if (location.protocol === 'http:') {
  window.asked = 0;
  window.notes = [];
  window.Notification = class extends EventTarget {
    static permission = localStorage.getItem('permission') ?? 'default';
    static async requestPermission() {
      asked++;
      localStorage.setItem('permission', '${answers}');
      return Notification.permission = '${answers}';
    }
    constructor(title, options) {
      super();
      notes.push({ title, ...options, node: this });
    }
    close() {}
  };
  Object.defineProperty(document, 'visibilityState', { get: () => window.isAway ? 'hidden' : 'visible' });
  }`;

async function reader(answers, address, options = known()) {
  const context = await newPerson(options);
  await context.addInitScript(permission(answers));
  const page = await come(context, address);
  await page.locator('.bell').waitFor({ state: 'attached' });
  return page;
}
const notes = (page) => page.evaluate(() => notes.filter(({ silent }) => !silent).map(({ title, body }) => `${title}: ${body}`));

test('a notification comes for who has asked for it by the button, while the tab is hidden, and leads to the answer', async () => {
  const { id } = await server.post({ content: 'a question', key: KEY, name: 'Grace' });
  for (let i = 1; i <= 30; i++) await server.post({ content: `filler ${i}` });
  const page = await reader('granted');
  await page.evaluate(() => {
    window.isAway = true;
  });
  await answer('before', id);
  await isConfirmed(page, 'before');
  assert.deepEqual([await page.evaluate(() => asked), await notes(page)], [0, []]);
  await page.evaluate(() => {
    window.isAway = false;
  });
  await page.getByRole('button', { name: 'Notify me of answers' }).click();
  await page.getByRole('button', { name: 'Stop notifications' }).waitFor();
  assert.equal(await page.getByRole('status').first().textContent(), 'You are notified of answers while this page is open in a tab.');
  await answer('while one looks', id);
  await isConfirmed(page, 'while one looks');
  await page.evaluate(() => {
    window.isAway = true;
  });
  await server.post({ content: 'to nobody' });
  await server.post({ content: 'my own', parent: id, key: KEY });
  await answer('<b>while one is away</b> '.repeat(10), id);
  await until(async () => (await notes(page)).length > 0, 'the notification');
  assert.deepEqual(await notes(page), [`Ada has answered you: ${'<b>while one is away</b> '.repeat(10).slice(0, 120)}`]);
  await page.evaluate(() => {
    window.isAway = false;
    notes.at(-1).node.dispatchEvent(new Event('click'));
  });
  await until(() => page.evaluate(() => document.querySelector('sayso-comments').shadowRoot.activeElement?.textContent.includes('while one is away')), 'the answer');
  // It is remembered, and can be stopped.
  await page.reload();
  await page.getByRole('button', { name: 'Stop notifications' }).click();
  await page.getByRole('button', { name: 'Notify me of answers' }).waitFor();
  assert.equal(await page.evaluate(() => asked), 0);
});

test('where the browser refuses it is said, and the button goes', async () => {
  await server.post({ content: 'a question', key: KEY, name: 'Grace' });
  const page = await reader('denied');
  await page.getByRole('button', { name: 'Notify me of answers' }).click();
  await page.locator('.bell').waitFor({ state: 'hidden' });
  assert.equal(await page.getByRole('status').first().textContent(), 'The browser does not allow notifications here.');
  await page.reload();
  await page.locator('.bell').waitFor({ state: 'attached' });
  assert.equal(await page.locator('.bell').isVisible(), false);
});

test('in the frame of another document nothing is offered', async () => {
  await server.post({ page: 'a', content: 'a question', key: KEY, name: 'Grace' });
  const inner = await site('<sayso-comments page="a"></sayso-comments>');
  const outer = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><title>Outer</title><iframe src="${inner}/" width="700" height="800"></iframe>`);
  });
  const context = await newPerson(known(inner));
  await context.addInitScript(permission('granted'));
  const page = await context.newPage();
  await page.goto(outer);
  const bell = page.frameLocator('iframe').locator('.bell');
  await bell.waitFor({ state: 'attached' });
  assert.equal(await bell.isVisible(), false);
});

test('it is said in the reader\'s language, and axe finds nothing to complain about', async () => {
  const { id } = await server.post({ page: 'a', content: 'a question', key: KEY, name: 'Grace' });
  const address = await site('<h1>Article</h1><sayso-comments page="a"></sayso-comments>', 'lang="de"');
  const context = await newPerson({ ...known(address), bypassCSP: true, reducedMotion: 'reduce', viewport: { width: 360, height: 700 }, hasTouch: true, isMobile: true });
  const first = await come(context, address);
  await first.getByRole('button', { name: 'Bei Antworten benachrichtigen' }).or(first.locator('.bell')).first().waitFor({ state: 'attached' });
  await until(() => first.evaluate(() => Object.keys(localStorage).some((key) => key.endsWith(' answers a'))), 'it to be kept');
  await first.close();
  await answer('eine Antwort', id, { page: 'a' });
  const page = await come(context, address);
  await page.getByRole('button', { name: '1 Antwort an dich' }).waitFor();
  await page.screenshot({ path: `${SHOTS}answers-phone.png` });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing scrolls sideways');
  assert.deepEqual(await violations(page), []);
});
