//! The real server on a machine whose clock is wrong.

use serde_json::{Value, json};

use crate::support::{
    self,
    client::{JSON, TOKEN, bearer, get, posted, request},
    frames::Client,
    server::{Builder, Server},
};

/// A server whose clock the test sets.
struct Clock {
    shown: support::clock::Clock,
    server: Server,
}

impl Clock {
    fn start(seconds: i64) -> Option<Clock> {
        Clock::start_with(seconds, |builder| builder)
    }

    fn start_with(seconds: i64, with: impl Fn(Builder) -> Builder) -> Option<Clock> {
        let shown = support::clock::Clock::new()?;
        shown.show(seconds);
        let [library, shows] = shown.environment();
        let server = with(Server::builder())
            .shell("")
            .env(library.0, library.1)
            .env(shows.0, shows.1)
            .start();
        Some(Clock { shown, server })
    }

    fn set(&self, seconds: i64) {
        self.shown.show(seconds);
    }

    fn post(&self, content: &str) -> String {
        created_at(&posted(&self.server, content))
    }

    /// How often the server has said that the clock has fallen.
    fn errors(&self) -> usize {
        self.server.stderr().lines().filter(|line| line.contains(" error ")).count()
    }
}

fn created_at(line: &Value) -> String {
    line["created_at"].as_str().unwrap().to_owned()
}

#[test]
fn comments_never_fall_behind_the_one_before_unless_the_clock_is_set_back_by_more_than_an_hour() {
    let Some(mut clock) = Clock::start(1_800_000_000) else { return };
    assert_eq!(clock.post("first"), "2027-01-15T08:00:00.000Z");
    clock.set(1_800_000_000 - 3_600);
    assert_eq!(clock.post("an hour earlier"), "2027-01-15T08:00:00.000Z");
    // Neither does a restart forget the time of the comment before.
    assert!(clock.server.stop().success());
    clock.server.restart();
    assert_eq!(clock.post("after a restart"), "2027-01-15T08:00:00.000Z");
    clock.set(1_800_000_001);
    assert_eq!(clock.post("a second later"), "2027-01-15T08:00:01.000Z");
    assert_eq!(clock.errors(), 0, "{}", clock.server.stderr());
    clock.set(1_800_000_001 - 3_601);
    assert_eq!(clock.post("more than an hour earlier"), "2027-01-15T07:00:00.000Z");
    assert_eq!(clock.post("and no other error"), "2027-01-15T07:00:00.000Z");
    assert_eq!(clock.errors(), 1, "{}", clock.server.stderr());
    assert!(clock.server.stderr().contains("3601 s behind"), "{}", clock.server.stderr());
}

#[test]
fn a_clock_before_1970_or_after_9999_ends_nothing() {
    for seconds in [-86_400, 253_402_300_800 + 86_400] {
        // An empty folder and one with comments alike.
        let Some(mut clock) = Clock::start(seconds) else { return };
        let shown =
            if seconds < 0 { "1970-01-01T00:00:00.000Z" } else { "9999-12-31T23:59:59.000Z" };
        assert_eq!(clock.post("first"), shown);
        assert_eq!(get(&clock.server, "/").status, 200);
        clock.set(1_800_000_000);
        assert_eq!(clock.post("set right"), "2027-01-15T08:00:00.000Z");
        clock.set(seconds);
        let later = clock.post("wrong again");
        assert_eq!(later, shown);
        assert!(clock.server.stop().success());
        clock.server.restart();
        clock.server.compact();
        clock.post("after a restart");
        clock.server.check();
        assert!(clock.server.is_running() && clock.server.stop().success());
    }
}

#[test]
fn a_page_closes_so_many_days_after_its_first_comment_unless_a_moderator_says_otherwise() {
    const DAY: i64 = 24 * 60 * 60;
    const START: i64 = 1_800_000_000;
    let flags = |builder: Builder| builder.moderator(TOKEN).flags(&["--close-after", "30"]);
    let Some(mut clock) = Clock::start_with(START, flags) else { return };
    let post = |clock: &Clock, page: &str, content: &str| {
        let body = json!({"page": page, "content": content}).to_string();
        let response = request(&clock.server, "POST", "/api/comments", JSON, &body);
        (response.status, response.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    let lock = |clock: &Clock, page: &str, locked: bool| {
        let body = json!({"page": page, "locked": locked}).to_string();
        let headers = bearer(TOKEN);
        request(&clock.server, "PATCH", "/api/admin/pages", &headers, &body).status
    };
    let (taken, closed) = ((201, String::new()), (403, "page_locked".to_owned()));
    for page in ["/", "/kept", "/deleted"] {
        assert_eq!(post(&clock, page, "first"), taken);
    }
    request(&clock.server, "DELETE", "/api/comments/3", &bearer(TOKEN), "");
    let mut reader = Client::full(&clock.server, "");
    assert_eq!(reader.json()["hello"]["locked"], Value::Null);
    clock.set(START + 29 * DAY);
    assert_eq!(post(&clock, "/", "on the last day"), taken);
    clock.set(START + 30 * DAY);
    assert_eq!(lock(&clock, "/kept", false), 200);
    for is_restarted in [false, true] {
        assert_eq!(post(&clock, "/", "too late"), closed);
        assert_eq!(post(&clock, "/deleted", "too late"), closed, "a deleted comment counts");
        assert_eq!(
            post(&clock, "/kept", &format!("{is_restarted}")),
            taken,
            "a moderator keeps it open"
        );
        assert_eq!(post(&clock, &format!("/new {is_restarted}"), "new"), taken);
        assert_eq!(get(&clock.server, "/api/comments").json()["locked"], true);
        if !is_restarted {
            reader.until(&json!({"locked": true}));
            assert!(clock.server.stop().success());
            clock.server.restart();
            clock.server.compact();
        }
    }
    assert_eq!(Client::full(&clock.server, "").json()["hello"]["locked"], true);
    // A moderator opens a page that has closed, and closes one that has not.
    assert_eq!((lock(&clock, "/", false), lock(&clock, "/new true", true)), (200, 200));
    assert_eq!(post(&clock, "/", "open again"), taken);
    assert_eq!(post(&clock, "/new true", "closed"), closed);
}
