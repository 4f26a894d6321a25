//! The public port: accepts connections, limits them, drains them.

pub mod connection;
pub mod connection_limits;
pub mod listener;
pub mod resource_limits;
