//! What one machine tells the others about its readers: one JSON object on a Redis channel.
//!
//! ```json
//! {"node":"00d1f2…","run":"8f14…","ask":true,"readers":{"page":2},"typing":{"page":"Ada"}}
//! ```
//!
//! Whoever can publish on the channel can send anything: what is damaged, too long or no page's name is left out. Knows no connection.

use std::{collections::HashMap, sync::Arc};

use serde_json::value::RawValue;

use crate::{
    comment::draft::{check_page, parse_name},
    hub::order::Presence,
    util::json::{self, Slot},
};

/// Longest message, bytes: one of them takes about 1 ms to read, and Redis keeps at most 8 MiB for a machine that doesn't (its
/// `client-output-buffer-limit pubsub`).
pub const PRESENCE_MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Readers that one machine can have on a page: more than a process can have sockets. A higher number is no number of readers.
pub const PAGE_READERS_MAX: u64 = 1_000_000;
/// Longest mark of a run, bytes; marks have 16.
const RUN_BYTES_MAX: usize = 64;
/// Room in a message for what is neither pages nor typing.
const HEAD_BYTES: usize = 256;

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The machine: a random number for each start.
    pub node: u64,
    /// The mark that it gives its clients' cursors, if it has one.
    pub run: Option<String>,
    /// Whether it wants to be told everything, since it may have missed something.
    pub asks: bool,
    /// Pages, and how many readers they have there. Others have as many as they had.
    pub readers: Vec<(String, u32)>,
    /// Pages on which somebody with this name types.
    pub typing: Vec<(String, String)>,
}

impl Message {
    /// Reads a message. Of one that can be read, the pages and names that can't be any are left out.
    pub fn parse(bytes: &[u8]) -> Option<Message> {
        if bytes.len() > PRESENCE_MESSAGE_BYTES_MAX {
            return None;
        }
        let (mut node, mut run, mut asks) = (String::new(), None, false);
        let (mut readers, mut typing): (Option<&RawValue>, Option<&RawValue>) = (None, None);
        json::read(
            bytes,
            1,
            &mut [
                ("node", Slot::Text(&mut node)),
                ("run", Slot::OptionalText(&mut run)),
                ("ask", Slot::Flag(&mut asks)),
                ("readers", Slot::Any(&mut readers)),
                ("typing", Slot::Any(&mut typing)),
            ],
        )
        .ok()?;
        let readers: HashMap<String, u64> = object(readers)?;
        let typing: HashMap<String, String> = object(typing)?;
        let readers = readers
            .into_iter()
            .filter(|(page, readers)| *readers <= PAGE_READERS_MAX && check_page(page).is_ok());
        let typing = typing
            .into_iter()
            .filter(|(page, _)| check_page(page).is_ok())
            .filter_map(|(page, name)| Some((page, parse_name(Some(&name)).ok()??)));
        Some(Message {
            node: parse_node(&node)?,
            run: run.filter(|run| is_mark(run)),
            asks,
            readers: readers.map(|(page, readers)| (page, readers as u32)).collect(),
            typing: typing.collect(),
        })
    }
}

/// Writes what a machine has to tell, in as many messages as it takes; one if there is nothing, so that others see that it is there.
/// `asks`: whether others are to tell everything, too.
pub fn encode(node: u64, run: Option<&str>, asks: bool, presence: &Presence) -> Vec<String> {
    let mut parts = vec![Part::default()];
    for (page, readers) in &presence.readers {
        Part::with_room(&mut parts, page, &readers.to_string(), |part| &mut part.readers);
    }
    for (page, name) in &presence.typing {
        Part::with_room(&mut parts, page, &string(name), |part| &mut part.typing);
    }
    let run = run.filter(|run| is_mark(run));
    let run = run.map_or_else(String::new, |run| format!("\"run\":\"{run}\","));
    let ask = if asks { "\"ask\":true," } else { "" };
    let text = |Part { readers, typing }: Part| {
        format!(
            "{{\"node\":\"{node:016x}\",{run}{ask}\"readers\":{{{readers}}},\"typing\":{{{typing}}}}}"
        )
    };
    parts.into_iter().map(text).collect()
}

/// The members of the two objects of one message.
#[derive(Default)]
struct Part {
    readers: String,
    typing: String,
}

impl Part {
    /// Adds a member to an object of the last part, or of a new one if it is full.
    fn with_room(
        parts: &mut Vec<Part>,
        page: &Arc<str>,
        value: &str,
        object: fn(&mut Part) -> &mut String,
    ) {
        let member = format!("{}:{value}", string(page));
        let is_full = |part: &Part| {
            let used = HEAD_BYTES + part.readers.len() + part.typing.len();
            used + member.len() + 1 > PRESENCE_MESSAGE_BYTES_MAX
        };
        if parts.last().is_none_or(is_full) {
            parts.push(Part::default());
        }
        let Some(members) = parts.last_mut().map(object) else { return };
        if !members.is_empty() {
            members.push(',');
        }
        members.push_str(&member);
    }
}

fn string(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be encoded")
}

/// Reads an object; a missing one has no members.
fn object<'j, T: serde::Deserialize<'j> + Default>(json: Option<&'j RawValue>) -> Option<T> {
    json.map_or_else(|| Some(T::default()), |json| serde_json::from_str(json.get()).ok())
}

/// Reads 16 hex digits in lower case.
fn parse_node(text: &str) -> Option<u64> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == 16 && text.bytes().all(is_digit)).then(|| u64::from_str_radix(text, 16).ok())?
}

