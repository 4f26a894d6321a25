//! What ends the process: what the world did wrong, with the path or the address in it.
//!
//! Knows nobody else. What a client did wrong is a `Rejection` and ends nothing; our own mistakes are assertions.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why sayso stops, or does not start. Printed once, by `main`, which then ends with [`Error::exit_code`].
#[derive(Debug)]
pub enum Error {
    /// The command line or the environment; the sentence says what to write instead.
    Usage(String),
    /// A file or a folder refused what was asked of it.
    Io {
        /// The verb: "open", "lock", "sync" …
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The public port can't be had.
    Listen {
        /// As the user wrote it, or as it was resolved.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another process holds the data folder.
    Locked {
        /// The data folder.
        path: PathBuf,
    },
    /// Bytes in the middle of the log are not what was written.
    Damaged {
        /// The log file.
        path: PathBuf,
        /// The first bad line, counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The file is no log of this format, or of a later one.
    NotALog {
        /// The file.
        path: PathBuf,
        /// What is wrong with its first line.
        why: String,
    },
    /// A thread that must exist can't be started.
    Thread {
        /// As in the thread table of the crate documentation.
        name: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Anything else, as a whole sentence.
    Other(String),
}

impl Error {
    /// 2 for wrong usage, 1 for a fault.
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
                    io::ErrorKind::AddrInUse => {
                        write!(
                            f,
                            "; stop the program that does, or choose another port with --listen"
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
                "{} is in use by another sayso; stop that one, or choose another folder with --data",
                path.display()
            ),
            Error::Damaged { path, line, why } => {
                let data = path.parent().filter(|data| *data != Path::new(""));
                let data = data.unwrap_or(Path::new(".")).display();
                write!(
                    f,
                    "{} is damaged in line {line}: {why}; \"sayso check --data {data}\" reports all of it, \
                     \"sayso repair --data {data}\" makes a repaired copy and keeps the original",
                    path.display()
                )
            }
            Error::NotALog { path, why } => {
                write!(f, "{} is not a log that this sayso reads: {why}", path.display())
            }
            Error::Thread { name, source } => write!(f, "can't start the thread {name}: {source}"),
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

    fn refused() -> io::Error {
        io::ErrorKind::PermissionDenied.into()
    }

    fn one_of_each() -> Vec<Error> {
        vec![
            Error::Usage("write sayso --help".into()),
            Error::Io { what: "open", path: "data/comments.jsonl".into(), source: refused() },
            Error::Listen { address: "127.0.0.1:80".into(), source: refused() },
            Error::Locked { path: "data".into() },
            Error::Damaged {
                path: "data/comments.jsonl".into(),
                line: 7,
                why: "its crc is wrong".into(),
            },
            Error::NotALog { path: "data/comments.jsonl".into(), why: "no header".into() },
            Error::Thread { name: "hub".into(), source: refused() },
            Error::Other("the signals can't be listened to".into()),
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
    fn the_operating_system_stays_reachable_as_the_source() {
        let with_source = one_of_each().iter().filter(|error| error.source().is_some()).count();
        assert_eq!(with_source, 3);
    }

    #[test]
    fn damage_names_the_line_and_both_commands_that_help() {
        let path = PathBuf::from("/srv/sayso/comments.jsonl");
        let text = Error::Damaged { path, line: 7, why: "its crc is wrong".into() }.to_string();
        assert!(text.contains("line 7"), "{text}");
        assert!(text.contains("\"sayso check --data /srv/sayso\""), "{text}");
        assert!(text.contains("\"sayso repair --data /srv/sayso\""), "{text}");
        let here = Error::Damaged { path: "comments.jsonl".into(), line: 2, why: "cut".into() };
        assert!(here.to_string().contains("--data .\""), "{here}");
    }

    #[test]
    fn a_taken_port_says_how_to_choose_another() {
        let source = io::ErrorKind::AddrInUse.into();
        let text = Error::Listen { address: "127.0.0.1:8000".into(), source }.to_string();
        assert!(text.contains("127.0.0.1:8000") && text.contains("--listen"), "{text}");
    }
}
