//! Why an import stops: each message names the line and what is wrong there, never a value, since values are addresses and passwords.
//!
//! Knows no format.

use std::{fmt, io};

/// Why an import stops. Nothing has been written then.
#[derive(Debug)]
pub enum ImportError {
    /// The file is broken, or it is not what the format's name says.
    Format {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong there.
        what: String,
    },
    /// An option is missing or contradicts the file; the message says what to write.
    Usage(String),
    /// The file can't be read.
    Read(io::Error),
    /// The temporary file can't be written or read.
    Temporary(io::Error),
}

impl ImportError {
    /// An error at a line.
    pub fn at(line: u64, what: impl Into<String>) -> ImportError {
        ImportError::Format { line, what: what.into() }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Format { line, what } => write!(f, "line {line}: {what}"),
            ImportError::Usage(what) => f.write_str(what),
            ImportError::Read(error) => write!(f, "can't read the file: {error}"),
            ImportError::Temporary(error) => {
                write!(f, "can't keep what was read in a temporary file: {error}")
            }
        }
    }
}

impl std::error::Error for ImportError {}
