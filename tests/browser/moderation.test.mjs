/** What moderators do, as readers see it, with and without JavaScript. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { violations } from './axe.mjs';
import { live, newPerson, server, visit } from './fixture.mjs';
import { pseudonym, until } from './harness.mjs';
import { approve, ban, change, flagged, hide, lock, moderated, pin, remove, write } from './moderator.mjs';
import { choose, comment, isConfirmed, isLive, say } from './page.mjs';

const LINES = (n) => Array.from({ length: n }, (_, i) => ({
  seq: i + 1, id: i + 1, page: '/', content: `comment ${i + 1}`, created_at: '2026-11-22T05:08:00.001Z', nonce: `nonce-number-${100 + i}`,
}));
const KEY = 'k'.repeat(22);

const texts = (page) => page.locator('.text').allTextContents();
const begins = (page, ...contents) => until(async () => (await texts(page)).slice(0, contents.length).join() === contents.join(), `the order ${contents}`);
const without = (options) => visit(server.url, { javaScriptEnabled: false, ...options });

/** Somebody who has written here before, with this key. */
const known = (key = KEY, name = 'Grace') => ({
  storageState: { cookies: [], origins: [{ origin: server.url, localStorage: [{ name: `sayso ${server.url} me`, value: JSON.stringify({ key, name, author: pseudonym(key) }) }] }] },
});

/** A reader where no WebSocket gets through. */
async function polling(options) {
  const context = await newPerson(options);
  await context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
  const page = await context.newPage();
  await page.goto(server.url);
  await page.locator('.state[data-state=polling]').waitFor();
  return page;
}

// Flags
for (const [what, open] of [['over the socket', live], ['where no socket gets through', polling]]) {
  test(`a reader flags a comment once, ${what}`, async () => {
    await moderated({ lines: LINES(2) });
    const page = await open();
    await choose(comment(page, 'comment 1'), 'Flag');
    await page.getByRole('menuitem', { name: 'Flagged. Thank you.' }).waitFor();
    assert.match(await page.locator('[role=status]').textContent(), /Flagged\. Thank you\./);
    await page.keyboard.press('Escape');
    assert.deepEqual(flagged(), [1]);
    await page.reload();
    await page.locator('.state:is([data-state=live], [data-state=polling])').waitFor();
    await comment(page, 'comment 1').locator('.dots').click();
    await page.getByRole('menuitem', { name: 'Flagged. Thank you.' }).press('Enter');
    await page.keyboard.press('Escape');
    await choose(comment(page, 'comment 2'), 'Flag');
    await until(() => flagged().length > 1, 'the second flag');
    assert.deepEqual(flagged(), [1, 2]);
  });
}

test('nobody flags a comment of their own, and a flag that is refused says why', async () => {
  await moderated({ lines: LINES(1) });
  const page = await live();
  await say(page, 'mine', 'Grace');
  await isConfirmed(page, 'mine');
  await comment(page, 'mine').locator('.dots').click();
  assert.deepEqual(await page.getByRole('menuitem').allTextContents(), ['Edit', 'Delete', 'Copy link', 'Your comments']);
  await page.keyboard.press('Escape');
  await ban({ comment: 2 });
  await choose(comment(page, 'comment 1'), 'Flag');
  await comment(page, 'comment 1').getByText('You can’t write here any more.').waitFor();
  assert.deepEqual(flagged(), []);
});

// Pins
test('pinned comments are first in every order, also those that the history does not have', async () => {
  await moderated({ lines: LINES(70) });
  await pin(65);
  await pin(3);
  const page = await live();
  await begins(page, 'comment 65', 'comment 3', 'comment 70', 'comment 69');
  assert.deepEqual(await page.locator('.mark').allTextContents(), ['Pinned', 'Pinned']);
  assert.equal(await page.locator('.older').textContent(), 'Older comments · 19');
  const order = page.getByRole('combobox', { name: 'Order of comments' });
  for (const [name, ...first] of [['Oldest', 'comment 1', 'comment 2', 'comment 4'], ['Most liked', 'comment 70', 'comment 69'], ['Newest', 'comment 70', 'comment 69']]) {
    await order.selectOption(name);
    await begins(page, 'comment 65', 'comment 3', ...first);
  }
  // To find the most liked, all of them were asked for.
  assert.equal((await texts(page)).length, 70);
});

