//! All that can be seen of a hub, as sorted text, so that two hubs can be compared.

use std::{collections::BTreeMap, fmt::Debug};

use crossbeam_channel::Receiver;

use super::disk::{AUTHORS, PAGES, author};
use crate::{
    fanout::ShardCommand,
    hub::{Hub, likes},
    log::scan::Location,
    store::index::newest::Of,
    store::moderation::BanKey,
    store::visibility::Visibility,
};

/// A hub's state. Without `locations`, two hubs whose batches have other ends can be compared.
pub fn state(hub: &Hub<()>, nonces: &[Box<str>], locations: bool) -> Vec<String> {
    let at = |at: Location| if locations { (at.offset, at.len) } else { (0, at.len) };
    let mut all = vec![format!("next {}", hub.log.next_seq())];
    let ids: Vec<u64> = hub.index.all_before(None).map(|item| item.id).collect();
    for id in ids {
        let item = hub.index.find(id).unwrap();
        let number = hub.index.page_of(id).unwrap();
        let likes: Vec<bool> =
            (0..AUTHORS).map(|n| hub.likes.has((number, id), author(n))).collect();
        let line = String::from_utf8(hub.log.read(item.location).unwrap()).unwrap();
        all.push(format!(
            "comment {id} {} {:?} {:?} on {:?} liked {likes:?} {} {line}",
            item.seq,
            item.visibility,
            at(item.location),
            hub.index.page_name(id),
            likes::public_count(&hub.index, &hub.likes, id)
        ));
    }
    for nonce in nonces {
        let found = hub.index.find_nonce(nonce, |item| {
            let line = hub.log.read(item.location).unwrap();
            crate::comment::Comment::parse(&line).unwrap().nonce.as_deref() == Some(nonce)
        });
        all.push(format!("nonce {nonce} {:?}", found.map(|item| item.id)));
    }
    pages(hub, &mut all);
    let sums = [
        Visibility::Public,
        Visibility::Deleted,
        Visibility::Hidden,
        Visibility::Pending,
        Visibility::PendingDeleted,
    ];
    all.push(format!(
        "index {:?} {} {} {} {} {:?}",
        sums.map(|visibility| hub.index.count_of(visibility)),
        hub.index.page_count(),
        hub.index.live_page_count(),
        hub.index.public_seq(),
        hub.index.live_bytes(),
        hub.index.newest_public(Of::All).map(|item| item.id).collect::<Vec<_>>(),
    ));
    all.push(format!("totals {:?} likes {}", hub.totals(), hub.likes.live_bytes()));
    moderation(hub, &at, &mut all);
    all
}

fn pages(hub: &Hub<()>, all: &mut Vec<String>) {
    let mut names: Vec<_> = hub.index.pages_below("", 1_000);
    names.sort_unstable();
    names.extend(PAGES);
    for page in names {
        let threads: Vec<_> = hub
            .index
            .threads_before(page, None)
            .map(|thread| (thread.id(), thread.len(), thread.first().map(|first| first.seq)))
            .collect();
        let ids = |items: &mut dyn Iterator<Item = _>| {
            items.map(|item: crate::store::index::CommentRef| item.id).collect::<Vec<_>>()
        };
        all.push(format!(
            "page {page} at {} {:?} seq {} merged {} order {:?} pending {:?} changed {:?} since {:?} threads {threads:?} likes {:?}",
            hub.moderation.resolve(page),
            hub.page_state(page.into()),
            hub.index.seq(page),
            hub.index.merged(page),
            ids(&mut hub.index.newest_with_pending(page, None)),
            ids(&mut hub.index.pending(page)),
            ids(&mut hub.index.changed(page)),
            ids(&mut hub.index.since(page, 0)),
            hub.likes_on(page),
        ));
    }
}

