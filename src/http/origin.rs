//! Decides which web pages may use this server: one list for WebSockets, for requests that change something, and for CORS.
//!
//! Pure. Browsers send the origin of the page that makes a request (RFC 6454 §6.1, §7). Other programs send none and are allowed.
//! Our own: it compares what browsers write, letter by letter; a parser of URLs takes far more than that for an origin.

use crate::http::error_code::ErrorCode;
use crate::http::request::HttpError;
use crate::util::text::{parse_decimal, shorten};

/// The longest origin that is accepted, in bytes. A DNS name has at most 253.
const ORIGIN_BYTES_MAX: usize = 300;
/// How much of an invalid origin is repeated in the error message.
const ECHO_CHARS_MAX: usize = 80;

/// The other sites that may embed the comments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Allows these origins, which must be normalized by [`normalize`].
    pub fn new(list: Vec<String>) -> Origins {
        debug_assert!(
            list.iter().all(|origin| normalize(origin).as_ref() == Ok(origin)),
            "the list is normalized"
        );
        Origins(list)
    }

    /// Whether a request with this `Origin` is allowed at this `Host`: if it has the same host and port, if it is on the list, or
    /// if there is no `Origin`. Ignores the scheme, since a proxy may end TLS before sayso; therefore no port, 80 and 443 count
    /// as the same. `null`, which every sandboxed frame and local file sends, is never allowed.
    pub fn allows(&self, origin: Option<&str>, host: &str) -> bool {
        match origin {
            None => true,
            Some(origin) => is_same_site(origin, host) || self.contains(origin),
        }
    }

    /// Checks whether a request may change something or open a WebSocket: its origin must be allowed, and where it has none, the browser must not say
    /// (`Sec-Fetch-Site`, W3C Fetch Metadata) that it comes from another site.
    ///
    /// # Errors
    /// The error message.
    pub fn check(
        &self,
        origin: Option<&str>,
        fetch_site: Option<&str>,
        host: &str,
    ) -> Result<(), String> {
        if origin.is_none() && fetch_site == Some("cross-site") {
            return Err("the browser says that this comes from another site, but not from which; \
                 only pages of this site and of those named with --allow-origin may send it"
                .into());
        }
        match self.allows(origin, host) {
            true => Ok(()),
            false => Err(refusal(origin.unwrap_or_default())),
        }
    }

    /// The value of `Access-Control-Allow-Origin`: the origin, if it is another site that is on the list.
    pub fn cors_origin<'o>(&self, origin: Option<&'o str>, host: &str) -> Option<&'o str> {
        origin.filter(|origin| self.contains(origin) && !is_same_site(origin, host))
    }

    fn contains(&self, origin: &str) -> bool {
        normalize(origin).is_ok_and(|origin| self.0.contains(&origin))
    }
}

/// Where a request comes from, as its headers say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requester<'r> {
    /// `Origin`.
    pub origin: Option<&'r str>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'r str>,
    /// `Host`.
    pub host: &'r str,
}

impl Requester<'_> {
    /// Whether a page of this site, an origin that is normalized, has made the request. Unlike [`Origins::allows`], this is strict
    /// about the scheme and about a missing `Origin`, which browsers only leave out where they ask a page's own server for something.
    pub fn is_page_of(&self, site: &str) -> bool {
        match self.origin {
            Some(origin) => normalize(origin).is_ok_and(|origin| origin == site),
            None => self.fetch_site == Some("same-origin") && is_same_site(site, self.host),
        }
    }
}

/// The error with this message for an origin that is not allowed; its value `origin` is what `--allow-origin` would take.
pub fn refused(origin: Option<&str>, message: String) -> HttpError {
    let error = HttpError::of(ErrorCode::OriginNotAllowed, message);
    match origin.map(normalize) {
        Some(Ok(origin)) => error.with("origin", &*origin),
        _ => error,
    }
}

/// The error message for an origin that is not allowed, with the flag that would allow it. Shortens an invalid origin and
/// replaces unusual characters before repeating it.
pub fn refusal(origin: &str) -> String {
    match normalize(origin) {
        Ok(origin) => format!("origin {origin} is not allowed; add --allow-origin {origin}"),
        Err(_) if origin == "null" => {
            "origin null is not allowed; a sandboxed frame or a local file can't use these comments"
                .into()
        }
        Err(_) => {
            let clean =
                |char: char| if char.is_ascii_graphic() || char == ' ' { char } else { '?' };
            let cleaned: String = origin.chars().map(clean).collect();
            let echo = shorten(&cleaned, ECHO_CHARS_MAX);
            format!("origin \"{echo}\" is not allowed; an origin looks like https://blog.example")
        }
    }
}

