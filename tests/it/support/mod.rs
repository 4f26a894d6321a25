//! What all tests share: the real program in a folder of its own, and clients for it. Knows nothing of what is claimed.

pub mod client;
pub mod clock;
pub mod frames;
#[cfg(feature = "redis")]
pub mod redis;
pub mod server;
