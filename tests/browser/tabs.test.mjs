/** Who is typing, and two tabs of one browser, which are one person. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { live, newPerson, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { comment, isConfirmed, isLive, say } from './page.mjs';

const box = (page) => page.getByRole('textbox', { name: 'Comment' }).first();
const typing = (page) => page.locator('.typing').textContent();

/** Two tabs of one person. */
async function tabs(options) {
  const context = await newPerson(options);
  const pages = [await context.newPage(), await context.newPage()];
  for (const page of pages) await page.goto(server.url);
  for (const page of pages) await isLive(page);
  return pages;
}

/** What a page gets over its socket, as text. */
function framesOf(page, what) {
  const frames = [];
  page.on('websocket', (socket) => socket.on(what, ({ payload }) => frames.push(payload)));
  return frames;
}

test('others see that somebody is typing, oneself does not, in no tab', async () => {
  const [one, two] = await tabs();
  const grace = await live();
  const heard = framesOf(two, 'framereceived');
  await two.reload();
  await isLive(two);
  await box(one).pressSequentially('Well');
  await grace.locator('.typing', { hasText: 'Someone is typing…' }).waitFor();
  // What comes after it has come after it here too.
  await server.post({ content: 'meanwhile' });
  for (const page of [one, two]) {
    await comment(page, 'meanwhile').waitFor();
    assert.equal(await typing(page), '');
  }
  assert.ok(heard.length > 0);
});

test('whoever has just written for the first time is typing under the name over that comment', async () => {
  const ada = await live();
  const grace = await live();
  await say(ada, 'my first', 'Ada');
  await isConfirmed(grace, 'my first');
  // It is told at most once a second, and of the field above it was told just now.
  await until(async () => {
    await box(ada).press('x');
    return await typing(grace) === 'Ada is typing…';
  }, 'the name');
});

test('the name that somebody types under is not sent', async () => {
  const context = await newPerson();
  const page = await context.newPage();
  const sent = framesOf(page, 'framesent');
  await page.goto(server.url);
  await isLive(page);
  await page.getByLabel('Name (optional)').fill('Ada');
  await box(page).pressSequentially('Well');
  await until(() => sent.some((frame) => frame.includes('typing')), 'the news of it');
  assert.deepEqual(sent.filter((frame) => frame.includes('typing')), ['{"typing":true}']);
});

test('that somebody is typing is gone the moment their comment comes', async () => {
  const context = await newPerson();
  let tell;
  await context.routeWebSocket(/./, (socket) => {
    socket.connectToServer();
    tell = (message) => socket.send(JSON.stringify(message));
  });
  const grace = await context.newPage();
  await grace.clock.install();
  await grace.goto(server.url);
  await isLive(grace);
  // Her clock stands still: nothing but the comment ends it. With the first comment comes a name that was not known before.
  for (const [typist, name] of [['Ada', 'Ada'], ['Someone', 'Bob'], ['Someone', undefined], ['', undefined]]) {
    tell({ typing: typist });
    tell({ typing: 'Zoë' });
    const others = [typist || 'Someone', 'Zoë'].join(', ');
    await grace.locator('.typing', { hasText: `${others} are typing…` }).waitFor();
    const content = `what ${others} wrote as ${name}, ${typist.length}`;
    await server.post({ content, name });
    await until(async () => {
      await grace.clock.runFor(20);
      return await comment(grace, content).count() > 0;
    }, 'the comment');
    assert.equal(await typing(grace), 'Zoë is typing…');
    await grace.clock.runFor(4_000);
    assert.equal(await typing(grace), '');
  }
});

test('two tabs share at once who one is', async () => {
  const [one, two] = await tabs();
  await say(one, 'mine', 'Ada');
  await isConfirmed(one, 'mine');
  await comment(two, 'mine').getByText('You', { exact: true }).waitFor();
  await comment(two, 'mine').locator('.dots').click();
  await two.getByRole('menuitem', { name: 'Edit' }).waitFor();
  await two.keyboard.press('Escape');
  await until(async () => await two.getByLabel('Name (optional)').first().inputValue() === 'Ada', 'the name');
  await say(two, 'mine too');
  await isConfirmed(one, 'mine too');
  await comment(one, 'mine too').getByText('You', { exact: true }).waitFor();
  const authors = (await server.comments()).map((line) => line.author);
  assert.equal(new Set(authors).size, 1);
});

test('each tab tells the server who it is, so that it can count them as one', async () => {
  const context = await newPerson();
  const [one, two] = [await context.newPage(), await context.newPage()];
  const sent = framesOf(two, 'framesent');
  for (const page of [one, two]) await page.goto(server.url);
  for (const page of [one, two]) await isLive(page);
  await say(one, 'mine', 'Ada');
  await until(() => sent.some((frame) => /^\{"key":"[^"]+"\}$/.test(frame)), 'the other tab to say who it is');
});

test('each tab has a draft of its own, and one that is closed leaves its draft to the next', async () => {
  const context = await newPerson();
  const [one, two] = [await context.newPage(), await context.newPage()];
  for (const page of [one, two]) await page.goto(server.url);
  for (const page of [one, two]) await isLive(page);
  await box(one).fill('from the first');
  await box(two).fill('from the second');
  for (const page of [one, two]) await page.reload();
  for (const page of [one, two]) await isLive(page);
  assert.deepEqual(await Promise.all([one, two].map((page) => box(page).inputValue())), ['from the first', 'from the second']);
  await one.goto('about:blank');
  await one.close();
  const three = await context.newPage();
  await three.goto(server.url);
  await isLive(three);
  assert.equal(await box(three).inputValue(), 'from the first');
  assert.equal(await box(two).inputValue(), 'from the second');
  const four = await context.newPage();
  await four.goto(server.url);
  await isLive(four);
  assert.equal(await box(four).inputValue(), '', 'it is left once');
});

test('an answer that is begun in one tab is not begun in the other', async () => {
  await server.post({ content: 'a question' });
  const context = await newPerson();
  const one = await context.newPage();
  await one.goto(server.url);
  await isLive(one);
  await comment(one, 'a question').getByRole('button', { name: 'Reply' }).click();
  await one.locator('.item textarea').fill('half an answer');
  const two = await context.newPage();
  await two.goto(server.url);
  await isLive(two);
  assert.equal(await two.locator('.item textarea').count(), 0);
  await one.reload();
  await isLive(one);
  assert.equal(await one.locator('.item textarea').inputValue(), 'half an answer');
});

test('after sending, the keyboard of a touch screen goes, and the caret of any other stays', async () => {
  const [phone, desk] = [await live(server.url, { hasTouch: true, isMobile: true, viewport: { width: 390, height: 700 } }), await live()];
  for (const page of [phone, desk]) {
    const text = page === phone ? 'from the phone' : 'from the desk';
    await say(page, text, 'Ada');
    await isConfirmed(page, text);
  }
  const hasFocus = (page) => page.evaluate(() => document.querySelector('sayso-comments').shadowRoot.activeElement?.localName ?? '');
  assert.notEqual(await hasFocus(phone), 'textarea');
  assert.equal(await hasFocus(desk), 'textarea');
});
