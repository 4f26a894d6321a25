//! Readers of other machines: how many each page has, and what this machine's readers have done that others have not been told of.
//!
//! Only a build with `redis` has any. Does not know how it comes and goes.

#[cfg(feature = "redis")]
pub(super) use several::Elsewhere;

/// In a build without `redis` there are no other machines.
#[cfg(not(feature = "redis"))]
#[derive(Default)]
pub(super) struct Elsewhere {}

#[cfg(not(feature = "redis"))]
impl Elsewhere {
    pub(super) fn readers(&self, _page: &str) -> u32 {
        0
    }

    pub(super) fn note_own(&mut self, _page: &str) {}

    pub(super) fn note_typing(&mut self, _page: &str, _name: &str) {}

    pub(super) fn has_own_news(&self) -> bool {
        false
    }

    pub(super) fn total(&self) -> u64 {
        0
    }
}

#[cfg(feature = "redis")]
mod several {
    use std::{
        collections::{HashMap, HashSet},
        mem,
        sync::Arc,
    };

    use super::super::Subscribers;
    use crate::{comment::server_message::ServerMessage, util::table::Table};

    /// What other machines' readers do, and what they have not been told of this one's.
    #[derive(Default)]
    pub(in super::super) struct Elsewhere {
        /// Pages with readers of other machines, and how many; never 0.
        readers: Table<Arc<str>, u32>,
        /// Their sum.
        total: u64,
        /// `None` until somebody asks for it, which nobody does without other machines.
        own: Option<OwnNews>,
    }

    #[derive(Default)]
    struct OwnNews {
        /// Pages whose number of own readers has changed.
        pages: HashSet<Arc<str>>,
        /// Who was announced as typing.
        typing: HashMap<Arc<str>, Box<str>>,
    }

    impl Elsewhere {
        pub fn readers(&self, page: &str) -> u32 {
            self.readers.get(page).copied().unwrap_or_default()
        }

        pub fn total(&self) -> u64 {
            self.total
        }

        pub fn note_own(&mut self, page: &str) {
            if let Some(own) = &mut self.own
                && !own.pages.contains(page)
            {
                own.pages.insert(page.into());
            }
        }

        pub fn note_typing(&mut self, page: &str, name: &str) {
            if let Some(own) = &mut self.own {
                own.typing.insert(page.into(), name.into());
            }
        }

        pub fn has_own_news(&self) -> bool {
            self.own.as_ref().is_some_and(|own| !own.pages.is_empty() || !own.typing.is_empty())
        }

        /// Returns whether it is another number than before.
        fn set(&mut self, page: &Arc<str>, readers: u32) -> bool {
            let before = match readers {
                0 => self.readers.remove(&**page),
                _ => self.readers.insert(page.clone(), readers),
            };
            let before = before.unwrap_or_default();
            self.total = self.total - u64::from(before) + u64::from(readers);
            before != readers
        }
    }

    impl<S> Subscribers<S> {
        /// Sets how many readers of other machines a page has. Its readers are told with the next [`Subscribers::tell_changes`].
        pub fn set_readers_elsewhere(&mut self, page: &Arc<str>, readers: u32) {
            if !self.elsewhere.set(page, readers) {
                return;
            }
            self.has_news_for_moderators |= !self.moderators.is_empty();
            if self.pages.contains_key(&**page) {
                self.dirty_pages.insert(page.clone());
            }
        }

        /// Tells a page that somebody with this name is typing on another machine; together with those who type here, at most once a
        /// second.
        pub fn typing_elsewhere(&mut self, page: &Arc<str>, name: &str) {
            let Some(entry) = self.pages.get_mut(&**page) else { return };
            if !mem::replace(&mut entry.typing_announced, true) {
                self.dirty_pages.insert(page.clone());
                self.broadcast(&self.pages[&**page], &ServerMessage::Typing { typing: name });
            }
        }

        /// Returns the pages whose number of own readers has changed since the last call, with that number; the first time, all pages
        /// that have any.
        pub fn take_own_readers(&mut self) -> Vec<(Arc<str>, u32)> {
            if self.elsewhere.own.is_none() {
                let pages = self.pages.keys().cloned().collect();
                self.elsewhere.own = Some(OwnNews { pages, ..OwnNews::default() });
            }
            let changed = self.elsewhere.own.as_mut().map(|own| mem::take(&mut own.pages));
            let readers = |page: &Arc<str>| self.pages.get(&**page).map_or(0, |page| page.readers);
            changed.into_iter().flatten().map(|page| (page.clone(), readers(&page))).collect()
        }

        /// Returns the pages on which somebody was announced as typing here since the last call, and their names.
        pub fn take_own_typing(&mut self) -> Vec<(Arc<str>, Box<str>)> {
            let typing = self.elsewhere.own.as_mut().map(|own| mem::take(&mut own.typing));
            typing.into_iter().flatten().collect()
        }
    }

    #[cfg(test)]
    mod tests {
        use crossbeam_channel::{Receiver, unbounded};

        use super::*;
        use crate::fanout::{ShardCommand, Tier};

        struct Fixture {
            subscribers: Subscribers<()>,
            shard: Receiver<ShardCommand<()>>,
        }

        impl Fixture {
            fn new() -> Fixture {
                let (sender, shard) = unbounded();
                Fixture { subscribers: Subscribers::new(vec![sender]), shard }
            }

