//! A log that was written well and then mistreated: opening it loses nothing in silence.
//!
//! The bytes are a small program: first what is written, batch by batch, then what is done to the file. Judges lines by a checksum
//! and a JSON reader of its own.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, SystemTime},
};

use sayso::{
    cli::config::SyncMode,
    comment::{Author, Comment, Status},
    error::Error,
    limits::LINE_BYTES_MAX,
    log::scan::{Header, Location, scan_all},
    log::storage::Storage,
    log::trailer::Trailer,
    log::writer::{LogWriter, header_line},
    log::{Log, TornTail},
    store::compact::CompactionJob,
    store::index::{Entry, Index},
    store::likes::{self, Likes},
    store::record::LineSummary,
    store::visibility::Visibility,
};
use serde_json::Value;

use crate::model::Machine;

/// A file does not grow beyond this by what is done to it, but for one long line.
const FILE_BYTES_MAX: usize = 16 * 1024;
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
    let mut program = Program(data);
    let original = write(&mut program);
    let mut bytes = original.clone();
    let mut one_long_line = true;
    for _ in 0..DEEDS_MAX {
        if program.0.is_empty() {
            break;
        }
        mistreat(&mut bytes, &mut program, &mut one_long_line);
    }
    check_survey(&bytes);
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

/// The bytes as numbers; zeros when there are none left.
struct Program<'a>(&'a [u8]);

impl<'a> Program<'a> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn number(&mut self) -> usize {
        self.byte() << 8 | self.byte()
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// A log of a few batches, written by the log itself.
fn write(program: &mut Program) -> Vec<u8> {
    let created_at = "2026-11-22T05:07:13.123Z".to_owned();
    let (header, _) = header_line(&Header { log: "9c41f0aa53d7e6b2".into(), created_at, next: 1 });
    let machine = Machine::holding(header);
    let Opened { mut log, .. } = open(&machine, 0).expect("a header is a log");
    let mut comments: Vec<Comment> = Vec::new();
    for _ in 0..program.byte() % 7 {
        for _ in 0..1 + program.byte() % 3 {
            let act = program.byte();
            log.stage(&line(act, log.next_seq(), &mut comments, program));
        }
        log.commit().expect("the medium is well");
    }
    machine.bytes()
}

fn line(act: usize, seq: u64, comments: &mut Vec<Comment>, program: &mut Program) -> Vec<u8> {
    let mut out = Vec::new();
    let count = comments.len();
    let author = Author::from_key("0123456789abcdef");
    if let (8.., Some(comment)) = (act % 16, comments.get_mut((act / 16) % count.max(1))) {
        match act % 16 {
            8 | 9 => return likes::encode(seq, comment.id, author, act % 16 == 8),
            10 => {
                let mark = program.bytes(1).escape_ascii().to_string().replace('\\', "");
                return format!("{{\"seq\":{seq},\"kind\":\"new\",\"mark\":{mark:?}}}")
                    .into_bytes();
            }
            11 | 12 => comment.make_tombstone(),
            13 => comment.status = Status::Hidden,
            _ => comment.content.push('\u{e9}'),
        }
        comment.seq = seq;
        comment.encode(&mut out);
        return out;
    }
    let content = match act % 16 {
        0..5 => "x".repeat(1 + program.byte() % 32),
        5 => String::from_utf8_lossy(program.bytes(8)).into_owned(),
        _ => "\"more\":1,\"crc\":\"00000000\"}\n".repeat(1 + act % 2),
    };
    let comment = Comment {
        seq,
        id: seq,
        page: ["/", "/a", "\u{e9}\\"][act / 16 % 3].into(),
        name: Some("Ada".to_owned()).filter(|_| act > 127),
        author: Some(author.to_string()).filter(|_| !act.is_multiple_of(3)),
        content,
        created_at: "2026-11-22T05:08:00.001Z".into(),
        nonce: Some(format!("{seq:016x}")).filter(|_| !act.is_multiple_of(5)),
        ..Comment::default()
    };
    comment.encode(&mut out);
    comments.push(comment);
    out
}

fn span(bytes: &[u8], program: &mut Program) -> std::ops::Range<usize> {
    let from = program.number() % (bytes.len() + 1);
    let most = (bytes.len() - from).min(1 + program.number() % 1024);
    from..from + most
}

fn line_span(bytes: &[u8], program: &mut Program) -> std::ops::Range<usize> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let number = program.byte() % lines.len().max(1);
    let from = lines[..number.min(lines.len())].iter().map(|line| line.len()).sum();
    from..from + lines.get(number).map_or(0, |line| line.len())
}

