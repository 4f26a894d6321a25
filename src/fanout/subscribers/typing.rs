//! Who types: one announcement a second for each page.
//!
//! Does not know how a name is found.

use std::mem;

use super::{Follows, Reader, Subscribers};
use crate::{
    comment::{Author, server_message::ServerMessage},
    fanout::ReaderId,
};

/// A reader who types, and may be announced now.
pub struct Typist<'s> {
    /// The page.
    pub page: &'s str,
    /// The author behind the reader, if the reader has shown a key.
    pub author: Option<Author>,
    name: Option<&'s (u64, Option<String>)>,
}

impl<'s> Typist<'s> {
    /// The name that was found last, or that there is none, if nothing on the page has changed since: its highest `seq` is `seq`.
    pub fn known_name(&self, seq: u64) -> Option<Option<&'s str>> {
        self.name.filter(|(at, _)| *at == seq).map(|(_, name)| name.as_deref())
    }
}

impl<S> Subscribers<S> {
    /// Returns the reader as somebody who types, or `None` if it follows no page, or if typing was announced there in this second.
    pub fn typist(&self, reader: ReaderId) -> Option<Typist<'_>> {
        let Reader { follows: Follows::Page(page), author, name } = self.readers.get(&reader)?
        else {
            return None;
        };
        let may_announce = !self.pages[&**page].typing_announced;
        may_announce.then_some(Typist { page, author: *author, name: name.as_deref() })
    }

    /// Keeps the name that the author behind a reader has on its page while the page's highest `seq` is `seq`.
    pub fn remember_name(&mut self, reader: ReaderId, seq: u64, name: Option<String>) {
        if let Some(reader) = self.readers.get_mut(&reader) {
            reader.name = Some(Box::new((seq, name)));
        }
    }

    /// Tells a page that somebody with this name is typing, at most once a second.
    pub fn typing(&mut self, page: &str, name: &str) {
        let Some(entry) = self.pages.get_mut(page) else { return };
        if mem::replace(&mut entry.typing_announced, true) {
            return;
        }
        self.dirty_pages.insert(page.into());
        self.elsewhere.note_typing(page, name);
        self.broadcast(&self.pages[page], &ServerMessage::Typing { typing: name });
    }
}
