//! What of a request reaches sayso, told to whoever sent it: `sayso doctor` compares it with what it sent.
//!
//! Pure. Tells an address only to whom it belongs: where no trusted proxy names the client, none at all.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    http::forwarded::{Client, Forwarded},
    http::request::Head,
    http::response::Answer,
};

/// Below the base path.
pub const PATH: &str = "/api/doctor";

/// What is told.
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

/// Answers with what has come.
pub fn reflect(head: &Head, port: u16, client: Client) -> Answer {
    let forwarded = client.forwarded;
    let echo = Echo {
        sayso: env!("CARGO_PKG_VERSION").into(),
        host: head.get("host").unwrap_or_default().into(),
        port,
        named: head.get_all("x-forwarded-for").flat_map(|value| value.split(',')).count(),
        forwarded,
        client: (forwarded == Forwarded::Believed).then_some(client.address),
    };
    Answer::json(200, &echo)
}
