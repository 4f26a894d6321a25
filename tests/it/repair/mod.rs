//! `sayso repair`: intact lines survive, and nothing is shown that the undamaged log did not show.

mod damage;
pub mod logs;
mod program;
mod rule;

use std::collections::BTreeMap;

use sayso::{
    comment::Comment,
    log::{
        scan::{Header, Tail, scan},
        trailer::Trailer,
    },
    store::{record::LineSummary, repair::Repair},
};

use crate::model::Machine;

/// What a repair makes of a log.
struct Repaired {
    /// The newest line of each comment.
    comments: BTreeMap<u64, Comment>,
    /// Lines of other kinds.
    others: Vec<Comment>,
    hidden: Vec<u64>,
    /// Line numbers of what was wrong.
    problems: Vec<u64>,
}

/// Repairs a log and reads the repaired one, which must be a log without any fault.
fn repair(bytes: &[u8]) -> Repaired {
    let damaged = Machine::holding(bytes.to_vec()).disk();
    let repair = Repair::of(damaged.reader(), bytes.len() as u64).unwrap();
    let machine = Machine::holding(Vec::new());
    let created_at = "2026-11-22T05:07:13.123Z".to_owned();
    let header = Header { log: "0".repeat(16), created_at, next: 0 };
    repair.write(&*damaged.reader(), machine.disk(), &header).unwrap();
    let written = machine.bytes();
    let each = &mut |line: &[u8], _| Ok(LineSummary::parse(line)?.seq);
    let report = scan(machine.disk().reader(), written.len() as u64, each).unwrap();
    assert_eq!(report.tail, Tail::Clean, "a repaired log is a good one");
    let mut repaired = Repaired {
        comments: BTreeMap::new(),
        others: Vec::new(),
        hidden: repair.hidden.iter().map(|(id, _)| *id).collect(),
        problems: repair.problems.iter().map(|problem| problem.line).collect(),
    };
    for line in lines(&written).skip(1) {
        let comment = parsed(line);
        if comment.kind.is_some() {
            repaired.others.push(comment);
        } else {
            let before = repaired.comments.insert(comment.id, comment);
            assert!(before.is_none(), "only the newest lines are kept: {before:?}");
        }
    }
    repaired
}

/// The lines of a good log, header included, without `\n`.
fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n')
}

fn parsed(line: &[u8]) -> Comment {
    let open = Trailer::of(line).unwrap().open;
    Comment::parse(&[open, b"}"].concat()).unwrap()
}
