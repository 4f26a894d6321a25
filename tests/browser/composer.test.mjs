/** Writing, answering, editing and deleting: nothing typed is lost. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { live, newPerson, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { choose, comment, isConfirmed, isLive, remove, say } from './page.mjs';

test('a comment is answered, edited and deleted in place, for everyone', async () => {
  const ada = await live();
  const grace = await live();
  await say(ada, 'Who answers?', 'Ada');
  await isConfirmed(grace, 'Who answers?');
  await comment(grace, 'Who answers?').locator('.dots').click();
  assert.deepEqual(await grace.getByRole('menuitem').allTextContents(), ['Flag', 'Copy link']);
  await grace.keyboard.press('Escape');

  await comment(grace, 'Who answers?').getByRole('button', { name: 'Reply' }).click();
  await grace.getByPlaceholder('Answer Ada…').fill('I do');
  await grace.locator('.item .who').fill('Grace');
  await grace.locator('.item').getByRole('button', { name: 'Send' }).click();
  await isConfirmed(ada, 'I do');
  assert.equal(await ada.locator('.answers .text').textContent(), 'I do');

  await choose(comment(grace, 'I do'), 'Edit');
  await grace.locator('.comment textarea').fill('I *certainly* do');
  await grace.getByRole('button', { name: 'Save' }).click();
  for (const page of [ada, grace]) {
    await page.locator('.answers em', { hasText: 'certainly' }).waitFor();
    await page.locator('.answers .edited').waitFor();
  }

  await remove(ada, comment(ada, 'Who answers?'));
  for (const page of [ada, grace]) {
    await page.locator('.gone', { hasText: 'Deleted' }).waitFor();
    assert.equal(await page.getByText('Who answers?').count(), 0);
    await until(async () => await page.locator('.count').textContent() === '1', 'one to be left');
  }

  const answer = grace.locator('.comment', { has: grace.locator('em') });
  await remove(grace, answer);
  for (const page of [ada, grace]) await page.getByText('No comments yet').waitFor();
  assert.equal(await ada.locator('.comment:visible').count(), 0);
});

test('what the server refuses is shown at the field, and nothing typed is lost', async () => {
  const ada = await live();
  const content = 'a bell \u0007 rings';
  await say(ada, content, 'Ada');
  await ada.getByText(/^Content has the control character U\+0007/).waitFor();
  assert.equal(await ada.getByRole('textbox', { name: 'Comment' }).inputValue(), content);
  assert.equal(await ada.getByRole('textbox', { name: 'Comment' }).getAttribute('aria-invalid'), 'true');
  assert.equal(await ada.locator('.comment').count(), 0);
  await ada.reload();
  await isLive(ada);
  assert.equal(await ada.getByRole('textbox', { name: 'Comment' }).inputValue(), content);
  await say(ada, 'a bell rings');
  await isConfirmed(ada, 'a bell rings');
});

test('an answer and an edit begun before a reload are there after it, and gone once sent or cancelled', async () => {
  await server.post({ content: 'a question', name: 'Grace' });
  const ada = await live();
  await say(ada, 'my own', 'Ada');
  await isConfirmed(ada, 'my own');
  await comment(ada, 'a question').getByRole('button', { name: 'Reply' }).click();
  await ada.locator('.item textarea').fill('half an answer');
  await choose(comment(ada, 'my own'), 'Edit');
  await ada.locator('.comment textarea').fill('my own, changed');
  for (let i = 0; i < 2; i++) {
    await ada.reload();
    await isLive(ada);
    await until(async () => await ada.locator('.item textarea').count() === 2, 'both fields');
    assert.deepEqual((await ada.locator('.item textarea').evaluateAll((all) => all.map(({ value }) => value))).sort(), ['half an answer', 'my own, changed']);
    assert.equal(await ada.evaluate(() => document.activeElement === document.body), true, 'the focus is nowhere');
  }
  await ada.locator('.comment form').getByRole('button', { name: 'Save' }).click();
  await comment(ada, 'my own, changed').locator('.edited').waitFor();
  await ada.locator('.item textarea').press('Escape');
  assert.equal(await ada.locator('.item textarea').inputValue(), 'half an answer', 'Escape throws nothing away');
  await ada.locator('.item form').getByRole('button', { name: 'Cancel' }).click();
  await ada.reload();
  await isLive(ada);
  await comment(ada, 'my own, changed').locator('.dots').waitFor();
  assert.equal(await ada.locator('.item textarea').count(), 0);
});

test('an answer to what has been deleted meanwhile keeps its text', async () => {
  const key = 'k'.repeat(22);
  const { id } = await server.post({ content: 'short-lived', key });
  const ada = await live();
  await comment(ada, 'short-lived').getByRole('button', { name: 'Reply' }).click();
  await ada.locator('.item textarea').fill('long-lived');
  const gone = await fetch(`${server.url}/api/comments/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${key}` } });
  assert.equal(gone.status, 200);
  await ada.locator('.gone').waitFor();
  await ada.locator('.item').getByRole('button', { name: 'Send' }).click();
  await ada.getByText(/^There is no comment \d+ on this page to answer/).waitFor();
  assert.equal(await ada.locator('.item textarea').inputValue(), 'long-lived');
});

test('too long a comment is counted and not sent', async () => {
  const ada = await live();
  await ada.getByRole('textbox', { name: 'Comment' }).fill('x'.repeat(8_192 - 20));
  await ada.getByText('20 left').waitFor();
  await ada.getByRole('textbox', { name: 'Comment' }).fill('x'.repeat(8_192 + 20));
  await ada.getByText('20 too many').waitFor();
  await ada.getByRole('button', { name: 'Send' }).click();
  await ada.getByText('This is 8,212 bytes long; at most 8,192 fit.').waitFor();
  assert.equal((await server.comments()).length, 0);
});

test('where the part for writing could not be loaded, the text stays and is sent at the next try', async () => {
  const context = await newPerson();
  const ada = await context.newPage();
  await ada.route(/write\.js/, (route) => route.abort());
  await ada.goto(server.url);
  await ada.locator('.state[data-state=live]').waitFor();
  await say(ada, 'patience', 'Ada');
  await ada.getByText('There is no connection right now.').waitFor();
  assert.equal(await ada.getByRole('textbox', { name: 'Comment' }).inputValue(), 'patience');
  await ada.unrouteAll();
  await ada.getByRole('button', { name: 'Send' }).click();
  await isConfirmed(ada, 'patience');
});

test('by keyboard alone: write, answer, edit, delete', async () => {
  const ada = await live();
  const press = (...keys) => keys.reduce((done, key) => done.then(() => ada.keyboard.press(key)), Promise.resolve());
  const focused = () => ada.locator('.sayso :focus');
  await press('Tab');
  assert.equal(await focused().getAttribute('aria-label'), 'Comment');
  await ada.keyboard.type('one');
  await press('Control+Enter');
  await isConfirmed(ada, 'one');
  assert.equal(await focused().getAttribute('aria-label'), 'Comment');
  // Name, help, Send; then of each comment's row one button, and arrows to the others.
  await press('Tab', 'Tab', 'Tab', 'Tab');
  assert.equal(await focused().getAttribute('aria-label'), 'Like the comment by Anonymous');
  await press('ArrowRight');
  assert.equal(await focused().textContent(), 'Reply');
  await press('Enter');
  await ada.keyboard.type('two');
  await press('Control+Enter');
  await isConfirmed(ada, 'two');
  assert.equal(await focused().textContent(), 'Reply');
  await comment(ada, 'two').locator('.dots').focus();
  await press('Enter');
  assert.equal(await focused().textContent(), 'Edit');
  await press('Enter');
  await ada.keyboard.type('!');
  await press('Control+Enter');
  await comment(ada, 'two!').waitFor();
  assert.equal(await focused().textContent(), 'Reply');
  await press('ArrowRight', 'Enter', 'Escape');
  assert.equal(await focused().textContent(), '⋯');
  await press('Enter', 'ArrowDown', 'Enter');
  assert.equal(await focused().textContent(), 'Keep');
  await press('Escape');
  await press('ArrowRight', 'Enter', 'ArrowDown', 'Enter', 'Shift+Tab', 'Enter');
  assert.equal(await focused().textContent(), 'Undo');
  await comment(ada, 'two!').waitFor({ state: 'detached' });
});
