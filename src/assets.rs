//! What lies in `static/`, embedded: served as it is there, nothing is built.

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Below the base path.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

const ASSETS: [Asset; 3] = [
    Asset {
        path: "/embed.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../static/embed.js"),
    },
    Asset {
        path: "/embed.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../static/embed.css"),
    },
    Asset {
        path: "/post.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../static/post.js"),
    },
];

/// The file at `path`.
pub fn find(path: &str) -> Option<Asset> {
    ASSETS.iter().find(|asset| asset.path == path).copied()
}
