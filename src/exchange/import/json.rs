//! Reads JSON exports entry by entry: lists in a document, or one object on each line. At most one entry is in memory.
//!
//! Knows no format; a source module says which lists it wants and what an entry is.

use std::fmt;
use std::io::BufRead;
use std::marker::PhantomData;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};

use super::error::ImportError;
use super::input::{Input, Position};
use super::time;

/// Keys of objects that stand for a value in exports of MongoDB and LeanCloud.
const WRAPPERS: [&str; 6] = ["$oid", "$numberLong", "$numberInt", "$numberDouble", "$date", "iso"];

/// A value that exports write in several ways: a number as text, a flag as a number, an id in an object. Reading one never fails.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Field {
    /// Missing, `null`, or a list.
    #[default]
    Absent,
    /// A text.
    Text(String),
    /// A number with a fraction, or one out of the range of the next.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Flag(bool),
}

impl Field {
    /// The value as text, trimmed; `None` if it is empty.
    pub fn text(&self) -> Option<String> {
        match self {
            Field::Absent => None,
            Field::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Field::Number(number) => Some(number.to_string()),
            Field::Integer(number) => Some(number.to_string()),
            Field::Flag(flag) => Some(flag.to_string()),
        }
    }

    /// The value as a text with its white space.
    pub fn into_raw(self) -> String {
        match self {
            Field::Text(text) => text,
            other => other.text().unwrap_or_default(),
        }
    }

    /// Whether it is `true`, `"true"`, 1 or `"1"`.
    pub fn is_true(&self) -> bool {
        match self {
            Field::Flag(flag) => *flag,
            Field::Integer(number) => *number == 1,
            Field::Text(text) => matches!(text.trim(), "true" | "1"),
            _ => false,
        }
    }

    /// Whether it is given and neither empty nor `false`.
    pub fn is_given(&self) -> bool {
        match self {
            Field::Flag(flag) => *flag,
            other => other.text().is_some(),
        }
    }

