//! The files of `static/`, embedded in the binary.
//!
//! `build.rs` compresses them. Only the compressed bytes are embedded, since almost every client accepts gzip. Knows no request.

use crate::web::gzip::gunzip;

/// An embedded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The path below the base path.
    pub path: &'static str,
    /// The media type.
    pub content_type: &'static str,
    /// The file, compressed with gzip.
    pub gzip: &'static [u8],
}

/// The document of the wall, served as `/?view=wall`.
pub const WALL: &str = "/wall.html";
/// The article that shows how to embed comments, served as `/demo`.
pub const DEMO: &str = "/demo.html";

/// The path and the compressed bytes of every file in `static/`, written by `build.rs`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/static.rs"));

/// Finds the file at `path`.
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
    /// The file as it is in `static/`.
    pub fn plain(&self) -> Vec<u8> {
        gunzip(self.gzip).expect("build.rs has compressed the file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded_as_it_is_in_its_folder() {
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
