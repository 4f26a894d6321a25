/** `<sayso-newest>`: the newest comments of several pages, on a start page. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { violations } from './axe.mjs';
import { newPerson, serve, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { approve, hide, moderated } from './moderator.mjs';

const SHOTS = fileURLToPath(new URL('shots/', import.meta.url));
const KEY = 'k'.repeat(22);

/** A start page with this in it, which may embed this server's comments. */
async function start(body, { script = 'newest.js', attributes = 'lang="en"', style = '' } = {}) {
  const address = await serve((request, response) => {
    const { url } = server;
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'nonce-own'; script-src ${url}; connect-src ${url} ${url.replace('http', 'ws')}; require-trusted-types-for 'script'`,
    });
    response.end(`<!doctype html><html ${attributes}><title>A site</title><meta name="viewport" content="width=device-width"><style nonce="own">${style}</style>
      <script type="module" src="${url}/${script}"></script><main><h1>A site</h1>${body}</main></html>`);
  });
  await server.kill();
  server.flags.push('--allow-origin', address);
  await server.start();
  return address;
}

const links = (page) => page.locator('sayso-newest .link');
const excerpts = (page) => links(page).allTextContents();

test('it shows the newest comments with name, time and a line of what they say, each leading to its comment', async () => {
  for (let i = 1; i <= 6; i++) await server.post({ page: `page ${i}`, content: `comment ${i}`, name: 'Ada' });
  const html = 'a line\n\n**strong** & `<b>code</b>`\n\n- one\n- two\n\n<img src=x onerror=alert(1)>';
  const last = await server.post({ page: 'page 7', content: html, name: '<img src=x onerror=alert(2)>' });
  const page = await visit(await start('<sayso-newest><p>Nothing yet.</p></sayso-newest>'));
  await links(page).first().waitFor();
  assert.deepEqual(await excerpts(page), ['a line strong & <b>code</b> one two <img src=x onerror=alert(1)>', 'comment 6', 'comment 5', 'comment 4', 'comment 3']);
  assert.deepEqual(await page.locator('sayso-newest .name').allTextContents(), ['<img src=x onerror=alert(2)>', ...Array(4).fill('Ada')]);
  assert.equal(await page.locator('sayso-newest .when').first().textContent(), 'just now');
  assert.equal(await page.locator('sayso-newest img').count(), 0);
  assert.equal(await links(page).first().getAttribute('href'), `${server.url}/?page=page%207#sayso-${last.id}`);
  await links(page).first().click();
  await page.locator('.comment.fresh', { hasText: 'a line' }).waitFor();
});

test('a long comment is cut between characters, and as many are shown as one likes', async () => {
  for (let i = 1; i <= 12; i++) await server.post({ page: 'a', content: `${i} ${'👩‍🚀'.repeat(100)}` });
  const page = await visit(await start('<sayso-newest limit="10"></sayso-newest>'));
  await until(async () => await links(page).count() === 10, 'ten');
  const [first] = await excerpts(page);
  assert.ok(first.endsWith('…') && Array.from(first).length === 141 && first.isWellFormed(), first);
});

test('what is held, hidden or deleted is never there, and goes when that is done', async () => {
  await moderated({ flags: ['--hold', 'links'] });
  await server.post({ page: 'a', content: 'public', key: KEY });
  const { id: hidden } = await server.post({ page: 'a', content: 'to be hidden', name: 'Hidden name', key: KEY });
  const { id: deleted } = await server.post({ page: 'b', content: 'to be deleted', key: KEY });
  const { id: held } = await server.post({ page: 'a', content: 'held https://spam.example', name: 'Held name', key: KEY });
  const page = await visit(await start('<sayso-newest></sayso-newest>'));
  await until(async () => (await excerpts(page)).join() === 'to be deleted,to be hidden,public', 'the public ones');
  await hide(hidden);
  await fetch(`${server.url}/api/comments/${deleted}`, { method: 'DELETE', headers: { authorization: `Bearer ${KEY}` } });
  await approve(held);
  // It reads again when one comes back to the tab.
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await until(async () => (await excerpts(page)).join() === 'held https://spam.example,public', 'what is public now');
  assert.ok(!(await page.locator('sayso-newest').evaluate((node) => node.shadowRoot.innerHTML)).includes('idden'));
});

test('it reads again every minute, keeps the focus, and keeps what it has where that fails', async () => {
  await server.post({ page: 'a', content: 'first' });
  const address = await start('<sayso-newest></sayso-newest>');
  const context = await newPerson();
  const page = await context.newPage();
  await page.clock.install();
  await page.goto(address);
  await links(page).first().focus();
  await server.post({ page: 'a', content: 'second' });
  await page.clock.fastForward(61_000);
  await until(async () => (await excerpts(page)).join() === 'second,first', 'the second');
  assert.equal(await page.locator('sayso-newest .link:focus').textContent(), 'first');
  await server.kill();
  let failed = 0;
  page.on('requestfailed', () => failed++);
  await page.clock.fastForward(61_000);
  await until(() => failed > 0, 'the failure');
  assert.deepEqual(await excerpts(page), ['second', 'first']);
  await server.start();
  await server.post({ page: 'a', content: 'third' });
  await page.clock.fastForward(61_000);
  await until(async () => (await excerpts(page)).join() === 'third,second,first', 'the third');
  await page.locator('sayso-newest').evaluate((node) => node.remove());
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.clock.fastForward(200_000);
  assert.deepEqual(asked, []);
});

test('links lead to this site and to what the prefix names, not to what a stranger calls a page', async () => {
  const names = ['evil.example/x', 'blog.example/post', 'blog.example.evil.example/x', 'blog.example/100%'];
  for (const name of names) await server.post({ page: name, content: name });
  const address = await start('<sayso-newest prefix="blog.example/"></sayso-newest><sayso-newest></sayso-newest>');
  const { host } = new URL(address);
  const own = await server.post({ page: `${host}/post`, content: 'own' });
  const page = await visit(address);
  await until(async () => await links(page).count() === 7, 'both lists');
  const of = (n) => page.locator('sayso-newest').nth(n).locator('.link').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
  const onServer = (name, id) => `${server.url}/?page=${encodeURIComponent(name)}#sayso-${id}`;
  assert.deepEqual(await of(0), ['http://blog.example/100%25#sayso-4', 'http://blog.example/post#sayso-2']);
  assert.deepEqual(await of(1), [`http://${host}/post#sayso-${own.id}`, ...[4, 3, 2, 1].map((id) => onServer(names[id - 1], id))]);
});

test('a name leads to the address to which feeds lead, whatever is in it', async () => {
  const names = ['blog.example/a#b', 'blog.example/a%20b%%%x%4', 'blog.example/é "<\\^`{|}>\u{1f600}[1]?q=%zz&r=\'', 'blog.example/%C3%A9%e9'];
  server.flags.push('--page-prefix', 'blog.example/');
  const address = await start('<sayso-newest prefix="blog.example/"></sayso-newest>');
  for (const name of names) await server.post({ page: name, content: name });
  const { items } = await (await fetch(`${server.url}/feed.json`)).json();
  const page = await visit(address);
  await until(async () => await links(page).count() === names.length, 'the list');
  const hrefs = await links(page).evaluateAll((all) => all.map((link) => link.getAttribute('href')));
  assert.deepEqual(hrefs, items.map(({ url }) => url.replace('https:', 'http:')));
  assert.equal(hrefs.at(-1), 'http://blog.example/a%23b#sayso-1');
});

test('its children stay where there is nothing to show, and it is the only thing that is loaded', async () => {
  const asked = [];
  const page = await visit('about:blank');
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const address = await start('<sayso-newest>Nobody has written yet.</sayso-newest>');
  await page.goto(address);
  await until(() => asked.includes('/api/newest'), 'it to ask');
  await page.getByText('Nobody has written yet.').waitFor();
  assert.deepEqual(asked.sort(), ['/', '/api/newest', '/favicon.ico', '/newest.js', '/widget/address.js', '/widget/dom.js', '/widget/texts.js'].filter((path) => asked.includes(path)));
  assert.ok(!asked.includes('/embed.js') && !asked.includes('/embed.css'));
});

test('embed.js loads it only where there is one, in the language around it', async () => {
  await server.post({ page: 'a', content: 'here' });
  const without = await visit('about:blank');
  const asked = [];
  without.on('request', (request) => asked.push(request.url()));
  await without.goto(await start('<sayso-comments page="a"></sayso-comments>', { script: 'embed.js' }));
  await without.locator('.look').first().waitFor({ state: 'attached' });
  assert.ok(asked.every((url) => !url.includes('newest')), asked.join());
  const page = await visit(await start('<sayso-newest></sayso-newest>', { script: 'embed.js', attributes: 'lang="de-CH"' }));
  await page.locator('sayso-newest .name', { hasText: 'Anonym' }).waitFor();
  assert.equal(await page.locator('sayso-newest .when').textContent(), 'gerade eben');
});

test('it looks as what is around it, light and dark, wide and narrow', async () => {
  await server.post({ page: 'a', content: `A long one. ${'It goes on and on. '.repeat(20)}`, name: 'Ada Lovelace' });
  await server.post({ page: 'b', content: 'مرحبا بالعالم', name: 'سارة' });
  await server.post({ page: 'a', content: `short, with a word${'x'.repeat(80)}`, name: 'Grace' });
  const style = ':root { color-scheme: light dark } body { background: light-dark(#fff, #14161a); color: light-dark(#1c1e21, #e6e8eb); font: 16px/1.55 system-ui }';
  const address = await start('<sayso-newest></sayso-newest>', { style });
  mkdirSync(SHOTS, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [390, 1280]) {
      const page = await visit(address, { colorScheme, viewport: { width, height: 500 } });
      await links(page).first().waitFor();
      const { scroll, client } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth }));
      assert.ok(scroll <= client, `${scroll} px at ${width}`);
      assert.equal(await page.locator('sayso-newest .link').first().evaluate((node) => getComputedStyle(node).color), colorScheme === 'dark' ? 'rgb(230, 232, 235)' : 'rgb(28, 30, 33)');
      await page.screenshot({ path: `${SHOTS}newest-${colorScheme}-${width}.png` });
    }
  }
  // What the policy forbids axe is allowed to itself.
  const context = await newPerson({ bypassCSP: true });
  const page = await context.newPage();
  await page.goto(address);
  await links(page).first().waitFor();
  assert.deepEqual(await violations(page), []);
});
