//! `--redis`, `--redis-name` and `--redis-keep`: where the stream of several machines is, and how much stays in it.
//!
//! Opens no connection and knows nothing of the client behind it. The address may hold a password, so no message quotes it.

use std::{fmt, net::Ipv6Addr};

use crate::{cli::args::Args, error::Error, log::SyncMode, util::text::parse_decimal};

const NAME_BYTES_MAX: usize = 64;
const NAME_DEFAULT: &str = "main";
/// A machine that was away for longer than so many lines starts from another's copy.
const KEEP_DEFAULT: u32 = 100_000;
/// As many lines as a node has at hand when it fills an empty stream.
const KEEP_MIN: u32 = 1_000;
/// Some 40 GB of Redis's memory.
const KEEP_MAX: u32 = 100_000_000;
/// Redis's own.
const PORT_DEFAULT: &str = "6379";
/// Redis numbers its databases with an `int`.
const DATABASE_MAX: u64 = 2_147_483_647;

/// The stream that orders the lines of several machines.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisOptions {
    /// `redis://[USER:PASSWORD@]HOST[:PORT][/DB]` or `redis+unix:///PATH[?db=&user=&pass=]`, checked; must be shown to nobody.
    pub url: String,
    /// What messages may show of it: host, port and database, or the socket's path.
    pub address: String,
    /// What tells this stream from others in the same Redis: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// How many of the newest lines stay in the stream at least, 1,000 to 100,000,000.
    pub keep: u32,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisOptions({} {} {})", self.address, self.name, self.keep)
    }
}

impl RedisOptions {
    /// Parses the flags; `None` if they are not given.
    ///
    /// # Errors
    /// [`Error::Usage`] if a value is invalid, or contradicts another one or `sync`. It doesn't quote the address.
    pub fn parse(args: &Args, sync: SyncMode) -> Result<Option<RedisOptions>, Error> {
        let Some(value) = args.value("redis") else { return Ok(None) };
        let refuse = |why: &str| {
            let hint = "its value is not shown, since it may hold a password";
            Error::Usage(format!("{} {why}; {hint}", value.name))
        };
        let url = value.text.to_str().ok_or_else(|| refuse("must be UTF-8"))?;
        let address = address(url).map_err(|why| refuse(&why))?;
        if sync == SyncMode::Never {
            return Err(Error::Usage(
                "--sync never and --redis contradict each other: what Redis loses comes back from the disks of the machines, \
                 so an acknowledged comment must be on one; leave --sync never out"
                    .into(),
            ));
        }
        let name = args.value("redis-name").map(|value| value.parse(name)).transpose()?;
        let keep = args.value("redis-keep").map(|value| value.parse(keep)).transpose()?;
        Ok(Some(RedisOptions {
            url: url.to_owned(),
            address,
            name: name.unwrap_or_else(|| NAME_DEFAULT.into()),
            keep: keep.unwrap_or(KEEP_DEFAULT),
        }))
    }
}

/// Checks an address strictly, so that no other parser reads it differently, and returns what may be shown of it.
fn address(url: &str) -> Result<String, String> {
    const EXPECTED: &str =
        "must be redis://[USER:PASSWORD@]HOST[:PORT][/DB] or redis+unix:///PATH, for Valkey too";
    if url.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err("must be ASCII without spaces; write other bytes as % and two digits".into());
    }
    let (scheme, rest) = url.split_once("://").ok_or(EXPECTED)?;
    match scheme {
        "redis" => tcp_address(rest),
        "redis+unix" => unix_address(rest),
        "rediss" | "valkeys" => Err(
            "asks for TLS, which sayso doesn't speak with Redis; write redis:// and let a tunnel encrypt, such as WireGuard or stunnel"
                .into(),
        ),
        _ => Err(EXPECTED.into()),
    }
}

fn tcp_address(rest: &str) -> Result<String, String> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (place, PORT_DEFAULT),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_ipv6 =
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some_and(|host| {
            host.parse::<Ipv6Addr>().is_ok_and(|address| !address.is_unspecified())
        });
    if !is_ipv6 && (host.is_empty() || host == "0.0.0.0" || !host.bytes().all(is_plain)) {
        return Err(
            "must have a host such as 10.0.0.5 or redis.example behind redis:// and the password, in which / ? # and % are written \
             %2F %3F %23 and %25"
                .into(),
        );
    }
    if parse_decimal(port).is_none_or(|port: u32| !(1..=65_535).contains(&port)) {
        return Err("must have a port from 1 to 65535".into());
    }
    match path {
        "" => Ok(format!("{host}:{port}")),
        path if is_database(path) => Ok(format!("{host}:{port}/{path}")),
        _ => Err("must have nothing behind the host, or / and the number of a database".into()),
    }
}

