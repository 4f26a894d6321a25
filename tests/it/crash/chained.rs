//! Power cuts while a log of several machines gets its hashes, takes another id, or takes lines that have hashes.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use sayso::{
    cli::config::SyncMode,
    log::{Log, chain::ChainHash, trailer::Trailer},
};

use super::{open, parsed, power::CARE};
use crate::model::{Chance, Machine};

const ID: &str = "0123456789abcdef";

fn open_chained(machine: &Machine) -> Log {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let each = |line: &[u8], _| parsed(line);
    let path = Path::new("model.jsonl");
    Log::open_chained(machine.disk(), path, SyncMode::Always, now, each).unwrap().0
}

fn line(seq: u64) -> Vec<u8> {
    format!("{{\"seq\":{seq},\"id\":{seq},\"page\":\"/\"}}").into_bytes()
}

/// The hash of each line, from that which the first one follows from.
fn hashes(run: u64, lines: u64) -> Vec<ChainHash> {
    let first = vec![ChainHash::default()];
    (1..=lines).fold(first, |mut hashes, seq| {
        hashes.push(hashes[seq as usize - 1].next(run, &line(seq)));
        hashes
    })
}

/// Passes to `each` every state that a machine may be in after a crash at any of its moments from `from` on.
fn after_every_crash(machine: &Machine, from: usize, each: &mut dyn FnMut(&Machine)) -> usize {
    let (mut chance, mut crashes) = (Chance(7), 0);
    for moment in &machine.moments()[from..] {
        moment.crashes(CARE, &mut chance, &mut |bytes| {
            crashes += 1;
            each(&Machine::holding(bytes));
        });
    }
    crashes
}

#[test]
fn a_crash_while_a_log_gets_hashes_leaves_the_old_log_or_the_new_one() {
    let machine = Machine::holding(Vec::new());
    let mut log = open(&machine, 0).unwrap().log;
    for _ in 0..3 {
        for _ in 0..2 {
            log.stage(&line(log.next_seq()));
        }
        log.commit().unwrap();
    }
    drop(log);
    let (old, from) = (machine.bytes(), machine.age());
    let log = open_chained(&machine);
    assert!(log.lacks_hashes());
    log.add_hashes().unwrap();
    let (new, last) = (machine.bytes(), hashes(0, 6)[6]);
    let mut found = [0, 0];
    let crashes = after_every_crash(&machine, from, &mut |crashed| {
        let bytes = crashed.bytes();
        assert!(bytes == old || bytes == new, "{}", String::from_utf8_lossy(&bytes));
        found[usize::from(bytes == new)] += 1;
        // Whoever starts again comes to the same.
        let log = open_chained(crashed);
        assert_eq!(log.lacks_hashes(), bytes == old);
        if bytes == old {
            log.add_hashes().unwrap();
        }
        let log = open_chained(crashed);
        assert_eq!((log.chain(), log.whole_from(), log.next_seq()), (last, 0, 7));
        assert_eq!(crashed.bytes(), new);
    });
    assert!(found[0] > 0 && found[1] > 0, "{found:?} of {crashes}");
    // Nothing but the hashes has come, and the writes end where they ended.
    let trailers = |bytes: &[u8]| -> Vec<(Vec<u8>, bool)> {
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(Trailer::of);
        lines.map(|trailer| (trailer.open.to_vec(), trailer.more)).collect()
    };
    assert_eq!(trailers(&new), trailers(&old));
}

#[test]
fn a_crash_while_a_log_takes_another_id_leaves_one_of_both() {
    let machine = Machine::holding(Vec::new());
    let mut log = open_chained(&machine);
    let (own, from) = (log.id().to_owned(), machine.age());
    log.adopt_id(ID).unwrap();
    let mut found = [0, 0];
    after_every_crash(&machine, from, &mut |crashed| {
        let log = open_chained(crashed);
        assert!(log.id() == own || log.id() == ID, "{}", log.id());
        assert_eq!((log.next_seq(), log.chain()), (1, ChainHash::default()));
        found[usize::from(log.id() == ID)] += 1;
    });
    assert!(found[1] > 0, "{found:?}");
}

#[test]
fn after_a_crash_a_log_ends_with_a_line_that_has_its_hash_and_loses_nothing_acknowledged() {
    let hashes = hashes(4, 8);
    let machine = Machine::holding(Vec::new());
    let mut log = open_chained(&machine);
    let mut acknowledged = vec![(machine.age(), 1)];
    while log.next_seq() < 9 {
        for _ in 0..2 {
            let seq = log.next_seq();
            log.stage_chained(&line(seq), hashes[seq as usize]);
        }
        log.commit().unwrap();
        acknowledged.push((machine.age(), log.next_seq()));
    }
    for (age, next) in acknowledged {
        let crashes = after_every_crash(&machine, age, &mut |crashed| {
            let log = open_chained(crashed);
            assert!(log.next_seq() >= next, "{} of {next}", log.next_seq());
            let last = hashes[log.next_seq() as usize - 1];
            assert_eq!((log.chain(), log.whole_from()), (last, 0));
        });
        assert!(crashes > 0 || next == 9);
    }
}
