/** The widget on other sites, below a path and made by script, and a page of somebody else that only reads lines. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { allow, live, replaceServer, serve, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { comment, isConfirmed, remove, say } from './page.mjs';

/** A site that shows this, under this policy if there is one. */
function serveHtml(body, policy) {
  return serve((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html', ...(policy && { 'content-security-policy': policy }) });
    response.end(body);
  });
}

test('under a base path everything works', async () => {
  await replaceServer({ flags: ['--base-path', '/talk'] });
  const plain = await visit(`${server.url}/talk/`, { javaScriptEnabled: false });
  await say(plain, 'from below', 'Grace');
  await plain.waitForURL(/\/talk\/\?page=/);
  const ada = await live(`${server.url}/talk/`);
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

test('a module that can\'t be had at first is asked for again, and style with it', async () => {
  await server.post({ content: 'still read' });
  for (const failing of [/\/widget\/view\.js/, /\/widget\/|embed\.css/]) {
    let failed = 0;
    const page = await visit(server.url, {}, (context) => context.route(failing, (route) => {
      failed++;
      return route.abort();
    }));
    await until(() => failed > 0, 'the failure');
    await page.context().unroute(failing);
    await until(async () => {
      await page.evaluate(() => dispatchEvent(new Event('online')));
      return page.locator('.state[data-state=live]').count();
    }, 'the script to take over');
    await page.locator('.comment', { hasText: 'still read' }).waitFor();
    // With that for writing, which comes once it is connected.
    await until(() => page.evaluate(() => document.querySelector('sayso-comments').shadowRoot.adoptedStyleSheets.length === 2), 'both styles, each once');
  }
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
  const site = await serveHtml(simple);
  await allow(site);
  const plain = await visit(site);
  await plain.waitForFunction(() => document.title === 'open');
  const ada = await live();
  await say(ada, 'to the simple page', 'Ada');
  await plain.getByText('to the simple page').waitFor();
  await plain.locator('#text').fill('from the simple page');
  await plain.keyboard.press('Enter');
  await isConfirmed(ada, 'from the simple page');
  await remove(ada, comment(ada, 'to the simple page'));
  await comment(ada, 'to the simple page').waitFor({ state: 'detached' });
  await say(ada, 'last');
  await plain.getByText('last').waitFor();
  assert.deepEqual(await plain.locator('li').allTextContents(), ['to the simple page', 'from the simple page', 'last']);
});

test('embedded elsewhere, under a strict policy and hostile CSS, it works and stays itself', async () => {
  const site = await serveHtml(`<!doctype html><title>Host</title>
    <style nonce="host">* { all: unset !important; color: red !important }</style>
    <script type="module" src="${server.url}/embed.js"></script><article>An article</article>
    <sayso-comments></sayso-comments><sayso-comments page="second" theme="dark"></sayso-comments>`,
  `default-src 'none'; script-src ${server.url}; connect-src ${server.url} ${server.url.replace('http', 'ws')}; style-src 'nonce-host'`);
  const address = `${site}/an/article?not=counted`;
  await allow(site);
  const page = await visit(address);
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

test('a page without a name is called by its canonical address, whatever else the address says', async () => {
  const site = await serve((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://site');
    const canonical = searchParams.get('canonical');
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><html lang="en"><title>A site</title>${canonical === null ? '' : `<link rel="canonical" href="${canonical}">`}
      <script type="module" src="${server.url}/embed.js"></script><main><sayso-comments></sayso-comments><sayso-count></sayso-count>${pathname}</main></html>`);
  });
  await allow(site);
  const { host } = new URL(site);
  const tracked = 'utm_source=x&utm_medium=y&fbclid=1&gclid=2&mc_cid=3&ref=4';
  const named = {
    '/post': `${host}/post`,
    [`/post?${tracked}`]: `${host}/post`,
    [`/post?${tracked}#section`]: `${host}/post`,
    '/post?page=2': `${host}/post`,
    [`/post/amp?canonical=/post&${tracked}`]: `${host}/post`,
    '/post?canonical=https://blog.example/2026/post%3Futm_source=feed%23top': 'blog.example/2026/post',
    '/post?canonical=': `${host}/post`,
    '/post?canonical=http://': `${host}/post`,
  };
  for (const name of new Set(Object.values(named))) await server.post({ page: name, content: `on ${name}` });
  for (const [address, name] of Object.entries(named)) {
    const page = await live(site + address);
    await isConfirmed(page, `on ${name}`);
    await page.locator('sayso-count', { hasText: /^1$/ }).waitFor();
  }
});
