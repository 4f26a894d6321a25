//! What all tests share: the real program in a folder of its own, and clients for it. Knows nothing of what is claimed.

pub mod client;
pub mod frames;
pub mod server;
