/** What sayso promises to people, each claim as they would see it in a browser. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';

import { Server, launch, person, until } from './harness.mjs';

let browser;
let server;
let people = [];
const hosts = [];

before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  server = await Server.start();
});
afterEach(async () => {
  const faults = people.flatMap((context) => context.faults);
  await Promise.all(people.map((context) => context.close()));
  people = [];
  for (const host of hosts.splice(0)) host.close().closeAllConnections();
  await server.stop();
  assert.deepEqual(faults, []);
});

async function visit(options = {}, address = server.url) {
  const context = await person(browser, options);
  people.push(context);
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

/** A visitor whose widget has taken over and is live. */
async function live(options, address) {
  const page = await visit(options, address);
  await isLive(page);
  return page;
}

/** A site that is not sayso. */
async function serve(body, policy) {
  const host = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html', ...(policy && { 'content-security-policy': policy }) });
    response.end(body);
  });
  hosts.push(host);
  await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${host.address().port}` };
}

/** Starts sayso anew, as one that lets this site embed it. */
async function allow(origin) {
  await server.kill();
  server.flags = ['--allow-origin', origin];
  await server.start();
}

/** Connected, and with all it needs to write offline. */
async function isLive(page) {
  await page.locator('.state[data-state=live]').waitFor();
  await page.locator('.look').first().waitFor({ state: 'attached' });
}
const comment = (page, text) => page.locator('.comment', { has: page.getByText(text, { exact: true }) });

async function say(page, text, name) {
  if (name) await page.getByLabel('Name (optional)').first().fill(name);
  await page.getByRole('textbox', { name: 'Comment' }).first().fill(text);
  await page.getByRole('button', { name: 'Send' }).first().click();
}

async function isConfirmed(page, text) {
  await comment(page, text).locator('time').waitFor();
}

test('two tabs see each other at once, in both directions', async () => {
  const ada = await live();
  const grace = await live();
  await say(ada, 'Hello from Ada', 'Ada');
  await isConfirmed(grace, 'Hello from Ada');
  await say(grace, 'Hello back', 'Grace');
  await isConfirmed(ada, 'Hello back');
  await isConfirmed(ada, 'Hello from Ada');
  assert.deepEqual(await ada.locator('.name').allTextContents(), ['Grace', 'Ada']);
  assert.deepEqual(await grace.locator('.name').allTextContents(), ['Grace', 'Ada']);
  await ada.locator('.state', { hasText: 'Live · 2 reading' }).waitFor();
  assert.equal(await ada.locator('.count').textContent(), '2');
});

test('one sees that the other is typing, and not that oneself is', async () => {
  const ada = await live();
  const grace = await live();
  await ada.getByLabel('Name (optional)').fill('Ada');
  await ada.getByRole('textbox', { name: 'Comment' }).pressSequentially('Well');
  await grace.getByText('Ada is typing…').waitFor();
  assert.equal(await ada.locator('.typing').textContent(), '');
});

test('a reload with JavaScript off shows the comments', async () => {
  await server.post({ content: 'written *before*', name: 'Ada', key: 'k'.repeat(22) });
  await server.post({ content: 'plain', name: 'Grace' });
  const page = await visit({ javaScriptEnabled: false });
  assert.deepEqual(await page.locator('.name').allTextContents(), ['Grace', 'Ada']);
  assert.deepEqual(await page.locator('.text').allTextContents(), ['plain', 'written before']);
  assert.equal(await page.locator('.text em').textContent(), 'before');
  assert.equal(await page.locator('.count').textContent(), '2');
});

test('posting works without JavaScript', async () => {
  const page = await visit({ javaScriptEnabled: false });
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
  const page = await visit({ javaScriptEnabled: false });
  // Fewer characters than the field allows, more bytes than sayso does.
  await say(page, 'ä'.repeat(4_097), 'Ada');
  await page.locator('.error').waitFor();
  assert.match(await page.locator('.error').textContent(), /content is 8194 bytes, at most 8192 are allowed/);
  assert.equal(await page.getByRole('textbox', { name: 'Comment' }).inputValue(), 'ä'.repeat(4_097));
  assert.equal(await page.getByLabel('Name (optional)').inputValue(), 'Ada');
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
  const plain = await visit({ javaScriptEnabled: false });
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
    + '<ol start="3"><li>d</li></ol>');
  // The policy stopped what the parser met in a document that is shown nowhere; nothing else went wrong.
  const [{ faults }] = people;
  assert.ok(faults.splice(0).every((fault) => /^(Executing|Applying) inline/.test(fault)));
});

test('a server that is killed and comes back is resumed, and what was written meanwhile is sent once', async () => {
  const ada = await live();
  const grace = await live();
  await say(ada, 'before', 'Ada');
  await isConfirmed(grace, 'before');
  await server.kill();
  await ada.locator('.state:not([data-state=live])').waitFor();
  await say(ada, 'while it was down');
  await comment(ada, 'while it was down').getByText('waits for the connection').waitFor();
  await server.start();
  await isConfirmed(ada, 'while it was down');
  await isConfirmed(grace, 'while it was down');
  await isLive(ada);
  await say(ada, 'after');
  await isConfirmed(grace, 'after');
  const written = ['before', 'while it was down', 'after'];
  assert.deepEqual((await server.comments()).map((line) => line.content), written);
  assert.deepEqual(await grace.locator('.text').allTextContents(), written.toReversed());
  assert.deepEqual(await ada.locator('.text').allTextContents(), written.toReversed());
});

test('a server that restarts while one is typing leaves the text, the caret and the connection', async () => {
  const ada = await live();
  const box = ada.getByRole('textbox', { name: 'Comment' });
  await box.pressSequentially('Half a sent');
  await server.kill();
  await ada.locator('.state:not([data-state=live])').waitFor();
  await ada.keyboard.type('ence, ');
  await server.start();
  await isLive(ada);
  await ada.keyboard.type('whole.');
  assert.equal(await box.inputValue(), 'Half a sentence, whole.');
  await ada.keyboard.press('Control+Enter');
  await isConfirmed(ada, 'Half a sentence, whole.');
});

test('comments written offline survive a reload and are sent once', async () => {
  const ada = await live();
  await server.kill();
  await ada.locator('.state:not([data-state=live])').waitFor();
  for (const text of ['one', 'two', 'three']) await say(ada, text, 'Ada');
  await ada.locator('.state', { hasText: 'Offline: 3 comments wait here' }).waitFor();
  await until(async () => /Offline/.test(await ada.locator('[role=status]').first().textContent()), 'it is announced');
  await server.start();
  await ada.reload();
  for (const text of ['one', 'two', 'three']) await isConfirmed(ada, text);
  assert.deepEqual((await server.comments()).map((line) => line.content).sort(), ['one', 'three', 'two']);
  assert.equal(await ada.locator('.comment').count(), 3);
});

test('a page that was away in the back/forward cache catches up', async () => {
  const ada = await live();
  await ada.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await ada.locator('.state:not([data-state=live])').waitFor();
  await server.post({ content: 'meanwhile' });
  await ada.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await isConfirmed(ada, 'meanwhile');
  await isLive(ada);
});

test('where a proxy blocks WebSocket, one reads, writes, edits and deletes over HTTP', async () => {
  const context = await person(browser);
  people.push(context);
  await context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
  const ada = await context.newPage();
  await ada.goto(server.url);
  await say(ada, 'before anything is known', 'Ada');
  await ada.locator('.state[data-state=polling]').waitFor();
  await ada.getByText('Updated every few seconds').waitFor();
  await isConfirmed(ada, 'before anything is known');
  await say(ada, 'over HTTP');
  await isConfirmed(ada, 'over HTTP');
  const grace = await live();
  await say(grace, 'from a socket', 'Grace');
  await isConfirmed(ada, 'from a socket');
  await comment(ada, 'over HTTP').getByRole('button', { name: 'Edit' }).click();
  await ada.locator('.comment textarea').fill('edited over HTTP');
  await ada.getByRole('button', { name: 'Save' }).click();
  await comment(grace, 'edited over HTTP').waitFor();
  await comment(ada, 'before anything is known').getByRole('button', { name: 'Delete' }).click();
  await comment(ada, 'before anything is known').locator('.delete').click();
  await comment(grace, 'before anything is known').waitFor({ state: 'detached' });
  await say(ada, 'a bell \u0007 rings');
  await ada.getByText(/^Content has the control character U\+0007/).waitFor();
  assert.deepEqual((await server.comments()).filter((line) => line.content).map((line) => line.content),
    ['edited over HTTP', 'from a socket']);
});

test('a post whose answer is lost is sent again over HTTP, and is there once', async () => {
  const context = await person(browser);
  people.push(context);
  await context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
  const ada = await context.newPage();
  let lost = 0;
  await ada.route('**/api/comments', async (route) => {
    if (lost++) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await ada.goto(server.url);
  await ada.locator('.state[data-state=polling]').waitFor();
  await say(ada, 'just once', 'Ada');
  await isConfirmed(ada, 'just once');
  assert.deepEqual((await server.comments()).map((line) => line.content), ['just once']);
  assert.equal(await comment(ada, 'just once').count(), 1);
});

test('more than the socket resumes is caught up over HTTP, and nothing is there twice', async () => {
  const ada = await live();
  await say(ada, 'before', 'Ada');
  await isConfirmed(ada, 'before');
  await ada.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  await ada.locator('.state:not([data-state=live])').waitFor();
  const missed = Array.from({ length: 1_010 }, (_, i) => `missed ${i}`);
  for (let i = 0; i < missed.length; i += 50) {
    await Promise.all(missed.slice(i, i + 50).map((content) => server.post({ content })));
  }
  const asked = [];
  ada.on('request', (request) => request.url().includes('since=') && asked.push(request.url()));
  await ada.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await until(async () => (await ada.locator('.text').count()) === 1_011, 'all that was missed');
  assert.equal(new Set(await ada.locator('.text').allTextContents()).size, 1_011);
  assert.equal(await ada.locator('.count').textContent(), '1,011');
  assert.ok(asked.some((url) => url.includes('/api/comments?')), asked);
});

test('another log is loaded anew, and a half-written answer is kept', async () => {
  const ada = await live();
  await say(ada, 'in the old log', 'Ada');
  await isConfirmed(ada, 'in the old log');
  await comment(ada, 'in the old log').getByRole('button', { name: 'Reply' }).click();
  await ada.locator('.item textarea').fill('half an answer');
  await server.kill();
  rmSync(server.log);
  await server.start();
  await until(async () => (await ada.locator('.comment').count()) === 0, 'the old comments to go');
  await isLive(ada);
  assert.equal(await ada.getByRole('textbox', { name: 'Comment' }).inputValue(), 'half an answer');
  await say(ada, 'in the new log');
  await isConfirmed(ada, 'in the new log');
  assert.equal(await ada.locator('.comment').count(), 1);
});

test('a comment that comes too soon waits and is sent by itself', async () => {
  await server.stop();
  server = await Server.start({ rate: '1/2' });
  const ada = await live();
  await say(ada, 'one', 'Ada');
  await say(ada, 'two');
  await comment(ada, 'two').getByText(/try again in \d+ s/).waitFor();
  await isConfirmed(ada, 'two');
  assert.deepEqual((await server.comments()).map((line) => line.content), ['one', 'two']);
});

test('under a base path everything works', async () => {
  await server.stop();
  server = await Server.start({ flags: ['--base-path', '/talk'] });
  const plain = await visit({ javaScriptEnabled: false }, `${server.url}/talk/`);
  await say(plain, 'from below', 'Grace');
  await plain.waitForURL(/\/talk\/\?page=/);
  const ada = await live({}, `${server.url}/talk/`);
  await isConfirmed(ada, 'from below');
  await say(ada, 'and back', 'Ada');
  await isConfirmed(ada, 'and back');
});

test('elements are made, moved and removed by script', async () => {
  const ada = await live();
  let open = 0;
  ada.on('websocket', (socket) => {
    open++;
    socket.on('close', () => open--);
  });
  await ada.evaluate(() => {
    const made = document.createElement('sayso-comments');
    made.setAttribute('page', 'made');
    document.body.append(made);
  });
  const made = ada.locator('sayso-comments[page=made]');
  await made.locator('.state[data-state=live]').waitFor();
  await server.post({ page: 'made', content: 'one' });
  await made.getByText('one', { exact: true }).waitFor();
  await made.evaluate((node) => document.querySelector('main').prepend(node));
  await made.locator('.state[data-state=live]').waitFor();
  await server.post({ page: 'made', content: 'two' });
  await made.getByText('two', { exact: true }).waitFor();
  assert.equal(await made.locator('.comment').count(), 2);
  await until(() => open === 1, 'the connection before the move to end');
  await made.evaluate((node) => node.remove());
  await until(() => open === 0, 'the last connection to end');
});

test('a comment is answered, edited and deleted in place, for everyone', async () => {
  const ada = await live();
  const grace = await live();
  await say(ada, 'Who answers?', 'Ada');
  await isConfirmed(grace, 'Who answers?');
  assert.equal(await comment(grace, 'Who answers?').getByRole('button', { name: 'Edit' }).count(), 0);

  await comment(grace, 'Who answers?').getByRole('button', { name: 'Reply' }).click();
  await grace.getByPlaceholder('Answer Ada…').fill('I do');
  await grace.locator('.item .who').fill('Grace');
  await grace.locator('.item').getByRole('button', { name: 'Send' }).click();
  await isConfirmed(ada, 'I do');
  assert.equal(await ada.locator('.answers .text').textContent(), 'I do');

  await comment(grace, 'I do').getByRole('button', { name: 'Edit' }).click();
  await grace.locator('.comment textarea').fill('I *certainly* do');
  await grace.getByRole('button', { name: 'Save' }).click();
  for (const page of [ada, grace]) {
    await page.locator('.answers em', { hasText: 'certainly' }).waitFor();
    await page.locator('.answers .edited').waitFor();
  }

  await comment(ada, 'Who answers?').getByRole('button', { name: 'Delete' }).click();
  await ada.getByText('Delete for good?').waitFor();
  await ada.locator('.actions .delete').first().click();
  for (const page of [ada, grace]) {
    await page.locator('.gone', { hasText: 'Deleted' }).waitFor();
    assert.equal(await page.getByText('Who answers?').count(), 0);
    assert.equal(await page.locator('.count').textContent(), '1');
  }

  const answer = grace.locator('.comment', { has: grace.locator('em') });
  await answer.getByRole('button', { name: 'Delete' }).click();
  await grace.locator('.actions .delete').click();
  for (const page of [ada, grace]) await page.getByText('No comments yet').waitFor();
  assert.equal(await ada.locator('.comment:visible').count(), 0);
});

test('answers deeper than four levels stay at the fourth, in the widget as on the page', async () => {
  let parent;
  for (let i = 1; i <= 7; i++) ({ id: parent } = await server.post({ content: `level ${i}`, name: `n${i}`, parent }));
  const script = await live();
  const plain = await visit({ javaScriptEnabled: false });
  for (const page of [script, plain]) {
    const depths = await page.locator('.text').evaluateAll((all) => all.map((node) => {
      let depth = 0;
      for (let up = node.closest('.answers'); up; up = up.parentElement.closest('.answers')) depth++;
      return depth;
    }));
    assert.deepEqual(depths, [0, 1, 2, 3, 4, 4, 4]);
    assert.deepEqual(await page.locator('.to').allTextContents(), ['to n5', 'to n6']);
  }
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
  await comment(ada, 'my own').getByRole('button', { name: 'Edit' }).click();
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
  await comment(ada, 'my own, changed').getByRole('button', { name: 'Edit' }).waitFor();
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
  const context = await person(browser);
  people.push(context);
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

test('what is typed before the script runs is kept when it takes over', async () => {
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const context = await person(browser);
  people.push(context);
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
  const context = await person(browser);
  people.push(context);
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

test('new comments above what is being read wait behind a pill', async () => {
  for (let i = 1; i <= 30; i++) await server.post({ content: `old ${i}` });
  const ada = await live();
  await ada.evaluate(() => scrollTo(0, 900));
  const seen = comment(ada, 'old 15');
  // What is in view is known a frame after the scrolling.
  await ada.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));
  const place = (await seen.boundingBox()).y;
  await server.post({ content: 'new' });
  await ada.getByRole('button', { name: '↑ 1 new comment' }).waitFor();
  assert.equal((await seen.boundingBox()).y, place);
  await ada.getByRole('button', { name: /new comment/ }).click();
  await until(async () => (await ada.locator('.text', { hasText: /^new$/ }).count()) > 0, 'the new comments');
  await ada.locator('.pill').waitFor({ state: 'hidden' });
});

test('older comments come on demand, and a permalink brings its own', async () => {
  const first = await server.post({ content: 'the very first' });
  await server.post({ content: 'an answer to it', parent: first.id });
  for (let i = 1; i <= 110; i++) await server.post({ content: `filler ${i}` });
  const ada = await live();
  assert.equal(await ada.locator('.comment').count(), 50);
  await until(async () => (await ada.locator('.count').textContent()) === '112', 'the count of all');
  await ada.getByRole('button', { name: 'Older comments' }).click();
  await until(async () => (await ada.locator('.comment').count()) === 100, 'older comments');
  await ada.getByRole('button', { name: 'Older comments' }).click();
  await comment(ada, 'an answer to it').waitFor();
  assert.equal(await ada.locator('.answers .text').textContent(), 'an answer to it');
  assert.equal(await ada.getByRole('button', { name: 'Older comments' }).count(), 0);
  const grace = await live({}, `${server.url}/#sayso-${first.id}`);
  await comment(grace, 'the very first').waitFor();
  await until(() => comment(grace, 'the very first').evaluate((node) => {
    const { top, bottom } = node.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  }), 'the permalink to be in view');
});

