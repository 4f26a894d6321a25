//! The texts that authors send and that everybody must then receive. Each ends with `"nonce":"RRRRAAAANNNNNNNN"}`: the number of the crowd,
//! of the author and of the text, found without a JSON parser.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::wire;

/// The content of every comment: a line of it takes about 290 bytes in the file.
pub const CONTENT: &str =
    "I had the same with the second edition; the errata on the publisher's page explain it well.";
pub const NAME: &str = "Ada Lovelace";
/// What follows the digits of the nonce.
const END: &str = "\"}";
const NONCE_DIGITS: usize = 16;
/// What sayso puts between content and nonce.
const BETWEEN: &str = ",\"created_at\":\"2026-11-22T05:08:00.001Z\"";
const NONCE: &str = ",\"nonce\":\"";
const SEQ: &str = "{\"seq\":";

/// What is sent to a server, and what it makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Drafts, of which sayso makes lines.
    Lines,
    /// Texts of so many bytes that come back as they are, at least [`ECHO_BYTES_MIN`].
    Echo(usize),
}

/// The shortest text that has room for its nonce.
pub const ECHO_BYTES_MIN: usize = 64;

/// A text that was received.
pub struct Received {
    pub author: usize,
    /// The author's first is 1.
    pub number: u64,
    /// 0 where it has none.
    pub seq: u64,
}

/// One crowd's texts.
pub struct Messages {
    format: Format,
    /// Texts of different crowds differ.
    crowd: u64,
    /// Everything before the nonce, as it is received.
    body: Vec<u8>,
}

impl Messages {
    pub fn new(format: Format) -> Messages {
        static CROWD: AtomicU64 = AtomicU64::new(0);
        let body = match format {
            Format::Lines => format!("\"name\":\"{NAME}\",\"content\":\"{CONTENT}\""),
            Format::Echo(bytes) => {
                assert!(bytes >= ECHO_BYTES_MIN, "a text has room for its nonce");
                let rest = "{\"content\":\"\"".len() + NONCE.len() + NONCE_DIGITS + END.len();
                let content = CONTENT.bytes().cycle().take(bytes - rest).map(char::from);
                format!("{{\"content\":\"{}\"", content.collect::<String>())
            }
        };
        Messages { format, crowd: CROWD.fetch_add(1, Relaxed) % 10_000, body: body.into() }
    }

    /// An author's whole first frame; each later one differs in what [`number`] writes.
    pub fn frame(&self, author: usize) -> Vec<u8> {
        let open = if self.format == Format::Lines { "{" } else { "" };
        let body = str::from_utf8(&self.body).expect("it was made of text");
        let crowd = self.crowd;
        wire::masked(
            wire::TEXT,
            format!("{open}{body}{NONCE}{crowd:04}{author:04}{:08}{END}", 1).as_bytes(),
        )
    }

    /// Parses a text, if somebody in this crowd may have sent it.
    pub fn parse(&self, text: &[u8]) -> Option<Received> {
        let rest = text.strip_suffix(END.as_bytes())?;
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(NONCE_DIGITS)?)?;
        let rest = rest.strip_suffix(NONCE.as_bytes())?;
        let seq = match self.format {
            Format::Lines => {
                let head = rest.get(..rest.len().checked_sub(BETWEEN.len())?)?;
                if !head.ends_with(&self.body) {
                    return None;
                }
                seq(head)?
            }
            Format::Echo(_) if rest == self.body => 0,
            Format::Echo(_) => return None,
        };
        let who = eight_digits(digits.first_chunk()?)?;
        if who / 10_000 != self.crowd {
            return None;
        }
        let number = eight_digits(digits.last_chunk()?)?;
        Some(Received { author: (who % 10_000) as usize, number, seq })
    }
}

/// Writes a text's number into its author's frame.
pub fn write_number(frame: &mut [u8], number: u64) {
    let end = frame.len() - END.len();
    let mut rest = number;
    for digit in frame[end - 8..end].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    assert!(rest == 0, "a nonce has room for the number");
}

/// sayso's line of a draft, as far as the bare loop knows how: as long, and with everything where it belongs.
pub fn append_line(draft: &[u8], seq: u64, page: &str, out: &mut Vec<u8>) {
    let nonce = draft.len() - (NONCE.len() + NONCE_DIGITS + END.len());
    out.extend_from_slice(format!("{SEQ}{seq},\"id\":{seq},\"page\":\"{page}\",").as_bytes());
    out.extend_from_slice(&draft[1..nonce]);
    out.extend_from_slice(BETWEEN.as_bytes());
    out.extend_from_slice(&draft[nonce..]);
}

/// Whether a text is a draft that [`line`] understands.
pub fn is_draft(text: &[u8]) -> bool {
    text.starts_with(b"{\"name\":") && text.len() >= ECHO_BYTES_MIN
}

/// The `seq` of a line.
pub fn seq(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(SEQ.as_bytes())?;
    decimal(&digits[..digits.iter().position(|byte| *byte == b',')?])
}

/// Adds up digits in pairs, then fours: it runs twice for each frame, where a loop would be noticeable.
fn eight_digits(digits: &[u8; 8]) -> Option<u64> {
    let digits = u64::from_be_bytes(*digits);
    let values = digits ^ 0x3030_3030_3030_3030;
    // A digit's value and six more than it have no high half.
    let high = (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
    if high != 0 {
        return None;
    }
    let pairs = (values & 0x000f_000f_000f_000f) + 10 * ((values >> 8) & 0x000f_000f_000f_000f);
    let fours = (pairs & 0x0000_00ff_0000_00ff) + 100 * ((pairs >> 16) & 0x0000_00ff_0000_00ff);
    Some((fours & 0xffff) + 10_000 * (fours >> 32))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number: u64, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    })
}
