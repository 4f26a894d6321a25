//! Moves comments in and out: reads what other comment systems export, and writes what they import.
//!
//! Knows neither the hub nor the log's file: an import ends at ordered records, an export begins with comments.
#![doc = include_str!("README.md")]

pub mod export;
#[cfg(feature = "exchange")]
pub mod import;
