/** Moderators: a server that has two of them, ada and grace, and the page that they open. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Server, launch, person, until } from './harness.mjs';

export const TOKENS = { ada: 'a'.repeat(43), grace: 'g'.repeat(43) };
export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
export const WIDE = { viewport: { width: 1160, height: 700 } };

/** What lasts for one test: `t.after` ends it, and nobody may have met with a fault. */
export async function moderated(t, { flags = ['--hold', 'links'], ...options } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sayso-moderators-'));
  const file = join(folder, 'moderators');
  writeFileSync(file, Object.entries(TOKENS).map((line) => `${line.join(' ')}\n`).join(''), { mode: 0o600 });
  const server = await Server.start({ flags: ['--admin-token-file', file, ...flags], ...options });
  const browser = await launch();
  const people = [];
  t.after(async () => {
    const faults = people.flatMap((context) => context.faults);
    await browser.close();
    await server.stop();
    rmSync(folder, { recursive: true });
    assert.deepEqual(faults, []);
  });

  const open = async (path, what) => {
    const context = await person(browser, what);
    people.push(context);
    const page = await context.newPage();
    await page.goto(`${server.url}${path}`);
    return page;
  };
  return {
    server,
    /** The token file. */
    file,
    /** A moderator who has signed in. */
    async moderator(name = 'ada', what = WIDE, hash = '') {
      const page = await open(`/admin${hash}`, what);
      await page.getByLabel('Token').fill(TOKENS[name]);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.locator('.live[data-state=live]').waitFor();
      await page.locator('.rows:not([aria-busy=true])').waitFor({ state: 'attached' });
      return page;
    },
    async reader(path = '/', what = {}) {
      const page = await open(path, what);
      await page.locator('.state[data-state=live]').waitFor();
      return page;
    },
    open,
    /** A request as a moderator; of searches the server runs two at once. */
    async ask(method, path, body, name = 'ada') {
      const headers = { authorization: `Bearer ${TOKENS[name]}`, ...body && { 'content-type': 'application/json' } };
      const ask = () => fetch(`${server.url}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
      let answer = await ask();
      await until(async () => {
        if (answer.status === 503) answer = await ask();
        return answer.status !== 503;
      }, `${path} to be answered`);
      return { status: answer.status, ...await answer.json().catch(() => ({})) };
    },
  };
}

/** An entry of the list by a part of its text. */
export const entry = (page, words) => page.locator('.row', { hasText: words });

/** The texts of what is listed, in order. */
export const texts = (page) => page.locator('.row .text').allTextContents();

/** Does it with the mouse or the finger. */
export async function act(page, words, verb) {
  const row = entry(page, words);
  await row.waitFor();
  if (!await row.locator(`[data-verb=${verb}]`).isVisible()) await row.locator('[data-verb=dots]').click();
  await row.locator(`[data-verb=${verb}]`).click();
}

export const toast = (page, words) => page.locator('.toast', { hasText: words });