test('a comment that is pinned or no longer pinned while one reads moves', async () => {
  await moderated({ lines: LINES(60) });
  const page = await live();
  await begins(page, 'comment 60', 'comment 59');
  await pin(58);
  await begins(page, 'comment 58', 'comment 60', 'comment 59', 'comment 57');
  await pin(2);
  await begins(page, 'comment 58', 'comment 2', 'comment 60');
  await server.post({ content: 'what has just come' });
  await begins(page, 'comment 58', 'comment 2', 'what has just come', 'comment 60');
  await pin(58, false);
  await begins(page, 'comment 2', 'what has just come', 'comment 60', 'comment 59', 'comment 58');
  await pin(2, false);
  await begins(page, 'what has just come', 'comment 60');
  assert.equal(await page.locator('.mark').count(), 0);
  assert.equal((await texts(page)).at(-1), 'comment 2', 'it is beyond what is not loaded');
});

test('where no socket gets through, pins and the end of a conversation come all the same', async () => {
  await moderated({ lines: LINES(60) });
  const page = await polling();
  await pin(2);
  await begins(page, 'comment 2', 'comment 60');
  await lock();
  await page.locator('.closed').waitFor();
});

test('an answer that is pinned brings its thread to the front', async () => {
  const lines = LINES(60);
  Object.assign(lines[59], { parent: 3 });
  await moderated({ lines });
  await pin(60);
  const page = await live();
  await begins(page, 'comment 3', 'comment 60', 'comment 59');
  await comment(page, 'comment 60').locator('.mark', { hasText: 'Pinned' }).waitFor();
  assert.equal(await comment(page, 'comment 3').locator('.mark').count(), 0);
});

test('without JavaScript, pinned comments are first as well', async () => {
  await moderated({ lines: LINES(70) });
  await pin(65);
  await pin(3);
  const page = await without();
  await begins(page, 'comment 65', 'comment 3', 'comment 70', 'comment 69');
  assert.deepEqual(await page.locator('.mark').allTextContents(), ['Pinned', 'Pinned']);
  await page.locator('.older').click();
  await page.waitForURL(/before=21/);
  await begins(page, 'comment 20');
});

// Marks
test('what the site wrote and what a moderator edited says so, at once and in the served page', async () => {
  await moderated({ lines: LINES(2) });
  const page = await live();
  await write('from the *site*', 1);
  await page.locator('.comment', { hasText: 'from the site' }).locator('.mark', { hasText: 'Author' }).waitFor();
  await change(2, { content: 'comment 2, edited' });
  await comment(page, 'comment 2, edited').getByText('edited by a moderator').waitFor();
  for (const other of [await live(), await without()]) {
    const site = other.locator('.comment', { hasText: 'from the site' });
    await site.locator('.mark', { hasText: 'Author' }).waitFor();
    assert.equal(await site.locator('.name').textContent(), 'ada');
    await comment(other, 'comment 2, edited').getByText('edited by a moderator').waitFor();
    assert.equal(await other.locator('.mark').count(), 1);
  }
});

test('a moderator\'s name is lent to nobody', async () => {
  const lines = LINES(4);
  const author = pseudonym(KEY);
  Object.assign(lines[0], { name: 'Ada', author });
  Object.assign(lines[1], { name: 'mіа' });
  Object.assign(lines[2], { name: 'Adam', author });
  await moderated({ lines });
  const pages = [await live(), await without()];
  for (const page of pages) {
    await comment(page, 'comment 1').locator('.alias', { hasText: `#${author.slice(0, 6)}` }).waitFor();
    await comment(page, 'comment 2').locator('.alias', { hasText: 'Anonymous' }).waitFor();
    assert.equal(await page.locator('.alias').count(), 2);
  }
  await server.post({ content: 'live', name: 'ＡＤＡ', key: KEY });
  await comment(pages[0], 'live').locator('.alias').waitFor();
});

