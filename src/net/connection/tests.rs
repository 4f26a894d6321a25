//! Tests of `visit.rs`.

use std::net::TcpListener;
use std::thread;

use crate::http::forwarded::Network;

use super::*;

/// Answers with whom it is for, goes on as an echo, and panics on demand.
struct Echo;

impl Handler for Echo {
    fn handle(
        &self,
        head: &RequestHead,
        body: &[u8],
        client: IpAddr,
    ) -> Result<Response, HttpError> {
        match head.path() {
            "/panic" => std::panic::resume_unwind(Box::new(())),
            "/slow" => thread::sleep(Duration::from_millis(100)),
            _ => {}
        }
        let body = String::from_utf8_lossy(body);
        let message = format!("[{} {} {body} {client}]", head.method(), head.target());
        Ok(Response::refusal(&HttpError::new(200, message)))
    }

    fn upgrade(&self, head: &RequestHead, guest: Upgrade) -> Result<(), HttpError> {
        if head.query() == "no" {
            return Err(HttpError::new(403, "[not allowed]"));
        }
        let written = format!("[session for {}]", guest.client);
        (&*guest.stream).write_all(&[written.as_bytes(), &guest.rest].concat()).unwrap();
        thread::spawn(move || {
            let guest = guest;
            let mut bytes = [0; 64];
            while let Ok(n @ 1..) = (&*guest.stream).read(&mut bytes) {
                (&*guest.stream).write_all(&bytes[..n]).unwrap();
            }
        });
        Ok(())
    }
}

/// A house for so many, of which so many of one address.
fn connections(all: u32, per_address: u32, trust_loopback: bool) -> Arc<Connections> {
    let trusted: Vec<Network> = if trust_loopback { forwarded::loopback() } else { Vec::new() };
    let options = Options {
        base_path: "/base".into(),
        max_connections: all,
        max_per_address: per_address,
        trust_proxy: trusted,
    };
    Arc::new(Connections::new(options, u32::MAX, Box::new(Echo)))
}

/// A client of the house.
struct Client {
    stream: TcpStream,
    unread: String,
}

