//! Authors who write on all nodes at once, half of them over WebSocket and half over HTTP, and repeat what was not acknowledged at the
//! next node with the same nonce, as the widget does.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    net::TcpStream,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::{
    crowd,
    nodes::{Addresses, DEADLINE, LOOK_INTERVAL, PATIENCE, ask},
};
use crate::support::client::JSON;

/// Of the next nonce, whoever writes.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Authors at work.
pub struct Authors {
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// How many comments may be begun; `None`: no more.
    allowed: Option<usize>,
    begun: usize,
    /// `seq` of each acknowledged comment, by nonce.
    acknowledged: BTreeMap<String, u64>,
    /// How often an author was told to try again, with a sentence.
    refusals: BTreeMap<String, usize>,
    /// How often nobody answered.
    silences: usize,
}

impl Authors {
    /// So many authors, who wait to be let.
    pub fn start(addresses: &Addresses, count: usize) -> Authors {
        let state = Mutex::new(State { allowed: Some(0), ..State::default() });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let threads = (0..count).map(|number| {
            let (shared, addresses) = (shared.clone(), addresses.clone());
            thread::spawn(move || {
                Author { number, node: number, socket: None, addresses }.work(&shared)
            })
        });
        Authors { threads: threads.collect(), shared }
    }

    /// Lets so many more comments be written.
    pub fn allow(&self, more: usize) {
        let mut state = self.shared.state.lock().unwrap();
        state.allowed = state.allowed.map(|allowed| allowed + more);
        self.shared.changed.notify_all();
    }

    /// Waits until all but so many that are allowed are acknowledged.
    #[track_caller]
    pub fn wait_for_all_but(&self, fewer: usize) {
        let start = Instant::now();
        let mut state = self.shared.state.lock().unwrap();
        while state.acknowledged.len() + fewer < state.allowed.unwrap() {
            let (acknowledged, allowed) = (state.acknowledged.len(), state.allowed.unwrap());
            let last = state.refusals.keys().last();
            assert!(
                start.elapsed() < DEADLINE,
                "{acknowledged} of {allowed} are acknowledged: {last:?}"
            );
            state = self.shared.changed.wait_timeout(state, LOOK_INTERVAL).unwrap().0;
        }
    }

    /// Waits until so many answers were refusals or none came.
    #[track_caller]
    pub fn wait_for_refusals(&self, count: usize) {
        let start = Instant::now();
        let mut state = self.shared.state.lock().unwrap();
        while state.refusals.values().sum::<usize>() + state.silences < count {
            assert!(start.elapsed() < DEADLINE, "nobody is refused: {:?}", state.refusals);
            state = self.shared.changed.wait_timeout(state, LOOK_INTERVAL).unwrap().0;
        }
    }

    /// How many comments are acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.shared.state.lock().unwrap().acknowledged.len()
    }

    /// The sentences with which authors were told to try again.
    pub fn refusals(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().refusals.keys().cloned().collect()
    }

    /// Waits until all are done; `seq` of each comment by nonce.
    pub fn finish(self) -> BTreeMap<String, u64> {
        self.wait_for_all_but(0);
        self.shared.state.lock().unwrap().allowed = None;
        self.shared.changed.notify_all();
        for thread in self.threads {
            thread.join().expect("the author is content");
        }
        std::mem::take(&mut self.shared.state.lock().unwrap().acknowledged)
    }
}

/// Checks that each acknowledged comment has one line, with the `seq` of its acknowledgement, and that no nonce has two comments.
#[track_caller]
pub fn check_acknowledged(acknowledged: &BTreeMap<String, u64>, lines: &[String]) {
    let (mut nonces, mut found) = (HashSet::new(), 0);
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        if line.get("kind").is_some() || line["id"] != line["seq"] {
            continue;
        }
        let nonce = line["nonce"].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        if let Some(seq) = acknowledged.get(&nonce) {
            assert_eq!(line["seq"], *seq, "{nonce} was acknowledged with another seq");
            found += 1;
        }
        assert!(nonces.insert(nonce), "two comments have the nonce of {line}");
    }
    assert_eq!(found, acknowledged.len(), "an acknowledged comment is lost");
}

struct Author {
    number: usize,
    node: usize,
    socket: Option<WebSocket<TcpStream>>,
    addresses: Addresses,
}

impl Author {
    fn work(mut self, shared: &Shared) {
        while let Some(n) = next(shared) {
            let nonce =
                format!("comment-{:08}-of-{:03}", NUMBER.fetch_add(1, Relaxed), self.number);
            let body = json!({"content": format!("Comment {n} of author {}", self.number), "nonce": nonce});
            loop {
                let answer = match self.number.is_multiple_of(2) {
                    true => self.send(&body),
                    false => self.post(&body),
                };
                let mut state = shared.state.lock().unwrap();
                match answer {
                    Ok(line) if line.get("error").is_none() => {
                        let seq = line["id"].as_u64().unwrap_or_else(|| panic!("{line}"));
                        assert_eq!(state.acknowledged.insert(nonce, seq), None);
                        shared.changed.notify_all();
                        break;
                    }
                    Ok(refusal) => {
                        *state.refusals.entry(refusal["error"].to_string()).or_default() += 1;
                    }
                    Err(_) => {
                        (self.socket, state.silences) = (None, state.silences + 1);
                    }
                }
                shared.changed.notify_all();
                drop(state);
                self.node += 1;
                self.socket = None;
                thread::sleep(LOOK_INTERVAL);
            }
        }
    }

    fn address(&self) -> io::Result<std::net::SocketAddr> {
        let addresses = self.addresses.lock().unwrap();
        addresses[self.node % addresses.len()].ok_or(io::ErrorKind::ConnectionRefused.into())
    }

    /// The line, or an answer that says that it is worth trying again; panics on any other one.
    fn post(&mut self, body: &Value) -> io::Result<Value> {
        let (status, said) =
            ask(self.address()?, "POST", "/api/comments", JSON, &body.to_string())?;
        if matches!(status, 502 | 504) {
            // A proxy whose node went while it was asked.
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        assert!(matches!(status, 200 | 201 | 503), "{status} {said}");
        serde_json::from_str(&said).map_err(io::Error::other)
    }

    fn send(&mut self, body: &Value) -> io::Result<Value> {
        if self.socket.is_none() {
            let mut socket = crowd::open(self.address()?, "/ws/comments/?page=/")?;
            crowd::hello(&mut socket)?;
            self.socket = Some(socket);
        }
        let socket = self.socket.as_mut().expect("it is open");
        socket.send(Message::text(body.to_string())).map_err(io::Error::other)?;
        let start = Instant::now();
        // Others' lines come all the time.
        while start.elapsed() < PATIENCE {
            let Message::Text(text) = socket.read().map_err(io::Error::other)? else { continue };
            let said: Value = serde_json::from_str(&text).map_err(io::Error::other)?;
            if said["nonce"] == body["nonce"] {
                return Ok(said);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// The number of the next comment, once it is allowed; `None` at the end.
fn next(shared: &Shared) -> Option<usize> {
    let state = shared.state.lock().unwrap();
    let is_early = |state: &mut State| state.allowed.is_some_and(|allowed| state.begun >= allowed);
    let mut state = shared.changed.wait_while(state, is_early).unwrap();
    state.allowed?;
    state.begun += 1;
    Some(state.begun)
}
