/** Why something was not done, in the reader's language, and why nothing at all can be done. Loaded when it is. */

import { el } from './dom.js';
import { takeOver } from './frame.js';
import { sentence } from './texts.js';

/** What the owner of a site is told whom nobody else can help. Other languages have it with the server's refusals. */
const NOT_ALLOWED = 'The comments can’t be shown, since {server} does not allow this site to embed them. '
  + 'If it is yours, start sayso there with: {flag}';
/** What the server says in other words than a reader would understand. Other languages have it there too. */
const ENGLISH = {
  banned: 'You can’t write here until {until}.', banned_for_ever: 'You can’t write here any more.',
  stream_unavailable: 'Nothing can be stored right now, try again in {wait} s.',
  user_expired: 'Your sign-in has run out. Load the page again.',
};
/** Bans that end then have no end that anybody would wait for. */
const FOR_EVER = '9999';
const ANSWER_WAIT = 20_000;

const tables = new Map();

/** By the server's code, in this language. English is what the server speaks. */
async function table({ base, text }) {
  if (text.lang === 'en') return {};
  const address = `${base}/refusals/${text.lang}.json`;
  const known = tables.get(address) ?? fetch(address, { signal: AbortSignal.timeout(ANSWER_WAIT) }).then((answer) => answer.json());
  tables.set(address, known);
  return known.catch(() => {
    tables.delete(address);
    return {};
  });
}

/** A function that says it, so many seconds before it may be tried again. */
export async function inWords(thread, { error, code, retry_after: wait, ...values }) {
  if (values.until >= FOR_EVER) code = 'banned_for_ever';
  if (values.until) values.until = thread.text.moment(Date.parse(values.until));
  const known = (await table(thread))[code] ?? ENGLISH[code];
  const isWhole = known && [...known.matchAll(/\{(\w+)\}/g)].every(([, name]) => name === 'wait' || values[name] !== undefined);
  // Its last number of seconds is how long to wait.
  const parts = sentence(error).split(new RegExp(`\\b${wait} s\\b`));
  const last = parts.pop();
  return (seconds) => {
    if (isWhole) return thread.text.fill(known, { ...values, wait: seconds });
    return wait && parts.length ? `${parts.join(`${wait} s`)}${seconds} s${last}` : sentence(error);
  };
}

/** Answers that are the same however often one asks. */
const FINAL = [400, 403, 404];

/** Finds out why the comments have not come, which may be a refusal that asking again doesn't change. */
export async function diagnose(thread) {
  const { base, page } = thread;
  const address = `${base}/api/comments?${new URLSearchParams({ page, limit: 1 })}`;
  const answer = await fetch(address, { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_WAIT) }).catch(() => {});
  // A proxy's answers have no code: a server that is being replaced may come back.
  const said = FINAL.includes(answer?.status) ? await answer.json().catch(() => {}) : undefined;
  if (said?.code && said.code !== 'origin_not_allowed') await giveUp(thread, said);
  else await diagnoseOrigin(thread);
}

/** Says why in the place of the state, and asks no more until the element begins anew. */
async function giveUp(thread, said) {
  const { connection, list, main, state } = thread;
  connection.stop();
  // Nor when the tab is shown, the network is back or the element moves.
  connection.start = () => {};
  const words = (await inWords(thread, { ...said }))();
  list.classList.remove('skeleton');
  main.form.remove();
  state.replaceWith(el('p', { class: 'state', role: 'alert', dir: 'auto', 'data-state': 'refused' }, words));
  takeOver(thread);
  thread.tell('error', said);
}

/** Tells a site's owner where the server does not let it embed comments; a browser says only that something failed. */
async function diagnoseOrigin(thread) {
  const { base, text, list } = thread;
  if (new URL(base).origin === location.origin || thread.refusal) return;
  const ask = (path, options) => fetch(base + path, { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_WAIT), ...options }).catch(() => {});
  const path = '/api/counts?page=%2F';
  // Sayso is there, as a file that every site may have shows; it answers; and the answer is kept from this site.
  if (!(await ask('/demo.css'))?.ok || !await ask(path, { mode: 'no-cors' })) return;
  const answer = await ask(path);
  if (answer && answer.status !== 403) return;
  const { error } = await answer?.json().catch(() => {}) ?? {};
  if (!Number.isNaN(thread.edge)) return;
  const flag = /--allow-origin \S+/.exec(error)?.[0] ?? `--allow-origin ${location.origin}`;
  const [before, after] = text.fill((await table(thread)).origin_not_allowed ?? NOT_ALLOWED, { server: new URL(base).host, flag: '\n' }).split('\n');
  thread.refusal = el('p', { class: 'error', role: 'alert', dir: 'auto' }, before, el('code', {}, flag), after);
  list.classList.remove('skeleton');
  list.before(thread.refusal);
  thread.tell('error', { error: thread.refusal.textContent, code: 'origin_not_allowed' });
}
