//! Brings texts and names within the limits of a comment.
//!
//! Pure.

use super::html;
use super::record::Markup;
use crate::comment::shown_text::{is_blank, is_direction_override};
use crate::limits::{CONTENT_BYTES_MAX, NAME_CHARS_MAX};

/// The start of a text, at most so many bytes.
pub fn clip(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text as Markdown within the limits of a comment; whether it was cut.
pub fn normal_content(text: &str, markup: Markup) -> (String, bool) {
    let mut content = match markup {
        Markup::Html => html::to_markdown(text, false),
        Markup::HtmlLines => html::to_markdown(text, true),
        Markup::Guess if html::is_html(text) => html::to_markdown(text, !html::has_blocks(text)),
        Markup::Markdown | Markup::Guess => text.replace("\r\n", "\n").replace('\r', "\n"),
    };
    content.retain(|char| !char.is_control() || char == '\n' || char == '\t');
    let content = content.trim();
    if is_blank(content) {
        return (String::new(), false);
    }
    if content.len() <= CONTENT_BYTES_MAX {
        return (content.into(), false);
    }
    let kept = clip(content, CONTENT_BYTES_MAX - '…'.len_utf8());
    ([kept.trim_end(), "…"].concat(), true)
}

/// The name within the limits of a name; whether it was cut. Empty if it shows nothing.
pub fn normal_name(name: &str) -> (String, bool) {
    let visible = |char: char| if char.is_whitespace() || char.is_control() { ' ' } else { char };
    let is_mark = |char: char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{61c}');
    let name: String =
        name.trim().chars().filter(|char| !is_direction_override(*char)).map(visible).collect();
    let name = name.trim_matches(|char: char| char.is_whitespace() || is_mark(char));
    if is_blank(name) {
        return (String::new(), false);
    }
    match name.char_indices().nth(NAME_CHARS_MAX) {
        None => (name.into(), false),
        Some(_) => {
            let kept: String = name.chars().take(NAME_CHARS_MAX - 1).collect();
            ([kept.trim_end(), "…"].concat(), true)
        }
    }
}

/// What stands before the `@` of a name that is a mail address. One that begins with `@`, as those of the Fediverse, is none.
pub fn mail_user(name: &str) -> Option<&str> {
    let name = name.trim();
    let (user, host) = name.split_once('@')?;
    let is_mail = !user.is_empty()
        && !name.contains(char::is_whitespace)
        && host.contains('.')
        && host.split('.').all(|label| !label.is_empty() && !label.contains('@'));
    is_mail.then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_mail_address_is_cut() {
        for (name, user) in [
            (" ada.l+x@mail.example ", Some("ada.l+x")),
            ("Ada", None),
            ("Ada @ home.example", None),
            ("@ada@social.example", None),
            ("ada@social.example@x", None),
            ("ada@home", None),
            ("ada@.example", None),
            ("ada@", None),
        ] {
            assert_eq!(mail_user(name), user, "{name}");
        }
    }
    use crate::comment::draft::ClientMessage;

    #[test]
    fn a_text_and_a_name_at_the_limit_are_kept_and_longer_ones_are_cut() {
        let content = "é".repeat(CONTENT_BYTES_MAX / 2);
        assert_eq!(normal_content(&content, Markup::Markdown), (content.clone(), false));
        let (cut, is_cut) = normal_content(&format!("{content}é"), Markup::Markdown);
        assert!(is_cut && cut.len() <= CONTENT_BYTES_MAX && cut.ends_with("é…"));
        let name = "é".repeat(NAME_CHARS_MAX);
        assert_eq!(normal_name(&name), (name.clone(), false));
        let (cut, is_cut) = normal_name(&format!("{name}é"));
        assert!(is_cut && cut.chars().count() == NAME_CHARS_MAX && cut.ends_with("é…"));
    }

    #[test]
    fn what_is_taken_is_what_a_post_would_be() {
        for text in ["a\r\nb\rc", "\u{7}a\u{0}", " \u{feff} ", "\u{200b}", "a\tb ", "", "x\u{85}y"]
        {
            for name in ["Ada", " Ada\nB ", "\u{202e}Ada", "\u{200b}", "", "a\u{7}b", "\u{200f}Ada"]
            {
                let (content, _) = normal_content(text, Markup::Markdown);
                if content.is_empty() {
                    continue;
                }
                let (name, _) = normal_name(name);
                let message = ClientMessage {
                    content: Some(content.clone()),
                    name: Some(name.clone()),
                    ..ClientMessage::default()
                };
                let draft = message.post("/").unwrap_or_else(|why| panic!("{text:?}: {why}"));
                let body = String::from_utf8(draft.render().body).unwrap();
                let field = |value: &str| serde_json::to_string(value).unwrap();
                assert!(body.contains(&format!("\"content\":{}", field(&content))), "{body}");
                let has_name = body.contains(&format!("\"name\":{}", field(&name)));
                assert!(has_name || name.is_empty(), "{body}");
            }
        }
    }
}
