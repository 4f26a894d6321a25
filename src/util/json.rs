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

/// Hearts by id, such as `{"17":6}`.
pub fn likes(likes: &[(u64, u64)]) -> String {
    let fields: Vec<String> = likes.iter().map(|(id, count)| format!("\"{id}\":{count}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// `,"challenge":16`, where there is one.
pub fn challenge(bits: Option<u8>) -> String {
    bits.map_or(String::new(), |bits| format!(",\"challenge\":{bits}"))
}

/// The value behind `"name":` in a JSON object: a number, or a string without escapes.
pub fn field<'j>(json: &'j str, name: &str) -> Option<&'j str> {
    // Inside a string the quotes would be escaped, so this is a field's name.
    let (_, value) = json.split_once(&format!("\"{name}\":"))?;
    match value.trim_start().strip_prefix('"') {
        Some(text) => text.split('"').next().filter(|text| !text.contains('\\')),
        None => value.split([',', '}']).next(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_field_is_found_by_its_name_and_not_in_a_text() {
        let json = "{\"a\":\"\\\"b\\\":1\",\"b\":\"x\",\"c\":7}";
        let field = |name| super::field(json, name);
        assert_eq!((field("b"), field("c"), field("d")), (Some("x"), Some("7"), None));
        assert_eq!(field("a"), None, "it has escapes");
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(super::counts([("a\"b", 1), ("\n", 2)].into_iter()), "{\"a\\\"b\":1,\"\\n\":2}");
        assert_eq!(super::counts([].into_iter()), "{}");
    }
}
