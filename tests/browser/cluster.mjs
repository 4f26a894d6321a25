/** Several machines: a Redis, two nodes, Caddy in front of them as src/cluster/README.md says, and what their readers hear. Knows no test. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { BINARY, Server, withinPatience } from './harness.mjs';
import { Caddy, replaced } from './proxies.mjs';

const snippet = (path, language) => {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  return text.split(`\n\`\`\`${language}\n`)[1].split('\n```')[0] + '\n';
};
const CADDYFILE = snippet('src/cluster/README.md', 'caddyfile');
/** The simplest client: no subprotocol, and whatever comes without content is passed over. */
const PLAIN = snippet('src/ws/README.md', 'html');
const PROGRAMS = ['redis-server', 'valkey-server'];

/** Fails with a sentence where this can't be shown, as it must not pass then. */
export function checkThatRedisCanBeUsed() {
  const { stderr = '' } = spawnSync(BINARY, ['--redis', 'nowhere'], { encoding: 'utf8', timeout: 10_000 });
  assert.doesNotMatch(stderr, /built without the feature redis|unknown flag/,
    `${BINARY} has no --redis; build one that has it: cargo build --features exchange,redis`);
  assert.match(stderr, /--redis/, `${BINARY} says nothing about an address of Redis that is none: ${stderr}`);
  assert.ok(PROGRAMS.some(isThere), `none of ${PROGRAMS.join(', ')} is in PATH`);
}

const isThere = (program) => !spawnSync(program, ['--version'], { stdio: 'ignore' }).error;

/** A server in a folder of its own. On a Unix socket, since nobody else can have that between a kill and the next start. */
class Redis {
  static async start() {
    const redis = new Redis();
    redis.program = PROGRAMS.find(isThere);
    redis.folder = mkdtempSync(join(tmpdir(), 'sayso-redis-'));
    redis.socket = join(redis.folder, 'socket');
    redis.url = `redis+unix://${redis.socket}`;
    await redis.start();
    return redis;
  }

  /** With what the README says: whatever is acknowledged is on disk. */
  async start() {
    const options = { port: '0', unixsocket: this.socket, dir: this.folder, save: '', appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    this.process = spawn(this.program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
    const said = [];
    const ready = new Promise((resolve, reject) => {
      createInterface({ input: this.process.stdout }).on('line', (line) => {
        said.push(line);
        if (/ready to accept connections/i.test(line)) resolve();
      });
      this.ended.then(() => reject(new Error(`${this.program} has ended:\n${said.join('\n')}`)));
    });
    await withinPatience(ready, `${this.program} to listen`);
  }

  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  async stop() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Cluster {
  static async start() {
    const cluster = new Cluster();
    try {
      const site = await cluster.#startSite();
      cluster.redis = await Redis.start();
      for (let n = 0; n < 2; n++) cluster.nodes.push(await Server.start({ flags: ['--redis', cluster.redis.url, '--allow-origin', site] }));
      const nodes = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(' ');
      cluster.caddy = await Caddy.start(replaced(CADDYFILE,
        [['10.0.0.1:8000 10.0.0.2:8000 10.0.0.3:8000', nodes], ['comments.example {', 'localhost {']]));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  nodes = [];

  /** Where the page is: on each node, and through Caddy. */
  get addresses() {
    return [...this.nodes.map(({ url }) => url), `https://localhost:${this.caddy.port}`];
  }

  /** A site of somebody else, with a page of some ten lines of JavaScript for each address, as the documentation shows it. */
  async #startSite() {
    this.site = createServer(({ url }, response) => {
      const address = this.addresses[Number(url.slice(1))] ?? 'none';
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(`<!doctype html><html lang="en"><title>A site</title>${replaced(PLAIN, [['ws://127.0.0.1:8000', address.replace('http', 'ws')]])}`);
    });
    await new Promise((resolve) => this.site.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.site.address().port}`;
  }

  /** Somebody on that site, connected to one of the addresses. */
  async visitSite(context, address) {
    const page = await context.newPage();
    page.seen = watch(page);
    await page.goto(`http://127.0.0.1:${this.site.address().port}/${this.addresses.indexOf(address)}`);
    await page.waitForFunction('socket.readyState === WebSocket.OPEN');
    return page;
  }

  /** Does what brings a new socket; answers which node has it, and which has not. */
  async findNode(join) {
    const before = await this.#sockets();
    const joined = await join();
    const after = await this.#sockets();
    const found = after.map((count, n) => count - before[n]);
    assert.deepEqual(found.toSorted(), [0, 1], 'one node has one socket more');
    return { joined, own: this.nodes[found.indexOf(1)], other: this.nodes[found.indexOf(0)] };
  }

  #sockets() {
    return Promise.all(this.nodes.map(async (node) => Number(/^sayso_readers (\d+)$/m.exec(await node.text('/metrics'))[1])));
  }

  async stop() {
    await this.caddy?.stop();
    for (const node of this.nodes) await node.stop();
    await this.redis?.stop();
    this.site?.close().closeAllConnections();
  }
}

/** All that a page asks for and hears from now on. */
export function watch(page) {
  const seen = { navigations: 0, histories: 0, stale: 0, sockets: [] };
  page.on('framenavigated', (frame) => seen.navigations += frame === page.mainFrame());
  page.on('request', (request) => seen.histories += request.url().includes('threads='));
  page.on('response', (answer) => seen.stale += answer.status() === 409);
  page.on('websocket', (socket) => {
    const one = { url: socket.url(), heard: [], sent: [] };
    seen.sockets.push(one);
    socket.on('framereceived', ({ payload }) => one.heard.push(JSON.parse(payload)));
    socket.on('framesent', ({ payload }) => one.sent.push(JSON.parse(payload)));
  });
  return seen;
}

/** Everything that came over any of a page's sockets, or went over them. */
export const heard = ({ sockets }) => sockets.flatMap((socket) => socket.heard);
export const sent = ({ sockets }) => sockets.flatMap((socket) => socket.sent);
