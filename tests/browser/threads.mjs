/** Histories of whole threads, for a sayso that does not send them yet: as DESIGN section 3 says, made from all that it does send. */

const FIRST = 3;
const NEWEST = 7;
/** A page of history has no more comments, unless its first thread alone has. */
const COMMENTS_MAX = 50;

/** `url` is where the API is. */
async function all(url, page) {
  const lines = [];
  for (let before; ;) {
    const query = new URLSearchParams({ page, limit: 200, ...before && { before } });
    const answer = await fetch(`${url}?${query}`);
    if (!answer.ok) throw new Error(`${answer.status} for ${query}`);
    const { comments, more, ...rest } = await answer.json();
    lines.unshift(...comments);
    if (!more) return { ...rest, lines };
    before = comments[0].id;
  }
}

function threadsOf(lines) {
  const threads = new Map();
  const roots = new Map();
  for (const line of lines) {
    const root = roots.get(line.parent) ?? line.id;
    roots.set(line.id, root);
    threads.set(root, [...threads.get(root) ?? [], line]);
  }
  return { threads, roots };
}

/** What `GET /api/comments?threads=` or `?thread=` answers. */
export async function history(url, query) {
  const { lines, ...rest } = await all(url, query.get('page'));
  const { threads, roots } = threadsOf(lines);
  const number = (name) => query.has(name) ? Number(query.get(name)) : undefined;
  const [after, before] = [number('after'), number('before')];
  if (query.has('thread')) {
    const [root, ...answers] = threads.get(roots.get(number('thread'))) ?? [];
    const limit = number('limit') ?? COMMENTS_MAX;
    const left = answers.filter(({ id }) => id > (after ?? 0));
    const sent = left.slice(0, limit);
    return { ...rest, comments: root ? [...after ? [] : [root], ...sent] : [], more: left.length > sent.length };
  }
  let found = [...threads].filter(([id]) => (before === undefined || id < before) && (after === undefined || id > after));
  if (after === undefined) found.reverse();
  const taken = [];
  const answers = {};
  let n = 0;
  for (const [id, [root, ...below]] of found) {
    const shown = below.length > FIRST + NEWEST ? [...below.slice(0, FIRST), ...below.slice(-NEWEST)] : below;
    n += 1 + shown.length;
    if (taken.length && n > COMMENTS_MAX || taken.length === number('threads')) break;
    if (shown.length < below.length) answers[id] = below.length;
    taken.push([root, ...shown]);
  }
  const more = taken.length < found.length;
  if (after === undefined) taken.reverse();
  return { ...rest, comments: taken.flat(), more, ...Object.keys(answers).length && { answers } };
}

/** Whether this sayso refuses what is no number of threads. */
export async function knowsThreads({ url, flags }) {
  const base = flags.includes('--base-path') ? flags[flags.indexOf('--base-path') + 1] : '';
  return (await fetch(`${url}${base}/api/comments?page=/&threads=x`)).status === 400;
}

export function stub(context) {
  return context.route(/\/api\/comments\?.*threads?=/, async (route) => {
    try {
      const asked = await route.fetch();
      const { origin, pathname, searchParams } = new URL(route.request().url());
      const json = asked.ok() ? await history(origin + pathname, searchParams) : await asked.json();
      const { 'content-length': _, 'content-encoding': __, etag: ___, ...headers } = asked.headers();
      await route.fulfill({ status: asked.status(), headers, body: JSON.stringify(json) });
    } catch {
      await route.abort().catch(() => {});
    }
  });
}
