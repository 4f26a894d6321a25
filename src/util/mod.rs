//! Small helpers that any folder may use. They know nothing of comments, HTTP or the log.

pub mod activity;
pub mod address_space;
pub mod clock;
pub mod error_body;
pub mod histogram;
pub mod hmac;
pub mod html;
pub mod json;
pub mod logger;
pub mod order;
pub mod slot;
pub mod stream;
pub mod table;
pub mod text;
pub mod threads;
pub mod version;
