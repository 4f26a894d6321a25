/** What the server refuses, in the reader's language, and what a site's owner is told that may not embed comments. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync, readdirSync } from 'node:fs';

import { allow, newPerson, server, serve, visit } from './fixture.mjs';
import { until } from './harness.mjs';
import { isLive } from './page.mjs';
import { site } from './widget.mjs';

const STATIC = new URL('../../static/', import.meta.url);
const LANGUAGES = ['ar', 'de', 'es', 'fr', 'it', 'ja', 'nl', 'pl', 'pt', 'ru', 'zh'];
/** What only programs, moderators and whoever makes a host page can be told, not who uses the widget. */
const OTHERS = ['malformed', 'bad_parameter', 'page_length', 'key_length', 'nonce_length', 'key_missing', 'not_moderator', 'not_on_page',
  'nonce_taken', 'not_yet_public', 'honeypot_filled', 'submitted_too_soon', 'stale_cursor', 'other_page', 'wrong_token', 'text_too_long',
  'pins_full', 'moderation_full', 'changed_meanwhile', 'address_unknown', 'nobody_to_ban', 'unknown_ban', 'not_rejected', 'cant_move',
  'moved_already', 'nonce_reserved', 'user_malformed', 'user_forged', 'user_too_far_ahead', 'user_of_other_site', 'no_sign_on'];
/** What the widget says of itself. */
const OWN = ['banned_for_ever', 'origin_not_allowed'];

const table = (code) => JSON.parse(readFileSync(new URL(`refusals/${code}.json`, STATIC)));

test('every refusal that one can meet is there in every language', () => {
  const source = readFileSync(new URL('../../src/comment/rejection.rs', import.meta.url), 'utf8');
  const body = /pub enum Rejection \{\n(.*?)\n\}\n/s.exec(source)[1];
  const variants = [...body.matchAll(/^ {4}([A-Z]\w*)/gm)].map(([, name]) => name.replace(/(?<!^)[A-Z]/g, '_$&').toLowerCase());
  assert.ok(variants.length > 20, variants.join());
  const expected = [...variants.filter((code) => !OTHERS.includes(code)), ...OWN].sort();
  assert.deepEqual(readdirSync(new URL('refusals/', STATIC)).sort(), LANGUAGES.map((code) => `${code}.json`));
  const holes = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const language of LANGUAGES) {
    const texts = table(language);
    assert.deepEqual(Object.keys(texts).sort(), expected, language);
    for (const [code, text] of Object.entries(texts)) assert.deepEqual(holes(text), holes(table('de')[code]), `${language} ${code}`);
  }
});

/** A page in this language, and a function that makes its server refuse what is sent next, so often. */
async function refusing(lang) {
  const address = await site('<sayso-comments page="a"></sayso-comments>', `lang="${lang}"`);
  const context = await newPerson();
  const refusals = [];
  await context.routeWebSocket(/./, (socket) => {
    const upstream = socket.connectToServer();
    socket.onMessage((message) => {
      const { content, nonce } = JSON.parse(message);
      const refusal = content && refusals.shift();
      if (refusal) socket.send(JSON.stringify({ ...refusal, nonce }));
      else upstream.send(message);
    });
  });
  const page = await context.newPage();
  await page.goto(address);
  await isLive(page);
  const send = async (text) => {
    await page.locator('.input').first().fill(text);
    await page.locator('.send').first().click();
  };
  return { page, send, refuse: (...some) => refusals.push(...some) };
}

const TOO_LONG = { error: 'content is 9000 bytes, at most 8192 are allowed', code: 'content_too_long', bytes: 9000, max: 8192 };

for (const [lang, words] of [['de', 'Das sind 9000 Bytes; höchstens 8192 passen.'], ['fr', 'Cela fait 9'], ['en', 'Content is 9000 bytes, at most 8192 are allowed.']]) {
  test(`a refusal is said in the reader's language, ${lang}`, async () => {
    const { page, send, refuse } = await refusing(lang);
    refuse(TOO_LONG);
    await send('what is refused');
    await until(async () => (await page.locator('.error').first().textContent()).replaceAll('9.000', '9000').replaceAll('8.192', '8192').startsWith(words), words);
    assert.equal(await page.locator('.input').first().inputValue(), 'what is refused');
  });
}

