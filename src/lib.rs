#![forbid(unsafe_code)]
#![warn(missing_docs)]
//! Live comments for any page, from one tiny binary.
pub mod comment;
mod limits;
mod reject;
