/** `sayso export --to html`: pages that open without a server and read well. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { violations } from './axe.mjs';
import { newPerson, server } from './fixture.mjs';

const SHOTS = fileURLToPath(new URL('shots/', import.meta.url));
const PAGE = 'blog.example/a-post';

async function fill() {
  const say = (content, name, parent, more) => server.post({ page: PAGE, content, name, parent, key: `${name}`.padEnd(22, 'k'), ...more });
  const first = await say('With `code`, *emphasis*, a [link](https://example.org/) and\n\n> a quote\n\n```\nlet x = 1; // a line of code that is rather long, longer than a telephone is wide, and scrolls by itself\n```', 'Ada Lovelace');
  const answer = await say('An answer', 'Grace', first.id);
  await say('An answer to the answer, with a word thatislongerthanatelephoneiswideandhasnospaceinit'.padEnd(140, 'x'), undefined, answer.id);
  await say('مرحبا بالعالم', 'سارة', first.id);
  const gone = await say('soon gone', 'Edsger');
  await say('what answers it stays', 'Barbara', gone.id);
  await fetch(`${server.url}/api/comments/${gone.id}`, { method: 'DELETE', headers: { authorization: `Bearer ${'Edsger'.padEnd(22, 'k')}` } });
  const list = await say('- one\n- two', 'Donald');
  await fetch(`${server.url}/api/comments/${list.id}`, {
    method: 'PATCH', headers: { authorization: `Bearer ${'Donald'.padEnd(22, 'k')}`, 'content-type': 'application/json' }, body: JSON.stringify({ content: '- one\n- two\n- three' }),
  });
  await server.post({ page: 'other.example/<b>?&"', content: '<script>alert(1)</script>', name: '</title><script>alert(2)</script>' });
}

test('the export opens from a folder, without a server or a script, and reads well light and dark, wide and narrow', async () => {
  await fill();
  const folder = join(server.folder, 'site');
  await promisify(execFile)(server.binary, ['export', '--to', 'html', folder, '--data', server.folder]);
  await server.kill();
  mkdirSync(SHOTS, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [390, 1280]) {
      const context = await newPerson({ isStubbed: false, colorScheme, viewport: { width, height: 900 } });
      // No script runs there: its own policy says so, and there is none.
      const asked = [];
      context.on('request', (request) => asked.push(request.url()));
      const page = await context.newPage();
      const isFit = async (what) => {
        const { scrollWidth, clientWidth } = await page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth }));
        assert.ok(scrollWidth <= clientWidth, `${what} is ${scrollWidth} px wide at ${width}`);
        assert.deepEqual(await violations(page), [], `${what}, ${colorScheme}, ${width} px`);
        await page.screenshot({ path: `${SHOTS}export-${what}-${colorScheme}-${width}.png`, fullPage: true });
      };
      await page.goto(pathToFileURL(join(folder, 'index.html')).href);
      assert.equal(await page.locator('script').count(), 0);
      assert.equal(await page.getByRole('listitem').count(), 2);
      await isFit('index');
      await page.getByRole('link', { name: PAGE }).click();
      assert.ok(page.url().startsWith(pathToFileURL(folder).href), page.url());
      assert.equal(await page.locator('article').count(), 7);
      await page.getByText('An answer', { exact: true }).waitFor();
      assert.equal(await page.locator('article ul li').count(), 3);
      await isFit('page');
      // What an answer is to is a link on the same page.
      await page.locator('article').nth(1).getByRole('link', { name: 'answers this one' }).click();
      assert.match(page.url(), /#c\d+$/);
      assert.equal(await page.locator('article:target').innerText().then((text) => text.includes('emphasis')), true);
      await page.getByRole('link', { name: 'All pages' }).click();
      await page.getByRole('link', { name: 'other.example' }).click();
      await page.getByText('<script>alert(1)</script>').waitFor();
      assert.ok(asked.every((url) => url.startsWith('file:')), asked.join());
    }
  }
});
