//! Small things that every part uses.

pub mod json;
pub mod logger;
pub mod threads;
