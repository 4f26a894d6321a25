//! What must hold of a log that was opened, of one that was refused, and of what `check` and `repair` make of it.

use sayso::{
    error::Error,
    limits::LINE_BYTES_MAX,
    log::{
        Log,
        scan::{Header, ScanError},
        storage::Storage,
        survey::survey,
    },
    store::{compact::CompactionJob, record::LineSummary, repair::Repair},
};

use super::{
    Opened,
    check_line::{check_line, lines, stated},
    open,
};
use crate::model::Machine;

pub(super) fn check_refusal(error: &Error, machine: &Machine, bytes: &[u8], original: &[u8]) {
    assert!(machine.bytes() == bytes && machine.asides().is_empty(), "{error}: nothing is touched");
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    assert!(!original.starts_with(bytes), "{error}: it is only cut");
    match error {
        Error::Damaged { line, why, .. } => {
            assert!(!why.is_empty() && error.to_string().contains(&line.to_string()));
            let mut lines = lines(bytes);
            let (header, _) = lines.next().expect("a damaged log has a header");
            let (mut seq, mut crc) = (0, stated(header).expect("it has a trailer").1);
            for number in 2..*line {
                let (good, ended) = lines.next().expect("there is a line");
                let judged = check_line(good, crc, seq).filter(|_| ended);
                (seq, crc) = judged.unwrap_or_else(|| panic!("line {number} is bad: {error}"));
            }
            let (bad, ended) = lines.next().expect("what is bad is there");
            check_bad(bad, ended, seq, crc);
        }
        Error::NotALog { why, .. } => {
            let header = original.split_inclusive(|byte| *byte == b'\n').next();
            assert!(!header.is_some_and(|header| bytes.starts_with(header)), "{why}");
        }
        _ => panic!("the medium is well: {error}"),
    }
}

/// No good line is called bad.
fn check_bad(line: &[u8], ended: bool, seq: u64, crc: u32) {
    if let Some((own, _)) = check_line(line, crc, seq).filter(|_| ended) {
        assert!(line.len() > LINE_BYTES_MAX || LineSummary::parse(line).is_err(), "{own} is good");
    }
}

pub(super) fn check_opened(opened: &Opened, machine: &Machine, bytes: &[u8], original: &[u8]) {
    let end = opened.log.end() as usize;
    if bytes.is_empty() || (opened.lines.is_empty() && !bytes.contains(&b'\n')) {
        // Not even the first line is whole: a new log begins, and what was there is kept.
        assert_eq!(opened.torn.as_ref().map_or(0, |torn| torn.bytes), bytes.len() as u64);
        assert_eq!(machine.bytes().len(), end);
        return;
    }
    let (kept, tail) = bytes.split_at(end);
    assert!(machine.bytes() == kept, "the file is the good part");
    let asides: Vec<Vec<u8>> = machine.asides().into_values().collect();
    match &opened.torn {
        None => assert!(tail.is_empty() && asides.is_empty()),
        Some(torn) => {
            assert!(torn.bytes == tail.len() as u64 && asides == [tail], "the rest is kept aside");
        }
    }
    // Every line that was kept checks out, and each was heard of once, in order.
    let mut good = lines(kept);
    let (header, _) = good.next().expect("a log has a header");
    let (mut seq, mut crc) = (0, stated(header).expect("it has a trailer").1);
    let mut heard = opened.lines.iter();
    for (line, ended) in good {
        (seq, crc) = check_line(line, crc, seq).filter(|_| ended).expect("what is kept is good");
        assert_eq!(heard.next().map(|line| &**line), Some(line));
    }
    assert!(opened.log.next_seq() > seq && opened.log.crc() == crc);
    if let Some((line, ended)) = lines(tail).next() {
        check_bad(line, ended, seq, crc);
    }
    // Whoever was told that a write is done was told so before the next began: what is behind its end is another write, and
    // then this one can't be the one that was under way.
    let ends_of_writes: Vec<&[u8]> = lines(original)
        .filter(|(line, _)| stated(line).is_some_and(|(open, _)| !open.ends_with(b",\"more\":1")))
        .map(|(line, _)| line)
        .collect();
    let mut acknowledged = false;
    for (line, ended) in lines(tail) {
        assert!(!acknowledged || line.is_empty(), "a write that had its end is cut off");
        acknowledged |= ended && ends_of_writes.contains(&line) && !line.contains(&0);
    }
}

/// What was opened opens again, the same; takes more; can be compacted; and is the same then.
pub(super) fn check_again(opened: Opened, machine: &Machine) {
    let (bytes, asides) = (machine.bytes(), machine.asides());
    let mut again = open(machine, 1).expect("it was opened before");
    assert!(again.torn.is_none() && machine.bytes() == bytes && machine.asides() == asides);
    let state = |log: &Log| (log.id().to_owned(), log.end(), log.next_seq(), log.crc());
    assert_eq!(state(&again.log), state(&opened.log));
    assert_eq!(again.lines, opened.lines);
    assert_eq!(again.index.comment_count(), opened.index.comment_count());
    assert_eq!(problems(&*machine.disk()), 0);
    let newest = again.newest();
    for (id, line) in &newest {
        let item = again.index.find(*id).expect("every comment is found");
        assert_eq!(again.log.read(item.location).expect("the medium is well"), *line);
    }
    let next = again.log.next_seq();
    again.log.stage(format!("{{\"seq\":{next},\"kind\":\"new\"}}").as_bytes());
    again.log.commit().expect("the medium is well");
    let more = open(machine, 2).expect("it was written well");
    assert_eq!((more.lines.len(), more.torn), (again.lines.len() + 1, None));
    let mut moderation = Default::default();
    let job = CompactionJob::new(&again.log, &again.index, &again.likes, &mut moderation);
    let compacted = job.and_then(CompactionJob::work).expect("the medium is well");
    compacted
        .replace_with(&mut again.log, &mut again.index, &mut moderation)
        .expect("the medium is well");
    let after = open(machine, 3).expect("it was written well");
    assert_eq!((after.newest(), after.torn), (newest, None));
    assert_eq!((after.log.id(), after.log.next_seq()), (again.log.id(), again.log.next_seq()));
}

fn problems(disk: &dyn Storage) -> usize {
    let length = disk.length().expect("the medium is well");
    let check_line = &mut |line: &[u8]| Ok(LineSummary::parse(line)?.seq);
    let surveyed = survey(disk.reader(), length, check_line, &mut |_| {});
    surveyed.expect("its format is known").problems.len()
}

/// What `repair` makes of any file: a good log, of which nothing has to be repaired any more.
pub(super) fn check_repair(bytes: &[u8]) {
    let disk = Machine::holding(bytes.to_vec()).disk();
    let repair = match Repair::of(disk.reader(), bytes.len() as u64) {
        Ok(repair) => repair,
        Err(ScanError::NotALog(_)) => return,
        Err(ScanError::Io(error)) => panic!("the medium is well: {error}"),
    };
    let repaired = Machine::holding(Vec::new());
    let header = Header { log: "0".repeat(16), created_at: String::new(), next: 0 };
    repair.write(&*disk.reader(), repaired.disk(), &header).expect("the medium is well");
    let opened = open(&repaired, 0).expect("it was written well");
    let count = repair.kept() + repair.hidden.len();
    assert_eq!((opened.lines.len(), opened.torn), (count, None));
    assert_eq!(problems(&*repaired.disk()), 0);
}
