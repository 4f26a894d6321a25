//! The secret of a data folder, in `<data>/salt`: with it, a hash of an address can be compared but not looked up in a table.
//!
//! 32 random bytes, made at the first start. Without the file, banned addresses are no longer recognised, so it belongs to a backup.

use std::{fs, io, path::Path};

use super::storage::write_whole;
use crate::error::Error;

/// Name of the file in the data folder.
pub const FILE_NAME: &str = "salt";
/// Length of the secret.
pub const SALT_BYTES: usize = 32;

/// The secret.
pub type Salt = [u8; SALT_BYTES];

/// Reads the secret, and makes it if there is none.
///
/// # Errors
/// [`Error::Io`] if the file can be neither read nor written, or is of another length.
pub fn open(data: &Path) -> Result<Salt, Error> {
    open_secret(data, FILE_NAME, "banned addresses are then no longer recognised")
}

/// Writes the secret that several machines share.
///
/// # Errors
/// [`Error::Io`] if the file can't be written.
#[cfg(feature = "redis")]
pub fn write(data: &Path, salt: &Salt) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    write_whole(&path, salt).map_err(Error::io("write", &path))
}

/// The same for the secret of another file, as long. `loss` says what becomes of it if it is removed.
///
/// # Errors
/// As [`open`].
pub fn open_secret(data: &Path, name: &str, loss: &str) -> Result<Salt, Error> {
    let path = data.join(name);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return create(&path).map_err(Error::io("create", &path));
        }
        read => read.map_err(Error::io("read", &path))?,
    };
    let length = bytes.len();
    bytes.try_into().map_err(|_| {
        let why = format!(
            "it is {length} bytes, but must be {SALT_BYTES}; restore it from a backup, or remove it: {loss}"
        );
        Error::io("use", &path)(io::Error::new(io::ErrorKind::InvalidData, why))
    })
}

/// Reads the secret, or makes one that is not written yet if there is none.
///
/// # Errors
/// As [`open`], but for writing.
#[cfg(feature = "exchange")]
pub fn read_or_draw(data: &Path) -> Result<Salt, Error> {
    match data.join(FILE_NAME).exists() {
        true => open(data),
        false => draw().map_err(Error::io("draw", &data.join(FILE_NAME))),
    }
}

/// Writes a secret that [`read_or_draw`] has made, if there is none.
///
/// # Errors
/// Fails if it can't be written, or if there is another one by now.
#[cfg(feature = "exchange")]
pub fn keep(data: &Path, salt: Salt) -> Result<(), Error> {
    let path = data.join(FILE_NAME);
    if !path.exists() {
        write_whole(&path, &salt).map_err(Error::io("create", &path))?;
    }
    match open(data)? == salt {
        true => Ok(()),
        false => Err(Error::Other(format!("{} was made meanwhile; try again", path.display()))),
    }
}

fn draw() -> io::Result<Salt> {
    let mut salt = Salt::default();
    getrandom::fill(&mut salt).map_err(io::Error::from)?;
    Ok(salt)
}

fn create(path: &Path) -> io::Result<Salt> {
    let salt = draw()?;
    write_whole(path, &salt)?;
    Ok(salt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_salt_is_made_once_for_its_owner_alone_and_never_guessed() {
        let data = std::env::temp_dir().join(format!("sayso-salt-{}", std::process::id()));
        fs::create_dir_all(&data).unwrap();
        // A start that was killed has left this.
        fs::write(data.join("salt.new"), [0; 3]).unwrap();
        let salt = open(&data).unwrap();
        assert!(!data.join("salt.new").exists());
        assert_eq!(open(&data).unwrap(), salt);
        assert_ne!(salt, Salt::default());
        let path = data.join(FILE_NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, [0; 31]).unwrap();
        let error = open(&data).unwrap_err().to_string();
        assert!(error.contains("31 bytes") && error.contains("32"), "{error}");
        fs::remove_dir_all(&data).unwrap();
    }
}
