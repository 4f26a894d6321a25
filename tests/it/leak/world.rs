//! What is done to the comments, and what everyone may know of them by then.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use serde_json::{Value, json};

use super::readers::{Readers, words};
use crate::{
    model::Chance,
    support::{
        client::{JSON, Response, TOKEN, bearer, encoded, get, request},
        server::{Server, Signal},
    },
};

/// The pages that are commented on.
pub const PAGES: [&str; 2] = ["/", "/other"];
/// What readers get of all pages.
const OF_ALL_PAGES: [&str; 3] = ["/api/newest?limit=50", "/feed.atom", "/feed.json"];
/// Authors' keys.
const KEYS: [&str; 4] =
    ["author-number-0-key", "author-number-1-key", "author-number-2-key", "author-number-3-key"];
/// What has become of comments whose nonces are tried by somebody else.
const FATES: [&str; 3] = ["waits", "was rejected", "was deleted unseen"];
/// Answers that are compared of each.
const SAMPLES: usize = 1_000;
/// Who only reads, but has a key too.
pub const STRANGER: &str = "a-stranger-with-a-key";

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Pending,
    Public,
    Hidden,
    Deleted,
}

/// A comment as its author and moderators know it.
struct Known {
    id: u64,
    page: &'static str,
    key: &'static str,
    nonce: String,
    /// The words in its name and its text.
    words: [String; 2],
    state: State,
}

/// See the [module](self).
pub struct World {
    server: Server,
    readers: Readers,
    chance: Chance,
    comments: Vec<Known>,
    words_made: usize,
    requests: usize,
    /// The words that everyone may see in the line with this `seq`.
    lines: HashMap<u64, HashSet<String>>,
    seen: usize,
}

impl World {
    pub fn start(hold: &str, chance: Chance) -> World {
        let flags = ["--hold", hold, "--flags-hold", "2"];
        let server = Server::builder().moderator(TOKEN).flags(&flags).shell("").start();
        let readers = Readers::connect(&server);
        World {
            server,
            readers,
            chance,
            comments: Vec::new(),
            words_made: 0,
            requests: 0,
            lines: HashMap::new(),
            seen: 0,
        }
    }

    /// Does something, mostly to a comment that is there already.
    pub fn act(&mut self) {
        match self.chance.below(40) {
            0..10 => self.post(),
            10..14 => self.edit(),
            14..22 => self.decide(json!({"status": "public"}), Some(State::Public)),
            22..26 => self.decide(json!({"status": "hidden"}), Some(State::Hidden)),
            26 => self.decide(json!({"status": "pending"}), None),
            27 => self.decide(json!({"pinned": true}), None),
            28..31 => self.flag(),
            31..34 => self.like(),
            34 => self.delete(TOKEN),
            35 => self.delete(""),
            36 => self.edit_as_moderator(),
            37 if self.chance.below(12) == 0 => self.restart(),
            38 if self.chance.below(6) == 0 => self.server.compact(),
            _ => self.post(),
        }
    }

    fn word(&mut self, kind: &str) -> String {
        self.words_made += 1;
        format!("{kind}{:06}", self.words_made)
    }

