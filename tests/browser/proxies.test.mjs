/** The READMEs' Caddyfiles, nginx server blocks and systemd unit, run as they stand there: only names, ports and paths are others. */

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';

import { BINARY, Server, launch, person, until, withinPatience } from './harness.mjs';
import { Caddy, Nginx, Road, ask, blog, freePort, replaced, says, snippets } from './proxies.mjs';

const CADDY = snippets('caddyfile');
const NGINX = snippets('nginx');
/** One of two visitors; neither is where a proxy is. */
const [ADA, GRACE] = ['127.0.0.2', '127.0.0.3'];
/** The outer one of two proxies. */
const OUTER = '127.0.0.9';
const LARGE = { page: '/large', lines: 220, bytes: 4_700 };

const toSayso = (port) => ['127.0.0.1:8000', `127.0.0.1:${port}`];

/** The site of the first Caddyfile, before this sayso. */
function caddy(port) {
  return Caddy.start(replaced(CADDY[0], [toSayso(port), ['comments.example {', 'localhost {']]));
}

async function caddyPath(port, folder) {
  return Caddy.start(replaced(CADDY[1], [toSayso(port), ['blog.example {', 'localhost {'], ['/srv/blog', folder]]));
}

async function nginx(port, changes = [], own = [toSayso(port)]) {
  const listen = await freePort();
  return Nginx.start(replaced(NGINX[0], [...changes, ...own, ['server_name comments.example;', 'server_name localhost;'],
    ['    listen 443 ssl http2;\n    listen [::]:443 ssl http2;', `    listen 127.0.0.1:${listen} ssl http2;`]]), listen);
}

/** The location below a path, in the place of the one for the whole site. */
function nginxPath(port, changes = []) {
  const [begin, end] = ['    location / {\n', '    }\n'];
  const location = NGINX[0].slice(NGINX[0].indexOf(begin), NGINX[0].lastIndexOf(end) + end.length);
  return nginx(port, [[location, replaced(NGINX[1], changes)]]);
}

/** Caddy behind nginx; the second of the list is the one that visitors see. */
async function chain(port) {
  const inner = await Caddy.start(replaced(CADDY[2], [toSayso(port), ['comments.example {', 'http://localhost {'], ['192.0.2.7', OUTER]]));
  return [inner, await nginx(inner.port, [['proxy_pass http://sayso;', `proxy_pass http://sayso;\n        proxy_bind ${OUTER};`]])];
}

const BELOW = ['--base-path', '/talk'];
const CHAIN_FLAGS = '--trust-proxy 127.0.0.1 --trust-proxy 192.0.2.7';

/** As `sayso` and proxies are to be set up. `strict`: trusts only where the proxy is, so that a visitor at 127.0.0.2 is one. */
const SETUPS = {
  'Caddy': { proxies: async (port) => [await caddy(port)] },
  'nginx': { proxies: async (port) => [await nginx(port)] },
  'Caddy, below a path': { base: '/talk', proxies: async (port, folder) => [await caddyPath(port, folder)] },
  'nginx, below a path': { base: '/talk', proxies: async (port) => [await nginxPath(port)] },
  'nginx and Caddy in a row': { flags: replaced(CHAIN_FLAGS, [['192.0.2.7', OUTER]]).split(' '), proxies: chain },
};

const UPGRADE = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
const FORWARDS = 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;';
const forged = (address) => ({ 'x-forwarded-for': address, 'x-real-ip': address, forwarded: `for=${address}` });
const SITE = 'https://blog.example';

