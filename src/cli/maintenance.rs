//! `sayso check`, `sayso repair` and `sayso compact`: inspects and rewrites a log from the command line.
//!
//! Prints its findings on stdout. Serves no requests.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    cli::block_file,
    cli::config::SyncMode,
    cli::control::{self, Access, Api},
    cli::moderate,
    cli::stdout,
    comment::Comment,
    comment::block_list::BlockList,
    error::Error,
    log::scan::{Header, ScanError},
    log::storage::{DirLock, FileStorage, Storage},
    log::survey::{Finding, Problem, survey},
    log::{FILE_NAME, dated},
    store::Store,
    store::compact::CompactionJob,
    store::record::LineSummary,
    store::repair::Repair,
    util::table::Table,
    util::text::counted,
    web::COMPACT_PATH,
};
#[cfg(feature = "redis")]
use crate::{
    log::chained::check::HashCheck, log::tail::is_chained, store::compact::NEWEST_LINES_KEPT,
};

/// How often a log with problems is scanned. A problem that is gone in the next scan was a write in progress.
const SCANS_MAX: usize = 3;
/// The pause between two scans; no write takes that long.
const SCAN_INTERVAL: Duration = Duration::from_millis(50);

/// Reports the problems of the log in `data`, and with a block list the comments that it would hold. Changes nothing, and works while a
/// server writes to the log.
///
/// # Errors
/// [`Error::Other`] with the number of problems if there are any; [`Error::Io`] if the log can't be read. Those of
/// [`block_file::read`].
pub fn check(data: &Path, block_file: Option<&Path>) -> Result<(), Error> {
    let list = block_file.map(block_file::read).transpose()?;
    let path = data.join(FILE_NAME);
    let storage = FileStorage::open_read_only(&path)?;
    let (mut lines, mut problems) = examine(&storage, &path)?;
    for _ in 1..SCANS_MAX {
        if problems.is_empty() {
            break;
        }
        thread::sleep(SCAN_INTERVAL);
        let (count, still_there) = examine(&storage, &path)?;
        lines = count;
        problems.retain(|problem| still_there.contains(problem));
    }
    for Problem { line, why } in &problems {
        stdout::line(format_args!("line {line}: {why}"))?;
    }
    if let Some(list) = list {
        report_blocked(&storage, &path, &list)?;
    }
    if problems.is_empty() {
        stdout::line(format_args!("{}: {lines} lines, no problems", path.display()))?;
        return Ok(());
    }
    let count = problems.len();
    Err(Error::Other(format!("{} has {count} problems among {lines} good lines", path.display())))
}

/// Replaces the log in `data` by a new one with a new id, of the newest lines that are proven to be good, and keeps a copy of the
/// original. Comments that a lost line may have deleted, hidden or edited become hidden.
///
/// # Errors
/// Fails if the folder is in use or an I/O operation fails; the original then stays in place.
pub fn repair(data: &Path) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    let mut storage = FileStorage::open_read_only(&path)?;
    let _lock = DirLock::take(data)?;
    let io_error = |what| Error::io(what, &path);
    let length = storage.length().map_err(io_error("read"))?;
    let repair = Repair::of(storage.reader(), length).map_err(scan_error(&path))?;
    if repair.problems.is_empty() {
        stdout::line(format_args!("{}: no problems, nothing was changed", path.display()))?;
        return Ok(());
    }
    let now = SystemTime::now();
    let header = Header::new(now, 0).map_err(io_error("repair"))?;
    let target = storage.create_sibling().map_err(io_error("create"))?;
    let mut repaired =
        repair.write(&*storage.reader(), target, &header).map_err(io_error("repair"))?;
    let original = fs::File::open(&path).map_err(io_error("open"))?;
    let copy =
        storage.save_copy(&dated(".damaged", now), &mut &original).map_err(io_error("copy"))?;
    repaired.disk.replace().map_err(io_error("replace"))?;
    report(&repair, data)?;
    stdout::line(format_args!(
        "{}: {} good lines were kept, the newest of each comment; the original was saved as {}",
        path.display(),
        repair.kept(),
        copy.display()
    ))
}

/// Says what was wrong and which comments are hidden now.
fn report(repair: &Repair, data: &Path) -> Result<(), Error> {
    for Problem { line, why } in &repair.problems {
        stdout::line(format_args!("line {line}: {why}"))?;
    }
    for (id, page) in &repair.hidden {
        stdout::line(format_args!("comment {id} on {page:?} is hidden now"))?;
    }
    if !repair.hidden.is_empty() {
        stdout::line(format_args!(
            "{} hidden now, because a lost line may have deleted, hidden or edited them; \"sayso comments --status hidden\" \
             lists them, \"sayso approve ID\" shows one again and \"sayso approve --repaired\" all, each with --data {}",
            moderate::are(repair.hidden.len()),
            data.display()
        ))?;
    }
    if repair.has_loss {
        stdout::line(format_args!(
            "lines are lost; bans and locks of pages may be among them, so look them through"
        ))?;
    }
    Ok(())
}

