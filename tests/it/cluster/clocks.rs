//! Clocks that are wrong. Those of nodes don't matter, and that of Redis may be set at any time.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use sayso::util::hmac::hmac_sha256;
use serde_json::{Value, json};

use super::{
    authors::{Authors, check_acknowledged},
    crowd::Crowd,
    nodes::{Cluster, ask, node, until},
};
use crate::support::{
    client::{JSON, KEY, OTHER_KEY, Response, TOKEN, bearer, form, form_value, get, request},
    clock::Clock,
    redis::Redis,
    server::{Builder, Server},
};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// A time this near is the right one: far above what anything takes here, and far below an hour.
const NEAR: i64 = HOUR / 6;
const SECRET: &str = "a-secret-of-the-host-page-and-of-sayso-and-nobody-else";
const SITE: &str = "https://blog.example";
/// Posts of a round.
const ROUND: usize = 12;

fn with_clock(builder: Builder, clock: &Clock) -> Builder {
    clock.environment().into_iter().fold(builder, |builder, (name, value)| builder.env(name, value))
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn seconds(time: &Value) -> i64 {
    let time = humantime::parse_rfc3339(time.as_str().unwrap()).unwrap();
    time.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Checks that a line has a time so many seconds from now.
#[track_caller]
fn is_in(line: &Value, field: &str, after: i64) {
    let off = seconds(&line[field]) - now() - after;
    assert!(off.abs() < NEAR, "{field} is {off} s off: {line}");
}

/// People, each with an address of their own, so that only authors' rates matter.
struct People(u32);

impl People {
    /// What somebody's post is answered once it was neither lost nor had to wait for Redis.
    #[track_caller]
    fn post(&mut self, node: &Server, headers: &str, body: &Value) -> Response {
        self.0 += 1;
        let headers = format!("X-Forwarded-For: 192.0.2.{}\r\n{headers}", self.0);
        let send = || request(node, "POST", "/api/comments", &headers, &body.to_string());
        until(|| Some(send()).filter(|said| said.status != 503), || node.stderr())
    }

    #[track_caller]
    fn say(&mut self, node: &Server, body: &Value) -> Value {
        let said = self.post(node, JSON, body);
        assert_eq!(said.status, 201, "{said:?}");
        said.json()
    }

    /// Checks that all nodes refuse a post.
    #[track_caller]
    fn all_refuse(&mut self, cluster: &Cluster, body: &Value, code: &str) {
        for (at, node) in cluster.nodes.iter().enumerate() {
            // What another node has decided may still be on its way here.
            let said = until(
                || Some(self.post(node, JSON, body)).filter(|said| said.status != 201),
                || format!("node {at} takes it"),
            );
            assert_eq!(said.json()["code"], code, "node {at}: {said:?}");
        }
    }
}

/// What a host page whose clock is right signs about a user for half an hour.
fn signed_user() -> String {
    let claims = json!({"id": "Ada", "name": "Ada", "site": SITE, "until": now() + HOUR / 2});
    let text = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let mac = hmac_sha256(SECRET.as_bytes(), &[text.as_bytes()]);
    let digits: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("Origin: {SITE}\r\nAuthorization: Sayso {text}.{digits}\r\n{JSON}")
}

/// A log with a page that closes in half an hour, with `--close-after 1`, and one that has been closed for as long.
fn log_of_yesterday(clock: &Clock) -> Vec<u8> {
    let mut alone = with_clock(Server::builder().shell(""), clock).start();
    for (page, age) in [("closed", DAY + HOUR / 2), ("open", DAY - HOUR / 2)] {
        clock.shift(-age);
        let body = json!({"page": page, "content": "yesterday"}).to_string();
        assert_eq!(request(&alone, "POST", "/api/comments", JSON, &body).status, 201);
    }
    clock.shift(0);
    assert!(alone.stop().success());
    alone.log_bytes()
}

#[test]
fn nodes_an_hour_ahead_and_an_hour_behind_date_and_decide_by_the_time_of_redis() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (Some(right), Some(ahead), Some(behind)) = (Clock::new(), Clock::new(), Clock::new())
    else {
        return;
    };
    ahead.shift(HOUR);
    behind.shift(-HOUR);
    let flags = ["--close-after", "1", "--rate", "3/600", "--allow-origin", SITE];
    let builder = |clock| with_clock(node(&redis.url()), clock).flags(&flags).sign_on_file(SECRET);
    let first = builder(&right).stopped();
    first.write_log(log_of_yesterday(&right));
    let mut cluster = Cluster::of(vec![first]);
    cluster.restart(0);
    let mut people = People(0);
    is_in(&people.say(&cluster.nodes[0], &json!({"content": "first"})), "created_at", 0);
    cluster.nodes.extend([&ahead, &behind].map(|clock| builder(clock).start()));
    let addresses = cluster.nodes.iter().map(|node| Some(node.address)).collect();
    *cluster.addresses.lock().unwrap() = addresses;
    cluster.agree();

    // The user's signature is good for half an hour, wherever it is shown.
    let user = signed_user();
    for node in &cluster.nodes {
        is_in(&people.say(node, &json!({"content": "what time is it?"})), "created_at", 0);
        people.say(node, &json!({"page": "open", "content": "still open"}));
        let by_user = people.post(node, &user, &json!({"content": "signed"}));
        assert_eq!(by_user.status, 201, "{by_user:?}");
    }
    people.all_refuse(&cluster, &json!({"page": "closed", "content": "too late"}), "page_locked");

    // A form that the node ahead has shown is good on the others seconds later.
    let nonce = form_value(&get(&cluster.nodes[1], "/"), "nonce");
    let fields = [("page", "/"), ("nonce", &*nonce), ("content", "by form")];
    until(
        || (form(&cluster.nodes[0], &fields).status == 303).then_some(()),
        || form(&cluster.nodes[0], &fields).body,
    );

    // An author's posts are counted on all nodes alike.
    let by_author = json!({"content": "by an author", "key": KEY});
    let written: Vec<Value> =
        cluster.nodes.iter().map(|node| people.say(node, &by_author)).collect();
    cluster.agree();
    people.all_refuse(&cluster, &by_author, "too_fast");
    for (node, line) in cluster.nodes.iter().zip(&written) {
        let path = format!("/api/comments/{}", line["id"]);
        let edited = request(node, "PATCH", &path, &bearer(TOKEN), "{\"content\":\"edited\"}");
        is_in(&edited.json(), "edited_at", 0);
    }

    // Bans of half an hour, by the node ahead and by the one behind.
    for (at, key) in [(1, OTHER_KEY), (2, "a-third-author-has-this-key")] {
        let body = json!({"content": "to be banned", "key": key});
        let author = people.say(&cluster.nodes[at], &body)["author"].clone();
        let ban = json!({"author": author, "seconds": HOUR / 2}).to_string();
        let banned = request(&cluster.nodes[at], "POST", "/api/admin/bans", &bearer(TOKEN), &ban);
        is_in(&banned.json()["bans"][0], "until", HOUR / 2);
        people.all_refuse(&cluster, &body, "banned");
        cluster.kill(1);
        cluster.restart(1);
        people.all_refuse(&cluster, &body, "banned");
    }

    // A clock that is set while its node runs matters as little.
    for hours in [1, -1] {
        right.shift(hours * HOUR);
        is_in(&people.say(&cluster.nodes[0], &json!({"content": "and now?"})), "created_at", 0);
    }
    let lines = cluster.agree();
    cluster.agree_after_compaction();
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let posts: Vec<&Value> = lines.iter().filter(|line| line["seq"] == line["id"]).collect();
    let times: Vec<&str> = posts.iter().map(|line| line["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_redis_whose_clock_is_set_keeps_nobody_waiting_and_brings_nothing_out_of_order() {
    let Some(clock) = Clock::new() else { return };
    let config = ["appendonly yes", "appendfsync always"];
    let Some(mut redis) = Redis::start_with_clock(&config, &clock) else { return };
    let cluster = Cluster::start(&redis.url(), 3);
    let crowd = Crowd::join(&cluster.addresses, 12);
    let authors = Authors::start(&cluster.addresses, 6);
    let round = || {
        authors.allow(ROUND);
        authors.wait_for_all_but(0);
    };
    round();
    let newest = || {
        let (_, said) =
            ask(cluster.nodes[0].address, "GET", "/api/comments?page=/&limit=1", "", "").unwrap();
        serde_json::from_str::<Value>(&said).unwrap()["comments"][0].clone()
    };
    let mut rounds = 1;
    // An hour back, which is within what a clock may be corrected by; then more, and forward again.
    for (hours, dated) in [(-1, 0), (-3, -3), (2, 2), (0, 0)] {
        clock.shift(hours * HOUR);
        let (shown, _): (i64, i64) = redis.run(&["TIME"]);
        assert!((shown - now() - hours * HOUR).abs() < NEAR, "Redis has another clock: {shown}");
        // Before nodes know of it, and as soon as they do.
        round();
        redis.run::<usize>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        until(
            || {
                round();
                rounds += 1;
                let off = seconds(&newest()["created_at"]) - now() - dated * HOUR;
                (off.abs() < NEAR).then_some(())
            },
            || format!("{hours}: {}", newest()),
        );
        rounds += 1;
    }
    redis.kill();
    clock.shift(-5 * HOUR);
    redis.restart();
    round();
    rounds += 1;
    let acknowledged = authors.finish();
    let lines = cluster.agree();
    check_acknowledged(&acknowledged, &lines);
    assert_eq!(lines.len(), rounds * ROUND);
    let returns = crowd.leave(&lines);
    assert_eq!(returns.reloaded, 0, "{returns:?}");
    for node in &cluster.nodes {
        let (_, said) = ask(node.address, "GET", "/api/comments?page=/&limit=200", "", "").unwrap();
        let said: Value = serde_json::from_str(&said).unwrap();
        let id = |line: &Value| line["id"].as_u64().unwrap();
        let ids: Vec<u64> = said["comments"].as_array().unwrap().iter().map(id).collect();
        assert!(ids.is_sorted() && ids.len() == lines.len(), "whatever their times: {ids:?}");
    }
}
