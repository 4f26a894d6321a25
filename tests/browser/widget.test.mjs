/** What the widget can do on other people's pages and in other languages, each claim as people would see it. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';

import { Server, launch, person, until } from './harness.mjs';

const STATIC = new URL('../../static/', import.meta.url);
const LANGUAGES = ['ar', 'de', 'es', 'fr', 'it', 'ja', 'nl', 'pl', 'pt', 'ru', 'zh'];
const AXE = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const TASK_MAX = 100;

let browser;
let server;
let people = [];
let hosts = [];

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
  for (const host of hosts) host.close().closeAllConnections();
  people = [];
  hosts = [];
  await server.stop();
  assert.deepEqual(faults, []);
});

async function visit(address = server.url, options = {}, prepare = () => {}) {
  const context = await person(browser, options);
  people.push(context);
  await prepare(context);
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

async function live(...asked) {
  const page = await visit(...asked);
  await page.locator('.state[data-state=live]').first().waitFor();
  await page.locator('.look').first().waitFor({ state: 'attached' });
  return page;
}

/** A site that may embed this server's comments, under a policy without anything but what the README says. */
async function site(body, attributes = 'lang="en"') {
  const host = createServer((request, response) => {
    const { url } = server;
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; script-src ${url}; connect-src ${url} ${url.replace('http', 'ws')}; require-trusted-types-for 'script'`,
    });
    response.end(`<!doctype html><html ${attributes}><title>A site</title><meta name="viewport" content="width=device-width">
      <script type="module" src="${url}/embed.js"></script><main>${body}</main></html>`);
  });
  hosts.push(host);
  await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${host.address().port}`;
  await server.kill();
  server.flags = ['--allow-origin', address];
  await server.start();
  return address;
}

const say = async (page, text) => {
  await page.locator('.input').first().fill(text);
  await page.locator('.send').first().click();
};

test('all languages say everything, with all the plurals they have', () => {
  const source = readFileSync(new URL('widget/texts.js', STATIC), 'utf8');
  const texts = new Function(`return ${/const TEXTS = (\{.*?\n\});/s.exec(source)[1]}`)();
  assert.deepEqual(readdirSync(new URL('lang/', STATIC)).sort(), LANGUAGES.map((code) => `${code}.json`));
  const holes = (text) => [...String(text).matchAll(/\{\w+\}/g)].map(String).sort();
  for (const code of LANGUAGES) {
    const said = JSON.parse(readFileSync(new URL(`lang/${code}.json`, STATIC)));
    assert.deepEqual(Object.keys(said).sort(), Object.keys(texts).sort(), code);
    for (const [key, text] of Object.entries(said)) {
      const forms = typeof text === 'string' ? [text] : Object.values(text);
      assert.ok(forms.every((form) => form.trim()), `${code} ${key}`);
      assert.deepEqual(holes(forms.at(-1)), holes(texts[key].other ?? texts[key]), `${code} ${key}`);
      if (typeof text !== 'string') assert.ok(text.other, `${code} ${key}`);
    }
  }
});

test('the language is that of the page around it, under a strict policy', async () => {
  const address = await site('<sayso-comments page="a"></sayso-comments><sayso-comments page="b" lang="pl"></sayso-comments>', 'lang="de-AT"');
  for (let i = 0; i < 2; i++) await server.post({ page: 'b', content: `comment ${i}` });
  const page = await live(address);
  const [german, polish] = [page.locator('sayso-comments').first(), page.locator('sayso-comments').last()];
  await german.getByText('Noch keine Kommentare. Schreib den ersten.').waitFor();
  await say(german, 'Grüß Gott');
  await german.getByText('gerade eben').waitFor();
  await german.getByRole('button', { name: 'Antworten' }).waitFor();
  await polish.getByRole('button', { name: 'Najpierw najnowsze' }).waitFor();
  assert.equal(await polish.locator('.title').textContent(), 'Komentarze');
});

test('Arabic is written from right to left', async () => {
  const address = await site('<sayso-comments page="a"></sayso-comments>', 'lang="ar"');
  await server.post({ page: 'a', content: 'هل يعمل هذا؟', name: 'مريم' });
  const page = await live(address);
  await page.getByText('التعليقات').first().waitFor();
  const [avatar, name] = await Promise.all(['.avatar', '.name'].map((part) => page.locator(part).boundingBox()));
  assert.ok(avatar.x > name.x, 'the avatar stands at the right');
});

test('one turns the order, and it is remembered', async () => {
  for (let i = 1; i <= 60; i++) await server.post({ content: `comment ${i}` });
  const page = await live();
  const texts = () => page.locator('.text').allTextContents();
  assert.equal((await texts())[0], 'comment 60');
  await page.getByRole('button', { name: 'Newest first' }).click();
  assert.equal(await page.locator('.sayso :focus').textContent(), 'Oldest first');
  assert.deepEqual([(await texts())[0], (await texts()).at(-1)], ['comment 11', 'comment 60']);
  await page.reload();
  await page.locator('.state[data-state=live]').waitFor();
  assert.equal((await texts()).at(-1), 'comment 60');
  await say(page, 'at the end');
  await page.locator('.text', { hasText: 'at the end' }).waitFor();
  assert.equal((await texts()).at(-1), 'at the end');
  assert.ok((await page.locator('.composer').boundingBox()).y > (await page.locator('.item').last().boundingBox()).y);
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(200);
  await server.post({ content: 'below' });
  await page.getByRole('button', { name: '↓ 1 new comment' }).click();
  await page.locator('.text', { hasText: 'below' }).waitFor();
  await page.getByRole('button', { name: 'Older comments' }).click();
  await until(async () => (await texts())[0] === 'comment 1', 'the oldest first');
});

test('answers are folded away and counted', async () => {
  const { id } = await server.post({ content: 'question' });
  const first = await server.post({ content: 'answer 1', parent: id });
  await server.post({ content: 'answer 2', parent: first.id });
  const page = await live();
  const fold = page.locator('.fold').first();
  assert.equal(await fold.textContent(), 'Hide 2 answers');
  assert.equal(await fold.getAttribute('aria-expanded'), 'true');
  await fold.click();
  assert.equal(await page.locator('.text:visible').count(), 1);
  await server.post({ content: 'answer 3', parent: id });
  await page.getByRole('button', { name: 'Show 3 answers' }).click();
  assert.equal(await page.locator('.text:visible').count(), 4);
});

test('what is written is shown as it will be', async () => {
  const page = await live();
  const written = 'Some *emphasis*, **strong** `code <b>`, ~~gone~~ and [a link](https://example.org/a).\nhttps://example.org/b\n\n'
    + '- one\n- two\n\n> quoted\n\n```\nlet x = "<script>";\n```\n\n3. three\n4. four\n\n# Head';
  await page.locator('.input').fill(written);
  await page.getByRole('button', { name: 'Preview' }).click();
  const shown = await page.locator('.preview').innerHTML();
  await page.getByRole('button', { name: 'Write' }).click();
  assert.equal(await page.locator('.input').inputValue(), written);
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.comment time').waitFor();
  assert.equal(shown, await page.locator('.comment .text').innerHTML());
});

test('a preview of every trick is harmless', async () => {
  const page = await live();
  const tricks = ['<img src=x onerror=alert(1)>', '[x](javascript:alert(1))', '<javascript:alert(1)>', '![x](https://example.org/x.png)',
    '[x](data:text/html,<script>alert(1)</script>)', '**'.repeat(500), '> '.repeat(500), '['.repeat(500), '`'.repeat(501), '- '.repeat(500)];
  for (const trick of [...tricks, tricks.join('\n\n')]) {
    await page.locator('.input').fill(trick);
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.locator('.preview').waitFor();
    assert.equal(await page.locator('.preview :is(img, script, style, svg, iframe)').count(), 0);
    const links = await page.locator('.preview a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
    assert.ok(links.every((href) => href.startsWith('https://example.org/')), links.join());
    await page.getByRole('button', { name: 'Write' }).click();
  }
});

test('counters share one socket, are live, and are polled where it is blocked', async () => {
  const address = await site('<p><a href="/a"><sayso-count page="a"></sayso-count></a> <sayso-count page="b"></sayso-count></p>');
  await server.post({ page: 'a', content: 'one' });
  const sockets = [];
  const page = await visit(address, {}, (context) => context.on('page', (opened) => opened.on('websocket', (socket) => sockets.push(socket.url()))));
  const count = (n) => page.locator('sayso-count').nth(n);
  await until(async () => await count(0).textContent() === '1' && await count(1).textContent() === '0', 'the first counts');
  await server.post({ page: 'b', content: 'two' });
  await until(async () => await count(1).textContent() === '1', 'a live count');
  assert.equal(sockets.length, 1);
  const blocked = await visit(address, {}, (context) => context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 })));
  await until(async () => await blocked.locator('sayso-count').first().textContent() === '1', 'a count that was asked for');
});

