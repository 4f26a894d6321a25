//! Parses the values of flags, one function per type of value.
//!
//! Each error is the end of a message that begins with "--flag is …, ". Knows neither flags nor environment, and is pure.

use crate::{
    http::{forwarded::Network, origin},
    hub::rules::Hold,
    limits::{CHALLENGE_BITS_MAX, PAGE_BYTES_MAX, Rate},
    log::SyncMode,
    store::moderation::FLAGS_A_COMMENT_MAX,
    util::text::parse_decimal,
};

const CONNECTIONS_MAX: u32 = 1_000_000;
const PAGES_MAX: u32 = 10_000_000;
/// 16 bytes in base64url.
const AUTHOR_CHARS: usize = 22;
/// More do not fit into a comment.
const LINKS_MAX: u32 = 10_000;
/// A hundred years.
const CLOSE_AFTER_DAYS_MAX: u32 = 36_500;
const RATE_POSTS_MAX: u32 = 1_000_000;
const RATE_SECONDS_MAX: u32 = 86_400;
const TITLE_CHARS_MAX: usize = 200;
const BASE_PATH_BYTES_MAX: usize = 200;
const PUBLIC_URL_BYTES_MAX: usize = 1_000;

/// Parses `always` or `never`.
pub fn sync(text: &str) -> Result<SyncMode, String> {
    choice(text, &[("always", SyncMode::Always), ("never", SyncMode::Never)])
}

/// Parses `none`, `links`, `new` or `all`.
pub fn hold(text: &str) -> Result<Hold, String> {
    choice(
        text,
        &[("none", Hold::None), ("links", Hold::Links), ("new", Hold::New), ("all", Hold::All)],
    )
}

/// Parses `off`, or how many links a comment may have, which may be none.
pub fn max_links(text: &str) -> Result<Option<u32>, String> {
    number_or_off(text, 0, LINKS_MAX, "links")
}

/// Parses `off`, or how many flags hide a comment.
pub fn flags_hold(text: &str) -> Result<Option<u32>, String> {
    number_or_off(text, 1, FLAGS_A_COMMENT_MAX as u32, "flags")
}

/// Parses `off`, or how many days after its first comment a page is closed.
pub fn close_after(text: &str) -> Result<Option<u32>, String> {
    number_or_off(text, 1, CLOSE_AFTER_DAYS_MAX, "days")
}

fn number_or_off(text: &str, min: u32, max: u32, what: &str) -> Result<Option<u32>, String> {
    if text == "off" {
        return Ok(None);
    }
    let number = parse_decimal(text).filter(|number| (min..=max).contains(number));
    let expected = || format!("but must be off, or a number of {what} from {min} to {max}");
    number.map(Some).ok_or_else(expected)
}

/// Parses `local` or `public`, which is `true`.
pub fn metrics(text: &str) -> Result<bool, String> {
    choice(text, &[("local", false), ("public", true)])
}

/// Parses what the environment says of a flag without a value.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "yes" | "true" | "1" => Ok(true),
        "off" | "no" | "false" | "0" => Ok(false),
        _ => Err("but must be on or off".into()),
    }
}

/// Parses the name of a [`log::LevelFilter`] in lower case.
pub fn log_level(text: &str) -> Result<log::LevelFilter, String> {
    let levels: Vec<_> = log::LevelFilter::iter()
        .map(|level| (level.as_str().to_ascii_lowercase(), level))
        .collect();
    let levels: Vec<_> = levels.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    choice(text, &levels)
}

/// Parses `text` or `json`, which is `true`.
pub fn log_format(text: &str) -> Result<bool, String> {
    choice(text, &[("text", false), ("json", true)])
}

/// Parses a path and removes its trailing slash: `/` becomes empty, `/x/y/` becomes `/x/y`.
pub fn base_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("but must begin with a slash; write /{text}"));
    }
    let path = text.strip_suffix('/').unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_segment =
        |segment: &str| !["", ".", ".."].contains(&segment) && segment.bytes().all(is_plain);
    if path.len() > BASE_PATH_BYTES_MAX || !path.split('/').skip(1).all(is_segment) {
        return Err(format!(
            "but must be a path such as /comments, of letters, digits and -._~, at most {BASE_PATH_BYTES_MAX} bytes"
        ));
    }
    Ok(path.into())
}

