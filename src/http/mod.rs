//! HTTP/1.1 on the wire: requests, responses, and the exchange with the private server. Knows no route.
//!
//! # Why tiny_http is private
//!
//! tiny_http gives each request to whichever thread asks for one, which is what a server of pages needs. On an open port it would be
//! at everybody's mercy: it has no deadlines, its accept loop ends at the first EMFILE, it takes a `Content-Length` of any size, and it
//! accepts heads that two programs read differently (CVE-2026-66752, CVE-2026-66753; 0.12.0 is the newest version). So it listens on a
//! private Unix socket: [`request`] refuses what is ambiguous, [`stream`] keeps the deadlines, [`upstream`] writes each request anew, and
//! `web::backend` replaces a server that has died.

pub mod echo;
pub mod error_code;
pub mod forwarded;
pub mod origin;
pub mod page_url;
pub mod query;
pub mod request;
pub mod response;
pub mod stream;
pub mod upstream;
