/** What each test gets: a server of its own, and people who visit it, of whom nobody may meet with a fault. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach } from 'node:test';
import { createServer } from 'node:http';

import { Server, launch, person } from './harness.mjs';
import { isLive } from './page.mjs';
import { knowsThreads, stub } from './threads.mjs';

let browser;
export let server;
/** The people of this test. */
export const people = [];
const sites = [];

before(async () => {
  browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
  server = await Server.start();
});
afterEach(async () => {
  const faults = people.flatMap((context) => context.faults);
  await Promise.all(people.splice(0).map((context) => context.close()));
  for (const site of sites.splice(0)) site.close().closeAllConnections();
  await server.stop();
  assert.deepEqual(faults, []);
});

/** Puts another server in the place of this test's, with another folder. */
export async function replaceServer(options) {
  await server.stop();
  server = await Server.start(options);
}

/** Starts sayso anew, as one that lets this site embed it. */
export async function allow(origin) {
  await server.kill();
  server.flags = ['--allow-origin', origin];
  await server.start();
}

export async function newPerson({ isStubbed = true, ...options } = {}) {
  const context = await person(browser, options);
  people.push(context);
  if (isStubbed && !(await knowsThreads(server))) await stub(context);
  return context;
}

/** Somebody who comes to a page; `prepare` gets the browser's context before there is one. */
export async function visit(address = server.url, options = {}, prepare = () => {}) {
  const context = await newPerson(options);
  await prepare(context);
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

/** A visitor whose widget has taken over and is live. */
export async function live(address, options) {
  const page = await visit(address, options);
  await isLive(page);
  return page;
}

/** A site that is not sayso; its address. */
export async function serve(handler) {
  const site = createServer(handler);
  sites.push(site);
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${site.address().port}`;
}
