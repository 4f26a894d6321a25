//! Tests of `connection.rs`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::http::forwarded::Network;

use super::*;

/// Responds with the request and its client, echoes bytes after an upgrade, and panics on demand.
struct EchoHandler;

impl Handler for EchoHandler {
    fn handle(
        &self,
        head: &RequestHead,
        body: &[u8],
        client: Option<IpAddr>,
    ) -> Result<Response, HttpError> {
        match head.path() {
            "/panic" => std::panic::resume_unwind(Box::new(())),
            "/slow" => thread::sleep(Duration::from_millis(100)),
            _ => {}
        }
        let body = String::from_utf8_lossy(body);
        let client = client.unwrap();
        let message = format!("[{} {} {body} {client}]", head.method(), head.target());
        Ok(Response::from_error(&HttpError::new(200, message)))
    }

    fn upgrade(&self, head: &RequestHead, upgrade: Upgrade) -> Result<(), HttpError> {
        if head.query() == "no" {
            return Err(HttpError::new(403, "[not allowed]"));
        }
        let greeting = format!("[upgraded for {}]", upgrade.client.unwrap());
        (&*upgrade.stream).write_all(&[greeting.as_bytes(), &upgrade.buffered].concat()).unwrap();
        thread::spawn(move || {
            let upgrade = upgrade;
            let mut bytes = [0; 64];
            while let Ok(n @ 1..) = (&*upgrade.stream).read(&mut bytes) {
                (&*upgrade.stream).write_all(&bytes[..n]).unwrap();
            }
        });
        Ok(())
    }
}

/// Connections with these limits in all and per address.
fn connections(max: u32, max_per_address: u32, trust_loopback: bool) -> Arc<Connections> {
    let trust_proxy: Vec<Network> = if trust_loopback { forwarded::loopback() } else { Vec::new() };
    let options = Options {
        base_path: "/base".into(),
        trust_proxy,
        max_connections: max,
        max_per_address,
        counters: Arc::default(),
    };
    Arc::new(Connections::new(options, u32::MAX, Box::new(EchoHandler)))
}

struct Client {
    stream: TcpStream,
    unread: String,
}

