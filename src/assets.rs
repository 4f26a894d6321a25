//! What lies in `static/`, embedded: served as it is there, compressed or not, as the client takes it.
//!
//! `build.rs` compresses; only that is in the binary, since next to nobody asks for the plain bytes.

use std::borrow::Cow;

use crate::inflate::gunzip;

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Below the base path.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes, as gzip.
    pub packed: &'static [u8],
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
            packed: include_bytes!(concat!(env!("OUT_DIR"), "/static/", $file, ".gz")),
        }),*]
    };
}

/// The wall's document; it stands at the page's own address, with `?view=wall`.
pub const WALL: &str = "/wall";

const ASSETS: [Asset; 21] = assets! {
    "/embed.js" JS "embed.js"
    "/embed.css" CSS "embed.css"
    "/write.js" JS "write.js"
    "/post.js" JS "post.js"
    "/preview.js" JS "preview.js"
    "/count.js" JS "count.js"
    "/wall.css" CSS "wall.css"
    "/wall" HTML "wall.html"
    "/demo" HTML "demo.html"
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

impl Asset {
    /// The file as it lies in `static/`.
    pub fn plain(&self) -> Cow<'static, [u8]> {
        gunzip(self.packed).expect("what build.rs has compressed is compressed").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_there_as_it_lies_in_its_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/static");
        for asset in ASSETS {
            let ending = if asset.content_type == HTML { ".html" } else { "" };
            let file = std::fs::read(format!("{folder}{}{ending}", asset.path)).unwrap();
            assert_eq!(asset.plain(), file, "{}", asset.path);
            assert!(asset.packed.len() < file.len() && asset.packed.starts_with(b"\x1f\x8b\x08\0"));
        }
    }
}
