/** The page without JavaScript, and what changes when the script takes over; hostile text is text with and without it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { live, newPerson, people, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { isLive, say } from './page.mjs';

test('a reload with JavaScript off shows the comments', async () => {
  await server.post({ content: 'written *before*', name: 'Ada', key: 'k'.repeat(22) });
  await server.post({ content: 'plain', name: 'Grace' });
  const page = await visit(server.url, { javaScriptEnabled: false });
  assert.deepEqual(await page.locator('.name').allTextContents(), ['Grace', 'Ada']);
  assert.deepEqual(await page.locator('.text').allTextContents(), ['plain', 'written before']);
  assert.equal(await page.locator('.text em').textContent(), 'before');
  assert.equal(await page.locator('.count').textContent(), '2');
});

test('posting works without JavaScript', async () => {
  const page = await visit(server.url, { javaScriptEnabled: false });
  await say(page, 'No script\nneeded', 'Ada');
  await page.waitForURL(`${server.url}/?page=%2F`);
  assert.deepEqual(await page.locator('.text').allTextContents(), ['No script\nneeded']);
  const [line] = await server.comments();
  assert.equal(line.content, 'No script\nneeded');
  assert.equal(line.name, 'Ada');
  await page.reload();
  assert.equal((await server.comments()).length, 1);
});

test('a post that is refused without JavaScript keeps what was typed and says why', async () => {
  const page = await visit(server.url, { javaScriptEnabled: false });
  // Fewer characters than the field allows, more bytes than sayso does.
  await say(page, 'ä'.repeat(4_097), 'Ada');
  await page.locator('.error').waitFor();
  assert.match(await page.locator('.error').textContent(), /content is 8194 bytes, at most 8192 are allowed/);
  assert.equal(await page.getByRole('textbox', { name: 'Comment' }).inputValue(), 'ä'.repeat(4_097));
  assert.equal(await page.getByLabel('Name (optional)').inputValue(), 'Ada');
});

test('older comments are a link without JavaScript', async () => {
  for (let i = 1; i <= 60; i++) await server.post({ content: `comment ${i}` });
  const page = await visit(server.url, { javaScriptEnabled: false });
  assert.equal(await page.locator('.comment').count(), 50);
  await page.getByRole('link', { name: 'Older comments' }).click();
  await page.waitForURL(/before=/);
  assert.deepEqual(await page.locator('.text').allTextContents(), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1].map((i) => `comment ${i}`));
});

test('what is typed before the script runs is kept when it takes over', async () => {
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const context = await newPerson();
  const ada = await context.newPage();
  await ada.route('**/embed.js', async (route) => {
    await held;
    await route.continue();
  });
  await ada.goto(server.url, { waitUntil: 'commit' });
  await ada.getByRole('textbox', { name: 'Comment' }).pressSequentially('typed ear');
  release();
  await isLive(ada);
  assert.equal(await ada.evaluate(() => document.activeElement.localName), 'sayso-comments');
  await ada.keyboard.type('ly');
  assert.equal(await ada.getByRole('textbox', { name: 'Comment' }).inputValue(), 'typed early');
});

test('the script takes over without moving anything', async () => {
  let parent;
  for (let i = 1; i <= 6; i++) {
    const { id } = await server.post({ content: `comment ${i} with \`code\``, name: 'Ada', key: 'k'.repeat(22), parent });
    parent = i % 3 ? id : undefined;
  }
  await server.post({ content: 'by nobody\nin two lines' });
  const layout = (page) => page.locator('.avatar, .name, .text, .field, .send, .title, .brand').evaluateAll((all) => all.map((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return `${node.getAttribute('class')} ${[x, y, width, height].map(Math.round)}`;
  }));
  const context = await newPerson();
  const page = await context.newPage();
  await page.route('**/embed.js', (route) => route.abort());
  await page.goto(server.url);
  const served = await layout(page);
  const drawing = await page.locator('.avatar').evaluateAll((all) => all.map((node) => node.outerHTML));
  await page.unrouteAll();
  await page.reload();
  await isLive(page);
  assert.deepEqual(await layout(page), served);
  // The part attribute is the shadow root's own.
  assert.deepEqual(await page.locator('.avatar').evaluateAll((all) => all.map((node) => node.outerHTML)), drawing);
});

const TRICKS = [
  '<img src=x onerror=alert(1)>',
  '[click](javascript:alert(1)) and [this](https://example.org/ "t")',
  '![x](https://example.org/x.png) <script>alert(1)</script>',
  '[data](data:text/html,<script>alert(1)</script>) <svg onload=alert(1)>',
  '[entity](&#106;avascript:alert(1)) <a href="javascript:alert(1)">a</a>',
  '<javascript:alert(1)> **bold** <iframe srcdoc="<script>alert(1)</script>">',
  '</textarea></section></sayso-comments><style>*{display:none}</style>',
];

test('hostile text is harmless in the widget, on the page and without JavaScript', async () => {
  const ada = await live();
  const grace = await live();
  for (const trick of TRICKS) await say(ada, trick, '<b onclick=alert(1)>');
  const isThere = async (page) => (await page.locator('.comment:has(time)').count()) === TRICKS.length;
  await until(() => isThere(grace), 'all tricks to arrive');
  await until(() => isThere(ada), 'all tricks to be confirmed');
  const plain = await visit(server.url, { javaScriptEnabled: false });
  assert.ok(await isThere(plain));
  const reloaded = await live();
  for (const page of [ada, grace, plain, reloaded]) {
    const inside = (selector) => page.locator(`.text ${selector}, .meta ${selector}`);
    assert.equal(await inside(':is(img, script, style, svg, iframe, b)').count(), 0);
    const links = await page.locator('.text a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
    for (const href of links) if (href !== null) assert.match(href, /^https:\/\/example\.org\//);
    assert.equal(await page.getByText('<img src=x onerror=alert(1)>', { exact: true }).count(), 1);
  }
});

test('the widget draws a lying server\'s html from its allowlist only', async () => {
  const page = await visit();
  const line = {
    seq: 1, id: 1, page: '/', content: 'x', created_at: '2026-11-22T05:08:00.001Z', author: 'q83vEjRWeJCrze8SNFZ4kA',
    html: '<p onclick="alert(1)" style="color:red" class="x">a<img src=x onerror=alert(1)><script>alert(1)</script>'
      + '<a href="jav&#x0A;ascript:alert(1)">b</a><a href="HTTPS://example.org" target="_top">c</a></p><ol start="3"><li>d</ol>',
  };
  await page.route('**/api/comments?**', (route) => route.fulfill({ json: { log: 'l', seq: 1, comments: [line], more: false } }));
  await page.reload();
  await page.locator('.text ol').waitFor();
  const html = await page.locator('.text').innerHTML();
  assert.equal(html, '<p>a<a>b</a><a href="HTTPS://example.org" rel="nofollow ugc noopener">c</a></p>'
    + '<ol dir="auto" start="3"><li>d</li></ol>');
  // The policy stopped what the parser met in a document that is shown nowhere; nothing else went wrong.
  const [{ faults }] = people;
  assert.ok(faults.splice(0).every((fault) => /^(Executing|Applying) inline/.test(fault)));
});
