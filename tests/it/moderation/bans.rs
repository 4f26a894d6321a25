//! bans
