/** How the widget fits into somebody's page: its font, its colours, its directions, for fingers and for screen readers. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { allow, newPerson, replaceServer, serve, server, visit } from './fixture.mjs';
import { pseudonym, until } from './harness.mjs';
import { choose, comment } from './page.mjs';
import { dimTexts } from './contrast.mjs';
import { live, say } from './widget.mjs';

const WIDGET = '<sayso-comments page="a"></sayso-comments>';

/** A blog with this style. */
async function blog(style, body = WIDGET, attributes = 'lang="en"') {
  const address = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><html ${attributes}><title>A blog</title><meta name="viewport" content="width=device-width"><style>${style}</style>
      <script type="module" src="${server.url}/embed.js"></script><article><h1>A blog</h1></article><main>${body}</main></html>`);
  });
  await allow(address);
  return address;
}

/** Something of everything that has a colour. */
async function fill() {
  const key = 'k'.repeat(22);
  const { id } = await server.post({ page: 'a', name: 'Ada Lovelace', key, content: 'With `code`, a [link](https://example.org) and\n\n> a quote' });
  await server.post({ page: 'a', name: 'Grace', content: 'An answer', parent: id });
  await server.post({ page: 'a', content: 'By nobody' });
}

const style = (page, part, name, pseudo) => page.locator(part).first()
  .evaluate((node, [property, pseudoElement]) => getComputedStyle(node, pseudoElement)[property], [name, pseudo]);
const isDark = (page) => style(page, '.sayso', 'colorScheme').then((scheme) => scheme === 'dark');

test('font and text colour are the page\'s own, and all can still be set', async () => {
  const own = 'body { font: italic 19px/1.7 "DejaVu Serif", serif; color: rgb(59, 47, 37); background: #fbf7ef }';
  const page = await live(await blog(own));
  assert.equal(await style(page, '.input', 'color'), 'rgb(59, 47, 37)');
  assert.deepEqual(await Promise.all(['fontFamily', 'fontSize', 'fontStyle', 'lineHeight'].map((name) => style(page, '.input', name))),
    ['"DejaVu Serif", serif', '19px', 'italic', '32.3px']);
  assert.equal(await style(page, '.send', 'backgroundColor'), 'rgb(36, 87, 214)', 'the accent is sayso\'s');
  const set = await live(await blog(`${own} sayso-comments { --sayso-font: 14px/20px monospace; --sayso-ink: rgb(1, 2, 3); --sayso-accent: rgb(163, 52, 28);
    --sayso-soft: rgb(4, 5, 6); --sayso-background: rgb(255, 255, 254); --sayso-line: rgb(7, 8, 9); --sayso-on-accent: rgb(254, 255, 255) }`));
  assert.deepEqual([await style(set, '.input', 'color'), await style(set, '.input', 'fontSize'), await style(set, '.send', 'backgroundColor'),
    await style(set, '.send', 'color'), await style(set, '.state', 'color'), await style(set, '.field', 'backgroundColor'), await style(set, '.bar', 'borderTopColor')],
  ['rgb(1, 2, 3)', '14px', 'rgb(163, 52, 28)', 'rgb(254, 255, 255)', 'rgb(4, 5, 6)', 'rgb(255, 255, 254)', 'rgb(7, 8, 9)']);
});

test('`inherit` is what the surrounding elements say, for each property', async () => {
  const names = ['background', 'ink', 'soft', 'line', 'fill', 'accent', 'on-accent', 'radius', 'font'];
  const inherit = names.map((name) => `--sayso-${name}: inherit`).join(';');
  const page = await live(await blog(`body { font: 18px serif; color: rgb(9, 9, 9) } sayso-comments { ${inherit} }`));
  assert.deepEqual([await style(page, '.input', 'fontFamily'), await style(page, '.input', 'color'), await style(page, '.send', 'backgroundColor'), await style(page, '.field', 'borderTopLeftRadius')],
    ['serif', 'rgb(9, 9, 9)', 'rgb(36, 87, 214)', '12px'], 'nothing is said around it');
  const values = { background: 'rgb(255, 250, 240)', ink: 'rgb(1, 1, 1)', soft: 'rgb(2, 2, 2)', line: 'rgb(3, 3, 3)', fill: 'rgb(250, 250, 250)', accent: 'rgb(5, 5, 5)', 'on-accent': 'rgb(251, 251, 251)', radius: '3px', font: '17px monospace' };
  const said = await live(await blog(`main { ${names.map((name) => `--sayso-${name}: ${values[name]}`).join(';')} } sayso-comments { ${inherit} }`));
  assert.deepEqual([await style(said, '.field', 'backgroundColor'), await style(said, '.input', 'color'), await style(said, '.state', 'color'), await style(said, '.bar', 'borderTopColor'),
    await style(said, '.send', 'backgroundColor'), await style(said, '.send', 'color'), await style(said, '.field', 'borderTopLeftRadius'), await style(said, '.input', 'fontFamily')],
  [values.background, values.ink, values.soft, values.line, values.accent, values['on-accent'], '3px', 'monospace']);
});

test('the radius reaches every corner', async () => {
  const address = await blog('sayso-comments { --sayso-radius: 0px }');
  await fill();
  const page = await live(address);
  await say(page, 'mine, with `code`\n\n```\nmore\n```');
  await page.locator('.mark').waitFor();
  await page.locator('.dots').first().click();
  const round = await page.evaluate(() => [...document.querySelector('sayso-comments').shadowRoot.querySelectorAll('*')]
    .filter((node) => !node.closest('svg') && parseFloat(getComputedStyle(node).borderTopLeftRadius)).map((node) => node.className || node.localName));
  assert.deepEqual(round, []);
});

/** What the page is like, and whether the widget is dark on it. */
const PAGES = [
  ['nothing at all', '', false],
  ['nothing at all, read by somebody who likes it dark', '', false, { colorScheme: 'dark' }],
  ['a dark background without color-scheme', 'body { background: #14161a; color: #ddd }', true],
  ['a dark background, and ink for its paragraphs alone', 'body { background: #15202b } p { color: #eee }', true],
  ['a dark box in a light page', 'body { background: #fff } main { background: rgb(20 20 40 / .95); color: #eee }', true],
  ['a light box in a dark page', 'html { background: #000 } body { color: #fff } main { background: oklch(.97 .02 90); color: #222 }', false],
  ['color-scheme: dark, no background', ':root { color-scheme: dark }', true],
  ['color-scheme: light dark, read in the dark', ':root { color-scheme: light dark }', true, { colorScheme: 'dark' }],
  ['a dark gradient', 'body { background: linear-gradient(#101820, #203040); color: #eee }', true],
  ['a dark page under a light reader\'s setting', '@media (prefers-color-scheme: light) { body { background: #222; color: #eee } }', true, { colorScheme: 'light' }],
];
for (const [what, css, expected, options] of PAGES) {
  test(`it is judged by what it stands on: ${what}`, async () => {
    const address = await blog(css);
    await fill();
    const page = await live(address, options);
    assert.equal(await isDark(page), expected);
    assert.deepEqual(await dimTexts(page), []);
  });
}

for (const [what, css] of [
  ['mid-tone, white text', 'body { background: #7a8087; color: #fff }'], ['mid-tone, black text', 'body { background: #8a8a7a; color: #000 }'],
  ['dusk', 'body { background: #4a5568; color: #edf2f7 }'], ['sepia', 'body { background: #f4ecd8; color: #5b4636 }'],
  ['grey text', 'body { background: #fff; color: #777 }'], ['solarized', 'body { background: #002b36; color: #839496 }'],
  ['orange', 'body { background: #e8590c; color: #fff }'], ['navy', 'body { background: #0b1f5c; color: #cfe }'],
]) {
  test(`every text has 4.5 : 1, and fields 3 : 1: ${what}`, async () => {
    const address = await blog(css);
    await fill();
    const page = await live(address);
    await say(page, 'mine');
    await page.locator('.mark').waitFor();
    await page.locator('.reply').first().click();
    await page.locator('.item .input').fill('half an answer');
    await page.locator('.aide').last().click();
    await page.locator('.aid').waitFor();
    await page.locator('.input').first().fill('x'.repeat(8_300));
    await page.locator('.send').first().click();
    await page.locator('.dots').last().click();
    await until(async () => !(await dimTexts(page)).length, 'what is needed for contrast');
    assert.deepEqual(await dimTexts(page), []);
    assert.deepEqual(await dimTexts(page, '.field', 3), []);
  });
}

test('it follows when the page changes: a class, a style sheet, the reader\'s setting, a slow fade', async () => {
  const page = await live(await blog('body { color: #111; background: #fff } .night body { background: #111; color: #eee } body.slow { transition: background 50ms; background: #123 }'));
  const becomes = (dark, what) => until(async () => await isDark(page) === dark, what);
  await becomes(false, 'light');
  await page.evaluate(() => document.documentElement.classList.add('night'));
  await becomes(true, 'the class');
  await page.evaluate(() => document.documentElement.classList.remove('night'));
  await becomes(false, 'no class');
  await page.evaluate(() => document.body.classList.add('slow'));
  await becomes(true, 'the end of the fade');
  await page.evaluate(() => document.body.removeAttribute('class'));
  await page.addStyleTag({ content: '@media (prefers-color-scheme: dark) { body { background: #000; color: #fff } }' });
  await becomes(false, 'no dark setting');
  await page.emulateMedia({ colorScheme: 'dark' });
  await becomes(true, 'the setting');
  await page.locator('sayso-comments').evaluate((node) => node.setAttribute('theme', 'light'));
  await until(async () => await style(page, '.input', 'color') === 'rgb(28, 30, 33)', 'the theme that is set');
});

test('each block goes by its own first letter, and code is read from the left', async () => {
  const address = await blog('', '<sayso-comments page="/"></sayso-comments>');
  await server.post({ content: 'English first.\n\nהפסקה הזאת בעברית.\n\n> ציטוט\n\n- פריט\n\n`x = 1;` ועוד `y();` בסוף\n\n```\nlet a = "שלום";\n```' });
  await server.post({ content: 'English first\nשורה בעברית' });
  const where = (page) => page.locator('.text').evaluateAll((all) => all.flatMap((text) => [...text.querySelectorAll('p, li, pre'), ...text.querySelector('p') ? [] : [text]].map((block) => {
    const range = document.createRange();
    range.selectNodeContents(block);
    const lines = [...range.getClientRects()].filter(({ width }) => width);
    const box = block.getBoundingClientRect();
    const at = ({ left, right }) => left - box.left < box.right - right ? 'left' : 'right';
    return `${block.localName} ${at(lines[0])}${lines.length > 1 && block.localName === 'div' ? ` ${at(lines.at(-1))}` : ''}`;
  })));
  const expected = ['div left right', 'p left', 'p right', 'p right', 'li right', 'p right', 'pre left'];
  const plain = await visit(server.url, { javaScriptEnabled: false });
  for (const page of [await live(), await live(address), plain]) {
    assert.deepEqual(await where(page), expected);
    assert.equal(await style(page, '.text code', 'direction'), 'ltr');
    assert.equal(await style(page, '.text blockquote', 'direction'), 'rtl', 'its line is at the right');
  }
});

test('under a finger every target has 44 px, and fields 16 px of type', async () => {
  const address = await blog('body { font: 13px sans-serif }');
  await fill();
  const page = await live(address, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  await page.locator('.reply').first().click();
  await page.locator('.item .input').fill('half an answer');
  await page.locator('.dots').last().click();
  const small = await page.evaluate(() => [...document.querySelector('sayso-comments').shadowRoot.querySelectorAll('button, select, input, textarea, .meta a, .foot a')]
    .filter((node) => node.checkVisibility()).map((node) => [node.className, node.getBoundingClientRect(), parseFloat(getComputedStyle(node).fontSize), node.matches('input, textarea, select')])
    // A word in a line of others is as wide as it is.
    .filter(([name, { width, height }, size, isField]) => width < 44 && !['when', 'brand'].includes(name) || height < 44 || isField && size < 16)
    .map(([name, { width, height }, size]) => `${name} ${width} × ${height}, ${size}`));
  assert.deepEqual(small, []);
});

test('the heart stands first, and what changes a comment is in the menu', async () => {
  const address = await blog('');
  await fill();
  const page = await live(address);
  await say(page, 'mine', 'Ada');
  const mine = comment(page, 'mine');
  await mine.locator('.like').waitFor();
  assert.deepEqual(await mine.locator('.actions button').evaluateAll((all) => all.map((node) => node.className)), ['like', 'reply', 'dots']);
  assert.equal(await style(page, '.reply', 'fontWeight'), '400');
  await mine.locator('.dots').click();
  assert.deepEqual(await page.getByRole('menuitem').allTextContents(), ['Edit', 'Delete', 'Copy link', 'Your comments']);
  assert.equal(await mine.locator('.dots').getAttribute('aria-expanded'), 'true');
  await page.mouse.click(5, 5);
  assert.equal(await page.getByRole('menu').count(), 0);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await choose(comment(page, 'By nobody'), 'Copy link');
  await page.getByRole('menuitem', { name: 'The link is copied.' }).waitFor();
  const { id } = (await server.comments('a')).find(({ content }) => content === 'By nobody');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${address}/#sayso-${id}`);
});

