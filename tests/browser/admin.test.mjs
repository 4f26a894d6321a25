/** The page for moderators, as two of them use it at the same time, one of them on a phone, with readers at the other end. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

import { PHONE, TOKENS, act, entry, moderated, texts, toast } from './admin.mjs';
import { BINARY, until } from './harness.mjs';
import { comment } from './page.mjs';

const KEY = 'k'.repeat(22);
const LINK = 'https://example.com/';

/** So many held comments, oldest first. */
async function hold(server, n, more = {}) {
  const made = [];
  for (let i = 1; i <= n; i++) made.push(await server.post({ content: `held ${i} ${LINK}${i}`, name: `Writer ${i}`, key: `${KEY}${i}`, ...more }));
  return made;
}

const statusOf = async ({ ask }, id) => {
  const { comments } = await ask('GET', `admin/comments?q=${encodeURIComponent(`/#sayso-${id}`)}`);
  const [line] = comments;
  return line?.deleted ? 'deleted' : line?.status ?? 'public';
};

test('a token is asked for once in a tab, a wrong one is refused in words, and signing out forgets it', async (t) => {
  const { open } = await moderated(t);
  const page = await open('/admin');
  await page.getByLabel('Token').fill('x'.repeat(43));
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
  await page.getByLabel('Token').fill(TOKENS.ada);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Account of ada' }).waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'Account of ada' }).click();
  assert.ok(!page.url().includes(TOKENS.ada));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Token').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('an address that somebody has typed by hand is taken as it is', async (t) => {
  const { moderator, reader, server } = await moderated(t);
  await server.post({ content: 'all 100% of it' });
  await server.post({ content: 'nothing of it' });
  await reader();
  const page = await moderator('ada', undefined, '#search=100%');
  await entry(page, '100%').waitFor();
  assert.deepEqual(await texts(page), ['all 100% of it']);
});

test('whose token is taken away is signed out, with a sentence', async (t) => {
  const { server, moderator, file } = await moderated(t);
  const grace = await moderator('grace');
  writeFileSync(file, `ada ${TOKENS.ada}\n`);
  server.process.kill('SIGHUP');
  await grace.getByLabel('Token').waitFor();
  await grace.getByRole('alert').filter({ hasText: /\w/ }).waitFor();
});

test('what is held is approved on a phone, and comes to all readers at its place', async (t) => {
  const here = await moderated(t);
  const { server, moderator, reader } = here;
  const first = await server.post({ content: 'before', name: 'Ada' });
  const readers = [await reader(), await reader(), await reader('/', PHONE)];
  const grace = await moderator('grace', PHONE);
  const ada = await moderator('ada');
  await server.post({ content: `held ${LINK}`, name: 'Marek', key: KEY, parent: first.id });
  await server.post({ content: 'after', name: 'Radia' });
  const held = entry(grace, 'held');
  await held.getByText('1 link', { exact: true }).waitFor();
  await held.getByText('answers Ada: before').waitFor();
  assert.equal(await held.locator('mark').textContent(), LINK);
  await until(async () => await ada.title() === '(1) Waiting · sayso', 'the tab to say so');
  assert.match(await ada.locator('link[rel=icon]').getAttribute('href'), /%3E1%3C/);
  await held.getByRole('button', { name: 'Approve' }).tap();
  for (const page of readers) {
    await comment(page, `held ${LINK}`).waitFor();
    const order = await page.locator('.list .text').allTextContents();
    assert.deepEqual(order, ['after', 'before', `held ${LINK}`]);
  }
  // The other one sees that it is done, and by whom.
  await until(async () => await ada.title() === 'Waiting · sayso', 'nothing to wait');
  await entry(ada, 'held').getByText('approved by grace').waitFor();
  await ada.getByText(/Nothing waits\. Last decision .* by grace\./).waitFor();
});

test('hiding is taken back within ten seconds, and so is approving', async (t) => {
  const here = await moderated(t);
  const { server, moderator, reader } = here;
  const { id } = await server.post({ content: 'cheap watches', name: 'Spam', key: KEY });
  const page = await reader();
  const ada = await moderator('ada', undefined, '#newest');
  await act(ada, 'cheap watches', 'hide');
  await toast(ada, 'Hidden: “cheap watches”').waitFor();
  await until(async () => !await comment(page, 'cheap watches').isVisible(), 'it to go');
  await entry(ada, 'cheap watches').getByText('hidden by ada').waitFor();
  await ada.getByRole('button', { name: /^Undo/ }).click();
  await comment(page, 'cheap watches').waitFor();
  assert.equal(await statusOf(here, id), 'public');
  const [held] = await hold(server, 1);
  await ada.getByRole('link', { name: /^Waiting/ }).click();
  await act(ada, 'held 1', 'hide');
  await toast(ada, 'Hidden: “held 1').waitFor();
  await until(async () => (await here.ask('GET', 'admin/comments?status=hidden')).comments.length === 1, 'it to be rejected');
  await ada.keyboard.press('z');
  await until(async () => (await here.ask('GET', 'admin/comments?status=pending')).comments.length === 1, 'it to wait again');
  await entry(ada, 'held 1').locator('[data-verb=approve]').click();
  await until(async () => await statusOf(here, held.id) === 'public', 'it to be approved');
  await ada.keyboard.press('z');
  await toast(ada, 'under Hidden').waitFor();
  assert.equal(await statusOf(here, held.id), 'hidden');
});

test('what is deleted is hidden at once, gone after ten seconds, and gone from the file after a compaction', async (t) => {
  const here = await moderated(t);
  const { server, moderator, reader } = here;
  const { id } = await server.post({ content: 'an insult', name: 'Rude', key: KEY });
  const page = await reader();
  const ada = await moderator('ada', undefined, '#newest');
  await ada.clock.install();
  await act(ada, 'an insult', 'delete');
  await until(async () => !await comment(page, 'an insult').isVisible(), 'it to go');
  assert.equal(await statusOf(here, id), 'hidden');
  await ada.clock.runFor(10_500);
  await until(async () => await statusOf(here, id) === 'deleted', 'it to be deleted');
  execFileSync(BINARY, ['compact', '--data', server.folder]);
  await until(() => !readFileSync(server.log, 'utf8').includes('an insult'), 'the file to be without it');
});

test('a deletion that waits is done when the tab is closed', async (t) => {
  const here = await moderated(t);
  const { id } = await here.server.post({ content: 'an insult', name: 'Rude', key: KEY });
  const ada = await here.moderator('ada', undefined, '#newest');
  await act(ada, 'an insult', 'delete');
  await until(async () => await statusOf(here, id) === 'hidden', 'it to be hidden');
  await ada.close({ runBeforeUnload: true });
  await until(async () => await statusOf(here, id) === 'deleted', 'it to be deleted');
});

test('somebody is banned while their page is open, with all of theirs, and one undoing brings it back', async (t) => {
  const here = await moderated(t);
  const { server, moderator, reader } = here;
  const spammer = await reader();
  for (const words of ['spam one', 'spam two']) {
    await spammer.locator('.input').first().fill(words);
    await spammer.getByRole('button', { name: 'Send' }).first().click();
    await comment(spammer, words).locator('time').waitFor();
  }
  const page = await reader();
  const ada = await moderator('ada', undefined, '#newest');
  await entry(ada, 'spam one').locator('[data-verb=dots]').click();
  await ada.keyboard.press('b');
  const dialog = ada.getByRole('dialog', { name: /^Ban / });
  await dialog.getByLabel('Hide all of theirs').check();
  await dialog.getByRole('button', { name: 'Ban', exact: true }).click();
  await toast(ada, /Banned: .*2 hidden/).waitFor();
  for (const words of ['spam one', 'spam two']) await until(async () => !await comment(page, words).isVisible(), `${words} to go`);
  await spammer.locator('.input').first().fill('spam three');
  await spammer.getByRole('button', { name: 'Send' }).first().click();
  await spammer.locator('.error', { hasText: /\w/ }).first().waitFor();
  assert.equal((await here.ask('GET', 'admin/bans')).bans.length, 1);
  await ada.getByRole('button', { name: /^Undo/ }).click();
  for (const words of ['spam one', 'spam two']) await comment(page, words).waitFor();
  assert.equal((await here.ask('GET', 'admin/bans')).bans.length, 0);
});

test('an author is held from their card, listed under Banned and lifted there', async (t) => {
  const here = await moderated(t);
  const { server, moderator } = here;
  await server.post({ content: 'hello', name: 'Marek', key: KEY });
  const ada = await moderator('ada', undefined, '#newest');
  await entry(ada, 'hello').getByRole('button', { name: 'Marek' }).click();
  const card = ada.getByRole('dialog', { name: 'About Marek' });
  await card.getByLabel('Private note').fill('Writes from the moon.');
  await card.getByRole('button', { name: 'Save' }).click();
  await toast(ada, 'Saved').waitFor();
  await card.getByRole('button', { name: 'Hold what they write' }).click();
  await toast(ada, 'On hold: “Marek”').waitFor();
  await server.post({ content: 'and more', name: 'Marek', key: KEY });
  await ada.getByRole('link', { name: /^Waiting/ }).click();
  await entry(ada, 'and more').getByText('author on hold').waitFor();
  await ada.getByRole('link', { name: /^Banned/ }).click();
  await ada.locator('.bans', { hasText: 'on hold for ever' }).waitFor();
  await ada.clock.install();
  await ada.getByRole('button', { name: 'Lift' }).click();
  await ada.clock.runFor(10_500);
  await ada.getByText('Nobody is banned.').waitFor();
  assert.equal((await here.ask('GET', 'admin/bans')).bans.length, 0);
});

test('a page is locked, marked, and opened again, and its readers see that at once', async (t) => {
  const here = await moderated(t);
  const { server, moderator, reader } = here;
  await server.post({ content: 'hello', page: 'a' });
  const page = await reader('/?page=a');
  const ada = await moderator();
  await ada.getByRole('link', { name: /^a / }).click();
  await ada.getByRole('button', { name: 'Lock page' }).click();
  await ada.locator('.nav .pages .lock').waitFor();
  await page.locator('.closed').waitFor();
  assert.equal(await page.locator('.input').isVisible(), false);
  await assert.rejects(server.post({ content: 'more', page: 'a' }), /403/);
  await ada.getByRole('button', { name: 'Unlock page' }).click();
  await until(async () => await ada.locator('.nav .pages .lock').count() === 0, 'the mark to go');
  await page.locator('.input').waitFor();
  await server.post({ content: 'more', page: 'a' });
});

test('flags hide a comment and queue it; keeping it settles them', async (t) => {
  const here = await moderated(t, { flags: ['--flags-hold', '2', '--trust-proxy', '127.0.0.1/32'] });
  const { server, moderator, reader } = here;
  const { id } = await server.post({ content: 'is this rude?', name: 'Ada', key: KEY });
  const page = await reader();
  const ada = await moderator();
  for (const n of [1, 2]) {
    const headers = { authorization: `Bearer ${n}${KEY}`, 'x-forwarded-for': `192.0.2.${n}` };
    const answer = await fetch(`${server.url}/api/comments/${id}/flag`, { method: 'POST', headers });
    assert.equal(answer.status, 204);
  }
  await until(async () => !await comment(page, 'is this rude?').isVisible(), 'it to go');
  await ada.getByRole('link', { name: /^Flagged 1/ }).click();
  await entry(ada, 'is this rude?').getByText('2 flags').waitFor();
  await ada.keyboard.press('a');
  await comment(page, 'is this rude?').waitFor();
  await ada.getByRole('link', { name: /^Flagged 0/ }).waitFor();
});

test('the keyboard alone makes ten decisions', async (t) => {
  const here = await moderated(t);
  const { server, moderator } = here;
  const made = await hold(server, 10);
  const ada = await moderator();
  await ada.clock.install();
  const press = (...keys) => keys.reduce((before, key) => before.then(() => ada.keyboard.press(key)), Promise.resolve());
  // Each decision goes on to the next.
  await press('a', 'h', 'a', 'd');
  await press('w', '2', 'h');
  await press('x', 'j', 'x', 'a');
  await press('e');
  await ada.keyboard.type('Changed: ');
  await press('Control+Enter');
  await toast(ada, 'Changed: ').waitFor();
  await press('a');
  await press('b', 'Escape', 'k', 'j', 'r');
  await ada.keyboard.type('Thanks.');
  await press('Control+Enter');
  await toast(ada, 'Answered: “Thanks.”').waitFor();
  await press('j', 'd');
  await ada.getByText('Nothing waits.').waitFor();
  await ada.clock.runFor(10_500);
  const states = async () => {
    const found = [];
    for (const { id } of made) found.push(await statusOf(here, id));
    return found;
  };
  await until(async () => (await states()).join() === 'public,pending,public,deleted,pending,public,public,public,public,deleted', 'all to be decided');
  const { comments } = await here.ask('GET', 'admin/comments?status=hidden');
  assert.deepEqual(comments.map(({ note }) => note.reason), ['Advertising', undefined]);
});

test('two moderators see each other\'s decisions with the name, greyed, until they clear them', async (t) => {
  const here = await moderated(t);
  await hold(here.server, 3);
  const [ada, grace] = [await here.moderator('ada'), await here.moderator('grace', PHONE)];
  await act(grace, 'held 2', 'approve');
  await entry(ada, 'held 2').getByText('approved by grace').waitFor();
  assert.deepEqual((await texts(ada)).map((words) => words.slice(0, 6)), ['held 1', 'held 2', 'held 3']);
  assert.match(await entry(ada, 'held 2').getAttribute('class'), /over/);
  await act(ada, 'held 1', 'hide');
  await act(ada, 'held 3', 'approve');
  await entry(grace, 'held 1').getByText('rejected by ada').waitFor();
  await ada.getByRole('button', { name: 'Clear what is decided' }).click();
  assert.deepEqual(await texts(ada), []);
});

test('of two who decide at the same time one is told that the other was quicker', async (t) => {
  const here = await moderated(t);
  const [{ id }] = await hold(here.server, 1);
  const ada = await here.moderator('ada');
  await ada.route(/api\/comments\/\d+$/, async (route) => {
    await here.ask('PATCH', `comments/${id}`, { status: 'public' }, 'grace');
    await route.continue();
  }, { times: 1 });
  await ada.keyboard.press('h');
  await toast(ada, 'Somebody else has just decided on it.').waitFor();
  await entry(ada, 'held 1').getByText('approved by grace').waitFor();
  assert.equal(await statusOf(here, id), 'public');
});

test('nobody decides on a text that has changed meanwhile', async (t) => {
  const here = await moderated(t);
  const { server, moderator } = here;
  const [{ id }] = await hold(server, 1);
  const ada = await moderator();
  const change = async (content) => {
    const headers = { authorization: `Bearer ${KEY}1`, 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}/api/comments/${id}`, { method: 'PATCH', headers, body: JSON.stringify({ content }) });
    assert.equal(answer.status, 200);
  };
  await change(`new words ${LINK}`);
  await entry(ada, 'new words').getByText('changed meanwhile').waitFor();
  await ada.keyboard.press('a');
  await toast(ada, 'The text has changed').waitFor();
  assert.equal(await statusOf(here, id), 'pending');
  // Nor where the change has not come yet.
  await ada.route(/api\/comments\/\d+$/, async (route) => {
    await change(`newer words ${LINK}`);
    await route.continue();
  }, { times: 1 });
  await ada.keyboard.press('a');
  await entry(ada, 'newer words').getByText('changed meanwhile').waitFor();
  await until(async () => await ada.locator('.row[aria-busy]').count() === 0, 'the answer');
  assert.equal(await statusOf(here, id), 'pending');
  await ada.keyboard.press('a');
  await until(async () => await statusOf(here, id) === 'public', 'it to be approved');
});

test('the queue never moves: new ones gather behind a button, and what is selected stays', async (t) => {
  const here = await moderated(t);
  await hold(here.server, 2);
  const ada = await here.moderator();
  await ada.keyboard.press('j');
  await ada.keyboard.press('x');
  const place = await entry(ada, 'held 2').boundingBox();
  for (const n of [3, 4]) await here.server.post({ content: `held ${n} ${LINK}` });
  await ada.getByRole('button', { name: '2 new' }).waitFor();
  assert.deepEqual(await entry(ada, 'held 2').boundingBox(), place);
  assert.equal((await texts(ada)).length, 2);
  await ada.keyboard.press('n');
  await entry(ada, 'held 4').waitFor();
  assert.deepEqual((await texts(ada)).map((words) => words.slice(0, 6)), ['held 1', 'held 2', 'held 3', 'held 4']);
  assert.ok(await entry(ada, 'held 2').getByRole('checkbox').isChecked());
});

test('several are decided at once, and taken back at once', async (t) => {
  const here = await moderated(t);
  await hold(here.server, 5);
  const ada = await here.moderator();
  await ada.getByRole('button', { name: 'Select all' }).click();
  await ada.getByText('5 selected').waitFor();
  await ada.locator('.bulk .hide').click();
  await toast(ada, 'Hidden: 5 comments').waitFor();
  const pending = async () => (await here.ask('GET', 'admin/comments?status=pending')).comments.length;
  await until(async () => await pending() === 0, 'none to wait');
  await ada.getByRole('button', { name: /^Undo/ }).click();
  await until(async () => await pending() === 5, 'all to wait again');
});

test('a thread is shown whole, with what waits in it, and a pasted permalink finds its comment', async (t) => {
  const here = await moderated(t);
  const { server, moderator } = here;
  const first = await server.post({ content: 'question', name: 'Ada' });
  const held = await server.post({ content: `held answer ${LINK}`, name: 'Grace', parent: first.id });
  await server.post({ content: 'public answer', name: 'Radia', parent: first.id });
  await server.post({ content: 'another thread' });
  const ada = await moderator();
  await entry(ada, 'held answer').getByRole('link', { name: 'answers Ada: question' }).click();
  await entry(ada, 'public answer').waitFor();
  assert.deepEqual(await texts(ada), ['question', `held answer ${LINK}`, 'public answer']);
  await act(ada, 'held answer', 'approve');
  await until(async () => await statusOf(here, held.id) === 'public', 'it to be approved');
  await ada.keyboard.press('/');
  await ada.keyboard.type(`${server.url}/?page=%2F#sayso-${first.id}`);
  await ada.keyboard.press('Enter');
  await until(async () => (await texts(ada)).join() === 'question', 'it to be found');
});

test('after a break it catches up with what was missed', async (t) => {
  const here = await moderated(t);
  const { server, moderator } = here;
  await hold(server, 2);
  const ada = await moderator();
  const [first] = (await here.ask('GET', 'admin/comments?status=pending')).comments.reverse();
  await server.kill();
  await ada.locator('.live:not([data-state=live])').waitFor();
  await server.start();
  await here.ask('PATCH', `comments/${first.id}`, { status: 'public' }, 'grace');
  await hold(server, 1, { key: `other ${KEY}`, content: `held later ${LINK}` });
  await ada.locator('.live[data-state=live]').waitFor();
  await entry(ada, 'held 1').getByText('approved by grace').waitFor();
  await ada.getByRole('button', { name: '1 new' }).waitFor();
});
