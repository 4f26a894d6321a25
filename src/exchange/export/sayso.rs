//! sayso's own lines, as readers receive them, behind a header that names the log: what `sayso import --from sayso` takes.
//!
//! Has no checksums, so it is no log that a server opens.

use std::io::{self, Write};

use super::{Comments, Exported};

/// Writes the header and a line for each comment, tombstones and held ones too.
///
/// # Errors
/// Fails if a comment can't be read or a line can't be written.
pub fn write(comments: Comments, log: &str, out: &mut dyn Write) -> io::Result<Exported> {
    let mut exported = Exported::default();
    writeln!(out, "{{\"sayso\":1,\"log\":\"{log}\"}}")?;
    let mut line = Vec::new();
    for comment in comments {
        let comment = comment?;
        exported.count(comment.kind.is_none());
        if comment.kind.is_some() {
            continue;
        }
        line.clear();
        comment.encode(&mut line);
        line.push(b'\n');
        out.write_all(&line)?;
    }
    Ok(exported)
}

/// Writes a line for each page that is closed to new comments.
///
/// # Errors
/// Fails if a line can't be written.
pub fn write_locked(pages: &mut dyn Iterator<Item = &str>, out: &mut dyn Write) -> io::Result<()> {
    for page in pages {
        let page = serde_json::to_string(page)?;
        writeln!(out, "{{\"kind\":\"page\",\"page\":{page},\"locked\":true}}")?;
    }
    Ok(())
}
