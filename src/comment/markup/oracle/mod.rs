//! The same rendering by pulldown-cmark, which was in the program before. Compiled for tests only.
//!
//! [`source`] escapes the syntax that sayso doesn't support, then `pulldown-cmark` parses the text as CommonMark, and [`events`] writes
//! the result.

mod events;
mod source;

use super::writer::Writer;
use source::Source;

/// What pulldown-cmark made of a text.
pub struct Rendering {
    pub html: Option<String>,
    /// Whether it found HTML, or an address in angle brackets that may not be linked: behind a `](` that begins no link, where
    /// [`Source`] leaves the angle bracket alone.
    pub has_html: bool,
}

/// Renders a comment's text.
pub fn render(content: &str) -> Rendering {
    let (mut writer, mut has_html) = (Writer::default(), false);
    let written = events::write(&mut writer, &Source::new(content), &mut has_html);
    Rendering { html: written.and_then(|()| writer.finish(content)), has_html }
}
