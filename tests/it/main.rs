//! The real program, talked to in bytes. A module a subject; names are claims.

mod assets;
mod cli;
mod client;
mod compaction;
mod crash;
mod doctor;
mod door;
mod faults;
mod fuzz;
mod hostile;
mod http;
mod likes;
mod limits;
mod live;
mod log_format;
mod model;
mod preview;
mod program;
mod readme;
mod spam;
mod storm;
mod structure;
mod wire;
