//! What lies in `static/`, embedded: served as it is there but for comments, compressed or not, as the client takes it.
//!
//! `build.rs` empties lines of comments and compresses; only that is in the binary, since next to nobody asks for the plain bytes.

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
    /// The file as it is sent to clients that take no gzip.
    pub fn plain(&self) -> Vec<u8> {
        gunzip(self.gzip).expect("what build.rs has compressed is compressed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_served_as_it_lies_in_its_folder_but_for_lines_of_comments() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/static");
        for (path, gzip) in FILES {
            let file = std::fs::read_to_string(format!("{folder}{path}")).unwrap();
            let asset = find(path).unwrap();
            let plain = String::from_utf8(asset.plain()).unwrap();
            assert_eq!(plain.lines().count(), file.lines().count(), "{path}: lines keep their number");
            let is_code = path.ends_with(".js") || path.ends_with(".css");
            for (sent, line) in plain.lines().zip(file.lines()) {
                let comment = ["//", "/*", "*"].iter().any(|mark| line.trim().starts_with(mark));
                assert!(sent == line || is_code && comment && sent.is_empty(), "{path}: {line}");
                assert!(!is_code || !line.trim().starts_with("//") || sent.is_empty(), "{path}: {line}");
            }
            assert!(gzip.len() < file.len(), "{path}");
            assert_ne!(asset.content_type, "application/octet-stream", "{path}");
        }
    }
}