test('older comments are a link without JavaScript', async () => {
  for (let i = 1; i <= 60; i++) await server.post({ content: `comment ${i}` });
  const page = await visit({ javaScriptEnabled: false });
  assert.equal(await page.locator('.comment').count(), 50);
  await page.getByRole('link', { name: 'Older comments' }).click();
  await page.waitForURL(/before=/);
  assert.deepEqual(await page.locator('.text').allTextContents(), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1].map((i) => `comment ${i}`));
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
  await press('Tab', 'Tab', 'Tab', 'Tab');
  assert.equal(await focused().textContent(), 'Reply');
  await press('Enter');
  await ada.keyboard.type('two');
  await press('Control+Enter');
  await isConfirmed(ada, 'two');
  assert.equal(await focused().textContent(), 'Reply');
  await comment(ada, 'two').getByRole('button', { name: 'Edit' }).focus();
  await press('Enter');
  await ada.keyboard.type('!');
  await press('Control+Enter');
  await comment(ada, 'two!').waitFor();
  assert.equal(await focused().textContent(), 'Reply');
  await press('Tab', 'Tab', 'Enter');
  assert.equal(await focused().textContent(), 'Keep');
  await press('Escape');
  await press('Tab', 'Tab', 'Enter', 'Shift+Tab', 'Enter');
  await comment(ada, 'two!').waitFor({ state: 'detached' });
});

