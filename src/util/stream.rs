//! A client's connected socket, of TCP or a Unix one: what both can do, on one descriptor.
//!
//! Knows no protocol. The standard library has a type for each, and nothing for both.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use rustix::{
    io::{read, writev},
    net::{SendFlags, send, shutdown, sockopt},
};

/// A connected socket.
#[derive(Debug)]
pub struct Stream {
    fd: OwnedFd,
    is_tcp: bool,
}

impl Stream {
    /// Whether it is one of TCP, which has options that others don't have.
    pub fn is_tcp(&self) -> bool {
        self.is_tcp
    }

    /// Sends some of `bytes` without waiting, and returns how many.
    ///
    /// # Errors
    /// `WouldBlock` if the socket takes nothing now; after any other error it never will.
    pub fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    /// Shuts one direction or both.
    ///
    /// # Errors
    /// Fails if the peer has gone already.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        Ok(shutdown(&self.fd, how)?)
    }

    /// Sets the longest time that a read blocks, above zero.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.fd, sockopt::Timeout::Recv, Some(timeout))?)
    }

    /// Sets the longest time that a write blocks, above zero.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.fd, sockopt::Timeout::Send, Some(timeout))?)
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream { fd: stream.into(), is_tcp: true }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Stream {
        Stream { fd: stream.into(), is_tcp: false }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(read(&self.fd, buffer)?)
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(&self.fd, bytes, SendFlags::NOSIGNAL)?)
    }

    /// The standard library ignores SIGPIPE from the start, so that a peer that has gone is an error here, too.
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(writev(&self.fd, parts)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_read_write_time_out_and_shut() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (one, other) = UnixStream::pair().unwrap();
        let pairs: [(Stream, Stream); 2] =
            [(client.into(), listener.accept().unwrap().0.into()), (one.into(), other.into())];
        for (near, far) in pairs {
            assert_eq!(near.is_tcp(), far.is_tcp());
            (&near).write_all(b"ab").unwrap();
            assert_eq!(near.send_now(b"cd").unwrap(), 2);
            assert_eq!(
                (&near).write_vectored(&[IoSlice::new(b"e"), IoSlice::new(b"f")]).unwrap(),
                2
            );
            let mut bytes = [0; 6];
            (&far).read_exact(&mut bytes).unwrap();
            assert_eq!(&bytes, b"abcdef");
            far.set_read_timeout(Duration::from_millis(1)).unwrap();
            assert_eq!((&far).read(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            near.shutdown(Shutdown::Write).unwrap();
            assert_eq!((&far).read(&mut bytes).unwrap(), 0);
            while near.send_now(&[0; 65_536]).is_ok() {}
            let full = |error: io::Error| error.kind() != io::ErrorKind::Interrupted;
            assert!(near.send_now(b"x").is_err_and(full), "its write side is shut");
        }
    }
}
