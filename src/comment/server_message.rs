//! The messages that the server sends as JSON, except comments and errors: a comment is sent as its line of the
//! log, which is never encoded again, an error as its [`ErrorBody`](crate::util::error_body::ErrorBody).
//!
//! Pure. The order of the fields is part of the protocol; add new ones at the end.

use serde::{Serialize, Serializer};

use crate::comment::did::Did;
use crate::util::text::is_false;

/// A message of the WebSocket; HTTP uses that for likes too. Most are sent only to clients of subprotocol `sayso.1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ServerMessage<'a> {
    /// `{"hello":{…}}`, the first message.
    Hello {
        /// Its fields.
        hello: Hello<'a>,
    },
    /// `{"readers":7}`: how many clients follow the page, including this one; sent on change, at most once a second.
    Readers {
        /// The number of clients.
        readers: u32,
    },
    /// `{"typing":"Ada"}`: somebody is typing; at most once a second for each page.
    Typing {
        /// The name over that author's comments on the page, or `Someone`.
        typing: &'a str,
    },
    /// `{"likes":{"17":6}}`: the likes that have changed, at most once a second; over HTTP, the result of a like.
    Likes {
        /// The number of likes by comment id.
        likes: Counts<'a, u64>,
    },
    /// `{"counts":{"/a":13}}`: for clients with `count=`; first all counts, then those that have changed, at most once a second.
    Counts {
        /// The number of comments by page.
        counts: Counts<'a, &'a str>,
    },
    /// `{"locked":true}`: the page was closed to new comments, or opened.
    Locked {
        /// Whether it is closed.
        locked: bool,
    },
    /// `{"note":{…}}`: what a moderator tells the author of a comment.
    Note {
        /// Its fields.
        note: Note<'a>,
    },
    /// `{"seq":19}`: the page's highest sequence number, every 25 s, so that a client notices a gap.
    Seq {
        /// The sequence number.
        seq: u64,
    },
    /// `{"mark":"5d0c1a7e03bb42f9"}`: what is received from now on is received in this run; only with several machines.
    #[cfg(feature = "redis")]
    Mark {
        /// The run's mark.
        mark: &'a str,
    },
}

/// What a moderator tells an author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note<'a> {
    /// The comment.
    pub id: u64,
    /// What was done to it.
    pub did: Did,
    /// One line.
    pub reason: &'a str,
}

/// The state of a page when a client joins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hello<'a> {
    /// The log's id; a cursor is valid only with the id that it came with.
    pub log: &'a str,
    /// The mark of the run: with it, a cursor proves itself.
    pub mark: &'a str,
    /// The page's highest sequence number; lines beyond it follow as they are written.
    pub seq: u64,
    /// How many clients follow the page.
    pub readers: u32,
    /// Whether the history that follows continues from the client's cursor; `null` if it sent none.
    pub resumed: Option<bool>,
    /// How many bits of proof of work a post needs, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<u8>,
    /// The likes of the page's newest comments, without those that have none.
    pub likes: Counts<'a, u64>,
    /// Whether the page is closed to new comments.
    #[serde(skip_serializing_if = "is_false")]
    pub locked: bool,
    /// The page's pinned comments.
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    pub pinned: &'a [u64],
    /// The names of the moderators, which nobody else may bear.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub moderators: &'a [String],
}

/// Encodes pairs as an object, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts<'a, N>(pub &'a [(N, u64)]);

impl<N: Serialize> Serialize for Counts<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, count)| (name, count)))
    }
}

impl<'a> ServerMessage<'a> {
    /// What a moderator tells the author of comment `id`.
    pub fn note(id: u64, did: Did, reason: &'a str) -> ServerMessage<'a> {
        ServerMessage::Note { note: Note { id, did, reason } }
    }

    /// Encodes the message.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can be encoded")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_its_fields_in_the_documented_order() {
        use ServerMessage::{Likes, Readers, Seq, Typing};
        let likes = Counts(&[(17, 6), (3, 1)]);
        let hello = Hello {
            log: "9c41f0aa53d7e6b2",
            mark: "5d0c1a7e03bb42f9",
            seq: 19,
            readers: 7,
            resumed: Some(false),
            challenge: Some(16),
            likes,
            locked: true,
            pinned: &[3, 17],
            moderators: &["ada".into()],
        };
        let short = Hello {
            resumed: None,
            challenge: None,
            likes: Counts(&[]),
            locked: false,
            pinned: &[],
            moderators: &[],
            ..hello.clone()
        };
        for (message, json) in [
            (
                ServerMessage::Hello { hello },
                r#"{"hello":{"log":"9c41f0aa53d7e6b2","mark":"5d0c1a7e03bb42f9","seq":19,"readers":7,"resumed":false,"challenge":16,"likes":{"17":6,"3":1},"locked":true,"pinned":[3,17],"moderators":["ada"]}}"#,
            ),
            (
                ServerMessage::Hello { hello: short },
                r#"{"hello":{"log":"9c41f0aa53d7e6b2","mark":"5d0c1a7e03bb42f9","seq":19,"readers":7,"resumed":null,"likes":{}}}"#,
            ),
            (Readers { readers: 7 }, r#"{"readers":7}"#),
            (Typing { typing: "A\"da" }, r#"{"typing":"A\"da"}"#),
            (Likes { likes }, r#"{"likes":{"17":6,"3":1}}"#),
            (
                ServerMessage::Counts { counts: Counts(&[("a\"b", 1), ("\n", 2)]) },
                r#"{"counts":{"a\"b":1,"\n":2}}"#,
            ),
            (Seq { seq: 19 }, r#"{"seq":19}"#),
            (ServerMessage::Locked { locked: true }, r#"{"locked":true}"#),
            #[cfg(feature = "redis")]
            (ServerMessage::Mark { mark: "5d0c1a7e03bb42f9" }, r#"{"mark":"5d0c1a7e03bb42f9"}"#),
            (
                ServerMessage::note(17, Did::Hide, "Off topic"),
                r#"{"note":{"id":17,"did":"hide","reason":"Off topic"}}"#,
            ),
        ] {
            assert_eq!(message.to_json(), json);
        }
    }
}
