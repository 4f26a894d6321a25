//! Reads JSON exports entry by entry: lists in a document, or one object on each line. At most one entry is in memory.
//!
//! Knows no format; a source module says which lists and fields it wants. All others are passed over. There is one visitor for
//! everything, since each further type that serde reads costs some 15 KB of the binary.

use std::fmt;
use std::io::BufRead;
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

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
    /// The value as text, trimmed; `None` if it is empty. A number with a fraction is no id and no name.
    pub fn text(&self) -> Option<String> {
        match self {
            Field::Absent | Field::Number(_) => None,
            Field::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Field::Integer(number) => Some(number.to_string()),
            Field::Flag(flag) => Some(flag.to_string()),
        }
    }

    /// The value as a text with its white space.
    fn into_raw(self) -> String {
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

/// An entry, as far as it is wanted.
#[derive(Debug, Default)]
pub struct Row {
    /// The line on which it begins.
    pub line: u64,
    fields: Vec<(&'static str, Field)>,
}

impl Row {
    /// The field of a name.
    pub fn field(&self, name: &str) -> &Field {
        let found = self.fields.iter().find(|(known, _)| *known == name);
        found.map_or(&Field::Absent, |(_, field)| field)
    }

    /// Whether it has a field or a list of that name.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| *known == name)
    }

    /// See [`Field::text`].
    pub fn text(&self, name: &str) -> Option<String> {
        self.field(name).text()
    }

    /// The text with its white space.
    pub fn raw(&mut self, name: &str) -> String {
        let found = self.fields.iter_mut().find(|(known, _)| *known == name);
        found.map_or_else(String::new, |(_, field)| std::mem::take(field).into_raw())
    }

    /// See [`Field::is_true`].
    pub fn is_true(&self, name: &str) -> bool {
        self.field(name).is_true()
    }

    /// See [`Field::time`].
    pub fn time(&self, name: &str) -> Option<i64> {
        self.field(name).time()
    }
}

/// Which parts of a document are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The keys of lists of entries, in the document or in an entry. A document that is a list itself, and lines, are the list `""`.
    pub lists: &'static [&'static str],
    /// The keys of objects in which lists stand.
    pub objects: &'static [&'static str],
    /// The fields of entries; one in an object in an entry has the object's key and a dot before its own.
    pub fields: &'static [&'static str],
}

/// What is done with an entry: the list that it stands in, the entry, and what is known so far of the entry that has the list.
pub type Each<'e> = &'e mut dyn FnMut(&'static str, &mut Row, &Row) -> Result<(), ImportError>;

/// Reads a document, and calls `each` with every entry of its lists.
///
/// # Errors
/// Fails if it is broken, has none of the lists, or `each` fails.
pub fn document(input: Input, layout: Layout, each: Each) -> Result<(), ImportError> {
    read(input, layout, false, each)
}

/// Reads one object after the other, and calls `each` with it.
///
/// # Errors
/// Fails if one is broken or `each` fails.
pub fn lines(input: Input, layout: Layout, each: Each) -> Result<(), ImportError> {
    read(input, layout, true, each)
}

fn read(mut input: Input, layout: Layout, is_lines: bool, each: Each) -> Result<(), ImportError> {
    let position = input.position();
    let mut walker = Walker { layout, position: &position, each, error: None, lists: 0 };
    let mut values = 0;
    while skip_white_space(&mut input)? || (!is_lines && values == 0) {
        if !is_lines && values > 0 {
            return Err(ImportError::at(position.line(), "this is no JSON: trailing characters"));
        }
        position.begin_entry();
        let mut json = serde_json::Deserializer::from_reader(&mut input);
        let place = if is_lines { Place::Row("") } else { Place::Outside };
        let node = Node { walker: &mut walker, place, parent: &Row::default(), row: None };
        if let Err(error) = node.deserialize(&mut json) {
            return Err(walker.error.take().unwrap_or_else(|| describe(&error, &position)));
        }
        values += 1;
    }
    if values == 0 {
        return Err(ImportError::at(1, "the file is empty"));
    }
    if is_lines || walker.lists > 0 {
        return Ok(());
    }
    let what = if layout.lists.contains(&"") {
        "the file is no list".to_owned()
    } else {
        format!("the file has no list named {}", layout.lists.join(" or "))
    };
    Err(ImportError::at(1, what))
}

/// Whether anything comes behind the white space.
fn skip_white_space(input: &mut Input) -> Result<bool, ImportError> {
    input.position().begin_skipped();
    loop {
        let bytes = input.fill_buf().map_err(ImportError::Read)?;
        let Some(length) = bytes.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            let length = bytes.len();
            if length == 0 {
                return Ok(false);
            }
            input.consume(length);
            continue;
        };
        input.consume(length);
        return Ok(true);
    }
}

/// The message of a parser's error without the value that it repeats.
fn describe(error: &serde_json::Error, position: &Rc<Position>) -> ImportError {
    let line = position.line();
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
        // The visitor's own messages; it repeats no value.
        serde_json::error::Category::Data => text.to_owned(),
    };
    ImportError::at(line, format!("{what} (column {})", error.column()))
}

struct Walker<'w> {
    layout: Layout,
    position: &'w Position,
    each: Each<'w>,
    error: Option<ImportError>,
    lists: usize,
}

