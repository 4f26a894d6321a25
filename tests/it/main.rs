//! The real program, talked to in bytes. A module for each subject; names are claims.

mod assets;
mod cli;
mod clock;
mod compaction;
mod crash;
mod doctor;
mod faults;
mod fuzz;
mod hostile;
mod http;
mod likes;
mod limits;
mod listener;
mod live;
mod log_format;
mod marks;
mod model;
mod preview;
mod readme;
mod repair;
mod spam;
mod storage_watch;
mod storm;
mod structure;
mod support;
mod ws;