/** Of what a WebSocket says behind its head, `free` frames go on; the rest does in lots of 16 KiB, as with something that buffers. */
function holdBack(free) {
  let held;
  return (data) => {
    const isHead = !held && data.includes('HTTP/1.1 101 ');
    if (!held && !isHead) return data;
    const end = isHead ? data.indexOf('\r\n\r\n') + 4 : 0;
    held = Buffer.concat([held ?? Buffer.alloc(0), data.subarray(end)]);
    let lot = 0;
    // A short frame that is whole; others don't come first.
    for (; free > 0 && held.length > lot + 1 && held.length >= lot + 2 + held[lot + 1]; free--) lot += 2 + held[lot + 1];
    if (held.length >= 16_384) lot = held.length;
    const goes = Buffer.concat([data.subarray(0, end), held.subarray(0, lot)]);
    held = held.subarray(lot);
    return goes;
  };
}

/** What people get wrong: the READMEs' snippets with one fault each, how it shows (`symptom`), and what doctor says to it. */
const FAULTS = {
  'nginx that passes on no upgrade': {
    proxies: async (port) => [await nginx(port, [
      ['        proxy_set_header Upgrade $http_upgrade;\n', ''], ['        proxy_set_header Connection $connection_upgrade;\n', '']])],
    symptom: async (place) => assert.equal((await place.ask('/ws/comments/', { headers: UPGRADE })).status, 400),
    verdict: /no WebSocket connects, .*proxy_set_header Upgrade/,
  },
  'nginx that says another Host': {
    proxies: async (port) => [await nginx(port, [['        proxy_set_header Host $http_host;\n', '']])],
    symptom: async (place) => {
      const headers = { origin: `https://localhost:${place.port}` };
      assert.equal((await place.post('own origin', { headers })).status, 403);
    },
    verdict: /the proxy sends Host: sayso instead of localhost:\d+/,
    count: 2,
  },
  'nginx that says Host without the port': {
    proxies: async (port) => [await nginx(port, [['Host $http_host;', 'Host $host;']])],
    symptom: async (place) => {
      const headers = { origin: `https://localhost:${place.port}` };
      assert.equal((await place.post('own origin', { headers })).status, 403);
    },
    verdict: /the proxy sends Host: localhost instead of localhost:\d+/,
    count: 2,
  },
  'nginx that waits 1 s': {
    proxies: async (port) => [await nginx(port, [['proxy_read_timeout 75s;', 'proxy_read_timeout 1s;']])],
    symptom: async (place) => {
      const socket = await place.socket();
      const ended = new Promise((resolve) => socket.once('close', resolve));
      socket.resume();
      await withinPatience(ended, 'nginx to end a quiet WebSocket');
    },
    verdict: /an idle WebSocket was closed after \d+ s.*proxy_read_timeout 75s/,
  },
  'something that buffers behind nginx': {
    proxies: async (port) => {
      const road = await Road.start(port, '127.0.0.1', () => holdBack(0));
      return [road, await nginx(road.port)];
    },
    symptom: (place) => holdsBack(place, 0),
    verdict: /arrive late or never; something in between buffers them/,
  },
  'something that buffers, but not the first words': {
    proxies: async (port) => {
      const road = await Road.start(port, '127.0.0.1', () => holdBack(1));
      return [road, await nginx(road.port)];
    },
    symptom: (place) => holdsBack(place, 1),
    verdict: /pings from sayso do not arrive/,
  },
  'nginx that does not say who asks': {
    proxies: async (port) => [await nginx(port, [[FORWARDS, 'proxy_set_header X-Forwarded-For "";']])],
    symptom: (place) => countsAsOne(place),
    verdict: /the proxy does not forward the client's address/,
  },
  'nginx without a word about who asks, which passes on what visitors say': {
    proxies: async (port) => [await nginx(port, [[`        ${FORWARDS}\n`, '']])],
    symptom: (place) => believesAnything(place),
    verdict: /so clients can forge addresses/,
  },
  'nginx that passes on what visitors say of themselves': {
    proxies: async (port) => [await nginx(port, [[FORWARDS, 'proxy_set_header X-Forwarded-For $http_x_forwarded_for;']])],
    symptom: (place) => believesAnything(place),
    verdict: /so clients can forge addresses/,
  },
  'a sayso that trusts no proxy': {
    flags: ['--trust-proxy', 'none'],
    proxies: async (port) => [await caddy(port)],
    symptom: (place) => countsAsOne(place),
    verdict: /sayso does not trust the proxy, so all readers count as one/,
  },
  'a row of which only the inner proxy is trusted': {
    flags: ['--trust-proxy', '127.0.0.1'],
    proxies: chain,
    symptom: (place) => countsAsOne(place),
    // It can't know better, but shows whom sayso takes for the visitor.
    shows: `the proxy forwards the client's address: ${OUTER}`,
  },
  'nginx that takes the path away': {
    base: '/talk',
    proxies: async (port) => [await nginxPath(port, [['proxy_pass http://sayso;', 'proxy_pass http://sayso/;']])],
    symptom: async (place) => assert.equal((await place.ask('/')).status, 404),
    verdict: /another server than sayso answers at .* \(404\).*--base-path/,
  },
  'nginx that asks where nobody is': {
    proxies: async (port) => [await nginx(port, [], [['127.0.0.1:8000', `127.0.0.1:${await freePort()}`]])],
    symptom: async (place) => assert.equal((await place.ask('/')).status, 502),
    verdict: /the proxy answers 502: it can't reach sayso/,
  },
  'a site that is not allowed': {
    site: [SITE],
    proxies: async (port) => [await caddy(port)],
    symptom: async (place) => {
      const answer = await place.post('from the site', { headers: { origin: SITE } });
      assert.equal(answer.status, 403);
      assert.match(answer.text, /add --allow-origin https:\/\/blog\.example/);
    },
    verdict: /https:\/\/blog\.example can't embed the comments; .*add --allow-origin https:\/\/blog\.example/,
  },
};

