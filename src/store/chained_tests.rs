//! Stores whose log has hashes: how it gets them, and what a compaction, a torn write and a repair leave of them.

use std::{fs, path::PathBuf};

use super::*;
use crate::{
    log::chain::ChainHash, log::scan::parse_header, log::storage::Storage,
    log::tail::chained_after, store::compact::CompactionJob, store::repair::Repair,
};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sayso-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join(FILE_NAME)
    }

    fn alone(&self) -> Store {
        Store::open(&self.0, SyncMode::Never, false).unwrap()
    }

    fn chained(&self) -> Store {
        Store::open_chained(&self.0, SyncMode::Never, false).unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// The lines with their hashes, and the header's `next`.
    fn lines(&self) -> (Vec<(u64, ChainHash)>, u64) {
        let storage = FileStorage::open_read_only(&self.file()).unwrap();
        let end = storage.length().unwrap();
        let lines = chained_after(storage.reader(), end, 0, usize::MAX, usize::MAX).unwrap();
        let header = parse_header(self.text().lines().next().unwrap().as_bytes()).unwrap().0;
        (lines.iter().map(|line| (line.seq, line.chain)).collect(), header.next)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn comment(seq: u64, id: u64) -> String {
    format!(r#"{{"seq":{seq},"id":{id},"page":"/","content":"text of {seq}","created_at":""}}"#)
}

fn tombstone(seq: u64, id: u64) -> String {
    format!(r#"{{"seq":{seq},"id":{id},"page":"/","created_at":"","deleted":true}}"#)
}

fn like(seq: u64, on: bool) -> String {
    format!(r#"{{"seq":{seq},"kind":"like","id":1,"author":"q83vEjRWeJCrze8SNFZ4kA","on":{on}}}"#)
}

/// Appends lines in one write, each with its hash in this run.
fn append(store: &mut Store, run: u64, lines: &[String]) {
    let mut chain = store.log.chain();
    for line in lines {
        chain = chain.next(run, line.as_bytes());
        store.log.stage_chained(line.as_bytes(), chain);
    }
    store.log.commit().unwrap();
}

fn append_alone(store: &mut Store, lines: &[String]) {
    for line in lines {
        store.log.stage(line.as_bytes());
    }
    store.log.commit().unwrap();
}

fn compact(store: &mut Store, newest: u64) {
    let Store { log, index, likes, moderation, .. } = store;
    let job = CompactionJob::new(log, index, likes, moderation).unwrap();
    let compacted = job.keep_newest(log, newest).work().unwrap();
    compacted.replace_with(log, index, moderation).unwrap();
}

#[test]
fn a_log_without_hashes_gets_them_once_and_stays_as_it_is_otherwise() {
    let folder = Folder::new("gets-hashes");
    let lines: Vec<_> = (1..=5).map(|seq| comment(seq, seq)).collect();
    append_alone(&mut folder.alone(), &lines[..2]);
    let alone = folder.text();
    let store = folder.chained();
    let first = ChainHash::default().next(0, lines[0].as_bytes());
    let second = first.next(0, lines[1].as_bytes());
    assert_eq!((store.log.chain(), store.log.whole_from()), (second, 0));
    assert_eq!((store.index.comment_count(), store.log.next_seq()), (2, 3));
    assert!(store.log.read(store.index.find(2).unwrap().location).unwrap() == lines[1].as_bytes());
    drop(store);
    let text = folder.text();
    let header = |text: &str| text.lines().next().unwrap().to_owned();
    assert_eq!(header(&text), header(&alone), "the same log");
    assert!(text.contains(&format!(r#","h":"{first}","more":1,"crc""#)), "{text}");
    drop(folder.chained());
    assert_eq!(folder.text(), text, "nothing is done twice");
    // A run of the stream, then a lone start in between.
    append(&mut folder.chained(), 3, &lines[2..3]);
    append_alone(&mut folder.alone(), &lines[3..]);
    let store = folder.chained();
    let runs: Vec<u64> = folder.lines().0.iter().map(|line| line.1.run).collect();
    assert_eq!((runs, store.log.whole_from()), (vec![0, 0, 3, 3, 3], 0));
}

#[test]
fn a_log_without_a_line_needs_none() {
    let folder = Folder::new("no-line");
    drop(folder.alone());
    let text = folder.text();
    let store = folder.chained();
    assert_eq!((store.log.chain(), store.log.whole_from()), (ChainHash::default(), 0));
    assert_eq!(folder.text(), text);
}

#[test]
fn a_torn_write_of_lines_with_hashes_is_cut_off_whole() {
    let folder = Folder::new("torn");
    append(&mut folder.chained(), 1, &[comment(1, 1), comment(2, 2)]);
    let before = folder.text();
    append(&mut folder.chained(), 2, &[comment(3, 3), comment(4, 4)]);
    let (all, (hashes, _)) = (folder.text(), folder.lines());
    let whole: Vec<usize> = all.match_indices('\n').map(|(at, _)| at + 1).collect();
    for length in before.len()..=all.len() {
        fs::write(folder.file(), &all[..length]).unwrap();
        let store = folder.chained();
        let lines = whole.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(store.log.chain(), hashes[lines - 1].1, "{length}");
        assert_eq!((store.log.next_seq(), store.log.whole_from()), (lines as u64 + 1, 0));
        drop(store);
        for torn in crate::log::storage::newest_first_beside(&folder.file(), ".torn") {
            fs::remove_file(torn).unwrap();
        }
    }
}

#[test]
fn a_compaction_keeps_the_newest_lines_as_they_are_and_tells_what_it_has_left_whole() {
    let folder = Folder::new("newest");
    let mut store = folder.chained();
    let lines = [
        comment(1, 1),
        comment(2, 2),
        comment(3, 2),
        like(4, true),
        like(5, false),
        like(6, true),
        comment(7, 7),
        comment(8, 8),
        comment(9, 7),
        comment(10, 8),
    ];
    append(&mut store, 1, &lines);
    drop(store);
    let (hashes, _) = folder.lines();
    let kept = |seqs: &[u64]| -> Vec<_> {
        hashes.iter().filter(|line| seqs.contains(&line.0)).copied().collect()
    };
    // (how many newest ones are kept, what is left, whole_from, next)
    let rounds: [(u64, &[u64], u64, u64); 5] = [
        (100, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0, 1),
        (10, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0, 1),
        (8, &[1, 3, 4, 5, 6, 7, 8, 9, 10], 3, 3),
        (3, &[1, 3, 6, 8, 9, 10], 8, 8),
        (1, &[1, 3, 6, 9, 10], 9, 10),
    ];
    for (newest, seqs, whole_from, next) in rounds {
        let mut store = folder.chained();
        compact(&mut store, newest);
        assert_eq!(store.log.whole_from(), whole_from, "{newest}");
        let read =
            |store: &Store, id| store.log.read(store.index.find(id).unwrap().location).unwrap();
        assert_eq!(read(&store, 7), lines[8].as_bytes());
        assert_eq!(folder.lines(), (kept(seqs), next), "{newest}");
        drop(store);
        let store = folder.chained();
        assert_eq!((store.log.whole_from(), store.log.next_seq()), (whole_from, 11), "{newest}");
        assert_eq!(store.log.chain(), hashes[9].1);
        assert_eq!((read(&store, 2), store.likes.count((0, 1))), (lines[2].clone().into(), 1));
    }
    // Lines that came during a compaction follow.
    let mut store = folder.chained();
    append(&mut store, 2, &[comment(11, 11)]);
    compact(&mut store, 1);
    assert_eq!((store.log.whole_from(), store.log.chain().run), (9, 2));
}

#[test]
fn a_compaction_of_a_log_that_is_alone_is_as_before() {
    let folder = Folder::new("compact-alone");
    let mut store = folder.alone();
    append_alone(&mut store, &[comment(1, 1), like(2, true), like(3, false), like(4, true)]);
    drop(store);
    let Store { mut log, mut index, likes, mut moderation, .. } = folder.alone();
    let job = CompactionJob::new(&log, &index, &likes, &mut moderation).unwrap();
    job.work().unwrap().replace_with(&mut log, &mut index, &mut moderation).unwrap();
    let text = folder.text();
    let seqs: Vec<_> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(seqs, ["{\"seq\":1", "{\"seq\":2"]);
    assert!(text.lines().next().unwrap().contains(r#""next":5"#), "{text}");
}

#[test]
fn a_lost_tombstone_among_the_newest_lines_hides_what_it_deleted() {
    let folder = Folder::new("lost-tombstone");
    let mut store = folder.chained();
    append(&mut store, 1, &[comment(1, 1), comment(2, 1), comment(3, 3)]);
    append(&mut store, 1, &[tombstone(4, 3)]);
    append(&mut store, 1, &[comment(5, 5)]);
    drop(store);
    compact(&mut folder.chained(), 3);
    let text = folder.text();
    assert_eq!(folder.lines().1, 3);
    let broken = text.replace(r#"{"seq":4,"id":3"#, r#"{"seq":4,"id":~"#);
    assert_ne!(broken, text);
    fs::write(folder.file(), broken).unwrap();
    let storage = FileStorage::open_read_only(&folder.file()).unwrap();
    let repair = Repair::of(storage.reader(), storage.length().unwrap()).unwrap();
    assert!(repair.hidden.iter().any(|(id, _)| *id == 3), "{:?}", repair.hidden);
    // A repaired log is another one, and has no hashes.
    let target = storage.create_sibling().unwrap();
    let header = crate::log::scan::Header::new(SystemTime::now(), 0).unwrap();
    let mut repaired = repair.write(&*storage.reader(), target, &header).unwrap();
    repaired.disk.replace().unwrap();
    assert!(!folder.text().contains("\"h\""), "{}", folder.text());
    let store = folder.chained();
    assert_eq!((store.log.whole_from(), store.log.chain().run), (0, 0));
}

#[test]
fn a_start_asks_for_another_machines_log_where_this_ones_was_set_aside() {
    let folder = Folder::new("set-aside");
    let mut store = folder.chained();
    append(&mut store, 1, &[comment(1, 1)]);
    let text = folder.text();
    let kept = crate::log::chained::set_aside(&folder.file(), SystemTime::now()).unwrap();
    drop(store);
    for open in [Store::open, Store::open_chained] {
        let refused = open(&folder.0, SyncMode::Never, false).err().unwrap().to_string();
        let import = format!("sayso import --from sayso --data {:?} {kept:?}", folder.0);
        assert!(refused.contains("comments.jsonl is missing"), "{refused}");
        assert!(refused.contains(&import), "{refused}");
        assert!(!folder.file().exists(), "nothing is begun");
    }
    // What the message asks for.
    fs::write(folder.file(), text).unwrap();
    assert_eq!(folder.chained().index.comment_count(), 1);
    fs::remove_file(folder.file()).unwrap();
    fs::rename(kept, folder.0.join("elsewhere")).unwrap();
    assert_eq!(folder.chained().index.comment_count(), 0);
}