fn mistreat(bytes: &mut Vec<u8>, program: &mut Program, one_long_line: &mut bool) {
    let deed = program.byte() % 16;
    match deed {
        0 => bytes.truncate(program.number() % (bytes.len() + 1)),
        1 | 2 if !bytes.is_empty() => {
            let at = program.number() % bytes.len();
            bytes[at] ^= 1 << (program.byte() % 8);
        }
        3 => {
            let span = span(bytes, program);
            bytes[span].fill(0);
        }
        4 => drop(bytes.drain(span(bytes, program))),
        5 | 6 => {
            let copy = bytes[span(bytes, program)].to_vec();
            let at = program.number() % (bytes.len() + 1);
            if deed == 5 {
                insert(bytes, at, &copy);
            } else {
                overwrite(bytes, at, &copy);
            }
        }
        7 | 8 => {
            let at = program.number() % (bytes.len() + 1);
            let count = program.byte() % 24;
            let new = program.bytes(count);
            if deed == 7 { insert(bytes, at, new) } else { overwrite(bytes, at, new) }
        }
        9 => drop(bytes.drain(line_span(bytes, program))),
        10 | 11 => {
            let copy = bytes[line_span(bytes, program)].to_vec();
            let at = if deed == 10 { bytes.len() } else { line_span(bytes, program).start };
            insert(bytes, at, &copy);
        }
        12 | 13 => reseal(bytes, program),
        // Seldom, as it takes long.
        14 if *one_long_line && program.byte() < 64 => {
            *one_long_line = false;
            let at = line_span(bytes, program).start;
            let long = vec![b"x{\n"[program.byte() % 3]; LINE_BYTES_MAX + program.byte()];
            bytes.splice(at..at, long);
        }
        _ => {
            let span = span(bytes, program);
            bytes[span].reverse();
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    if bytes.len() + new.len() <= FILE_BYTES_MAX {
        bytes.splice(at..at, new.iter().copied());
    }
}

fn overwrite(bytes: &mut [u8], at: usize, new: &[u8]) {
    let count = new.len().min(bytes.len() - at);
    bytes[at..at + count].copy_from_slice(&new[..count]);
}

/// Gives every line from one on the checksum that belongs there: then only what the lines say can be wrong.
fn reseal(bytes: &mut [u8], program: &mut Program) {
    let from = line_span(bytes, program).start;
    let mut crc = before(&bytes[..from]);
    let mut rest = &mut bytes[from..];
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, later) = rest.split_at_mut(end + 1);
        let Some(covered) = end.checked_sub(SEAL_BYTES) else { return };
        crc = crc32c(crc, &line[..covered]);
        line[covered..end].copy_from_slice(format!(",\"crc\":\"{crc:08x}\"}}").as_bytes());
        rest = later;
    }
}

/// The checksum that the last line states, or that of none.
fn before(bytes: &[u8]) -> u32 {
    let line = bytes.strip_suffix(b"\n").unwrap_or_default();
    stated(line.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()).map_or(0, |seal| seal.1)
}

const SEAL_BYTES: usize = ",\"crc\":\"00000000\"}".len();

/// What a line's checksum covers, and the checksum.
fn stated(line: &[u8]) -> Option<(&[u8], u32)> {
    let (covered, seal) = line.split_at_checked(line.len().checked_sub(SEAL_BYTES)?)?;
    let digits = seal.strip_prefix(b",\"crc\":\"")?.strip_suffix(b"\"}")?;
    let is_seal = digits.iter().all(|digit| b"0123456789abcdef".contains(digit));
    let crc = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (is_seal && covered.first() == Some(&b'{')).then_some((covered, crc))
}

/// RFC 3720 §12.1: what each byte does to the checksum, worked out a bit at a time.
const CRC32C: [u32; 256] = {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = crc >> 1 ^ (0x82f6_3b78 * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!before, |crc, &byte| crc >> 8 ^ CRC32C[(crc as u8 ^ byte) as usize])
}

/// Lines of a file, each with whether it has an end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(|line| match line.strip_suffix(b"\n") {
        Some(line) => (line, true),
        None => (line, false),
    })
}

