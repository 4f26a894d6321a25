//! Small things that every part uses.

pub mod logger;
pub mod threads;
