/** The systemd unit of src/cli/README.md, run as it stands there. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BINARY, Server, until, withinPatience } from './harness.mjs';
import { UPGRADE } from './place.mjs';
import { replaced, snippets } from './proxies.mjs';

describe('as a systemd service', () => {
  const [unit, sockets] = snippets('ini');
  const value = (name) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1];
  let folder;
  before(() => folder = mkdtempSync(join(tmpdir(), 'sayso-unit-')));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('systemd has no word to say against the unit', (t) => {
    const file = join(folder, 'sayso.service');
    writeFileSync(file, replaced(unit, [['ExecStart=/usr/local/bin/sayso ', `ExecStart=${BINARY} `]]));
    const socketFile = join(folder, 'sayso.socket');
    writeFileSync(socketFile, sockets);
    const analyze = (...args) => spawnSync('systemd-analyze', [...args, file, ...(args[0] === 'verify' ? [socketFile] : [])], { encoding: 'utf8', timeout: 30_000 });
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
