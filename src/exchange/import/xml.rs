//! Reads XML exports element by element: names without their namespace, texts without entities. At most one text is in memory.
//!
//! Knows no format.

use std::rc::Rc;

use quick_xml::errors::Error;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::error::ImportError;
use super::html::entity;
use super::input::{Input, Position};

/// How deep elements may be nested.
const DEPTH_MAX: usize = 64;
/// How many bytes before `<?xml` may be something else, such as a warning of the program that wrote the export.
const JUNK_BYTES_MAX: usize = 64 * 1024;

/// The start of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its name without the namespace.
    pub name: String,
    /// Its attributes: names without the namespace, and values.
    attributes: Vec<(String, String)>,
    /// The line on which it begins.
    pub line: u64,
}

impl Element {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }
}

/// Reads a document from front to back.
pub struct Xml {
    reader: Reader<Input>,
    buffer: Vec<u8>,
    position: Rc<Position>,
    /// The names of the elements that are open.
    depth: usize,
}

/// What comes next.
enum Step {
    Start(Element),
    End,
    Text(String),
    Nothing,
    EndOfFile,
}

impl Xml {
    /// Begins to read; passes over what stands before `<?xml`.
    ///
    /// # Errors
    /// Fails if the input can't be read.
    pub fn new(mut input: Input) -> Result<Xml, ImportError> {
        use std::io::BufRead;
        let start = input.peek(JUNK_BYTES_MAX).map_err(ImportError::Read)?;
        let junk = start.windows(5).position(|bytes| bytes == b"<?xml").unwrap_or(0);
        input.consume(junk);
        let position = input.position();
        let mut reader = Reader::from_reader(input);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        Ok(Xml { reader, buffer: Vec::new(), position, depth: 0 })
    }

    /// The next element inside the current one; `None` at its end. The caller reads or skips it to its end.
    ///
    /// # Errors
    /// Fails if the document is broken.
    pub fn child(&mut self) -> Result<Option<Element>, ImportError> {
        loop {
            self.position.begin_entry();
            match self.step()? {
                Step::Start(element) => return Ok(Some(element)),
                Step::End => return Ok(None),
                Step::EndOfFile if self.depth == 0 => return Ok(None),
                Step::EndOfFile => return Err(self.cut_off()),
                Step::Text(_) | Step::Nothing => {}
            }
        }
    }

    /// The text of the current element, trimmed, up to its end. Elements in it are passed over.
    ///
    /// # Errors
    /// Fails if the document is broken.
    pub fn text(&mut self) -> Result<String, ImportError> {
        self.position.begin_entry();
        let mut text = String::new();
        loop {
            match self.step()? {
                Step::Text(part) => text.push_str(&part),
                Step::Start(_) => self.skip()?,
                Step::End => return Ok(text.trim().to_owned()),
                Step::EndOfFile => return Err(self.cut_off()),
                Step::Nothing => {}
            }
        }
    }

    /// Passes over the rest of the current element.
    ///
    /// # Errors
    /// Fails if the document is broken.
    pub fn skip(&mut self) -> Result<(), ImportError> {
        let outside = self.depth - 1;
        while self.depth > outside {
            self.position.begin_entry();
            if let Step::EndOfFile = self.step()? {
                return Err(self.cut_off());
            }
        }
        Ok(())
    }

    fn cut_off(&self) -> ImportError {
        ImportError::at(self.position.line(), "the file ends in the middle of an element")
    }

