//! Responds with what sayso sees of a request; `sayso doctor` compares that with what it sent.
//!
//! Pure. Reveals an address only to the client that it belongs to, and only if a trusted proxy named it.

use std::net::IpAddr;

use serde::Serialize;

use crate::{
    http::forwarded::{Client, Forwarded},
    http::request::{HttpError, RequestHead},
    http::response::Response,
    util::json::{self, Slot},
    util::version,
};

/// The path of the endpoint below the base path.
pub const PATH: &str = "/api/doctor";

/// The body of the response.
#[derive(Debug, Serialize)]
pub struct Echo {
    /// The version that answers, with its commit.
    pub sayso: String,
    /// The request's `Host`.
    pub host: String,
    /// The port it came from; 0 for a Unix socket.
    pub port: u16,
    /// How many addresses its `X-Forwarded-For` names.
    pub named: usize,
    /// What became of them.
    pub forwarded: Forwarded,
    /// The address that is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
}

impl Echo {
    /// Parses the body of a response; `None` if it isn't one.
    pub fn parse(json: &str) -> Option<Echo> {
        let (mut sayso, mut host, mut forwarded) = Default::default();
        let (mut port, mut named, mut client) = Default::default();
        let mut fields = [
            ("sayso", Slot::Text(&mut sayso)),
            ("host", Slot::Text(&mut host)),
            ("port", Slot::Number(&mut port)),
            ("named", Slot::Number(&mut named)),
            ("forwarded", Slot::Text(&mut forwarded)),
            ("client", Slot::OptionalText(&mut client)),
        ];
        json::read(json.as_bytes(), 5, &mut fields).ok()?;
        let forwarded = match &*forwarded {
            "none" => Forwarded::None,
            "ignored" => Forwarded::Ignored,
            "believed" => Forwarded::Believed,
            _ => return None,
        };
        let client = client.map(|client: String| client.parse()).transpose().ok()?;
        let (port, named) = (port.try_into().ok()?, named.try_into().ok()?);
        Some(Echo { sayso, host, port, named, forwarded, client })
    }
}

/// Responds with an [`Echo`] of a request.
pub fn echo(head: &RequestHead, port: u16, client: Client) -> Response {
    if !matches!(head.method(), "GET" | "HEAD") {
        let allowed = "GET, HEAD";
        let error = HttpError::new(405, format!("this path takes only {allowed}"));
        return Response::from_error(&error.with("allowed", allowed)).with("Allow", allowed);
    }
    let forwarded = client.forwarded;
    let echo = Echo {
        sayso: version::long(),
        host: head.get("host").unwrap_or_default().into(),
        port,
        named: head.get_all("x-forwarded-for").flat_map(|value| value.split(',')).count(),
        forwarded,
        client: client.address.filter(|_| forwarded == Forwarded::Believed),
    };
    let body = serde_json::to_vec(&echo).expect("names, texts and numbers can be encoded");
    Response::json(200, body)
        .with("Cache-Control", "no-store")
        .with("X-Content-Type-Options", "nosniff")
}
