/** Pictures of every state into `shots/`, to be looked at; and what can be measured of the look is asserted. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { dimTexts } from './contrast.mjs';
import { Server, launch, person, pseudonym, until } from './harness.mjs';
import { choose } from './page.mjs';

const SHOTS = fileURLToPath(new URL('shots/', import.meta.url));
const MINUTE = 60_000;
const KEYS = Object.fromEntries(['Ada', 'Grace', 'Linus', 'Margaret', 'Edsger', 'Barbara', 'Radia', 'مريم']
  .map((name, i) => [name, `${i}`.repeat(20) + name]));

/** `[minutes ago, name, content, html, more]`; `parent` counts from 1. */
const TALK = [
  [190, 'Barbara', 'Is this a forum?'],
  [188, undefined, 'Looks like it. I did not have to sign up anywhere.', , { parent: 1 }],
  [150, 'Edsger', 'Simplicity is a prerequisite for reliability.'],
  [121, 'Margaret', 'What happens when the machine loses power in the middle of a write?'],
  [118, 'Linus', 'A torn last line is kept aside and cut. Everything acknowledged is on disk, since the push comes *after* the sync.',
    '<p>A torn last line is kept aside and cut. Everything acknowledged is on disk, since the push comes <em>after</em> the sync.</p>',
    { parent: 4 }],
  [117, 'Margaret', 'And the comments in that torn line?', , { parent: 5 }],
  [115, 'Linus', 'Nobody saw them, and nobody was told they were saved.', , { parent: 6, edited: 114 }],
  [113, 'Margaret', 'Good. That is the only honest order.', , { parent: 7 }],
  [112, 'Radia', 'I would put that on a poster.', , { parent: 8 }],
  [96, 'مريم', 'هل يعمل هذا مع العربية أيضًا؟ نعم، يعمل.'],
  [61, undefined, '', , { deleted: true }],
  [58, 'Radia', 'I had the same question. The answer is in the README, under “Slow readers”.', , { parent: 11 }],
  [47, 'Barbara', 'Three things I like:\n\n- one file\n- one thread that writes\n- `grep` is the admin panel',
    '<p>Three things I like:</p><ul><li>one file</li><li>one thread that writes</li><li><code>grep</code> is the admin panel</li></ul>'],
  [33, 'Grace', 'https://example.org/a/very/long/address/that/goes/on/and/on/and/never/breaks/anywhere/by/itself?or=does&it=not'],
  [26, 'Edsger', 'How does it keep up with a thousand readers?'],
  [22, 'Linus', 'One writer, batches by themselves:\n\n```\nwhile let Ok(first) = inbox.recv() {\n    let batch = drain(first, &inbox);\n    log.append(&batch)?;\n}\n```\n\n> What about a slow disk?\n\nThen the batches are larger. See [the design](https://example.org/design).',
    '<p>One writer, batches by themselves:</p><pre><code>while let Ok(first) = inbox.recv() {\n    let batch = drain(first, &amp;inbox);\n    log.append(&amp;batch)?;\n}\n</code></pre><blockquote><p>What about a slow disk?</p></blockquote><p>Then the batches are larger. See <a href="https://example.org/design" rel="nofollow ugc noopener">the design</a>.</p>',
    { edited: 20 }],
  [14, undefined, 'Nice. And on an SD card?', , { parent: 16 }],
  [9, 'Ada', '40 ms, then 200 comments at once.', , { parent: 17 }],
  [6, 'Margaret', 'Two lines,\nand both stay.'],
  [4, 'Grace', 'The log *is* the history. I like that you can `tail -f` a conversation.',
    '<p>The log <em>is</em> the history. I like that you can <code>tail -f</code> a conversation.</p>'],
  [1, 'Ada', 'So do I.', , { parent: 20 }],
];