/// What a value is.
enum Place {
    /// A part of the document around the lists.
    Outside,
    /// A list of entries.
    List(&'static str),
    /// An entry of a list.
    Row(&'static str),
    /// An object in an entry; what stands before the keys of its fields.
    Nested(String),
    /// A field of an entry.
    Field,
}

/// A value that is read.
struct Node<'n, 'w> {
    walker: &'n mut Walker<'w>,
    place: Place,
    /// The entry that a list stands in.
    parent: &'n Row,
    /// The entry that a nested object belongs to.
    row: Option<&'n mut Row>,
}

impl<'n, 'w> Node<'n, 'w> {
    fn wrong<E: Error>(&self) -> Result<Field, E> {
        Err(E::custom(match self.place {
            Place::Outside if self.walker.layout.lists.contains(&"") => "expected a list",
            Place::Outside => "expected an object with lists",
            Place::List(_) => "expected a list",
            _ => "expected an object",
        }))
    }

    /// A value that holds nothing else: a field is it, and an object in an entry may be missing.
    fn scalar<E: Error>(self, field: Field) -> Result<Field, E> {
        match self.place {
            Place::Field => Ok(field),
            Place::Nested(_) => Ok(Field::Absent),
            _ => self.wrong(),
        }
    }

    fn outside<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let Layout { lists, objects, .. } = self.walker.layout;
            let list = lists.iter().find(|name| **name == key && !name.is_empty());
            let place = match list {
                Some(list) => Place::List(list),
                None if objects.contains(&&*key) => Place::Outside,
                None => {
                    self.walker.position.begin_skipped();
                    map.next_value::<IgnoredAny>()?;
                    self.walker.position.begin_entry();
                    continue;
                }
            };
            let walker = &mut *self.walker;
            map.next_value_seed(Node { walker, place, parent: self.parent, row: None })?;
        }
        Ok(Field::Absent)
    }

    /// Reads the wanted fields of an entry, or of an object in it.
    fn fields<'de, A: MapAccess<'de>>(
        walker: &mut Walker,
        prefix: &str,
        row: &mut Row,
        mut map: A,
    ) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let Layout { lists, fields, .. } = walker.layout;
            let name = if prefix.is_empty() { key } else { [prefix, &key].concat() };
            let begins = |field: &&&str| {
                field.strip_prefix(&*name).is_some_and(|rest| rest.starts_with('.'))
            };
            let parent = &Row::default();
            if let Some(field) = fields.iter().find(|field| **field == name) {
                let node = Node { walker, place: Place::Field, parent, row: None };
                let value = map.next_value_seed(node)?;
                row.fields.push((field, value));
            } else if fields.iter().any(|field| begins(&field)) {
                let place = Place::Nested([&name, "."].concat());
                map.next_value_seed(Node { walker, place, parent, row: Some(row) })?;
            } else if let Some(list) = lists.iter().find(|list| **list == name) {
                let place = Place::List(list);
                map.next_value_seed(Node { walker, place, parent: row, row: None })?;
                row.fields.push((list, Field::Absent));
            } else {
                walker.position.begin_skipped();
                map.next_value::<IgnoredAny>()?;
                walker.position.begin_entry();
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Field, E> {
        if let Place::List(_) = self.place {
            self.walker.lists += 1;
            return Ok(Field::Absent);
        }
        self.scalar(Field::Absent)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Field, E> {
        self.scalar(Field::Flag(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Field, E> {
        self.scalar(Field::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Field, E> {
        let field = i64::try_from(value).map_or(Field::Number(value as f64), Field::Integer);
        self.scalar(field)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Field, E> {
        self.scalar(Field::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Field, E> {
        self.scalar(Field::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        let list = match self.place {
            Place::List(list) => list,
            Place::Outside if self.walker.layout.lists.contains(&"") => "",
            Place::Field | Place::Nested(_) => {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Field::Absent);
            }
            _ => return self.wrong(),
        };
        self.walker.lists += 1;
        loop {
            self.walker.position.begin_entry();
            let walker = &mut *self.walker;
            let node = Node { walker, place: Place::Row(list), parent: self.parent, row: None };
            if seq.next_element_seed(node)?.is_none() {
                return Ok(Field::Absent);
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        match (&self.place, self.row) {
            (Place::Outside, _) => Node { row: None, ..self }.outside(map),
            (Place::Row(list), _) => {
                let mut row = Row { line: self.walker.position.line(), ..Row::default() };
                Node::fields(self.walker, "", &mut row, map)?;
                if let Err(error) = (self.walker.each)(list, &mut row, self.parent) {
                    self.walker.error = Some(error);
                    return Err(A::Error::custom("stopped"));
                }
                Ok(Field::Absent)
            }
            (Place::Nested(prefix), Some(row)) => {
                Node::fields(self.walker, prefix, row, map)?;
                Ok(Field::Absent)
            }
            (Place::Field, _) => {
                let mut value = Field::Absent;
                while let Some(key) = map.next_key::<String>()? {
                    if WRAPPERS.contains(&&*key) {
                        let (walker, parent) = (&mut *self.walker, self.parent);
                        let node = Node { walker, place: Place::Field, parent, row: None };
                        value = map.next_value_seed(node)?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(value)
            }
            (_, row) => Node { row, ..self }.wrong(),
        }
    }
}

#[cfg(test)]
mod tests;