test('one sorts by newest, oldest and most liked', async () => {
  await replaceServer({ lines: [
    ...[1, 2, 3].map((id) => ({ seq: id, id, page: '/', content: `comment ${id}`, created_at: '2026-11-22T05:08:00.001Z', nonce: `nonce-number-100${id}` })),
    ...[2, 1, 2].map((id, i) => ({ seq: i + 4, kind: 'like', id, author: pseudonym(`reader ${i}`), on: true })),
  ] });
  const page = await live();
  await page.locator('.like[aria-label$="2"]').waitFor();
  const become = (order, why) => until(async () => (await page.locator('.text').allTextContents()).join() === order, why);
  const sort = page.getByRole('combobox', { name: 'Order of comments' });
  assert.deepEqual(await sort.locator('option').allTextContents(), ['Newest', 'Oldest', 'Most liked']);
  await become('comment 3,comment 2,comment 1', 'newest');
  await sort.selectOption('Most liked');
  await become('comment 2,comment 1,comment 3', 'most liked');
  await server.post({ content: 'the newest' });
  await become('the newest,comment 2,comment 1,comment 3', 'what comes in to stand on top');
  await sort.selectOption('Oldest');
  await become('comment 1,comment 2,comment 3,the newest', 'oldest');
  await page.getByRole('button', { name: 'Write a comment ↓' }).click();
  assert.equal(await page.locator('.sayso :focus').getAttribute('class'), 'input');
});

