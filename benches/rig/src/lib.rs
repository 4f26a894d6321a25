//! What the benches share: load clients, the bare loop beside sayso, and how processes are measured.
//!
//! It is a crate of its own because it is optimised for speed, while sayso is optimised for size: the crowd has one thread, which must not
//! be the bottleneck.

pub mod bare_loop;
pub mod cores;
pub mod crowd;
pub mod delivery_check;
pub mod endpoint;
pub mod histogram;
pub mod http_load;
pub mod idle;
pub mod messages;
pub mod process;
pub mod table;
pub mod wire;
