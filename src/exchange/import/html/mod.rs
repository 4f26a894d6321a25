//! Turns the HTML of a foreign comment into Markdown that sayso's own rendering shows as the same text.
//!
//! Pure. Keeps paragraphs, line breaks, emphasis, code, quotes, lists and links to web and mail addresses; of everything else, the text.
//! What Markdown can't say (emphasis that begins inside a word, a list in a table) is checked by rendering it, and then said
//! with less markup, never with other text.

mod blocks;
mod entities;
mod escape;
mod tokens;
mod writer;

pub use entities::{decode_entities, entity};

use tokens::Tokens;
use writer::{Level, MarkdownWriter};

use super::text::clip;
use crate::comment::markup;
use crate::limits::CONTENT_BYTES_MAX;

/// HTML beyond so many bytes is cut before it is read: its text is far longer than a comment may be.
const HTML_INPUT_BYTES_MAX: usize = 16 * CONTENT_BYTES_MAX;

/// Tags that nobody writes in Markdown, and that comment systems write.
const TELLING_TAGS: [&str; 14] = [
    "<p>",
    "</p>",
    "<br>",
    "<br/>",
    "<br />",
    "</a>",
    "</b>",
    "</i>",
    "</em>",
    "</strong>",
    "</code>",
    "</pre>",
    "</blockquote>",
    "<img ",
];

/// Whether a text that may be Markdown is HTML.
pub fn is_html(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    !text.contains('`') && TELLING_TAGS.iter().any(|tag| text.contains(tag))
}

/// Whether HTML says itself where lines and paragraphs end.
pub fn has_blocks(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    TELLING_TAGS[..5].iter().any(|tag| text.contains(tag))
}

/// The Markdown of HTML. `keeps_lines`: a line feed is a line break, and an empty line ends a paragraph.
pub fn to_markdown(html: &str, keeps_lines: bool) -> String {
    let html = clip(html, HTML_INPUT_BYTES_MAX);
    let mut markdown = String::new();
    for level in [Level::Everything, Level::NoEmphasis, Level::TextOnly] {
        let mut writer = MarkdownWriter::new(level, keeps_lines);
        Tokens::new(html).for_each(|token| writer.token(token));
        let shown;
        (markdown, shown) = writer.finish();
        if is_plain(&markdown) || shows(&markdown, &shown) {
            break;
        }
    }
    markdown
}

/// Whether a text needs no check: it is letters and white space.
fn is_plain(markdown: &str) -> bool {
    markdown.chars().all(|char| !char.is_ascii_punctuation() || ".,;!?'\"()/".contains(char))
        && !markdown.starts_with(|char: char| char.is_ascii_digit())
        && !markdown.contains("\n")
}

/// Whether rendered Markdown shows the expected text; white space does not count.
fn shows(markdown: &str, expected: &str) -> bool {
    let shown = match markup::html(markdown) {
        None => markdown.to_owned(),
        Some(html) => {
            let parts = html.split('<');
            let texts = parts.map(|part| part.split_once('>').map_or(part, |(_, text)| text));
            decode_entities(&texts.collect::<String>())
        }
    };
    let visible = |char: &char| !char.is_whitespace() && !char.is_control();
    shown.chars().filter(visible).eq(expected.chars().filter(visible))
}

#[cfg(test)]
mod tests;
