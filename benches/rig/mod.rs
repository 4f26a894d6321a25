//! What the benches share.

pub mod program;
pub mod table;