fn moderation(hub: &Hub<()>, at: &dyn Fn(Location) -> (u64, u32), all: &mut Vec<String>) {
    let m = &hub.moderation;
    let mut add = |what: &str, mut values: Vec<String>| {
        values.sort_unstable();
        all.push(format!("{what} {values:#?}"));
    };
    fn key(key: &BanKey) -> String {
        format!("{key:?}")
    }
    let text = |value: &dyn Debug| format!("{value:?}");
    let notes = m.notes.iter();
    add(
        "notes",
        notes.map(|(id, n)| text(&(id, n.did, n.is_moderators, at(n.location)))).collect(),
    );
    let flags = m.flags.iter().map(|(id, flags)| {
        let lines: Vec<_> = flags.flags.iter().map(|(by, line)| (by, at(*line))).collect();
        text(&(id, lines, flags.settled, flags.is_approved))
    });
    add("flags", flags.collect());
    let bans = m.bans.iter().filter(|(_, ban)| *ban.until > *hub.now || hub.now.is_empty());
    add("bans", bans.map(|(k, b)| text(&(key(k), &b.until, b.hold, at(b.location)))).collect());
    let pages = m.pages.iter();
    add("pages", pages.map(|(page, s)| text(&(page, s.locked, at(s.location)))).collect());
    let moves = m.moves.iter();
    add("moves", moves.map(|(old, m)| text(&(old, &m.to, m.seq, at(m.location)))).collect());
    let notes = m.author_notes.iter();
    add("author notes", notes.map(|(k, n)| text(&(key(k), n.did, at(n.location)))).collect());
    // A start numbers the pages otherwise.
    add("pins", m.pins.iter().map(|(_, pins)| text(pins)).collect());
    add("reasons", m.reasons.iter().map(|(k, ids)| text(&(key(k), ids))).collect());
    add("rejected", m.rejected.iter().map(|(id, _)| text(id)).collect());
    add("held edits", m.held_edits.iter().map(|(id, _)| text(id)).collect());
    add("counts", vec![text(&(m.flagged_count(), m.live_bytes()))]);
}

/// What was sent to each topic and reader: lines, and other messages in an order of their own, since those follow the lines of a batch.
pub type Sent = BTreeMap<String, Vec<String>>;

/// Takes what was sent since the last call.
pub fn sent(hub: &mut Hub<()>, commands: &Receiver<ShardCommand<()>>) -> Sent {
    let Hub { subscribers, index, likes, .. } = hub;
    // One message has some likes only.
    for _ in 0..20 {
        subscribers
            .tell_changes(|page| index.count(page), |id| likes::public_count(index, likes, id));
    }
    let mut all = Sent::new();
    for command in commands.try_iter() {
        match command {
            ShardCommand::Send { reader, frames, .. } => {
                add(&mut all, &format!("reader {reader:03}"), &frames);
            }
            ShardCommand::Publish(deliveries) => {
                for delivery in deliveries {
                    add(&mut all, &format!("topic {:03} plain", delivery.topic), &delivery.plain);
                    add(&mut all, &format!("topic {:03} full", delivery.topic), &delivery.full);
                }
            }
            ShardCommand::Merge { from, to } => {
                all.entry("merged".into()).or_default().push(format!("{from} to {to}"));
            }
            _ => {}
        }
    }
    all
}

fn add(all: &mut Sent, to: &str, mut frames: &[u8]) {
    while let [0x81, len, rest @ ..] = frames {
        let (len, rest) = match *len {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize, &rest[8..]),
            len => (usize::from(len), rest),
        };
        let message = String::from_utf8(rest[..len].to_vec()).unwrap();
        let is_line = message.starts_with("{\"seq\":") && message.contains(",\"");
        let kind = message[2..].split('"').next().unwrap_or_default().to_owned();
        let kind = if is_line { "line" } else { &kind };
        let of_kind = all.entry(format!("{to} {kind}")).or_default();
        match kind {
            // They are told in the order of a hash table.
            "likes" => {
                let counts = message.trim_start_matches("{\"likes\":{").trim_end_matches('}');
                of_kind.extend(counts.split(',').map(str::to_owned));
                of_kind.sort_unstable();
            }
            _ => of_kind.push(message),
        }
        frames = &rest[len..];
    }
    assert!(frames.is_empty(), "whole text frames");
}
