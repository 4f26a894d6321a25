//! Writes the server's log messages to stderr, one line each.
//!
//! Knows nothing of what is logged. Drops what other crates log about every connection. Our own: other loggers bring filters, colours
//! and time formats for a line that is one `write`.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};

use crate::util::clock::rfc3339;

/// The most verbose level of other crates that is logged; below it tungstenite logs every frame.
const OTHER_CRATES_LEVEL: LevelFilter = LevelFilter::Warn;

struct StderrLogger {
    level: LevelFilter,
}

/// Sends every record up to `level` to stderr from now on.
///
/// # Errors
/// Fails if the process already has a logger.
pub fn init(level: LevelFilter) -> Result<(), SetLoggerError> {
    log::set_boxed_logger(Box::new(StderrLogger { level }))?;
    log::set_max_level(level);
    Ok(())
}

/// Whether a warning about a client's mistake may be logged now. At most one a second is, so that clients can't fill the disk.
pub fn allow_client_warning() -> bool {
    static SECOND: AtomicU64 = AtomicU64::new(0);
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    SECOND.swap(second, Relaxed) != second
}

impl Log for StderrLogger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        let target = metadata.target();
        let own = target == "sayso" || target.starts_with("sayso::");
        metadata.level() <= if own { self.level } else { self.level.min(OTHER_CRATES_LEVEL) }
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let line = line(SystemTime::now(), record);
            // One write, so that the lines of two threads don't mix. A closed stderr is no reason to stop.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// Formats `2026-11-22T05:07:13.123Z info sayso: text`. Escapes characters that would begin another line or move a
/// terminal's cursor.
fn line(now: SystemTime, record: &Record) -> String {
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let mut line = format!("{} {level} {}: ", rfc3339(now), record.target());
    for char in record.args().to_string().chars() {
        match char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') {
            true => line.extend(char.escape_default()),
            false => line.push(char),
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn written(level: Level, target: &str, text: &str) -> String {
        // 2026-11-22T05:07:13.123Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_324_033_123);
        line(
            now,
            &Record::builder().level(level).target(target).args(format_args!("{text}")).build(),
        )
    }

    fn enabled(filter: LevelFilter, level: Level, target: &str) -> bool {
        StderrLogger { level: filter }
            .enabled(&Metadata::builder().level(level).target(target).build())
    }

    #[test]
    fn client_warnings_are_allowed_once_a_second() {
        let before = SystemTime::now();
        let allowed = (0..10_000).filter(|_| allow_client_warning()).count() as u64;
        let seconds = before.elapsed().unwrap().as_secs();
        assert!((1..=seconds + 2).contains(&allowed), "{allowed} in {seconds} s");
    }

    #[test]
    fn a_record_is_one_line_with_time_level_and_target() {
        assert_eq!(
            written(Level::Info, "sayso", "listening"),
            "2026-11-22T05:07:13.123Z info sayso: listening\n"
        );
        assert!(written(Level::Warn, "sayso::hub", "x").contains(" warn sayso::hub: x"));
    }

    #[test]
    fn control_characters_in_a_message_are_escaped() {
        let line = written(Level::Error, "sayso", "a\nb\rc\u{1b}[2Jd\u{85}e\u{2028}f \u{e4}");
        assert!(line.ends_with(": a\\nb\\rc\\u{1b}[2Jd\\u{85}e\\u{2028}f \u{e4}\n"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn a_level_includes_itself_and_everything_more_severe() {
        for filter in LevelFilter::iter() {
            for level in Level::iter() {
                assert_eq!(enabled(filter, level, "sayso"), level <= filter);
                assert_eq!(enabled(filter, level, "sayso::hub"), level <= filter);
            }
        }
    }

    #[test]
    fn other_crates_are_logged_from_warnings_up() {
        for other in ["tungstenite::protocol", "tiny_http", "saysomore", ""] {
            assert!(enabled(LevelFilter::Trace, Level::Warn, other), "{other}");
            assert!(!enabled(LevelFilter::Trace, Level::Info, other), "{other}");
            assert!(!enabled(LevelFilter::Error, Level::Warn, other), "{other}");
        }
    }
}
