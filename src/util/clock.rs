//! The time that comments are given: never before the comment before them, whatever the machine's clock does.
//!
//! Pure: the caller reads the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far back a clock may be set before it is believed. Corrections are far smaller, and a clock that went wrong far larger.
const SET_BACK_MAX: Duration = Duration::from_secs(60 * 60);
/// The latest time that RFC 3339 can write: the last second of the year 9999.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// Gives times that don't fall.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    last: SystemTime,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { last: UNIX_EPOCH }
    }
}

impl Clock {
    /// A clock that goes on from a time in RFC 3339, or from anywhere if it is none.
    pub fn after(time: &str) -> Clock {
        humantime::parse_rfc3339(time).map_or(Clock::default(), |last| Clock { last })
    }

    /// Gives no time before this one, which another machine has given, unless that is more than an hour ahead of `now`.
    #[cfg(feature = "redis")]
    pub fn saw(&mut self, time: SystemTime, now: SystemTime) {
        if time <= now + SET_BACK_MAX {
            self.last = self.last.max(time);
        }
    }

    /// Returns the time to give where the machine's clock shows `now`, and by how much that has fallen if it fell by more than an hour.
    /// Then, and only then, the time given falls too.
    pub fn tick(&mut self, now: SystemTime) -> (String, Option<Duration>) {
        let now = representable(now);
        let behind = self.last.duration_since(now).unwrap_or_default();
        let fallen = (behind > SET_BACK_MAX).then_some(behind);
        if behind.is_zero() || fallen.is_some() {
            self.last = now;
        }
        (rfc3339(self.last), fallen)
    }
}

/// Formats a time in UTC with milliseconds. A time that RFC 3339 can't write becomes the nearest one that it can.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(representable(time)).to_string()
}

/// Whether RFC 3339 and HTTP can write a time.
pub fn is_representable(time: SystemTime) -> bool {
    representable(time) == time
}

fn representable(time: SystemTime) -> SystemTime {
    time.clamp(UNIX_EPOCH, UNIX_EPOCH + LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "2026-11-22T12:00:00.000Z";

    fn noon(offset: i64) -> SystemTime {
        let noon = humantime::parse_rfc3339(NOON).unwrap();
        let by = Duration::from_secs(offset.unsigned_abs());
        if offset < 0 { noon - by } else { noon + by }
    }

    #[test]
    fn a_clock_that_is_set_back_by_an_hour_at_most_stands_still_until_it_has_caught_up() {
        let mut clock = Clock::after(NOON);
        for (shows, given) in [(0, 0), (5, 5), (-1, 5), (5 - 3600, 5), (4, 5), (6, 6)] {
            assert_eq!(clock.tick(noon(shows)), (rfc3339(noon(given)), None), "{shows}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_by_more_than_an_hour_is_believed_and_reported_once() {
        let mut clock = Clock::after(NOON);
        let (time, fallen) = clock.tick(noon(-3601));
        assert_eq!((time, fallen), (rfc3339(noon(-3601)), Some(Duration::from_secs(3601))));
        assert_eq!(clock.tick(noon(-3601)), (rfc3339(noon(-3601)), None));
        assert_eq!(clock.tick(noon(0)), (NOON.into(), None));
    }

    #[cfg(feature = "redis")]
    #[test]
    fn no_time_is_given_before_that_of_another_machine_unless_its_clock_is_wrong() {
        let mut clock = Clock::after(NOON);
        clock.saw(noon(5), noon(3));
        assert_eq!(clock.tick(noon(3)).0, rfc3339(noon(5)));
        clock.saw(noon(4), noon(3));
        clock.saw(noon(3 + 3601), noon(3));
        assert_eq!(clock.tick(noon(6)).0, rfc3339(noon(6)));
    }

    #[test]
    fn a_time_that_can_not_be_written_becomes_the_nearest_that_can() {
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
        let latest = UNIX_EPOCH + LATEST + Duration::from_secs(86_400);
        assert_eq!(rfc3339(latest), "9999-12-31T23:59:59.000Z");
        let (time, fallen) = Clock::after(NOON).tick(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!((&*time, fallen.is_some()), ("1970-01-01T00:00:00.000Z", true));
        assert_eq!(Clock::after("yesterday").tick(UNIX_EPOCH).1, None);
    }
}
