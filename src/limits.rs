//! The limits of a comment and its fields, of messages and of histories. Whoever exceeds one gets an error that names it.
//!
//! The limits of one mechanism stand beside it, such as `store::likes::LIKES_A_COMMENT_MAX`; `tests/it/limits.rs` lists all of them
//! with their files.

/// `page`, bytes; at least 1.
pub const PAGE_BYTES_MAX: usize = 512;
/// `name`, characters (Unicode scalar values) after trimming.
pub const NAME_CHARS_MAX: usize = 64;
/// `content`, bytes after trimming; at least 1.
pub const CONTENT_BYTES_MAX: usize = 8_192;
/// `html`, bytes; text whose rendering is longer stays plain.
pub const HTML_BYTES_MAX: usize = 32 * 1024;
/// `html`, how deep elements may be nested; text whose rendering is deeper stays plain.
pub const HTML_DEPTH_MAX: usize = 16;
/// `key`, the author's secret, bytes: 16 random ones are beyond guessing.
pub const KEY_BYTES_MIN: usize = 16;
/// `key`, bytes.
pub const KEY_BYTES_MAX: usize = 128;
/// `nonce`, bytes: 16 random bytes never collide.
pub const NONCE_BYTES_MIN: usize = 16;
/// `nonce`, bytes.
pub const NONCE_BYTES_MAX: usize = 64;
/// One line of the log without its `\n`. Control characters are refused, so that JSON escaping at most doubles: 2 × (32 KiB html
/// + 8 KiB content + 0.5 KiB page) and the rest in under 1 KiB.
pub const LINE_BYTES_MAX: usize = 96 * 1024;
/// The highest `seq` that is accepted, so that counting on from it never overflows.
pub const SEQ_MAX: u64 = 1 << 62;

/// Comments in one history, over HTTP and for `last`.
pub const HISTORY_LINES_MAX: usize = 200;
/// Threads of one history, and comments beyond which it begins no further thread.
pub const THREADS_MAX: usize = 50;
/// Answers of a longer thread that come first in a history of threads.
pub const FIRST_ANSWERS: usize = 3;
/// Answers of a longer thread that come last in a history of threads.
pub const NEWEST_ANSWERS: usize = 7;
/// Lines of a resume on the socket; a longer gap is caught up over HTTP.
pub const RESUME_LINES_MAX: usize = 1_000;
/// Bytes of a history or a resume on the socket.
pub const RESUME_BYTES_MAX: usize = 512 * 1024;
/// `count=` parameters of one socket, `page=` parameters of `/api/counts`.
pub const COUNTED_PAGES_MAX: usize = 100;
/// Comments whose likes a new reader is told: the page's newest that have any.
pub const LIKED_COMMENTS_MAX: usize = 200;
/// A client's text frame, and the body of an HTTP request, bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// What a moderator tells an author, characters after trimming.
pub const REASON_CHARS_MAX: usize = 200;
/// A moderators' note about an author, characters after trimming.
pub const AUTHOR_NOTE_CHARS_MAX: usize = 1_000;
/// What moderators look for, characters.
pub const SEARCH_CHARS_MAX: usize = 200;
/// How long a ban that ends may last, seconds.
pub const BAN_SECONDS_MAX: u64 = 36_500 * 24 * 60 * 60;
/// What `--challenge` may ask for, bits: 2^24 hashes are ten seconds or more in a browser.
pub const CHALLENGE_BITS_MAX: u8 = 24;

/// A rate limit: at most `posts` in `seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At least 1; also how many may come at once.
    pub posts: u32,
    /// At least 1.
    pub seconds: u32,
}
