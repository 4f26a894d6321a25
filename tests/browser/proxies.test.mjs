/** The READMEs' Caddyfiles and nginx server blocks, run as they stand there: only names, ports and paths are others. */

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { launch, person } from './harness.mjs';
import { comment, isConfirmed, isLive, say } from './page.mjs';
import { ADA, BELOW, CHAIN_FLAGS, GRACE, Place, SETUPS, UNIX_SERVER, UPGRADE, forged } from './place.mjs';
import { says } from './proxies.mjs';
import { ALLOWED, FAULTS, OWN_MACHINE } from './proxy-faults.mjs';

const LARGE = { page: '/large', lines: 220, bytes: 4_700 };

const large = () => Array.from({ length: LARGE.lines }, (_, n) => ({
  seq: n + 1, id: n + 1, page: LARGE.page, content: 'x'.repeat(LARGE.bytes), created_at: '2026-11-22T05:08:00.001Z', nonce: `large-large-${1000 + n}`,
}));

/** Doctor waits for what comes every 25 s; all wait at the same time, while the tests go on. */
const examinations = new Map();

/** What doctor says to a setup; one after the other is set up. */
async function examine(setup, former) {
  await former;
  const place = await Place.start({ ...setup, strict: true });
  const found = place.doctor(setup.site, setup.from).finally(() => place.stop());
  found.catch(() => {});
  return { found };
}

let browser;

before(async () => {
  browser = await launch();
  let former;
  for (const [name, setup] of Object.entries({ ...SETUPS, ...FAULTS, ...ALLOWED, ...OWN_MACHINE })) {
    former = examine(setup, former?.catch(() => {}));
    former.catch(() => {});
    examinations.set(name, former);
  }
});

after(() => browser?.close());
after(() => Promise.allSettled([...examinations.values()].map(async (examination) => (await examination).found)));
const diagnosis = async (name) => (await examinations.get(name)).found;

// Three at a time: they wait more than they work.
describe('the page', { concurrency: 3 }, () => {
  for (const [name, setup] of Object.entries(SETUPS)) {
    describe(`behind ${name}`, { concurrency: 1 }, () => {
      let place;
      let people = [];

      before(async () => {
        place = await Place.start({ ...setup, lines: large() });
        for (const { greeting } of place.parts) assert.doesNotMatch(greeting, /\[(warn|emerg)\]|not formatted|deprecated/);
      });
      after(() => place?.stop());
      afterEach(async () => {
        const faults = people.flatMap((context) => context.faults);
        await Promise.all(people.splice(0).map((context) => context.close()));
        assert.deepEqual(faults, []);
      });

      async function visit(from, options = {}, path = '/') {
        const context = await person(browser, { ignoreHTTPSErrors: true, ...options });
        people.push(context);
        const page = await context.newPage();
        page.sockets = [];
        page.on('websocket', (socket) => page.sockets.push(socket.url()));
        await page.goto(await place.url(from) + path);
        return page;
      }

      async function live(from) {
        const page = await visit(from);
        await isLive(page);
        return page;
      }

      test('the page is live, and what one writes the other sees at once', async () => {
        const [ada, grace] = [await live(ADA), await live(GRACE)];
        await say(ada, 'Hello');
        await isConfirmed(grace, 'Hello');
        await say(grace, 'Hello back');
        await isConfirmed(ada, 'Hello back');
        await ada.locator('.state', { hasText: 'Live · 2 reading' }).waitFor();
        for (const page of [ada, grace]) {
          assert.equal(page.sockets.length, 1);
          assert.ok(page.sockets[0].startsWith(`wss://localhost:${new URL(page.url()).port}${place.base}/ws/comments/?`), page.sockets[0]);
        }
      });

      test('a sayso that was killed is resumed, without loss or doubles', async () => {
        const [ada, grace] = [await live(ADA), await live(GRACE)];
        await say(ada, 'before');
        await isConfirmed(grace, 'before');
        await place.server.kill();
        for (const page of [ada, grace]) await page.locator('.state:not([data-state=live])').waitFor();
        await say(ada, 'meanwhile');
        await place.server.start();
        for (const page of [ada, grace]) await isLive(page);
        await isConfirmed(grace, 'meanwhile');
        await say(grace, 'afterwards');
        for (const page of [ada, grace]) {
          for (const text of ['before', 'meanwhile', 'afterwards']) {
            await isConfirmed(page, text);
            assert.equal(await comment(page, text).count(), 1);
          }
        }
        for (const text of ['before', 'meanwhile', 'afterwards']) {
          assert.equal(place.stored().filter((stored) => stored === text).length, 1, text);
        }
      });

      test('one can write without JavaScript and over HTTP, and strangers’ pages can not', async () => {
        const page = await visit(ADA, { javaScriptEnabled: false });
        await say(page, 'No script needed');
        await page.waitForURL(/\?page=%2F$/);
        assert.equal(new URL(page.url()).pathname, `${place.base}/`);
        assert.equal(await comment(page, 'No script needed').count(), 1);

        const origin = `https://localhost:${place.port}`;
        assert.equal((await place.post('own origin', { headers: { origin } })).status, 201);
        assert.equal((await place.post('no origin')).status, 201);
        const refused = await place.post('stranger', { headers: { origin: 'https://stranger.example' } });
        assert.equal(refused.status, 403);
        assert.match(JSON.parse(refused.text).error, /origin https:\/\/stranger\.example is not allowed/);
        assert.ok(!place.stored().includes('stranger'));

        const upgrade = (from) => place.ask('/ws/comments/', { headers: { ...UPGRADE, origin: from } });
        assert.equal((await upgrade(origin)).status, 101);
        assert.equal((await upgrade('https://stranger.example')).status, 403);
      });

      test('too large an upload is refused, and a large history comes whole', async () => {
        for (const length of [66_000, 120_000]) {
          const answer = await place.post('x'.repeat(length));
          assert.equal(answer.status, 413);
          assert.match(JSON.parse(answer.text).error, /at most 65536 are allowed/);
        }
        // Of this sayso reads so little that the proxy may find the way shut before it has the answer.
        const huge = await place.post('x'.repeat(20_000_000)).catch((error) => ({ status: error.code }));
        assert.ok([413, 502, 'ECONNRESET', 'EPIPE'].includes(huge.status), `${huge.status}`);
        assert.equal((await place.post('small')).status, 201);
        assert.ok(place.stored().every((text) => text.length < 100));

        const path = `/api/comments?page=${LARGE.page}&limit=200`;
        const direct = await place.server.text(place.base + path);
        assert.ok(direct.length > 900_000 && JSON.parse(direct).comments.length > 190);
        for (let time = 0; time < 3; time++) {
          const answer = await place.ask(path);
          assert.equal(answer.status, 200);
          assert.ok(answer.text === direct, `${answer.text.length} of ${direct.length} bytes`);
        }
      });

      if (setup.base) {
        test('the address of the path without its slash leads to the page', async () => {
          const answer = await place.ask('');
          assert.ok([301, 302, 308].includes(answer.status), `${answer.status}`);
          assert.equal(new URL(answer.headers.location, 'https://localhost').pathname, `${setup.base}/`);
        });
      }

      if (name === 'Caddy, below a path') {
        test('a page beside the path embeds the comments without being named', async () => {
          const page = await visit(ADA, {}, '/../');
          assert.equal(await page.title(), 'Blog');
          await isLive(page);
          await say(page, 'from the blog');
          await isConfirmed(page, 'from the blog');
        });
      }

      // The last, as from here on sayso counts.
      test('rates count the visitor, whatever they say of themselves', async () => {
        await place.again(place.strict, '1/60');
        const status = async (from, address) => (await place.post(`from ${from}`, { from, headers: forged(address) })).status;
        assert.equal(await status(ADA, '198.51.100.1'), 201);
        assert.equal(await status(ADA, '198.51.100.2'), 429);
        assert.equal(await status(ADA, `198.51.100.3, ${GRACE}`), 429);
        assert.equal(await status(GRACE, '198.51.100.1'), 201);
        assert.equal(await status(GRACE, '198.51.100.4'), 429);
      });
    });
  }
});

