/** Starts Caddy and nginx with what the READMEs say, and roads that lead visitors there from other addresses. Knows no test. */

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until, withinPatience } from './harness.mjs';

/** The README, and the one about running sayso, where the other snippets are. */
const READMES = ['README.md', 'src/cli/README.md'].map((path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).join('\n');
// Debian keeps nginx where only root looks.
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** The fenced blocks of a language, as they stand in the READMEs. */
export function snippets(language) {
  return READMES.split(`\n\`\`\`${language}\n`).slice(1).map((rest) => rest.split('\n```')[0] + '\n');
}

export const says = (text) => READMES.includes(text);

/** The text with other words; that a word is not there is a fault of a README or of the test. */
export function replaced(text, words) {
  for (const [from, to] of words) {
    assert.ok(text.includes(from), `${JSON.stringify(from)} is not in:\n${text}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

/** A port that was free a moment ago: neither proxy tells which one it has been given. */
export async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A proxy in a folder of its own. `port` is the public one, `certificate` the file that vouches for it. */
class Proxy {
  constructor(name) {
    this.name = name;
    this.folder = mkdtempSync(join(tmpdir(), `sayso-${name}-`));
    this.said = '';
  }

  async run(program, args, env = {}) {
    this.process = spawn(program, args, { cwd: this.folder, env: { ...ENVIRONMENT, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    this.process.stderr.on('data', (data) => this.said += data);
    let failed;
    this.process.once('error', (error) => failed = error);
    this.ended = new Promise((resolve) => this.process.once('close', resolve));
    await until(async () => {
      if (failed) throw failed;
      if (this.process.exitCode !== null) throw new Error(`${this.name} has ended:\n${this.said}`);
      return this.isReady();
    }, `${this.name} to listen`);
    // What it has to say about its configuration.
    this.greeting = this.said;
  }

  isReady() {
    return answers(this.port);
  }

  async stop() {
    this.process.kill('SIGTERM');
    await withinPatience(this.ended, `${this.name} to stop`).catch(() => this.process.kill('SIGKILL'));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** With one Caddyfile; where it names a site without `http://`, Caddy's own authority vouches for it. */
export class Caddy extends Proxy {
  static async start(caddyfile) {
    const caddy = new Caddy('caddy');
    const [plain, secure] = [await freePort(), await freePort()];
    caddy.isSecure = !caddyfile.includes('http://');
    caddy.port = caddy.isSecure ? secure : plain;
    caddy.certificate = join(caddy.folder, 'caddy/pki/authorities/local/root.crt');
    const options = ['admin off', 'local_certs', 'skip_install_trust', 'default_bind 127.0.0.1', `http_port ${plain}`, `https_port ${secure}`];
    writeFileSync(join(caddy.folder, 'Caddyfile'), `{\n\t${options.join('\n\t')}\n}\n${caddyfile}`);
    const own = { HOME: caddy.folder, XDG_DATA_HOME: caddy.folder, XDG_CONFIG_HOME: caddy.folder };
    await caddy.run('caddy', ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'], own);
    return caddy;
  }

  /** It listens before it has a certificate. */
  async isReady() {
    if (!await answers(this.port)) return false;
    return !this.isSecure || this.said.includes('certificate obtained successfully');
  }
}

/** With one file as in sites-enabled. */
export class Nginx extends Proxy {
  static async start(site, port) {
    const nginx = new Nginx('nginx');
    nginx.port = port;
    // Root's workers would be somebody who can't enter the folder.
    const user = process.getuid() === 0 ? 'user root;' : '';
    const bodies = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${kind};`);
    writeFileSync(join(nginx.folder, 'site'), site);
    writeFileSync(join(nginx.folder, 'nginx.conf'), `daemon off; pid pid; worker_processes 1; ${user}
      events {} http { access_log off; error_log stderr warn; ${bodies.join(' ')} include site; }`);
    const { key, certificate } = selfSigned(nginx.folder);
    nginx.certificate = certificate;
    writeFileSync(join(nginx.folder, 'site'), replaced(site, [
      ['/etc/letsencrypt/live/comments.example/fullchain.pem', certificate],
      ['/etc/letsencrypt/live/comments.example/privkey.pem', key],
    ]));
    await nginx.run('nginx', ['-p', nginx.folder, '-c', 'nginx.conf', '-e', 'stderr']);
    return nginx;
  }
}

function selfSigned(folder) {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate], { stdio: 'pipe' });
  return { key, certificate };
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Leads to a port, so that who is there sees the visitor come from another address of this machine. */
export class Road {
  /** `pass(data)` gives what of the server's bytes goes on now. */
  static async start(to, from = '127.0.0.1', pass = () => (data) => data) {
    const road = new Road();
    road.sockets = new Set();
    road.server = createServer((visitor) => {
      const onward = connect({ port: to, host: '127.0.0.1', localAddress: from });
      const goes = pass();
      for (const [one, other] of [[visitor, onward], [onward, visitor]]) {
        road.sockets.add(one);
        one.setNoDelay(true);
        one.on('error', () => other.destroy()).on('end', () => other.end());
        one.on('close', () => road.sockets.delete(one) && other.destroy());
      }
      visitor.on('data', (data) => onward.write(data));
      onward.on('data', (data) => {
        const now = goes(data);
        if (now.length) visitor.write(now);
      });
    });
    await new Promise((resolve, reject) => road.server.once('error', reject).listen(0, '127.0.0.1', resolve));
    road.port = road.server.address().port;
    return road;
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** One request over TLS on a connection of its own, with its whole answer. An answer of 101 has no body. */
export function ask(port, path, { from = '127.0.0.2', body, ...options } = {}) {
  const asked = new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', servername: 'localhost', port, path, localAddress: from, rejectUnauthorized: false, agent: false,
      ...options, headers: { host: `localhost:${port}`, ...(body && { 'content-length': Buffer.byteLength(body) }), ...options.headers } });
    call.once('response', (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part)).once('error', reject);
      answer.once('end', () => {
        call.destroy();
        resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() });
      });
    });
    call.once('upgrade', (answer, socket) => {
      socket.destroy();
      resolve({ status: answer.statusCode, headers: answer.headers, text: '' });
    });
    call.once('error', reject);
    call.end(body);
  });
  return withinPatience(asked, `an answer to ${path}`);
}

/** A folder with a page that embeds what is below `/talk` of the same site. */
export function blog() {
  const folder = mkdtempSync(join(tmpdir(), 'sayso-blog-'));
  writeFileSync(join(folder, 'index.html'),
    '<!doctype html><title>Blog</title><script type="module" src="/talk/embed.js"></script><sayso-comments page="/"></sayso-comments>');
  return folder;
}
