//! Several machines with one conversation: real nodes beside a real Redis. Either is killed, stands still, is cut off, comes back with
//! less than it had, or is told nonsense; readers and authors behave as the widget does.
//!
//! Waits end with a count or a state, never with a time; [`nodes::Cluster::stand_still`] alone takes its ten seconds.

mod attack;
mod authors;
mod changes;
mod clocks;
mod crowd;
mod documents;
mod failover;
mod full_disk;
mod moving;
mod nodes;
mod proxy;
mod put_back;
mod redis_states;
mod starts;
mod storm;
mod switch;
