//! What a client may post, and what of it waits for a moderator, as configured.

use crate::log::salt::Salt;

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

impl Hold {
    /// Its name, as `--hold` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Hold::None => "none",
            Hold::Links => "links",
            Hold::New => "new",
            Hold::All => "all",
        }
    }
}

/// What a posting client is and isn't allowed to.
#[derive(Debug, Clone)]
pub struct Rules {
    /// See `--hold`.
    pub hold: Hold,
    /// See `--max-links`; `None` means no limit.
    pub max_links: Option<u32>,
    /// See `--flags-hold`; `None` means that flags hide nothing.
    pub flags_hold: Option<u32>,
    /// See `--close-after`, in days; `None` means never.
    pub close_after: Option<u32>,
    /// The secret that addresses are hashed with.
    pub salt: Salt,
    /// See `--page-prefix`.
    pub page_prefix: Vec<String>,
    /// See `--max-pages`.
    pub max_pages: u32,
}