    fn step(&mut self) -> Result<Step, ImportError> {
        self.buffer.clear();
        let position = &self.position;
        let event = self.reader.read_event_into(&mut self.buffer);
        let step = match event.map_err(|error| describe(error, position))? {
            Event::Start(start) => {
                let local =
                    |name: &str| name.rsplit_once(':').map_or(name, |(_, local)| local).to_owned();
                let mut attributes = Vec::new();
                for attribute in start.attributes().with_checks(false).flatten() {
                    let value = decoded(&attribute.value);
                    attributes.push((local(attribute.key.as_ref()), value));
                }
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    let what = format!("elements are nested deeper than {DEPTH_MAX}");
                    return Err(ImportError::at(position.line(), what));
                }
                let name = local(start.name().as_ref());
                Step::Start(Element { name, attributes, line: position.line() })
            }
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Step::End
            }
            Event::Text(text) => Step::Text(text.into_inner().into_owned()),
            Event::CData(text) => Step::Text(text.into_inner().into_owned()),
            Event::GeneralRef(name) => {
                let name = name.into_inner();
                Step::Text(entity(&name).unwrap_or_else(|| format!("&{name};")))
            }
            Event::Eof => Step::EndOfFile,
            _ => Step::Nothing,
        };
        Ok(step)
    }
}

/// The value of an attribute.
fn decoded(value: &str) -> String {
    super::html::decode_entities(value)
}

/// The message of a parser's error without the names that it repeats.
fn describe(error: Error, position: &Position) -> ImportError {
    if let Some(error) = position.too_long() {
        return error;
    }
    let what = match error {
        Error::Io(_) => "the file can't be read or unpacked to its end".to_owned(),
        Error::Syntax(error) => format!("this is no XML: {error}"),
        Error::IllFormed(_) => "a tag is closed that is not open, or is not closed".to_owned(),
        Error::Encoding(_) => "this is not UTF-8".to_owned(),
        _ => "this is no XML".to_owned(),
    };
    ImportError::at(position.line(), what)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn xml(text: &str) -> Xml {
        Xml::new(Input::open(Box::new(Cursor::new(text.to_owned()))).unwrap()).unwrap()
    }

    #[test]
    fn elements_attributes_and_texts_are_read_without_namespaces() {
        let mut xml = xml(
            "Warning: x < y\n<?xml version=\"1.0\"?>\n<a:b xmlns:a=\"u\" a:id=\" 7&amp;8 \"><c/>\n<d>\n a<e>no</e>&lt;<![CDATA[<b>&amp;]]> &raquo; &#39; & x</d></a:b>",
        );
        let b = xml.child().unwrap().unwrap();
        assert_eq!((&*b.name, b.attribute("id"), b.line), ("b", Some("7&8"), 3));
        assert_eq!(xml.child().unwrap().unwrap().name, "c");
        assert_eq!(xml.text().unwrap(), "");
        let d = xml.child().unwrap().unwrap();
        assert_eq!((&*d.name, d.line), ("d", 4));
        assert_eq!(xml.text().unwrap(), "a<<b>&amp; » ' & x");
        assert_eq!(xml.child().unwrap(), None);
        assert_eq!(xml.child().unwrap(), None);
    }

    #[test]
    fn a_broken_document_is_an_error_that_names_the_line_and_no_value() {
        for (text, error) in [
            ("<a>\n<b>ada", "line 2: the file ends in the middle of an element"),
            (
                "<a>\n<b></ada@example.org>",
                "line 2: a tag is closed that is not open, or is not closed",
            ),
            ("<a>\n<![CDATA[ada", "line 2: this is no XML: "),
        ] {
            let mut xml = xml(text);
            let message = loop {
                match xml.child() {
                    Err(error) => break error.to_string(),
                    Ok(None) => panic!("{text}"),
                    Ok(Some(_)) => {}
                }
            };
            assert!(message.starts_with(error) && !message.contains("ada"), "{message}");
        }
    }

    #[test]
    fn elements_nested_at_the_limit_are_read_and_deeper_ones_are_not() {
        let mut deep = xml(&"<a>".repeat(DEPTH_MAX + 1));
        for _ in 0..DEPTH_MAX {
            deep.child().unwrap();
        }
        assert_eq!(
            deep.child().unwrap_err().to_string(),
            "line 1: elements are nested deeper than 64"
        );
    }
}