/// Rewrites the log in `data` with only the newest line of each comment. If a server uses the folder, asks that server to do it.
///
/// # Errors
/// Fails if the log is damaged, an I/O operation fails, or the server refuses; the original then stays in place.
pub fn compact(data: &Path) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    let _lock = match control::access(data)? {
        Access::Locked(lock) => lock,
        Access::Server(socket) => return ask_server(&path, Api::Socket(socket)),
    };
    let io_error = Error::io("compact", &path);
    let Store { mut log, mut index, likes, mut moderation, .. } =
        Store::open(data, SyncMode::Always, false)?;
    let before = log.end();
    let job = CompactionJob::new(&log, &index, &likes, &mut moderation).map_err(&io_error)?;
    #[cfg(feature = "redis")]
    let job = match is_chained(log.reader(), log.end()).map_err(&io_error)? {
        true => job.keep_newest(&log, NEWEST_LINES_KEPT),
        false => job,
    };
    let compacted = job.work().map_err(&io_error)?;
    compacted.replace_with(&mut log, &mut index, &mut moderation).map_err(io_error)?;
    stdout::line(format_args!("{}: {before} bytes before, {} now", path.display(), log.end()))?;
    Ok(())
}

/// Asks the server to compact.
fn ask_server(path: &Path, server: Api) -> Result<(), Error> {
    let answer = server.ask("POST", COMPACT_PATH, "")?;
    let answer = String::from_utf8_lossy(&answer);
    stdout::line(format_args!("{}: compacted by the server: {answer}", path.display()))
}

/// Says which of the stored comments a block list would hold, by rising id. A comment is judged by its newest line; those that wait or are
/// hidden already are named too.
fn report_blocked(storage: &FileStorage, path: &Path, list: &BlockList) -> Result<(), Error> {
    let length = storage.length().map_err(Error::io("read", path))?;
    let mut blocked: Table<u64, (String, &str)> = Table::default();
    let judge = &mut |line: &[u8]| Ok(LineSummary::parse(line)?.seq);
    let survey = survey(storage.reader(), length, judge, &mut |finding| {
        let Finding::Line(line, ..) = finding else { return };
        let Ok(comment) = Comment::parse(line) else { return };
        if comment.kind.is_some() {
            return;
        }
        let Comment { id, page, content, html, name, .. } = &comment;
        match list.find(content, html.as_deref(), name.as_deref()) {
            Some(entry) => blocked.insert(*id, (page.clone(), entry)),
            None => blocked.remove(id),
        };
    });
    survey.map_err(scan_error(path))?;
    let mut ids: Vec<u64> = blocked.keys().copied().collect();
    ids.sort_unstable();
    for id in &ids {
        let (page, entry) = &blocked[id];
        stdout::line(format_args!("comment {id} on {page:?} would be held for {entry:?}"))?;
    }
    stdout::line(format_args!("{} would be held", counted(ids.len(), "comment")))
}

/// Counts the proven lines behind the header, and returns what is wrong with the others.
fn examine(storage: &FileStorage, path: &Path) -> Result<(u64, Vec<Problem>), Error> {
    let length = storage.length().map_err(Error::io("read", path))?;
    let mut lines = 0;
    #[cfg(feature = "redis")]
    let mut hashes = HashCheck::default();
    let judge = &mut |line: &[u8]| Ok(LineSummary::parse(line)?.seq);
    let survey = survey(storage.reader(), length, judge, &mut |finding| {
        lines += u64::from(matches!(finding, Finding::Line(..)));
        #[cfg(feature = "redis")]
        if let Finding::Line(line, _, seq) = finding {
            hashes.take(seq, line);
        }
    });
    let survey = survey.map_err(scan_error(path))?;
    #[cfg(feature = "redis")]
    if survey.problems.is_empty() {
        return Ok((lines, hashes.problems(survey.header.map_or(0, |header| header.next))));
    }
    Ok((lines, survey.problems))
}

fn scan_error(path: &Path) -> impl Fn(ScanError) -> Error {
    move |error| match error {
        ScanError::NotALog(why) => Error::NotALog { path: path.to_owned(), why },
        ScanError::Io(source) => Error::io("read", path)(source),
    }
}
