//! The lines that moderation writes: flags, bans, states of pages, and notes about what a moderator did.
//!
//! Pure. No reader is ever sent one of them as it is.

use serde::{Serialize, de::Error as _};

use crate::{
    comment::did::Did,
    util::json::{self, Slot},
    util::text::is_false,
};

/// The kinds of lines that this module knows, besides a like's.
pub const KINDS: [&str; 4] = ["flag", "ban", "page", "note"];

/// A line of one of [`KINDS`], with the fields of all of them. `seq` is the first field of a line, then they come in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ModerationLine {
    /// Position in the log.
    pub seq: u64,
    /// What kind of line it is.
    pub kind: String,
    /// The comment that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The page that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The pseudonym of the author that it is about, or who flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Of a flag: `false` if it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// Hash of the address that is banned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Of a ban: whether what is written waits instead of being refused.
    #[serde(skip_serializing_if = "is_false")]
    pub hold: bool,
    /// When a ban ends, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether a page is closed to posts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// Where the comments of a page live now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
    /// What was done to a comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
    /// Why it was held or hidden, for moderators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What the author is told, or the note about an author.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The moderator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When, in RFC 3339.
    pub created_at: String,
}

impl ModerationLine {
    /// Parses a line of one of [`KINDS`].
    ///
    /// # Errors
    /// Fails if the bytes are not JSON with these fields.
    pub fn parse(line: &[u8]) -> Result<ModerationLine, serde_json::Error> {
        let (mut read, mut did) = (ModerationLine::default(), None);
        let mut fields = [
            ("seq", Slot::Number(&mut read.seq)),
            ("kind", Slot::Text(&mut read.kind)),
            ("id", Slot::OptionalNumber(&mut read.id)),
            ("page", Slot::OptionalText(&mut read.page)),
            ("author", Slot::OptionalText(&mut read.author)),
            ("on", Slot::OptionalFlag(&mut read.on)),
            ("address", Slot::OptionalText(&mut read.address)),
            ("hold", Slot::Flag(&mut read.hold)),
            ("until", Slot::OptionalText(&mut read.until)),
            ("locked", Slot::OptionalFlag(&mut read.locked)),
            ("moved", Slot::OptionalText(&mut read.moved)),
            ("why", Slot::OptionalText(&mut read.why)),
            ("reason", Slot::OptionalText(&mut read.reason)),
            ("by", Slot::OptionalText(&mut read.by)),
            ("created_at", Slot::Text(&mut read.created_at)),
            ("did", Slot::OptionalText(&mut did)),
        ];
        json::read(line, 0, &mut fields)?;
        let unknown = || serde_json::Error::custom("unknown did");
        read.did = did.map(|did| Did::parse(&did).ok_or_else(unknown)).transpose()?;
        Ok(read)
    }

    /// Encodes the line from `{` to `}`.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can be encoded")
    }
}

/// What moderators are shown of a note about a comment.
#[derive(Serialize)]
struct ShownNote<'a> {
    did: Option<Did>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: &'a Option<String>,
    created_at: &'a str,
}

/// A comment's line as moderators see it: with its newest note, given as that note's line, and the number of unsettled flags at its end.
pub fn annotate(mut line: Vec<u8>, note: Option<&[u8]>, flags: usize) -> Vec<u8> {
    let note = note.and_then(|note| ModerationLine::parse(note).ok());
    if let Some(ModerationLine { did, why, reason, by, created_at, .. }) = &note {
        line.pop();
        line.extend_from_slice(b",\"note\":");
        let shown = ShownNote { did: *did, why, reason, by, created_at };
        line.append(&mut serde_json::to_vec(&shown).expect("texts can be encoded"));
        line.push(b'}');
    }
    if flags > 0 {
        line.pop();
        line.extend_from_slice(format!(",\"flags\":{flags}}}").as_bytes());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_documented_fields_in_their_order() {
        let new = |kind: &str| ModerationLine {
            seq: 9,
            kind: kind.into(),
            created_at: "T".into(),
            ..Default::default()
        };
        let text = |text: &str| Some(text.to_owned());
        for (line, json) in [
            (
                ModerationLine { id: Some(17), author: text("A"), ..new("flag") },
                r#"{"seq":9,"kind":"flag","id":17,"author":"A","created_at":"T"}"#,
            ),
            (
                ModerationLine {
                    author: text("A"),
                    hold: true,
                    until: text("U"),
                    by: text("ada"),
                    ..new("ban")
                },
                r#"{"seq":9,"kind":"ban","author":"A","hold":true,"until":"U","by":"ada","created_at":"T"}"#,
            ),
            (
                ModerationLine {
                    page: text("/a"),
                    locked: Some(false),
                    by: text("ada"),
                    ..new("page")
                },
                r#"{"seq":9,"kind":"page","page":"/a","locked":false,"by":"ada","created_at":"T"}"#,
            ),
            (
                ModerationLine {
                    id: Some(17),
                    did: Some(Did::Hold),
                    why: text("word: casino"),
                    ..new("note")
                },
                r#"{"seq":9,"kind":"note","id":17,"did":"hold","why":"word: casino","created_at":"T"}"#,
            ),
        ] {
            assert_eq!(String::from_utf8(line.encode()).unwrap(), json);
            assert_eq!(ModerationLine::parse(json.as_bytes()).unwrap(), line);
        }
    }
}