impl Client {
    fn of(connections: &Arc<Connections>, number: u64) -> Result<Client, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        connections.spawn(number, Arc::new(accepted), peer)?;
        Ok(Client { stream, unread: String::new() })
    }

    fn send(&mut self, text: &str) -> &mut Client {
        self.stream.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Reads to the first `end`, and with it.
    fn until(&mut self, end: &str) -> String {
        let mut bytes = [0; 4096];
        loop {
            if let Some(at) = self.unread.find(end) {
                let rest = self.unread.split_off(at + end.len());
                return std::mem::replace(&mut self.unread, rest);
            }
            let n = self.stream.read(&mut bytes).unwrap();
            assert!(n > 0, "the connection ended after {:?}", self.unread);
            self.unread.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
        }
    }

    fn is_over(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

fn get(target: &str, more: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{more}\r\n")
}

fn websocket(target: &str, more: &str) -> String {
    get(target, &format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{more}"))
}

/// Waits for what other threads are about to do.
fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
        thread::yield_now();
    }
    false
}

#[test]
fn a_websocket_begins_on_the_first_request_as_on_a_later_one() {
    let connections = connections(9, 9, true);
    for target in ["/base/ws/comments", "/base/ws/comments/", "/base/ws/comments/?page=a"] {
        for before in [0, 1, 2] {
            let mut client = Client::of(&connections, 1).unwrap();
            for _ in 0..before {
                assert!(client.send(&get("/x", "")).until("}").contains("[GET /x "));
            }
            client.send(&(websocket(target, "") + "early "));
            assert_eq!(client.until("early "), "[session for 127.0.0.1]early ");
            assert_eq!(client.send("late ").until("late "), "late ");
        }
    }
}

#[test]
fn what_is_no_websocket_is_answered_as_a_request() {
    let connections = connections(9, 9, true);
    let mut client = Client::of(&connections, 1).unwrap();
    for text in [
        get("/base/ws/comments/", ""),
        get("/base/ws/comments/", "Upgrade: websocket\r\n"),
        websocket("/ws/comments/", ""),
        websocket("/base/ws/commentsx", ""),
        websocket("/base/ws/comments/x", ""),
        websocket("/base/ws/comments/", "").replace("GET", "PUT"),
    ] {
        assert!(client.send(&text).until("}").starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    }
}

#[test]
fn a_refused_websocket_leaves_the_connection_as_it_was() {
    let connections = connections(9, 9, true);
    let mut client = Client::of(&connections, 1).unwrap();
    assert!(client.send(&websocket("/base/ws/comments?no", "")).until("}").contains(" 403 "));
    let with_body = websocket("/base/ws/comments", "Content-Length: 3\r\n") + "abc";
    assert!(client.send(&with_body).until("}").contains("not with 3 bytes"));
    assert!(client.send(&websocket("/base/ws/comments", "")).until("]").contains("[session"));
    let mut old = Client::of(&connections, 2).unwrap();
    let text = websocket("/base/ws/comments", "").replace("HTTP/1.1", "HTTP/1.0");
    assert!(old.send(&text).until("}").contains("needs HTTP/1.1"));
}

#[test]
fn the_house_takes_as_many_as_fit_and_one_more_is_503_until_one_goes() {
    let connections = connections(2, 9, true);
    let first = Client::of(&connections, 1).unwrap();
    let _second = Client::of(&connections, 2).unwrap();
    assert_eq!(Client::of(&connections, 3).err().unwrap().status, 503);
    drop(first);
    assert!(soon(|| Client::of(&connections, 4).is_ok()));
}

#[test]
fn an_untrusted_peer_counts_from_its_coming_whatever_it_says() {
    let connections = connections(9, 2, false);
    let mut first = Client::of(&connections, 1).unwrap();
    let _second = Client::of(&connections, 2).unwrap();
    let refusal = Client::of(&connections, 3).err().unwrap();
    assert_eq!(refusal.status, 429, "{refusal:?}");
    assert!(connections.limits.acquire().is_ok());
    let text = get("/", "X-Forwarded-For: 192.0.2.1\r\n");
    assert!(first.send(&text).until("}").contains("127.0.0.1]"));
}

#[test]
fn a_proxy_has_no_cap_and_those_it_speaks_for_have_theirs() {
    let connections = connections(9, 1, true);
    let mut clients: Vec<_> = (0..4).map(|n| Client::of(&connections, n).unwrap()).collect();
    let one = "X-Forwarded-For: 192.0.2.1\r\n";
    assert!(clients[0].send(&websocket("/base/ws/comments", one)).until("]").contains("192.0.2.1"));
    for text in [websocket("/base/ws/comments", one), get("/", one)] {
        assert!(clients[1].send(&text).until("}").starts_with("HTTP/1.1 429 "));
    }
    let other = get("/", "X-Forwarded-For: 192.0.2.2\r\n");
    for client in &mut clients[1..] {
        assert!(client.send(&other).until("}").contains(" 192.0.2.2]"));
    }
    assert!(clients[2].send(&get("/", "")).until("}").contains(" 127.0.0.1]"));
    drop(clients.remove(0));
    assert!(soon(|| clients[2].send(&get("/", one)).until("}").contains(" 200 OK")));
}

#[test]
fn a_panic_ends_its_connection_and_nothing_else() {
    let connections = connections(2, 9, true);
    let mut other = Client::of(&connections, 1).unwrap();
    let mut client = Client::of(&connections, 2).unwrap();
    assert!(client.send(&get("/panic", "")).is_over());
    assert!(other.send(&get("/", "")).until("}").contains("[GET / "));
    assert!(soon(|| Client::of(&connections, 3).is_ok()));
    assert!(soon(|| connections.active().len() == 1));
}

#[test]
fn a_closed_house_finishes_what_it_has_begun_and_leaves_sessions_alone() {
    let connections = connections(9, 9, true);
    let mut session = Client::of(&connections, 1).unwrap();
    session.send(&websocket("/base/ws/comments", "")).until("]");
    assert!(soon(|| connections.active().is_empty()));
    let mut idle = Client::of(&connections, 2).unwrap();
    idle.send(&get("/", "")).until("}");
    let mut slow = Client::of(&connections, 3).unwrap();
    slow.send(&get("/slow", ""));
    thread::sleep(Duration::from_millis(50));
    connections.close();
    let start = Instant::now();
    connections.drain(Duration::from_secs(5));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(connections.active().is_empty() && idle.is_over());
    assert!(slow.until("}").contains("\r\nConnection: close\r\n"));
    assert_eq!(session.send("still ").until("still "), "still ");
}
