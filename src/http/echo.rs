//! Responds with what sayso sees of a request; `sayso doctor` compares that with what it sent.
//!
//! Pure. Reveals an address only to the client that it belongs to, and only if a trusted proxy named it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    http::forwarded::{Client, Forwarded},
    http::request::RequestHead,
    http::response::Response,
};

/// The path of the endpoint below the base path.
pub const PATH: &str = "/api/doctor";

/// The body of the response.
#[derive(Debug, Serialize, Deserialize)]
pub struct Echo {
    /// The version that answers.
    pub sayso: String,
    /// The request's `Host`.
    pub host: String,
    /// The port it came from.
    pub port: u16,
    /// How many addresses its `X-Forwarded-For` names.
    pub named: usize,
    /// What became of them.
    pub forwarded: Forwarded,
    /// The address that is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
}

/// Responds with an [`Echo`] of a request.
pub fn echo(head: &RequestHead, port: u16, client: Client) -> Response {
    let forwarded = client.forwarded;
    let echo = Echo {
        sayso: env!("CARGO_PKG_VERSION").into(),
        host: head.get("host").unwrap_or_default().into(),
        port,
        named: head.get_all("x-forwarded-for").flat_map(|value| value.split(',')).count(),
        forwarded,
        client: (forwarded == Forwarded::Believed).then_some(client.address),
    };
    let body = serde_json::to_vec(&echo).expect("names, texts and numbers can be encoded");
    Response::json(200, body)
        .with("Cache-Control", "no-store")
        .with("X-Content-Type-Options", "nosniff")
}