test('older comments are a wide button that says how many there are', async () => {
  for (let i = 1; i <= 62; i++) await server.post({ content: `comment ${i}` });
  const page = await live();
  const older = page.getByRole('button', { name: 'Older comments · 12' });
  await older.waitFor();
  const [wide, list] = await Promise.all([older.boundingBox(), page.locator('.list').first().boundingBox()]);
  assert.equal(wide.width, list.width);
});

test('a field that has the focus has one ring, and its border can be seen', async () => {
  const page = await live();
  await page.locator('.input').focus();
  assert.deepEqual([await style(page, '.field', 'outlineStyle'), await style(page, '.field', 'boxShadow'), await style(page, '.input', 'outlineWidth'), await style(page, '.input', 'outlineStyle')],
    ['solid', 'none', '0px', 'none']);
  await page.locator('.input').blur();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await dimTexts(page, '.field', 3), []);
  }
});

test('shapes of avatars stay inside the rim, and names give initials', async () => {
  for (let i = 0; i < 30; i++) await server.post({ content: `comment ${i}`, key: `${i}`.padStart(22, 'k') });
  await server.post({ content: 'named', name: 'Ada King Lovelace', key: 'k'.repeat(22) });
  const page = await live();
  assert.equal(await comment(page, 'named').locator('.avatar').textContent(), 'AL');
  const reaches = await page.locator('.avatar').evaluateAll((all) => all.flatMap((svg) => [...svg.querySelectorAll('g path')].map((path) => {
    const { a, b, c, d, e, f } = svg.getScreenCTM().inverse().multiply(path.getScreenCTM());
    const points = Array.from({ length: 60 }, (_, i) => path.getPointAtLength(path.getTotalLength() * i / 60));
    return Math.max(...points.map(({ x, y }) => Math.hypot(a * x + c * y + e - 18, b * x + d * y + f - 18)));
  })));
  assert.ok(reaches.length >= 60 && Math.max(...reaches) < 17.5, `${Math.max(...reaches)}`);
  const colours = await page.locator('.avatar').evaluateAll((all) => [...new Set(all.map((svg) => getComputedStyle(svg).backgroundColor))]);
  assert.ok(colours.length >= 7, colours.join());
});

