//! What sayso says to clients as JSON, but for comments themselves: those are their line of the log, spliced and never serialised again.
//!
//! Pure. The order of fields is a part of the wire: whoever adds one adds it at the end.

use serde::{Serialize, Serializer};

/// A message of the WebSocket; HTTP answers with the same where it says the same. Most are for clients of subprotocol `sayso.1` only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ServerMessage<'a> {
    /// `{"hello":{…}}`, before everything else.
    Hello {
        /// What it says.
        hello: Hello<'a>,
    },
    /// `{"readers":7}`: how many follow the page, this client included; on change, at most once a second.
    Readers {
        /// How many.
        readers: u32,
    },
    /// `{"typing":"Ada"}`: somebody writes; at most once a second for each page.
    Typing {
        /// Who; empty where that is not known.
        typing: &'a str,
    },
    /// `{"likes":{"17":6}}`: what has changed, at most once a second; over HTTP what became of a like.
    Likes {
        /// Likes by comment.
        likes: Counts<'a, u64>,
    },
    /// `{"counts":{"/a":13}}`: to sockets with `count=`, all at first and then what has changed, at most once a second.
    Counts {
        /// Comments by page.
        counts: Counts<'a, &'a str>,
    },
    /// `{"seq":19}`: the highest that the page has, every 25 s, so that a gap is noticed.
    Seq {
        /// It.
        seq: u64,
    },
    /// `{"error":"…"}`: why something was not done; the connection stays open. Over HTTP the status says what kind of error it is.
    Error {
        /// A sentence with the value and the limit.
        error: &'a str,
        /// The kind of error, for programs, where it has a code.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'a str>,
        /// Seconds after which the same may succeed, where waiting helps.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
        /// The one that was sent with what was not done.
        #[serde(skip_serializing_if = "Option::is_none")]
        nonce: Option<&'a str>,
    },
}

/// Where a client stands when it has joined a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hello<'a> {
    /// The log's id: cursors are good only with it.
    pub log: &'a str,
    /// The run's mark: with it a cursor proves itself.
    pub mark: &'a str,
    /// The highest `seq` of the page: what comes later comes live.
    pub seq: u64,
    /// Readers of the page.
    pub readers: u32,
    /// Whether what follows begins where the client's cursor is; `null` if it gave none.
    pub resumed: Option<bool>,
    /// Bits of the proof of work that a post needs, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<u8>,
    /// Likes of the page's newest comments that have any.
    pub likes: Counts<'a, u64>,
}

/// Numbers by name, in this order, as an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts<'a, N>(pub &'a [(N, u64)]);

impl<N: Serialize> Serialize for Counts<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, count)| (name, count)))
    }
}

impl ServerMessage<'_> {
    /// As it is sent.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("it has names and numbers only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_its_fields_in_their_order() {
        use ServerMessage::{Error, Likes, Readers, Seq, Typing};
        let likes = Counts(&[(17, 6), (3, 1)]);
        let hello = Hello {
            log: "9c41f0aa53d7e6b2",
            mark: "5d0c1a7e03bb42f9",
            seq: 19,
            readers: 7,
            resumed: Some(false),
            challenge: Some(16),
            likes,
        };
        let short = Hello { resumed: None, challenge: None, likes: Counts(&[]), ..hello.clone() };
        let (error, nonce) = ("say \"so\"", Some("4f1c"));
        for (message, json) in [
            (
                ServerMessage::Hello { hello },
                r#"{"hello":{"log":"9c41f0aa53d7e6b2","mark":"5d0c1a7e03bb42f9","seq":19,"readers":7,"resumed":false,"challenge":16,"likes":{"17":6,"3":1}}}"#,
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
            (
                Error { error, code: None, retry_after: None, nonce: None },
                r#"{"error":"say \"so\""}"#,
            ),
            (
                Error { error, code: Some("so"), retry_after: Some(5), nonce },
                r#"{"error":"say \"so\"","code":"so","retry_after":5,"nonce":"4f1c"}"#,
            ),
        ] {
            assert_eq!(message.to_json(), json);
        }
    }
}
