//! Operations as readers and moderators may ask for them, chosen by chance.

use std::{net::Ipv4Addr, sync::Arc};

use super::disk::{AUTHORS, PAGES, author};
use crate::{
    comment::{
        Author, Body, Comment, Status,
        draft::{Draft, Text},
        hold_reason::HoldReason,
    },
    http::forwarded::ClientKey,
    hub::{
        Hub,
        command::{Actor, Change, Command, Decision, Operation, ReplyTo, Target, Write},
        measure::{BanRequest, Measure, Whom},
    },
    store::moderation::BanKey,
};

/// Numbers that look random and are the same each time.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn page(&mut self) -> Box<str> {
        PAGES[self.below(PAGES.len() as u64) as usize].into()
    }

    fn author(&mut self) -> Author {
        author(self.below(AUTHORS))
    }

    /// A comment, more often a new one.
    fn id(&mut self, hub: &Hub<()>) -> u64 {
        let all = hub.index.comment_count() as u64;
        let at = if self.one_in(3) { self.below(all.max(1)) } else { self.below(all.clamp(1, 12)) };
        hub.index.all_before(None).nth(at as usize).map_or(1, |item| item.id)
    }

    fn ids(&mut self, hub: &Hub<()>) -> Vec<u64> {
        (0..self.below(6)).map(|_| self.id(hub)).collect()
    }
}

/// Makes operations.
pub struct Operations {
    pub chance: Chance,
    /// The nonces of all posts.
    pub nonces: Vec<Box<str>>,
    /// Whether pages move.
    pub moves: bool,
    made: u32,
}

impl Operations {
    pub fn new(seed: u64, moves: bool) -> Operations {
        Operations { chance: Chance(seed), nonces: Vec::new(), moves, made: 0 }
    }

    /// A command that fits the hub's present state, or does not.
    pub fn next(&mut self, hub: &Hub<()>) -> Command<()> {
        self.made += 1;
        let operation = self.operation(hub);
        // Who has asked too often for what changes nothing is refused, so there are many.
        let from = ClientKey::of(Ipv4Addr::from_bits(self.made / 4).into());
        let reply = ReplyTo::Callback(Box::new(|_| {}));
        Command::Write(Write { operation, from, client: None, reply })
    }

    fn operation(&mut self, hub: &Hub<()>) -> Operation {
        let chance = &mut self.chance;
        match chance.below(40) {
            0..10 => self.post(hub),
            10..25 => self.change(hub),
            25..30 => Operation::Like {
                target: self.target(hub),
                on: !self.chance.one_in(3),
                author: self.chance.author(),
            },
            30..33 => Operation::Flag { target: self.target(hub), author: self.chance.author() },
            33 if chance.one_in(6) => Operation::Forget(chance.author(), (0, 0)),
            #[cfg(feature = "exchange")]
            34 => self.import(hub),
            _ => Operation::Moderate(self.measure(hub), moderator()),
        }
    }

    fn target(&mut self, hub: &Hub<()>) -> Target {
        Target { id: self.chance.id(hub), page: None }
    }

    fn nonce(&mut self) -> Box<str> {
        let nonce: Box<str> = format!("nonce-{}", self.made).into();
        self.nonces.push(nonce.clone());
        nonce
    }

    fn post(&mut self, hub: &Hub<()>) -> Operation {
        let page = self.chance.page();
        let parent = self.chance.one_in(2).then(|| {
            let at = self.chance.below(6) as usize;
            let page = hub.moderation.resolve(&page);
            hub.index.newest(page, None).nth(at).map_or(3, |item| item.id)
        });
        let author = (!self.chance.one_in(6)).then(|| self.chance.author());
        let nonce = self.chance.one_in(2).then(|| self.nonce());
        let content = format!("text {}", self.made);
        let written_by = author.map(|author| author.to_string());
        let mut body = Vec::new();
        Body {
            page: &page,
            parent,
            name: self.chance.one_in(2).then_some("Ada \"A\" 🎉"),
            author: written_by.as_deref(),
            content: &content,
            html: None,
        }
        .encode(&mut body);
        let length = content.len();
        let held_for = self.chance.one_in(8).then(|| HoldReason::Word("casino".into()));
        let moderator = self.chance.one_in(9).then(moderator);
        let (links, verified) = (self.chance.below(2) as usize, self.chance.one_in(5));
        Operation::Post(Draft {
            page,
            parent,
            author,
            nonce,
            body,
            links,
            held_for,
            length,
            moderator,
            verified,
        })
    }

