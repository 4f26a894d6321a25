//! The lines that a log or a stream has had, uncompacted, and what must hold for them: each follows from the one before, no post is there
//! twice, and no text comes back.

use std::collections::BTreeMap;

use sayso::{
    comment::{Comment, Status},
    log::chain::{ChainHash, ChainedLine},
    store::history::redacted,
};

/// The page that everything is on.
pub const PAGE: &str = "/";

/// What a reader gets of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub seq: u64,
    pub id: u64,
    pub line: Vec<u8>,
    /// Whether the comment is to be seen.
    pub has_content: bool,
}

/// See the [module](self).
#[derive(Default)]
pub struct Lines {
    all: Vec<ChainedLine>,
    comments: Vec<Option<Comment>>,
    shown: Vec<Option<Shown>>,
    /// The texts that each comment has had; an empty one is a tombstone's.
    texts: BTreeMap<u64, Vec<String>>,
    nonces: BTreeMap<String, u64>,
    /// When the last comment was posted.
    last_time: String,
}

impl Lines {
    pub fn all(&self) -> &[ChainedLine] {
        &self.all
    }

    pub fn seq(&self) -> u64 {
        self.all.len() as u64
    }

    pub fn chain(&self) -> ChainHash {
        self.all.last().map_or(ChainHash::default(), |line| line.chain)
    }

    /// All lines of comments.
    pub fn comments(&self) -> impl DoubleEndedIterator<Item = &Comment> {
        self.comments.iter().flatten()
    }

    /// The ids of all comments.
    pub fn ids(&self) -> Vec<u64> {
        self.texts.keys().copied().collect()
    }

    /// What readers get behind this `seq`.
    pub fn shown_after(&self, since: u64) -> impl Iterator<Item = &Shown> {
        self.shown.iter().skip(since as usize).flatten()
    }

    /// What a reader sees who has received everything up to this `seq`.
    pub fn seen_at(&self, since: u64) -> BTreeMap<u64, Shown> {
        let mut seen = BTreeMap::new();
        for shown in self.shown.iter().take(since as usize).flatten() {
            seen.insert(shown.id, shown.clone());
        }
        seen.retain(|_, shown| shown.has_content);
        seen
    }

    /// Adds a line. Panics if it must not stand there.
    pub fn push(&mut self, line: ChainedLine) {
        assert_eq!(line.seq, self.seq() + 1, "a line is missing, or there twice");
        let expected = self.chain().next(line.chain.run, &line.line);
        assert_eq!(line.chain, expected, "line {} does not follow", line.seq);
        let comment = Comment::parse(&line.line).unwrap();
        assert_eq!(comment.seq, line.seq);
        let comment = Some(comment).filter(|comment| comment.kind.is_none());
        self.shown.push(comment.as_ref().and_then(|comment| shown(comment, &line.line)));
        if let Some(comment) = &comment {
            self.check_comment(comment);
        }
        self.comments.push(comment);
        self.all.push(line);
    }

    fn check_comment(&mut self, comment: &Comment) {
        let Comment { seq, id, content, .. } = comment;
        let texts = self.texts.entry(*id).or_default();
        let is_new = texts.last() != Some(content);
        assert!(!is_new || !texts.contains(content), "text {content:?} comes back in line {seq}");
        assert!(!is_new || texts.last().is_none_or(|text| !text.is_empty()), "{id} comes back");
        assert_eq!(comment.deleted, content.is_empty());
        if is_new {
            texts.push(content.clone());
        }
        if seq == id {
            let time = &comment.created_at;
            assert!(*time >= self.last_time, "{time} of {seq} is before {}", self.last_time);
            self.last_time.clone_from(time);
        }
        if let Some(nonce) = &comment.nonce {
            let known = *self.nonces.entry(nonce.clone()).or_insert(*id);
            assert_eq!(known, *id, "post {nonce} is there twice");
        }
    }

    /// Takes the lines behind this `seq` away again: they were never stored.
    pub fn truncate(&mut self, seq: u64) {
        let all = std::mem::take(&mut self.all);
        *self = Lines::default();
        all.into_iter().take(seq as usize).for_each(|line| self.push(line));
    }
}

fn shown(comment: &Comment, line: &[u8]) -> Option<Shown> {
    let line = match comment.status {
        Status::Hidden if !comment.deleted => redacted(line).unwrap(),
        Status::Public | Status::Hidden => line.to_vec(),
        Status::Pending => return None,
    };
    let has_content = !comment.deleted && comment.status == Status::Public;
    Some(Shown { seq: comment.seq, id: comment.id, line, has_content })
}
