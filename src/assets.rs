//! What lies in `static/`, embedded: served as it is there, compressed or not, as the client takes it.
//!
//! `build.rs` compresses; only that is in the binary, since next to nobody asks for the plain bytes.

use std::borrow::Cow;

/// A gzip member without a name (RFC 1952 §2.3): 10 bytes before the data, a checksum and a length behind it.
const GZIP_HEADER_BYTES: usize = 10;
const GZIP_TRAILER_BYTES: usize = 8;

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

macro_rules! assets {
    ($($path:literal $content_type:ident $file:literal)*) => {
        [$(Asset {
            path: $path,
            content_type: $content_type,
            packed: include_bytes!(concat!(env!("OUT_DIR"), "/static/", $file, ".gz")),
        }),*]
    };
}

const ASSETS: [Asset; 2] = assets! {
    "/embed.js" JS "embed.js"
    "/embed.css" CSS "embed.css"
};

/// The file at `path`.
pub fn find(path: &str) -> Option<Asset> {
    ASSETS.iter().find(|asset| asset.path == path).copied()
}

impl Asset {
    /// The file as it lies in `static/`.
    pub fn plain(&self) -> Cow<'static, [u8]> {
        let data = &self.packed[GZIP_HEADER_BYTES..self.packed.len() - GZIP_TRAILER_BYTES];
        let plain = miniz_oxide::inflate::decompress_to_vec(data);
        plain.expect("what was compressed is there again").into()
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
            assert!(asset.packed.len() < file.len() && asset.packed.starts_with(b"\x1f\x8b\x08\0"));
        }
    }
}
