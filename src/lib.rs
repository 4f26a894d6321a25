//! Live comments for any page, from one tiny binary.
//!
//! `sayso` serves a page, pushes every new comment to everyone who is reading, and appends it to a JSON-lines file. Std threads,
//! no async runtime, no database.
//!
//! ```text
//! browser ─TCP─▶ door ─▶ visit ─┬─ relay ─▶ tiny_http (private) ─▶ web ─▶ routes ─┐
//!                               │                                                 ├─ Request ─▶ hub ─▶ log   (one write + one sync a batch)
//!                               └─ session (reads frames) ────────────────────────┘             │ └─▶ index (memory)
//! browser ◀─TCP── fanout shard 0..k ◀──── Parcel: frames, encoded once ──── audience ◀──────────┘
//! ```
//!
//! # The three ideas
//!
//! **One line everywhere.** A comment is encoded once, as one JSON line ([`comment`]). Those bytes are the log record, the
//! WebSocket message and the item of every history answer. So a line holds nothing private, and removing or editing is a new line.
//!
//! **One writer, batches by themselves.** The [`hub`] takes what lies in its inbox, gives each draft its `seq` and time, appends
//! the whole batch with one write and one `fdatasync` ([`log`]), then hands it on, then takes the next. Idle, a batch is one
//! comment; busy, batches grow, the more so as hub and shards let those go first who have something to add. Reading threads do the
//! expensive work before ([`draft`]), so that the hub only splices.
//!
//! **Readers are written to by shards, not by their own threads.** A [`fanout`] thread owns the write side of its sockets and
//! sends the same encoded bytes to each without waiting; what has queued up meanwhile goes out as one send. Who does not keep up
//! has a [`backlog`], bounded, and then a close frame; it never slows anybody else.
//!
//! # Rooms
//!
//! A file imports only from files with a higher rank; a test reads this table and the imports.
//!
//! | rank | file | owns | deliberately does not know |
//! |---|---|---|---|
//! | 0 | `main.rs` | arguments → configuration → run → exit code | everything else |
//! | 1 | `serve.rs` | the order in which everything is opened and closed | what any of it does |
//! | 1 | `tend.rs` | check, repair and compact by hand | serving |
//! | 1 | `doctor.rs` | what a server looks like from outside | how to serve |
//! | 2 | `door.rs` | the public port: accept, turn away | requests, comments |
//! | 3 | `visit.rs` | one connection: its deadlines, its seat, which way each request goes | comments |
//! | 3 | `web.rs` | tiny_http and its threads; the only file that names it | files, public sockets |
//! | 4 | `relay.rs` | one HTTP exchange with the private tiny_http | comments |
//! | 4 | `session.rs` | one WebSocket connection's read side | files |
//! | 4 | `routes.rs` | what each path does, status codes | sockets, files |
//! | 4 | `hub.rs` | all state; the one thread that changes it | sockets, HTTP |
//! | 5 | `conversation.rs` | HTTP on one connection: reading in time, answering, refusing | routes, addresses |
//! | 5 | `request.rs` | what the hub can be asked | who asks, and over what |
//! | 5 | `audience.rs` | who follows what; the way to the shards | the log, what a line says |
//! | 5 | `compact.rs` | which lines of a log are still wanted | threads, waiting |
//! | 6 | `archive.rs` | an opened log and the index made from it | threads |
//! | 6 | `history.rs` | a part of a page's history, as everyone may see it | who reads it |
//! | 6 | `fanout.rs` | the sockets' write side; slow readers | comments |
//! | 7 | `log.rs` | the JSON-lines file: open, recover, append, sync, read | what a comment means |
//! | 7 | `index.rs` | where each page's newest lines lie | files, sockets, text |
//! | 7 | `backlog.rs` | what one reader is still owed | what is in a frame |
//! | 7 | `rates.rs` | how often somebody may post, and the same | clocks |
//! | 7 | `proof.rs` | what a comment has cost its sender | who that is |
//! | 8 | `rewrite.rs` | a log written anew | why a line is wanted |
//! | 9 | `scan.rs` | a log from its first line to its last; torn or damaged | comments |
//! | 8 | `sight.rs` | who sees a line, and where it lies | who asks |
//! | 8 | `record.rs` | what opening a log remembers of a line | files, the index |
//! | 9 | `likes.rs` | who likes what, in a few bytes | pseudonyms' text, files |
//! | 8 | `nonces.rs` | every nonce ever used, in a few bytes | nonces' text |
//! | 8 | `draft.rs` | what a client says: untrusted → typed → encoded | sockets, state |
//! | 8 | `page.rs` | the served page as HTML | requests, files |
//! | 10 | `comment.rs` | a comment and its line | I/O, clocks, threads |
//! | 8 | `mirror.rs` | what of a request has reached sayso | whether that is right |
//! | 9 | `answer.rs` `caps.rs` | an HTTP answer's bytes; how many connections | sockets |
//! | 10 | `disk.rs` `seal.rs` | one growing file; a line's checksum | lines; files |
//! | 9 | `http.rs` | a request and an answer as routes see them | paths, servers |
//! | 10 | `config.rs` | the command line | everything else |
//! | 11 | `flags.rs` `values.rs` | sorting arguments; one value's text → its type | what values are for |
//! | 11 | `head.rs` | bytes → a request head, strictly; pure | sockets |
//! | 11 | `assets.rs` | the files of `static/`, embedded | who asks for them |
//! | 11 | `markup.rs` | comment text → safe HTML | everything else |
//! | 11 | `say.rs` | what a command says on stdout | what it is |
//! | 10 | `reject.rs` | what a client did wrong, in a sentence | HTTP, WebSocket |
//! | 12 | `address.rs` `base64.rs` `crc.rs` `error.rs` `frame.rs` `inflate.rs` `json.rs` `limits.rs` `origin.rs` `query.rs` `reach.rs` `recent.rs` `threads.rs` `trace.rs` `url.rs` | one pure thing each | everything else |
//!
//! # Why tiny_http stands behind a door
//!
//! It gives each request to whoever asks for one, which is what a server of pages needs. On an open port it would be at everybody's mercy:
//! it has no deadlines, ends where there is no file left (its `accept` gives up at EMFILE), takes a `Content-Length` of any size, and
//! reads heads that can be read in two ways in one of them (CVE-2026-66752, CVE-2026-66753; there is no later version than 0.12.0).
//! So it listens on a private Unix socket: [`head`] refuses what is ambiguous, [`conversation`] keeps the time, [`relay`] writes each
//! request anew, and [`web`] makes a server anew that has died.
//!
//! # Threads
//!
//! | thread (named) | how many | owns | ends when |
//! |---|---|---|---|
//! | `door` | 1 | the listener | shutdown |
//! | `conn-N` | one per connection | its socket's read side; an HTTP connection for its life, a WebSocket hands over to a fresh thread after the handshake | the peer goes, a deadline passes, shutdown |
//! | `web`, `web-N` | 1, a few | the private server; nothing | shutdown |
//! | `hub` | 1 | log, index, everything that changes | all senders are gone |
//! | `fanout-N` | one per two cores | the write side of its share of the sockets | all senders are gone |
//! | `main`, `compact`, `deadline` | 1 each, the last two when needed | nothing; a log in the making; nothing | a signal; its work is done; the end of the process |
//!
//! tiny_http has some of its own, unnamed.
//!
//! # Invariants
//!
//! - A comment is pushed, and its author told, only after its line is on disk (with `--sync always`).
//! - Only the hub changes state; only a shard writes to, and ends, a WebSocket's socket. No mutex is on the way of a comment.
//! - Every channel is bounded, by a named constant. The hub and the shards never wait for anybody who waits for them: replies
//!   go through channels that have room for them, or are dropped.
//! - Live frames reach a reader behind its history, without gap and without double: the hub registers the reader and chooses
//!   the history's lines at one point between two batches.
//! - A panic in a connection ends that connection; one in the hub or a shard ends the process.
//! - No line, log message or metric holds an address, a key or a token.
//! - Stopping: the door closes → the hub finishes its batch and says goodbye → shards send 1001 and shut the sockets → readers
//!   end, their senders drop → the hub ends → the shards end.
//!
//! # The log
//!
//! `<data>/comments.jsonl`, UTF-8, one JSON object a line; `\n` is the commit mark. The first line is the header, each further line
//! the full present state of one comment; of two lines with the same `id`, the later wins. Every line of one write but the last
//! carries `more`. `crc` is CRC-32C over the line from `{` up to, without, `,"crc"`, continued from the line before (header: 0).
//! What readers get is the line up to, without, `,"more"` or `,"crc"`, and `}`.
//! A line with `"kind":"like"` is a heart ([`likes`]): given or taken by an author, for the comment `id`; it is never sent as a line.
//!
//! ```text
//! {"sayso":1,"log":"9c41f0aa53d7e6b2","created_at":"2026-11-22T05:07:13.123Z","next":1,"crc":"e8d10d96"}
//! {"seq":1,"id":1,"page":"/","name":"Ada","author":"q83vEjRWeJCrze8SNFZ4kA","content":"First!","created_at":"2026-11-22T05:08:00.001Z","nonce":"4f1c6d0be2a94f07","crc":"a7123ee8"}
//! {"seq":2,"id":2,"page":"/","parent":1,"content":"Second.","created_at":"2026-11-22T05:08:00.001Z","nonce":"77ab03c1d95e4a12","more":1,"crc":"32ea09ad"}
//! {"seq":3,"id":1,"page":"/","name":"Ada","author":"q83vEjRWeJCrze8SNFZ4kA","content":"First *indeed*","html":"<p>First <em>indeed</em></p>","created_at":"2026-11-22T05:08:00.001Z","edited_at":"2026-11-22T05:09:30.250Z","nonce":"4f1c6d0be2a94f07","crc":"bb1f3057"}
//! ```
//!
//! A torn tail is kept aside and cut; damage in the middle is refused: see [`scan`]. Stricter than "bad bytes that one more
//! write follows are torn": where the bad line itself still shows that it ended a write, what follows is another write, so the
//! bad one was acknowledged, and it is refused.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cli;
pub mod comment;
pub mod error;
pub mod fanout;
pub mod http;
pub mod hub;
pub mod limits;
pub mod log;
pub mod net;
pub mod store;
pub mod util;
pub mod web;
pub mod ws;