function talk() {
  const at = (minutes) => new Date(Date.now() - minutes * MINUTE).toISOString();
  return TALK.map(([minutes, name, content, html, { parent, edited, deleted } = {}], i) => ({
    seq: i + 1, id: i + 1, page: '/', parent, ...(deleted ? {} : { name, author: name && pseudonym(KEYS[name]), content, html }),
    created_at: at(minutes), edited_at: edited && at(edited), deleted, nonce: `nonce-number-${1000 + i}`,
  }));
}

/** So many hearts for each comment, as lines. */
function given(likes) {
  const hearts = Object.entries(likes).flatMap(([id, n]) => Array.from({ length: n }, (_, i) => ({ id: Number(id), author: pseudonym(`reader ${i}`) })));
  return hearts.map(({ id, author }, i) => ({ seq: TALK.length + i + 1, kind: 'like', id, author, on: true }));
}

/** The talk after moderators have been there: two pins, an answer of the site, an edit, borrowed names, two reasons for Ada, and its end. */
function moderatedTalk(locked) {
  const lines = talk();
  const at = new Date().toISOString();
  const line = (id) => lines[id - 1];
  line(4).pinned = true;
  line(18).status = 'hidden';
  Object.assign(line(21), { edited_at: at, mod_edited: true });
  Object.assign(line(20), { mod: 'grace', name: undefined, author: undefined });
  Object.assign(line(14), { name: 'Grасe' });
  const more = [
    { kind: 'note', id: 18, author: pseudonym(KEYS.Ada), did: 'hide', reason: 'Please stay with the subject', by: 'grace' },
    { kind: 'note', id: 21, author: pseudonym(KEYS.Ada), did: 'edit', reason: 'Without the telephone number', by: 'grace' },
    ...locked ? [{ kind: 'page', page: '/', locked, by: 'grace' }] : [],
  ];
  return [...lines, ...more.map((said, i) => ({ seq: lines.length + i + 1, ...said, created_at: at }))];
}

let browser;
before(async () => {
  mkdirSync(SHOTS, { recursive: true });
  browser = await launch();
});
after(() => browser.close());

/** A browser in which somebody has written before. */
function known({ url }, name, origin = url) {
  const me = JSON.stringify({ key: KEYS[name], author: pseudonym(KEYS[name]), name });
  return { storageState: { cookies: [], origins: [{ origin, localStorage: [{ name: `sayso ${url} me`, value: me }] }] } };
}

/** Opens a page as Ada would find it, who has written before. */
async function open(t, { lines, flags, address, path = '/', state = 'live', prepare = () => {}, ...options } = {}) {
  const server = await Server.start({ lines, flags });
  const context = await person(browser, { deviceScaleFactor: 2, ...known(server, 'Ada', address), ...options });
  t.after(async () => {
    await context.close();
    await server.stop();
    assert.deepEqual(context.faults, []);
  });
  await prepare(context, server);
  const page = await context.newPage();
  await page.goto(address ?? `${server.url}${path}`);
  if (options.javaScriptEnabled !== false) await page.locator(`.state[data-state=${state}]`).first().waitFor();
  if (options.javaScriptEnabled !== false && path !== '/?view=wall') await page.locator('.look').first().waitFor({ state: 'attached' });
  return { page, server, context };
}

async function shoot(page, name, whole = true) {
  // What comes in is in, what fades is not yet gone.
  await page.evaluate(() => Promise.all((document.querySelector('sayso-comments').shadowRoot?.getAnimations() ?? [])
    .filter(({ animationName }) => animationName === 'come').map(({ finished }) => finished)));
  await page.screenshot({ path: `${SHOTS}${name}.png`, fullPage: whole, caret: 'hide' });
}