            fn join(&mut self, reader: u64, page: &str) -> u32 {
                self.subscribers.join(reader, (), Vec::new(), Tier::Full, page)
            }

            /// The texts that the shard is to send to readers of pages and to moderators, once a second has passed.
            fn told(&mut self) -> Vec<String> {
                self.subscribers.tell_changes(|_| 0, |_| 0);
                let published = self.shard.try_iter().filter_map(|command| match command {
                    ShardCommand::Publish(deliveries) => Some(deliveries),
                    _ => None,
                });
                let texts = published.flatten().map(|delivery| {
                    // A frame's head is two bytes here.
                    String::from_utf8(delivery.full[2..].to_vec()).unwrap()
                });
                texts.collect()
            }

            fn taken(&mut self) -> Vec<(String, u32)> {
                let mut taken: Vec<_> = self.subscribers.take_own_readers();
                taken.sort();
                taken.into_iter().map(|(page, readers)| (page.to_string(), readers)).collect()
            }
        }

        #[test]
        fn a_pages_readers_are_its_own_and_those_elsewhere() {
            let mut fixture = Fixture::new();
            let page: Arc<str> = "a".into();
            fixture.subscribers.set_readers_elsewhere(&page, 3);
            assert!(!fixture.subscribers.has_changes(), "nobody reads it here");
            assert_eq!((fixture.join(1, "a"), fixture.join(2, "b")), (4, 1));
            let mut told = fixture.told();
            told.sort();
            assert_eq!(told, ["{\"readers\":1}", "{\"readers\":4}"]);
            fixture.subscribers.set_readers_elsewhere(&page, 3);
            assert!(!fixture.subscribers.has_changes(), "the number is the same");
            fixture.subscribers.set_readers_elsewhere(&page, 5);
            assert!(fixture.subscribers.has_changes(), "only the number elsewhere has changed");
            assert_eq!(fixture.told(), ["{\"readers\":6}"]);
            fixture.subscribers.set_readers_elsewhere(&page, 0);
            assert_eq!(fixture.told(), ["{\"readers\":1}"]);
            fixture.subscribers.set_readers_elsewhere(&page, u32::MAX);
            assert_eq!(fixture.told(), ["{\"readers\":4294967295}"]);
        }

        #[test]
        fn moderators_count_the_readers_of_all_machines() {
            let mut fixture = Fixture::new();
            fixture.join(1, "a");
            for (page, readers) in [("a", 3), ("b", 4), ("b", 1), ("c", 2), ("c", 0)] {
                fixture.subscribers.set_readers_elsewhere(&page.into(), readers);
            }
            assert_eq!((fixture.subscribers.len(), fixture.subscribers.len_everywhere()), (1, 5));
            fixture.told();
            fixture.subscribers.join_moderator(2, (), Vec::new());
            fixture.subscribers.tell_moderators([String::new(), "5".into()]);
            assert!(!fixture.subscribers.has_changes());
            fixture.subscribers.set_readers_elsewhere(&"z".into(), 1);
            assert!(
                fixture.subscribers.has_changes(),
                "nobody reads z here, but a moderator counts"
            );
        }

        #[test]
        fn other_machines_are_told_of_each_page_that_has_changed_once() {
            let mut fixture = Fixture::new();
            fixture.join(1, "a");
            fixture.subscribers.typing("a", "Ada");
            fixture.told();
            assert!(!fixture.subscribers.has_changes(), "nobody has asked for it");
            assert_eq!(fixture.taken(), [("a".into(), 1)], "the first time all of them");
            assert_eq!(fixture.subscribers.take_own_typing(), []);
            assert_eq!(fixture.taken(), []);
            fixture.join(2, "a");
            fixture.join(3, "b");
            fixture.subscribers.leave(1);
            assert_eq!(fixture.taken(), [("a".into(), 1), ("b".into(), 1)]);
            fixture.subscribers.move_page("a", "b");
            assert_eq!(fixture.taken(), [("a".into(), 0), ("b".into(), 2)]);
            fixture.told();
            fixture.subscribers.leave(2);
            fixture.subscribers.leave(3);
            assert!(
                fixture.subscribers.has_changes(),
                "nobody reads it here, but others must know"
            );
            assert_eq!(fixture.taken(), [("b".into(), 0)]);
            assert!(!fixture.subscribers.has_changes());
        }

        #[test]
        fn typing_is_announced_once_a_second_from_wherever_and_never_sent_back() {
            let mut fixture = Fixture::new();
            let page: Arc<str> = "a".into();
            fixture.subscribers.typing_elsewhere(&page, "Ada");
            assert!(!fixture.subscribers.has_changes(), "nobody reads it here");
            fixture.join(1, "a");
            fixture.told();
            fixture.taken();
            fixture.subscribers.typing_elsewhere(&page, "Ada");
            fixture.subscribers.typing_elsewhere(&page, "Bob");
            fixture.subscribers.typing("a", "Cyd");
            assert_eq!(fixture.subscribers.take_own_typing(), []);
            assert_eq!(fixture.told(), ["{\"typing\":\"Ada\"}"]);
            fixture.subscribers.typing("a", "Cyd");
            fixture.subscribers.typing_elsewhere(&page, "Ada");
            assert_eq!(fixture.subscribers.take_own_typing(), [(page, "Cyd".into())]);
            assert_eq!(fixture.told(), ["{\"typing\":\"Cyd\"}"]);
        }
    }
}
