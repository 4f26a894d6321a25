//! One foreign entry as a typed record, the same for all sources.
//!
//! Pure. There is no field for an address or a secret.

use crate::comment::Status;

/// What the text of a comment is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Markup {
    /// Markdown, kept as it is.
    #[default]
    Markdown,
    /// HTML.
    Html,
    /// HTML in which a line feed is a line break and an empty line ends a paragraph.
    HtmlLines,
    /// Markdown, unless it has tags that only HTML has.
    Guess,
}

/// What a comment says of its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageRef {
    /// A URL or a path.
    Address(String),
    /// The export's own name for a page that it lists elsewhere.
    Id(String),
}

/// A comment as a source module understands it.
#[derive(Debug, Clone, Default)]
pub struct ImportedComment {
    /// The line of the export on which it begins.
    pub line: u64,
    /// The site that it names, if it names one.
    pub site: Option<String>,
    /// Its id, unique in the site. Empty: one is made from page, time, name and text.
    pub id: String,
    /// The id of the comment that it answers.
    pub parent: Option<String>,
    /// Its page.
    pub page: Option<PageRef>,
    /// The page's URL, where `page` is an id and the list of pages may lack the host.
    pub page_url: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The source's id of the author, which is hashed. `None`: nobody in particular.
    pub author: Option<String>,
    /// The id in a list of people that has the name, and without which `author` does not count.
    pub person: Option<String>,
    /// The pseudonym itself, if the export comes from sayso.
    pub pseudonym: Option<String>,
    /// The text.
    pub text: String,
    /// What the text is written in.
    pub markup: Markup,
    /// When it was written, ms since 1970.
    pub created_at: Option<i64>,
    /// When its text was changed last.
    pub edited_at: Option<i64>,
    /// Who may see it.
    pub status: Status,
    /// Whether only its place is left.
    pub deleted: bool,
    /// Whether it stands first on its page.
    pub pinned: bool,
    /// Whether the site's owner or a moderator wrote it.
    pub is_site_author: bool,
    /// The moderator who wrote it as the site, if the export comes from sayso.
    pub moderator: Option<String>,
    /// Whether a moderator edited it.
    pub mod_edited: bool,
    /// Whether a host page said who wrote it.
    pub verified: bool,
    /// Where it was written, if the export comes from sayso and it was not written there.
    pub imported: Option<String>,
    /// The nonce, if the export comes from sayso.
    pub nonce: Option<String>,
}

/// What an export says of a page.
#[derive(Debug, Clone, Default)]
pub struct ImportedPage {
    /// Its URL or path.
    pub address: Option<String>,
    /// Closed to new comments.
    pub locked: bool,
    /// Deleted, with its comments.
    pub deleted: bool,
    /// Not for everyone, so neither are its comments.
    pub held: bool,
}
