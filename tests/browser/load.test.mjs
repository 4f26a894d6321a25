/** What a reader loads: how many files, how many bytes, and that none waits for another. Times are printed and decide nothing. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';

import { BINARY, Server, launch, person, until } from './harness.mjs';

const STATIC = new URL('../../static/', import.meta.url);
/** Of all files that a reader loads, compressed. */
const BYTES_MAX = 20_480;
const REQUESTS_MAX = 10;
/** What the entry asks for: comments, style and six modules. */
const ROUND = 8;
/** Every file that only some load, compressed. */
const EXTRA_BYTES_MAX = 5_000;
/** A slow line: 50 KB/s, and 400 ms until anything comes. */
const SLOW = { offline: false, latency: 400, downloadThroughput: 50 * 1024, uploadThroughput: 50 * 1024 };
const COMMENTS = 50;
const PAINTED_TIMES = Number(process.env.PAINTED_TIMES ?? 3);
/** Another build to compare with. */
const { SAYSO_OLD_BIN } = process.env;

let browser;
let server;
let host;
let people = [];

before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  host = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><html lang="en"><title>A site</title><link rel="icon" href="data:,">
      <script type="module" src="${server.url}/embed.js"></script><article>An article</article>
      <sayso-comments page="/"></sayso-comments></html>`);
  });
  await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
  host.url = `http://127.0.0.1:${host.address().port}`;
  server = await start();
});
afterEach(async () => {
  const faults = people.flatMap((context) => context.faults);
  await Promise.all(people.map((context) => context.close()));
  people = [];
  host.close().closeAllConnections();
  await server.stop();
  assert.deepEqual(faults, []);
});

async function start(binary) {
  const started = await Server.start({ flags: ['--allow-origin', host.url], binary });
  for (let i = 1; i <= COMMENTS; i++) await started.post({ content: `comment ${i}, of *some* length as comments have`, name: 'Ada', key: `${i}`.padStart(22, 'k') });
  return started;
}

/** A fresh visitor, and everything that is asked of sayso until it is live. */
async function visit(address, network, prepare = () => {}) {
  const context = await person(browser);
  people.push(context);
  await prepare(context);
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  const requests = new Map();
  await devtools.send('Network.enable');
  devtools.on('Network.requestWillBeSent', ({ requestId, request, initiator, timestamp }) => {
    if (request.url.startsWith(server.url)) requests.set(requestId, { url: request.url.slice(server.url.length), initiator, asked: timestamp, bytes: 0 });
  });
  devtools.on('Network.requestServedFromCache', ({ requestId }) => requests.delete(requestId));
  devtools.on('Network.responseReceived', ({ requestId, response }) => {
    if (response.fromDiskCache) requests.delete(requestId);
    else if (requests.has(requestId)) requests.get(requestId).bytes = Number(new Headers(response.headers).get('content-length'));
  });
  devtools.on('Network.loadingFinished', ({ requestId, timestamp }) => {
    if (requests.has(requestId)) requests.get(requestId).came = timestamp;
  });
  if (network) await devtools.send('Network.emulateNetworkConditions', network);
  await page.addInitScript(watchPaint);
  await page.goto(address, { waitUntil: 'commit' });
  await page.locator('.state[data-state=live]').waitFor();
  const painted = await page.evaluate(() => window.painted);
  return { page, painted, requests: [...requests.values()] };
}

