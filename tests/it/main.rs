//! The real program, talked to in bytes. A module a subject; names are claims.

mod client;
mod live;
mod log_format;
mod program;
mod storm;
mod wire;
