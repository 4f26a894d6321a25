//! Parses `--listen`. An error is the end of a message that begins with "--listen is …, ".
//!
//! Binds nothing; looks up a host name.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::{net::listen_socket::ListenAddress, util::text::is_decimal};

/// Parses an address and a port, looks up a host name with a port, or takes the path behind `unix:`.
pub(super) fn listen(text: &str) -> Result<ListenAddress, String> {
    match text.strip_prefix("unix:") {
        Some("") => Err("but must have a path behind unix:, such as unix:/run/sayso/http".into()),
        Some(path) => Ok(ListenAddress::Unix(path.into())),
        None => port(text).map(ListenAddress::Tcp),
    }
}

fn port(text: &str) -> Result<SocketAddr, String> {
    if is_decimal(text) {
        return Err(format!("but must include an address; write 127.0.0.1:{text}"));
    }
    let port = text.strip_prefix(':').or_else(|| text.strip_prefix("*:"));
    if let Some(port) = port.filter(|port| port.parse::<u16>().is_ok()) {
        return Err(format!(
            "but must include an address; write 0.0.0.0:{port} for all interfaces"
        ));
    }
    if text.contains("://") {
        return Err(
            "but must be an address without a scheme and a path, such as 127.0.0.1:8000".into()
        );
    }
    let has_port = text.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    if !has_port {
        return Err(
            "but must be an address and a port, such as 127.0.0.1:8000 or [::1]:8000".into()
        );
    }
    let resolved =
        text.to_socket_addrs().map_err(|error| format!("which can't be looked up: {error}"))?;
    // localhost often resolves to ::1 first, but proxies are configured to connect to 127.0.0.1.
    let resolved: Vec<_> = resolved.collect();
    let first = resolved.iter().find(|address| address.is_ipv4()).or(resolved.first());
    first.copied().ok_or_else(|| "which has no address".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listen_address_needs_a_port_and_may_be_a_host_name() {
        for text in ["127.0.0.1:8000", "0.0.0.0:0", "[::1]:65535", "[::]:80"] {
            assert_eq!(port(text).unwrap().to_string(), text);
        }
        let local = port("localhost:8000").unwrap();
        assert!(local.ip().is_loopback() && local.port() == 8000, "{local}");
        assert_eq!(listen("unix:/run/a b").unwrap().to_string(), "unix:/run/a b");
        for (text, advice) in [
            ("unix:", "such as unix:/run/sayso/http"),
            ("8000", "write 127.0.0.1:8000"),
            (":8000", "write 0.0.0.0:8000"),
            ("*:8000", "write 0.0.0.0:8000"),
            ("http://127.0.0.1:8000", "without a scheme"),
            ("127.0.0.1", "such as 127.0.0.1:8000"),
            ("localhost", "such as 127.0.0.1:8000"),
            ("127.0.0.1:65536", "such as 127.0.0.1:8000"),
            ("127.0.0.1:", "such as 127.0.0.1:8000"),
            (":", "such as 127.0.0.1:8000"),
            ("::1:8000", "[::1]:8000"),
            ("", "such as 127.0.0.1:8000"),
        ] {
            let error = listen(text).expect_err(text);
            assert!(error.starts_with("but ") && error.contains(advice), "{text:?}: {error}");
        }
    }
}