const scrollsSideways = (page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

test('an empty page says a kind sentence', async (t) => {
  const { page } = await open(t);
  await page.getByText('No comments yet').waitFor();
  await shoot(page, 'empty', false);
  assert.deepEqual(await dimTexts(page), []);
});

for (const colorScheme of ['light', 'dark']) {
  test(`twenty comments, ${colorScheme}, every text at least 4.5 : 1`, async (t) => {
    const { page } = await open(t, { lines: talk(), colorScheme });
    assert.equal(await page.locator('.count').textContent(), '20');
    await shoot(page, `twenty-${colorScheme}`);
    assert.deepEqual(await dimTexts(page), []);
  });

  test(`writing, answering, a refusal and one that waits, ${colorScheme}`, async (t) => {
    const { page, server } = await open(t, { lines: talk(), colorScheme });
    const box = page.getByRole('textbox', { name: 'Comment' });
    await server.post({ content: 'This one has just come in.', name: 'Radia', key: KEYS.Radia });
    await page.getByText('This one has just come in.').waitFor();
    await page.locator('.item', { hasText: 'The log is the history' }).getByRole('button', { name: 'Reply' }).first().click();
    await page.getByPlaceholder('Answer Grace…').fill('Half an answer');
    await box.first().fill('a bell \u0007 rings');
    await page.getByRole('button', { name: 'Send' }).first().click();
    await page.getByText(/control character/).waitFor();
    await shoot(page, `answering-${colorScheme}`, false);
    assert.deepEqual(await dimTexts(page), []);
    await box.first().fill('');
    await server.kill();
    await page.locator('.state:not([data-state=live])').waitFor();
    await box.first().fill('Written on a train, in a tunnel.');
    await page.getByRole('button', { name: 'Send' }).first().click();
    await page.locator('.state', { hasText: 'Offline: 1 comment waits here' }).waitFor();
    await shoot(page, `offline-${colorScheme}`, false);
    assert.deepEqual(await dimTexts(page), []);
  });

  test(`after moderators have been there, ${colorScheme}`, async (t) => {
    const { page } = await open(t, { lines: moderatedTalk(), colorScheme });
    await page.getByText('A moderator: Without the telephone number').waitFor();
    await page.getByText('Hidden by a moderator: Please stay').waitFor();
    await page.locator('.alias').waitFor();
    await page.locator('.dots').first().click();
    await page.getByRole('menuitem', { name: 'Flag' }).click();
    await page.getByRole('menuitem', { name: 'Flagged. Thank you.' }).waitFor();
    assert.deepEqual(await dimTexts(page), []);
    await shoot(page, `moderated-${colorScheme}`);
  });

  test(`a closed conversation, with and without JavaScript, on a phone, ${colorScheme}`, async (t) => {
    const options = { lines: moderatedTalk(true), colorScheme, viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true };
    for (const [name, javaScriptEnabled] of [['closed', true], ['closed-no-javascript', false]]) {
      const { page } = await open(t, { ...options, javaScriptEnabled });
      await page.getByText('This conversation is closed.').waitFor();
      if (javaScriptEnabled) await page.getByText('A moderator: Without').waitFor();
      assert.equal(await scrollsSideways(page), false);
      if (javaScriptEnabled) assert.deepEqual(await dimTexts(page), []);
      await shoot(page, `${name}-${colorScheme}`);
    }
  });

  for (const width of [360, 280]) {
    test(`${width} px wide, ${colorScheme}, nothing scrolls sideways`, async (t) => {
      const { page } = await open(t, { lines: talk(), colorScheme, viewport: { width, height: 720 }, hasTouch: true, isMobile: true });
      assert.equal(await scrollsSideways(page), false);
      await shoot(page, `${width}-${colorScheme}`);
      await page.getByRole('button', { name: 'Reply' }).nth(5).click();
      assert.equal(await scrollsSideways(page), false);
    });
  }
}

test('without JavaScript the page looks the same', async (t) => {
  const { page } = await open(t, { lines: talk(), javaScriptEnabled: false });
  await shoot(page, 'no-javascript');
  assert.equal(await scrollsSideways(page), false);
});

test('the picture of the README: two people and a pill', async (t) => {
  const { page, server } = await open(t, { lines: [...talk(), ...given(LIKES)], viewport: { width: 760, height: 900 } });
  const grace = await person(browser, known(server, 'Grace'));
  t.after(() => grace.close());
  const other = await grace.newPage();
  await other.goto(server.url);
  await other.locator('.state[data-state=live]').waitFor();
  await other.locator('.look').first().waitFor({ state: 'attached' });
  await page.bringToFront();
  await page.locator('.state', { hasText: 'Live · 2 reading' }).waitFor();
  await server.post({ content: 'It is live while you read this.', name: 'Radia', key: KEYS.Radia });
  await page.getByText('It is live while you read this.').waitFor();
  await other.getByRole('textbox', { name: 'Comment' }).first().pressSequentially('I am typ');
  await page.getByText('is typing…').waitFor();
  await shoot(page, 'readme-light', false);
  await page.emulateMedia({ colorScheme: 'dark' });
  await shoot(page, 'readme-dark', false);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.evaluate(() => scrollTo(0, 700));
  await until(async () => {
    await server.post({ content: 'one more', name: 'Barbara', key: KEYS.Barbara });
    return page.getByRole('button', { name: /new comment/ }).isVisible();
  }, 'the pill');
  await shoot(page, 'pill', false);
});

test('right to left, nothing scrolls sideways', async (t) => {
  const { page } = await open(t, { lines: talk() });
  await page.evaluate(() => {
    document.documentElement.dir = 'rtl';
  });
  assert.equal(await scrollsSideways(page), false);
  await shoot(page, 'right-to-left');
});

test('right to left in Arabic, with hearts and a fold', async (t) => {
  const { page } = await embed(t, { lang: 'ar', likes: { 1: 3, 4: 12, 16: 128, 20: 5, 21: 1 } });
  await page.locator('.like').first().waitFor();
  assert.equal(await scrollsSideways(page), false);
  await shoot(page, 'arabic', false);
  assert.deepEqual(await dimTexts(page), []);
});

test('hearts, folded answers and a preview, in German and dark', async (t) => {
  const { page } = await embed(t, { lang: 'de', likes: { 16: 128, 19: 1, 20: 5, 21: 1 }, colorScheme: 'dark' });
  await page.locator('.like').first().click();
  await page.locator('.fold').first().click();
  await page.locator('.input').first().fill('Das ist *meine* Meinung, mit `code`:\n\n- eins\n- zwei\n\n> Zitat');
  await page.getByRole('button', { name: 'Vorschau' }).click();
  await page.locator('.preview').waitFor();
  await shoot(page, 'preview-dark', false);
  assert.deepEqual(await dimTexts(page), []);
});

test('oldest first, on a phone', async (t) => {
  const { page } = await open(t, { lines: talk(), viewport: { width: 360, height: 720 }, hasTouch: true, isMobile: true });
  await page.getByRole('combobox', { name: 'Order of comments' }).selectOption('Oldest');
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await page.waitForTimeout(300);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  assert.equal(await scrollsSideways(page), false);
  await shoot(page, 'oldest-first', false);
});

test('where WebSocket is blocked, it says so quietly', async (t) => {
  const { page } = await open(t, { lines: talk(), prepare: (context) => context.routeWebSocket(/./, (socket) => socket.close({ code: 1011 })), state: 'polling' });
  await shoot(page, 'polling', false);
  assert.deepEqual(await dimTexts(page), []);
});

test('in forced colours everything can be told apart', async (t) => {
  const { page } = await open(t, { lines: talk(), forcedColors: 'active' });
  await page.locator('.reply').first().click();
  await shoot(page, 'forced-colours', false);
});

test('deleting asks first', async (t) => {
  const { page } = await open(t, { lines: talk() });
  await choose(page.locator('.comment', { has: page.locator('.mark') }).first(), 'Delete');
  await shoot(page, 'deleting', false);
  assert.deepEqual(await dimTexts(page), []);
});

for (const colorScheme of ['light', 'dark']) {
  test(`the wall, ${colorScheme}`, async (t) => {
    const { page } = await open(t, { lines: talk(), colorScheme, viewport: { width: 1280, height: 720 }, deviceScaleFactor: 1, path: '/?view=wall' });
    await page.locator('.text').first().waitFor();
    await shoot(page, `wall-${colorScheme}`, false);
    assert.deepEqual(await dimTexts(page), []);
  });

  test(`the demo, ${colorScheme}`, async (t) => {
    const lines = talk().map((line) => ({ ...line, page: line.id < 10 ? 'demo' : 'demo/themed' }));
    const { page } = await open(t, { lines, colorScheme, path: '/demo' });
    await page.locator('#themed .text').first().waitFor();
    await page.locator('sayso-count', { hasText: /[1-9]/ }).first().waitFor();
    await shoot(page, `demo-${colorScheme}`);
  });
}

const ARTICLE = `<article><h1>On keeping a log</h1><p>There is a small pleasure in files that one can read. A log is a list of what has happened,
  in the order in which it happened, and nobody has to ask a database what it means by that.</p></article>`;
const LIKES = { 4: 3, 16: 12, 19: 1, 20: 5, 21: 1 };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const SERIF = 'body { margin: 0; background: #fbf7ef; color: #3b2f25; font: 19px/1.65 Georgia, "DejaVu Serif", serif } main { max-width: 660px; margin: 40px auto; padding: 0 20px }';
const DARK = 'body { margin: 0; background: #15202b; color: #d7dee6; font: 17px/1.6 "DejaVu Sans", sans-serif } main { max-width: 680px; margin: 40px auto; padding: 0 20px }';
const PLAIN = 'main { max-width: 680px; margin: 40px auto; padding: 0 20px } body { font: 16px/1.5 system-ui, sans-serif }';

for (const [what, css, options, attributes] of [
  ['a serif blog', SERIF, { viewport: { width: 800, height: 1_500 } }],
  ['a dark blog without color-scheme', DARK, { viewport: { width: 800, height: 1_500 } }],
  ['a serif blog on a phone', SERIF, PHONE],
  ['a dark blog on a phone', DARK, PHONE],
  ['oldest first', PLAIN, { viewport: { width: 800, height: 1_500 } }, 'order="oldest"'],
  ['oldest first on a phone', PLAIN, PHONE, 'order="oldest"'],
]) {
  test(`${what}: it looks like a part of the page`, async (t) => {
    const { page } = await embed(t, { lang: 'en', likes: LIKES, css, attributes, ...options });
    await page.locator('.like').first().waitFor();
    await page.locator('sayso-comments').evaluate((node) => document.documentElement.clientWidth < 500 && node.scrollIntoView());
    assert.equal(await scrollsSideways(page), false);
    assert.deepEqual(await dimTexts(page), []);
    await shoot(page, what.replaceAll(' ', '-'), false);
  });
}

test('the menu, the help and an answer, on a phone in the dark', async (t) => {
  const { page } = await embed(t, { lang: 'en', likes: LIKES, css: DARK, ...PHONE });
  await page.locator('.reply').nth(1).click();
  await page.locator('.item .aide').click();
  await page.locator('.aid').waitFor();
  await page.locator('.item .input').fill('Half an answer');
  await page.locator('.dots').nth(1).click();
  await page.getByRole('menuitem').first().waitFor();
  assert.equal(await scrollsSideways(page), false);
  assert.deepEqual(await dimTexts(page), []);
  await shoot(page, 'menu', false);
});

/** The talk as on another site, in that language, on a server with hearts. */
async function embed(t, { lang, likes, css, attributes = '', ...options }) {
  let base;
  const host = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><html lang="${lang}"${lang === 'ar' ? ' dir="rtl"' : ''}><title>x</title>
      <meta name="viewport" content="width=device-width">
      ${css ? `<style>${css}</style>` : `<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="${base}/embed.css">`}
      <script type="module" src="${base}/embed.js"></script><body${css ? '' : ' class="page"'}><main>${css ? ARTICLE : ''}
      <sayso-comments page="/" ${attributes}></sayso-comments></main></html>`);
  });
  await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
  t.after(() => host.close().closeAllConnections());
  const address = `http://127.0.0.1:${host.address().port}`;
  const prepare = (context, { url }) => {
    base = url;
  };
  return open(t, { lines: [...talk(), ...given(likes)], prepare, flags: ['--allow-origin', address], address, ...options });
}