fn is_mark(run: &str) -> bool {
    (1..=RUN_BYTES_MAX).contains(&run.len()) && run.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "\"node\":\"0123456789abcdef\"";

    fn sorted(bytes: &str) -> Option<Message> {
        let mut message = Message::parse(bytes.as_bytes())?;
        message.readers.sort();
        message.typing.sort();
        Some(message)
    }

    #[test]
    fn what_is_written_is_read() {
        let presence = Presence {
            readers: vec![("a \"b\" \\ ü".into(), 3), ("gone".into(), 0)],
            typing: vec![("a".into(), "Ada \u{1f600}".into())],
        };
        let texts = encode(7, Some("8f14e45fceea167a"), true, &presence);
        assert_eq!(texts.len(), 1);
        let message = sorted(&texts[0]).unwrap();
        assert_eq!(
            (message.node, message.run.as_deref(), message.asks),
            (7, Some("8f14e45fceea167a"), true)
        );
        assert_eq!(message.readers, [("a \"b\" \\ ü".to_owned(), 3), ("gone".to_owned(), 0)]);
        assert_eq!(message.typing, [("a".to_owned(), "Ada \u{1f600}".to_owned())]);
        let none = encode(7, None, false, &Presence::default());
        assert_eq!(none, [r#"{"node":"0000000000000007","readers":{},"typing":{}}"#]);
        let message = sorted(&none[0]).unwrap();
        assert_eq!((message.run, message.asks), (None, false));
    }

    #[test]
    fn many_pages_take_several_messages_each_within_the_limit() {
        // The longest names, of characters that are escaped.
        let page = |n: usize| -> Arc<str> { format!("{n:04}{}", "\"".repeat(508)).into() };
        let presence = Presence {
            readers: (0..600).map(|n| (page(n), 1_000_000)).collect(),
            typing: (0..600).map(|n| (page(n), "\\".repeat(64).into())).collect(),
        };
        let texts = encode(u64::MAX, Some(&"f".repeat(RUN_BYTES_MAX)), true, &presence);
        assert_eq!(texts.len(), 6, "{:?}", texts.iter().map(String::len).collect::<Vec<_>>());
        let messages: Vec<_> =
            texts.iter().map(|text| Message::parse(text.as_bytes()).unwrap()).collect();
        assert!(messages.iter().all(|message| message.run.is_some() && message.asks));
        assert_eq!(messages.iter().map(|message| message.readers.len()).sum::<usize>(), 600);
        assert_eq!(messages.iter().map(|message| message.typing.len()).sum::<usize>(), 600);
        let mut longest = texts[0].clone();
        longest.push_str(&" ".repeat(PRESENCE_MESSAGE_BYTES_MAX - longest.len()));
        assert!(Message::parse(longest.as_bytes()).is_some());
        longest.push(' ');
        assert!(Message::parse(longest.as_bytes()).is_none());
    }

    #[test]
    fn what_is_damaged_is_ignored() {
        let whole = format!("{{{NODE},\"readers\":{{\"a\":1}},\"typing\":{{\"a\":\"Ada\"}}}}");
        assert!(sorted(&whole).is_some());
        for end in 0..whole.len() {
            assert_eq!(sorted(&whole[..end]), None, "{end}");
        }
        assert_eq!(Message::parse(b"{\"node\":\"0123456789abcd\xff\"}"), None);
        let deep = "[".repeat(100_000);
        for wrong in [
            "",
            "null",
            "[]",
            "1",
            "{}",
            "{\"node\":7}",
            "{\"node\":\"\"}",
            "{\"node\":\"0123456789ABCDEF\"}",
            "{\"node\":\"+123456789abcdef\"}",
            "{\"node\":\"0123456789abcdef0\"}",
            &format!("{{{NODE},{NODE}}}"),
            &format!("{{{NODE},\"ask\":1}}"),
            &format!("{{{NODE},\"readers\":[]}}"),
            &format!("{{{NODE},\"readers\":{{\"a\":-1}}}}"),
            &format!("{{{NODE},\"readers\":{{\"a\":1.5}}}}"),
            &format!("{{{NODE},\"readers\":{{\"a\":1e300}}}}"),
            &format!("{{{NODE},\"readers\":{{\"a\":18446744073709551616}}}}"),
            &format!("{{{NODE},\"readers\":{{\"a\":\"1\"}}}}"),
            &format!("{{{NODE},\"typing\":{{\"a\":null}}}}"),
            &format!("{{{NODE},\"readers\":{deep}"),
        ] {
            assert_eq!(sorted(wrong), None, "{}", &wrong[..wrong.len().min(100)]);
        }
    }

    #[test]
    fn pages_numbers_and_names_that_cannot_be_any_are_left_out() {
        let (long, longest) = ("p".repeat(513), "p".repeat(512));
        let huge = "p".repeat(10_000);
        let readers = format!(
            "\"\":1,\"a\\u0007\":1,\"{long}\":1,\"{huge}\":1,\"{longest}\":1,\"b\":1000000,\"c\":1000001,\"d\":18446744073709551615"
        );
        let (name, long_name) = ("n".repeat(64), "n".repeat(65));
        let typing = format!(
            "\"\":\"Ada\",\"a\":\"A\\u001bda\",\"b\":\"\",\"c\":\"{long_name}\",\"d\":\"{name}\",\"e\":\"\\u202eAda\",\"f\":\"\\u200b\""
        );
        let run = "\"run\":\"no mark\"";
        let text = format!(
            "{{{NODE},{run},\"readers\":{{{readers}}},\"typing\":{{{typing}}},\"new\":[{{}}]}}"
        );
        let message = sorted(&text).unwrap();
        assert_eq!(message.readers, [("b".to_owned(), 1_000_000), (longest, 1)]);
        assert_eq!(message.typing, [("d".to_owned(), name), ("e".to_owned(), "Ada".to_owned())]);
        assert_eq!(message.run, None);
    }
}
