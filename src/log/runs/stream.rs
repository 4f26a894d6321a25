//! The runs of a stream between several machines, as far as this one knows them.
//!
//! The file has one line more, above the others, so that a sayso that is alone doesn't take it for its own, and the other way round: neither
//! proves cursors of the other.
//!
//! ```text
//! stream 7 e8c0badb
//! 5d0c1a7e03bb42f9 42 e83aba16
//! 77ab03c1d95e4a12 1 880a1736
//! ```

use std::{io, path::Path, sync::Arc};

use crc32c::{crc32c, crc32c_append};

use super::{
    FILE_NAME, Run, Runs, encode_behind, format_mark, parse_lines, parse_mark, push, random_mark,
    read_text, write,
};
use crate::error::Error;

/// What the first line begins with.
const START: &str = "stream ";

impl Runs {
    /// Reads what [`Runs::of_stream`] has written last for the log `log` into the folder `data`. The newest run's mark is the present one. If
    /// there is none, it is a random one, which proves nothing.
    ///
    /// # Errors
    /// [`Error::Io`] if there are no random bytes.
    pub fn open_of_stream(data: &Path, log: &str) -> Result<Runs, Error> {
        let path = data.join(FILE_NAME);
        let (runs, number) = read_text(&path)
            .and_then(|text| parse(log, &text).ok_or(io::ErrorKind::InvalidData.into()))
            .unwrap_or_else(|error| {
                if error.kind() != io::ErrorKind::NotFound {
                    let path = path.display();
                    ::log::info!("{path} is not that of several machines, so it is written anew");
                }
                (Vec::new(), 0)
            });
        Runs::new(runs, number).map_err(Error::io("begin a run in", &path))
    }

    /// Takes over the runs that a stream knows, each with its mark and the first `seq` that it may give, the present one last, and writes them
    /// durably. `number` is the highest number of a run that is known. Runs that begin above a later one are dropped: what they have appended
    /// is gone.
    ///
    /// # Errors
    /// [`Error::Other`] if a mark is none; [`Error::Io`] if the file can be neither written nor removed.
    pub fn of_stream(
        data: &Path,
        log: &str,
        runs: &[(Arc<str>, u64)],
        number: u64,
    ) -> Result<Runs, Error> {
        let path = data.join(FILE_NAME);
        let mut known = Vec::new();
        for (mark, first) in runs {
            let is_none = || Error::Other(format!("the stream names {mark:?}, which is no mark"));
            push(&mut known, Run { mark: parse_mark(mark).ok_or_else(is_none)?, first: *first });
        }
        write(&path, &encode(log, &known, number))?;
        Runs::new(known, number).map_err(Error::io("begin a run in", &path))
    }

    fn new(runs: Vec<Run>, number: u64) -> io::Result<Runs> {
        let mark = runs.last().map_or_else(random_mark, |run| Ok(run.mark))?;
        Ok(Runs { runs, mark: format_mark(mark).into(), number: Some(number) })
    }

    /// Returns the runs, each with its mark and the first `seq` that it may give, the present one last.
    pub fn list(&self) -> Vec<(Arc<str>, u64)> {
        self.runs.iter().map(|run| (format_mark(run.mark).into(), run.first)).collect()
    }

    /// Returns the highest number of a run that is known; 0 if none is, or if the runs are not those of a stream.
    pub fn number(&self) -> u64 {
        self.number.unwrap_or_default()
    }
}

fn encode(log: &str, runs: &[Run], number: u64) -> String {
    let fields = format!("{START}{number}");
    let crc = crc32c_append(crc32c(log.as_bytes()), fields.as_bytes());
    let mut text = format!("{fields} {crc:08x}\n");
    encode_behind(crc, runs, &mut text);
    text
}

