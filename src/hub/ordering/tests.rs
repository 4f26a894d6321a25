//! Hubs whose lines are ordered by something that takes every proposal and brings none back.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use crossbeam_channel::unbounded;

use super::{early::EARLY_QUERIES_MAX, *};
use crate::{
    comment::{Body, draft::Draft},
    fanout::{Tier, subscribers::Subscribers},
    hub::{
        command::{Cursor, Join, Joined, Query, StartAt, Stats, Subscription, Written},
        order::Presence,
        rules::{Hold, Rules},
    },
    log::SyncMode,
    store::Store,
    util::slot::{Slot, slot},
};

const MARK: &str = "5d0c1a7e03bb42f9";

/// Lines can always be proposed.
#[derive(Default)]
struct Silent {
    needs_lines: Arc<AtomicBool>,
}

impl Order for Silent {
    fn news(&mut self) -> Vec<Ordered> {
        Vec::new()
    }

    fn readiness(&mut self) -> Readiness {
        Readiness::Ready(1)
    }

    fn propose(&mut self, _: Vec<ChainedLine>) {}

    fn settle(&mut self) {}

    fn may_compact(&self) -> bool {
        !self.needs_lines.load(Relaxed)
    }

    fn moved(&mut self, _: LogEnd) {}

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn tell(&mut self, _: Presence) {}
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn hub(name: &str) -> (Hub<()>, Folder) {
    let path = std::env::temp_dir().join(format!("sayso-ordering-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    let store = Store::open_chained(&path, SyncMode::Never, false).unwrap();
    let runs = Runs::of_stream(&path, store.log.id(), &[(MARK.into(), 1)], 1).unwrap();
    let rules = Rules {
        hold: Hold::None,
        max_links: None,
        flags_hold: None,
        close_after: None,
        salt: [7; 32],
        page_prefix: Vec::new(),
        max_pages: 1_000,
    };
    let stored = (store.index, store.likes, store.moderation);
    // Nobody looks at what the readers are sent.
    let subscribers = Subscribers::new(vec![unbounded().0]);
    let stats = Arc::new(Stats::default());
    let mut hub = Hub::new(store.log, runs, stored, subscribers, None, rules, stats);
    hub.order_by(Box::new(Silent::default()), path.clone(), Arc::default());
    (hub, Folder(path))
}

fn take(hub: &mut Hub<()>, command: Command<()>) {
    hub.process_batch(&mut [command].into_iter());
}

fn join(hub: &mut Hub<()>, reader: u64, since: u64) -> Slot<Joined> {
    let cursor = Cursor { since, log: None, mark: Some(MARK.into()) };
    let subscription = Subscription::Page("/".into(), StartAt::Since(cursor));
    let (sink, greeting, tier) = ((), Vec::new(), Tier::Full);
    let (joined, slot) = slot();
    let join = Join { reader, sink, greeting, tier, subscription, joined };
    take(hub, Command::Query(Query::Join(join)));
    slot
}

/// Lets a comment on `/` come from the stream.
fn store_first(hub: &mut Hub<()>) {
    let line =
        br#"{"seq":1,"id":1,"page":"/","content":"a","created_at":"2026-11-22T05:08:00.001Z"}"#;
    let chain = ChainHash::default().next(1, line);
    let line = ChainedLine { seq: 1, chain, line: line.to_vec().into() };
    let stored = Box::new(|stored: Result<(), String>| stored.unwrap());
    take(hub, Command::Ordered(Ordered::Lines(vec![line], stored)));
}

fn body(page: &str, content: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Body { page, parent: None, name: None, author: None, content, html: None }.encode(&mut body);
    body
}

fn post(hub: &mut Hub<()>, page: &str) -> Slot<Result<Written, Rejection>> {
    let draft = Draft {
        page: page.into(),
        parent: None,
        author: None,
        nonce: None,
        body: body(page, "late"),
        links: 0,
        held_for: None,
        length: "late".len(),
        moderator: None,
        verified: false,
    };
    let (reply, written) = slot();
    let (operation, reply) = (Operation::Post(draft), ReplyTo::Callback(reply));
    let from = ClientKey::of_client(None);
    take(hub, Command::Write(Write { operation, from, client: None, reply }));
    written
}

#[test]
fn a_reader_that_is_ahead_waits_for_the_lines_that_it_has_and_one_that_has_left_does_not() {
    let (mut hub, _folder) = hub("early");
    let (first, second) = (join(&mut hub, 1, 1), join(&mut hub, 2, 1 << 60));
    assert!(first.look().is_pending() && second.look().is_pending());
    take(&mut hub, Command::Query(Query::Leave(2)));
    assert_eq!(hub.proposals().early.len(), 1);
    store_first(&mut hub);
    let joined = first.wait().unwrap();
    assert_eq!((joined.resumed, joined.history.items.len()), (Some(true), 0));
    assert!(second.wait().is_none() && hub.proposals().early.is_empty());
}

#[test]
fn a_reader_whose_lines_redis_has_lost_waits_no_longer_than_until_that_is_known() {
    let (mut hub, _folder) = hub("early-lost");
    let reader = join(&mut hub, 1, 7);
    hub.look_at_order();
    assert!(reader.look().is_pending());
    hub.handle_news(Ordered::Runs(vec![(MARK.into(), 1), ("77aa0c1a7e03bb42".into(), 3)], 2));
    hub.look_at_order();
    assert_eq!(reader.wait().unwrap().resumed, Some(false));
}

#[test]
fn no_more_readers_wait_than_the_stated_number() {
    let (mut hub, _folder) = hub("early-many");
    for reader in 0..EARLY_QUERIES_MAX as u64 {
        assert!(join(&mut hub, reader, 7).look().is_pending());
    }
    assert_eq!(join(&mut hub, 9_999, 7).wait().unwrap().resumed, Some(false));
}

#[test]
fn a_write_that_others_overtake_again_and_again_keeps_only_the_copy_that_can_still_come_back() {
    let (mut hub, _folder) = hub("overtaken");
    let _written = post(&mut hub, "/");
    for seq in 1..=20 {
        let sent = &hub.proposals().in_flight[0].sent;
        assert_eq!((sent.len(), sent[0].lines[0].0), (1, seq));
        let line: Box<[u8]> = format!(r#"{{"seq":{seq},"kind":"x"}}"#).into_bytes().into();
        let chain = hub.log.chain().next(1, &line);
        let stored = Box::new(|stored: Result<(), String>| assert_eq!(stored, Ok(())));
        let lines = Ordered::Lines(vec![ChainedLine { seq, chain, line }], stored);
        take(&mut hub, Command::Ordered(lines));
        assert_eq!(hub.log.last_seq(), seq);
    }
}

#[test]
fn when_a_page_closes_is_kept_over_proposals_but_not_of_a_page_that_is_only_proposed() {
    let (mut hub, _folder) = hub("closing");
    hub.rules.close_after = Some(3_650);
    store_first(&mut hub);
    // Twice, so that the second one finds the first one on the page.
    let _written = ["/", "/new", "/new"].map(|page| post(&mut hub, page));
    assert_eq!(hub.proposals().in_flight.len(), 3);
    assert!(hub.index.page_number_of("/new").is_none());
    let number = u64::from(hub.index.page_number_of("/").unwrap());
    assert_eq!(hub.closing_times.keys().collect::<Vec<_>>(), [&number]);
}

#[test]
fn a_write_is_answered_with_the_copy_that_has_come_back() {
    let (mut hub, _folder) = hub("copies");
    let written = post(&mut hub, "/");
    // What is proposed again differs, as the time in it may.
    if let Operation::Post(draft) = &mut hub.proposals().in_flight[0].operation {
        draft.body = body("/", "second copy");
    }
    hub.look_at_order();
    let copies = &hub.proposals().in_flight[0].sent;
    assert_eq!(copies.len(), 2);
    assert_ne!(copies[0].lines, copies[1].lines);
    let (seq, chain) = copies[0].lines[0];
    let Answer::Line(line, _) = &copies[0].decided.answer else { panic!("it is no line") };
    let line = ChainedLine { seq, chain, line: line.as_slice().into() };
    let stored = Box::new(|stored: Result<(), String>| stored.unwrap());
    take(&mut hub, Command::Ordered(Ordered::Lines(vec![line.clone()], stored)));
    let written = written.wait().unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&written.line), String::from_utf8_lossy(&line.line));
}

#[test]
fn a_compaction_waits_until_the_stream_needs_no_line_of_the_log_but_not_forever() {
    let (mut hub, folder) = hub("compaction");
    let needs_lines = Arc::new(AtomicBool::new(true));
    let order = Silent { needs_lines: needs_lines.clone() };
    hub.order_by(Box::new(order), folder.0.clone(), Arc::default());
    store_first(&mut hub);
    let compact = |hub: &mut Hub<()>| {
        let (callback, outcome) = slot();
        take(hub, Command::Query(Query::Compact(callback)));
        hub.look_at_compaction();
        assert!(outcome.look().is_pending());
        outcome
    };
    let (first, second) = (compact(&mut hub), compact(&mut hub));
    needs_lines.store(false, Relaxed);
    while first.look().is_pending() {
        hub.look_at_compaction();
        thread::yield_now();
    }
    assert!(second.wait().unwrap().is_ok());
    needs_lines.store(true, Relaxed);
    let third = compact(&mut hub);
    hub.compaction.waits_since =
        hub.compaction.waits_since.unwrap().checked_sub(WAITING_TIMEOUT * 2);
    hub.look_at_compaction();
    assert!(third.wait().unwrap().unwrap_err().contains("may still need lines"));
}
