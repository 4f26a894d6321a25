//! Why a comment waits for a moderator.

/// See the [module](self). Nobody but moderators may learn it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldReason {
    /// It has a phrase of `--block-file` or matches an expression there; this is the line of the file.
    Word(Box<str>),
    /// It has a link, with `--hold links`, or more than `--max-links` allows.
    Links,
    /// Nothing of its author is public yet, with `--hold new`.
    New,
    /// Every comment waits, with `--hold all`.
    All,
    /// A moderator wants to look at everything that its author, or its address, writes.
    Author,
}

impl HoldReason {
    /// One word, without anything of the comment or of the list.
    pub fn name(&self) -> &'static str {
        match self {
            HoldReason::Word(_) => "word",
            HoldReason::Links => "links",
            HoldReason::New => "new",
            HoldReason::All => "all",
            HoldReason::Author => "author",
        }
    }

    /// What a note tells moderators: the name, and of a word the line of the list.
    pub fn why(&self) -> String {
        match self {
            HoldReason::Word(line) => format!("word: {line}"),
            reason => reason.name().into(),
        }
    }
}