test('a page of ten lines that only reads data.content works', async () => {
  const simple = `<!doctype html><ul id="list"></ul><form id="form"><input id="text"></form><script>
    const socket = new WebSocket('ws://${new URL(server.url).host}/ws/comments/');
    socket.onmessage = (event) => {
      const data = JSON.parse(event.data);
      const item = document.createElement('li');
      item.textContent = data.content;
      list.append(item);
    };
    form.onsubmit = () => { socket.send(JSON.stringify({ content: text.value })); text.value = ''; return false };
    socket.onopen = () => { document.title = 'open' };
  </script>`;
  const host = await serve(simple);
  await allow(host.url);
  const plain = await visit({}, host.url);
  await plain.waitForFunction(() => document.title === 'open');
  const ada = await live();
  await say(ada, 'to the simple page', 'Ada');
  await plain.getByText('to the simple page').waitFor();
  await plain.locator('#text').fill('from the simple page');
  await plain.keyboard.press('Enter');
  await isConfirmed(ada, 'from the simple page');
  await comment(ada, 'to the simple page').getByRole('button', { name: 'Delete' }).click();
  await ada.locator('.actions .delete').first().click();
  await comment(ada, 'to the simple page').waitFor({ state: 'detached' });
  await say(ada, 'last');
  await plain.getByText('last').waitFor();
  assert.deepEqual(await plain.locator('li').allTextContents(), ['to the simple page', 'from the simple page', 'last']);
});

