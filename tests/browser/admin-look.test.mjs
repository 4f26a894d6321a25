/** How the page for moderators looks: pictures into `shots/`, to be looked at; what can be measured of it is asserted. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { PHONE, WIDE, entry, moderated } from './admin.mjs';
import { dimTexts } from './contrast.mjs';
import { pseudonym } from './harness.mjs';

const AXE = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const SHOTS = fileURLToPath(new URL('shots/', import.meta.url));
mkdirSync(SHOTS, { recursive: true });

const MINUTE = 60_000;
const KEYS = Object.fromEntries(['Grace', 'Radia', 'Edsger', 'Linus', 'Rude', 'Spammer', 'Best Casino Deals', 'Marek']
  .map((name, i) => [name, `${i}`.repeat(20) + name]));

/** `[minutes ago, name, page, content, more]`; `why` it is held, `flags` it has, `hidden` for what reason. */
const TALK = [
  [2_900, 'Radia', '/', 'Hello, and good luck with the new site.'],
  [240, 'Edsger', 'blog.example/hello', 'Simplicity is a prerequisite for reliability.'],
  [190, 'Linus', 'blog.example/threads', 'Threads are cheap.'],
  [185, 'Grace', 'blog.example/threads', 'Idle ones are.', { parent: 3 }],
  [55, 'Grace', 'blog.example/pi-zero', 'Mine serves 800 readers with about 40 MB. The trick is that stacks are only touched when they are used, and most never are.'],
  [40, 'Spammer', '/', 'cheap watches here, buy two and get one', { flags: 2 }],
  [39, 'Rude', 'blog.example/threads', 'You are all wrong, as ever.', { hidden: 'Insulting', parent: 4 }],
  [26, 'Linus', 'blog.example/threads', 'That is not what a thread costs. Measure `KernelStack`, not RSS.',
    { why: 'author', edited: 20, html: '<p>That is not what a thread costs. Measure <code>KernelStack</code>, not RSS.</p>', parent: 4 }],
  [11, 'Best Casino Deals', '/', 'Best cásino in town, register today and get 100 free spins…', { why: 'word: casino' }],
  [4, 'Marek', 'blog.example/pi-zero', 'I wrote up the numbers for the Zero 2 W here https://marek.example/zero2 and the raw logs are at https://paste.example/8f3a, happy to rerun anything.',
    { why: 'links', parent: 5 }],
];

function lines() {
  const at = (minutes) => new Date(Date.now() - minutes * MINUTE).toISOString();
  const author = (name) => pseudonym(KEYS[name]);
  const comments = TALK.map(([minutes, name, page, content, { parent, html, edited, why, hidden } = {}], i) => ({
    seq: i + 1, id: i + 1, page, parent, name, author: author(name), content, html, created_at: at(minutes), edited_at: edited && at(edited),
    nonce: `nonce-number-${1000 + i}`, status: why ? 'pending' : hidden ? 'hidden' : undefined,
  }));
  let seq = comments.length;
  const others = TALK.flatMap(([minutes, , , , { why, hidden, flags = 0 } = {}], i) => [
    ...why ? [{ seq: ++seq, kind: 'note', id: i + 1, did: 'hold', why, created_at: at(minutes) }] : [],
    ...hidden ? [{ seq: ++seq, kind: 'note', id: i + 1, author: comments[i].author, did: 'hide', reason: hidden, by: 'grace', created_at: at(5) }] : [],
    ...Array.from({ length: flags }, (_, n) => ({ seq: ++seq, kind: 'flag', id: i + 1, author: pseudonym(`reader number ${n} of them`), created_at: at(3) })),
  ]);
  return [...comments, ...others,
    { seq: ++seq, kind: 'ban', author: author('Rude'), until: '9999-12-31T23:59:59.999Z', by: 'grace', created_at: at(5) },
    { seq: ++seq, kind: 'page', page: 'blog.example/threads', locked: true, by: 'ada', created_at: at(5) }];
}