test('the host hears what is posted and what comes in', async () => {
  const page = await live();
  await page.evaluate(() => {
    window.heard = [];
    for (const what of ['posted', 'received']) {
      document.addEventListener(`sayso:${what}`, ({ type, detail, composed }) => heard.push([type, detail.content, composed]));
    }
  });
  await say(page, 'from me');
  await page.locator('.comment time').waitFor();
  await server.post({ content: 'from them' });
  await page.locator('.text', { hasText: 'from them' }).waitFor();
  assert.deepEqual(await page.evaluate(() => window.heard), [['sayso:posted', 'from me', true], ['sayso:received', 'from them', true]]);
});

test('the wall shows the newest on top, large, and nothing to write in', async () => {
  await server.post({ page: 'talk', content: 'first' });
  const page = await visit(`${server.url}/?view=wall&page=talk`);
  await page.locator('.state[data-state=live]').waitFor();
  await server.post({ page: 'talk', content: 'second' });
  await page.locator('.text', { hasText: 'second' }).waitFor();
  assert.deepEqual(await page.locator('.text').allTextContents(), ['second', 'first']);
  assert.equal(await page.locator('form, .actions button, .order:visible').count(), 0);
  assert.ok(parseFloat(await page.locator('.text').first().evaluate((node) => getComputedStyle(node).fontSize)) >= 20);
});

