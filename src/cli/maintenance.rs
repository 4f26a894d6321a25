//! `sayso check`, `sayso repair` and `sayso compact`: inspects and rewrites a log from the command line.
//!
//! Prints its findings on stdout. Serves no requests.

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

/// How often a log with problems is scanned. A problem that is gone in the next scan was a write in progress.
const SCANS_MAX: usize = 3;
/// The pause between two scans; no write takes that long.
const SCAN_INTERVAL: Duration = Duration::from_millis(50);

/// Reports the problems of the log in `data` and changes nothing. Works while a server writes to the log.
///
/// # Errors
/// [`Error::Other`] with the number of problems if there are any; [`Error::Io`] if the log can't be read.
pub fn check(data: &Path) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    let storage = FileStorage::open_read_only(&path)?;
    let mut lines = 0;
    let (_, mut problems) = scan(&storage, &path, &mut |_, _| lines += 1)?;
    for _ in 1..SCANS_MAX {
        if problems.is_empty() {
            break;
        }
        thread::sleep(SCAN_INTERVAL);
        lines = 0;
        let (_, still_there) = scan(&storage, &path, &mut |_, _| lines += 1)?;
        problems.retain(|problem| still_there.contains(problem));
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

/// Replaces the log in `data` by a new one with only the good lines and a new id, and keeps a copy of the original.
///
/// # Errors
/// Fails if the folder is in use or an I/O operation fails; the original then stays in place.
pub fn repair(data: &Path) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    let mut storage = FileStorage::open_read_only(&path)?;
    let _lock = DirLock::take(data)?;
    let io_error = |what| Error::io(what, &path);
    let (mut good_lines, mut last_seq) = (Vec::new(), 0);
    let (header, problems) = scan(&storage, &path, &mut |seq, line| {
        last_seq = seq;
        good_lines.push(Trailer::of(line).expect("a good line has a trailer").open.to_vec());
    })?;
    if problems.is_empty() {
        stdout::line(format_args!("{}: no problems, nothing was changed", path.display()))?;
        return Ok(());
    }
    let now = SystemTime::now();
    let next = header.map_or(0, |header| header.next).max(last_seq + 1);
    let header = Header::new(now, next).map_err(io_error("repair"))?;
    let mut writer =
        LogWriter::begin(storage.create_sibling().map_err(io_error("create"))?, &header);
    for line in &good_lines {
        writer.line(line, false).map_err(io_error("repair"))?;
    }
    let mut repaired = writer.finish().map_err(io_error("repair"))?;
    let original = fs::File::open(&path).map_err(io_error("open"))?;
    let copy =
        storage.save_copy(&dated(".damaged", now), &mut &original).map_err(io_error("copy"))?;
    repaired.disk.replace().map_err(io_error("replace"))?;
    for Problem { line, why } in &problems {
        stdout::line(format_args!("line {line} was left out: {why}"))?;
    }
    stdout::line(format_args!(
        "{}: {} good lines were kept; the original was saved as {}",
        path.display(),
        good_lines.len(),
        copy.display()
    ))?;
    Ok(())
}

/// Rewrites the log in `data` with only the newest line of each comment. If a server uses the folder, asks that server to do it.
///
/// # Errors
/// Fails if the log is damaged, an I/O operation fails, or the server refuses; the original then stays in place.
pub fn compact(data: &Path) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    FileStorage::open_read_only(&path)?;
    let _lock = match DirLock::take(data) {
        Err(Error::Locked { .. }) => return ask_server(data),
        lock => lock?,
    };
    let io_error = Error::io("compact", &path);
    let Store { mut log, mut index, likes, .. } = Store::open(data, SyncMode::Always, false)?;
    let before = log.end();
    let compacted = CompactionJob::new(&log, &index, &likes)
        .and_then(CompactionJob::work)
        .map_err(&io_error)?;
    compacted.replace_with(&mut log, &mut index).map_err(io_error)?;
    stdout::line(format_args!("{}: {before} bytes before, {} now", path.display(), log.end()))?;
    Ok(())
}

/// Asks the server to compact, over its private socket, which only the folder's owner can open.
fn ask_server(data: &Path) -> Result<(), Error> {
    let path = backend::find_socket(data);
    let io_error = Error::io("ask the server on", &path);
    let mut socket = UnixStream::connect(&path).map_err(&io_error)?;
    let request = format!(
        "POST {COMPACT_PATH} HTTP/1.1\r\nHost: sayso\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).map_err(&io_error)?;
    let mut response = String::new();
    socket.read_to_string(&mut response).map_err(&io_error)?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(Error::Other(format!("the server did not compact: {body}")));
    }
    stdout::line(format_args!(
        "{}: compacted by the server: {body}",
        data.join(FILE_NAME).display()
    ))?;
    Ok(())
}

/// Calls `each_good_line` with the `seq` and the bytes of every good line, in order, and returns the problems of the others.
fn scan(
    storage: &FileStorage,
    path: &Path,
    each_good_line: &mut dyn FnMut(u64, &[u8]),
) -> Result<(Option<Header>, Vec<Problem>), Error> {
    let io_error = Error::io("read", path);
    let length = storage.length().map_err(&io_error)?;
    scan_all(storage.reader(), length, &mut |line, _| {
        let seq = LineSummary::parse(line)?.seq;
        each_good_line(seq, line);
        Ok(seq)
    })
    .map_err(io_error)
}
