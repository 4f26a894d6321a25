//! Small things that every part uses.

pub mod base64;
pub mod crc;
pub mod inflate;
pub mod json;
pub mod logger;
pub mod threads;
