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

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

macro_rules! assets {
    ($($path:literal $content_type:ident $file:literal)*) => {
        [$(Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../static/", $file)),
        }),*]
    };
}

/// The wall's document; it stands at the page's own address, with `?view=wall`.
pub const WALL: &str = "/wall.html";
/// The article that shows embedding, at `/demo`.
pub const DEMO: &str = "/demo.html";

const ASSETS: [Asset; 21] = assets! {
    "/embed.js" JS "embed.js"
    "/embed.css" CSS "embed.css"
    "/write.js" JS "write.js"
    "/post.js" JS "post.js"
    "/preview.js" JS "preview.js"
    "/count.js" JS "count.js"
    "/wall.css" CSS "wall.css"
    "/wall.html" HTML "wall.html"
    "/demo.html" HTML "demo.html"
    "/demo.css" CSS "demo.css"
    "/lang/ar.json" JSON "lang/ar.json"
    "/lang/de.json" JSON "lang/de.json"
    "/lang/es.json" JSON "lang/es.json"
    "/lang/fr.json" JSON "lang/fr.json"
    "/lang/it.json" JSON "lang/it.json"
    "/lang/ja.json" JSON "lang/ja.json"
    "/lang/nl.json" JSON "lang/nl.json"
    "/lang/pl.json" JSON "lang/pl.json"
    "/lang/pt.json" JSON "lang/pt.json"
    "/lang/ru.json" JSON "lang/ru.json"
    "/lang/zh.json" JSON "lang/zh.json"
};

/// The file at `path`.
pub fn find(path: &str) -> Option<Asset> {
    ASSETS.iter().find(|asset| asset.path == path).copied()
}
