//! The real program, talked to in bytes. A module for each subject; names are claims.

mod activity;
mod assets;
mod block_list;
mod cli;
mod clock;
#[cfg(feature = "redis")]
mod cluster;
mod codes;
mod compaction;
mod control;
mod crash;
mod doctor;
mod export;
mod faults;
mod feeds;
mod fuzz;
mod hostile;
mod http;
#[cfg(feature = "exchange")]
mod import;
#[cfg(feature = "redis")]
mod interleavings;
mod leak;
mod likes;
mod limits;
mod listener;
mod live;
mod log_format;
mod marks;
mod metrics;
mod mine;
mod model;
mod moderation;
mod moderators;
mod newest;
mod notify;
mod openapi;
#[cfg(feature = "redis")]
mod presence;
mod preview;
mod readme;
mod rename;
mod repair;
mod shell;
mod sign_on;
mod sockets;
mod spam;
mod storage_watch;
mod storm;
mod structure;
mod support;
mod ws;
