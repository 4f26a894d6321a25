//! Which sayso this is.

/// The version, as in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that it was built from, 12 hex digits; `unknown` outside a repository.
pub const COMMIT: &str =
    if env!("BUILD_COMMIT").is_empty() { "unknown" } else { env!("BUILD_COMMIT") };
/// The commit's date, as in 2026-11-27; empty if only the commit is known.
const COMMIT_DATE: &str = env!("BUILD_COMMIT_DATE");

/// `0.1.0 (4a7a7c6d08e1, 2026-11-27)`, or as much of it as is known.
pub fn long() -> String {
    let comma = if COMMIT_DATE.is_empty() { "" } else { ", " };
    format!("{VERSION} ({COMMIT}{comma}{COMMIT_DATE})")
}
