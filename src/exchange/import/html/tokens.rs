//! Splits HTML into texts and tags, as forgivingly as a browser does for what people write in comments.
//!
//! Pure; takes time in proportion to the HTML. Knows no element but those whose content is no text.

/// A piece of HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// Text with entities.
    Text(&'a str),
    /// A start tag: its name as written, and the attributes behind it.
    Open(&'a str, &'a str),
    /// An end tag.
    Close(&'a str),
}

/// Elements whose content is passed over.
const DROPPED: [&str; 12] = [
    "script", "style", "template", "iframe", "object", "svg", "math", "head", "title", "noscript",
    "textarea", "select",
];

/// The tokens of a text.
pub struct Tokens<'a> {
    rest: &'a str,
    /// There is no further `>`, so that no further `<` begins a tag.
    is_text: bool,
}

impl<'a> Tokens<'a> {
    /// The tokens of `html`.
    pub fn new(html: &'a str) -> Tokens<'a> {
        Tokens { rest: html, is_text: false }
    }

    /// The token at a `<`, if one begins there.
    fn tag(&mut self) -> Option<Token<'a>> {
        let inside = &self.rest[1..];
        let first = inside.chars().next()?;
        if !(first.is_ascii_alphabetic() || "/!?".contains(first)) || self.is_text {
            return None;
        }
        if let Some(comment) = inside.strip_prefix("!--") {
            self.rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            return Some(Token::Text(""));
        }
        let Some(end) = tag_end(inside) else {
            self.is_text = true;
            return None;
        };
        let tag = &inside[..end];
        self.rest = &inside[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            return Some(Token::Close(name_of(name).0));
        }
        if first == '!' || first == '?' {
            return Some(Token::Text(""));
        }
        let (name, attributes) = name_of(tag);
        if DROPPED.iter().any(|dropped| dropped.eq_ignore_ascii_case(name)) {
            self.drop_content(name);
            return Some(Token::Text(""));
        }
        Some(Token::Open(name, attributes))
    }

    /// Passes over everything up to the end tag; without one, over the rest.
    fn drop_content(&mut self, name: &str) {
        while let Some(at) = self.rest.find("</") {
            self.rest = &self.rest[at + 2..];
            let is_end =
                self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            if is_end {
                self.rest = self.rest.find('>').map_or("", |end| &self.rest[end + 1..]);
                return;
            }
        }
        self.rest = "";
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if self.rest.starts_with('<')
            && let Some(token) = self.tag()
        {
            return Some(token);
        }
        // A `<` that begins no tag is text.
        let first = self.rest.chars().next().map_or(1, char::len_utf8);
        let next_tag = self.rest[first..].find('<').filter(|_| !self.is_text);
        let end = next_tag.map_or(self.rest.len(), |at| first + at);
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(Token::Text(text))
    }
}

/// Where the `>` of a tag is: one in quotes does not count, unless the quotes have no end.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    let mut first = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') if tag[..at].trim_end().ends_with('=') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), b'>') => first = first.or(Some(at)),
            _ => {}
        }
    }
    first
}

fn name_of(tag: &str) -> (&str, &str) {
    let end = tag.find(|char: char| char.is_whitespace() || char == '/').unwrap_or(tag.len());
    tag.split_at(end)
}

/// The value of an attribute, with entities.
pub fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|char: char| char.is_whitespace() || char == '/');
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .find(|char: char| char.is_whitespace() || char == '=' || char == '/')
            .unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end.max(usize::from(end == 0 && rest.starts_with('='))));
        rest = behind.trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            continue;
        };
        let value = value.trim_start();
        let (value, behind) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inside = &value[1..];
                let end = inside.find(quote).unwrap_or(inside.len());
                (&inside[..end], inside.get(end + 1..).unwrap_or(""))
            }
            _ => value.split_at(value.find(char::is_whitespace).unwrap_or(value.len())),
        };
        rest = behind;
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Token::{Close, Open, Text};
    use super::*;

    #[test]
    fn html_is_split_into_texts_and_tags() {
        for (html, expected) in [
            ("a<b>c</b>", vec![Text("a"), Open("b", ""), Text("c"), Close("b")]),
            ("<a href='x>y' b>z", vec![Open("a", " href='x>y' b"), Text("z")]),
            ("<br/><BR />", vec![Open("br", "/"), Open("BR", " /")]),
            ("1 < 2 <3 é<é", vec![Text("1 "), Text("< 2 "), Text("<3 é"), Text("<é")]),
            ("a<b c<d", vec![Text("a"), Text("<b c<d")]),
            ("<!-- <b> -->x<!doctype y>", vec![Text(""), Text("x"), Text("")]),
            ("<script>a<b></script>c", vec![Text(""), Text("c")]),
            ("<STYLE>a</b></Style >c<style>d", vec![Text(""), Text("c"), Text("")]),
            ("<a href=\"x>y", vec![Open("a", " href=\"x"), Text("y")]),
            ("<!-- a", vec![Text("")]),
            ("<", vec![Text("<")]),
        ] {
            assert_eq!(Tokens::new(html).collect::<Vec<_>>(), expected, "{html}");
        }
    }

    #[test]
    fn attributes_are_found_however_they_are_quoted() {
        let attributes = " x HREF = 'a b' y=\"1'2\" z=3/ =q w";
        for (name, value) in [
            ("href", Some("a b")),
            ("y", Some("1'2")),
            ("z", Some("3/")),
            ("x", None),
            ("w", None),
            ("v", None),
        ] {
            assert_eq!(attribute(attributes, name), value, "{name}");
        }
        assert_eq!(attribute("href=\"a", "href"), Some("a"));
    }

    #[test]
    fn many_tags_without_an_end_take_linear_time() {
        let html = "<a \"='".repeat(200_000);
        assert!(Tokens::new(&html).count() > 0);
        let html = "<script></".repeat(200_000);
        assert!(Tokens::new(&html).count() > 0);
    }
}
