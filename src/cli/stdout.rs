//! Prints a subcommand's result to stdout, as opposed to log messages, which go to stderr.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    path::Path,
};

use crate::error::Error;

/// Prints one line. A closed pipe is no error: a reader such as `head` has seen enough, and the exit code still counts.
///
/// # Errors
/// Fails if stdout can't be written for another reason, such as a full disk.
pub fn line(text: fmt::Arguments<'_>) -> Result<(), Error> {
    // Standard output is flushed at the end of each line.
    match io::stdout().write_fmt(format_args!("{text}\n")) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("write to", Path::new("stdout"))(error))
        }
        _ => Ok(()),
    }
}
