/** What the widget can do on other people's pages, each claim as people would see it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { replaceServer, server, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { choose } from './page.mjs';
import { live, say, site } from './widget.mjs';

/** Tasks that are long, and the longest that one may be, ms. */
const [TASK_MIN, TASK_MAX] = [50, 100];

test('one turns the order, and it is remembered', async () => {
  for (let i = 1; i <= 60; i++) await server.post({ content: `comment ${i}` });
  const page = await live();
  const texts = () => page.locator('.text').allTextContents();
  assert.equal((await texts())[0], 'comment 60');
  const order = page.getByRole('combobox', { name: 'Order of comments' });
  await order.focus();
  await order.selectOption('Oldest');
  await until(async () => (await texts())[0] === 'comment 1', 'the oldest first');
  assert.equal(await page.locator('.sayso :focus').evaluate((node) => node.value), 'oldest');
  await page.getByRole('button', { name: 'Newer comments' }).click();
  await until(async () => (await texts()).at(-1) === 'comment 60', 'the newest');
  await page.reload();
  await page.locator('.state[data-state=live]').waitFor();
  assert.equal((await texts())[0], 'comment 1');
  await page.locator('.look').first().waitFor({ state: 'attached' });
  await say(page, 'at the end');
  await page.locator('.text', { hasText: 'at the end' }).waitFor();
  assert.equal((await texts()).at(-1), 'at the end');
  assert.ok((await page.locator('.composer').boundingBox()).y > (await page.locator('.item').last().boundingBox()).y);
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(200);
  await server.post({ content: 'below' });
  await page.getByRole('button', { name: '↓ 1 new comment' }).click();
  await page.locator('.text', { hasText: 'below' }).waitFor();
  await page.getByRole('button', { name: 'Newer comments' }).click();
  await until(async () => (await texts()).length === 62, 'all');
  assert.deepEqual((await texts()).slice(-3), ['comment 60', 'at the end', 'below']);
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
  assert.equal(await page.locator('form, .actions button, .sort:visible').count(), 0);
  assert.ok(parseFloat(await page.locator('.text').first().evaluate((node) => getComputedStyle(node).fontSize)) >= 20);
});

test('the demo shows two threads, one restyled and in German', async () => {
  await server.post({ page: 'demo', content: 'one' });
  const page = await live(`${server.url}/demo`);
  await until(async () => await page.locator('sayso-count').first().textContent() === '1', 'the count');
  await page.getByText('Noch keine Kommentare').waitFor();
  assert.equal(await page.locator('#themed .send').evaluate((node) => getComputedStyle(node).backgroundColor), 'rgb(163, 52, 28)');
});

/**
 * Watches what keeps the page from answering. The function that comes back tells how long each such task took, in ms of the
 * processor: that other programs took their share of it meanwhile is none of the page's doing.
 */
async function watchTasks(page) {
  const browser = page.context().browser();
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  return async () => {
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
    const thread = ({ pid, tid }) => `${pid} ${tid}`;
    const isMain = ({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain';
    const main = new Set(traceEvents.filter(isMain).map(thread));
    const isTask = (event) => event.name.endsWith('RunTask') && event.tdur !== undefined && main.has(thread(event));
    const tasks = traceEvents.filter(isTask).map(({ tdur }) => tdur / 1_000);
    assert.ok(tasks.length > 0, 'nothing was measured');
    return tasks.filter((task) => task >= TASK_MIN);
  };
}

test('a thousand comments in ten seconds leave the page at ease', async (t) => {
  const page = await live();
  const longTasks = await watchTasks(page);
  for (let i = 0; i < 100; i++) {
    const until = Date.now() + 100;
    await Promise.all(Array.from({ length: 10 }, (_, k) => server.post({ content: `comment ${i * 10 + k} of *many*`, name: `n${k}` })));
    await new Promise((resolve) => setTimeout(resolve, until - Date.now()));
  }
  await until(async () => await page.locator('.count').textContent() === '1,000', 'all to be there');
  const long = await longTasks();
  t.diagnostic(`long tasks: ${long.map(Math.round)}`);
  assert.ok(Math.max(0, ...long) <= TASK_MAX, `${long}`);
  assert.ok(await page.locator('.unseen').textContent(), 'they were announced');
});

test('where comments cost work, it is done without notice, and what waited offline pays too', async (t) => {
  await replaceServer({ flags: ['--challenge', '16'] });
  const ada = await live();
  const longTasks = await watchTasks(ada);
  await say(ada, 'worth it');
  await ada.locator('.comment', { hasText: 'worth it' }).locator('time').waitFor();
  const long = await longTasks();
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
  await choose(page.locator('.comment'), 'Edit');
  await page.locator('.item textarea').fill('mine, and better');
  const status = await page.evaluate(async () => {
    const { key } = Object.values(localStorage).filter((text) => text.startsWith('{')).map((text) => JSON.parse(text)).find(({ key }) => key);
    const answer = await fetch('/api/comments/1', { method: 'DELETE', headers: { authorization: `Bearer ${key}` } });
    return answer.status;
  });
  assert.equal(status, 200);
  await until(async () => await page.locator('.input').first().inputValue() === 'mine, and better', 'the text is there');
  await page.reload();
  await page.locator('.look').first().waitFor({ state: 'attached' });
  assert.equal(await page.locator('.input').first().inputValue(), 'mine, and better', 'once');
  const kept = await page.evaluate(() => [localStorage, sessionStorage].flatMap((storage) => Object.keys(storage)));
  assert.ok(kept.some((key) => key.includes(' draft ')) && !kept.some((key) => key.includes(' edit ')), kept.join());
});

test('a browser that says it is offline is believed at once', async () => {
  const page = await live();
  await page.context().setOffline(true);
  await page.locator('.state[data-state=offline]').waitFor();
  await page.context().setOffline(false);
  await page.locator('.state[data-state=live]').waitFor();
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
    const { avatar } = await import('/widget/view.js');
    const served = new Map([...html.querySelectorAll('.item')].map((item) => [item.id, item.querySelector('.avatar').outerHTML]));
    return comments.map(({ id, author, name }) => [served.get(`sayso-${id}`), avatar(author, name).outerHTML]);
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
