//! What of a request reaches sayso, told to whoever sent it: `sayso doctor` compares it with what it sent.
//!
//! Pure. Tells an address only to whom it belongs: where no trusted proxy names the client, none at all.

use crate::{
    http::forwarded::{Client, Forwarded},
    http::request::RequestHead,
    http::response::Response,
    util::json,
};

/// Below the base path.
pub const PATH: &str = "/api/doctor";

/// `{"sayso":"0.1.0","host":…,"port":…,"named":…,"forwarded":"believed"|"ignored"|"none","client":…}`: the request's `Host`, the port
/// it came from, how many addresses its `X-Forwarded-For` names, what became of them, and the address that is believed.
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
