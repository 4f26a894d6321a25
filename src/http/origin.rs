//! Which web pages may talk to this server: one list for WebSocket, for requests that change something, and for CORS.
//!
//! Pure. An origin is what a browser says about the page that asks (RFC 6454 §6.1, §7); programs say nothing and pass.
//! Our own: it compares what browsers write, letter by letter; a parser of URLs takes far more than that for an origin.

/// The longest text that is read as an origin, or repeated to who sent it: a DNS name has at most 253 bytes.
const ORIGIN_BYTES_MAX: usize = 300;
/// What of a text that is no origin is repeated in the refusal.
const ECHO_CHARS_MAX: usize = 80;

/// The other sites that may embed the comments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// A list of origins as [`normal`] writes them.
    pub fn new(list: Vec<String>) -> Origins {
        debug_assert!(
            list.iter().all(|origin| normal(origin).as_ref() == Ok(origin)),
            "the list is normal"
        );
        Origins(list)
    }

    /// Whether a request with this `Origin` may come to this `Host`: from the same host and port, from a site of the
    /// list, or from no web page at all. The scheme is not compared, since a proxy may end TLS before sayso; so no
    /// port, 80 and 443 are the same port. `null`, which every sandboxed frame and local file sends, is nobody.
    pub fn admits(&self, origin: Option<&str>, host: &str) -> bool {
        match origin {
            None => true,
            Some(origin) => same(origin, host) || self.lists(origin),
        }
    }

    /// The value for `Access-Control-Allow-Origin`: the origin, if it is another site and of the list.
    pub fn cross<'o>(&self, origin: Option<&'o str>, host: &str) -> Option<&'o str> {
        origin.filter(|origin| self.lists(origin) && !same(origin, host))
    }

    fn lists(&self, origin: &str) -> bool {
        normal(origin).is_ok_and(|origin| self.0.contains(&origin))
    }
}

/// The sentence for an origin that is not admitted, with what would admit it. What is no origin is shortened and
/// cleaned before it is repeated.
pub fn refusal(origin: &str) -> String {
    match normal(origin) {
        Ok(origin) => format!("origin {origin} is not allowed; add --allow-origin {origin}"),
        Err(_) if origin == "null" => {
            "origin null is not allowed; a sandboxed frame or a local file can't use these comments"
                .into()
        }
        Err(_) => {
            let clean =
                |char: char| if char.is_ascii_graphic() || char == ' ' { char } else { '?' };
            let mut echo: String = origin.chars().take(ECHO_CHARS_MAX).map(clean).collect();
            if echo.len() < origin.len() && origin.chars().nth(ECHO_CHARS_MAX).is_some() {
                echo.push('…');
            }
            format!(
                "origin \"{echo}\" is not allowed; it is no origin such as https://blog.example"
            )
        }
    }
}

/// `scheme://host[:port]` in lower case, without the scheme's default port (RFC 6454 §6.1).
///
/// # Errors
/// A sentence that goes on after "is …, ", with what to write where that can be told.
pub fn normal(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "but must be an origin such as https://blog.example";
    if text == "*" {
        return Err(
            "but every site that may embed must be named, such as https://blog.example".into()
        );
    }
    if text == "null" || text.len() > ORIGIN_BYTES_MAX {
        return Err(EXPECTED.into());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let named = split(text).is_some_and(|(host, _)| host.contains('.'));
        return Err(match named {
            true => format!(
                "but must begin with its scheme; write https://{}",
                text.to_ascii_lowercase()
            ),
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
                "but every host must be named, * is not understood".into()
            }
            true => EXPECTED.into(),
            false => "but must be as browsers send it, in ASCII (xn--…)".into(),
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
            "but the origin is the page's; write {}",
            origin.replacen("ws", "http", 1)
        ));
    }
    if authority.len() < rest.len() {
        return Err(format!("but an origin has no path; write {origin}"));
    }
    Ok(origin)
}

/// Whether an `Origin` names the host and port of a `Host`.
fn same(origin: &str, host: &str) -> bool {
    let Ok(origin) = normal(origin) else { return false };
    let authority = origin.split_once("://").and_then(|(_, authority)| split(authority));
    let (Some((name, port)), Some((host_name, host_port))) = (authority, split(host)) else {
        return false;
    };
    let any = |port: Option<u16>| port.filter(|port| ![80, 443].contains(port));
    name.eq_ignore_ascii_case(host_name) && any(port) == any(host_port)
}

/// `host[:port]` in two, the host with its brackets if it is an IPv6 address; nothing where it is neither.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.strip_prefix('[') {
        Some(_) => authority.find(']')? + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some(digits)
            if (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Some(digits.parse().ok()?)
        }
        _ => return None,
    };
    is_host(host).then_some((host, port))
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.bytes().all(byte)
        }
    }
}

