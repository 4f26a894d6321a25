//! The files of `static/`, embedded in the binary.
//!
//! `build.rs` empties their lines of comments, removes indentation and compresses them. Only the compressed bytes are embedded, since almost every client
//! accepts gzip. Knows no request.

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
/// The page of moderators, served as `/admin`.
pub const ADMIN: &str = "/admin/index.html";

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
    /// The file as it is sent to clients that do not accept gzip.
    pub fn plain(&self) -> Vec<u8> {
        gunzip(self.gzip).expect("build.rs has compressed the file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded_as_it_is_in_its_folder_but_for_comments_and_indentation() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/static");
        for (path, gzip) in FILES {
            let file = std::fs::read_to_string(format!("{folder}{path}")).unwrap();
            let asset = find(path).unwrap();
            let plain = String::from_utf8(asset.plain()).unwrap();
            assert_eq!(
                plain.lines().count(),
                file.lines().count(),
                "{path}: lines keep their number"
            );
            let is_code = [".js", ".css", ".json"].iter().any(|end| path.ends_with(end));
            for (sent, line) in plain.lines().zip(file.lines()) {
                let comment = ["//", "/*", "*"].iter().any(|mark| line.trim().starts_with(mark));
                let line = if is_code { line.trim() } else { line };
                assert!(sent == line || is_code && comment && sent.is_empty(), "{path}: {line}");
                assert!(
                    !is_code || !line.trim().starts_with("//") || sent.is_empty(),
                    "{path}: {line}"
                );
            }
            assert!(gzip.len() < file.len(), "{path}");
            assert_ne!(asset.content_type, "application/octet-stream", "{path}");
        }
    }
}
