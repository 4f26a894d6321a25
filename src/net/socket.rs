//! A client's socket: its options, and how it is read and written within timeouts.
//!
//! Knows no protocol.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use crate::http::stream::{Transport, WRITE_DEADLINE};
use crate::util::stream::Stream;

/// Bytes of a socket's send buffer. The kernel doubles it for its own bookkeeping. What a client has not taken beyond it waits in the
/// thread that writes, within [`WRITE_DEADLINE`]; without a bound the kernel would take megabytes for each socket.
const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// A client's socket. Its only descriptor is shared, so that a WebSocket can take it over.
pub struct Socket {
    stream: Arc<Stream>,
    /// The timeouts that are set, zero if none is. Remembering them saves system calls, since they rarely change.
    read_timeout: Duration,
    write_timeout: Duration,
}

/// Sets the options of a client's socket. Fails if the peer has gone already.
pub(super) fn prepare(stream: &Stream) -> io::Result<()> {
    // Each response is written at once, so delaying it to merge writes (Nagle) would only cost time.
    if stream.is_tcp() {
        sockopt::set_tcp_nodelay(stream, true)?;
    }
    sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER_BYTES)?;
    set_ack_timeout(stream, WRITE_DEADLINE)
}

/// How long the kernel waits for a peer that takes none of what was sent, whether the socket is still open or already closed; then it
/// drops the connection and all that it keeps for it. For a Unix socket it keeps nothing beyond what the peer has not read yet.
///
/// # Errors
/// Returns the operating system's error. Where there is no such option, nothing happens.
pub fn set_ack_timeout(stream: &Stream, timeout: Duration) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if stream.is_tcp() {
        sockopt::set_tcp_user_timeout(stream, timeout.as_millis() as u32)?;
    }
    let _ = (stream, timeout);
    Ok(())
}

impl Socket {
    /// Wraps a stream on which no timeouts are set.
    pub fn new(stream: Arc<Stream>) -> Socket {
        Socket { stream, read_timeout: Duration::ZERO, write_timeout: Duration::ZERO }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.stream).read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.stream).write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.stream).write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Socket {
    fn set_read_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.read_timeout != timeout {
            self.stream.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        if self.write_timeout != timeout {
            self.stream.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        Ok(())
    }

    fn shutdown_write(&mut self) {
        // Fails if the peer has gone already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn set_linger(&mut self, timeout: Duration) {
        // The kernel counts whole seconds, and zero is a reset.
        let seconds = timeout.as_millis().div_ceil(1_000) as u64;
        let _ = sockopt::set_socket_linger(&*self.stream, Some(Duration::from_secs(seconds)));
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}