test('the demo shows two threads, one restyled and in German', async () => {
  await server.post({ page: 'demo', content: 'one' });
  const page = await live(`${server.url}/demo`);
  await until(async () => await page.locator('sayso-count').first().textContent() === '1', 'the count');
  await page.getByText('Noch keine Kommentare').waitFor();
  assert.equal(await page.locator('#themed .send').evaluate((node) => getComputedStyle(node).backgroundColor), 'rgb(163, 52, 28)');
});

const heart = (page, text) => page.locator('.comment', { hasText: text }).locator('.like');
const liked = (page, text, count, isMine) => until(async () => {
  const button = heart(page, text);
  return await button.textContent() === count && await button.getAttribute('aria-pressed') === String(isMine);
}, `"${text}" to show ${count || 'no'} hearts`);

test('two people like a comment, and both see two hearts, after a reload too', async () => {
  await server.post({ content: 'the first' });
  await server.post({ content: 'the second' });
  const [ada, bob] = [await live(), await live()];
  await heart(ada, 'the first').click();
  await liked(ada, 'the first', '1', true);
  await liked(bob, 'the first', '1', false);
  await heart(bob, 'the first').focus();
  await bob.keyboard.press('Enter');
  await liked(ada, 'the first', '2', true);
  assert.equal(await heart(ada, 'the first').getAttribute('aria-label'), 'Like 2');
  await ada.reload();
  await liked(ada, 'the first', '2', true);
  await liked(ada, 'the second', '', false);
  const plain = await visit(server.url, { javaScriptEnabled: false });
  assert.equal(await plain.getByRole('img', { name: '2 likes' }).count(), 1);
  await heart(ada, 'the first').click();
  await heart(bob, 'the first').click();
  await liked(ada, 'the first', '', false);
  await liked(bob, 'the first', '', false);
  assert.equal(readFileSync(server.log, 'utf8').match(/"kind":"like"/g).length, 4);
});

test('hearts that went while one was away are gone when one is back', async () => {
  await server.post({ content: 'the first' });
  const [ada, bob] = [await live(), await live()];
  await heart(bob, 'the first').click();
  await liked(ada, 'the first', '1', false);
  await ada.context().setOffline(true);
  await server.kill();
  await server.start();
  await bob.locator('.state[data-state=live]').waitFor();
  await heart(bob, 'the first').click();
  await liked(bob, 'the first', '', false);
  await ada.context().setOffline(false);
  await liked(ada, 'the first', '', false);
});

