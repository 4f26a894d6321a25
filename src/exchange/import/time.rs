//! Reads the times of foreign exports: RFC 3339, dates with a space and an offset or none, and counts of seconds or milliseconds.
//!
//! Pure, but for [`now`]. Times are milliseconds since 1970 in UTC; earlier ones, such as year 1, mean "unset" where they occur.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::util::clock;
use crate::util::text::{is_decimal, parse_decimal};

/// The latest time, ms: the last second of the year 9999.
const LATEST: i64 = 253_402_300_799_000;
/// A count of seconds below this one is a time before the year 5138; a count of milliseconds above it is after March 1973.
const SECONDS_BELOW: f64 = 1e11;

/// Parses `2021-10-28T20:50:15.123Z`, `2021-10-28 20:50:15 +0800`, `2021-10-28 20:50:15` (UTC), or a count of seconds or milliseconds.
/// Returns `None` for anything else and for times that mean "unset".
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(count) = count(text) {
        return from_count(count);
    }
    let mut rest = text;
    let year = digits(&mut rest, 4)?;
    let month = after(&mut rest, "-")?;
    let day = after(&mut rest, "-")?;
    rest = rest.strip_prefix(['T', 't', ' ']).unwrap_or(rest);
    let (mut hour, mut minute, mut second, mut millis) = (0, 0, 0, 0);
    if !rest.is_empty() {
        hour = digits(&mut rest, 2)?;
        minute = after(&mut rest, ":")?;
        if rest.starts_with(':') {
            second = after(&mut rest, ":")?;
        }
        if let Some(fraction) = rest.strip_prefix(['.', ',']) {
            let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let padded = format!("{:0<3}", &fraction[..length]);
            millis = padded[..3].parse().ok()?;
            rest = &fraction[length..];
        }
    }
    // Go writes the zone's name behind its offset.
    let mut zone = rest.split_whitespace();
    let offset = offset_minutes(zone.next().unwrap_or_default())?;
    if !zone.all(|name| name.bytes().all(|byte| byte.is_ascii_uppercase())) {
        return None;
    }
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset;
    in_bounds((minutes * 60 + second) * 1000 + millis)
}

/// A decimal number, with a fraction of seconds or without.
fn count(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let whole: u64 = parse_decimal(whole)?;
    let fraction = is_decimal(fraction).then(|| format!("{fraction:0<3}"))?;
    let millis: u64 = parse_decimal(fraction.get(..3)?)?;
    Some(whole as f64 + millis as f64 / 1000.0)
}

/// A count of seconds or, where it is too large for that, of milliseconds.
pub fn from_count(count: f64) -> Option<i64> {
    let millis = if count.abs() < SECONDS_BELOW { count * 1000.0 } else { count };
    // A float's cast saturates, and what is no number becomes 0.
    in_bounds(millis.round() as i64)
}

/// Moves a time by so many minutes; out of bounds it stays.
pub fn shift(millis: i64, minutes: i64) -> i64 {
    in_bounds(millis.saturating_add(minutes.saturating_mul(60_000))).unwrap_or(millis)
}

/// The time, ms since 1970.
pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(LATEST)
}

/// Formats a time as every line of the log has it.
pub fn rfc3339(millis: i64) -> String {
    clock::rfc3339(UNIX_EPOCH + Duration::from_millis(millis.max(0).unsigned_abs()))
}

fn in_bounds(millis: i64) -> Option<i64> {
    (1..=LATEST).contains(&millis).then_some(millis)
}

/// Takes exactly `count` digits from the start of `rest`.
fn digits(rest: &mut &str, count: usize) -> Option<i64> {
    let (number, behind) = rest.split_at_checked(count)?;
    let value = parse_decimal(number)?;
    *rest = behind;
    Some(value)
}

fn after(rest: &mut &str, separator: &str) -> Option<i64> {
    *rest = rest.strip_prefix(separator)?;
    digits(rest, 2)
}

/// `Z`, `UTC`, nothing, `+08:00`, `+0800` or `+08`, in minutes.
fn offset_minutes(text: &str) -> Option<i64> {
    if text.is_empty() || text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut rest = text.strip_prefix(['+', '-'])?;
    let hours = digits(&mut rest, 2)?;
    rest = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = if rest.is_empty() { 0 } else { digits(&mut rest, 2)? };
    (rest.is_empty() && hours <= 15 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_time_is_read() {
        for (text, expected) in [
            ("2012-12-12T12:12:12Z", "2012-12-12T12:12:12.000Z"),
            ("2021-10-28 20:50:15 +0800", "2021-10-28T12:50:15.000Z"),
            ("2021-10-28T20:50:15.1234567+08:00", "2021-10-28T12:50:15.123Z"),
            ("2021-10-28 20:50:15 +0800 CST", "2021-10-28T12:50:15.000Z"),
            ("2021-03-01 00:00:00", "2021-03-01T00:00:00.000Z"),
            ("2020-02-29 23:59:59.5 UTC", "2020-02-29T23:59:59.500Z"),
            (" 2021-10-28 ", "2021-10-28T00:00:00.000Z"),
            ("1400000000.25", "2014-05-13T16:53:20.250Z"),
            ("1400000000250", "2014-05-13T16:53:20.250Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(parse(text).map(rfc3339).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_means_unset_is_none() {
        for text in [
            "",
            "0001-01-01T00:00:00Z",
            "0000-00-00 00:00:00",
            "0",
            "-1",
            "yesterday",
            "2021-13-01",
            "2021-10-28 25:00:00",
            "2021-10-28T20:50:15+8",
            "99999-01-01",
            "NaN",
            "inf",
            "2021-10-28 20:50:15 PST",
            "\u{ff12}021-10-28",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_shifted_by_minutes_within_the_bounds() {
        assert_eq!(shift(7_200_001, -120), 1);
        assert_eq!(shift(7_200_000, -120), 7_200_000, "it would be before 1970");
        assert_eq!(shift(1, i64::MAX), 1);
    }
}
