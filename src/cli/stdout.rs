//! What a command says on stdout: its result, as opposed to what is logged. Knows nobody else.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

use crate::error::Error;

/// Says one line. Whoever has read enough, such as `head`, has closed the pipe; the command goes on to its exit code.
///
/// # Errors
/// Where stdout takes nothing for another reason, such as a full disk behind it.
pub fn line(text: fmt::Arguments<'_>) -> Result<(), Error> {
    // Standard output is flushed at the end of each line.
    match io::stdout().write_fmt(format_args!("{text}\n")) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Io { what: "write to", path: "stdout".into(), source })
        }
        _ => Ok(()),
    }
}
