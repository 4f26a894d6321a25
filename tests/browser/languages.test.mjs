/** The widget in other languages, from right to left, and for people who need contrast, little motion or a narrow screen. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync, readdirSync } from 'node:fs';

import { violations } from './axe.mjs';
import { server } from './fixture.mjs';
import { until } from './harness.mjs';
import { choose } from './page.mjs';
import { live, say, site } from './widget.mjs';

const STATIC = new URL('../../static/', import.meta.url);
const LANGUAGES = ['ar', 'de', 'es', 'fr', 'it', 'ja', 'nl', 'pl', 'pt', 'ru', 'zh'];

/** What the panel of one's own comments says is for those who open it, and what is said of answers for those who have written. */
for (const [folder, ...modules] of [['lang', 'texts', 'write', 'live', 'moderation', 'verified', 'user'], ['mine', 'mine'], ['answers', 'answers']]) test(`all languages say everything in ${folder}, with all the plurals they have`, () => {
  const texts = {};
  for (const name of modules) {
    const source = readFileSync(new URL(`widget/${name}.js`, STATIC), 'utf8');
    Object.assign(texts, new Function(`return ${/const TEXTS = (\{.*?\n\});/s.exec(source)[1]}`)());
  }
  assert.deepEqual(readdirSync(new URL(`${folder}/`, STATIC)).sort(), LANGUAGES.map((code) => `${code}.json`));
  const holes = (text) => [...String(text).matchAll(/\{\w+\}/g)].map(String).sort();
  for (const code of LANGUAGES) {
    const said = JSON.parse(readFileSync(new URL(`${folder}/${code}.json`, STATIC)));
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
  await german.getByRole('button', { name: 'Anonym antworten' }).waitFor();
  await polish.getByRole('combobox', { name: 'Kolejność komentarzy' }).waitFor();
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

for (const [what, attributes, options] of [
  ['light', 'lang="en"', {}], ['dark', 'lang="en"', { colorScheme: 'dark' }], ['right to left', 'lang="ar" dir="rtl"', {}],
  ['forced colours', 'lang="en"', { forcedColors: 'active' }],
]) {
  test(`axe finds nothing to complain about, ${what}`, async () => {
    const address = await site('<h1>Article</h1><sayso-comments page="a"></sayso-comments>', attributes);
    const { id } = await server.post({ page: 'a', content: 'question with `code`', name: 'Ada', key: 'k'.repeat(22) });
    for (let i = 1; i <= 2; i++) await server.post({ page: 'a', content: `answer ${i}`, parent: id });
    const page = await live(address, { ...options, bypassCSP: true, reducedMotion: 'reduce' });
    // Such a site is dark itself; axe takes what it can't see for white.
    if (what === 'dark') await page.addStyleTag({ content: 'html { background: #14161a; color: #fff }' });
    await page.locator('.like').first().click();
    await say(page, 'mine, with a [link](https://example.org)');
    await page.locator('.reply').first().click();
    await page.locator('.item .input').fill('half');
    await choose(page.locator('.comment', { has: page.locator('.mark') }), /Delete|حذف/);
    await page.locator('.input').first().fill('x'.repeat(8_300));
    await page.locator('.send').first().click();
    await page.locator('.item .aide').click();
    await page.locator('.aid').waitFor();
    await page.locator('.dots').last().click();
    await page.locator('.menu').waitFor();
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