/// Normalizes an origin to `scheme://host[:port]` in lower case, without the scheme's default port (RFC 6454 §6.1).
///
/// # Errors
/// The end of a message that begins with "--flag is …, ", with what to write instead if that is clear.
pub fn normalize(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "but must be an origin such as https://blog.example";
    if text == "*" {
        return Err(
            "but every site that may embed the comments must be listed, such as https://blog.example".into()
        );
    }
    if text == "null" || text.len() > ORIGIN_BYTES_MAX {
        return Err(EXPECTED.into());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let is_host_name = split(text).is_some_and(|(host, _)| host.contains('.'));
        return Err(match is_host_name {
            true => {
                format!("but must begin with a scheme; write https://{}", text.to_ascii_lowercase())
            }
            false => EXPECTED.into(),
        });
    };
    let scheme = scheme.to_ascii_lowercase();
    if !is_scheme(&scheme) {
        return Err(EXPECTED.into());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((host, port)) = split(authority) else {
        return Err(match authority.is_ascii() {
            true if authority.contains('*') => {
                "but every host must be listed, * is not supported".into()
            }
            true => EXPECTED.into(),
            false => "but must be in ASCII (xn--…), as browsers send it".into(),
        });
    };
    let default = match scheme.as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    let mut origin = format!("{scheme}://{}", host.to_ascii_lowercase());
    if let Some(port) = port.filter(|port| Some(*port) != default) {
        origin.push_str(&format!(":{port}"));
    }
    if scheme == "ws" || scheme == "wss" {
        return Err(format!(
            "but must be the origin of the page, not of the WebSocket; write {}",
            origin.replacen("ws", "http", 1)
        ));
    }
    if authority.len() < rest.len() {
        return Err(format!("but must have no path; write {origin}"));
    }
    Ok(origin)
}

/// Whether an `Origin` has the host and port of a `Host`.
fn is_same_site(origin: &str, host: &str) -> bool {
    let Ok(origin) = normalize(origin) else { return false };
    let authority = origin.split_once("://").and_then(|(_, authority)| split(authority));
    let (Some((name, port)), Some((host_name, host_port))) = (authority, split(host)) else {
        return false;
    };
    let without_default = |port: Option<u16>| port.filter(|port| ![80, 443].contains(port));
    name.eq_ignore_ascii_case(host_name) && without_default(port) == without_default(host_port)
}

/// Splits `host[:port]`; an IPv6 address keeps its brackets. `None` if it is malformed.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.strip_prefix('[') {
        Some(_) => authority.find(']')? + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits) if digits.len() <= 5 => Some(parse_decimal(digits)?),
        _ => return None,
    };
    is_host(host).then_some((host, port))
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.bytes().all(is_name_byte)
        }
    }
}