test('embedded elsewhere, under a strict policy and hostile CSS, it works and stays itself', async () => {
  const host = await serve(`<!doctype html><title>Host</title>
    <style nonce="host">* { all: unset !important; color: red !important }</style>
    <script type="module" src="${server.url}/embed.js"></script><article>An article</article>
    <sayso-comments></sayso-comments><sayso-comments page="second" theme="dark"></sayso-comments>`,
  `default-src 'none'; script-src ${server.url}; connect-src ${server.url} ${server.url.replace('http', 'ws')}; style-src 'nonce-host'`);
  const address = `${host.url}/an/article?not=counted`;
  await allow(host.url);
  const page = await visit({}, address);
  const [first, second] = [page.locator('sayso-comments').first(), page.locator('sayso-comments').last()];
  await first.locator('.state[data-state=live]').waitFor();
  await second.locator('.state[data-state=live]').waitFor();
  await first.getByRole('textbox', { name: 'Comment' }).fill('from an embed');
  await first.getByRole('button', { name: 'Send' }).click();
  await first.locator('.comment time').waitFor();
  const [line] = await server.comments(`${new URL(address).host}/an/article`);
  assert.equal(line.content, 'from an embed');
  assert.equal(await second.locator('.comment').count(), 0);
  const look = await first.locator('.text').evaluate((node) => {
    const { color, fontSize, display } = getComputedStyle(node);
    return { color, fontSize, display };
  });
  assert.deepEqual(look, { color: 'rgb(28, 30, 33)', fontSize: '16px', display: 'block' });
  assert.equal(await second.locator('.title').evaluate((node) => getComputedStyle(node).color), 'rgb(230, 232, 235)');
});