const shoot = (page, name) => page.screenshot({ path: `${SHOTS}${name}.png`, caret: 'hide' });
const scrollsSideways = (page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

async function violations(page) {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() => axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }));
  return found.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`));
}

/** A picture, and what there is to complain about. */
async function look(page, name) {
  // While a decision is on its way, its entry's buttons are pale.
  await page.locator('.row[aria-busy]').first().waitFor({ state: 'hidden' });
  await shoot(page, name);
  // What is scrolled halfway below the head is no target then, and axe takes it for a small one.
  await page.evaluate(() => scrollTo(0, 0));
  const found = [...await dimTexts(page), ...await violations(page), ...await scrollsSideways(page) ? ['it scrolls sideways'] : []];
  return found.map((words) => `${name}: ${words}`);
}

for (const [what, options] of [
  ['light', { ...WIDE }], ['dark', { ...WIDE, colorScheme: 'dark' }], ['phone-light', { ...PHONE, deviceScaleFactor: 2 }],
  ['phone-dark', { ...PHONE, deviceScaleFactor: 2, colorScheme: 'dark' }],
  ['narrow', { ...PHONE, viewport: { width: 360, height: 720 } }], ['forced', { ...WIDE, forcedColors: 'active' }],
]) {
  test(`every view and box can be read and used, ${what}`, async (t) => {
    const { moderator, open } = await moderated(t, { lines: lines() });
    const found = [];
    const asked = await open('/admin', { ...options, bypassCSP: true });
    found.push(...await look(asked, `admin-${what}-sign-in`));
    const page = await moderator('ada', { ...options, bypassCSP: true, reducedMotion: 'reduce' });
    await entry(page, 'KernelStack').getByText('author on hold').waitFor();
    await entry(page, 'KernelStack').getByText('answers Grace').waitFor();
    await entry(page, 'Zero 2 W').getByText('answers Grace').waitFor();
    await page.locator('.nav .pages a').first().waitFor({ state: 'attached' });
    // As it would be called.
    await page.locator('.host').evaluate((host) => {
      host.textContent = 'talk.example';
    });
    found.push(...await look(page, `admin-${what}`));
    await page.keyboard.press('j');
    await page.keyboard.press('w');
    await page.keyboard.press('2');
    await page.keyboard.press('x');
    found.push(...await look(page, `admin-${what}-why`));
    await page.keyboard.press('h');
    await page.locator('.toast').waitFor();
    await page.keyboard.press('r');
    found.push(...await look(page, `admin-${what}-answer`));
    await page.keyboard.press('Escape');
    for (const [key, name] of [['u', 'card'], ['b', 'ban'], ['?', 'keys']]) {
      await page.keyboard.press(key);
      await page.locator('.box:popover-open').waitFor();
      await page.locator('.card[aria-busy]').waitFor({ state: 'hidden' });
      found.push(...await look(page, `admin-${what}-${name}`));
      await page.keyboard.press('Escape');
      await page.locator('.box:popover-open').waitFor({ state: 'hidden' });
    }
    for (const [hash, words] of [['flagged', 'cheap watches'], ['newest', 'Simplicity'], ['hidden', 'You are all wrong'],
      ['thread=8', 'You are all wrong'], ['page=blog.example%2Fthreads', 'Threads are cheap'], ['search=threads', 'Threads are cheap'],
      ['deleted', ''], ['banned', ''], ['pages', '']]) {
      await page.evaluate((to) => {
        location.hash = to;
      }, hash);
      await (words ? entry(page, words) : page.locator('h1')).first().waitFor();
      await page.locator('.rows[aria-busy=true]').waitFor({ state: 'hidden' });
      found.push(...await look(page, `admin-${what}-${hash.split('=')[0]}`));
    }
    assert.deepEqual(found, []);
  });
}

test('where nothing waits it is calm', async (t) => {
  const { moderator } = await moderated(t);
  const page = await moderator('ada', { ...WIDE, bypassCSP: true });
  await page.getByText('Nothing waits.').waitFor();
  assert.deepEqual(await look(page, 'admin-calm'), []);
});