/** Run on the proxy's own machine, where sayso trusts everybody to speak for others. */
const OWN_MACHINE = { 'a doctor on the machine of nginx': { from: '127.0.0.1', proxies: async (port) => [await nginx(port)] } };
const ALLOWED = { 'a site that is allowed': { site: [SITE], flags: ['--allow-origin', SITE], proxies: async (port) => [await caddy(port)] } };

/** Of what is said, no more than `free` lines come before there is a lot of it. */
async function holdsBack(place, free) {
  const socket = await place.socket();
  let heard = '';
  socket.on('data', (data) => heard += data);
  for (let time = 0; time < 3; time++) assert.equal((await place.post('hello')).status, 201);
  const count = heard.split('"content"').length - 1;
  assert.ok(count <= free, `${count}`);
  // Enough for it to let go: so it was that, and nothing else.
  for (let time = 0; time < 3; time++) assert.equal((await place.post('x'.repeat(8_000))).status, 201);
  await until(() => heard.length > 16_384, 'what was held back');
  socket.destroy();
}

/** Two visitors are one, since sayso knows no more than the proxy. */
async function countsAsOne(place) {
  await place.again(place.strict, '1/60');
  assert.equal((await place.post('one', { from: ADA })).status, 201);
  assert.equal((await place.post('two', { from: GRACE })).status, 429);
}

/** One visitor is as many as they like. */
async function believesAnything(place) {
  await place.again(place.strict, '1/60');
  assert.equal((await place.post('one', { headers: forged('198.51.100.1') })).status, 201);
  assert.equal((await place.post('two', { headers: forged('198.51.100.2') })).status, 201);
}

/** One sayso with what stands before it, and the roads there. */
class Place {
  static async start({ base = '', flags = [], strict = false, lines, proxies }) {
    const place = new Place();
    place.base = base;
    place.parts = [];
    try {
      place.flags = [...(base ? BELOW : []), ...flags];
      place.strict = flags.includes('--trust-proxy') ? place.flags : [...place.flags, '--trust-proxy', '127.0.0.1'];
      place.server = await Server.start({ lines, flags: strict ? place.strict : place.flags });
      place.folder = blog();
      place.parts = await proxies(place.server.port, place.folder);
      place.proxy = place.parts.at(-1);
      place.port = place.proxy.port;
    } catch (error) {
      await place.stop();
      throw error;
    }
    return place;
  }