test('names that look alike are told in the widget as on the server', async () => {
  const page = await visit();
  const same = await page.evaluate(async () => {
    const { namesake } = await import('/widget/namesake.js');
    // The same names as in src/web/html/namesake.rs.
    return [
      ['ada', 'Ada', 'ÂDÁ', ' a.d-a ', 'аda', 'ⒶⒹⒶ', 'a\u200bda', 'Ａｄａ', 'αԁа'], ['Iris', 'lris'], ['bill', 'BI11'], ['Ægir', 'aegir'], ['ΩMEGA', 'wmega'],
      ['Łukasz', 'lukasz'], ['JURY', 'ЈURУ'],
    ].map((names) => new Set(names.map(namesake)).size);
  });
  assert.deepEqual(same, same.map(() => 1));
});

// A closed conversation
test('a conversation that closes says so in the place of each field, and what was typed is there when it opens again', async () => {
  await moderated({ lines: LINES(3) });
  const page = await live();
  await page.locator('.input').first().fill('half a thought');
  await comment(page, 'comment 3').locator('.reply').click();
  await page.locator('.item .input').fill('half an answer');
  await lock();
  await until(async () => await page.getByText('This conversation is closed.').and(page.locator('.closed')).count() === 2, 'both to be closed');
  assert.equal(await page.locator('.input:visible').count(), 0);
  assert.equal(await page.locator('.reply').count(), 0);
  assert.match(await page.locator('[role=status]').textContent(), /This conversation is closed/);
  await page.reload();
  await isLive(page);
  await page.locator('.closed').first().waitFor();
  assert.equal(await page.locator('.input:visible').count(), 0);
  assert.equal(await page.locator('.reply').count(), 0);
  await lock('/', false);
  await until(async () => await page.locator('.closed').count() === 0, 'it to open');
  assert.equal(await page.locator('.input').first().inputValue(), 'half a thought');
  assert.equal(await page.locator('.item .input').inputValue(), 'half an answer');
  assert.equal(await page.locator('.reply').count(), 3);
  await page.locator('.send').first().click();
  await isConfirmed(page, 'half a thought');
});

test('what was written while there was no connection to a conversation that has closed is kept', async () => {
  await moderated({ lines: LINES(1) });
  const page = await live();
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await page.locator('.state:not([data-state=live])').waitFor();
  await say(page, 'too late');
  await comment(page, 'too late').getByText('waits for the connection').waitFor();
  await lock();
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await page.locator('.closed').waitFor();
  await until(async () => await comment(page, 'too late').count() === 0, 'it to come back');
  await lock('/', false);
  await page.locator('.input:visible').first().waitFor();
  assert.equal(await page.locator('.input').first().inputValue(), 'too late');
});

test('an empty conversation that is closed invites nobody', async () => {
  await moderated();
  await lock();
  for (const page of [await live(), await without()]) {
    await page.locator('.closed').waitFor();
    assert.equal(await page.getByText('Say the first word').and(page.locator(':visible')).count(), 0);
  }
});

test('without JavaScript, a closed conversation has no form, and what was being written is not lost', async () => {
  await moderated({ lines: LINES(1) });
  const page = await without();
  await page.getByRole('textbox', { name: 'Comment' }).fill('half a thought');
  await lock();
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.closed', { hasText: 'This conversation is closed.' }).waitFor();
  assert.equal(await page.getByRole('textbox', { name: 'Comment' }).inputValue(), 'half a thought');
  assert.equal(await page.getByRole('button').count(), 0);
  await page.goto(server.url);
  await page.locator('.closed').waitFor();
  assert.equal(await page.getByRole('textbox').count(), 0);
  assert.equal((await server.comments()).length, 1);
});