impl Client {
    fn connect(connections: &Arc<Connections>, number: u64) -> Result<Client, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        connections.spawn(number, Arc::new(accepted.into()), Some(peer))?;
        Ok(Client { stream, unread: String::new() })
    }

    fn send(&mut self, text: &str) -> &mut Client {
        self.stream.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Reads up to and including the first `end`.
    fn read_until(&mut self, end: &str) -> String {
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

    fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

fn get(target: &str, more: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n{more}\r\n")
}

fn websocket(target: &str, more: &str) -> String {
    get(target, &format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{more}"))
}

/// Waits up to 10 s until the condition holds.
fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if condition() {
            return true;
        }
        thread::yield_now();
    }
    false
}

#[test]
fn the_first_request_or_a_later_one_can_upgrade_to_a_websocket() {
    let connections = connections(9, 9, true);
    for target in ["/base/ws/comments", "/base/ws/comments/", "/base/ws/comments/?page=a"] {
        for before in [0, 1, 2] {
            let mut client = Client::connect(&connections, 1).unwrap();
            for _ in 0..before {
                assert!(client.send(&get("/x", "")).read_until("}").contains("[GET /x "));
            }
            client.send(&(websocket(target, "") + "early "));
            assert_eq!(client.read_until("early "), "[upgraded for 127.0.0.1]early ");
            assert_eq!(client.send("late ").read_until("late "), "late ");
        }
    }
}

#[test]
fn a_request_that_is_not_an_upgrade_is_handled_as_plain_http() {
    let connections = connections(9, 9, true);
    let mut client = Client::connect(&connections, 1).unwrap();
    for text in [
        get("/base/ws/comments/", ""),
        get("/base/ws/comments/", "Upgrade: websocket\r\n"),
        websocket("/ws/comments/", ""),
        websocket("/base/ws/commentsx", ""),
        websocket("/base/ws/comments/x", ""),
        websocket("/base/ws/comments/", "").replace("GET", "PUT"),
    ] {
        assert!(client.send(&text).read_until("}").starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    }
}

#[test]
fn after_a_refused_upgrade_the_connection_still_serves_requests() {
    let connections = connections(9, 9, true);
    let mut client = Client::connect(&connections, 1).unwrap();
    assert!(client.send(&websocket("/base/ws/comments?no", "")).read_until("}").contains(" 403 "));
    let with_body = websocket("/base/ws/comments", "Content-Length: 3\r\n") + "abc";
    assert!(client.send(&with_body).read_until("}").contains("but has one of 3 bytes"));
    assert!(client.send(&websocket("/base/ws/comments", "")).read_until("]").contains("[upgraded"));
    let mut old = Client::connect(&connections, 2).unwrap();
    let text = websocket("/base/ws/comments", "").replace("HTTP/1.1", "HTTP/1.0");
    assert!(old.send(&text).read_until("}").contains("needs HTTP/1.1"));
}

#[test]
fn connections_up_to_the_limit_are_served_and_one_more_is_503_until_one_ends() {
    let connections = connections(2, 9, true);
    let first = Client::connect(&connections, 1).unwrap();
    let _second = Client::connect(&connections, 2).unwrap();
    assert_eq!(Client::connect(&connections, 3).err().unwrap().status, 503);
    drop(first);
    assert!(eventually(|| Client::connect(&connections, 4).is_ok()));
}

#[test]
fn an_untrusted_peer_counts_by_its_own_address_whatever_it_forwards() {
    let connections = connections(9, 2, false);
    let mut first = Client::connect(&connections, 1).unwrap();
    let _second = Client::connect(&connections, 2).unwrap();
    let error = Client::connect(&connections, 3).err().unwrap();
    assert_eq!(error.status, 429, "{error:?}");
    assert!(connections.limits.acquire().is_ok());
    let text = get("/", "X-Forwarded-For: 192.0.2.1\r\n");
    assert!(first.send(&text).read_until("}").contains("127.0.0.1]"));
}

#[test]
fn a_proxy_has_no_limit_but_each_of_its_clients_has_one() {
    let connections = connections(9, 1, true);
    let mut clients: Vec<_> = (0..4).map(|n| Client::connect(&connections, n).unwrap()).collect();
    let limited = "X-Forwarded-For: 192.0.2.1\r\n";
    assert!(
        clients[0]
            .send(&websocket("/base/ws/comments", limited))
            .read_until("]")
            .contains("192.0.2.1")
    );
    for text in [websocket("/base/ws/comments", limited), get("/", limited)] {
        assert!(clients[1].send(&text).read_until("}").starts_with("HTTP/1.1 429 "));
    }
    let other = get("/", "X-Forwarded-For: 192.0.2.2\r\n");
    for client in &mut clients[1..] {
        assert!(client.send(&other).read_until("}").contains(" 192.0.2.2]"));
    }
    assert!(clients[2].send(&get("/", "")).read_until("}").contains(" 127.0.0.1]"));
    drop(clients.remove(0));
    assert!(eventually(|| clients[2].send(&get("/", limited)).read_until("}").contains(" 200 OK")));
}

#[test]
fn a_panic_ends_its_connection_and_nothing_else() {
    let connections = connections(2, 9, true);
    let mut other = Client::connect(&connections, 1).unwrap();
    let mut client = Client::connect(&connections, 2).unwrap();
    assert!(client.send(&get("/panic", "")).is_closed());
    assert!(other.send(&get("/", "")).read_until("}").contains("[GET / "));
    assert!(eventually(|| Client::connect(&connections, 3).is_ok()));
    assert!(eventually(|| connections.active().len() == 1));
}

#[test]
fn draining_finishes_current_requests_and_leaves_websockets_open() {
    let connections = connections(9, 9, true);
    let mut upgraded = Client::connect(&connections, 1).unwrap();
    upgraded.send(&websocket("/base/ws/comments", "")).read_until("]");
    assert!(eventually(|| connections.active().is_empty()));
    let mut idle = Client::connect(&connections, 2).unwrap();
    idle.send(&get("/", "")).read_until("}");
    let mut slow = Client::connect(&connections, 3).unwrap();
    slow.send(&get("/slow", ""));
    thread::sleep(Duration::from_millis(50));
    connections.close();
    let start = Instant::now();
    connections.drain(Duration::from_secs(5));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(connections.active().is_empty() && idle.is_closed());
    assert!(slow.read_until("}").contains("\r\nConnection: close\r\n"));
    assert_eq!(upgraded.send("still ").read_until("still "), "still ");
}
