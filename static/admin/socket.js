/** The moderators' socket: every line as it is written, and what was missed said so. Knows no comment. */

import { base, session } from './session.js';

/** ms */
const RETRY_MIN = 500;
const RETRY_MAX = 30_000;
/** The server says something every 25 s. */
const SILENCE_MAX = 75_000;

/** `on` is told: `hello`, `line`, `totals`, `readers`, `refused` (for good), `state`, `missed` (look again). */
export class Socket {
  #on;
  #socket = null;
  #attempt = 0;
  #timer;
  #heard = 0;
  /** How far this page has seen the log. */
  #seen = null;
  state = 'connecting';

  constructor(on) {
    this.#on = on;
    addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => document.hidden || this.#hurry());
    setInterval(() => this.#socket && Date.now() - this.#heard > SILENCE_MAX && this.#lost(), SILENCE_MAX / 3);
  }

  start() {
    clearTimeout(this.#timer);
    const socket = new WebSocket(`${base.replace(/^http/, 'ws')}/ws/admin/`, 'sayso.admin.1');
    this.#socket = socket;
    this.#heard = Date.now();
    socket.onopen = () => socket.send(JSON.stringify({ token: session.token }));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#take(JSON.parse(data));
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  stop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#seen = null;
    socket?.close();
  }

  #hurry() {
    if (this.state === 'live' || this.state === 'connecting' || !session.token) return;
    this.#attempt = 0;
    this.stopWaiting();
  }

  stopWaiting() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.start();
  }

  #take(said) {
    this.#heard = Date.now();
    if (said.hello) {
      const { log, mark, seq } = said.hello;
      const hasMissed = this.#seen && (this.#seen.log !== log || this.#seen.mark !== mark || this.#seen.seq !== seq);
      this.#seen = { log, mark, seq };
      this.#attempt = 0;
      this.#enter('live');
      this.#on.hello(said.hello);
      if (hasMissed) this.#on.missed();
    } else if (said.error) {
      this.stop();
      this.#on.refused(said.error);
    } else if (said.totals) {
      this.#on.totals(said.totals);
    } else if (said.readers !== undefined) {
      this.#on.readers(said.readers);
    } else if (said.created_at || said.id || said.kind) {
      this.#seen.seq = Math.max(this.#seen.seq, said.seq);
      this.#on.line(said);
    } else if (said.seq > this.#seen?.seq) {
      this.#seen.seq = said.seq;
      this.#on.missed();
    }
  }

  #lost() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#attempt += 1;
    this.#enter(this.#attempt > 3 ? 'offline' : 'retry');
    const wait = Math.random() * Math.min(RETRY_MAX, RETRY_MIN * 2 ** this.#attempt);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.start(), wait);
  }

  #enter(state) {
    this.state = state;
    this.#on.state(state);
  }
}
