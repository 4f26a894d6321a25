/** Starts what the browser tests need: sayso itself in a folder of its own, and Chromium. Knows no test. */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

export const BINARY = process.env.SAYSO_BIN ?? fileURLToPath(new URL('../../target/debug/sayso', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Every wait ends after this, ms: generous, since a loaded machine is no failure. */
export const PATIENCE = Number(process.env.PATIENCE ?? 15_000);

/** One sayso on a free port; `kill` and `start` again keep port and data. */
export class Server {
  static async start(options = {}) {
    const server = new Server();
    server.folder = mkdtempSync(join(tmpdir(), 'sayso-browser-'));
    server.flags = options.flags ?? [];
    server.rate = options.rate ?? 'off';
    server.under = options.under ?? [];
    server.binary = options.binary ?? BINARY;
    if (options.unix) server.socket = join(server.folder, 'http');
    if (options.lines) writeLog(server.folder, options.lines);
    await server.start();
    return server;
  }

  port = 0;

  async start() {
    const flags = ['--log-level', 'warn', '--listen', this.socket ? `unix:${this.socket}` : `127.0.0.1:${this.port}`, '--data', this.folder, '--rate', this.rate, ...this.flags];
    const [program, ...args] = [...this.under, this.binary, ...flags];
    // SAYSO_BIN is for this file; sayso would warn of a variable that it does not know.
    const { SAYSO_BIN: _, ...env } = process.env;
    this.process = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
    const address = new Promise((resolve, reject) => {
      createInterface({ input: this.process.stdout }).once('line', (line) => {
        const found = /^sayso listening on (http:\/\/\S+|unix:.+)$/.exec(line);
        found ? resolve(found[1]) : reject(new Error(`unexpected first line: ${line}`));
      });
      this.process.once('error', reject);
      this.ended.then((code) => reject(new Error(`${this.binary} ended with ${code} before it was ready`)));
    });
    this.url = await withinPatience(address, 'sayso to listen');
    this.log = join(this.folder, 'comments.jsonl');
    if (!this.socket) this.port = Number(new URL(this.url).port);
  }

  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  async stop() {
    this.process.kill('SIGTERM');
    await withinPatience(this.ended, 'sayso to stop').catch(() => this.kill());
    rmSync(this.folder, { recursive: true, force: true });
  }

  async post(comment) {
    const answer = await fetch(`${this.url}/api/comments`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(comment),
    });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  /** What a path is answered, without a proxy in between. */
  text(path) {
    return withinPatience(new Promise((resolve, reject) => {
      get({ socketPath: this.socket, port: this.port, path, headers: { 'accept-encoding': 'identity' } }, async (answer) => {
        resolve(Buffer.concat(await answer.toArray()).toString());
      }).once('error', reject);
    }), path);
  }

  async comments(page = '/') {
    const answer = await fetch(`${this.url}/api/comments?${new URLSearchParams({ page, limit: 200 })}`);
    return (await answer.json()).comments;
  }
}

export function withinPatience(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE} ms for ${what}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks again until the answer is true. */
export async function until(ask, what) {
  const end = Date.now() + PATIENCE;
  while (!(await ask())) {
    if (Date.now() > end) throw new Error(`waited ${PATIENCE} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    // Playwright's own flags switch it off; people have it.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
}

/** A person: a browser profile of their own. Fails the test on any dialog, script error or refused resource. */
export async function person(browser, options = {}) {
  const { faults = [], ...rest } = options;
  const context = await browser.newContext({ viewport: { width: 760, height: 1000 }, locale: 'en-GB', ...rest });
  context.setDefaultTimeout(PATIENCE);
  context.faults = faults;
  context.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  context.on('weberror', (event) => faults.push(`script: ${event.error().stack}`));
  context.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) faults.push(message.text());
  });
  return context;
}

export const pseudonym = (key) => createHash('sha256').update(`sayso author\0${key}`).digest().subarray(0, 16).toString('base64url');

/** A log as the documentation describes it, written by something that is not sayso. */
function writeLog(folder, lines) {
  let crc = 0;
  const withTrailer = (line) => {
    const open = JSON.stringify(line).slice(0, -1);
    crc = crc32c(Buffer.from(open), crc);
    return `${open},"crc":"${crc.toString(16).padStart(8, '0')}"}\n`;
  };
  const header = { sayso: 1, log: '9c41f0aa53d7e6b2', created_at: lines[0].created_at, next: 1 };
  writeFileSync(join(folder, 'comments.jsonl'), [header, ...lines].map(withTrailer).join(''));
}

/** CRC-32C (Castagnoli), going on from the checksum of what came before. */
function crc32c(bytes, before) {
  let crc = ~before;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
