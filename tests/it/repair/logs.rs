//! Small logs in which everything happens that a loss could undo.

use sayso::{
    comment::{Author, Comment, Status},
    log::{scan::Header, trailer::append_trailer, writer::header_line},
    store::likes,
};

/// The hash of a line, as it stands in the file.
pub const HASH: &[u8] = b",\"h\":\"12.0123456789abcdef\"";

/// A log that is written line by line.
pub struct Writer {
    pub bytes: Vec<u8>,
    crc: u32,
    next: u64,
}

impl Writer {
    /// A log whose header says that every `seq` below `next` is used.
    pub fn new(next: u64) -> Writer {
        let created_at = "2026-11-22T05:07:13.123Z".to_owned();
        let (bytes, crc) =
            header_line(&Header { log: "9c41f0aa53d7e6b2".into(), created_at, next });
        Writer { bytes, crc, next }
    }

    pub fn line(&mut self, line: &[u8], more: bool) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(line.strip_suffix(b"}").unwrap());
        // Some lines are from several machines.
        if self.next.is_multiple_of(3) {
            self.bytes.extend_from_slice(HASH);
        }
        self.crc = append_trailer(&mut self.bytes, start, more, self.crc);
    }

    pub fn comment(&mut self, comment: &Comment) {
        let mut line = Vec::new();
        comment.encode(&mut line);
        self.line(&line, false);
        self.next = comment.seq + 1;
    }

    /// A new comment, with a nonce if its number is even, at a time that every two of them share.
    pub fn post(&mut self, content: &str) -> Comment {
        let id = self.next;
        let comment = Comment {
            seq: id,
            id,
            page: if id.is_multiple_of(3) { "/b".into() } else { "/".into() },
            name: Some(format!("Name{id}")).filter(|_| id % 2 == 1),
            content: content.into(),
            created_at: format!("2026-11-22T05:08:00.{:03}Z", id / 2),
            nonce: Some(format!("{id:016}")).filter(|_| id.is_multiple_of(2)),
            ..Comment::default()
        };
        self.comment(&comment);
        comment
    }

    /// A further line of a comment.
    pub fn change(&mut self, comment: &Comment, change: impl FnOnce(&mut Comment)) -> Comment {
        let mut comment = comment.clone();
        comment.seq = self.next;
        change(&mut comment);
        self.comment(&comment);
        comment
    }

    pub fn like(&mut self, id: u64, on: bool) {
        let line = likes::encode(self.next, id, Author::from_key("0123456789abcdef"), on);
        self.line(&line, false);
        self.next += 1;
    }
}

fn edit(comment: &mut Comment) {
    comment.content = format!("edited-{}", comment.id);
    comment.edited_at = Some("2026-11-22T06:00:00.000Z".into());
}

/// Posts, edits, deletions, changes of status and likes, each in the middle and among the last.
fn play(log: &mut Writer) {
    let deleted = log.post("delete-me");
    let hidden = log.post("hide-me");
    let edited = log.post("edit-me {\"seq\":1,\"id\":1}");
    let kept = log.post("keep-me");
    let pending = log.change(&kept, |comment| {
        *comment = Comment {
            id: comment.seq,
            status: Status::Pending,
            nonce: None,
            content: "never-shown".into(),
            created_at: "2026-11-22T05:08:09.000Z".into(),
            ..comment.clone()
        }
    });
    log.like(kept.id, true);
    log.change(&deleted, Comment::make_tombstone);
    log.change(&hidden, |comment| comment.status = Status::Hidden);
    log.post("in-between");
    log.change(&edited, edit);
    log.like(kept.id, false);
    log.like(edited.id, true);
    log.change(&pending, |comment| comment.content = "never-shown-either".into());
    let last = log.post("delete-me-too");
    log.change(&last, Comment::make_tombstone);
}

/// A log that was never compacted.
pub fn young() -> Vec<u8> {
    let mut log = Writer::new(1);
    play(&mut log);
    log.bytes
}

/// One that begins with what a compaction has left, and goes on.
pub fn compacted() -> Vec<u8> {
    let mut log = Writer::new(31);
    let mut old = Vec::new();
    for (id, seq) in [(3, 3), (4, 9), (7, 12), (5, 20)] {
        let comment = Comment {
            seq,
            id,
            page: "/".into(),
            content: format!("old-{id}"),
            created_at: format!("2026-11-22T05:00:00.00{id}Z"),
            nonce: Some(format!("old-{id:012}")).filter(|_| id != 3),
            ..Comment::default()
        };
        log.comment(&comment);
        old.push(comment);
    }
    log.next = 31;
    log.change(&old[1], Comment::make_tombstone);
    log.change(&old[0], edit);
    play(&mut log);
    log.change(&old[2], |comment| comment.status = Status::Hidden);
    log.bytes
}
