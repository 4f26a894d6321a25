//! The JSON of an error: a message for people, and a code with values for programs.
//!
//! Pure. Knows no code: `comment` and `http`, which must not know each other, have their own.

use serde::{Serialize, Serializer};

/// The body of an HTTP error, and the WebSocket message about one. The order of the fields is part of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ErrorBody<'a> {
    /// The message, with the value and the limit.
    pub error: &'a str,
    /// Names the kind of error, by which programs choose what to do and translations what to say.
    pub code: &'a str,
    /// What the message states, by name.
    #[serde(flatten)]
    pub values: &'a Values,
    /// After how many seconds the same may succeed, if waiting helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// The nonce of the refused message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
}

impl ErrorBody<'_> {
    /// Encodes the error.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can be encoded")
    }
}

/// The values of an error, in their order. None takes no memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(Vec<(&'static str, Value)>);

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A text, already shortened.
    Text(String),
}

impl Values {
    /// Adds a value.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Values {
        self.0.push((name, value.into()));
        self
    }

    /// The names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Number(number.into())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Value {
        Value::Number(number as u64)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_values_between_code_and_retry_after() {
        let (none, values) = (Values::default(), Values::default().with("bytes", 9_u32));
        let short = ErrorBody {
            error: "say \"so\"",
            code: "so",
            values: &none,
            retry_after: None,
            nonce: None,
        };
        assert_eq!(short.to_json(), r#"{"error":"say \"so\"","code":"so"}"#);
        let values = values.with("what", "a\n");
        let full =
            ErrorBody { values: &values, retry_after: Some(5), nonce: Some("4f1c"), ..short };
        assert_eq!(
            full.to_json(),
            r#"{"error":"say \"so\"","code":"so","bytes":9,"what":"a\n","retry_after":5,"nonce":"4f1c"}"#
        );
        assert_eq!(values.names().collect::<Vec<_>>(), ["bytes", "what"]);
    }
}
