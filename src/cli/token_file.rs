//! `--admin-token-file`: reads it at the start and again on SIGHUP.
//!
//! Its lines are `hub::moderators`'.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    error::Error,
    hub::moderators::{self, Moderator, Moderators},
    util::text::counted,
};

/// The longest token file, in bytes: 64 for each of a thousand moderators.
const TOKEN_FILE_BYTES_MAX: u64 = 64 * 1024;
/// The permission of everybody who is neither the file's owner nor in its group to read it. A group is given it on purpose, as where root
/// owns the file and sayso's user reads it.
const READABLE_BY_OTHERS: u32 = 0o004;

/// Reads the file. Warns if others may read it, too.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::Usage`] with the number of the line if one is none of a moderator. No error repeats a
/// word of the file.
pub fn read(path: &Path) -> Result<Vec<Moderator>, Error> {
    read_text(path).map(|(_, list)| list)
}

/// The token in the first line that has one.
///
/// # Errors
/// Those of [`read`].
pub fn first_token(path: &Path) -> Result<String, Error> {
    let (text, _) = read_text(path)?;
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
    let token = first.and_then(|line| line.split_whitespace().last());
    Ok(token.expect("a file without a token was refused").to_owned())
}

/// The file's text and its moderators.
fn read_text(path: &Path) -> Result<(String, Vec<Moderator>), Error> {
    let text = read_secret(path, TOKEN_FILE_BYTES_MAX, "token file", "the moderators' tokens")?;
    let list = moderators::parse(&text)
        .map_err(|why| Error::Usage(format!("--admin-token-file {}: {why}", path.display())))?;
    Ok((text, list))
}

/// Reads a file with something secret, such as `the moderators' tokens`. Warns if others may read it, too.
///
/// # Errors
/// [`Error::Io`] if it can't be read, is longer than `bytes_max`, which no file of its `kind` is, or is no text.
pub(super) fn read_secret(
    path: &Path,
    bytes_max: u64,
    kind: &str,
    what: &str,
) -> Result<String, Error> {
    let failed = Error::io("read", path);
    let mut file = File::open(path).map_err(&failed)?;
    let mode = file.metadata().map_err(&failed)?.permissions().mode();
    let mut bytes = Vec::new();
    // Read as `web::backend` reads bodies, whose code is there.
    let reader: &mut dyn Read = &mut file;
    reader.take(bytes_max + 1).read_to_end(&mut bytes).map_err(&failed)?;
    if bytes.len() as u64 > bytes_max {
        let why = format!("more than {bytes_max} bytes are no {kind}");
        return Err(failed(io::Error::other(why)));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed(io::Error::other("it is not UTF-8")))?;
    if mode & READABLE_BY_OTHERS != 0 {
        let shown = path.display();
        ::log::warn!("everybody on this machine can read {what}; run: chmod o= {shown}");
    }
    Ok(text)
}

/// What SIGHUP does: the file's moderators replace those before, who stay if it is not as it must be.
pub fn read_again(path: PathBuf, moderators: Arc<Moderators>) -> impl FnMut() {
    move || match read(&path) {
        Ok(list) => {
            let count = counted(list.len(), "moderator");
            moderators.replace(list);
            ::log::info!("read {} again: {count}", path.display());
        }
        Err(error) => ::log::error!("{error}; the moderators stay as they were"),
    }
}
