//! Decodes and encodes `a=b&c=d`, the format of queries and forms (WHATWG URL, application/x-www-form-urlencoded), strictly.
//!
//! Pure. Knows no parameter by name. Our own, since libraries decode whatever comes: here a `%` without its two digits, or what is not
//! UTF-8, is refused.

use crate::util::text::quote;

/// Decoded names and values in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes a query without its `?`, or the body of a form.
    ///
    /// # Errors
    /// Returns a message if a `%` is not followed by two hex digits or the decoded bytes are not UTF-8.
    pub fn parse(text: &str) -> Result<Query, String> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        Ok(Query(pairs.collect::<Result<_, String>>()?))
    }

    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    /// Every value of `name`.
    pub fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| &**value)
    }
}

/// Removes repeated values and keeps the first of each. Quadratic, but for up to a hundred values as fast as a set.
pub fn distinct(mut values: Vec<String>) -> Vec<String> {
    let mut at = 0;
    while at < values.len() {
        match values[..at].contains(&values[at]) {
            true => drop(values.remove(at)),
            false => at += 1,
        }
    }
    values
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        (rest, _) = match first {
            b'+' => (tail, bytes.push(b' ')),
            b'%' => {
                let digits = tail.get(..2).and_then(|digits| str::from_utf8(digits).ok());
                let byte = digits
                    .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|d| u8::from_str_radix(d, 16).ok());
                let byte = byte.ok_or_else(|| {
                    format!("{} has a % that is not followed by two hex digits", quote(text))
                })?;
                (&tail[2..], bytes.push(byte))
            }
            byte => (tail, bytes.push(*byte)),
        };
    }
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", quote(text)))
}

/// Encodes `text` as a value in a query: every byte but the unreserved characters (RFC 3986 §2.3) becomes `%XX`.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte as char)
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_keeps_the_first_of_each_value() {
        let values = ["b", "a", "b", "c", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(distinct(values), ["b", "a", "c"]);
        assert_eq!(distinct(Vec::new()), [""; 0]);
    }

    #[test]
    fn an_encoded_value_decodes_to_itself() {
        let text = "/a b&c=d?é%\u{1F600}+~";
        let query = Query::parse(&format!("x=1&page={}&page=&flag", encode(text))).unwrap();
        assert_eq!(query.get("page"), Some(text));
        assert_eq!(query.all("page").collect::<Vec<_>>(), [text, ""]);
        assert_eq!((query.get("flag"), query.get("y")), (Some(""), None));
        assert_eq!(Query::parse("a=b+c").unwrap().get("a"), Some("b c"));
    }

    #[test]
    fn an_incomplete_escape_and_invalid_utf_8_are_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "%+1=a", "a=%ff", "a=%c3"] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Query::parse("a=%g").unwrap_err(),
            "\"%g\" has a % that is not followed by two hex digits"
        );
    }
}
