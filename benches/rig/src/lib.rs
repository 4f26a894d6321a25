//! What the benches share: the crowd, its limit, and how both are measured.
//!
//! A crate of its own because it is optimised for speed, while sayso is for size: the crowd has one thread, and must not be the one that is
//! waited for.

pub mod bare_loop;
pub mod cores;
pub mod crowd;
pub mod histogram;
pub mod idle;
pub mod place;
pub mod process;
pub mod speech;
pub mod table;
pub mod tally;
pub mod wire;
