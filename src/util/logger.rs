//! The server's own log: one line a record on stderr.
//!
//! Knows nothing of what is logged. What other crates say about every connection is left out. Our own: loggers that can be had
//! bring filters, colours and time formats for a line that is one `write`.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};

/// What other crates may say at most; tungstenite tells every frame below this.
const OTHERS: LevelFilter = LevelFilter::Warn;

struct Trace {
    level: LevelFilter,
}

/// Sends every record up to `level` to stderr from now on.
///
/// # Errors
/// Where a logger is set already; there is one in a process.
pub fn init(level: LevelFilter) -> Result<(), SetLoggerError> {
    log::set_boxed_logger(Box::new(Trace { level }))?;
    log::set_max_level(level);
    Ok(())
}

/// Whether what a client did wrong may be logged: once a second, or clients could fill the disk.
pub fn is_time() -> bool {
    static SECOND: AtomicU64 = AtomicU64::new(0);
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    SECOND.swap(second, Relaxed) != second
}

impl Log for Trace {
    fn enabled(&self, metadata: &Metadata) -> bool {
        let target = metadata.target();
        let own = target == "sayso" || target.starts_with("sayso::");
        metadata.level() <= if own { self.level } else { self.level.min(OTHERS) }
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let line = line(SystemTime::now(), record);
            // In one write, so that lines of two threads don't mix. A stderr that is gone is no reason to stop.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// `2026-11-22T05:07:13.123Z info sayso: text`, with what would begin another line, or move a terminal's cursor, escaped.
fn line(now: SystemTime, record: &Record) -> String {
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let mut line =
        format!("{} {level} {}: ", humantime::format_rfc3339_millis(now), record.target());
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
        Trace { level: filter }.enabled(&Metadata::builder().level(level).target(target).build())
    }

    #[test]
    fn what_clients_do_wrong_is_logged_once_a_second() {
        let before = SystemTime::now();
        let told = (0..10_000).filter(|_| is_time()).count() as u64;
        let seconds = before.elapsed().unwrap().as_secs();
        assert!((1..=seconds + 2).contains(&told), "{told} in {seconds} s");
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
    fn text_can_neither_begin_a_line_nor_move_the_cursor() {
        let line = written(Level::Error, "sayso", "a\nb\rc\u{1b}[2Jd\u{85}e\u{2028}f \u{e4}");
        assert!(line.ends_with(": a\\nb\\rc\\u{1b}[2Jd\\u{85}e\\u{2028}f \u{e4}\n"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn each_level_lets_itself_and_what_is_graver_through() {
        for filter in LevelFilter::iter() {
            for level in Level::iter() {
                assert_eq!(enabled(filter, level, "sayso"), level <= filter);
                assert_eq!(enabled(filter, level, "sayso::hub"), level <= filter);
            }
        }
    }

    #[test]
    fn other_crates_are_heard_from_warnings_up() {
        for other in ["tungstenite::protocol", "tiny_http", "saysomore", ""] {
            assert!(enabled(LevelFilter::Trace, Level::Warn, other), "{other}");
            assert!(!enabled(LevelFilter::Trace, Level::Info, other), "{other}");
            assert!(!enabled(LevelFilter::Error, Level::Warn, other), "{other}");
        }
    }
}
