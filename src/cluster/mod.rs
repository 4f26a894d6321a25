//! Several machines with one conversation, over a Redis server.

pub mod presence;
