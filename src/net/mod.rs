//! The public port: accepts connections, limits them, and drains them on shutdown.

pub mod connection;
pub mod connection_limits;
pub mod counters;
pub mod listen_socket;
pub mod listener;
pub mod resource_limits;
pub mod socket;
