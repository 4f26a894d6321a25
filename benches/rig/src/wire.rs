//! WebSocket from a client's side, as bytes (RFC 6455 §4.1 and §5.2): the request, and frames both ways. Knows no sockets.

use std::ops::Range;

/// FIN and text.
pub const TEXT: u8 = 0x81;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// Everybody's key, the one of RFC 6455 §1.3, and what a server must make of it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A frame that a server sent.
pub struct Frame {
    /// FIN and opcode.
    pub kind: u8,
    /// Where its payload lies.
    pub payload: Range<usize>,
}

/// The first frame in `bytes` from `start` on, if it is there to its end.
pub fn frame(bytes: &[u8], start: usize) -> Option<Frame> {
    let head = bytes.get(start..start + 2)?;
    let (length, at) = match head[1] & 0x7f {
        126 => {
            let length = bytes.get(start + 2..start + 4)?;
            (u64::from(u16::from_be_bytes([length[0], length[1]])), start + 4)
        }
        127 => {
            let length = bytes.get(start + 2..start + 10)?;
            (u64::from_be_bytes(length.try_into().expect("it is eight bytes")), start + 10)
        }
        length => (u64::from(length), start + 2),
    };
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    (end <= bytes.len()).then_some(Frame { kind: head[0], payload: at..end })
}

/// Likewise of a client's, which has four bytes of mask before its payload.
pub fn masked_frame(bytes: &[u8], start: usize) -> Option<(Frame, [u8; 4])> {
    let unmasked = frame(bytes, start)?;
    let Range { start, end } = unmasked.payload;
    let mask = *bytes.get(start..end + 4)?.first_chunk()?;
    Some((Frame { kind: unmasked.kind, payload: start + 4..end + 4 }, mask))
}

/// A client's frame of this kind. Its mask is zeros, which saves the client work and the server none.
pub fn masked(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// What asks for a WebSocket; `more` are further header lines, each with its end.
pub fn request(host: impl std::fmt::Display, target: &str, more: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{more}\r\n"
    )
}

/// Where an HTTP head ends, if it is there to its end.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}
