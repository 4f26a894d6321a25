/** Readers whom the page that embeds the comments has signed: their name, their comments, what moderators among them do, and what ends. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { violations } from './axe.mjs';
import { newPerson, serve, server } from './fixture.mjs';
import { until } from './harness.mjs';
import { choose, comment, isConfirmed, isLive, remove } from './page.mjs';
import { say } from './widget.mjs';

const SECRET = 's'.repeat(43);
const HOUR = 3_600;
const folder = mkdtempSync(join(tmpdir(), 'sayso-sign-on-'));
const file = join(folder, 'secret');
writeFileSync(file, SECRET, { mode: 0o600 });
process.on('exit', () => rmSync(folder, { recursive: true }));

/** A site with users; who they are is the site's to say: `user` is what its page says next. */
async function community(...flags) {
  const site = { user: '' };
  site.address = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'private, no-store' });
    response.end(`<!doctype html><html lang="en"><title>A site</title><link rel="icon" href="data:,">
      <script type="module" src="${server.url}/embed.js"></script>
      <main><h1>A site</h1><sayso-comments page="a" user="${site.user}"></sayso-comments></main></html>`);
  });
  await server.kill();
  server.flags = ['--allow-origin', site.address, '--sign-on-file', file, ...flags];
  await server.start();
  site.sign = (name, { ahead = HOUR, ...more } = {}) => {
    const claims = { id: name.toLowerCase(), name, site: site.address, until: Math.floor(Date.now() / 1_000) + ahead, ...more };
    const text = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('hex')}`;
  };
  return site;
}

/** A new browser on the site's page. */
async function visit(site, user, prepare = () => {}) {
  const context = await newPerson();
  await prepare(context);
  const page = await context.newPage();
  await come(page, site, user);
  return page;
}

async function come(page, site, user = '') {
  site.user = user;
  await page.goto(site.address);
  await page.locator('.state:is([data-state=live], [data-state=polling])').waitFor();
  await page.locator('.look').first().waitFor({ state: 'attached' });
}

const withoutSockets = (context) => context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
const field = (page) => page.locator('.input').first();
const become = (page, user) => page.locator('sayso-comments').evaluate((element, user) => {
  if (user) element.setAttribute('user', user);
  else element.removeAttribute('user');
}, user);
const isMine = (page, text) => comment(page, text).getByText('You', { exact: true });
const shown = (page) => page.locator('.text').allTextContents();
const menuOf = async (page, text) => {
  await comment(page, text).locator('.dots').click();
  const items = await page.getByRole('menuitem').allTextContents();
  await page.keyboard.press('Escape');
  return items;
};

for (const [what, prepare] of [['over the socket', undefined], ['where no socket gets through', withoutSockets]]) {
  test(`who is signed writes under the site’s name, and their comments are theirs in any browser, ${what}`, async () => {
    const site = await community();
    const ada = await visit(site, site.sign('Ada'), prepare);
    const composer = ada.locator('.composer').first();
    await composer.getByText('Ada', { exact: true }).waitFor();
    await composer.getByText('Verified', { exact: true }).waitFor({ state: 'attached' });
    assert.equal(await composer.locator('.who').isVisible(), false, 'no name is asked for');
    await say(ada, 'first');
    await isConfirmed(ada, 'first');
    await isMine(ada, 'first').waitFor();
    const [line] = await server.comments('a');
    assert.deepEqual([line.name, line.verified], ['Ada', true]);
    assert.equal(await ada.evaluate(() => Object.keys(localStorage).filter((key) => key.endsWith(' me')).length), 0, 'no key is made');

    const elsewhere = await visit(site, site.sign('Ada'), prepare);
    await isMine(elsewhere, 'first').waitFor();
    await choose(comment(elsewhere, 'first'), 'Edit');
    await elsewhere.locator('.item .input').fill('second');
    await elsewhere.getByRole('button', { name: 'Save' }).click();
    await comment(elsewhere, 'second').getByText('edited').waitFor();
    await comment(elsewhere, 'second').locator('.heart, .like').first().click();
    await until(async () => (await (await fetch(`${server.url}/api/comments?page=a`)).json()).likes[line.id] === 1, 'the heart');
    await remove(elsewhere, comment(elsewhere, 'second'));
    await until(async () => (await server.comments('a')).every(({ deleted }) => deleted), 'the deletion');
  });
}

test('everybody sees whose name is verified, and so does a screen reader', async () => {
  const site = await community();
  const reader = await visit(site);
  const ada = await visit(site, site.sign('Ada'));
  await say(ada, 'signed');
  await server.post({ page: 'a', content: 'unsigned', name: 'Ada' });
  await comment(reader, 'signed').getByText('Verified', { exact: true }).waitFor({ state: 'attached' });
  await comment(reader, 'unsigned').waitFor();
  assert.equal(await comment(reader, 'unsigned').locator('.verified').count(), 0);
  assert.equal(await comment(reader, 'signed').locator('.meta').textContent().then((words) => words.startsWith('Ada✓Verified')), true);
  assert.deepEqual(await violations(reader), []);
  assert.deepEqual(await violations(ada), []);
  const served = await newPerson({ javaScriptEnabled: false });
  const page = await served.newPage();
  await page.goto(`${server.url}/?page=a`);
  assert.deepEqual(await page.locator('.verified .unseen').allTextContents(), ['Verified']);
});

test('a user that has run out is said to be so, the host hears of it, and nothing typed is lost', async () => {
  const site = await community();
  const page = await visit(site, site.sign('Ada', { ahead: -1 }), (context) => context.addInitScript(() => {
    window.expired = [];
    document.addEventListener('sayso:expired', ({ target, detail }) => window.expired.push([target.localName, detail.code]));
  }));
  const words = page.getByText('Your sign-in has run out. Load the page again.');
  await words.waitFor();
  await until(() => page.evaluate(() => window.expired.join() === 'sayso-comments,user_expired'), 'the event');
  await field(page).fill('what I have to say');
  await words.waitFor({ state: 'hidden' });
  await page.locator('.send').first().click();
  await words.waitFor();
  assert.equal(await field(page).inputValue(), 'what I have to say');
  await become(page, site.sign('Ada'));
  await words.waitFor({ state: 'hidden' });
  assert.equal(await field(page).inputValue(), 'what I have to say');
  await page.locator('.send').first().click();
  await isConfirmed(page, 'what I have to say');
  await isMine(page, 'what I have to say').waitFor();
  assert.deepEqual((await server.comments('a')).map(({ name }) => name), ['Ada']);
});

test('a host that renews its user when it hears that it has run out', async () => {
  const site = await community();
  const fresh = site.sign('Ada');
  const page = await visit(site, site.sign('Ada', { ahead: -1 }), (context) => context.addInitScript((fresh) => {
    document.addEventListener('sayso:expired', ({ target }) => target.setAttribute('user', fresh));
  }, fresh));
  await until(() => page.locator('sayso-comments').getAttribute('user').then((user) => user === fresh), 'the new user');
  await say(page, 'renewed');
  await isConfirmed(page, 'renewed');
  assert.equal(await page.locator('.error').first().textContent(), '');
});

test('the host signs its user in and out, and what is being written stays', async () => {
  const site = await community();
  const page = await visit(site);
  await say(page, 'with a key');
  await isConfirmed(page, 'with a key');
  await field(page).fill('half a thought');
  await become(page, site.sign('Ada'));
  await page.locator('.as').getByText('Ada', { exact: true }).waitFor();
  assert.equal(await field(page).inputValue(), 'half a thought');
  await comment(page, 'with a key').waitFor();
  assert.equal(await isMine(page, 'with a key').count(), 0, 'Ada has not written it');
  await page.locator('.send').first().click();
  await isMine(page, 'half a thought').waitFor();
  await become(page, site.sign('Bob'));
  await page.locator('.as').getByText('Bob', { exact: true }).waitFor();
  await comment(page, 'half a thought').waitFor();
  assert.equal(await isMine(page, 'half a thought').count(), 0, 'Bob has not written it');
  await become(page);
  await page.getByLabel('Name (optional)').first().waitFor();
  await isMine(page, 'with a key').waitFor();
});

test('what a signed reader wrote offline is sent by nobody else', async () => {
  const site = await community();
  const page = await visit(site, site.sign('Ada'));
  await isLive(page);
  await page.context().setOffline(true);
  await page.locator('.state[data-state=offline]').waitFor();
  await say(page, 'said offline');
  await page.getByText('waits for the connection').waitFor();
  await page.context().setOffline(false);
  // Gone before the connection is back.
  await server.kill();
  await page.goto('about:blank');
  await server.start();
  await come(page, site);
  await say(page, 'somebody else');
  await isConfirmed(page, 'somebody else');
  assert.deepEqual(await shown(page), ['somebody else']);
  await come(page, site, site.sign('Ada'));
  await isConfirmed(page, 'said offline');
  const lines = await server.comments('a');
  assert.deepEqual(lines.map(({ content, name }) => [content, name]), [['somebody else', undefined], ['said offline', 'Ada']]);
});

for (const [what, prepare] of [['over the socket', undefined], ['where no socket gets through', withoutSockets]]) {
  test(`a moderator of the site hides and deletes from the menu, ${what}`, async () => {
    const site = await community();
    await server.post({ page: 'a', content: 'to hide', name: 'Eve' });
    await server.post({ page: 'a', content: 'to delete', name: 'Eve' });
    await server.post({ page: 'a', content: 'to keep', name: 'Eve' });
    const reader = await visit(site, site.sign('Ada'));
    assert.deepEqual(await menuOf(reader, 'to hide'), ['Flag', 'Copy link']);
    const bob = await visit(site, site.sign('Bob', { moderator: true }), prepare);
    const canModerate = () => menuOf(bob, 'to hide').then((items) => items.join() === 'Flag,Copy link,Hide,Delete');
    await until(canModerate, 'the menu of a moderator');
    await choose(comment(bob, 'to keep'), 'Hide');
    await bob.getByText('Hidden', { exact: false }).waitFor();
    await bob.locator('.undo').click();
    await choose(comment(bob, 'to hide'), 'Hide');
    await remove(bob, comment(bob, 'to delete'));
    await until(async () => (await shown(reader)).join() === 'to keep', 'both gone for the reader');
    await until(async () => (await shown(bob)).join() === 'to keep', 'both gone for the moderator');
    const states = (await server.comments('a')).map(({ status, deleted, content }) => [status, deleted, content]);
    assert.deepEqual(states, [['hidden', true, undefined], [undefined, true, undefined], [undefined, undefined, 'to keep']]);
  });
}

test('“Your comments” are the signed reader’s, without a code for other devices', async () => {
  const site = await community();
  const ada = await visit(site, site.sign('Ada'));
  await say(ada, 'mine');
  await isConfirmed(ada, 'mine');
  const elsewhere = await visit(site, site.sign('Ada'));
  await elsewhere.getByRole('button', { name: 'Your comments' }).click();
  await elsewhere.locator('.own-list').getByText('mine').waitFor();
  assert.equal(await elsewhere.getByRole('heading', { name: 'Use on another device' }).count(), 0);
});

test('who is not signed loads nothing for it', async () => {
  const site = await community();
  await server.post({ page: 'a', content: 'one' });
  const asked = [];
  await visit(site, '', (context) => context.on('request', (request) => asked.push(new URL(request.url()).pathname)));
  assert.ok(asked.includes('/widget/write.js'), asked.join());
  assert.deepEqual(asked.filter((path) => /user|verified|moderation/.test(path)), []);
});