/// Returns the runs and the number, or `None` if the text is not exactly what [`encode`] wrote for this log.
fn parse(log: &str, text: &str) -> Option<(Vec<Run>, u64)> {
    let (first, lines) = text.split_once('\n')?;
    let number = first.strip_prefix(START)?.split_once(' ')?.0.parse().ok()?;
    let runs = parse_lines(lines)?;
    (encode(log, &runs, number) == text).then_some((runs, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::runs::tests::{Folder, LOG};

    const MARKS: [&str; 4] =
        ["5d0c1a7e03bb42f9", "77ab03c1d95e4a12", "0000000000000001", "ffffffffffffffff"];

    fn runs(firsts: &[u64]) -> Vec<(Arc<str>, u64)> {
        MARKS.iter().zip(firsts).map(|(mark, first)| (Arc::from(*mark), *first)).collect()
    }

    fn written(folder: &Folder, firsts: &[u64], number: u64) -> Runs {
        Runs::of_stream(&folder.0, LOG, &runs(firsts), number).unwrap()
    }

    fn reopened(folder: &Folder) -> Runs {
        Runs::open_of_stream(&folder.0, LOG).unwrap()
    }

    #[test]
    fn a_cursor_in_the_newest_run_is_good_however_far_ahead_it_is() {
        let folder = Folder::new("stream-proves");
        for runs in [written(&folder, &[1, 7], 3), reopened(&folder)] {
            assert_eq!((&**runs.mark(), runs.number()), (MARKS[1], 3));
            // The log has no line yet.
            assert!(runs.proves(MARKS[1], 1_000, 1));
            assert!(runs.proves(MARKS[0], 6, 1) && !runs.proves(MARKS[0], 7, 1));
            assert!(!runs.proves(MARKS[2], 0, 1));
        }
    }

    #[test]
    fn the_documented_example_is_what_is_written() {
        let runs = [(MARKS[1], 1), (MARKS[0], 42)].map(|(mark, first)| (Arc::from(mark), first));
        let folder = Folder::new("stream-example");
        Runs::of_stream(&folder.0, LOG, &runs, 7).unwrap();
        let documented =
            include_str!("stream.rs").lines().filter_map(|line| line.strip_prefix("//! "));
        let example: Vec<_> =
            documented.skip_while(|line| *line != "```text").skip(1).take(3).collect();
        assert_eq!(folder.text().trim_end(), example.join("\n"));
    }

    #[test]
    fn a_run_that_begins_above_a_later_one_proves_nothing() {
        let folder = Folder::new("stream-back");
        // The stream has lost what came behind 150, so the third run gives 150 to 200 anew.
        for runs in [written(&folder, &[1, 200, 150], 9), reopened(&folder)] {
            assert!(runs.proves(MARKS[0], 149, 1) && !runs.proves(MARKS[0], 150, 1));
            assert!(!runs.proves(MARKS[1], 0, 1) && runs.proves(MARKS[2], 300, 1));
        }
    }

    #[test]
    fn without_a_file_of_this_stream_and_log_no_mark_proves_anything() {
        let folder = Folder::new("stream-none");
        let proves_nothing = |runs: Runs| {
            let marks = MARKS.into_iter().chain([&**runs.mark()]);
            assert_eq!(runs.number(), 0);
            assert!(marks.into_iter().all(|mark| !runs.proves(mark, 0, 10)), "{runs:?}");
            runs.mark().to_string()
        };
        assert_ne!(proves_nothing(reopened(&folder)), proves_nothing(reopened(&folder)));
        written(&folder, &[1, 7, 9], 3);
        let text = folder.text();
        let other = Runs::open_of_stream(&folder.0, "0123456789abcdef").unwrap();
        proves_nothing(other);
        // A file of which a line or any byte is missing, or another.
        let without_last = text.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
        assert_eq!(
            parse(LOG, &without_last).map(|(runs, number)| (runs.len(), number)),
            Some((2, 3)),
            "one that has lost its end only proves less"
        );
        for at in 0..text.len() {
            for changed in [[&text[..at], &text[at + 1..]], [&text[..at], "1"]] {
                let changed = changed.concat();
                let is_shorter = text.starts_with(&changed);
                std::fs::write(folder.file(), &changed).unwrap();
                if parse(LOG, &changed).is_none() {
                    proves_nothing(reopened(&folder));
                } else {
                    assert!(is_shorter, "{changed:?}");
                }
            }
        }
        assert!(Runs::of_stream(&folder.0, LOG, &[("7".into(), 1)], 1).is_err());
    }

    #[test]
    fn neither_a_lone_start_nor_a_stream_proves_cursors_of_the_other() {
        let folder = Folder::new("stream-lone");
        let of_stream = written(&folder, &[1, 7], 3);
        let lone = folder.begin(9);
        for mark in [MARKS[0], MARKS[1]] {
            assert!(!lone.proves(mark, 0, 9), "{mark}");
        }
        assert!(lone.proves(lone.mark(), 8, 9) && lone.number() == 0);
        assert!(!folder.text().contains("stream"), "{}", folder.text());
        let again = reopened(&folder);
        assert!(!again.proves(lone.mark(), 0, 9) && !again.proves(again.mark(), 0, 9));
        let again = written(&folder, &[1, 7], 3);
        assert!(again.proves(of_stream.mark(), 100, 9) && !again.proves(lone.mark(), 0, 9));
        // The startup's look at an empty log finds the runs of both.
        assert_eq!(crate::log::runs::highest_first(&folder.0), Some(7));
    }
}
