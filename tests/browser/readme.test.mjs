/** What the READMEs say of the element and of clients in JavaScript: each snippet is run as it stands there, each table compared. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';

import { allow, newPerson, serve, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { choose, comment, isConfirmed, isLive, say } from './page.mjs';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const ELEMENT = read('static/README.md');
const WIRE = read('src/ws/README.md');
const blocks = (text, language) => text.split(`\n\`\`\`${language}\n`).slice(1).map((rest) => rest.split('\n```')[0]);
/** The lines of the table that follows a heading, as cells. */
const table = (heading) => ELEMENT.split(`\n## ${heading}\n`)[1].split('\n## ')[0].split('\n').filter((line) => line.startsWith('| ')).slice(1)
  .map((line) => line.slice(2, -2).split(' | '));
const named = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);

/** A site with this in its body, under the policy that the README asks for, and one for its own styles. */
async function site(body, head = '', policy = '') {
  const address = await serve((request, response) => {
    const { url } = server;
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; script-src ${url} 'nonce-own'; connect-src ${url} ${url.replace('http', 'ws')}; style-src 'nonce-own'${policy}`,
    });
    response.end(`<!doctype html><html lang="en"><title>A site</title>${head}<main>${body}</main></html>`);
  });
  await allow(address);
  return address;
}
const here = (html) => html.replaceAll('https://comments.example', server.url);
const script = () => `<script type="module" src="${server.url}/embed.js"></script>`;

test('the two lines that embed comments are all it takes, and the same in both READMEs', async () => {
  const [lines] = blocks(ELEMENT, 'html');
  assert.ok(blocks(read('README.md'), 'html').includes(lines));
  const address = await site(here(lines));
  const page = await visit(address);
  await isLive(page);
  await say(page, 'from two lines', 'Ada');
  await isConfirmed(page, 'from two lines');
});

test('the snippets of other elements, of styles and of events do what the README says', async () => {
  const [, count, newest] = blocks(ELEMENT, 'html');
  const [css] = blocks(ELEMENT, 'css');
  const [js] = blocks(ELEMENT, 'js');
  assert.equal(blocks(ELEMENT, 'html').length + blocks(ELEMENT, 'css').length + blocks(ELEMENT, 'js').length, 5, 'every snippet is here');
  await server.post({ page: 'blog.example/post', content: 'one' });
  const page = await visit(await site(`${count}${newest}<sayso-comments page="a"></sayso-comments>`,
    `<style nonce="own">${css}</style>${script()}<script type="module" nonce="own">${js}</script>`));
  await isLive(page);
  await page.locator('sayso-count', { hasText: /^1$/ }).waitFor();
  assert.equal(await page.locator('sayso-newest .link').textContent(), 'one');
  assert.deepEqual(await page.locator('.title').evaluate((node) => [getComputedStyle(node).fontStyle, getComputedStyle(node.getRootNode().querySelector('.field')).borderTopLeftRadius]), ['italic', '4px']);
  const said = page.waitForEvent('console', (message) => message.text().startsWith('Grace wrote on a'));
  await server.post({ page: 'a', content: 'two', name: 'Grace' });
  await said;
});

test('every part that the README names is one, and those of a comment are named', async () => {
  await server.post({ page: '/', content: 'with an answer', name: 'Ada', key: 'k'.repeat(22) });
  for (let i = 0; i < 3; i++) await server.post({ page: '/', content: `answer ${i}`, parent: 1 });
  for (let i = 0; i < 60; i++) await server.post({ content: `filler ${i}` });
  const page = await visit(server.url);
  await isLive(page);
  await say(page, 'mine, to be edited', 'Grace');
  await isConfirmed(page, 'mine, to be edited');
  await choose(comment(page, 'mine, to be edited'), 'Edit');
  await page.locator('.item .input').fill('mine, edited');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.edited').waitFor();
  await page.getByRole('button', { name: 'Older comments' }).click();
  await comment(page, 'answer 2').waitFor();
  await comment(page, 'answer 2').getByRole('button', { name: 'Reply' }).click();
  await page.locator('.item .input').fill('a preview');
  await page.locator('.item .look').click();
  await page.locator('.bell').waitFor({ state: 'attached' });
  const parts = new Set(await page.locator('sayso-comments').evaluate((node) => [...node.shadowRoot.querySelectorAll('[part]')].flatMap((element) => [...element.part])));
  const documented = table('Styling').filter(([cell]) => !cell.includes('--sayso')).flatMap(([cell]) => named(cell));
  // A thread's middle, what waits, and users of the site are not here.
  const others = ['more', 'warn', 'as', 'verified'];
  assert.deepEqual(documented.filter((name) => !parts.has(name) && !others.includes(name)), []);
  const ofComment = await page.locator('.comment').last().evaluate((node) => [node, ...node.querySelectorAll('[part]')].flatMap((element) => [...element.part]));
  assert.deepEqual(ofComment.filter((name) => !documented.includes(name) && name !== 'plain'), []);
});

test('nothing is kept in the browser but what the README names', async () => {
  const page = await visit(server.url);
  await isLive(page);
  await server.post({ content: 'theirs', name: 'Ada' });
  await isConfirmed(page, 'theirs');
  await page.locator('.like').first().click();
  await choose(comment(page, 'theirs'), 'Flag');
  await say(page, 'mine', 'Grace');
  await isConfirmed(page, 'mine');
  await page.locator('.order').selectOption('oldest');
  await page.locator('.bell').waitFor({ state: 'attached' });
  await page.locator('.input').pressSequentially('unsent');
  await server.kill();
  await page.locator('.state[data-state=retry], .state[data-state=offline]').waitFor();
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.input').fill('half a thought');
  await comment(page, 'theirs').getByRole('button', { name: 'Reply' }).click();
  await page.locator('.item .input').fill('half an answer');
  await page.evaluate(() => dispatchEvent(new Event('pagehide')));
  const keys = await page.evaluate(() => [localStorage, sessionStorage].flatMap((kept) => Object.keys(kept)));
  const documented = table('What is kept in the browser').flatMap(([cell]) => named(cell)).map((name) => name.split(' ')[0]);
  const found = [...new Set(keys.map((key) => {
    const [sayso, base, name] = key.split(' ');
    assert.deepEqual([sayso, base], ['sayso', server.url], key);
    return name;
  }))];
  assert.deepEqual(found.filter((name) => !documented.includes(name)), []);
  for (const name of ['me', 'order', 'answers', 'out', 'draft', 'field', 'liked', 'flagged', 'typed']) assert.ok(found.includes(name), `${name} is not among ${found}`);
});

test('the clients in ten lines read, follow and post', async () => {
  const [page] = blocks(WIRE, 'html');
  const [client] = blocks(WIRE, 'js');
  assert.ok(client.split('\n').length <= 10);
  await server.post({ content: 'there before', name: 'Ada' });
  const run = (text) => text.replaceAll('http://127.0.0.1:8000', server.url).replaceAll('ws://127.0.0.1:8000', server.url.replace('http', 'ws'));
  const address = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><title>A client</title>${request.url === '/page' ? run(page) : `<script type="module">${run(client)}</script>`}`);
  });
  await allow(address);
  const context = await newPerson();
  const simple = await context.newPage();
  await simple.goto(`${address}/page`);
  await simple.waitForFunction(() => socket.readyState === WebSocket.OPEN);
  const said = [];
  const other = await context.newPage();
  other.on('console', (message) => said.push(message.text()));
  await other.goto(`${address}/client`);
  await until(() => said.length === 2, 'both');
  assert.deepEqual(said, ['Ada: there before', 'Anonymous: Hello from JavaScript']);
  await simple.getByText('Hello from JavaScript').waitFor();
  await simple.locator('#say').fill('from the simple page');
  await simple.locator('#say').press('Enter');
  await until(() => said.length === 3, 'the third');
  assert.equal(said[2], 'Anonymous: from the simple page');
  assert.deepEqual(await simple.locator('li').allTextContents(), ['Hello from JavaScript', 'from the simple page']);
});
