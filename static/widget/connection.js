/** One page's comments from one server: over a WebSocket, or by asking every few seconds where none gets through. Knows no elements. */

/** Times in ms. */
const RETRY_MIN = 500;
const RETRY_MAX = 30_000;
const SILENCE_MAX = 60_000;
const HELLO_WAIT = 8_000;
const POLL_EVERY = 5_000;
/** A connection that has held so long was a good one. */
const STABLE_AFTER = 15_000;

export class Connection {
  state = 'connecting';
  #base;
  #page;
  #ask;
  /** The page's newest comments, asked for before there was a connection. */
  #first;
  /** What to resume from: nothing up to this seq is missing. The mark, of a run of the server, proves that the log still is the same. */
  log = '';
  mark = '';
  cursor = 0;
  /** The highest seq seen while a gap below it is filled. */
  ahead = null;
  /** Lines that come live while a history is loaded, which would take them away again. */
  #late = null;
  #socket = null;
  #attempt = 0;
  #timer = 0;
  #heard = 0;
  #since = Infinity;
  /** Counts starts and stops: what was begun in an earlier one is dropped. */
  run = 0;

  /** `ask` fetches an address or throws; `on` is told what comes: `history`, `line`, `notice`, and that the `state` has changed; its `query` asks for a history, its `moderate` prepares for one, its `bring` loads modules. */
  constructor({ base, page, ask, history }, on) {
    this.#base = base;
    this.#page = page;
    this.#ask = ask;
    this.#first = history;
    this.on = on;
  }

  start() {
    this.run++;
    this.#connect(this.run);
  }

  stop() {
    this.run++;
    clearTimeout(this.#timer);
    this.#drop();
  }

  /** At once, where it can't be known whether the connection is still there. */
  wake() {
    if (this.#socket && Date.now() - this.#heard < SILENCE_MAX / 2) return;
    this.#attempt = 0;
    this.stop();
    this.start();
  }

  check() {
    if (this.#socket && Date.now() - this.#heard > SILENCE_MAX) this.wake();
  }

  get isReady() {
    return this.state === 'live' || this.state === 'polling';
  }

  send(request) {
    if (this.state === 'live') this.#socket.send(JSON.stringify(request));
    else if (this.isReady && request.nonce) this.#post(request);
    else return false;
    return true;
  }

  /** Where no socket gets through. The nonce makes it harmless to try again. */
  async #post(request) {
    try {
      const { post } = await this.on.bring('post');
      const said = await post(this.#base, this.#page, request);
      if (said.seq) this.on.line(said);
      else this.on.notice(said);
    } catch {
      this.on.notice({ lost: true, nonce: request.nonce });
    }
  }

  async get(query, what = 'comments') {
    const asked = Object.entries({ page: this.#page, ...query }).filter(([, value]) => value !== undefined);
    const address = `${this.#base}/api/${what}?${new URLSearchParams(asked)}`;
    return this.#noteExtras(await (await this.#ask(address)).json());
  }

  async #noteExtras(said) {
    if (said.likes) this.on.notice({ likes: said.likes });
    if (said.comments) {
      this.challenge = said.challenge;
      await this.on.moderate(said);
    }
    return said;
  }

  async #connect(run) {
    const n = this.#attempt;
    try {
      if (!this.log) await this.#load(run);
      else if (n > 1) await this.#catchUp(run);
    } catch {
      if (run === this.run) this.#retry(false);
      return;
    }
    if (run !== this.run) return;
    if (n > 1) this.#enter('polling');
    // While polling works, a socket is tried ever more rarely: the 2nd, 4th, 8th, 16th time, then each 32nd.
    if (n & (n - 1) && n % 32) this.#retry(true);
    else this.#open(run);
  }

  async #load(run) {
    const first = this.#first;
    this.#first = undefined;
    this.#late = [];
    const history = await (first ? this.#noteExtras(await first) : this.get(this.on.query()));
    if (run !== this.run) return;
    this.cursor = Math.max(history.seq, ...history.comments.map((line) => line.seq));
    this.ahead = null;
    this.on.history(history);
    this.log = history.log;
    this.mark = history.mark ?? '';
    const late = this.#late ?? [];
    this.#late = null;
    for (const line of late) this.#receive(line);
  }

  get where() {
    return { since: this.cursor, log: this.log, ...this.mark && { mark: this.mark } };
  }

  /** Fills the gap above the cursor; what comes live meanwhile moves the cursor only afterwards. */
  async #catchUp(run) {
    this.ahead = this.cursor;
    const { catchUp } = await this.on.bring('catch-up');
    if (!await catchUp(this, run) && run === this.run) await this.#load(run);
  }

  #open(run) {
    const query = new URLSearchParams({ page: this.#page, ...this.where });
    const socket = new WebSocket(`${this.#base.replace(/^http/, 'ws')}/ws/comments/?${query}`, 'sayso.1');
    this.#socket = socket;
    this.#heard = Date.now();
    socket.onmessage = (event) => socket === this.#socket && this.#take(JSON.parse(event.data), run);
    socket.onclose = () => socket === this.#socket && this.#retry(this.state === 'polling');
    const late = () => socket === this.#socket && this.#since === Infinity && socket.close();
    setTimeout(late, HELLO_WAIT);
  }

  #take(message, run) {
    this.#heard = Date.now();
    if (message.hello) {
      if (message.hello.resumed === false) this.#mend(message.hello.log, run);
      else this.mark = message.hello.mark ?? '';
      this.#since = Date.now();
      this.challenge = message.hello.challenge;
      this.#enter('live');
      this.on.notice(message.hello);
    } else if (message.id && message.seq) {
      if (this.#late) this.#late.push(message);
      else this.#receive(message);
    } else if (message.seq) {
      if (message.seq > this.cursor && this.ahead === null && !this.#late) this.#mend(this.log, run);
    } else if (message.mark) {
      this.mark = message.mark;
    } else {
      this.on.notice(message);
    }
  }

  #receive(line) {
    if (this.ahead !== null) this.ahead = Math.max(this.ahead, line.seq);
    else this.cursor = Math.max(this.cursor, line.seq);
    this.on.line(line);
  }

  async #mend(log, run) {
    try {
      await (log === this.log ? this.#catchUp(run) : this.#load(run));
    } catch {
      if (run !== this.run) return;
      this.#drop();
      this.#retry(false);
    }
  }

  #retry(isPolling) {
    this.#socket = null;
    this.ahead = null;
    this.#late = null;
    this.#attempt = Date.now() - this.#since > STABLE_AFTER ? 1 : this.#attempt + 1;
    this.#since = Infinity;
    if (!isPolling) this.#enter(navigator.onLine === false || this.#attempt > 3 ? 'offline' : 'retry');
    // Full jitter, so that a thousand readers come back spread out.
    const wait = isPolling ? POLL_EVERY * (0.5 + Math.random())
      : Math.random() * Math.min(RETRY_MAX, RETRY_MIN * 2 ** (this.#attempt - 1));
    const run = this.run;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => run === this.run && this.#connect(run), wait);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.ahead = null;
    this.#late = null;
    socket?.close();
    if (this.isReady) this.#enter('retry');
  }

  #enter(state) {
    if (this.state === state) return;
    this.state = state;
    this.on.state();
  }
}