// What is said to an author alone
test('a held comment waits for approval for its author alone, and comes alive at its place', async () => {
  await moderated({ lines: LINES(3), flags: ['--hold', 'all'] });
  const [author, other] = [await live(), await live()];
  await say(author, 'held', 'Grace');
  await comment(author, 'held').getByText('Waiting for approval').waitFor();
  const { id } = (await comment(author, 'held').locator('.when').getAttribute('href')).match(/#sayso-(?<id>\d+)$/).groups;
  await say(author, 'held, too');
  await comment(author, 'held, too').getByText('Waiting for approval').waitFor();
  assert.equal(await comment(other, 'held').count(), 0);
  await approve(id);
  await comment(other, 'held').waitFor();
  await until(async () => await comment(author, 'held').getByText('Waiting for approval').count() === 0, 'it to come alive');
  assert.deepEqual((await texts(author)).slice(0, 3), ['held, too', 'held', 'comment 3']);
  await comment(author, 'held').getByRole('button', { name: 'Reply' }).waitFor();
});

test('an author alone is told the reason, at once and on the next visit', async () => {
  const lines = LINES(5);
  for (const line of lines.slice(0, 4)) Object.assign(line, { author: pseudonym(KEY), name: 'Grace' });
  Object.assign(lines[4], { parent: 1 });
  await moderated({ lines });
  const [author, other] = [await live(server.url, known()), await live()];
  await hide(1, 'Off topic');
  await hide(2, 'Rude');
  await remove(3, 'Spam');
  await change(4, { content: 'comment 4, edited', reason: 'Without the address' });
  for (const page of [author, await live(server.url, known())]) {
    for (const words of ['Hidden by a moderator: Off topic', 'Hidden by a moderator: Rude', 'Deleted by a moderator: Spam']) await page.getByText(words).waitFor();
    await comment(page, 'comment 4, edited').getByText('A moderator: Without the address').waitFor();
    const said = await page.locator('.comment').allInnerTexts();
    assert.deepEqual(said.map((text) => /comment \d|Off topic|Rude|Spam/.exec(text)?.[0]), ['comment 4', 'Spam', 'Rude', 'Off topic', 'comment 5'], 'each at its place');
  }
  await comment(other, 'comment 4, edited').waitFor();
  for (const page of [other, await live()]) {
    assert.equal(await page.getByText('moderator:').count(), 0);
    assert.equal(await page.getByText('Deleted').and(page.locator(':visible')).count(), 1, 'what answers hang below');
  }
  await approve(2);
  await comment(author, 'comment 2').waitFor();
  assert.equal(await author.getByText('Rude').count(), 0);
});

// Refusals
test('somebody who is banned is told so, and may still delete', async () => {
  await moderated();
  const page = await live();
  await say(page, 'mine', 'Grace');
  await isConfirmed(page, 'mine');
  await ban({ comment: 1, seconds: 86_400 });
  await say(page, 'more');
  await page.locator('.error', { hasText: /^You can’t write here until \w+ \d+, \d{4} at / }).waitFor();
  assert.equal(await page.locator('.input').first().inputValue(), 'more');
});

test('the script takes over without moving anything where moderators have been', async () => {
  const lines = LINES(70);
  Object.assign(lines[68], { name: 'Ada', author: pseudonym(KEY) });
  await moderated({ lines });
  await pin(2);
  await pin(66);
  await write('from the site');
  await change(68, { content: 'comment 68, edited' });
  await lock();
  const layout = (page) => page.locator('.avatar, .name, .text, .mark, .closed, .brand, .alias').evaluateAll((all) => all.map((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return `${node.getAttribute('class')} ${[x, y, width, height].map(Math.round)}`;
  }));
  const context = await newPerson();
  const page = await context.newPage();
  await page.route('**/embed.js', (route) => route.abort());
  await page.goto(server.url);
  const served = await layout(page);
  assert.ok(served.length > 100, `${served.length}`);
  await page.unrouteAll();
  await page.reload();
  await isLive(page);
  assert.deepEqual(await layout(page), served);
});

for (const [what, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['forced colours', { forcedColors: 'active' }]]) {
  test(`axe finds nothing to complain about where moderators have been, ${what}`, async () => {
    const lines = LINES(4);
    Object.assign(lines[0], { name: 'Ada' });
    for (const line of lines.slice(1, 3)) Object.assign(line, { author: pseudonym(KEY), name: 'Grace' });
    await moderated({ lines });
    await pin(1);
    await write('from the site', 1);
    await hide(2, 'Off topic');
    await change(3, { content: 'comment 3, edited', reason: 'Without the address' });
    const page = await live(server.url, { ...known(), ...options, bypassCSP: true, reducedMotion: 'reduce' });
    for (const words of ['Hidden by a moderator: Off topic', 'A moderator: Without the address']) await page.getByText(words).waitFor();
    await page.locator('.alias').waitFor();
    await choose(comment(page, 'comment 4'), 'Flag');
    await page.getByRole('menuitem', { name: 'Flagged. Thank you.' }).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    await lock();
    await page.locator('.closed').waitFor();
    assert.deepEqual(await violations(page), []);
  });
}
