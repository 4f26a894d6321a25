//! What a node asks next.
//!
//! Knows no reply.

use std::io;

use super::{
    super::{
        call::{Call, Introduction},
        own_log::{base_of, chain_at, is_whole_behind, lines_behind},
    },
    HEALED_BYTES_MAX, Link, Node, Proposal, Stage,
};
use crate::log::runs::random_mark_text;

impl Node {
    /// The next call through a connection, if there is anything to ask. Its reply goes to [`Node::replied`], unless the connection is lost.
    ///
    /// # Errors
    /// Fails if the log can't be read.
    pub fn next_call(&mut self, link: Link) -> io::Result<Option<Call>> {
        let state = self.link(link);
        let Some(identity) = state.identity.clone().filter(|_| !state.is_busy) else {
            return Ok(None);
        };
        if self.parted.is_some() {
            return Ok(None);
        }
        let call = match self.link(link).take.take() {
            Some(call) => Some(call),
            // What is read and not stored yet may be what the stream has lost.
            None if !self.link(link).is_attached && self.handed > 0 => None,
            None if !self.link(link).is_attached => {
                let mark = random_mark_text()?;
                Some(Call::attach(&self.introduction(&identity, &mark)?, &self.salt))
            }
            None if link == Link::Lines => None,
            None if self.is_ahead => self.heal()?,
            None => self.append(),
        };
        self.link(link).is_busy = call.is_some();
        Ok(call)
    }

    pub(super) fn introduction<'n>(
        &'n self,
        identity: &'n str,
        mark: &'n str,
    ) -> io::Result<Introduction<'n>> {
        let base = base_of(&self.end, self.newest_kept)?;
        Ok(Introduction { end: &self.end, base, highest: self.highest, identity, mark })
    }

    /// Brings the stream the next lines that it has lost.
    fn heal(&mut self) -> io::Result<Option<Call>> {
        let known = self.known_seq;
        let chain = chain_at(&self.end, known)?.filter(|_| is_whole_behind(&self.end, known));
        let (Some(chain), Some((run, _))) = (chain, self.run.clone()) else {
            self.attach_again(Link::Commands);
            return Ok(None);
        };
        let lines = lines_behind(&self.end, known, self.healed_lines_max, HEALED_BYTES_MAX)?;
        if lines.is_empty() {
            self.is_ahead = false;
            return Ok(None);
        }
        Ok(Some(Call::append(&self.end.log, &run, (known, chain), &lines, true, self.keep)))
    }

    fn append(&mut self) -> Option<Call> {
        let (run, _) = self.run.clone()?;
        let proposal = self.proposal.as_mut().filter(|it| it.stage == Stage::Ready)?;
        proposal.stage = Stage::Sent;
        let Proposal { after, lines, .. } = proposal;
        Some(Call::append(&self.end.log, &run, *after, lines, false, self.keep))
    }
}