fn unix_address(rest: &str) -> Result<String, String> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.starts_with('/') || path.ends_with('/') || path.contains('#') {
        return Err("must have a socket's path, such as redis+unix:///run/redis/redis.sock".into());
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("db", database)) if is_database(database) => {}
            Some(("user" | "pass", _)) if !pair.contains('#') => {}
            _ => return Err("must have nothing behind ? but db=NUMBER, user= and pass=".into()),
        }
    }
    Ok(path.into())
}

fn is_database(text: &str) -> bool {
    parse_decimal(text).is_some_and(|number: u64| number <= DATABASE_MAX)
}

fn name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(is_plain) {
        return Err(format!("but must be 1 to {NAME_BYTES_MAX} letters, digits, -, _ and ."));
    }
    Ok(text.into())
}

fn keep(text: &str) -> Result<u32, String> {
    let number = parse_decimal(text).filter(|number| (KEEP_MIN..=KEEP_MAX).contains(number));
    number.ok_or_else(|| format!("but must be a number of lines from {KEEP_MIN} to {KEEP_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret";

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("redis://127.0.0.1", "127.0.0.1:6379"),
            ("redis://redis-1.example:7000/3", "redis-1.example:7000/3"),
            ("redis://:s3cret@10.0.0.5/", "10.0.0.5:6379"),
            ("redis://ada:s3cret%2F@h:1/0", "h:1/0"),
            ("redis://ada:p@s3cret@[fd00::1]:6380/2147483647", "[fd00::1]:6380/2147483647"),
            ("redis://[::1]", "[::1]:6379"),
            ("redis+unix:///run/redis/redis.sock", "/run/redis/redis.sock"),
            ("redis+unix:///r?db=1&user=ada&pass=s3cret", "/r"),
        ] {
            assert_eq!(address(url).as_deref(), Ok(shown), "{url}");
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_advice_and_not_quoted() {
        for (url, advice) in [
            ("rediss://ada:s3cret@h", "a tunnel"),
            ("valkeys://ada:s3cret@h", "a tunnel"),
            ("valkey://ada:s3cret@h", "redis://"),
            ("http://ada:s3cret@h", "redis://"),
            ("ada:s3cret@h", "redis://"),
            ("s3cret", "redis://"),
            ("redis:ada:s3cret@h", "redis://"),
            ("redis://", "a host"),
            ("redis://:s3cret@", "a host"),
            ("redis://:s3cret@0.0.0.0", "a host"),
            ("redis://:s3cret@[::]", "a host"),
            ("redis://:s3cret@h h", "without spaces"),
            ("redis://:s3cret@\u{e9}", "ASCII"),
            ("redis://:s/3cret@h", "%2F"),
            ("redis://h:0/", "a port"),
            ("redis://h:65536", "a port"),
            ("redis://h:", "a port"),
            ("redis://ada:s3cret", "a port"),
            ("redis://h/s3cret", "a database"),
            ("redis://h/1/2", "a database"),
            ("redis://h/2147483648", "a database"),
            ("redis://h/0?pass=s3cret", "a database"),
            ("redis://h?pass=s3cret", "a host"),
            ("redis+unix://s3cret/r", "a socket's path"),
            ("redis+unix:///", "a socket's path"),
            ("redis+unix:///r?pas=s3cret", "db="),
            ("redis+unix:///r?db=s3cret", "db="),
        ] {
            let why = address(url).unwrap_err();
            assert!(why.contains(advice), "{url}: {why}");
            assert!(!why.contains(SECRET) && !why.contains("3cret"), "{url}: {why}");
        }
    }

    #[test]
    fn a_name_is_plain_and_a_number_of_lines_within_its_limits() {
        for right in ["main", "a", "A-b_c.9", &"x".repeat(64)] {
            assert_eq!(name(right).as_deref(), Ok(right));
        }
        for wrong in ["", "a b", "a{b}", "a:b", "\u{e9}", &"x".repeat(65)] {
            assert!(name(wrong).unwrap_err().starts_with("but must be 1 to 64"), "{wrong}");
        }
        assert_eq!((keep("1000"), keep("100000000")), (Ok(1_000), Ok(100_000_000)));
        for wrong in ["999", "100000001", "", "-1", "1e5"] {
            assert!(keep(wrong).unwrap_err().contains("from 1000 to 100000000"), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let options = RedisOptions {
            url: "redis://:s3cret@h".into(),
            address: "h:6379".into(),
            name: "main".into(),
            keep: 1_000,
        };
        assert_eq!(format!("{options:?}"), "RedisOptions(h:6379 main 1000)");
    }
}
