//! How many readers a page has on all machines, and who types there: what goes over a Redis channel.

use std::{
    collections::BTreeMap,
    sync::mpsc::{self, Receiver},
    time::Instant,
};

use redis::IntoConnectionInfo;
use sayso::{
    cluster::presence::{Listeners, PresenceChannel},
    hub::order::Presence,
};
use serde_json::json;

use crate::support::{
    client::{TOKEN, get, post, posted},
    frames::Client,
    redis::Redis,
    server::{Server, Signal, TIMEOUT},
};

#[test]
fn a_server_of_a_tests_own_can_be_killed_stopped_and_started_again() {
    let Some(mut redis) = Redis::start(&["appendonly yes", "appendfsync always"]) else { return };
    let other = Redis::start(&[]).unwrap();
    assert_ne!(redis.port(), other.port());
    redis.run::<()>(&["SET", "a", "1"]);
    assert_eq!(other.run::<Option<String>>(&["GET", "a"]), None);
    redis.kill();
    assert!(redis::Client::open(redis.url()).unwrap().get_connection().is_err());
    redis.restart();
    assert_eq!(redis.run::<Option<String>>(&["GET", "a"]).as_deref(), Some("1"));
    redis.signal(Signal::STOP);
    redis.signal(Signal::CONT);
    redis.stop();
    redis.configure(&["maxmemory 50mb"]);
    redis.restart();
    assert_eq!(redis.run::<Vec<String>>(&["CONFIG", "GET", "maxmemory"])[1], "52428800");
    assert_eq!(redis.run::<Option<String>>(&["GET", "a"]).as_deref(), Some("1"));
    redis.restart_empty();
    assert_eq!(redis.run::<Option<String>>(&["GET", "a"]), None);
    let mut over_socket = redis::Client::open(redis.unix_url()).unwrap().get_connection().unwrap();
    assert_eq!(redis::cmd("PING").query::<String>(&mut over_socket).unwrap(), "PONG");
}

/// What a machine hears.
#[derive(Debug)]
enum Event {
    Presence(Presence),
    Run(String),
}

/// A machine without a hub.
struct Machine {
    channel: PresenceChannel,
    events: Receiver<Event>,
    /// The last number of readers that the hub was told of each page.
    readers: BTreeMap<String, u32>,
    /// Who was ever typing.
    typing: Vec<(String, String)>,
}

impl Machine {
    fn start(redis: &Redis) -> Machine {
        let (sender, events) = mpsc::channel();
        let runs = sender.clone();
        let listeners = Listeners {
            on_presence: Box::new(move |presence| drop(sender.send(Event::Presence(presence)))),
            on_run: Box::new(move |run| drop(runs.send(Event::Run(run.to_owned())))),
        };
        let info = redis.url().into_connection_info().unwrap();
        let channel = PresenceChannel::start(&info, "test", listeners).unwrap();
        Machine { channel, events, readers: BTreeMap::new(), typing: Vec::new() }
    }

    fn tell(&self, page: &str, readers: u32) {
        self.channel
            .tell(Presence { readers: vec![(page.into(), readers)], ..Presence::default() });
    }

    fn next(&mut self) -> Event {
        let event = self.events.recv_timeout(TIMEOUT).expect("nothing is heard");
        if let Event::Presence(presence) = &event {
            for (page, readers) in &presence.readers {
                self.readers.insert(page.to_string(), *readers);
            }
            let typing = presence.typing.iter();
            self.typing.extend(typing.map(|(page, name)| (page.to_string(), name.to_string())));
        }
        event
    }

    /// Waits until the hub knows that a page has so many readers elsewhere.
    fn wait_for(&mut self, page: &str, readers: u32) {
        while self.readers.get(page) != Some(&readers) {
            self.next();
        }
    }
}

#[test]
fn machines_know_of_each_others_readers_typing_and_runs() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (mut one, mut two) = (Machine::start(&redis), Machine::start(&redis));
    one.tell("a", 3);
    two.tell("a", 1);
    two.tell("b", 2);
    one.wait_for("a", 1);
    one.wait_for("b", 2);
    two.wait_for("a", 3);
    let mut three = Machine::start(&redis);
    three.wait_for("a", 4);
    three.wait_for("b", 2);
    two.tell("b", 0);
    one.wait_for("b", 0);
    three.wait_for("b", 0);
    one.channel.set_run(&"8f14e45fceea167a".into());
    while !matches!(two.next(), Event::Run(run) if run == "8f14e45fceea167a") {}
    let typing = vec![("a".into(), "Ada".into())];
    one.channel.tell(Presence { typing, ..Presence::default() });
    while two.typing.is_empty() {
        two.next();
    }
    assert_eq!(two.typing, [("a".to_owned(), "Ada".to_owned())]);
    // Whoever stops says so.
    drop(one);
    two.wait_for("a", 0);
    three.wait_for("a", 1);
}

#[test]
fn numbers_are_right_again_after_redis_was_away_or_a_connection_was_lost() {
    let Some(mut redis) = Redis::start(&[]) else { return };
    let (mut one, mut two) = (Machine::start(&redis), Machine::start(&redis));
    one.tell("a", 1);
    two.wait_for("a", 1);
    redis.kill();
    one.tell("a", 2);
    one.tell("b", 5);
    two.tell("a", 7);
    redis.restart();
    two.wait_for("a", 2);
    two.wait_for("b", 5);
    one.wait_for("a", 7);
    let killed: u32 = redis.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!(killed, 2);
    one.tell("a", 3);
    two.wait_for("a", 3);
    // Connections end, and new ones may not subscribe until they are allowed to again.
    redis.run::<()>(&["ACL", "SETUSER", "default", "resetchannels"]);
    one.tell("a", 4);
    redis.run::<()>(&["ACL", "SETUSER", "default", "allchannels"]);
    two.wait_for("a", 4);
    // Nobody waits for a Redis that stands still.
    redis.signal(Signal::STOP);
    for readers in 1..=20_000 {
        one.tell("a", readers);
        one.tell(&format!("page {readers}"), 1);
    }
    redis.signal(Signal::CONT);
    two.wait_for("a", 20_000);
}

