//! What lies in `static/`, embedded: served as it is there, compressed or not, as the client takes it.
//!
//! `build.rs` compresses; only that is in the binary, since next to nobody asks for the plain bytes.

use crate::web::gzip::gunzip;

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Below the base path.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes, as gzip.
    pub gzip: &'static [u8],
}

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

macro_rules! assets {
    ($($file:literal $content_type:ident)*) => {
        [$(Asset {
            path: concat!("/", $file),
            content_type: $content_type,
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/static/", $file, ".gz")),
        }),*]
    };
}

/// The wall's document; it stands at the page's own address, with `?view=wall`.
pub const WALL: &str = "/wall.html";
/// The article that shows embedding, at `/demo`.
pub const DEMO: &str = "/demo.html";

const ASSETS: [Asset; 22] = assets! {
    "embed.js" JS
    "embed.css" CSS
    "write.js" JS
    "post.js" JS
    "preview.js" JS
    "proof.js" JS
    "count.js" JS
    "wall.css" CSS
    "wall.html" HTML
    "demo.html" HTML
    "demo.css" CSS
    "lang/ar.json" JSON
    "lang/de.json" JSON
    "lang/es.json" JSON
    "lang/fr.json" JSON
    "lang/it.json" JSON
    "lang/ja.json" JSON
    "lang/nl.json" JSON
    "lang/pl.json" JSON
    "lang/pt.json" JSON
    "lang/ru.json" JSON
    "lang/zh.json" JSON
};

/// The file at `path`.
pub fn find(path: &str) -> Option<Asset> {
    ASSETS.iter().find(|asset| asset.path == path).copied()
}

impl Asset {
    /// The file as it lies in `static/`.
    pub fn plain(&self) -> Vec<u8> {
        gunzip(self.gzip).expect("what build.rs has compressed is compressed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_there_as_it_lies_in_its_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/static");
        for asset in ASSETS {
            let file = std::fs::read(format!("{folder}{}", asset.path)).unwrap();
            assert_eq!(asset.plain(), file, "{}", asset.path);
            assert!(asset.gzip.len() < file.len(), "{}", asset.path);
        }
        let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        // The folder of languages is no file.
        let files = count(folder) - 1 + count(&format!("{folder}/lang"));
        assert_eq!(ASSETS.len(), files, "every file of static/ is served");
    }
}
