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

/// The wall's document; it stands at the page's own address, with `?view=wall`.
pub const WALL: &str = "/wall.html";
/// The article that shows embedding, at `/demo`.
pub const DEMO: &str = "/demo.html";

/// Path and compressed bytes of every file in `static/`, written by `build.rs`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/static.rs"));

/// The file at `path`.
pub fn find(path: &str) -> Option<Asset> {
    let (path, gzip) = FILES.iter().find(|(name, _)| *name == path)?;
    Some(Asset { path, content_type: content_type(path), gzip })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
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
    fn every_file_is_served_as_it_lies_in_its_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/static");
        for (path, gzip) in FILES {
            let file = std::fs::read(format!("{folder}{path}")).unwrap();
            let asset = find(path).unwrap();
            assert_eq!(asset.plain(), file, "{path}");
            assert!(gzip.len() < file.len(), "{path}");
            assert_ne!(asset.content_type, "application/octet-stream", "{path}");
        }
    }
}
