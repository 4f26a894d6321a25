//! What is looked at before a log is opened, so that no start goes on without comments that lie beside the log, or takes a log that has
//! lost all of them for a new one.
//!
//! Changes nothing, and reads only the ends of files.

use std::{fs::File, io, path::Path};

#[cfg(feature = "redis")]
use crate::log::chained::DIVERGED;
use crate::{
    error::Error,
    log::ends::{Ends, ends},
    log::storage::{newest_first_beside, without_links},
    log::{RESCUED, runs},
};

/// Refuses to start where a copy that sayso has rescued may hold more than the log `path` in the folder `data`, where the log was set aside
/// because it has parted from those of other machines, or where it ends within its first line though it was begun before. Warns of every
/// other such copy.
///
/// # Errors
/// [`Error::Other`] with the commands that help; [`Error::Io`] if a file can't be read.
pub(super) fn check(data: &Path, path: &Path) -> Result<(), Error> {
    let file = without_links(path).map_err(Error::io("open", path))?;
    let log = match read(&file) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        log => Some(log?),
    };
    for rescued in newest_first_beside(&file, RESCUED) {
        check_rescued(&file, log.as_ref(), &rescued)?;
    }
    #[cfg(feature = "redis")]
    check_diverged(data, &file, log.is_some())?;
    match log.filter(|log| log.is_cut_in_header) {
        Some(log) => check_begun(data, &file, &log),
        None => Ok(()),
    }
}

fn read(path: &Path) -> Result<Ends, Error> {
    File::open(path).and_then(|file| ends(&file)).map_err(Error::io("open", path))
}

/// Compares the log with a copy of one that was lost while sayso ran.
fn check_rescued(file: &Path, log: Option<&Ends>, rescued: &Path) -> Result<(), Error> {
    let (name, copy) = (file.display(), rescued.display());
    let Some(log) = log else {
        return Err(Error::Other(format!(
            "{name} is missing, and what it held is saved beside it; put it back with: mv {rescued:?} {file:?}; to begin anew, move that copy elsewhere"
        )));
    };
    let rescue = read(rescued)?;
    let has_more = match (&log.known, &rescue.known) {
        _ if rescue.length == 0 => None,
        (Some((own, _)), Some((other, _))) if own != other => None,
        (Some((_, own)), Some((_, other))) if other <= own => None,
        (Some((_, own)), Some((_, other))) => {
            Some(format!("goes on up to seq {other}, but {name} only up to {own}"))
        }
        _ => Some(format!("can't be compared with {name}")),
    };
    let Some(how) = has_more else {
        ::log::warn!(
            "{copy} was saved when a log was lost while sayso ran; it is of another log than the present one or holds nothing newer; remove it once you \
             don't need it"
        );
        return Ok(());
    };
    let renamed = |reason| rescued.to_string_lossy().replace(&format!("{RESCUED}-"), reason);
    let (replaced, kept) = (renamed(".replaced-"), renamed(".kept-"));
    Err(Error::Other(format!(
        "{copy} was saved when the log was lost while sayso ran, and {how}; to go on with that copy: mv {file:?} {replaced:?} && mv {rescued:?} {file:?}; \
         to go on with the log as it is: mv {rescued:?} {kept:?}"
    )))
}

/// Asks for another machine's log where this one's was set aside, and then for its import.
#[cfg(feature = "redis")]
fn check_diverged(data: &Path, file: &Path, has_log: bool) -> Result<(), Error> {
    let mut imports = Vec::new();
    for diverged in newest_first_beside(file, DIVERGED) {
        let import = format!("sayso import --from sayso --data {data:?} {diverged:?}");
        if has_log {
            ::log::warn!(
                "{} is this machine's log from before it parted from those of the other machines; what it alone has is brought back by: {import}; then \
                 remove it",
                diverged.display()
            );
        }
        imports.push(import);
    }
    if has_log || imports.is_empty() {
        return Ok(());
    }
    Err(Error::Other(format!(
        "{} is missing: this machine's log has parted from those of the other machines, and was set aside; put a copy of another machine's \
         comments.jsonl there, start sayso, and bring back what this machine alone has with: {}; to begin anew without it, move it elsewhere",
        file.display(),
        imports.join(" && ")
    )))
}

/// Refuses a log that has no header if an earlier start has recorded that it had one. An empty file may be one that was put there to begin
/// with, unless there were comments.
fn check_begun(data: &Path, file: &Path, log: &Ends) -> Result<(), Error> {
    let Some(first) = runs::highest_first(data).filter(|first| *first > 1 || log.length > 0) else {
        return Ok(());
    };
    let (name, runs) = (file.display(), data.join(runs::FILE_NAME));
    let held = match first {
        0 | 1 => "was whole when sayso started last".to_owned(),
        first => format!("held lines up to seq {}", first - 1),
    };
    Err(Error::Other(format!(
        "{name} is damaged: it ends within its first line, after {} bytes, and {} shows that it {held}; put a backup in its place; to begin anew \
         without those comments: mv {file:?} {:?}",
        log.length,
        runs.display(),
        format!("{}.damaged", file.to_string_lossy())
    )))
}