test('a heart that is refused goes again, and one is told why', async () => {
  await server.stop();
  server = await Server.start({ rate: '2/600' });
  await server.post({ content: 'the first' });
  const page = await live();
  for (let i = 0; i < 12; i++) {
    await heart(page, 'the first').click();
    await liked(page, 'the first', i % 2 ? '' : '1', i % 2 === 0);
  }
  await heart(page, 'the first').click();
  await page.getByRole('alert').getByText(/^At most 12 likes in 600 s are allowed/).waitFor();
  await liked(page, 'the first', '', false);
});

test('where WebSocket is blocked, hearts go over HTTP and come with the next look', async () => {
  await server.post({ content: 'the first' });
  const blocked = (context) => context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 }));
  const page = await visit(server.url, {}, blocked);
  await page.locator('.state[data-state=polling]').waitFor();
  await heart(page, 'the first').click();
  await liked(page, 'the first', '1', true);
  const other = await live();
  await liked(other, 'the first', '1', false);
  await heart(other, 'the first').click();
  await liked(page, 'the first', '2', true);
});

/** Tasks that kept the page from answering, ms. */
const watchTasks = (page) => page.evaluate(() => {
  window.long = [];
  new PerformanceObserver((list) => window.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ entryTypes: ['longtask'] });
});

test('a thousand comments in ten seconds leave the page at ease', async (t) => {
  const page = await live();
  await watchTasks(page);
  for (let i = 0; i < 100; i++) {
    const until = Date.now() + 100;
    await Promise.all(Array.from({ length: 10 }, (_, k) => server.post({ content: `comment ${i * 10 + k} of *many*`, name: `n${k}` })));
    await new Promise((resolve) => setTimeout(resolve, until - Date.now()));
  }
  await until(async () => await page.locator('.count').textContent() === '1,000', 'all to be there');
  const long = await page.evaluate(() => window.long);
  t.diagnostic(`long tasks: ${long.map(Math.round)}`);
  assert.ok(Math.max(0, ...long) <= TASK_MAX, `${long}`);
  assert.ok(await page.locator('.unseen').textContent(), 'they were announced');
});

test('where comments cost work, it is done without notice, and what waited offline pays too', async (t) => {
  await server.stop();
  server = await Server.start({ flags: ['--challenge', '16'] });
  const ada = await live();
  await watchTasks(ada);
  await say(ada, 'worth it');
  await ada.locator('.comment', { hasText: 'worth it' }).locator('time').waitFor();
  const long = await ada.evaluate(() => window.long);
  t.diagnostic(`long tasks: ${long.map(Math.round)}`);
  assert.ok(Math.max(0, ...long) <= TASK_MAX, `${long}`);
  await server.kill();
  await say(ada, 'while it was away');
  await ada.locator('.note').waitFor();
  await server.start();
  await ada.locator('.comment', { hasText: 'while it was away' }).locator('time').waitFor();
  const bob = await visit(server.url, {}, (context) => context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 })));
  await bob.locator('.state[data-state=polling]').waitFor();
  await bob.locator('.look').first().waitFor({ state: 'attached' });
  await say(bob, 'over HTTP');
  await ada.locator('.comment', { hasText: 'over HTTP' }).locator('time').waitFor();
  assert.deepEqual((await server.comments()).map(({ content }) => content), ['worth it', 'while it was away', 'over HTTP']);
});

test('a site hears no key that is typed here, and hides what it hides', async () => {
  const page = await live(await site('<input id="search"><sayso-comments page="a"></sayso-comments>'));
  await page.evaluate(() => document.addEventListener('keydown', ({ target }) => {
    if (!target.matches('input, textarea')) document.querySelector('#search').focus();
  }));
  await page.locator('.input').click();
  await page.keyboard.type('this is / a text');
  assert.equal(await page.locator('.input').inputValue(), 'this is / a text');
  assert.equal(await page.locator('.sayso').isVisible(), true);
  await page.evaluate(() => { document.querySelector('main').style.visibility = 'hidden' });
  assert.equal(await page.locator('.sayso').isVisible(), false);
});

