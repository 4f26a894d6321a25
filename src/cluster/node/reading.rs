//! What of the stream a node reads, and when: nothing while its log is compared with the stream, so that the log is then as it was said to be.

use super::{Entry, Link, Node, Parting};
use crate::log::chain::ChainedLine;

impl Node {
    /// The `seq` behind which the stream is to be read, while it can be.
    pub fn read_after(&self) -> Option<u64> {
        let may_read = self.lines.is_attached && !self.lines.is_busy && self.parted.is_none();
        (may_read && !self.is_comparing()).then_some(self.end.seq)
    }

    /// Whether the log is about to be compared with the stream, so that it must stay as it is.
    fn is_comparing(&self) -> bool {
        self.commands.identity.is_some() && !self.commands.is_attached
    }

    /// Of entries that were read behind the log's end, those that follow from it. They are on their way until [`Node::stored`]. If the first one
    /// doesn't follow, the connection must attach again.
    pub fn follow(&mut self, entries: Vec<Entry>) -> Vec<ChainedLine> {
        let mut chain = self.end.chain;
        let mut following = Vec::new();
        if !self.lines.is_attached || self.is_comparing() {
            // Since they were read, a run may have begun that doesn't have them. Those that it has are read again.
            return following;
        }
        for Entry { line, run } in entries {
            let is_known = self.runs.iter().rev().any(|known| known.0 == run);
            let expected = chain.next(line.chain.run, &line.line);
            if is_known && expected != line.chain && self.is_at_base && following.is_empty() {
                // Those in between are gone.
                self.part(Parting::Trimmed);
            }
            if !is_known || expected != line.chain {
                break;
            }
            chain = expected;
            following.push(line);
        }
        match following.last() {
            Some(last) => self.handed = last.seq,
            None => self.attach_again(Link::Lines),
        }
        following
    }

    /// Lines that [`Node::follow`] has returned are stored, or will not be.
    pub fn stored(&mut self) {
        self.handed = 0;
    }
}