test('a deleted comment says when it was deleted, in the widget and on the page', async () => {
  const key = 'k'.repeat(22);
  const { id } = await server.post({ content: 'question', key });
  await server.post({ content: 'answer', parent: id });
  const page = await live();
  const before = Date.now();
  await fetch(`${server.url}/api/comments/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${key}` } });
  await page.locator('.gone', { hasText: 'Deleted just now' }).waitFor();
  const plain = await visit(server.url, { javaScriptEnabled: false });
  for (const one of [page, plain]) {
    const at = Date.parse(await one.locator('.gone time').getAttribute('datetime'));
    assert.ok(at >= before - 1_000 && at <= Date.now() + 1_000);
  }
});

test('where a phone indents no more, answers name whom they answer', async () => {
  let parent;
  for (let i = 1; i <= 5; i++) ({ id: parent } = await server.post({ content: `level ${i}`, name: `n${i}`, parent }));
  const phone = { viewport: { width: 390, height: 800 } };
  for (const options of [phone, { ...phone, javaScriptEnabled: false }]) {
    const page = await visit(server.url, options);
    await until(async () => (await page.locator('.near-to:visible').allTextContents()).join() === 'to n3,to n4', 'names');
    await page.setViewportSize({ width: 800, height: 800 });
    assert.equal(await page.locator('.near-to:visible').count(), 0);
  }
});

