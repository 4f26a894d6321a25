//! Reads a JSON object into variables, field by field.
//!
//! What derived code does, without some 10 KB of the program for each struct: here a struct is a list of its fields. Knows none of them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Error, value::RawValue};

/// Where a field's value goes. What is not optional must not be `null`.
pub enum Slot<'s, 'j> {
    /// A text.
    Text(&'s mut String),
    /// A text or `null`.
    OptionalText(&'s mut Option<String>),
    /// A number.
    Number(&'s mut u64),
    /// A number or `null`.
    OptionalNumber(&'s mut Option<u64>),
    /// `true` or `false`.
    Flag(&'s mut bool),
    /// `true`, `false` or `null`.
    OptionalFlag(&'s mut Option<bool>),
    /// A list of anything.
    List(&'s mut Vec<&'j RawValue>),
    /// A list of numbers.
    Numbers(&'s mut Vec<u64>),
    /// Anything, or `null`.
    Any(&'s mut Option<&'j RawValue>),
}

/// A field: its name, and where its value goes.
pub type Field<'s, 'j> = (&'static str, Slot<'s, 'j>);

/// Reads the fields of the object in `json`, of which the first `required` must be there. Others are ignored, as deep as they may be.
///
/// # Errors
/// Says what is wrong and where, as serde does.
pub fn read<'j>(
    json: &'j [u8],
    required: usize,
    fields: &mut [Field<'_, 'j>],
) -> Result<(), Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    deserializer.deserialize_map(Object { required, fields })?;
    deserializer.end()
}

struct Object<'f, 's, 'j> {
    required: usize,
    fields: &'f mut [Field<'s, 'j>],
}

impl<'j> Visitor<'j> for Object<'_, '_, 'j> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<(), A::Error> {
        let Object { required, fields } = self;
        let mut seen = 0u64;
        while let Some(at) = map.next_key_seed(Name(fields))? {
            let Some((name, slot)) = at.map(|at| &mut fields[at]) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = 1 << at.unwrap_or_default();
            if seen & bit != 0 {
                return Err(A::Error::duplicate_field(name));
            }
            seen |= bit;
            match slot {
                Slot::Text(value) => **value = map.next_value()?,
                Slot::OptionalText(value) => **value = map.next_value()?,
                Slot::Number(value) => **value = map.next_value()?,
                Slot::OptionalNumber(value) => **value = map.next_value()?,
                Slot::Flag(value) => **value = map.next_value()?,
                Slot::OptionalFlag(value) => **value = map.next_value()?,
                Slot::List(value) => **value = map.next_value()?,
                Slot::Numbers(value) => **value = map.next_value()?,
                Slot::Any(value) => **value = map.next_value()?,
            }
        }
        match (0..required).find(|at| seen & 1 << at == 0) {
            Some(at) => Err(A::Error::missing_field(fields[at].0)),
            None => Ok(()),
        }
    }
}

/// The place of a field of some name, if it is known.
struct Name<'f, 's, 'j>(&'f [Field<'s, 'j>]);

impl<'j> DeserializeSeed<'j> for Name<'_, '_, '_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'j>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_, '_, '_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|field| field.0 == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number_and_text(json: &str) -> Result<(u64, Option<String>), String> {
        let (mut number, mut text) = (7, None);
        let mut fields =
            [("number", Slot::Number(&mut number)), ("text", Slot::OptionalText(&mut text))];
        read(json.as_bytes(), 1, &mut fields).map_err(|error| error.to_string())?;
        Ok((number, text))
    }

    #[test]
    fn fields_come_in_any_order_and_unknown_ones_are_ignored_however_deep() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let json = format!(r#" {{"a":{deep},"text":"\u0041","b":null,"number":5}} "#);
        assert_eq!(number_and_text(&json), Ok((5, Some("A".into()))));
        assert_eq!(number_and_text(r#"{"number":0,"text":null}"#), Ok((0, None)));
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        for (json, error) in [
            ("{}", "missing field `number` at line 1 column 2"),
            (r#"{"number":1,"number":1}"#, "duplicate field `number` at line 1 column 20"),
            (r#"{"number":null}"#, "invalid type: null, expected u64 at line 1 column 14"),
            (r#"{"number":1} x"#, "trailing characters at line 1 column 14"),
            ("[1]", "invalid type: sequence, expected an object at line 1 column 0"),
        ] {
            assert_eq!(number_and_text(json), Err(error.into()), "{json}");
        }
    }
}