/// Whether a lower-case text is a valid scheme (RFC 3986 §3.1).
fn is_scheme(scheme: &str) -> bool {
    let is_scheme_byte =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(is_scheme_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Origins {
        Origins::default()
    }

    fn blog() -> Origins {
        Origins::new(vec!["https://blog.example".into(), "http://localhost:1313".into()])
    }

    #[test]
    fn a_missing_origin_is_allowed_and_an_invalid_one_is_not() {
        assert!(none().allows(None, "a.example"));
        for invalid in [
            "null",
            "",
            "*",
            "a.example",
            "//a.example",
            "https://",
            "https://a.example, https://a.example",
        ] {
            assert!(!none().allows(Some(invalid), "a.example"), "{invalid}");
        }
    }

    #[test]
    fn the_same_host_and_port_are_allowed_whatever_the_scheme() {
        for (origin, host) in [
            ("https://a.example", "a.example"),
            ("http://a.example", "a.example"),
            ("https://a.example", "a.example:443"),
            ("https://a.example:443", "a.example"),
            ("https://a.example", "a.example:80"),
            ("http://a.example:80", "a.example"),
            ("HTTPS://A.Example", "a.eXAMPLE"),
            ("http://127.0.0.1:8000", "127.0.0.1:8000"),
            ("https://127.0.0.1:8000", "127.0.0.1:8000"),
            ("http://[::1]:8000", "[::1]:8000"),
            ("http://[::1]", "[::1]:80"),
            ("http://my_pi.local:8000", "my_pi.local:8000"),
        ] {
            assert!(none().allows(Some(origin), host), "{origin} {host}");
            assert_eq!(none().cors_origin(Some(origin), host), None, "{origin} {host}");
        }
    }

    #[test]
    fn another_host_or_port_is_not_allowed() {
        for (origin, host) in [
            ("https://b.example", "a.example"),
            ("https://a.example:8443", "a.example"),
            ("https://a.example", "a.example:8443"),
            ("http://localhost:8000", "localhost:8001"),
            ("https://a.example.evil.example", "a.example"),
            ("https://evil.example/a.example", "a.example"),
            ("https://a.example@evil.example", "a.example"),
            ("https://evil.example#a.example", "a.example"),
            ("https://a.example:443:8000", "a.example"),
            ("https://a.example", ""),
            ("https://a.example", "a.example, b.example"),
            ("https://[::1]", "[::2]"),
            ("https://[::1", "[::1"),
            ("https://a.example:", "a.example"),
            ("https://a.example:99999", "a.example:99999"),
            ("https://a.example/", "a.example"),
        ] {
            assert!(!none().allows(Some(origin), host), "{origin} {host}");
        }
    }

    #[test]
    fn listed_sites_are_allowed_and_returned_for_cors() {
        for origin in [
            "https://blog.example",
            "https://blog.example:443",
            "HTTPS://Blog.Example",
            "http://localhost:1313",
        ] {
            assert!(blog().allows(Some(origin), "a.example"), "{origin}");
            assert_eq!(blog().cors_origin(Some(origin), "a.example"), Some(origin));
        }
        for origin in [
            "http://blog.example",
            "https://blog.example:8443",
            "http://localhost",
            "https://x.blog.example",
        ] {
            assert!(!blog().allows(Some(origin), "a.example"), "{origin}");
            assert_eq!(blog().cors_origin(Some(origin), "a.example"), None);
        }
        assert_eq!(blog().cors_origin(None, "a.example"), None);
        assert_eq!(blog().cors_origin(Some("https://blog.example"), "blog.example"), None);
    }

    #[test]
    fn an_origin_is_normalized() {
        for (text, normalized) in [
            ("https://Blog.Example", "https://blog.example"),
            ("https://blog.example:443", "https://blog.example"),
            ("http://blog.example:80", "http://blog.example"),
            ("https://blog.example:80", "https://blog.example:80"),
            ("http://localhost:01313", "http://localhost:1313"),
            ("HTTP://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
            ("moz-extension://0a1b", "moz-extension://0a1b"),
        ] {
            assert_eq!(normalize(text).as_deref(), Ok(normalized));
            assert_eq!(normalize(normalized).as_deref(), Ok(normalized));
        }
    }

    #[test]
    fn a_wrong_origin_is_refused_with_what_to_write() {
        for (text, advice) in [
            ("https://blog.example/", "write https://blog.example"),
            ("https://Blog.example/posts?x#y", "write https://blog.example"),
            ("blog.example", "write https://blog.example"),
            ("wss://blog.example/ws", "write https://blog.example"),
            ("ws://blog.example:80", "write http://blog.example"),
            ("*", "must be listed"),
            ("https://*.example", "must be listed"),
            ("https://b\u{fc}cher.example", "xn--"),
            ("null", "https://blog.example"),
            ("blog", "https://blog.example"),
            ("https://", "https://blog.example"),
            ("://blog.example", "https://blog.example"),
            ("https://ada@blog.example", "https://blog.example"),
            ("https://blog.example:x", "https://blog.example"),
        ] {
            let error = normalize(text).unwrap_err();
            assert!(error.contains(advice), "{text}: {error}");
        }
    }

    #[test]
    fn a_refusal_names_the_flag_that_would_allow_the_origin() {
        assert_eq!(
            refusal("https://blog.example"),
            "origin https://blog.example is not allowed; add --allow-origin https://blog.example"
        );
        assert!(refusal("null").starts_with("origin null is not allowed"));
    }

    #[test]
    fn a_refusal_repeats_an_invalid_origin_cleaned_and_shortened() {
        let cleaned = refusal("<script>\r\n\u{202e}\0é");
        assert!(cleaned.contains("\"<script>?????\""), "{cleaned}");
        let long = format!("https://{}.example/", "a".repeat(1 << 20));
        assert!(refusal(&long).len() < 2 * ORIGIN_BYTES_MAX);
        assert!(refusal(&long).contains('…'));
        let exact = "é".repeat(ECHO_CHARS_MAX);
        assert!(refusal(&exact).contains(&"?".repeat(ECHO_CHARS_MAX)));
        assert!(!refusal(&exact).contains('…'));
    }

    #[test]
    fn a_request_is_of_the_site_that_its_origin_names_or_of_its_own_server_as_the_browser_says() {
        let from = |origin, fetch_site| Requester { origin, fetch_site, host: "a.example:8000" };
        let (own, blog) = ("https://a.example:8000", "https://blog.example");
        assert!(from(Some("HTTPS://Blog.example:443"), None).is_page_of(blog));
        assert!(from(None, Some("same-origin")).is_page_of(own));
        for wrong in [
            from(Some("http://blog.example"), None),
            from(Some("null"), Some("same-origin")),
            from(None, None),
            from(None, Some("same-site")),
            from(None, Some("same-origin")),
        ] {
            assert!(!wrong.is_page_of(blog), "{wrong:?}");
        }
        assert!(!from(None, None).is_page_of(own));
    }

    #[test]
    fn the_longest_origin_is_allowed_and_one_byte_more_is_not() {
        let host = "a".repeat(ORIGIN_BYTES_MAX - "https://".len());
        assert!(none().allows(Some(&format!("https://{host}")), &host));
        let host = format!("{host}a");
        assert!(!none().allows(Some(&format!("https://{host}")), &host));
    }
}