test('"Markdown" opens six lines of help, in the language around', async () => {
  const page = await live(await blog('', WIDGET, 'lang="de"'));
  const button = page.getByRole('button', { name: 'Markdown' });
  assert.equal(await button.getAttribute('aria-expanded'), 'false');
  await button.click();
  assert.deepEqual(await page.locator('.aid dt').allTextContents(), ['*betont*', '**stark**', '`Code`', '[ein Link](https://…)', '> ein Zitat', '- eine Liste']);
  assert.deepEqual(await page.locator('.aid :is(em, strong, code, a, blockquote, li)').allTextContents(), ['betont', 'stark', 'Code', 'ein Link', 'ein Zitat', 'eine Liste']);
  await button.click();
  assert.equal(await page.locator('.aid').count(), 0);
});

test('the brand can be switched off', async () => {
  const page = await live(await blog('', `${WIDGET}<sayso-comments page="b" brand="off"></sayso-comments>`));
  await page.locator('.state[data-state=live]').nth(1).waitFor();
  assert.deepEqual(await page.locator('sayso-comments').evaluateAll((all) => all.map((node) => node.shadowRoot.querySelectorAll('.brand').length)), [1, 0]);
});

test('a screen reader hears whose comment it is and whom each button concerns, and Tab stops at each row once', async () => {
  const address = await blog('');
  await fill();
  const page = await live(address);
  await page.locator('.like').nth(2).waitFor();
  await page.getByRole('article', { name: 'Comment by Ada Lovelace, just now' }).waitFor();
  for (const name of ['Reply to Grace', 'Like the comment by Ada Lovelace', 'More about the comment by Anonymous']) {
    assert.equal(await page.getByRole('button', { name }).count(), 1, name);
  }
  const stops = await page.locator('.item').evaluateAll((all) => all.map((item) => [...item.querySelectorAll(':scope > article :is(a[href], button)')]
    .filter((node) => node.tabIndex >= 0 && !node.closest('.text')).length));
  assert.deepEqual(stops, [1, 1, 1]);
});

test('a comment\'s name for screen readers grows older with it', async () => {
  const address = await blog('');
  await fill();
  const context = await newPerson();
  const page = await context.newPage();
  await page.clock.install();
  await page.goto(address);
  await page.getByRole('article', { name: 'Comment by Grace, just now' }).waitFor();
  await page.clock.runFor(5 * 60_000 + 20_000);
  await page.getByRole('article', { name: 'Comment by Grace, 5 minutes ago' }).waitFor();
  assert.equal(await comment(page, 'An answer').locator('time').textContent(), '5 min ago');
});

test('counters say it in words where they are asked to, and keep their children where no server answers', async () => {
  const nowhere = 'http://127.0.0.1:9';
  const counters = `<sayso-count page="a" words>Comments</sayso-count> <sayso-count page="b" words></sayso-count> <sayso-count page="c" words lang="pl"></sayso-count>
    <sayso-count page="c"></sayso-count> <sayso-count page="a" src="${nowhere}" words><b>Comments</b></sayso-count>`;
  const address = await blog('', counters);
  await server.post({ page: 'a', content: 'one' });
  for (let i = 0; i < 3; i++) await server.post({ page: 'c', content: `${i}` });
  const context = await newPerson();
  const page = await context.newPage();
  await page.goto(address);
  const said = () => page.locator('sayso-count').evaluateAll((all) => all.map((node) => node.innerHTML));
  const failed = page.waitForEvent('requestfailed', { predicate: (request) => request.url().startsWith(nowhere) });
  await until(async () => (await said()).slice(0, 4).join() === '1 comment,0 comments,3 komentarze,3', 'words');
  await failed;
  assert.equal((await said())[4], '<b>Comments</b>');
  await server.post({ page: 'a', content: 'two' });
  await until(async () => (await said())[0] === '2 comments', 'a live count in words');
  context.faults.splice(0);
});