/// The line's `seq` and checksum, where it is good behind one with these.
fn check_line(line: &[u8], crc: u32, seq: u64) -> Option<(u64, u32)> {
    let (covered, stated) = stated(line).filter(|(covered, crc_)| crc32c(crc, covered) == *crc_)?;
    assert!(covered.len() < line.len());
    // Whether its text is UTF-8 is asked when somebody reads it.
    let json: Value = serde_json::from_str(&String::from_utf8_lossy(line)).ok()?;
    let own = json.get("seq").and_then(Value::as_u64).filter(|own| *own > seq)?;
    Some((own, stated))
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
                let open = Trailer::of(line).expect("it is sealed").open;
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
            let (id, seq, page) = (record.id, record.seq, &*record.page);
            index.load(Entry { id, seq, place, visibility, page, nonce });
        } else if let (likes::KIND, Some(author)) = (&*record.kind, Author::parse(&record.author)) {
            likes.load(record.id, author, record.on);
        }
        Ok(record.seq)
    };
    let path = Path::new("fuzz.jsonl");
    let (log, torn) = Log::open(machine.disk(), path, SyncMode::Always, now, each)?;
    index.finish_loading();
    likes.finish_loading(|id| index.page_of(id));
    Ok(Opened { log, torn, index, likes, lines })
}

fn check_refusal(error: &Error, machine: &Machine, bytes: &[u8], original: &[u8]) {
    assert!(machine.bytes() == bytes && machine.asides().is_empty(), "{error}: nothing is touched");
    assert!(!error.to_string().contains(char::is_control), "{error:?}");
    assert!(!original.starts_with(bytes), "{error}: it is only cut");
    match error {
        Error::Damaged { line, why, .. } => {
            assert!(!why.is_empty() && error.to_string().contains(&line.to_string()));
            let mut lines = lines(bytes);
            let (header, _) = lines.next().expect("a damaged log has a header");
            let (mut seq, mut crc) = (0, stated(header).expect("it is sealed").1);
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

fn check_opened(opened: &Opened, machine: &Machine, bytes: &[u8], original: &[u8]) {
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
    let (mut seq, mut crc) = (0, stated(header).expect("it is sealed").1);
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
fn check_again(opened: Opened, machine: &Machine) {
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
        assert_eq!(again.log.read(item.place).expect("the medium is well"), *line);
    }
    let next = again.log.next_seq();
    again.log.stage(format!("{{\"seq\":{next},\"kind\":\"new\"}}").as_bytes());
    again.log.commit().expect("the medium is well");
    let more = open(machine, 2).expect("it was written well");
    assert_eq!((more.lines.len(), more.torn), (again.lines.len() + 1, None));
    let job = CompactionJob::new(&again.log, &again.index, &again.likes);
    let compacted = job.and_then(CompactionJob::work).expect("the medium is well");
    compacted.replace_with(&mut again.log, &mut again.index).expect("the medium is well");
    let after = open(machine, 3).expect("it was written well");
    assert_eq!((after.newest(), after.torn), (newest, None));
    assert_eq!((after.log.id(), after.log.next_seq()), (again.log.id(), again.log.next_seq()));
}

fn problems(disk: &dyn Storage) -> usize {
    let length = disk.length().expect("the medium is well");
    let each = &mut |line: &[u8], _| Ok(LineSummary::parse(line)?.seq);
    scan_all(disk.reader(), length, each).expect("the medium is well").1.len()
}

/// What `check` and `repair` make of any file: each line is good or has a problem, and of the good ones comes a good log.
fn check_survey(bytes: &[u8]) {
    let machine = Machine::holding(bytes.to_vec());
    let disk = machine.disk();
    let (mut good, mut last_seq) = (Vec::new(), 0);
    let each = &mut |line: &[u8], _| {
        let seq = LineSummary::parse(line)?.seq;
        if seq > last_seq {
            last_seq = seq;
            good.push(Trailer::of(line).expect("it is sealed").open.to_vec());
        }
        Ok(seq)
    };
    let surveyed = scan_all(disk.reader(), bytes.len() as u64, each).expect("the medium is well");
    let (header, problems) = surveyed;
    if bytes.split(|byte| *byte == b'\n').all(|line| line.len() < LINE_BYTES_MAX) {
        let count = lines(bytes).count();
        assert_eq!(good.len() + problems.len() + usize::from(header.is_some()), count);
    }
    let next = header.map_or(0, |header| header.next).max(last_seq + 1);
    let repaired = Machine::holding(Vec::new());
    let header = Header { log: "0".repeat(16), created_at: String::new(), next };
    let mut writer = LogWriter::begin(repaired.disk(), &header);
    for line in &good {
        writer.line(line, false).expect("the medium is well");
    }
    writer.finish().expect("the medium is well");
    let opened = open(&repaired, 0).expect("it was written well");
    assert_eq!((opened.lines.len(), opened.torn), (good.len(), None));
}
