/** Posting, editing and deleting over HTTP, for where no WebSocket gets through. Loaded by embed.js when needed; knows no elements. */

const ANSWER_WAIT = 20_000;

/**
 * Sends what would have gone over the socket; answers with what would have come: a line or a notice.
 * Throws where there is no answer: whether it arrived is then unknown, and the same nonce may be sent again.
 */
export async function post(base, page, { edit, delete: gone, like, key, nonce, ...said }) {
  const id = edit ?? gone ?? like;
  const method = edit ? 'PATCH' : gone ? 'DELETE' : 'POST';
  const path = id ? `/${id}${like ? '/like' : ''}` : '';
  const answer = await fetch(`${base}/api/comments${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: gone ? undefined : JSON.stringify(id ? said : { ...said, page, nonce }),
    signal: AbortSignal.timeout(ANSWER_WAIT),
  });
  return { nonce, ...await answer.json() };
}
