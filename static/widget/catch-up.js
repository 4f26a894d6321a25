/** Fills a connection's gap after an interruption, over HTTP. Loaded by connection.js then; knows no elements. */

/** How many lots of lines are worth catching up with, and how many are in one. */
const STEPS_MAX = 60;
const LIMIT = 200;

/** Answers whether there is nothing missing any more; otherwise all must be loaded anew. Nothing is done in a later `run`. */
export async function catchUp(connection, run) {
  for (let step = 0; step < STEPS_MAX; step++) {
    const { log, mark, seq, comments, more } = await next(connection);
    if (run !== connection.run || log !== connection.log) return false;
    connection.mark = mark ?? '';
    for (const line of comments) connection.on.line(line);
    connection.cursor = Math.max(connection.cursor, comments.at(-1)?.seq ?? 0);
    if (more) continue;
    connection.cursor = Math.max(connection.cursor, seq, connection.ahead);
    connection.ahead = null;
    return true;
  }
  return false;
}

/** A lot of the lines above the cursor, or nothing if the log has gone back: a backup was restored. */
async function next(connection) {
  try {
    return await connection.get({ ...connection.where, limit: LIMIT });
  } catch (error) {
    if (error.status === 409) return {};
    throw error;
  }
}