/// RFC 3986 §3.1, after lower-casing.
fn is_scheme(scheme: &str) -> bool {
    let byte =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.bytes().all(byte)
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
    fn who_is_no_browser_passes_and_who_is_nobody_does_not() {
        assert!(none().admits(None, "a.example"));
        for nobody in [
            "null",
            "",
            "*",
            "a.example",
            "//a.example",
            "https://",
            "https://a.example, https://a.example",
        ] {
            assert!(!none().admits(Some(nobody), "a.example"), "{nobody}");
        }
    }

    #[test]
    fn the_same_host_and_port_pass_whatever_the_scheme() {
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
            assert!(none().admits(Some(origin), host), "{origin} {host}");
            assert_eq!(none().cross(Some(origin), host), None, "{origin} {host}");
        }
    }

    #[test]
    fn another_host_or_port_does_not_pass() {
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
            assert!(!none().admits(Some(origin), host), "{origin} {host}");
        }
    }

    #[test]
    fn sites_of_the_list_pass_and_are_named_for_cors() {
        for origin in [
            "https://blog.example",
            "https://blog.example:443",
            "HTTPS://Blog.Example",
            "http://localhost:1313",
        ] {
            assert!(blog().admits(Some(origin), "a.example"), "{origin}");
            assert_eq!(blog().cross(Some(origin), "a.example"), Some(origin));
        }
        for origin in [
            "http://blog.example",
            "https://blog.example:8443",
            "http://localhost",
            "https://x.blog.example",
        ] {
            assert!(!blog().admits(Some(origin), "a.example"), "{origin}");
            assert_eq!(blog().cross(Some(origin), "a.example"), None);
        }
        assert_eq!(blog().cross(None, "a.example"), None);
        assert_eq!(blog().cross(Some("https://blog.example"), "blog.example"), None);
    }

    #[test]
    fn an_origin_is_written_in_one_way() {
        for (text, written) in [
            ("https://Blog.Example", "https://blog.example"),
            ("https://blog.example:443", "https://blog.example"),
            ("http://blog.example:80", "http://blog.example"),
            ("https://blog.example:80", "https://blog.example:80"),
            ("http://localhost:01313", "http://localhost:1313"),
            ("HTTP://[2001:DB8::1]:8080", "http://[2001:db8::1]:8080"),
            ("moz-extension://0a1b", "moz-extension://0a1b"),
        ] {
            assert_eq!(normal(text).as_deref(), Ok(written));
            assert_eq!(normal(written).as_deref(), Ok(written));
        }
    }

    #[test]
    fn a_wrong_origin_is_told_what_to_write() {
        for (text, advice) in [
            ("https://blog.example/", "write https://blog.example"),
            ("https://Blog.example/posts?x#y", "write https://blog.example"),
            ("blog.example", "write https://blog.example"),
            ("wss://blog.example/ws", "write https://blog.example"),
            ("ws://blog.example:80", "write http://blog.example"),
            ("*", "must be named"),
            ("https://*.example", "must be named"),
            ("https://b\u{fc}cher.example", "xn--"),
            ("null", "https://blog.example"),
            ("blog", "https://blog.example"),
            ("https://", "https://blog.example"),
            ("://blog.example", "https://blog.example"),
            ("https://ada@blog.example", "https://blog.example"),
            ("https://blog.example:x", "https://blog.example"),
        ] {
            let error = normal(text).unwrap_err();
            assert!(error.contains(advice), "{text}: {error}");
        }
    }

    #[test]
    fn a_refusal_names_the_flag_that_would_admit() {
        assert_eq!(
            refusal("https://blog.example"),
            "origin https://blog.example is not allowed; add --allow-origin https://blog.example"
        );
        assert!(refusal("null").starts_with("origin null is not allowed"));
    }

    #[test]
    fn a_refusal_repeats_nothing_wild_and_nothing_long() {
        let wild = refusal("<script>\r\n\u{202e}\0é");
        assert!(wild.contains("\"<script>?????\""), "{wild}");
        let long = format!("https://{}.example/", "a".repeat(1 << 20));
        assert!(refusal(&long).len() < 2 * ORIGIN_BYTES_MAX);
        assert!(refusal(&long).contains('…'));
        let exact = "é".repeat(ECHO_CHARS_MAX);
        assert!(refusal(&exact).contains(&"?".repeat(ECHO_CHARS_MAX)));
        assert!(!refusal(&exact).contains('…'));
    }

    #[test]
    fn the_longest_origin_passes_and_one_byte_more_does_not() {
        let host = "a".repeat(ORIGIN_BYTES_MAX - "https://".len());
        assert!(none().admits(Some(&format!("https://{host}")), &host));
        let host = format!("{host}a");
        assert!(!none().admits(Some(&format!("https://{host}")), &host));
    }
}
