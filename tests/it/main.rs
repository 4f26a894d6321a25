//! The real program, talked to in bytes. A module a subject; names are claims.

mod cli;
mod client;
mod compaction;
mod http;
mod live;
mod log_format;
mod program;
mod readme;
mod storm;
mod structure;
mod wire;
