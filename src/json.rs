//! Small JSON, written by hand around serde_json's strings: a `Value` would cost code and allocations for nothing.
//!
//! Pure.

/// `text` as a JSON string, quotes included.
pub fn text(text: &str) -> String {
    serde_json::to_string(text).expect("a string always serialises")
}

/// An object of numbers, such as `{"a":1}`.
pub fn counts<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let fields: Vec<String> =
        counts.map(|(name, count)| format!("{}:{count}", text(name))).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(super::counts([("a\"b", 1), ("\n", 2)].into_iter()), "{\"a\\\"b\":1,\"\\n\":2}");
        assert_eq!(super::counts([].into_iter()), "{}");
    }
}
