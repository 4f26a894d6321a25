/** Posting, editing, deleting, likes and flags over HTTP, for where no WebSocket gets through. Loaded by embed.js when needed; knows no elements. */

const ANSWER_WAIT = 20_000;

/**
 * Sends what would have gone over the socket; answers with what would have come: a line or a notice.
 * Throws where there is no answer: whether it arrived is then unknown, and the same nonce may be sent again.
 */
export async function post(base, page, { edit, delete: gone, like, flag, key, user, nonce, ...said }) {
  const id = edit ?? gone ?? like ?? flag;
  const method = edit ? 'PATCH' : gone ? 'DELETE' : 'POST';
  const path = id ? `/${id}${like ? '/like' : flag ? '/flag' : ''}` : '';
  const answer = await fetch(`${base}/api/comments${path}`, {
    method,
    headers: { authorization: user ? `Sayso ${user}` : `Bearer ${key}`, 'content-type': 'application/json' },
    body: gone || flag ? undefined : JSON.stringify(id ? said : { ...said, page, nonce }),
    signal: AbortSignal.timeout(ANSWER_WAIT),
  });
  if (answer.status === 204) return { flagged: flag };
  return { nonce, ...await answer.json() };
}
