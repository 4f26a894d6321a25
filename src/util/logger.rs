//! Writes the server's log messages to stderr, one line each: for people, or as JSON for programs that collect them.
//!
//! Knows nothing of what is logged. Drops what other crates log about every connection. Our own: other loggers bring filters, colours
//! and time formats for a line that is one `write`.

use std::fmt::Display;
use std::io::{self, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};

use crate::util::clock::rfc3339;

/// The most verbose level of other crates that is logged; below it tungstenite logs every frame.
const OTHER_CRATES_LEVEL: LevelFilter = LevelFilter::Warn;

struct StderrLogger {
    level: LevelFilter,
}

/// Whether all that is written to stderr must be JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Sends every record up to `level` to stderr from now on.
///
/// # Errors
/// Fails if the process already has a logger.
pub fn init(level: LevelFilter) -> Result<(), SetLoggerError> {
    log::set_boxed_logger(Box::new(StderrLogger { level }))?;
    log::set_max_level(level);
    Ok(())
}

/// Makes all that is written to stderr JSON from now on, panics included: an object with `time`, `level`, `target` and `message` a line.
pub fn use_json() {
    IS_JSON.store(true, Relaxed);
    panic::set_hook(Box::new(|panic| report("sayso::panic", panic)));
}

/// Writes what must be said at any level: `sayso: why`, or a line of JSON if the log is JSON.
pub fn report(target: &str, why: &dyn Display) {
    match IS_JSON.load(Relaxed) {
        true => write("error", target, &why.to_string()),
        false => eprintln!("sayso: {why}"),
    }
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
            let level = match record.level() {
                Level::Error => "error",
                Level::Warn => "warn",
                Level::Info => "info",
                Level::Debug => "debug",
                Level::Trace => "trace",
            };
            write(level, record.target(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn write(level: &str, target: &str, message: &str) {
    let line = line(SystemTime::now(), IS_JSON.load(Relaxed), level, target, message);
    // One write, so that the lines of two threads don't mix. A closed stderr is no reason to stop.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

fn line(now: SystemTime, is_json: bool, level: &str, target: &str, message: &str) -> String {
    let time = rfc3339(now);
    let (mut line, between, end) = match is_json {
        false => (format!("{time} {level} "), ": ", "\n"),
        true => (
            format!("{{\"time\":\"{time}\",\"level\":\"{level}\",\"target\":\""),
            "\",\"message\":\"",
            "\"}\n",
        ),
    };
    escape(target, is_json, &mut line);
    line.push_str(between);
    escape(message, is_json, &mut line);
    line.push_str(end);
    line
}

/// Escapes characters that would begin another line or move a terminal's cursor, and in JSON (RFC 8259 §7) also those that mean something
/// there. All of them are of the basic plane, so four digits are enough.
fn escape(text: &str, is_json: bool, out: &mut String) {
    for char in text.chars() {
        let is_control = char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
        match char {
            '"' | '\\' if is_json => out.extend(['\\', char]),
            _ if is_control && is_json => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ if is_control => out.extend(char.escape_default()),
            _ => out.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn written(level: Level, target: &str, text: &str) -> String {
        // 2026-11-22T05:07:13.123Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_324_033_123);
        line(now, false, &level.as_str().to_lowercase(), target, text)
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

    #[test]
    fn json_is_one_object_on_one_line_whatever_the_message() {
        let mut every: String = (0..0x300).filter_map(char::from_u32).collect();
        every += "\u{2028}\u{2029}\u{fffd}\u{1f600}\u{10ffff}";
        for message in ["", "a \"quoted\" \\ message", "}\n{", &every] {
            let line = line(UNIX_EPOCH, true, "warn", "sayso::\"x\"", message);
            assert_eq!(line.chars().filter(|char| char.is_control()).count(), 1);
            assert!(line.ends_with('\n') && !line.contains('\u{2028}'));
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            let expected = serde_json::json!({
                "time": "1970-01-01T00:00:00.000Z", "level": "warn", "target": "sayso::\"x\"", "message": message
            });
            assert_eq!(value, expected);
        }
    }
}
