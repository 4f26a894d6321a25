//! The fuzzer's bytes as a small script, and the log that is written by it.

use sayso::{
    comment::{Author, Comment, Status},
    log::{scan::Header, writer::header_line},
    store::likes,
};

use super::{Opened, open};
use crate::model::Machine;

/// The bytes as numbers; zeros when there are none left.
pub(super) struct Script<'a>(pub(super) &'a [u8]);

impl<'a> Script<'a> {
    pub(super) fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    pub(super) fn number(&mut self) -> usize {
        self.byte() << 8 | self.byte()
    }

    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// A log of a few batches, written by the log itself.
pub(super) fn write(script: &mut Script) -> Vec<u8> {
    let created_at = "2026-11-22T05:07:13.123Z".to_owned();
    let (header, _) = header_line(&Header { log: "9c41f0aa53d7e6b2".into(), created_at, next: 1 });
    let machine = Machine::holding(header);
    let Opened { mut log, .. } = open(&machine, 0).expect("a header is a log");
    let mut comments: Vec<Comment> = Vec::new();
    for _ in 0..script.byte() % 7 {
        for _ in 0..1 + script.byte() % 3 {
            let act = script.byte();
            let seq = log.next_seq();
            let mut line = line(act, seq, &mut comments, script);
            // What a line of several machines has in the file.
            if seq.is_multiple_of(3) {
                line.pop();
                line.extend_from_slice(b",\"h\":\"3.0123456789abcdef\"}");
            }
            log.stage(&line);
        }
        log.commit().expect("the medium is well");
    }
    machine.bytes()
}

fn line(act: usize, seq: u64, comments: &mut Vec<Comment>, script: &mut Script) -> Vec<u8> {
    let mut out = Vec::new();
    let count = comments.len();
    let author = Author::from_key("0123456789abcdef");
    if let (8.., Some(comment)) = (act % 16, comments.get_mut((act / 16) % count.max(1))) {
        match act % 16 {
            8 | 9 => return likes::encode(seq, comment.id, author, act % 16 == 8),
            10 => {
                let mark = script.bytes(1).escape_ascii().to_string().replace('\\', "");
                return format!("{{\"seq\":{seq},\"kind\":\"new\",\"mark\":{mark:?}}}")
                    .into_bytes();
            }
            11 | 12 => comment.make_tombstone(),
            13 => comment.status = Status::Hidden,
            _ => comment.content.push('\u{e9}'),
        }
        comment.seq = seq;
        comment.encode(&mut out);
        return out;
    }
    let content = match act % 16 {
        0..5 => "x".repeat(1 + script.byte() % 32),
        5 => String::from_utf8_lossy(script.bytes(8)).into_owned(),
        _ => "\"more\":1,\"crc\":\"00000000\"}\n".repeat(1 + act % 2),
    };
    let comment = Comment {
        seq,
        id: seq,
        page: ["/", "/a", "\u{e9}\\"][act / 16 % 3].into(),
        name: Some("Ada".to_owned()).filter(|_| act > 127),
        author: Some(author.to_string()).filter(|_| !act.is_multiple_of(3)),
        content,
        created_at: "2026-11-22T05:08:00.001Z".into(),
        nonce: Some(format!("{seq:016x}")).filter(|_| !act.is_multiple_of(5)),
        ..Comment::default()
    };
    comment.encode(&mut out);
    comments.push(comment);
    out
}