    /// A request from an address of its own, so that nobody is ever too fast.
    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        self.requests += 1;
        let n = self.requests;
        let from = format!("X-Forwarded-For: 10.{}.{}.{}\r\n", n >> 16, n >> 8 & 255, n & 255);
        request(&self.server, method, path, &format!("{from}{headers}"), body)
    }

    fn pick(&mut self, is_wanted: impl Fn(&Known) -> bool) -> Option<usize> {
        let wanted: Vec<usize> =
            (0..self.comments.len()).filter(|n| is_wanted(&self.comments[*n])).collect();
        // The newest ones mostly, so that the same comment goes through much.
        let back = wanted.len().min(1 + self.chance.below(12));
        (!wanted.is_empty()).then(|| wanted[wanted.len() - back])
    }

    fn post(&mut self) {
        let page = PAGES[self.chance.below(2)];
        let key = KEYS[self.chance.below(4)];
        let words = [self.word("nam"), self.word("sec")];
        let nonce = format!("the-nonce-of-post-{}", self.words_made);
        let mut body = json!({"page": page, "name": words[0], "content": format!("*{}* said", words[1]),
                              "key": key, "nonce": nonce});
        if self.chance.below(2) == 0
            && let Some(parent) =
                self.pick(|known| known.state == State::Public && known.page == page)
        {
            body["parent"] = json!(self.comments[parent].id);
        }
        let before = self.tags();
        let response = self.send("POST", "/api/comments", JSON, &body.to_string());
        let state = match response.status {
            201 => State::Public,
            202 => State::Pending,
            _ => panic!("{response:?}"),
        };
        let line = response.json();
        let id = line["id"].as_u64().unwrap();
        self.comments.push(Known { id, page, key, nonce, words, state });
        self.note(self.comments.len() - 1, &line);
        if state == State::Pending {
            assert_eq!(self.tags(), before, "a held comment has changed what readers get");
        }
    }

    /// The entity tags of the pages, and of what comes from all of them.
    fn tags(&mut self) -> Vec<Option<String>> {
        let pages = PAGES.iter().map(|page| format!("/?page={}", encoded(page)));
        let paths = pages.chain(OF_ALL_PAGES.map(str::to_owned));
        paths.map(|path| get(&self.server, &path).header("etag")).collect()
    }

    /// Takes down which words a line shows to everyone.
    fn note(&mut self, number: usize, line: &Value) {
        let known = &self.comments[number];
        let is_public = known.state == State::Public;
        let words = if is_public { known.words.iter().cloned().collect() } else { HashSet::new() };
        self.lines.insert(line["seq"].as_u64().unwrap(), words);
    }

    fn edit(&mut self) {
        let Some(n) = self.pick(|known| known.state != State::Deleted) else { return };
        let word = self.word("sec");
        let (key, id) = (self.comments[n].key, self.comments[n].id);
        let body = json!({"content": format!("**{word}** instead")}).to_string();
        let response = self.send("PATCH", &format!("/api/comments/{id}"), &bearer(key), &body);
        assert_eq!(response.status, 200, "{response:?}");
        self.comments[n].words[1] = word;
        self.learn_state(n, &response.json());
    }

    fn edit_as_moderator(&mut self) {
        let Some(n) = self.pick(|known| known.state != State::Deleted) else { return };
        let word = self.word("sec");
        let body = json!({"content": word, "reason": "was too long"}).to_string();
        let path = format!("/api/comments/{}", self.comments[n].id);
        let response = self.send("PATCH", &path, &bearer(TOKEN), &body);
        assert_eq!(response.status, 200, "{response:?}");
        self.comments[n].words[1] = word;
        self.learn_state(n, &response.json());
    }

    /// Takes the state from a line as the author or a moderator gets it.
    fn learn_state(&mut self, number: usize, line: &Value) {
        self.comments[number].state = match line["status"].as_str() {
            _ if line["deleted"] == true => State::Deleted,
            None => State::Public,
            Some("hidden") => State::Hidden,
            Some("pending") => State::Pending,
            other => panic!("{other:?}"),
        };
        self.note(number, line);
    }

    fn decide(&mut self, body: Value, wanted: Option<State>) {
        let Some(n) =
            self.pick(|known| known.state != State::Deleted && Some(known.state) != wanted)
        else {
            return;
        };
        let path = format!("/api/comments/{}", self.comments[n].id);
        let response = self.send("PATCH", &path, &bearer(TOKEN), &body.to_string());
        match response.status {
            200 => self.learn_state(n, &response.json()),
            // Not everything can be pinned or made to wait again.
            _ => assert_eq!(response.status, 409, "{response:?}"),
        }
    }

    fn delete(&mut self, token: &str) {
        let Some(n) = self.pick(|known| known.state != State::Deleted) else { return };
        let key = if token.is_empty() { self.comments[n].key } else { token };
        let path = format!("/api/comments/{}", self.comments[n].id);
        let response = self.send("DELETE", &path, &bearer(key), "");
        assert_eq!(response.status, 200, "{response:?}");
        self.learn_state(n, &response.json());
        self.comments[n].state = State::Deleted;
    }

    fn flag(&mut self) {
        let Some(n) = self.pick(|known| known.state == State::Public) else { return };
        let (id, key) = (self.comments[n].id, KEYS[self.chance.below(4)]);
        let response = self.send("POST", &format!("/api/comments/{id}/flag"), &bearer(key), "");
        assert_eq!(response.status, 204, "{response:?}");
        // Two flags hide it; only a moderator is told.
        let page = encoded(self.comments[n].page);
        let path = format!("/api/comments?page={page}&before={}&limit=1", id + 1);
        let line = self.send("GET", &path, &bearer(TOKEN), "").json()["comments"][0].clone();
        assert_eq!(line["id"], id);
        self.learn_state(n, &line);
    }

    fn like(&mut self) {
        let Some(n) = self.pick(|_| true) else { return };
        let body = json!({"on": self.chance.below(3) > 0, "key": STRANGER}).to_string();
        let path = format!("/api/comments/{}/like", self.comments[n].id);
        let response = self.send("POST", &path, JSON, &body);
        let state = self.comments[n].state;
        assert_eq!(response.status == 200, state == State::Public, "{state:?} {response:?}");
        self.check(&response);
    }

    fn restart(&mut self) {
        self.readers.drain(&self.lines);
        if self.chance.below(2) == 0 {
            self.server.kill();
        } else {
            self.server.signal(Signal::TERM);
            assert!(self.server.wait().success());
        }
        self.server.restart();
        self.readers = Readers::connect(&self.server);
    }

    /// Checks that a response to somebody else has only words that everyone may see now.
    #[track_caller]
    fn check(&mut self, response: &Response) {
        let public: HashSet<&String> = (self.comments.iter())
            .filter(|known| known.state == State::Public)
            .flat_map(|known| &known.words)
            .collect();
        for word in words(&response.head).chain(words(&response.body)) {
            assert!(public.contains(&word), "{word} is nobody's business: {response:?}");
            self.seen += 1;
        }
    }

    /// Reads on every way there is, as somebody whom nothing concerns.
    pub fn read_everything(&mut self) {
        for path in OF_ALL_PAGES {
            self.read(path);
        }
        self.compare_newest();
        for page in PAGES.map(encoded) {
            for path in [
                format!("/api/comments?page={page}"),
                format!("/api/comments?page={page}&since=0&limit=200"),
                format!("/api/comments?page={page}&threads=50"),
                format!("/?page={page}"),
                format!("/api/counts?page={page}"),
                format!("/feed.atom?page={page}"),
                format!("/feed.json?page={page}"),
            ] {
                self.read(&path);
            }
            let shown = self.send("GET", &format!("/api/counts?page={page}"), "", "").json();
            let count = self
                .comments
                .iter()
                .filter(|known| encoded(known.page) == page && known.state == State::Public);
            assert_eq!(shown.as_object().unwrap().values().next(), Some(&json!(count.count())));
        }
        if let Some(n) = self.pick(|_| true) {
            self.ask_about(n);
        }
        self.readers.fresh(&self.server, &self.lines);
    }

    fn read(&mut self, path: &str) {
        let response = self.send("GET", path, &bearer(STRANGER), "");
        self.check(&response);
        // A stranger who guesses an entity tag is told nothing either.
        let tag = format!("If-None-Match: {}\r\n", response.header("etag").unwrap_or_default());
        let again = self.send("GET", path, &tag, "");
        self.check(&again);
    }

    /// Everything that is public is there, and at once.
    fn compare_newest(&mut self) {
        let newest = self.send("GET", OF_ALL_PAGES[0], "", "").json();
        let ids: Vec<_> =
            newest["comments"].as_array().unwrap().iter().map(|c| c["id"].as_u64()).collect();
        let public = self.comments.iter().rev().filter(|known| known.state == State::Public);
        let expected: Vec<_> = public.take(50).map(|known| Some(known.id)).collect();
        assert_eq!(ids, expected);
    }

    /// Asks for one comment on every way that names it.
    fn ask_about(&mut self, number: usize) {
        let Known { id, page, ref nonce, state, .. } = self.comments[number];
        let page_name = encoded(page);
        let same_nonce = json!({"page": page, "content": "mine", "key": STRANGER, "nonce": nonce});
        for (method, path, body) in [
            ("GET", format!("/api/comments?page={page_name}&thread={id}"), String::new()),
            (
                "GET",
                format!("/api/comments?page={page_name}&before={}&limit=1", id + 1),
                String::new(),
            ),
            ("GET", format!("/?page={page_name}&thread={id}"), String::new()),
            ("GET", format!("/?page={page_name}&before={}", id + 1), String::new()),
            ("PATCH", format!("/api/comments/{id}"), json!({"content": "mine"}).to_string()),
            ("DELETE", format!("/api/comments/{id}"), String::new()),
            ("POST", "/api/comments".into(), same_nonce.to_string()),
        ] {
            let headers = if method == "GET" { String::new() } else { bearer(STRANGER) };
            let response = self.send(method, &path, &headers, &body);
            self.check(&response);
            let is_refused = method == "GET" || response.status >= 400 || response.status == 200;
            assert!(is_refused, "{state:?} {response:?}");
        }
    }

    /// Compares how somebody else's nonce is answered when its comment waits, was rejected, or was deleted before anybody saw it.
    pub fn compare_nonces(&mut self) {
        let mut asked = Vec::new();
        for fate in 0..FATES.len() {
            self.post();
            let number = self.comments.len() - 1;
            let id = self.comments[number].id;
            let path = format!("/api/comments/{id}");
            match fate {
                1 => drop(self.send("PATCH", &path, &bearer(TOKEN), "{\"status\":\"hidden\"}")),
                2 => drop(self.send("DELETE", &path, &bearer(TOKEN), "")),
                _ => {}
            }
            let Known { page, ref nonce, .. } = self.comments[number];
            let body = json!({"page": page, "content": "mine", "key": STRANGER, "nonce": nonce});
            asked.push((body.to_string(), nonce.clone()));
        }
        let (mut answers, mut times) = (HashSet::new(), vec![Vec::new(); FATES.len()]);
        for _ in 0..SAMPLES {
            for (fate, (body, nonce)) in asked.iter().enumerate() {
                let start = Instant::now();
                let response = self.send("POST", "/api/comments", JSON, body);
                times[fate].push(start.elapsed());
                self.check(&response);
                answers.insert((response.status, response.body.replace(nonce, "")));
            }
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
        // Only told: a clock decides no test.
        for (fate, times) in FATES.iter().zip(&mut times) {
            times.sort();
            println!("{fate}: median {:?} of {SAMPLES}", times[SAMPLES / 2]);
        }
    }

    /// Checks what the sockets were sent, and what is in the server's log. Returns how many words were seen.
    pub fn finish(mut self) -> usize {
        self.readers.drain(&self.lines);
        self.server.check();
        let said = self.server.stderr();
        assert_eq!(words(&said).next(), None, "the server's log has a comment's words");
        self.server.compact();
        let log = self.server.log_text();
        let deleted = self.comments.iter().filter(|known| known.state == State::Deleted);
        for word in deleted.flat_map(|known| &known.words) {
            assert!(!log.contains(word), "{word} was deleted and is still in the file");
        }
        self.seen + self.readers.seen
    }
}
