//! The byte stream under tungstenite: reads from the socket within the deadlines, and writes to the shard.
//!
//! Follows the heads of frames (RFC 6455 §5.2) to know whether a message is unfinished, which tungstenite does not tell.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;

use super::SILENCE_MAX;
use crate::{
    fanout::{ReaderId, ShardCommand},
    util::stream::Stream,
};

/// How long a message may take from its first byte to its last, whatever pings come in between.
const MESSAGE_DEADLINE: Duration = Duration::from_secs(30);
/// The longest head of a frame: two bytes, eight of length, four of mask.
const FRAME_HEAD_BYTES_MAX: usize = 14;

/// One connection's stream.
pub(super) struct SplitStream<'s> {
    socket: &'s Stream,
    shard: &'s Sender<ShardCommand<Arc<Stream>>>,
    reader: ReaderId,
    frames: FrameTracker,
    /// The read timeout that is set. Remembering it saves system calls: most messages come in one piece and need no other.
    timeout: Duration,
    /// When reading ends in any case.
    deadline: Option<Instant>,
    /// Whether a message was not finished in time.
    is_late: bool,
}

impl<'s> SplitStream<'s> {
    /// A stream whose socket has the read timeout [`SILENCE_MAX`]. `buffered` is what was read from it before.
    pub(super) fn new(
        socket: &'s Stream,
        shard: &'s Sender<ShardCommand<Arc<Stream>>>,
        reader: ReaderId,
        buffered: &[u8],
    ) -> SplitStream<'s> {
        let mut frames = FrameTracker::default();
        frames.follow(buffered, Instant::now());
        SplitStream {
            socket,
            shard,
            reader,
            frames,
            timeout: SILENCE_MAX,
            deadline: None,
            is_late: false,
        }
    }

    /// Ends reading at this time, or no longer.
    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Whether reading has failed because a message was not finished in time.
    pub(super) fn is_late(&self) -> bool {
        self.is_late
    }

    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.timeout != timeout {
            self.socket.set_read_timeout(timeout)?;
            self.timeout = timeout;
        }
        Ok(())
    }
}

impl Read for SplitStream<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let now = Instant::now();
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let timeout = self.frames.timeout(now);
        let timeout = left.map_or(timeout, |left| left.min(timeout));
        if timeout.is_zero() {
            self.is_late = true;
            return Err(ErrorKind::TimedOut.into());
        }
        self.set_timeout(timeout)?;
        // A signal, such as SIGCONT after SIGSTOP, interrupts a read with a timeout (signal(7)); that is no end of the connection.
        let result = loop {
            match self.socket.read(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        match &result {
            Ok(count) => self.frames.follow(&bytes[..*count], Instant::now()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                self.is_late = self.frames.unfinished_since.is_some();
            }
            Err(_) => {}
        }
        result
    }
}

/// tungstenite writes whole frames: pongs, and the answer to a close frame.
impl Write for SplitStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let command =
            ShardCommand::Send { reader: self.reader, frames: bytes.to_vec(), sent: None };
        self.shard.send(command).map_err(|_| ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where in its frames a stream is.
#[derive(Debug, Default)]
struct FrameTracker {
    /// The present frame's head, of which `filled` bytes have come.
    head: [u8; FRAME_HEAD_BYTES_MAX],
    filled: usize,
    /// Bytes of the present frame that are still to come behind its head.
    payload_left: u64,
    /// Whether the last data frame said that more of its message comes.
    is_fragmented: bool,
    /// When the message that is unfinished began.
    unfinished_since: Option<Instant>,
}

impl FrameTracker {
    /// How long the next read may wait. Whole seconds, so that a message in many pieces changes the socket's timeout rarely.
    fn timeout(&self, now: Instant) -> Duration {
        let Some(since) = self.unfinished_since else { return SILENCE_MAX };
        let left = MESSAGE_DEADLINE.saturating_sub(now.saturating_duration_since(since));
        Duration::from_secs(left.as_millis().div_ceil(1_000) as u64)
    }

    /// Follows bytes that have come at `now`.
    fn follow(&mut self, mut bytes: &[u8], now: Instant) {
        while let Some(&byte) = bytes.first() {
            self.unfinished_since.get_or_insert(now);
            if self.payload_left > 0 {
                let count = self.payload_left.min(bytes.len() as u64);
                self.payload_left -= count;
                bytes = &bytes[count as usize..];
            } else {
                self.head[self.filled] = byte;
                self.filled += 1;
                bytes = &bytes[1..];
                match self.payload_length() {
                    Some(length) => self.payload_left = length,
                    None => continue,
                }
            }
            if self.payload_left == 0 {
                self.end_frame();
            }
        }
    }

    /// The length of the frame's payload once its head is complete.
    fn payload_length(&self) -> Option<u64> {
        if self.filled < 2 {
            return None;
        }
        let (mask, length) = (usize::from(self.head[1] >> 7) * 4, self.head[1] & 0x7f);
        let extended = match length {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let is_complete = self.filled == 2 + extended + mask;
        let number = self.head[2..2 + extended].iter();
        let number = number.fold(0, |number, byte| number << 8 | u64::from(*byte));
        is_complete.then_some(if extended == 0 { u64::from(length) } else { number })
    }

    /// Control frames, whose opcode has the highest bit, may come between a message's fragments.
    fn end_frame(&mut self) {
        let (is_final, is_control) = (self.head[0] & 0x80 != 0, self.head[0] & 0x08 != 0);
        if !is_control {
            self.is_fragmented = !is_final;
        }
        if !self.is_fragmented {
            self.unfinished_since = None;
        }
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIN: u8 = 0x80;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = match length {
            0..=125 => vec![first, 0x80 | length as u8],
            126..=0xffff => [&[first, 0x80 | 126], &(length as u16).to_be_bytes()[..]].concat(),
            _ => [&[first, 0x80 | 127], &(length as u64).to_be_bytes()[..]].concat(),
        };
        bytes.extend(vec![0x81; 4 + length]);
        bytes
    }

    #[test]
    fn a_message_is_unfinished_from_its_first_byte_to_its_last_however_it_is_split() {
        let start = Instant::now();
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let message = [frame(1, length), frame(FIN | 9, 3), frame(FIN, length)].concat();
            let step = message.len() / 200 + 1;
            for at in (1..message.len()).step_by(step) {
                let mut tracker = FrameTracker::default();
                tracker.follow(&message[..at], start);
                assert_eq!(tracker.unfinished_since, Some(start), "{length} split at {at}");
                tracker.follow(&message[at..], start + MESSAGE_DEADLINE);
                assert_eq!(tracker.unfinished_since, None, "{length} split at {at}");
            }
        }
    }

    #[test]
    fn pings_do_not_extend_the_time_of_a_message_and_the_next_one_has_its_own() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut tracker = FrameTracker::default();
        assert_eq!(tracker.timeout(start), SILENCE_MAX);
        tracker.follow(&frame(1, 5), start);
        assert_eq!(tracker.timeout(start), MESSAGE_DEADLINE);
        for n in 1..=30 {
            tracker.follow(&frame(FIN | 9, 0), start + n * second);
        }
        assert_eq!(tracker.timeout(start + 29 * second + second / 2), second);
        assert_eq!(tracker.timeout(start + MESSAGE_DEADLINE), Duration::ZERO);
        let two = [frame(FIN, 5), frame(1, 5)].concat();
        tracker.follow(&two, start + 30 * second);
        assert_eq!(tracker.timeout(start + 30 * second), MESSAGE_DEADLINE);
    }
}