  /** The address of the page for somebody at `from`. */
  async url(from) {
    const road = await Road.start(this.port, from);
    this.parts.unshift(road);
    return `https://localhost:${road.port}${this.base}`;
  }

  async again(flags, rate) {
    await this.server.kill();
    Object.assign(this.server, { flags, rate });
    await this.server.start();
  }

  ask(path, options) {
    return ask(this.port, this.base + path, options);
  }

  post(content, options = {}) {
    const headers = { 'content-type': 'application/json', ...options.headers };
    return this.ask('/api/comments', { method: 'POST', ...options, headers, body: JSON.stringify({ content }) });
  }

  /** A WebSocket, of which nothing is read yet; what comes is as it is on the wire. */
  socket() {
    return withinPatience(new Promise((resolve, reject) => {
      const call = request({ host: '127.0.0.1', servername: 'localhost', port: this.port, path: `${this.base}/ws/comments/`, localAddress: ADA,
        rejectUnauthorized: false, agent: false, headers: { host: `localhost:${this.port}`, ...UPGRADE } });
      call.once('upgrade', (_, socket) => resolve(socket.on('error', () => {}))).once('response', reject).once('error', reject).end();
    }), 'a WebSocket');
  }

  /** What doctor says to a visitor at 127.0.0.2, and how it ends. */
  async doctor(site = [], from = ADA) {
    const url = await this.url(from);
    const env = { ...process.env, SSL_CERT_FILE: this.proxy.certificate };
    return new Promise((resolve, reject) => {
      execFile(BINARY, ['doctor', url, ...site], { env, timeout: 90_000, encoding: 'utf8' }, (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') reject(error);
        else resolve({ code: error?.code ?? 0, lines: stdout.split('\n').filter(Boolean), said: stdout + stderr });
      });
    });
  }

  stored() {
    const lines = readFileSync(this.server.log, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    return lines.filter((line) => line.page === '/').map((line) => line.content);
  }

  async stop() {
    for (const part of this.parts) await part.stop();
    await this.server?.stop();
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }
}

const comment = (page, text) => page.locator('.comment', { has: page.getByText(text, { exact: true }) });
const isConfirmed = (page, text) => comment(page, text).locator('time').waitFor();
const isLive = async (page) => {
  await page.locator('.state[data-state=live]').waitFor();
  await page.locator('.look').first().waitFor({ state: 'attached' });
};

async function say(page, text) {
  await page.getByRole('textbox', { name: 'Comment' }).first().fill(text);
  await page.getByRole('button', { name: 'Send' }).first().click();
}

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
        const direct = await (await fetch(place.server.url + place.base + path)).text();
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
  for (const flags of [`sayso ${BELOW.join(' ')}`, CHAIN_FLAGS]) assert.ok(says(flags), flags);
});

