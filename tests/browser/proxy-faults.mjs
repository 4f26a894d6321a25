/** What people get wrong with proxies, how it shows, and what doctor says to it. */

import assert from 'node:assert/strict';

import { until, withinPatience } from './harness.mjs';
import { ADA, GRACE, OUTER, UPGRADE, caddy, chain, forged, nginx, nginxPath } from './place.mjs';
import { Road, freePort } from './proxies.mjs';

const FORWARDS = 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;';
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

/** What people get wrong: the README's snippets with one fault each, how it shows (`symptom`), and what doctor says to it. */
export const FAULTS = {
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
export const OWN_MACHINE = { 'a doctor on the machine of nginx': { from: '127.0.0.1', proxies: async (port) => [await nginx(port)] } };

export const ALLOWED = { 'a site that is allowed': { site: [SITE], flags: ['--allow-origin', SITE], proxies: async (port) => [await caddy(port)] } };

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