test('the field that somebody writes an answer in stays where it is', async () => {
  await server.post({ content: 'first' });
  const page = await live();
  await page.locator('.reply').click();
  await page.keyboard.type('half an answer');
  const { y } = await page.locator('.item textarea').boundingBox();
  await server.post({ content: 'meanwhile\n\nof some height' });
  await page.locator('.pill', { hasText: '1 new comment' }).waitFor();
  assert.equal((await page.locator('.item textarea').boundingBox()).y, y);
  await page.locator('.pill').click();
  await page.locator('.text', { hasText: 'meanwhile' }).waitFor();
  assert.equal(await page.locator('.item textarea').inputValue(), 'half an answer');
});

test('an edit of what has been deleted elsewhere keeps its text', async () => {
  const page = await live();
  await say(page, 'mine');
  await page.locator('.edit').click();
  await page.locator('.item textarea').fill('mine, and better');
  const status = await page.evaluate(async () => {
    const { key } = Object.values(localStorage).filter((text) => text.startsWith('{')).map((text) => JSON.parse(text)).find(({ key }) => key);
    const answer = await fetch('/api/comments/1', { method: 'DELETE', headers: { authorization: `Bearer ${key}` } });
    return answer.status;
  });
  assert.equal(status, 200);
  await until(async () => await page.locator('.input').first().inputValue() === 'mine, and better', 'the text is there');
  await page.reload();
  await page.locator('.state[data-state=live]').waitFor();
  assert.equal(await page.locator('.input').first().inputValue(), 'mine, and better', 'once');
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('edit'))), []);
});

test('a browser that says it is offline is believed at once', async () => {
  const page = await live();
  await page.context().setOffline(true);
  await page.locator('.state[data-state=offline]').waitFor();
  await page.context().setOffline(false);
  await page.locator('.state[data-state=live]').waitFor();
});

test('a page with 10,000 comments stays usable', async (t) => {
  await server.stop();
  const lines = Array.from({ length: 10_000 }, (_, i) => ({
    seq: i + 1, id: i + 1, page: '/', content: `comment ${i + 1}`, created_at: '2026-11-22T05:08:00.001Z', nonce: `nonce-number-${10_000 + i}`,
  }));
  server = await Server.start({ lines });
  const page = await live(`${server.url}/#sayso-1`);
  await page.locator('.text', { hasText: /^comment 1$/ }).waitFor({ timeout: 60_000 });
  assert.equal(await page.locator('.item').count(), 10_000);
  await watchTasks(page);
  await say(page, 'still here');
  await page.locator('.comment', { hasText: 'still here' }).locator('time').waitFor();
  const long = await page.evaluate(() => window.long);
  t.diagnostic(`long tasks: ${long.map(Math.round)}`);
  assert.ok(Math.max(0, ...long) <= 3 * TASK_MAX, `${long}`);
});

