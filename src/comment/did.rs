//! What was done to a comment, by a moderator or by sayso itself.

use serde::Serialize;

/// What was done to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Did {
    /// It waits for a moderator.
    Hold,
    /// A moderator lets everybody see it.
    Approve,
    /// It was taken away from readers, or never shown to them.
    Hide,
    /// It was deleted.
    Delete,
    /// Its text was changed.
    Edit,
    /// It stands first on its page.
    Pin,
    /// It no longer does.
    Unpin,
}

impl Did {
    /// Parses what it is written as.
    pub fn parse(text: &str) -> Option<Did> {
        Some(match text {
            "hold" => Did::Hold,
            "approve" => Did::Approve,
            "hide" => Did::Hide,
            "delete" => Did::Delete,
            "edit" => Did::Edit,
            "pin" => Did::Pin,
            "unpin" => Did::Unpin,
            _ => return None,
        })
    }
}