/** When the first comment is on the screen: in the frame after the one in which it has a place and its style. */
function watchPaint() {
  const isThere = () => {
    const [element] = document.querySelectorAll('sayso-comments');
    const text = (element?.shadowRoot?.querySelector('.comment .text') ?? element?.querySelector('.comment .text'));
    return text && text.getBoundingClientRect().height > 0;
  };
  // A page whose style blocks it has no first paint before the style is there.
  const look = () => {
    if (isThere() && performance.getEntriesByName('first-paint').length) window.painted ??= performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

const isLate = ({ url }) => /^\/(widget\/)?(write|outbox|composer|change|menu|drafts|live|catch-up)\.(js|css)/.test(url);

function report(t, what, requests) {
  const bytes = requests.reduce((sum, { bytes }) => sum + bytes, 0);
  t.diagnostic(`${what}: ${requests.length} requests, ${bytes} bytes: ${requests.map(({ url, bytes }) => `${url} ${bytes}`).join(', ')}`);
}

test('what a reader loads on another site is small, few, and all asked for in one round', async (t) => {
  // Nothing but the entry is answered before all the others have been asked for: none is found only when another has come.
  const held = [];
  const { page, requests } = await visit(host.url, undefined, (context) => context.route(`${server.url}/**`, async (route) => {
    const url = route.request().url().slice(server.url.length);
    if (url === '/embed.js' || isLate({ url })) return route.continue();
    held.push(url);
    await until(() => held.length >= ROUND, `${ROUND} requests at once, there are ${held}`);
    return route.continue();
  }));
  const needed = requests.filter((request) => !isLate(request));
  report(t, 'to read', needed);
  const files = needed.filter(({ url }) => !url.startsWith('/api/'));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  assert.ok(needed.length <= REQUESTS_MAX, `${needed.length} requests`);
  assert.ok(bytes > 1_000 && bytes <= BYTES_MAX, `${bytes} bytes`);

  const [entry, ...others] = needed;
  assert.equal(entry.url, '/embed.js');
  assert.ok(others.some(({ url }) => url.startsWith('/api/comments')) && others.some(({ url }) => url === '/embed.css'), 'comments and style');
  assert.deepEqual(others.map(({ url }) => url).sort(), held.sort(), 'all in one round');

  await page.locator('.look').first().waitFor({ state: 'attached' });
  assert.ok(requests.length, 'what writing needs comes once one reads');
});

test('sayso\'s own page asks for each file once, and early only for what its script will need', async (t) => {
  const { page, requests } = await visit(server.url);
  const needed = requests.filter((request) => !isLate(request));
  report(t, 'to read', needed);
  assert.ok(needed.length <= REQUESTS_MAX, `${needed.length} requests`);
  const links = await page.evaluate(async () => {
    const html = new DOMParser().parseFromString(await (await fetch('/')).text(), 'text/html');
    return [...html.querySelectorAll('link[rel=modulepreload]')].map((link) => link.getAttribute('href'));
  });
  const modules = needed.map(({ url }) => url).filter((url) => url.startsWith('/widget/'));
  assert.ok(links.length && links.every((url) => modules.includes(url)), links.join());
  assert.equal(new Set(modules).size, modules.length, 'each once');
});

test('every other file is little', async () => {
  // Those of the moderators' page are only there where there are moderators. No reader loads what describes the API.
  const all = readdirSync(STATIC, { recursive: true }).filter((name) => /\.(js|css|json|html)$/.test(name) && name !== 'embed.css' && !name.startsWith('admin/') && name !== 'openapi.json');
  assert.ok(all.length > 20, all.join());
  for (const name of all) {
    const { headers } = await fetch(`${server.url}/${name}`, { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(headers.get('content-encoding'), 'gzip', name);
    assert.ok(Number(headers.get('content-length')) < EXTRA_BYTES_MAX, name);
  }
});

test('the first comment on a slow line', async (t) => {
  const builds = [['this build', BINARY], ...SAYSO_OLD_BIN && existsSync(SAYSO_OLD_BIN) ? [['old build', SAYSO_OLD_BIN]] : []];
  const current = server;
  for (const [build, binary] of builds) {
    server = await start(binary);
    for (const [what, address] of [['on another site', host.url], ['on sayso\'s page', server.url]]) {
      const times = [];
      let last;
      for (let i = 0; i < PAINTED_TIMES; i++) {
        last = await visit(address, SLOW);
        times.push(Math.round(last.painted));
        await people.pop().close();
      }
      t.diagnostic(`${build}, ${what}: ${times.sort((a, b) => a - b).join(', ')} ms`);
      report(t, build, last.requests.filter((request) => !isLate(request)));
    }
    await server.stop();
  }
  server = current;
});
