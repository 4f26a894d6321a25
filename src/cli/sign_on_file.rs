//! `--sign-on-file`: reads it at the start and again on SIGHUP.
//!
//! Its lines are `hub::sign_on`'s.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    cli::token_file::read_secret,
    error::Error,
    hub::sign_on::{self, Secrets, SignOn},
};

/// The longest file, in bytes: two secrets of the longest kind, and white space.
const SIGN_ON_FILE_BYTES_MAX: u64 = 4 * 1024;

/// Reads the file. Warns if others may read it, too.
///
/// # Errors
/// [`Error::Io`] if it can't be read, [`Error::Usage`] if it is not as it must be. No error repeats a word of the file.
pub fn read(path: &Path) -> Result<Secrets, Error> {
    let what = "the secret that host pages sign with";
    let text = read_secret(path, SIGN_ON_FILE_BYTES_MAX, "sign-on file", what)?;
    sign_on::parse(&text)
        .map_err(|why| Error::Usage(format!("--sign-on-file {}: {why}", path.display())))
}

/// What SIGHUP does: the file's secrets replace those before, which stay if it is not as it must be.
pub fn read_again(path: PathBuf, sign_on: Arc<SignOn>) -> impl FnMut() {
    move || match read(&path) {
        Ok(secrets) => {
            let authors = if sign_on.replace(secrets) { "other" } else { "the same" };
            ::log::info!("read {} again: users are {authors} authors", path.display());
        }
        Err(error) => ::log::error!("{error}; the secret stays as it was"),
    }
}
