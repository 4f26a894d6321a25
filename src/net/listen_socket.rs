//! A socket that connections are accepted from: a port of TCP, a path in the file system, or what systemd has opened and passes on.
//!
//! Knows nothing of connections.

use std::{
    fmt, fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            fs::{FileTypeExt, MetadataExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::Mode,
    io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio},
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, getsockname, socket_with, sockopt,
    },
    process::umask,
};

use crate::util::stream::Stream;

/// How long waking a blocking accept may take.
const WAKE_TIMEOUT: Duration = Duration::from_millis(800);
/// What a socket's file is not: readable and writable for its owner and group alone remains.
const MASK: Mode = Mode::from_bits_retain(0o117);

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// On a port.
    Tcp(SocketAddr),
    /// On a socket at this path.
    Unix(PathBuf),
}

/// A socket that listens.
#[derive(Debug)]
pub struct ListenSocket {
    kind: Kind,
    /// The path of a Unix socket that was made here, and the number of the file there, by which it is known to be this one's.
    file: Option<(PathBuf, u64)>,
    /// Whether others have opened it and keep it open.
    is_passed: bool,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => write!(f, "http://{address}"),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl ListenSocket {
    /// Begins to listen. A socket's file that nobody listens behind is replaced.
    ///
    /// # Errors
    /// Returns the operating system's error. A file that is no socket, or one that somebody listens behind, is in use.
    pub fn bind(address: &ListenAddress) -> io::Result<ListenSocket> {
        let path = match address {
            ListenAddress::Tcp(address) => return TcpListener::bind(address).map(Into::into),
            ListenAddress::Unix(path) => path,
        };
        remove_stale(path)?;
        // The file has its permissions from the first moment on. No other thread makes files yet.
        let before = umask(MASK);
        let listener = UnixListener::bind(path);
        umask(before);
        let kind = Kind::Unix(listener?);
        let inode = fs::symlink_metadata(path)?.ino();
        Ok(ListenSocket { kind, file: Some((path.clone(), inode)), is_passed: false })
    }

    /// Takes over a socket that another program has opened.
    ///
    /// # Errors
    /// Says why it is none to accept connections from.
    pub fn passed(fd: OwnedFd) -> Result<ListenSocket, String> {
        let kind = sockopt::socket_type(&fd).map_err(|error| format!("is no socket: {error}"))?;
        let listens = sockopt::socket_acceptconn(&fd).unwrap_or(false);
        if kind != SocketType::STREAM || !listens {
            return Err("does not listen for connections; write ListenStream=".into());
        }
        let _ = fcntl_setfd(&fd, FdFlags::CLOEXEC);
        let kind = match sockopt::socket_domain(&fd) {
            Ok(AddressFamily::UNIX) => Kind::Unix(fd.into()),
            Ok(AddressFamily::INET | AddressFamily::INET6) => Kind::Tcp(fd.into()),
            _ => return Err("is neither one of TCP nor a Unix socket".into()),
        };
        let socket = ListenSocket { kind, file: None, is_passed: true };
        // Whoever has opened it may have waited for connections by other means.
        match ioctl_fionbio(&socket, false) {
            Ok(()) => Ok(socket),
            Err(error) => Err(format!("can't be made to wait for connections: {error}")),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn address(&self) -> io::Result<ListenAddress> {
        Ok(match &self.kind {
            Kind::Tcp(listener) => ListenAddress::Tcp(listener.local_addr()?),
            Kind::Unix(listener) => {
                let address = listener.local_addr()?;
                ListenAddress::Unix(address.as_pathname().unwrap_or(Path::new("@")).into())
            }
        })
    }

    /// Waits for a connection. One over a Unix socket has no address.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.kind {
            Kind::Tcp(listener) => {
                listener.accept().map(|(stream, peer)| (stream.into(), Some(peer)))
            }
            Kind::Unix(listener) => listener.accept().map(|(stream, _)| (stream.into(), None)),
        }
    }

    /// Makes a blocking accept return. A socket of one's own is shut, so that nobody connects any more; who connects to one that was passed
    /// waits there for the next sayso.
    pub fn wake_accept(&self) {
        // Elsewhere than on Linux, only a connection ends an accept.
        if !self.is_passed && rustix::net::shutdown(self, rustix::net::Shutdown::Both).is_ok() {
            return;
        }
        match &self.kind {
            Kind::Tcp(listener) => {
                let Ok(mut address) = listener.local_addr() else { return };
                if address.ip().is_unspecified() {
                    address.set_ip(match address {
                        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
                    });
                }
                let _ = TcpStream::connect_timeout(&address, WAKE_TIMEOUT);
            }
            // Its address may be a name without a file.
            Kind::Unix(listener) => {
                let address = getsockname(listener).and_then(SocketAddrUnix::try_from);
                let _ = address.and_then(|address| connect(&address));
            }
        }
    }

    /// Removes the file of a Unix socket that was made here, unless another one is in its place.
    pub fn remove(&self) {
        if let Some((path, inode)) = &self.file
            && fs::symlink_metadata(path).is_ok_and(|found| found.ino() == *inode)
        {
            let _ = fs::remove_file(path);
        }
    }
}

impl From<TcpListener> for ListenSocket {
    fn from(listener: TcpListener) -> ListenSocket {
        ListenSocket { kind: Kind::Tcp(listener), file: None, is_passed: false }
    }
}

impl AsFd for ListenSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Tcp(listener) => listener.as_fd(),
            Kind::Unix(listener) => listener.as_fd(),
        }
    }
}

/// Connects for a moment. Waits for nobody: whoever does not accept, such as a program that was stopped, would be waited for without end.
fn connect(address: &SocketAddrUnix) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, address)
}

/// Removes the socket's file of a program that has ended without doing so.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let tried = SocketAddrUnix::new(path).and_then(|address| connect(&address));
    match found.file_type().is_socket() && tried == Err(Errno::CONNREFUSED) {
        true => fs::remove_file(path),
        false => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::{linux::net::SocketAddrExt, unix::net::SocketAddr},
        process,
        sync::Arc,
        thread,
    };

    use crossbeam_channel::bounded;

    use super::*;

    #[test]
    fn a_blocking_accept_returns_when_it_is_woken_whoever_has_opened_the_socket() {
        let name = format!("sayso-listen-{}", process::id());
        let name = SocketAddr::from_abstract_name(name).unwrap();
        let tcp = || TcpListener::bind("127.0.0.1:0").unwrap();
        let passed = |fd: OwnedFd| ListenSocket::passed(fd).unwrap();
        for socket in [
            tcp().into(),
            passed(tcp().into()),
            passed(TcpListener::bind("0.0.0.0:0").unwrap().into()),
            passed(UnixListener::bind_addr(&name).unwrap().into()),
        ] {
            let socket = Arc::new(socket);
            let (sender, returned) = bounded(1);
            let accepting = socket.clone();
            thread::spawn(move || sender.send(accepting.accept().is_ok()));
            socket.wake_accept();
            assert!(returned.recv_timeout(Duration::from_secs(60)).is_ok(), "{socket:?}");
        }
    }
}