    fn change(&mut self, hub: &Hub<()>) -> Operation {
        let target = self.target(hub);
        let chance = &mut self.chance;
        let item = hub.index.find(target.id);
        let comment = item.and_then(|item| Comment::parse(&hub.log.read(item.location).ok()?).ok());
        let written_by = comment.and_then(|comment| Author::parse(comment.author.as_deref()?));
        let author = if chance.one_in(5) { Some(chance.author()) } else { written_by };
        let is_moderator = chance.one_in(2);
        let by = Actor {
            author: author.filter(|_| !is_moderator || chance.one_in(4)),
            moderator: is_moderator.then(moderator),
            is_signed: false,
        };
        let reason = chance.one_in(3).then(|| "be kind".into());
        let change = match chance.below(10) {
            0..3 => {
                let text = match chance.below(5) {
                    0 => "see https://example.com".to_owned(),
                    _ => format!("edit {}", self.made),
                };
                let held_for = chance.one_in(5).then(|| HoldReason::Word("casino".into()));
                Change::Text(Text { content: text, html: None }, held_for)
            }
            3..6 => Change::Status(
                [Status::Public, Status::Hidden, Status::Pending][chance.below(3) as usize],
            ),
            6..8 => Change::Pinned(!chance.one_in(3)),
            _ if chance.one_in(2) => Change::Delete,
            _ => Change::Status(Status::Hidden),
        };
        Operation::Change {
            target,
            change,
            by,
            decision: Decision { reason, ..Decision::default() },
        }
    }

    fn measure(&mut self, hub: &Hub<()>) -> Measure {
        let moves = self.moves;
        let chance = &mut self.chance;
        match chance.below(14) {
            0..2 => Measure::Ban(BanRequest {
                whom: match chance.below(2) {
                    0 => Whom::Author(chance.author()),
                    _ => Whom::Comment(chance.id(hub)),
                },
                with_address: chance.one_in(2),
                hold: chance.one_in(2),
                hide: chance.one_in(2).then(|| chance.ids(hub)),
                seconds: chance.one_in(2).then_some(100_000),
            }),
            2..6 => {
                let known = hub.moderation.bans.iter().map(|(key, _)| *key).next();
                let key = known.unwrap_or(BanKey::Author(chance.author()));
                Measure::Unban { key, restore: chance.ids(hub) }
            }
            6 => Measure::Hide(chance.author(), chance.ids(hub)),
            7 => Measure::Restore(chance.ids(hub)),
            8 => Measure::Lock(chance.page(), true),
            9..11 => Measure::Lock(chance.page(), false),
            11 if moves => {
                let mut pages = hub.index.pages_below("", 50);
                pages.sort_unstable();
                let mut page = || match chance.below(3) {
                    n if n == 0 || pages.is_empty() => {
                        format!("new/{}", chance.below(1_000)).into()
                    }
                    _ => pages[chance.below(pages.len() as u64) as usize].into(),
                };
                Measure::Move(vec![(page(), page()), (page(), page())])
            }
            12 if moves && chance.one_in(3) => {
                let prefixes = ["p/", "q/", "new/", "old/"];
                let [old, new] = [0; 2].map(|_| prefixes[chance.below(4) as usize].into());
                Measure::MovePrefix(old, new)
            }
            _ => {
                let text = if chance.one_in(3) { "" } else { "knows the rules" };
                Measure::AuthorNote(chance.author(), text.into())
            }
        }
    }

    /// Comments of many years.
    #[cfg(feature = "exchange")]
    fn import(&mut self, hub: &Hub<()>) -> Operation {
        use crate::hub::imports::{Import, Imported};
        let mut comments = Vec::new();
        for number in 0..1 + self.chance.below(3) as usize {
            let year = 2001 + self.chance.below(25);
            let created_at = format!("{year}-03-04T05:06:07.{:03}Z", self.chance.below(1_000));
            let time = crate::store::record::parse_time(&created_at).unwrap();
            let chance = &mut self.chance;
            let mut comment = Comment {
                page: chance.page().into(),
                parent: chance.one_in(2).then(|| chance.id(hub)),
                author: chance.one_in(2).then(|| chance.author().to_string()),
                content: format!("imported {}", self.made),
                created_at,
                status: [Status::Public, Status::Public, Status::Pending, Status::Hidden]
                    [chance.below(4) as usize],
                pinned: chance.one_in(4),
                imported: Some("disqus".into()),
                ..Comment::default()
            };
            if chance.one_in(8) {
                comment.make_tombstone();
            }
            let answers = (number > 0 && chance.one_in(2)).then(|| number - 1);
            let nonce = format!("imported-{}-{number}", self.made);
            // Now and then one that is known.
            let known = self.nonces.iter().rev().find(|nonce| nonce.starts_with("imported"));
            let again = known.filter(|_| self.chance.one_in(6)).cloned();
            comment.nonce = Some(again.clone().map_or(nonce, String::from));
            if again.is_none() {
                self.nonces.extend(comment.nonce.as_deref().map(Box::from));
            }
            comments.push(Imported { comment, answers, origin: None, time });
        }
        let closed = if self.chance.one_in(5) { vec![self.chance.page()] } else { Vec::new() };
        Operation::Import(Import { comments, is_own: true, closed, by: moderator() })
    }
}

fn moderator() -> Arc<str> {
    "ada".into()
}