describe('as a systemd service', () => {
  const [unit] = snippets('ini');
  const value = (name) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1];
  let folder;
  before(() => folder = mkdtempSync(join(tmpdir(), 'sayso-unit-')));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('systemd has no word to say against the unit', (t) => {
    const file = join(folder, 'sayso.service');
    writeFileSync(file, replaced(unit, [['ExecStart=/usr/local/bin/sayso ', `ExecStart=${BINARY} `]]));
    const analyze = (...args) => spawnSync('systemd-analyze', [...args, file], { encoding: 'utf8', timeout: 30_000 });
    const verified = analyze('verify');
    if (verified.error) {
      t.diagnostic(`systemd-analyze can't be run, so the unit is not verified: ${verified.error.message}`);
      return;
    }
    assert.equal(verified.status, 0, verified.stderr);
    // It names other units too, those of this machine.
    assert.doesNotMatch(verified.stderr, /sayso/);
    const exposed = analyze('security', '--offline=true', '--threshold=15');
    assert.equal(exposed.status, 0, exposed.stdout + exposed.stderr);
    t.diagnostic(/Overall exposure level.*: [\d.]+ \w+/.exec(exposed.stdout)[0]);
  });

  test('the unit has room for as many connections as the help promises', async () => {
    const [, most] = /--max-connections N\s+connections at once \[(\d+)\]/.exec(execFileSync(BINARY, ['--help'], { encoding: 'utf8' }));
    assert.equal(most, '10000');
    for (const [name, each] of [['TasksMax', 200], ['LimitNPROC', 200], ['LimitNOFILE', 64 * 4 + 32 + 12 + 50]]) {
      assert.ok(Number(value(name)) >= Number(most) + each, name);
    }
    // With the unit's limit of files, sayso finds no fault in it.
    const said = join(folder, 'said');
    const server = await Server.start({ under: ['sh', '-c', `ulimit -n ${value('LimitNOFILE')} && exec "$@" 2> '${said}'`, 'sh'] });
    await server.stop();
    assert.doesNotMatch(readFileSync(said, 'utf8'), /open files/);
  });

  test('everything that sayso asks of the kernel is on the list of the unit', async (t) => {
    const listed = (group) => execFileSync('systemd-analyze', ['syscall-filter', group], { encoding: 'utf8' });
    const names = (group) => listed(group).split('\n').slice(1).map((line) => line.trim()).filter((line) => line && !line.startsWith('#'))
      .flatMap((name) => name.startsWith('@') ? names(name) : [name]);
    const tracer = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true'], { timeout: 30_000 });
    let allowed;
    try {
      const denied = new Set(names('@privileged'));
      allowed = new Set([...names('@default'), ...names('@system-service')].filter((name) => !denied.has(name)));
    } catch (error) {
      t.diagnostic(`systemd-analyze can't be run, so what is allowed is not known: ${error.message}`);
      return;
    }
    assert.deepEqual(unit.match(/^SystemCallFilter=.*$/gm), ['SystemCallFilter=@system-service', 'SystemCallFilter=~@privileged']);
    if (tracer.error || tracer.status !== 0) {
      t.diagnostic(`strace can't be run here, so what sayso asks is not known: ${tracer.error?.message ?? tracer.stderr}`);
      return;
    }
    const trace = join(folder, 'trace');
    const server = await Server.start({ under: ['strace', '-D', '-f', '-q', '-o', trace] });
    try {
      const line = await server.post({ content: 'hello', key: 'k'.repeat(22) });
      const socket = await withinPatience(new Promise((resolve, reject) => {
        get(`${server.url}/ws/comments/?last=5`, { headers: UPGRADE }).once('upgrade', (_, socket) => resolve(socket)).once('error', reject);
      }), 'a WebSocket');
      const removed = await fetch(`${server.url}/api/comments/${line.id}`, { method: 'DELETE', headers: { authorization: `Bearer ${'k'.repeat(22)}` } });
      assert.equal(removed.status, 200);
      assert.equal((await fetch(server.url)).status, 200);
      execFileSync(BINARY, ['compact', '--data', server.folder], { stdio: 'pipe', timeout: 30_000 });
      socket.destroy();
    } finally {
      await server.stop();
    }
    await until(() => /\+\+\+ exited with 0 \+\+\+\n$/.test(readFileSync(trace, 'utf8')), 'strace to have written all');
    const asked = new Set(readFileSync(trace, 'utf8').split('\n').map((entry) => /^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)/.exec(entry)?.[1]).filter(Boolean));
    assert.ok(asked.size > 40 && asked.has('fdatasync') && asked.has('accept4'));
    assert.deepEqual([...asked].filter((name) => !allowed.has(name)), []);
  });
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
