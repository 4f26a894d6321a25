//! Small helpers that any folder may use. They know nothing of comments, HTTP or the log.

pub mod base64;
pub mod crc;
pub mod inflate;
pub mod json;
pub mod logger;
pub mod text;
pub mod threads;
