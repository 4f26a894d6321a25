//! What can be typed: parses it and runs it.
#![doc = include_str!("README.md")]

pub mod args;
pub mod config;
pub mod doctor;
pub mod maintenance;
mod probe;
pub mod serve;
pub mod stdout;
pub mod values;