#[test]
fn what_no_machine_would_publish_is_ignored() {
    let Some(redis) = Redis::start(&[]) else { return };
    let mut machine = Machine::start(&redis);
    while redis.run::<(String, u32)>(&["PUBSUB", "NUMSUB", "sayso:test:live"]).1 == 0 {}
    let node = "\"node\":\"0123456789abcdef\"";
    let huge = "p".repeat(10_000);
    let lost = format!("{{{node},\"readers\":{{\"lost\":9}}}}");
    for hostile in [
        b"" as &[u8],
        b"\xff\xfe\0",
        b"[[[[[[[[",
        &vec![b'['; 1_000_000],
        &lost.as_bytes()[..lost.len() - 1],
        format!("{lost}{}", " ".repeat(256 * 1024)).as_bytes(),
        format!("{{{node},\"readers\":{{\"lost\":1e99}}}}").as_bytes(),
        format!("{{{node},\"readers\":{{\"{huge}\":1,\"a\\u0000\":1,\"lost\":4294967296}}}}")
            .as_bytes(),
        format!("{{{node},\"typing\":{{\"{huge}\":\"Ada\",\"a\":\"\\u001b[2J\"}}}}").as_bytes(),
        format!("{{{node},\"run\":\"a b\",\"readers\":{{\"last\":1}}}}").as_bytes(),
    ] {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg("sayso:test:live").arg(hostile).exec(&mut redis.connection()).unwrap();
    }
    machine.wait_for("last", 1);
    assert_eq!(machine.readers, BTreeMap::from([("last".to_owned(), 1)]));
    assert_eq!(machine.typing, []);
}

/// A sayso of its own machine.
fn node(redis: &Redis) -> Server {
    Server::builder().moderator(TOKEN).flags(&["--redis", &redis.url()]).start()
}

#[test]
fn readers_of_two_servers_see_their_number_and_who_types() {
    let Some(redis) = Redis::start(&[]) else { return };
    let (one, mut two) = (node(&redis), node(&redis));
    let mut here = Client::full(&one, "");
    let mut there = Client::full(&two, "");
    here.until(&json!({"readers": 2}));
    there.until(&json!({"readers": 2}));
    let mut third = Client::full(&two, "");
    assert_eq!(third.json()["hello"]["readers"], 3);
    here.until(&json!({"readers": 3}));
    there.send(&json!({"typing": true}));
    here.until(&json!({"typing": "Someone"}));
    third.until(&json!({"typing": "Someone"}));
    // Itself, two readers here, and one there.
    let headers = "Sec-WebSocket-Protocol: sayso.admin.1\r\n";
    let mut moderator = Client::open(&two, "/ws/admin/", headers).unwrap();
    moderator.send(&json!({"token": TOKEN}));
    moderator.until(&json!({"readers": 4}));
    drop(here);
    moderator.until(&json!({"readers": 3}));
    there.until(&json!({"readers": 2}));
    let mut here = Client::full(&one, "");
    assert_eq!(here.json()["hello"]["readers"], 3);
    two.stop();
    here.until(&json!({"readers": 1}));
}

#[test]
fn a_server_says_whether_it_follows_the_others_and_serves_readers_without() {
    let Some(mut redis) = Redis::start(&["appendonly yes", "appendfsync always"]) else { return };
    let server = node(&redis);
    let until = |connected: bool| {
        let start = Instant::now();
        loop {
            let health = get(&server, "/healthz");
            assert_eq!(health.status, 200, "{health:?}");
            assert_eq!(health.json()["status"], "ok");
            // That it is away is known a moment before why.
            let cluster = &health.json()["cluster"];
            if cluster["connected"] == connected && cluster["why"].is_null() == connected {
                return cluster.clone();
            }
            assert!(start.elapsed() < TIMEOUT, "{health:?}");
        }
    };
    let number = |name: &str| -> f64 {
        let text = get(&server, "/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    };
    assert_eq!(until(true), json!({"connected": true, "behind": 0}));
    posted(&server, "before");
    assert_eq!(number("sayso_cluster_connected"), 1.0);
    for none in ["heals_total", "refused_total"] {
        assert_eq!(number(&format!("sayso_cluster_{none}")), 0.0, "{none}");
    }
    // What waits is told a moment later than the author.
    let start = Instant::now();
    for none in ["sayso_cluster_behind_lines", "sayso_cluster_waiting"] {
        while number(none) != 0.0 {
            assert!(start.elapsed() < TIMEOUT, "{none} stays {}", number(none));
        }
    }
    let attaches = number("sayso_cluster_attaches_total");
    assert!(attaches >= 1.0);
    redis.kill();
    let cluster = until(false);
    let why = cluster["why"].as_str().unwrap();
    assert!(!why.contains("127.0.0.1") && !why.contains(&redis.port().to_string()), "{why}");
    assert_eq!(number("sayso_cluster_connected"), 0.0);
    assert_eq!(post(&server, &json!({"content": "meanwhile"})).status, 503);
    assert_eq!(number("sayso_cluster_refused_total"), 1.0);
    assert_eq!(get(&server, "/api/comments").json()["comments"][0]["content"], "before");
    redis.restart();
    until(true);
    assert!(number("sayso_cluster_attaches_total") > attaches);
    posted(&server, "after");
}