/// Parses an `http` or `https` address. Lower-cases the host and removes the scheme's default port and trailing slashes.
pub fn public_url(text: &str) -> Result<String, String> {
    const EXPECTED: &str =
        "but must be an address such as https://talk.example or https://talk.example/comments";
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !scheme.is_some_and(|scheme| scheme == "http" || scheme == "https") {
        return Err(EXPECTED.into());
    }
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
    let origin = origin::normalize(&text[..end]).map_err(|_| EXPECTED)?;
    let path = text[end..].trim_end_matches('/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
    if text.len() > PUBLIC_URL_BYTES_MAX || !path.bytes().all(is_plain) {
        return Err(EXPECTED.into());
    }
    Ok(origin + path)
}

/// Parses `off`, or POSTS/SECONDS.
pub fn rate(text: &str) -> Result<Option<Rate>, String> {
    if text == "off" {
        return Ok(None);
    }
    let parts = text.split_once('/').and_then(|(posts, seconds)| {
        let posts = number(posts, RATE_POSTS_MAX).ok()?;
        Some(Rate { posts, seconds: number(seconds, RATE_SECONDS_MAX).ok()? })
    });
    parts.map(Some).ok_or_else(|| {
        format!(
            "but must be off, or a number of posts and a number of seconds such as 10/60, at most {RATE_POSTS_MAX}/{RATE_SECONDS_MAX}"
        )
    })
}

/// Parses `off`, or a number of bits from 1 to [`CHALLENGE_BITS_MAX`].
pub fn challenge(text: &str) -> Result<Option<u8>, String> {
    if text == "off" {
        return Ok(None);
    }
    let bits = number(text, u32::from(CHALLENGE_BITS_MAX)).ok();
    bits.map(|bits| Some(bits as u8)).ok_or_else(|| {
        format!("but must be off, or a number of bits such as 16, at most {CHALLENGE_BITS_MAX}")
    })
}

/// Accepts a prefix of a page, at most as long as a page may be.
pub fn page_prefix(text: &str) -> Result<String, String> {
    if text.len() > PAGE_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "but must be at most {PAGE_BYTES_MAX} bytes without control characters"
        ));
    }
    Ok(text.into())
}

/// Accepts one line of text and trims it.
pub fn title(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty()
        || text.chars().count() > TITLE_CHARS_MAX
        || text.chars().any(char::is_control)
    {
        return Err(format!("but must be 1 to {TITLE_CHARS_MAX} characters on one line"));
    }
    Ok(text.into())
}

/// Parses a number from 1 to a million, which is more descriptors than one machine has.
pub fn connections(text: &str) -> Result<u32, String> {
    number(text, CONNECTIONS_MAX)
}

/// Parses a number from 1 to ten million.
pub fn pages(text: &str) -> Result<u32, String> {
    number(text, PAGES_MAX)
}

/// Parses `none` or a block of addresses.
pub fn proxy(text: &str) -> Result<Option<Network>, String> {
    if text == "none" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|why: String| format!("{why}, or none"))
}

pub(super) fn number(text: &str, max: u32) -> Result<u32, String> {
    let number = parse_decimal(text).filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| format!("but must be a whole number from 1 to {max}"))
}

pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    Err(expected(&mut choices.iter().map(|(name, _)| *name)))
}

/// The part of [`choice`] that is the same for all types: the error, which lists the choices.
fn expected(names: &mut dyn Iterator<Item = &str>) -> String {
    let names: Vec<_> = names.collect();
    let (last, others) = names.split_last().expect("there is at least one choice");
    format!("but must be {} or {last}", others.join(", "))
}

