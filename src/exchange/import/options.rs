//! What is imported from where, and what its pages become.
//!
//! Pure; knows no command line.

use std::path::PathBuf;

/// The system that wrote an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Disqus' XML export.
    Disqus,
    /// WordPress' WXR.
    WordPress,
    /// Isso's database as JSON, or its generic JSON.
    Isso,
    /// Remark42's backup.
    Remark42,
    /// Commento and Commento++.
    Commento,
    /// Comentario, version 1 and 3.
    Comentario,
    /// Artalk's Artrans.
    Artalk,
    /// Waline.
    Waline,
    /// Twikoo and Valine.
    Twikoo,
    /// Cusdis' database as JSON.
    Cusdis,
    /// sayso's own lines.
    Sayso,
}

impl Format {
    /// All formats with their names, as `--from` takes them.
    pub const ALL: [(&'static str, Format); 11] = [
        ("disqus", Format::Disqus),
        ("wordpress", Format::WordPress),
        ("isso", Format::Isso),
        ("remark42", Format::Remark42),
        ("commento", Format::Commento),
        ("comentario", Format::Comentario),
        ("artalk", Format::Artalk),
        ("waline", Format::Waline),
        ("twikoo", Format::Twikoo),
        ("cusdis", Format::Cusdis),
        ("sayso", Format::Sayso),
    ];

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// The name, as it stands in nonces and in the lines' `imported`.
    pub fn name(self) -> &'static str {
        Format::ALL[self as usize].0
    }
}

/// What a page is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageFrom {
    /// `/blog/x/`
    Path,
    /// `example.org/blog/x/`, as the widget names a page.
    #[default]
    HostPath,
    /// `https://example.org/blog/x/?a=b`
    Url,
}

/// How to import an export.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who wrote it.
    pub format: Format,
    /// The host of the site, for exports that don't name it.
    pub site: Option<String>,
    /// The one site to import, where an export has several.
    pub only: Option<String>,
    /// What pages are named by.
    pub page_from: PageFrom,
    /// Prefixes of pages, or of addresses with a scheme, and what they become. The longest that fits counts.
    pub maps: Vec<(String, String)>,
    /// By how many minutes times are late; may be negative.
    pub shift_minutes: i64,
    /// What keeps pseudonyms from being guessed from user names.
    pub salt: [u8; 32],
    /// The folder for the temporary file.
    pub temporary: PathBuf,
}

impl Options {
    /// Options for a format, the rest as it is by default.
    pub fn new(format: Format, temporary: PathBuf) -> Options {
        Options {
            format,
            site: None,
            only: None,
            page_from: PageFrom::default(),
            maps: Vec::new(),
            shift_minutes: 0,
            salt: [0; 32],
            temporary,
        }
    }
}
