//! A log that was written well and then damaged: opening it loses nothing in silence.
//!
//! The bytes are a small script: first what is written, batch by batch, then what is done to the file.

mod check_line;
mod checks;
mod damage;
mod script;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use sayso::{
    cli::config::SyncMode,
    comment::Author,
    error::Error,
    log::{Log, TornTail, scan::Location, trailer::Trailer},
    store::{
        index::{Entry, Index},
        likes::{self, Likes},
        record::LineSummary,
        visibility::Visibility,
    },
};

use self::{
    checks::{check_again, check_opened, check_refusal, check_repair},
    damage::mistreat,
    script::{Script, write},
};
use crate::model::Machine;

/// What is done to a file, at most.
const DEEDS_MAX: usize = 12;

/// What became of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Everything was good.
    Whole,
    /// A tail was kept aside.
    Torn,
    /// It was refused.
    Refused,
}

/// Writes a log, mistreats it, and opens it.
pub fn check(data: &[u8]) -> Found {
    let mut script = Script(data);
    let original = write(&mut script);
    let mut bytes = original.clone();
    let mut one_long_line = true;
    for _ in 0..DEEDS_MAX {
        if script.0.is_empty() {
            break;
        }
        mistreat(&mut bytes, &mut script, &mut one_long_line);
    }
    check_repair(&bytes);
    let machine = Machine::holding(bytes.clone());
    let opened = match open(&machine, 0) {
        Ok(opened) => opened,
        Err(error) => {
            check_refusal(&error, &machine, &bytes, &original);
            return Found::Refused;
        }
    };
    check_opened(&opened, &machine, &bytes, &original);
    let found = if opened.torn.is_some() { Found::Torn } else { Found::Whole };
    check_again(opened, &machine);
    found
}

struct Opened {
    log: Log,
    torn: Option<TornTail>,
    index: Index,
    likes: Likes,
    /// As in the file.
    lines: Vec<Vec<u8>>,
}

impl Opened {
    /// The newest line of every comment, from `{` to `}`.
    fn newest(&self) -> BTreeMap<u64, Vec<u8>> {
        let mut newest = BTreeMap::new();
        for line in &self.lines {
            let record = LineSummary::parse(line).expect("it was taken");
            if record.kind.is_empty() {
                let open = Trailer::of(line).expect("it has a trailer").open;
                newest.insert(record.id, [open, b"}"].concat());
            }
        }
        newest
    }
}

/// As the archive does it.
fn open(machine: &Machine, second: u64) -> Result<Opened, Error> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + second);
    let (mut index, mut likes, mut lines) = (Index::default(), Likes::default(), Vec::new());
    let (mut end, mut last_seq) = (None, 0);
    let each = |line: &[u8], place: Location| {
        let record = LineSummary::parse(line)?;
        assert!(end.is_none_or(|end| end == place.offset), "no line is passed over");
        end = Some(place.offset + line.len() as u64 + 1);
        // Refused as soon as its number is known.
        if record.seq <= last_seq {
            return Ok(record.seq);
        }
        last_seq = record.seq;
        lines.push(line.to_vec());
        if record.kind.is_empty() {
            let nonce = Some(&*record.nonce).filter(|nonce| !nonce.is_empty());
            let visibility = Visibility::of(record.status, record.deleted);
            let (id, seq, page, parent) = (record.id, record.seq, &*record.page, record.parent);
            index.load(Entry {
                id,
                seq,
                location: place,
                visibility,
                page,
                parent,
                nonce,
                time: None,
            });
        } else if let (likes::KIND, Some(author)) = (&*record.kind, Author::parse(&record.author)) {
            likes.load(record.id, author, record.on);
        }
        Ok(record.seq)
    };
    let path = Path::new("fuzz.jsonl");
    let (log, torn) = Log::open(machine.disk(), path, SyncMode::Always, now, each)?;
    index.finish_loading(std::iter::empty(), &|_| None);
    likes.finish_loading(|id| index.page_of(id));
    Ok(Opened { log, torn, index, likes, lines })
}
