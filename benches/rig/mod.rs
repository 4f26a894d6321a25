//! What the benches share.

pub mod bare_loop;
pub mod crowd;
pub mod histogram;
pub mod idle;
pub mod place;
pub mod process;
pub mod program;
pub mod speech;
pub mod table;
pub mod tally;
pub mod wire;