test('the flags of these set-ups are those of the READMEs', () => {
  const instead = `\`${UNIX_SERVER[0]}\` takes the place of \`${UNIX_SERVER[1]}\``;
  for (const said of [`sayso ${BELOW.join(' ')}`, CHAIN_FLAGS, instead]) assert.ok(says(said), said);
});

describe('what is wrong with a proxy shows, and doctor says it', () => {
  for (const [name, { symptom, verdict, shows, count = 1, ...setup }] of Object.entries(FAULTS)) {
    test(name, async () => {
      const place = await Place.start({ ...setup, strict: true });
      try {
        await symptom(place);
      } finally {
        await place.stop();
      }
      const { code, lines, said } = await diagnosis(name);
      const wrong = lines.filter((line) => line.startsWith('WRONG'));
      if (!verdict) {
        assert.deepEqual([code, wrong], [0, []], said);
        assert.ok(said.includes(shows), said);
        return;
      }
      assert.equal(code, 1, said);
      assert.equal(wrong.length, count, said);
      assert.match(wrong[0], verdict);
    });
  }
});

describe('doctor finds nothing wrong', () => {
  for (const name of Object.keys({ ...SETUPS, ...ALLOWED })) {
    test(`with ${name}`, async () => {
      const { code, lines, said } = await diagnosis(name);
      assert.deepEqual([code, lines.filter((line) => line.startsWith('WRONG'))], [0, []], said);
      for (const good of ['answers at https://localhost:', 'the Host header arrives unchanged', `the proxy forwards the client's address: ${ADA}`, 'a WebSocket connects',
        'an idle WebSocket stays open', 'other sites are refused']) {
        assert.ok(lines.some((line) => line.startsWith('ok ') && line.includes(good)), `${good} is not in:\n${said}`);
      }
    });
  }
});

test('doctor takes its own machine for no fault of the proxy', async () => {
  const [name] = Object.keys(OWN_MACHINE);
  const { code, lines, said } = await diagnosis(name);
  assert.deepEqual([code, lines.filter((line) => line.startsWith('WRONG'))], [0, []], said);
  assert.ok(said.includes('the proxy appends the address it sees'), said);
});
