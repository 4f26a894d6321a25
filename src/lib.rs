//! Live comments for any page, from one tiny binary.
//!
//! `sayso` serves a page, pushes every new comment to everyone who is reading, and appends it to a JSON-lines file. Std threads, no
//! async runtime, no database.
//!
//! ```text
//! browser ─TCP─▶ net (accept, limit) ─▶ http ─┬─ upstream ─▶ tiny_http (private) ─▶ web ─┐
//!                                             │                                          ├─ Command ─▶ hub ─▶ log   (one write + one sync a batch)
//!                                             └─ ws (reads frames) ──────────────────────┘               │ └─▶ store (memory)
//! browser ◀─TCP── fanout shard 0..k ◀──── Delivery: frames, encoded once ────────────────────────────────┘
//! ```
//!
//! # The three ideas
//!
//! **One line everywhere.** A comment is encoded once, as one JSON line ([`comment`]). Those bytes are the record in the log, the
//! WebSocket message and the item of every history. So a line holds nothing private, and editing or deleting a comment writes
//! a new line.
//!
//! **One writer, batches by themselves.** The [`hub`] takes whatever lies in its inbox, gives each draft its `seq` and time, appends the
//! whole batch with one write and one `fdatasync` ([`log`]), publishes it, and takes the next. When idle, a batch is one comment; when
//! busy, batches grow. The threads that read requests do the expensive work beforehand ([`comment::draft`]), so that the hub only splices.
//!
//! **Readers are written to by shards, not by their own threads.** A [`fanout`] thread owns the write side of its sockets and sends the
//! same encoded bytes to each without waiting; what has queued up meanwhile goes out in one send. A slow reader gets a bounded outbox
//! ([`fanout::outbox`]); when it overflows, the reader is closed with 1013. It never slows anybody else.
//!
//! # A comment's way
//!
//! A frame arrives: `conn-N` reads it, parses it into a typed message, checks it and renders its Markdown ([`ws`],
//! [`comment::draft`]), and sends the draft to the hub. `hub` decides whether it may be posted, gives it `seq` and time, splices its
//! line ([`hub`]), writes it with the batch and syncs ([`log`]), and only then hands the line's frame to the shards. `fanout-N` sends
//! it to every reader of the page; the author's own copy is the acknowledgement. Over HTTP, `conn-N` passes the request to tiny_http
//! ([`http::upstream`]), `web-0` … `web-2` parse it and send the draft, the hub calls back, `web-3` builds the response, and `conn-N`
//! writes it to the client.
//!
//! # Folders
//!
//! ```text
//! cli/      what can be typed: parses it and runs it
//! web/      what each HTTP path answers; `web::backend` runs tiny_http on two private sockets
//! ws/       the read side of one WebSocket
//! notify/   programs that are told of comments
//! cluster/  several machines with one conversation, over Redis; only with the feature `redis`
//! exchange/ comments of other systems, in and out
//! hub/      all state, and the one thread that changes it
//! net/      the public port: accepts connections, limits them, drains them
//! fanout/   who follows what, and the threads that write to sockets
//! store/    what the log's lines mean, in memory
//! http/     HTTP/1.1 on the wire; knows no route
//! comment/  a comment, and what a client may say
//! log/      the JSON-lines file: open, recover, append, sync, read; the starts of sayso that wrote to it
//! util/     threads, the logger, HTML escaping, short texts, and other small things
//! ```
//!
//! A file imports from its own folder or from a later group, never from an earlier one or from a neighbour of its group:
//!
//! ```text
//! [cli] → [web, ws, notify, exchange, cluster] → [hub] → [net, fanout, store] → [http, comment, log] → [util, limits, error]
//! ```
//!
//! Only `web::backend` names tiny_http, only `ws` and `fanout::frame` name tungstenite, only `cluster` names the Redis client.
//! `tests/it/structure.rs` checks that.
//!
//! # Threads
//!
//! | thread (named) | how many | owns | ends when |
//! |---|---|---|---|
//! | `main` | 1 | nothing; opens everything, waits for a signal, looks at `--block-file`, tells systemd's watchdog that the hub answers, closes everything | a signal |
//! | `listener` | one per listening socket | that socket | shutdown |
//! | `conn-N` | one per connection | the read side of its socket; an HTTP connection keeps its thread, a WebSocket gets a fresh one after the handshake | the peer goes, a deadline passes, shutdown |
//! | `web` | 1 | the private server: starts it, and again if it dies | shutdown |
//! | `web-0` … `web-2` | 3 | nothing; receive requests and send commands to the hub | shutdown |
//! | `web-3` | 1 | nothing; builds responses once the hub has replied, reads the log for them | shutdown |
//! | `ctl`, `ctl-0`, `ctl-1` | 1 each | the same three jobs for the control socket, over which sayso's own commands come | shutdown |
//! | `hub` | 1 | log, store, everything that changes | all senders are gone |
//! | `fanout-N` | one per two cores | the write side of its share of the sockets | all senders are gone |
//! | `order` | 1 with `--redis` | the connection that lines are proposed through | shutdown |
//! | `stream` | 1 with `--redis` | the connection that ordered lines are read through; waits for the hub to store them | shutdown |
//! | `presence` | 1 with `--redis` | the connection on which machines tell each other how many readers they have; tells the hub what it hears | shutdown |
//! | `notify-N` | one per program of `--notify` | its cursor; asks the hub, reads the log and runs the program | shutdown |
//! | `rescue` | 1 when the log is lost | what the log's file still holds | it is saved |
//! | `compact` | 1 when needed | the log that is being rewritten | its work is done |
//! | `deadline` | 1 while stopping | nothing; ends a process that takes too long to stop | the end of the process |
//!
//! The two tiny_http servers have some threads of their own, unnamed.
//!
//! # Invariants
//!
//! - A comment is pushed, and its author told, only after its line is on disk (with `--sync always`).
//! - Only the hub changes state. Only a shard writes to, and ends, a WebSocket's socket. A public comment that comes over a WebSocket
//!   passes no mutex on its way; its reading thread takes a read lock to copy a pointer ([`hub::screen`]), and another one to check a
//!   signed user ([`hub::sign_on`]). What the hub answers over HTTP, or to who joins, passes one that is held only to put it in or take
//!   it out ([`util::slot`], [`web::backend`]).
//! - Every channel is bounded by a named constant. The hub and the shards never wait for anybody who waits for them: a reply goes
//!   through a channel that has room for it, or is dropped.
//! - Live frames reach a reader after its history, without a gap and without a duplicate: the hub registers the reader and chooses the
//!   lines of the history at one point between two batches.
//! - The hub never waits for a program of `--notify`: it only says that there is something new, and each program's thread reads the log
//!   from its own cursor ([`notify`]).
//! - With `--redis`, nothing is stored that hasn't come back from the stream: a proposal changes nothing here, and is acknowledged when its own
//!   lines have come back and are on disk. The hub waits for none of it; it shares a lock with the node's threads that is held for one step
//!   of the node.
//! - A cursor proves itself: a client that has received what is no longer in the log is never told that it has resumed ([`log::runs`]).
//! - A panic in a connection ends that connection; one in the hub or a shard ends the process.
//! - No line, log message or metric holds an address, a key or a token; only with `--log-addresses` does the log name addresses.
//! - Stopping goes in one order: the listener closes → the hub finishes its batch and says goodbye → shards send 1001 and shut the
//!   sockets → a program of `--notify` that runs has 2 s left → with `--redis`, lines that are proposed have 1 s to come back, and the
//!   node's threads end → readers end, their senders drop → the hub ends → the shards end.
//!
//! # The log
//!
//! The file format is described in [`log`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// The documentation is for those who read the code; with `--document-private-items` these links work.
#![allow(rustdoc::private_intra_doc_links)]

pub mod cli;
#[cfg(feature = "redis")]
pub mod cluster;
pub mod comment;
pub mod error;
pub mod exchange;
pub mod fanout;
pub mod http;
pub mod hub;
pub mod limits;
pub mod log;
pub mod net;
pub mod notify;
pub mod store;
pub mod util;
pub mod web;
pub mod ws;
