//! The errors that end the process: faults of its environment, each with the path or address concerned.
//!
//! Imports nothing from the crate. A client's mistake is a `Rejection` and ends nothing; our own mistakes are assertions.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why sayso stops or does not start. `main` prints it once and exits with [`Error::exit_code`].
#[derive(Debug)]
pub enum Error {
    /// A mistake on the command line or in the environment; the message says what to write instead.
    Usage(String),
    /// An operation on a file or folder failed.
    Io {
        /// The operation, as a verb: "open", "lock", "sync" …
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The public port can't be opened.
    Listen {
        /// The address as the user wrote it or as it was resolved.
        address: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// Another process has locked the data folder.
    Locked {
        /// The data folder.
        path: PathBuf,
    },
    /// A line in the middle of the log is not what was written.
    Damaged {
        /// The log file.
        path: PathBuf,
        /// The number of the first bad line, counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The file is not a log, or its format is newer than this program.
    NotALog {
        /// The file.
        path: PathBuf,
        /// What is wrong with its first line.
        why: String,
    },
    /// A required thread can't be started.
    Thread {
        /// The thread's name, as in the crate documentation.
        name: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// Anything else, as a complete message.
    Other(String),
}

impl Error {
    /// Turns an I/O error into [`Error::Io`], for `map_err`: `.map_err(Error::io("open", path))`.
    pub fn io(what: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
        move |source| Error::Io { what, path: path.to_owned(), source }
    }

    /// 2 for wrong usage, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(why) | Error::Other(why) => f.write_str(why),
            Error::Io { what, path, source } => {
                write!(f, "can't {what} {}: {source}", path.display())
            }
            Error::Listen { address, source } => {
                write!(f, "can't listen on {address}: {source}")?;
                match source.kind() {
                    io::ErrorKind::AddrInUse if address.starts_with("unix:") => {
                        write!(
                            f,
                            "; a program listens there, or it is no socket; choose another path with --listen"
                        )
                    }
                    _ if address.starts_with("unix:") => Ok(()),
                    io::ErrorKind::AddrInUse => {
                        write!(
                            f,
                            "; stop the program that uses it, or choose another port with --listen"
                        )
                    }
                    io::ErrorKind::PermissionDenied => {
                        write!(f, "; choose a port from 1024 up with --listen")
                    }
                    _ => Ok(()),
                }
            }
            Error::Locked { path } => write!(
                f,
                "{} is in use by another sayso process; stop it, or choose another folder with --data",
                path.display()
            ),
            Error::Damaged { path, line, why } => {
                let data = path.parent().filter(|data| *data != Path::new(""));
                let data = data.unwrap_or(Path::new(".")).display();
                write!(
                    f,
                    "{} is damaged in line {line}: {why}; \"sayso check --data {data}\" lists all bad lines, \
                     \"sayso repair --data {data}\" makes a repaired copy and keeps the original",
                    path.display()
                )
            }
            Error::NotALog { path, why } => {
                write!(
                    f,
                    "{} is not a log that this version of sayso can read: {why}",
                    path.display()
                )
            }
            Error::Thread { name, source } => write!(f, "can't start thread {name}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. }
            | Error::Listen { source, .. }
            | Error::Thread { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn permission_denied() -> io::Error {
        io::ErrorKind::PermissionDenied.into()
    }

    fn one_of_each() -> Vec<Error> {
        vec![
            Error::Usage("write sayso --help".into()),
            Error::Io {
                what: "open",
                path: "data/comments.jsonl".into(),
                source: permission_denied(),
            },
            Error::Listen { address: "127.0.0.1:80".into(), source: permission_denied() },
            Error::Locked { path: "data".into() },
            Error::Damaged {
                path: "data/comments.jsonl".into(),
                line: 7,
                why: "its crc is wrong".into(),
            },
            Error::NotALog { path: "data/comments.jsonl".into(), why: "no header".into() },
            Error::Thread { name: "hub".into(), source: permission_denied() },
            Error::Other("signal handlers can't be installed".into()),
        ]
    }

    #[test]
    fn every_error_is_one_lower_case_sentence_without_a_full_stop() {
        for error in one_of_each() {
            let text = error.to_string();
            assert!(text.starts_with(|first: char| first.is_ascii_lowercase()), "{text}");
            assert!(!text.ends_with('.') && !text.contains('\n') && !text.contains("  "), "{text}");
        }
    }

    #[test]
    fn only_wrong_usage_ends_with_2() {
        for error in one_of_each() {
            assert_eq!(error.exit_code() == 2, matches!(error, Error::Usage(_)), "{error}");
        }
    }

    #[test]
    fn the_operating_systems_error_is_the_source() {
        let with_source = one_of_each().iter().filter(|error| error.source().is_some()).count();
        assert_eq!(with_source, 3);
    }

    #[test]
    fn a_damaged_log_is_reported_with_the_line_and_both_commands_that_help() {
        let path = PathBuf::from("/srv/sayso/comments.jsonl");
        let text = Error::Damaged { path, line: 7, why: "its crc is wrong".into() }.to_string();
        assert!(text.contains("line 7"), "{text}");
        assert!(text.contains("\"sayso check --data /srv/sayso\""), "{text}");
        assert!(text.contains("\"sayso repair --data /srv/sayso\""), "{text}");
        let here = Error::Damaged { path: "comments.jsonl".into(), line: 2, why: "cut".into() };
        assert!(here.to_string().contains("--data .\""), "{here}");
    }

    #[test]
    fn a_port_in_use_is_reported_with_the_flag_that_chooses_another() {
        let source = io::ErrorKind::AddrInUse.into();
        let text = Error::Listen { address: "127.0.0.1:8000".into(), source }.to_string();
        assert!(text.contains("127.0.0.1:8000") && text.contains("--listen"), "{text}");
    }
}
