//! `sayso check`, `sayso repair` and `sayso compact`: what a person does with a log by hand.
//!
//! Prints what it found and did; serves nobody.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    cli::config::SyncMode,
    cli::stdout,
    error::Error,
    log::scan::{Header, Problem, scan_all},
    log::storage::{DirLock, FileStorage, Storage},
    log::trailer::Trailer,
    log::writer::LogWriter,
    log::{FILE_NAME, dated},
    store::Store,
    store::compact::CompactionJob,
    store::record::LineSummary,
    web::COMPACT_PATH,
    web::backend,
};

/// How often a log is looked at that has problems: one that is gone the next time was a write under way.
const LOOKS: usize = 3;
/// Between two looks; no write takes so long.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Reports on the log in `data`, also while a server writes to it; changes nothing.
///
/// # Errors
/// [`Error::Other`] with the number of problems if there are any.
pub fn check(data: &Path) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    let disk = FileStorage::open_read_only(&path)?;
    let mut lines = 0;
    let (_, mut problems) = look_through(&disk, &path, &mut |_, _| lines += 1)?;
    for _ in 1..LOOKS {
        if problems.is_empty() {
            break;
        }
        thread::sleep(LOOK_INTERVAL);
        lines = 0;
        let (_, again) = look_through(&disk, &path, &mut |_, _| lines += 1)?;
        problems.retain(|problem| again.contains(problem));
    }
    for Problem { line, why } in &problems {
        stdout::line(format_args!("line {line}: {why}"))?;
    }
    if problems.is_empty() {
        stdout::line(format_args!("{}: {lines} lines, no problems", path.display()))?;
        return Ok(());
    }
    let count = problems.len();
    Err(Error::Other(format!("{} has {count} bad lines among {lines} good ones", path.display())))
}

/// Writes the good lines of the log in `data` to a new one, with a new id, and keeps the original.
///
/// # Errors
/// Where the folder is in use or the disk refuses; then the original is in its place.
pub fn repair(data: &Path) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    let mut disk = FileStorage::open_read_only(&path)?;
    let _lock = DirLock::take(data)?;
    let io_error = |what| {
        let path = path.clone();
        move |source| Error::Io { what, path, source }
    };
    let (mut open_lines, mut last_seq) = (Vec::new(), 0);
    let (header, problems) = look_through(&disk, &path, &mut |seq, line| {
        last_seq = seq;
        open_lines.push(Trailer::of(line).expect("a good line is sealed").open.to_vec());
    })?;
    if problems.is_empty() {
        stdout::line(format_args!("{}: no problems, nothing is changed", path.display()))?;
        return Ok(());
    }
    let now = SystemTime::now();
    let next = header.map_or(0, |header| header.next).max(last_seq + 1);
    let header = Header::new(now, next).map_err(io_error("repair"))?;
    let mut writer = LogWriter::begin(disk.create_sibling().map_err(io_error("create"))?, &header);
    for line in &open_lines {
        writer.line(line, false).map_err(io_error("repair"))?;
    }
    let mut written = writer.finish().map_err(io_error("repair"))?;
    let original = fs::File::open(&path).map_err(io_error("open"))?;
    let kept = disk.save_copy(&dated(".damaged", now), &mut &original).map_err(io_error("keep"))?;
    written.disk.replace().map_err(io_error("replace"))?;
    for Problem { line, why } in &problems {
        stdout::line(format_args!("line {line} is left out: {why}"))?;
    }
    stdout::line(format_args!(
        "{}: {} lines are good; the original is kept as {}",
        path.display(),
        open_lines.len(),
        kept.display()
    ))?;
    Ok(())
}

/// Rewrites the log in `data` with only the newest line of each comment; a server that uses the folder is asked to.
///
/// # Errors
/// Where the log is damaged, the disk refuses, or the server does; then the original is in its place.
pub fn compact(data: &Path) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    FileStorage::open_read_only(&path)?;
    let _lock = match DirLock::take(data) {
        Err(Error::Locked { .. }) => return ask_server(data),
        lock => lock?,
    };
    let io_error = |source| Error::Io { what: "compact", path: path.clone(), source };
    let Store { mut log, mut index, likes, .. } = Store::open(data, SyncMode::Always, false)?;
    let before = log.end();
    let compacted =
        CompactionJob::new(&log, &index, &likes).and_then(CompactionJob::work).map_err(io_error)?;
    compacted.replace_with(&mut log, &mut index).map_err(io_error)?;
    stdout::line(format_args!("{}: {before} bytes before, {} now", path.display(), log.end()))?;
    Ok(())
}

/// Over the server's private socket, which only the folder's owner can open.
fn ask_server(data: &Path) -> Result<(), Error> {
    let path = backend::find_socket(data);
    let io_error = |source| Error::Io { what: "ask the server on", path: path.clone(), source };
    let mut socket = UnixStream::connect(&path).map_err(io_error)?;
    let request = format!(
        "POST {COMPACT_PATH} HTTP/1.1\r\nHost: sayso\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).map_err(io_error)?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).map_err(io_error)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(Error::Other(format!("the server did not compact: {body}")));
    }
    stdout::line(format_args!(
        "{}: the server has compacted it: {body}",
        data.join(FILE_NAME).display()
    ))?;
    Ok(())
}

/// Every good line with its `seq`, in order, and what is wrong with the others.
fn look_through(
    disk: &FileStorage,
    path: &Path,
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<(Option<Header>, Vec<Problem>), Error> {
    let io_error = |source| Error::Io { what: "read", path: path.to_owned(), source };
    let length = disk.length().map_err(io_error)?;
    let mut last_seq = 0;
    scan_all(disk.reader(), length, &mut |line, _| {
        let seq = LineSummary::parse(line)?.seq;
        if seq > last_seq {
            last_seq = seq;
            each(seq, line);
        }
        Ok(seq)
    })
    .map_err(io_error)
}
