//! What is looked at before a log is opened, so that no start goes on without comments that lie beside the log.
//!
//! Changes nothing, and reads only the ends of files.

use std::{fs::File, io, path::Path};

use crate::{
    error::Error,
    log::RESCUED,
    log::ends::{Ends, ends},
    log::storage::{newest_first_beside, without_links},
};

/// Refuses to start where a copy that sayso has rescued may hold more than the log `path`. Warns of every other such copy.
///
/// # Errors
/// [`Error::Other`] with the commands that help; [`Error::Io`] if a file can't be read.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    let file = without_links(path).map_err(Error::io("open", path))?;
    let log = match read(&file) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        log => Some(log?),
    };
    for rescued in newest_first_beside(&file, RESCUED) {
        check_rescued(&file, log.as_ref(), &rescued)?;
    }
    Ok(())
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
