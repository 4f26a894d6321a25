//! An HTTP client that shows what came: one exchange on a connection of its own, or one after the other on a connection that is
//! kept alive. Follows nothing and retries nothing.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::server::Server;

/// An author's key, and somebody else's.
pub const KEY: &str = "0123456789abcdef";
pub const OTHER_KEY: &str = "fedcba9876543210";
/// A moderator's token, for [`super::server::Builder::moderator`].
pub const TOKEN: &str = "a-moderator-token-of-more-than-32-bytes";

/// Header lines that say what the body is.
pub const JSON: &str = "Content-Type: application/json\r\n";
pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Header lines of a JSON request with a key or a token.
pub fn bearer(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\n{JSON}")
}

/// A response to a request.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// The status line and the header lines, as they came.
    pub head: String,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.head, name)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("no error: {self:?}")).to_owned()
    }
}

/// The value of a header in a head's text.
pub fn header(head: &str, name: &str) -> Option<String> {
    head.lines().skip(1).find_map(|line| {
        let (n, value) = line.split_once(':')?;
        n.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// A connection on which one request after the other is answered, however many responses come at once.
pub struct Connection {
    pub stream: TcpStream,
    /// What was read and belongs to no response yet.
    buffer: Vec<u8>,
}

impl Connection {
    /// Goes on with a connection of which nothing was read.
    pub fn on(stream: TcpStream) -> Connection {
        Connection { stream, buffer: Vec::new() }
    }

    /// The connection, and what was read behind the last response.
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// What was read behind the last response.
    pub fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a request, which is not HEAD, and returns the response.
    pub fn exchange(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request);
        self.receive()
    }

    /// The next response, of which the length must be told.
    pub fn receive(&mut self) -> Response {
        let mut response = self.receive_head();
        if matches!(response.status, 100..=199 | 204 | 304) {
            return response;
        }
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < length {
            self.read_more();
        }
        response.body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        response
    }

    /// The next response where it has no body, as one to HEAD.
    pub fn receive_head(&mut self) -> Response {
        let end = loop {
            match self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.read_more(),
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, head, body: String::new() }
    }

    fn read_more(&mut self) {
        let mut chunk = [0; 4096];
        let count = match self.stream.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            count => count.unwrap(),
        };
        let so_far = || String::from_utf8_lossy(&self.buffer).into_owned();
        assert!(count > 0, "the connection ended within a response: {:?}", so_far());
        self.buffer.extend_from_slice(&chunk[..count]);
    }
}

/// Checks that an error is one sentence without its full stop, and has these parts.
#[track_caller]
pub fn check_sentence(sentence: &str, parts: &[&str]) {
    let is_one = !sentence.is_empty() && !sentence.ends_with('.') && !sentence.contains('\n');
    assert!(is_one, "{sentence:?}");
    for part in parts {
        assert!(sentence.contains(part), "{sentence:?} does not say {part:?}");
    }
}

/// One request on a connection of its own, on which nothing comes behind the response.
pub fn request(server: &Server, method: &str, target: &str, headers: &str, body: &str) -> Response {
    let length =
        if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let host = server.address;
    let mut connection = server.connection();
    connection
        .send(format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n{body}"));
    let response = if method == "HEAD" { connection.receive_head() } else { connection.receive() };
    assert!(connection.buffer().is_empty(), "something comes behind the response: {response:?}");
    response
}

/// One request without a body on a connection of its own: the head and the body of the response as they came, compressed or not.
pub fn fetch(server: &Server, method: &str, target: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = server.connect();
    let host = server.address;
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = bytes.split_off(end);
    (String::from_utf8(bytes).unwrap(), body)
}

pub fn get(server: &Server, target: &str) -> Response {
    request(server, "GET", target, "", "")
}

pub fn post(server: &Server, body: &Value) -> Response {
    request(server, "POST", "/api/comments", JSON, &body.to_string())
}

/// A post that must succeed, and its line.
pub fn posted(server: &Server, content: &str) -> Value {
    let response = post(server, &json!({ "content": content }));
    assert_eq!(response.status, 201, "{response:?}");
    response.json()
}

/// A post as a browser without JavaScript sends its form.
pub fn form(server: &Server, fields: &[(&str, &str)]) -> Response {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    request(server, "POST", "/api/comments", FORM, &fields.join("&"))
}

/// A text in a query or a form.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The value of a field in the page's form.
pub fn form_value(page: &Response, name: &str) -> String {
    let (_, rest) = page
        .body
        .split_once(&format!("name=\"{name}\""))
        .unwrap_or_else(|| panic!("no field {name}: {page:?}"));
    rest.split_once("value=\"").unwrap().1.split('"').next().unwrap().to_owned()
}

/// Every line of a page, as whoever catches up over HTTP gets them: after `since`, 200 at a time.
pub fn history_since(server: &Server, page: &str, mut since: u64) -> Vec<Value> {
    let mut lines = Vec::new();
    loop {
        let target = format!("/api/comments?page={}&since={since}&limit=200", encoded(page));
        let response = get(server, &target).json();
        for line in response["comments"].as_array().unwrap() {
            let seq = line["seq"].as_u64().unwrap();
            assert!(seq > since, "{seq} comes behind {since}");
            since = seq;
            lines.push(line.clone());
        }
        if response["more"] == false {
            return lines;
        }
    }
}
