//! Encodes WebSocket frames from the server (RFC 6455 §5.2): unmasked and unfragmented, so that one encoded frame serves all readers.
//!
//! Pure. Frames from clients are read by tungstenite.

/// Whole encoded frames, shared by all readers that get them.
pub type Frames = std::sync::Arc<[u8]>;

/// One byte for FIN and opcode, one for the length, eight for an extended length.
const HEADER_BYTES_MAX: usize = 10;
/// An empty ping (§5.5.2).
pub const PING: [u8; 2] = [0x89, 0x00];

/// The close codes that sayso sends (§7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 1001: sayso is stopping.
    Away,
    /// 1002: the peer broke the protocol.
    Protocol,
    /// 1003: the peer sent a binary frame.
    Unsupported,
    /// 1007: the peer sent text that is not UTF-8.
    Invalid,
    /// 1008: the peer sent too many malformed messages or pings.
    Policy,
    /// 1008, too: the peer did not finish a message in time.
    Late,
    /// 1008, too: the peer has shown no moderator's token, or one that is no longer.
    Token,
    /// 1009: the peer sent a message over the limit.
    TooBig,
    /// 1013: the peer reads too slowly; it may reconnect and resume.
    TryAgain,
}

impl CloseCode {
    /// Returns the number on the wire and the reason sent with it.
    fn parts(self) -> (u16, &'static str) {
        match self {
            CloseCode::Away => (1001, "sayso is stopping"),
            CloseCode::Protocol => (1002, "protocol error"),
            CloseCode::Unsupported => (1003, "only text is understood"),
            CloseCode::Invalid => (1007, "text is not UTF-8"),
            CloseCode::Policy => (1008, "too many malformed messages or pings"),
            CloseCode::Late => (1008, "a message took more than 30 s"),
            CloseCode::Token => (1008, "a moderator's token is needed"),
            CloseCode::TooBig => (1009, "messages have at most 65536 bytes"),
            CloseCode::TryAgain => (1013, "too slow, resume later"),
        }
    }
}

/// Returns how many bytes a text frame with a payload of `len` bytes takes at most.
pub fn room_for(len: usize) -> usize {
    len + HEADER_BYTES_MAX
}

/// Appends a text frame with `payload` to `out`.
pub fn text(payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x81);
    match payload.len() {
        len @ 0..=125 => out.push(len as u8),
        len @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// Encodes a close frame.
pub fn close(code: CloseCode) -> Vec<u8> {
    let (number, reason) = code.parts();
    let mut frame = vec![0x88, (2 + reason.len()) as u8];
    frame.extend_from_slice(&number.to_be_bytes());
    frame.extend_from_slice(reason.as_bytes());
    frame
}

/// Returns the length of the first frame in `bytes`, which must be unmasked, or `None` if `bytes` does not begin with the complete
/// header of an unfragmented frame.
pub fn len_of_first(bytes: &[u8]) -> Option<usize> {
    if bytes.first()? & 0x80 == 0 {
        return None;
    }
    match *bytes.get(1)? {
        126 => Some(4 + u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]) as usize),
        127 => Some(10 + u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        len => Some(2 + len as usize),
    }
}

/// Returns how many whole frames `bytes` are.
pub fn count(bytes: &[u8]) -> u64 {
    let (mut start, mut count) = (0, 0);
    while let Some(length) = bytes.get(start..).and_then(len_of_first) {
        start = start.saturating_add(length);
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::{Message, Role, WebSocket};

    fn read_back(bytes: Vec<u8>) -> Message {
        let mut client =
            WebSocket::from_raw_socket(std::io::Cursor::new(bytes), Role::Client, None);
        client.read().unwrap()
    }

    #[test]
    fn every_length_form_is_read_back_by_tungstenite() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 98_304] {
            let payload = "x".repeat(len);
            let mut frame = Vec::new();
            text(payload.as_bytes(), &mut frame);
            assert_eq!(len_of_first(&frame), Some(frame.len()));
            assert_eq!(read_back(frame), Message::Text(payload.into()));
        }
    }

    #[test]
    fn frames_are_counted_whatever_their_lengths() {
        let mut frames = Vec::new();
        for (number, len) in [0, 125, 126, 65_535, 65_536].into_iter().enumerate() {
            assert_eq!(count(&frames), number as u64);
            text("x".repeat(len).as_bytes(), &mut frames);
        }
        assert_eq!(count(&[&PING[..], &frames].concat()), 6);
    }

    #[test]
    fn close_and_ping_frames_are_read_back_by_tungstenite() {
        for code in [
            CloseCode::Away,
            CloseCode::Protocol,
            CloseCode::Invalid,
            CloseCode::Late,
            CloseCode::TooBig,
            CloseCode::TryAgain,
        ] {
            let Message::Close(Some(close)) = read_back(close(code)) else {
                panic!("not a close frame")
            };
            assert_eq!(u16::from(close.code), code.parts().0);
        }
        assert!(matches!(read_back(PING.to_vec()), Message::Ping(_)));
    }
}
