//! Readers of all machines: takes in how many there are elsewhere and who types there, and says the same of this machine.
//!
//! Numbers only; does not know which machine has which readers.

use super::{Hub, order::Presence};

impl<S> Hub<S> {
    /// Takes in what other machines' readers do. Readers here are told within a second, who types at once.
    pub fn presence_elsewhere(&mut self, presence: Presence) {
        for (page, readers) in &presence.readers {
            self.subscribers.set_readers_elsewhere(page, *readers);
        }
        for (page, name) in &presence.typing {
            self.subscribers.typing_elsewhere(page, name);
        }
    }

    /// Returns what other machines have to be told: which pages' numbers have changed since the last call, and who has typed. The first
    /// call returns all pages; before it, nothing is noted.
    pub fn own_presence(&mut self) -> Presence {
        Presence {
            readers: self.subscribers.take_own_readers(),
            typing: self.subscribers.take_own_typing(),
        }
    }
}