/// Accepts an author's pseudonym or the hash of an address: 16 bytes in base64url.
pub(super) fn author(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if text.len() != AUTHOR_CHARS || !text.bytes().all(is_plain) {
        return Err(format!(
            "but must be the {AUTHOR_CHARS} letters, digits, - and _ that sayso comments shows"
        ));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts that every text is refused with a message that contains the advice.
    fn assert_refused<T: std::fmt::Debug>(
        parse: fn(&str) -> Result<T, String>,
        wrong: &[(&str, &str)],
    ) {
        for (text, advice) in wrong {
            let error = parse(text).expect_err(text);
            assert!(error.contains(advice), "{text:?}: {error}");
            assert!(error.starts_with("but ") || error.starts_with("which "), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_wrong_choice_is_refused_with_the_list_of_choices() {
        assert_eq!(sync("always"), Ok(SyncMode::Always));
        assert_eq!(sync("never"), Ok(SyncMode::Never));
        for (text, level) in [("off", log::LevelFilter::Off), ("info", log::LevelFilter::Info)] {
            assert_eq!(log_level(text), Ok(level));
        }
        for (text, value) in
            [("none", Hold::None), ("links", Hold::Links), ("new", Hold::New), ("all", Hold::All)]
        {
            assert_eq!(hold(text), Ok(value));
        }
        assert_refused(
            sync,
            &[("sometimes", "must be always or never"), ("Always", "always"), ("", "always")],
        );
        assert_refused(hold, &[("some", "none, links, new or all")]);
        assert_refused(log_level, &[("loud", "off, error, warn, info, debug or trace")]);
    }

    #[test]
    fn a_base_path_is_plain_and_loses_its_trailing_slash() {
        for (text, path) in [("/", ""), ("/x", "/x"), ("/x/", "/x"), ("/x/y-z._~9/", "/x/y-z._~9")]
        {
            assert_eq!(base_path(text).as_deref(), Ok(path));
        }
        let longest = format!("/{}", "x".repeat(BASE_PATH_BYTES_MAX - 1));
        assert_eq!(base_path(&longest), Ok(longest.clone()));
        assert_refused(
            base_path,
            &[
                ("x", "write /x"),
                ("", "write /"),
                ("//", "must be a path"),
                ("/x//y", "must be a path"),
                ("/./x", "must be a path"),
                ("/x/..", "must be a path"),
                ("/x y", "must be a path"),
                ("/x?y", "must be a path"),
                ("/%2e", "must be a path"),
                ("/\u{e9}", "must be a path"),
                (&format!("{longest}x"), "at most 200 bytes"),
            ],
        );
    }

    #[test]
    fn a_public_url_is_normalized() {
        for (text, url) in [
            ("https://talk.example", "https://talk.example"),
            ("HTTPS://Talk.Example:443/", "https://talk.example"),
            ("http://talk.example:8000/X/y/", "http://talk.example:8000/X/y"),
            ("http://[::1]:8000//", "http://[::1]:8000"),
        ] {
            assert_eq!(public_url(text).as_deref(), Ok(url));
        }
        let advice = "such as https://talk.example";
        for wrong in [
            "talk.example",
            "//talk.example",
            "ftp://talk.example",
            "https://",
            "https:///x",
            "https://a b",
            "",
        ] {
            assert_refused(public_url, &[(wrong, advice)]);
        }
        for wrong in [
            "https://a.example/?x",
            "https://a.example#x",
            "https://a@b.example",
            "https://a.example/\"x",
            "https://a.example/ x",
        ] {
            assert_refused(public_url, &[(wrong, advice)]);
        }
        let longest = format!("https://a.example/{}", "x".repeat(PUBLIC_URL_BYTES_MAX - 18));
        assert!(public_url(&longest).is_ok());
        assert_refused(public_url, &[(&format!("{longest}x"), advice)]);
    }

    #[test]
    fn a_rate_is_off_or_two_numbers_from_1_up() {
        assert_eq!(rate("off"), Ok(None));
        assert_eq!(rate("1/1"), Ok(Some(Rate { posts: 1, seconds: 1 })));
        assert_eq!(rate("1000000/86400"), Ok(Some(Rate { posts: 1_000_000, seconds: 86_400 })));
        for wrong in [
            "0/60",
            "10/0",
            "10",
            "10/",
            "/60",
            "10/60/1",
            "1000001/60",
            "10/86401",
            "-1/60",
            "+1/60",
            "ten/60",
            "",
        ] {
            assert_refused(rate, &[(wrong, "must be off, or")]);
        }
    }

    #[test]
    fn a_number_at_its_limit_is_accepted_and_one_past_it_is_not() {
        assert_eq!((connections("1"), connections("1000000")), (Ok(1), Ok(1_000_000)));
        assert_eq!((pages("1"), pages("10000000")), (Ok(1), Ok(10_000_000)));
        for wrong in ["0", "1000001", "", "-1", "+1", "1e3", "10_000", " 1", "99999999999999999999"]
        {
            assert_refused(connections, &[(wrong, "from 1 to 1000000")]);
        }
        assert_refused(pages, &[("10000001", "from 1 to 10000000")]);
    }

    #[test]
    fn a_proxy_is_a_block_of_addresses_or_none() {
        assert_eq!(proxy("none"), Ok(None));
        assert_eq!(proxy("10.0.0.0/8").unwrap().unwrap().to_string(), "10.0.0.0/8");
        assert_refused(
            proxy,
            &[("10.1.0.0/8", "write 10.0.0.0/8"), ("nginx", "or none"), ("None", "or none")],
        );
    }

    #[test]
    fn a_title_is_one_line_and_a_page_prefix_at_most_as_long_as_a_page() {
        assert_eq!(title(" Wall \u{1f389} ").as_deref(), Ok("Wall \u{1f389}"));
        assert!(title(&"\u{e9}".repeat(TITLE_CHARS_MAX)).is_ok());
        assert_refused(
            title,
            &[
                ("", "1 to 200"),
                (" ", "1 to 200"),
                ("a\nb", "one line"),
                (&"a".repeat(201), "1 to 200"),
            ],
        );
        assert!(page_prefix(&"a".repeat(PAGE_BYTES_MAX)).is_ok());
        assert_refused(
            page_prefix,
            &[(&"a".repeat(PAGE_BYTES_MAX + 1), "at most 512"), ("a\tb", "control")],
        );
    }
}