for (const [lang, end, words] of [
  ['en', '2031-05-06T10:00:00.000Z', /^You can’t write here until May 6, 2031 at \S+ AM\.$/], ['en', '9999-12-31T23:59:59.999Z', /^You can’t write here any more\.$/],
  ['de', '2031-05-06T10:00:00.000Z', /^Du kannst hier bis 6\. Mai 2031 um \S+ nicht schreiben\.$/], ['de', '9999-12-31T23:59:59.999Z', /^Du kannst hier nicht mehr schreiben\.$/],
]) {
  test(`a ban says until when, ${lang} ${end}`, async () => {
    const { page, send, refuse } = await refusing(lang);
    refuse({ error: `you are banned until ${end}`, code: 'banned', until: end });
    await send('what is refused');
    await until(async () => words.test(await page.locator('.error').first().textContent()), words);
    assert.equal(await page.locator('.input').first().inputValue(), 'what is refused');
  });
}

test('a refusal that the widget does not know, or not whole, is said in the server\'s words', async () => {
  const { page, send, refuse } = await refusing('de');
  for (const refusal of [{ error: 'the moon is full', code: 'moon_full' }, { error: 'the moon is round' }, { ...TOO_LONG, max: undefined }]) {
    refuse(refusal);
    await send('x');
    const words = refusal.error[0].toUpperCase() + refusal.error.slice(1);
    await page.locator('.error', { hasText: `${words}.` }).waitFor();
  }
});

for (const [lang, before, after] of [['de', 'Das war zu schnell. Weiter geht es in ', ' s.'], ['en', 'At most 10 comments in 60 s are allowed, try again in ', ' s.']]) {
  test(`a wait counts down, and then it is sent, ${lang}`, async () => {
    const { page, send, refuse } = await refusing(lang);
    await page.clock.install();
    const error = 'at most 10 comments in 60 s are allowed, try again in 60 s';
    refuse({ error, code: 'too_fast', wait: 60, posts: 10, seconds: 60, retry_after: 60 });
    await send('patience');
    const note = page.locator('.note');
    await note.getByText(`${before}60${after}`).waitFor();
    await page.clock.runFor(1_000);
    await note.getByText(`${before}59${after}`).waitFor();
    await page.clock.runFor(49_000);
    await note.getByText(`${before}10${after}`).waitFor();
    await page.clock.runFor(11_000);
    await page.locator('.comment', { hasText: 'patience' }).locator('time').waitFor();
    assert.equal(await note.count(), 0);
  });
}

/** A site that the server does not know. */
const stranger = (lang) => serve((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><html lang="${lang}"><title>A site</title><link rel="icon" href="data:,">
    <script type="module" src="${server.url}/embed.js"></script><sayso-comments></sayso-comments>`);
});

for (const [lang, words] of [['en', 'does not allow this site to embed them'], ['de', 'das Einbetten nicht erlaubt']]) {
  test(`a site that is not allowed says to its owner what to add, and works once it is added, ${lang}`, async () => {
    const address = await stranger(lang);
    const page = await visit(address, { isStubbed: false });
    const note = page.getByRole('alert').filter({ hasText: words });
    await note.waitFor();
    assert.equal(await note.locator('code').textContent(), `--allow-origin ${address}`);
    assert.match(await note.textContent(), new RegExp(new URL(server.url).host));
    await allow(address);
    await page.reload();
    await page.locator('.state[data-state=live]').waitFor();
    assert.equal(await note.count(), 0);
  });
}

test('a server that is away is not taken for one that does not allow the site', async () => {
  const address = await stranger('en');
  await allow(address);
  const context = await newPerson({ isStubbed: false });
  const asked = [];
  // As a proxy says it whose server is away: without a word about origins.
  await context.route(/\/api\/|demo\.css/, (route) => {
    asked.push(route.request().url());
    return route.fulfill({ status: 502, body: 'Bad Gateway' });
  });
  const page = await context.newPage();
  await page.goto(address);
  await page.locator('.state[data-state=offline], .state[data-state=retry]').waitFor();
  await until(() => asked.some((url) => url.endsWith('demo.css')), 'the look whether it is there');
  await until(() => asked.filter((url) => url.includes('/api/comments')).length > 2, 'some more tries');
  assert.equal(await page.locator('code').count(), 0);
});
