//! What a client may post, and what of it waits for a moderator, as configured.

/// Which comments wait for a moderator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// None at all.
    None,
    /// Those with a link.
    Links,
    /// The first of each author.
    New,
    /// All.
    All,
}

/// What a posting client is and isn't allowed to.
#[derive(Debug, Clone)]
pub struct Rules {
    /// See `--hold`.
    pub hold: Hold,
    /// See `--max-links`; `None` means no limit.
    pub max_links: Option<u32>,
    /// See `--page-prefix`.
    pub page_prefix: Vec<String>,
    /// See `--max-pages`.
    pub max_pages: u32,
}