async function violations(page) {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() => axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  return found.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`));
}

for (const [what, attributes, options] of [
  ['light', 'lang="en"', {}], ['dark', 'lang="en"', { colorScheme: 'dark' }], ['right to left', 'lang="ar" dir="rtl"', {}],
  ['forced colours', 'lang="en"', { forcedColors: 'active' }],
]) {
  test(`axe finds nothing to complain about, ${what}`, async () => {
    const address = await site('<h1>Article</h1><sayso-comments page="a" theme="auto"></sayso-comments>', attributes);
    const { id } = await server.post({ page: 'a', content: 'question with `code`', name: 'Ada', key: 'k'.repeat(22) });
    for (let i = 1; i <= 2; i++) await server.post({ page: 'a', content: `answer ${i}`, parent: id });
    const page = await live(address, { ...options, bypassCSP: true, reducedMotion: 'reduce' });
    // Such a site is dark itself; axe takes what it can't see for white.
    if (what === 'dark') await page.addStyleTag({ content: 'html { background: #14161a; color: #fff }' });
    await page.locator('.like').first().click();
    await say(page, 'mine, with a [link](https://example.org)');
    await page.locator('.edit').waitFor();
    await page.locator('.reply').first().click();
    await page.locator('.item .input').fill('half');
    await page.locator('.delete').first().click();
    await page.locator('.input').first().fill('x'.repeat(8_300));
    await page.locator('.send').first().click();
    assert.deepEqual(await violations(page), []);
  });
}

test('where less motion is asked for, nothing moves, and what is new still shows', async () => {
  // An easing with steps jumps; anything else moves.
  const moving = (page) => page.evaluate(() => document.querySelector('sayso-comments').shadowRoot.getAnimations()
    .filter(({ effect }) => !(effect.getKeyframes()[0].easing ?? '').startsWith('steps'))
    .map(({ animationName, transitionProperty }) => animationName ?? transitionProperty));
  await server.post({ content: 'the first' });
  const [lively, calm] = [await live(), await live(server.url, { reducedMotion: 'reduce' })];
  await server.post({ content: 'the second' });
  for (const page of [lively, calm]) await page.locator('.fresh').waitFor();
  const tint = (page) => page.locator('.fresh').evaluate((node) => getComputedStyle(node, '::before').backgroundImage);
  assert.match(await tint(calm), /gradient/);
  assert.ok((await moving(lively)).includes('fade'));
  assert.deepEqual(await moving(calm), []);
  await server.kill();
  for (const page of [lively, calm]) await page.locator('.state[data-state=retry]').waitFor();
  await calm.locator('.input').first().focus();
  assert.ok((await moving(lively)).includes('pulse'));
  assert.deepEqual(await moving(calm), []);
  await server.start();
  await until(async () => await calm.locator('.fresh').count() === 0, 'the tint to go');
});

test('at 280 px nothing scrolls sideways, in any language', async () => {
  const address = await site(LANGUAGES.map((code) => `<sayso-comments page="a" lang="${code}"></sayso-comments>`).join(''));
  const { id } = await server.post({ page: 'a', content: 'question', name: 'Ada' });
  for (let i = 1; i <= 2; i++) await server.post({ page: 'a', content: `answer ${i}`, parent: id });
  const page = await live(address, { viewport: { width: 280, height: 700 } });
  await until(async () => await page.locator('.fold').count() === LANGUAGES.length, 'all to be drawn');
  for (const input of await page.locator('.input').all()) await input.fill('x'.repeat(8_000));
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
});

test('the browser keeps the page when one goes on, and it catches up when one comes back', async () => {
  const address = await site('<sayso-comments page="a"></sayso-comments>');
  const page = await live(address);
  await page.evaluate(() => {
    addEventListener('pageshow', (event) => {
      window.wasKept = event.persisted;
    });
  });
  await page.goto(`${server.url}/api/comments`);
  await server.post({ page: 'a', content: 'meanwhile' });
  await page.goBack({ waitUntil: 'commit' });
  await page.locator('.text', { hasText: 'meanwhile' }).waitFor();
  await page.locator('.state[data-state=live]').waitFor();
  assert.equal(await page.evaluate(() => window.wasKept), true);
});

test('the server and the widget draw the same avatar for everybody', async () => {
  for (let i = 0; i < 50; i++) await server.post({ content: `comment ${i}`, key: `${i}`.padStart(22, 'k') });
  const page = await visit();
  const drawn = await page.evaluate(async () => {
    const html = new DOMParser().parseFromString(await (await fetch('/')).text(), 'text/html');
    const { comments } = await (await fetch('/api/comments')).json();
    const { avatar } = await import('/widget/avatar.js');
    const served = new Map([...html.querySelectorAll('.item')].map((item) => [item.id, item.querySelector('.avatar').outerHTML]));
    return comments.map(({ id, author }) => [served.get(`sayso-${id}`), avatar(author).outerHTML]);
  });
  assert.equal(new Set(drawn.map(([served]) => served)).size, 50, 'everybody has their own');
  for (const [served, made] of drawn) assert.equal(made, served);
});

test('a preview that can\'t be had says why, and the text stays', async () => {
  const page = await live();
  await page.locator('.input').fill('1 < 2\n\n   and  *so* on'.replaceAll('*', ''));
  await page.getByRole('button', { name: 'Preview' }).click();
  assert.equal(await page.locator('.preview').innerText(), '1 < 2\n\n   and  so on');
  await page.getByRole('button', { name: 'Write' }).click();
  await page.locator('.input').fill('a bell \u0007 rings');
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByText(/^Content has the control character U\+0007/).waitFor();
  await page.locator('.input').fill('a bell rings');
  await page.context().setOffline(true);
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByText('There is no connection right now.').waitFor();
  assert.equal(await page.locator('.input').inputValue(), 'a bell rings');
});
