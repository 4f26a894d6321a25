//! Responds with what sayso sees of a request; `sayso doctor` compares that with what it sent.
//!
//! Pure. Reveals an address only to the client that it belongs to, and only if a trusted proxy named it.

use crate::{
    http::forwarded::{Client, Forwarded},
    http::request::RequestHead,
    http::response::Response,
    util::json,
};

/// The path of the endpoint below the base path.
pub const PATH: &str = "/api/doctor";

/// Responds with `{"sayso":"0.1.0","host":…,"port":…,"named":…,"forwarded":"believed"|"ignored"|"none","client":…}`: the request's
/// `Host`, the peer's port, how many addresses `X-Forwarded-For` names, whether they are believed, and the client's address if so.
pub fn echo(head: &RequestHead, port: u16, client: Client) -> Response {
    let (forwarded, address) = match client.forwarded {
        Forwarded::Believed => ("believed", format!(",\"client\":\"{}\"", client.address)),
        Forwarded::Ignored => ("ignored", String::new()),
        Forwarded::None => ("none", String::new()),
    };
    let named = head.get_all("x-forwarded-for").flat_map(|value| value.split(',')).count();
    let host = json::text(head.get("host").unwrap_or_default());
    let version = env!("CARGO_PKG_VERSION");
    Response::json(
        200,
        format!(
            "{{\"sayso\":\"{version}\",\"host\":{host},\"port\":{port},\"named\":{named},\"forwarded\":\"{forwarded}\"{address}}}"
        ),
    )
}
