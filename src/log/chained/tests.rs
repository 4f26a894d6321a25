use std::{path::PathBuf, time::UNIX_EPOCH};

use super::*;
use crate::log::{FILE_NAME, scan::seq_of, storage::FileStorage};

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sayso-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join(FILE_NAME)
    }

    fn open(&self) -> Log {
        let storage = Box::new(FileStorage::open(&self.file()).unwrap());
        let each = |line: &[u8], _| seq_of(line).ok_or_else(String::new);
        let opened =
            Log::open_chained(storage, &self.file(), SyncMode::Never, UNIX_EPOCH, each).unwrap();
        assert_eq!(opened.1, None);
        opened.0
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn line(seq: u64) -> Vec<u8> {
    format!("{{\"seq\":{seq},\"kind\":\"x\"}}").into_bytes()
}

/// Stages the next line of this log.
fn stage(log: &mut Log, before: ChainHash, run: u64) -> ChainHash {
    let line = line(log.next_seq());
    let chain = before.next(run, &line);
    let location = log.stage_chained(&line, chain);
    assert_eq!(log.read(location).unwrap(), line, "no hash among what is read");
    chain
}

#[test]
fn hashes_are_in_the_file_only_and_are_there_at_the_next_start() {
    let folder = Folder::new("chained-file");
    let mut log = folder.open();
    assert_eq!((log.chain(), log.whole_from()), (ChainHash::default(), 0));
    let first = stage(&mut log, ChainHash::default(), 1);
    let second = stage(&mut log, first, 2);
    assert_eq!(log.chain(), ChainHash::default(), "not durable yet");
    log.commit().unwrap();
    assert_eq!((log.chain(), log.whole_from()), (second, 0));
    let text = folder.text();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let start = format!(r#"{{"seq":1,"kind":"x","h":"{first}","more":1,"crc":""#);
    assert!(lines[0].starts_with(&start), "{text}");
    let start = format!(r#"{{"seq":2,"kind":"x","h":"{second}","crc":""#);
    assert!(lines[1].starts_with(&start), "{text}");
    drop(log);
    let log = folder.open();
    assert_eq!((log.chain(), log.whole_from(), log.next_seq()), (second, 0, 3));
}

#[test]
fn staged_lines_can_be_taken_out_again() {
    let folder = Folder::new("chained-unstage");
    let mut log = folder.open();
    assert!(log.unstage().is_empty());
    let first = stage(&mut log, ChainHash::default(), 1);
    log.commit().unwrap();
    let before = (log.next_seq(), log.end(), log.crc());
    for chained in [false, true] {
        let mut last = first;
        for _ in 0..3 {
            let line = line(log.next_seq());
            if chained {
                last = stage(&mut log, last, 1);
            } else {
                log.stage(&line);
            }
        }
        let lines: Vec<Vec<u8>> = log.unstage().into_iter().map(Vec::from).collect();
        assert_eq!(lines, [line(2), line(3), line(4)]);
        assert_eq!((log.next_seq(), log.end(), log.crc(), log.chain()), {
            let (next, end, crc) = before;
            (next, end, crc, first)
        });
    }
    let second = stage(&mut log, first, 1);
    log.commit().unwrap();
    drop(log);
    assert_eq!(folder.open().chain(), second);
}

#[test]
fn a_log_is_whole_from_the_first_line_that_is_followed_without_a_gap() {
    let folder = Folder::new("chained-whole");
    let hash = |before: ChainHash, seq| before.next(1, &line(seq));
    let foreign = ChainHash { run: 1, hash: 77 };
    let second = hash(foreign, 2);
    type Lines<'l> = &'l [(u64, Option<ChainHash>)];
    let cases: [(Lines, u64); 6] = [
        (&[(7, Some(hash(ChainHash::default(), 7)))], 0),
        (&[(2, Some(second))], 2),
        (&[(2, Some(second)), (5, Some(hash(second, 5)))], 2),
        (&[(2, Some(second)), (5, Some(hash(foreign, 5)))], 5),
        (&[(2, Some(second)), (3, None)], 4),
        (&[(2, Some(second)), (3, None), (9, Some(hash(second, 9)))], 9),
    ];
    for (lines, whole_from) in cases {
        let storage = Box::new(FileStorage::open(&folder.file()).unwrap());
        let mut writer = LogWriter::begin(storage, &Header::new(UNIX_EPOCH, 1).unwrap());
        for (seq, chain) in lines {
            let mut open = line(*seq);
            open.pop();
            open.extend(chain.map(field).unwrap_or_default());
            writer.line(&open, false).unwrap();
        }
        drop(writer.finish().unwrap());
        let log = folder.open();
        assert_eq!(log.whole_from(), whole_from, "{lines:?}");
        assert_eq!(Some(log.chain()), lines.iter().rev().find_map(|line| line.1));
        drop(log);
        std::fs::remove_file(folder.file()).unwrap();
    }
}

#[test]
fn only_a_log_that_never_had_a_line_takes_another_id() {
    let folder = Folder::new("chained-adopt");
    let mut log = folder.open();
    for wrong in ["", "0123", "0123456789abcdeg", "0123456789abcdef0"] {
        assert!(log.adopt_id(wrong).is_err(), "{wrong}");
    }
    let id = "0123456789abcdef";
    log.adopt_id(id).unwrap();
    assert_eq!((log.id(), log.next_seq()), (id, 1));
    let chain = stage(&mut log, ChainHash::default(), 1);
    log.commit().unwrap();
    assert!(log.adopt_id("fedcba9876543210").is_err(), "it has a line");
    drop(log);
    let log = folder.open();
    assert_eq!((log.id(), log.chain(), log.next_seq()), (id, chain, 2));
    drop(log);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn a_log_that_is_set_aside_keeps_its_lines_and_no_file_is_written_over() {
    let folder = Folder::new("chained-aside");
    let mut log = folder.open();
    stage(&mut log, ChainHash::default(), 1);
    log.commit().unwrap();
    drop(log);
    let text = folder.text();
    let kept = set_aside(&folder.file(), UNIX_EPOCH).unwrap();
    assert_eq!(kept.file_name().unwrap(), "comments.jsonl.diverged-1970-01-01T00-00-00.000Z");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), text);
    assert!(!folder.file().exists());
    std::fs::write(folder.file(), "").unwrap();
    assert!(set_aside(&folder.file(), UNIX_EPOCH).is_err());
    assert!(folder.file().exists());
}
