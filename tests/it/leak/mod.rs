//! Held, hidden and deleted texts and names never reach anybody but their author and moderators, whatever happens to them.
//!
//! Thousands of random actions; every text and every name is a word of its own, so that what comes on any way to a reader can be compared
//! with what everyone may know at that moment.

mod readers;
mod world;

use crate::model::Chance;
use world::World;

/// Enough that every pair of actions meets several times; a debug build takes about a minute.
const ACTIONS: usize = 1_500;
/// After so many actions, everything that can be read is read.
const READ_EVERY: usize = 5;

#[test]
fn no_held_hidden_or_deleted_text_or_name_reaches_anybody_else() {
    for (seed, hold) in [(1, "all"), (2, "none")] {
        let mut world = World::start(hold, Chance(seed));
        for number in 0..ACTIONS {
            world.act();
            if number % READ_EVERY == 0 {
                world.read_everything();
            }
        }
        let seen = world.finish();
        assert!(
            seen > ACTIONS / 10,
            "only {seen} words were ever seen: this test has tested nothing"
        );
    }
}

#[test]
fn nobody_elses_nonce_is_answered_alike_whatever_became_of_the_comment() {
    let mut world = World::start("all", Chance(3));
    world.compare_nonces();
}