    /// The time that it says, ms since 1970.
    pub fn time(&self) -> Option<i64> {
        match self {
            Field::Text(text) => time::parse(text),
            Field::Integer(number) => time::from_count(*number as f64),
            Field::Number(number) => time::from_count(*number),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Field, E> {
        Ok(Field::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Field, E> {
        Ok(Field::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Field, E> {
        Ok(i64::try_from(value).map_or(Field::Number(value as f64), Field::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Field, E> {
        Ok(Field::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Field, E> {
        Ok(Field::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Field, E> {
        Ok(Field::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        let mut value = Field::Absent;
        while let Some(key) = map.next_key::<String>()? {
            if WRAPPERS.contains(&&*key) {
                value = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(value)
    }
}

/// Which parts of a document hold entries.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The keys of lists of entries. A document that is a list itself counts as the list `""`.
    pub lists: &'static [&'static str],
    /// The keys of objects in which these stand.
    pub objects: &'static [&'static str],
}

/// What is done with an entry: the list that it stands in, its line, and the entry.
pub type Each<'e, T> = &'e mut dyn FnMut(&'static str, u64, T) -> Result<(), ImportError>;

/// Reads a document, and calls `each` with every entry of its lists.
///
/// # Errors
/// Fails if it is broken, has none of the lists, or `each` fails.
pub fn document<T: DeserializeOwned>(
    input: Input,
    layout: Layout,
    each: Each<T>,
) -> Result<(), ImportError> {
    let position = input.position();
    let mut walker = Walker { layout, position: &position, each, error: None, lists: 0 };
    let mut json = serde_json::Deserializer::from_reader(input);
    let read = Place { walker: &mut walker, list: None }.deserialize(&mut json);
    let lists = walker.lists;
    let failed = walker.error.take();
    match read.and_then(|()| json.end()) {
        Err(error) => Err(failed.unwrap_or_else(|| describe(&error, &position, position.line()))),
        Ok(()) if lists == 0 => {
            let names = layout.lists.iter().filter(|name| !name.is_empty());
            let names: Vec<&str> = names.copied().collect();
            let what = match &*names {
                [] => "the file is no list".to_owned(),
                names => format!("the file has no list named {}", names.join(" or ")),
            };
            Err(ImportError::at(1, what))
        }
        Ok(()) => Ok(()),
    }
}

/// Reads one value from the start of the input, which goes on behind it.
///
/// # Errors
/// Fails if it is broken.
pub fn first_value<T: DeserializeOwned>(input: &mut Input) -> Result<T, ImportError> {
    let position = input.position();
    position.begin_skipped();
    let value = T::deserialize(&mut serde_json::Deserializer::from_reader(input));
    value.map_err(|error| describe(&error, &position, position.line()))
}

/// Reads one object from each line that isn't empty.
///
/// # Errors
/// Fails if a line is broken or `each` fails.
pub fn lines<T: DeserializeOwned>(
    mut input: Input,
    each: &mut dyn FnMut(u64, T) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let position = input.position();
    let mut line = Vec::new();
    loop {
        let number = position.line();
        position.begin_entry();
        line.clear();
        let length = input.read_until(b'\n', &mut line);
        let length =
            length.map_err(|error| position.too_long().unwrap_or(ImportError::Read(error)))?;
        if length == 0 {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let entry = serde_json::from_slice(&line);
        each(number, entry.map_err(|error| describe(&error, &position, number))?)?;
    }
}

/// The message of a parser's error without the value that it repeats.
fn describe(error: &serde_json::Error, position: &Rc<Position>, line: u64) -> ImportError {
    if let Some(error) = position.too_long() {
        return error;
    }
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    let what = match error.classify() {
        serde_json::error::Category::Io => {
            return ImportError::at(line, "the file can't be read or unpacked to its end");
        }
        serde_json::error::Category::Eof => "the file ends in the middle of an entry".to_owned(),
        serde_json::error::Category::Syntax => format!("this is no JSON: {text}"),
        serde_json::error::Category::Data => match text.rsplit_once(", expected ") {
            Some((_, expected)) if expected.starts_with("struct ") => {
                "expected an object".to_owned()
            }
            Some((_, expected)) => format!("expected {expected}"),
            None if text.starts_with("duplicate field") => text.to_owned(),
            None => "an unexpected value".to_owned(),
        },
    };
    ImportError::at(line, format!("{what} (column {})", error.column()))
}

struct Walker<'w, T> {
    layout: Layout,
    position: &'w Position,
    each: Each<'w, T>,
    error: Option<ImportError>,
    lists: usize,
}

/// A value of the document: one that may hold lists, or a list itself.
struct Place<'p, 'w, T> {
    walker: &'p mut Walker<'w, T>,
    list: Option<&'static str>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Place<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Place<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list or an object with lists")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.walker.lists += usize::from(self.list.is_some());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let top = self.walker.layout.lists.iter().find(|name| name.is_empty()).copied();
        let Some(list) = self.list.or(top) else {
            return Err(A::Error::custom("a list, expected an object with lists"));
        };
        self.walker.lists += 1;
        let position = self.walker.position;
        position.begin_entry();
        while let Some((line, entry)) =
            seq.next_element_seed(Located::<T>(position, PhantomData))?
        {
            if let Err(error) = (self.walker.each)(list, line, entry) {
                self.walker.error = Some(error);
                return Err(A::Error::custom("stopped"));
            }
            position.begin_entry();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.list.is_some() {
            return Err(A::Error::custom("an object, expected a list"));
        }
        while let Some(key) = map.next_key::<String>()? {
            let layout = self.walker.layout;
            let list = layout.lists.iter().find(|name| **name == key && !name.is_empty()).copied();
            if list.is_some() || layout.objects.contains(&&*key) {
                map.next_value_seed(Place { walker: self.walker, list })?;
            } else {
                self.walker.position.begin_skipped();
                map.next_value::<IgnoredAny>()?;
            }
            self.walker.position.begin_entry();
        }
        Ok(())
    }
}

/// An entry, with the line on which it begins.
struct Located<'p, T>(&'p Position, PhantomData<T>);

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Located<'_, T> {
    type Value = (u64, T);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(u64, T), D::Error> {
        Ok((self.0.line(), T::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests;
