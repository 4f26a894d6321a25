#![forbid(unsafe_code)]
#![warn(missing_docs)]
//! Live comments for any page, from one tiny binary.
//!
//! WIP-DOC

pub mod address;
pub mod answer;
pub mod assets;
pub mod audience;
pub mod backlog;
pub mod caps;
pub mod comment;
pub mod config;
pub mod conversation;
pub mod disk;
pub mod door;
pub mod draft;
pub mod error;
pub mod fanout;
pub mod flags;
pub mod frame;
pub mod head;
pub mod history;
pub mod http;
pub mod hub;
pub mod index;
pub mod limits;
pub mod log;
pub mod markup;
pub mod nonces;
pub mod origin;
pub mod page;
pub mod query;
pub mod rates;
pub mod reach;
pub mod reject;
pub mod relay;
pub mod request;
pub mod routes;
pub mod scan;
pub mod seal;
pub mod serve;
pub mod session;
pub mod trace;
pub mod url;
pub mod values;
pub mod visit;
pub mod web;
