/** sayso behind proxies, as the READMEs say that it is to be set up, and the roads there. */

import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';

import { BINARY, Server, withinPatience } from './harness.mjs';
import { Caddy, Nginx, Road, ask, blog, freePort, replaced, snippets } from './proxies.mjs';

const CADDY = snippets('caddyfile');
const NGINX = snippets('nginx');

/** One of two visitors; neither is where a proxy is. */
export const [ADA, GRACE] = ['127.0.0.2', '127.0.0.3'];

/** The outer one of two proxies. */
export const OUTER = '127.0.0.9';

const toSayso = (port) => ['127.0.0.1:8000', `127.0.0.1:${port}`];

/** The site of the first Caddyfile, before this sayso. */
export function caddy(port) {
  return Caddy.start(replaced(CADDY[0], [toSayso(port), ['comments.example {', 'localhost {']]));
}

async function caddyPath(port, folder) {
  return Caddy.start(replaced(CADDY[1], [toSayso(port), ['blog.example {', 'localhost {'], ['/srv/blog', folder]]));
}

export async function nginx(port, changes = [], own = [toSayso(port)]) {
  const listen = await freePort();
  return Nginx.start(replaced(NGINX[0], [...changes, ...own, ['server_name comments.example;', 'server_name localhost;'],
    ['    listen 443 ssl http2;\n    listen [::]:443 ssl http2;', `    listen 127.0.0.1:${listen} ssl http2;`]]), listen);
}

/** The location below a path, in the place of the one for the whole site. */
export function nginxPath(port, changes = []) {
  const [begin, end] = ['    location / {\n', '    }\n'];
  const location = NGINX[0].slice(NGINX[0].indexOf(begin), NGINX[0].lastIndexOf(end) + end.length);
  return nginx(port, [[location, replaced(NGINX[1], changes)]]);
}

/** Caddy behind nginx; the second of the list is the one that visitors see. */
export async function chain(port) {
  const inner = await Caddy.start(replaced(CADDY[2], [toSayso(port), ['comments.example {', 'http://localhost {'], ['192.0.2.7', OUTER]]));
  return [inner, await nginx(inner.port, [['proxy_pass http://sayso;', `proxy_pass http://sayso;\n        proxy_bind ${OUTER};`]])];
}

function caddyUnix(socket) {
  return Caddy.start(replaced(CADDY[3], [['/run/sayso/http', socket], ['comments.example {', 'localhost {']]));
}

/** What takes the place of what, as the README says. */
export const UNIX_SERVER = ['server unix:/run/sayso/http;', 'server 127.0.0.1:8000;'];

export const BELOW = ['--base-path', '/talk'];
export const CHAIN_FLAGS = '--trust-proxy 127.0.0.1 --trust-proxy 192.0.2.7';

/** As `sayso` and proxies are to be set up. `strict`: trusts only where the proxy is, so that a visitor at 127.0.0.2 is one. */
export const SETUPS = {
  'Caddy': { proxies: async (port) => [await caddy(port)] },
  'nginx': { proxies: async (port) => [await nginx(port)] },
  'Caddy, below a path': { base: '/talk', proxies: async (port, folder) => [await caddyPath(port, folder)] },
  'nginx, below a path': { base: '/talk', proxies: async (port) => [await nginxPath(port)] },
  'Caddy, over a Unix socket': { unix: true, proxies: async (_, __, socket) => [await caddyUnix(socket)] },
  'nginx, over a Unix socket': {
    unix: true,
    proxies: async (_, __, socket) => [await nginx(0, [], [[UNIX_SERVER[1], UNIX_SERVER[0].replace('/run/sayso/http', socket)]])],
  },
  'nginx and Caddy in a row': { flags: replaced(CHAIN_FLAGS, [['192.0.2.7', OUTER]]).split(' '), proxies: chain },
};

export const UPGRADE = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
export const forged = (address) => ({ 'x-forwarded-for': address, 'x-real-ip': address, forwarded: `for=${address}` });

/** One sayso with what stands before it, and the roads there. */
export class Place {
  static async start({ base = '', flags = [], strict = false, unix = false, lines, proxies }) {
    const place = new Place();
    place.base = base;
    place.parts = [];
    try {
      place.flags = [...(base ? BELOW : []), ...flags];
      place.strict = flags.includes('--trust-proxy') ? place.flags : [...place.flags, '--trust-proxy', '127.0.0.1'];
      place.server = await Server.start({ lines, unix, flags: strict ? place.strict : place.flags });
      place.folder = blog();
      place.parts = await proxies(place.server.port, place.folder, place.server.socket);
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
