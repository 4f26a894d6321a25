//! The bare loop, the limit beside sayso: one thread with one epoll that sends every text to everybody on its page. It stores nothing and
//! checks nothing.
//!
//! It runs as a process of its own, the bench's program started with [`ARGUMENT`], so that its processor time can be told from the crowd's.
//! One iteration reads everything that is ready, then sends all that is new on a page to each of its readers with one call. A draft becomes
//! a line as long as sayso's; any other text is sent unchanged.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    net::sockopt::set_socket_send_buffer_size,
};

use crate::{messages, process::Process, wire};

/// Starts the bench's program as the bare loop.
pub const ARGUMENT: &str = "--bare-loop";
/// Where sayso's `seq` begins too in these benches, so that lines have the same length.
pub const FIRST_SEQ: u64 = 1_000_000;

const LISTENER: u64 = u64::MAX;
const PARENT: u64 = u64::MAX - 1;
/// As sayso's.
const SEND_BUFFER_BYTES: usize = 128 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1_024;

/// A running bare loop; dropping it ends the process.
pub struct BareLoop {
    child: Child,
    pub address: SocketAddr,
}

impl BareLoop {
    pub fn start() -> BareLoop {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut command = Command::new(program);
        command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the bench's program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("the bare loop prints its address");
        let address = line.trim_end().parse().expect("it prints an address");
        BareLoop { child, address }
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for BareLoop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the bare loop until the parent has ended.
pub fn run() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let address = listener.local_addr().expect("it has an address");
    println!("{address}");
    listener.set_nonblocking(true).expect("a listener need not wait");
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("there is epoll");
    let (stdin, input) = (io::stdin(), EventFlags::IN);
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), input).expect("it can be awaited");
    epoll::add(&epoll, &stdin, EventData::new_u64(PARENT), input).expect("it can be awaited");
    let buffer = vec![0; BUFFER_BYTES];
    let state = Loop {
        epoll,
        listener,
        sockets: Vec::new(),
        free: Vec::new(),
        pages: Vec::new(),
        names: HashMap::new(),
        dirty: Vec::new(),
        seq: FIRST_SEQ,
        buffer,
    };
    state.run();
}

struct Loop {
    epoll: OwnedFd,
    listener: TcpListener,
    sockets: Vec<Option<Socket>>,
    free: Vec<usize>,
    pages: Vec<Page>,
    names: HashMap<String, usize>,
    dirty: Vec<usize>,
    seq: u64,
    buffer: Vec<u8>,
}

struct Page {
    name: String,
    sockets: Vec<usize>,
    /// Frames that came in this iteration.
    fresh: Vec<u8>,
}

struct Socket {
    stream: TcpStream,
    /// Its page and its place in that page's list, once it has shaken hands.
    listed: Option<(usize, usize)>,
    /// The beginning of a head or frame.
    partial: Vec<u8>,
    /// What the socket did not take.
    backlog: Vec<u8>,
    sent: usize,
}

impl Loop {
    fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Err(rustix::io::Errno::INTR) => {}
                done => drop(done.expect("sockets can be waited for")),
            }
            for event in events.drain(..) {
                let flags = event.flags;
                match event.data.u64() {
                    PARENT => return,
                    LISTENER => self.accept(),
                    slot => {
                        if flags.contains(EventFlags::OUT) {
                            self.retry(slot as usize);
                        }
                        if flags != EventFlags::OUT && self.read(slot as usize).is_none() {
                            self.forget(slot as usize);
                        }
                    }
                }
            }
            for page in std::mem::take(&mut self.dirty) {
                self.deliver(page);
            }
        }
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let slot = self.free.pop().unwrap_or(self.sockets.len());
            let ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
            ready.expect("a socket has options");
            set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES).expect("a buffer has a size");
            epoll::add(&self.epoll, &stream, EventData::new_u64(slot as u64), EventFlags::IN)
                .expect("a socket can be waited for");
            if slot == self.sockets.len() {
                self.sockets.push(None);
            }
            let (partial, backlog) = (Vec::new(), Vec::new());
            self.sockets[slot] = Some(Socket { stream, listed: None, partial, backlog, sent: 0 });
        }
    }

    /// `None`: the peer has closed the connection, or speaks no WebSocket.
    fn read(&mut self, slot: usize) -> Option<()> {
        // An earlier event of this iteration may have closed it.
        let Some(socket) = self.sockets[slot].as_mut() else { return Some(()) };
        let carried = socket.partial.len();
        self.buffer[..carried].copy_from_slice(&socket.partial);
        let count = match socket.stream.read(&mut self.buffer[carried..]) {
            Ok(0) => return None,
            Ok(count) => carried + count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(()),
            Err(_) => return None,
        };
        socket.partial.clear();
        let mut at = 0;
        let page = match socket.listed {
            Some((page, _)) => page,
            None => match wire::head_end(&self.buffer[..count]) {
                Some(end) => {
                    at = end;
                    self.shake_hands(slot, end)?
                }
                None => {
                    socket.partial.extend_from_slice(&self.buffer[..count]);
                    return Some(());
                }
            },
        };
        while let Some((frame, mask)) = wire::masked_frame(&self.buffer[..count], at) {
            at = frame.payload.end;
            if frame.kind != wire::TEXT {
                // Clients send nothing else here but the close frame.
                return None;
            }
            let text = &mut self.buffer[frame.payload];
            text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            if self.pages[page].fresh.is_empty() {
                self.dirty.push(page);
            }
            self.pages[page].publish(text, &mut self.seq);
        }
        let socket = self.sockets[slot].as_mut().expect("it is there");
        socket.partial.extend_from_slice(&self.buffer[at..count]);
        Some(())
    }

    /// Answers the head that ends at `end`, and lists the socket on its page, which is returned.
    fn shake_hands(&mut self, slot: usize, end: usize) -> Option<usize> {
        let head = str::from_utf8(&self.buffer[..end]).ok()?;
        let target = head.split(' ').nth(1)?;
        let name = target.split_once("page=").map_or("/", |(_, page)| page);
        head.contains(wire::KEY).then_some(())?;
        let page = *self.names.entry(name.to_owned()).or_insert_with(|| {
            let (name, sockets, fresh) = (name.to_owned(), Vec::new(), Vec::new());
            self.pages.push(Page { name, sockets, fresh });
            self.pages.len() - 1
        });
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            wire::ACCEPT
        );
        let socket = self.sockets[slot].as_mut()?;
        socket.stream.write_all(answer.as_bytes()).ok()?;
        socket.listed = Some((page, self.pages[page].sockets.len()));
        self.pages[page].sockets.push(slot);
        Some(page)
    }

    fn deliver(&mut self, page: usize) {
        let page = &mut self.pages[page];
        for &slot in &page.sockets {
            let socket = self.sockets[slot].as_mut().expect("a listed socket is there");
            let sent = match socket.backlog.is_empty() {
                true => write(&mut socket.stream, &page.fresh),
                false => 0,
            };
            if sent < page.fresh.len() {
                if socket.backlog.is_empty() {
                    socket.wait_for(&self.epoll, slot, EventFlags::IN | EventFlags::OUT);
                }
                socket.backlog.extend_from_slice(&page.fresh[sent..]);
            }
        }
        page.fresh.clear();
    }

    fn retry(&mut self, slot: usize) {
        let Some(socket) = self.sockets[slot].as_mut() else { return };
        socket.sent += write(&mut socket.stream, &socket.backlog[socket.sent..]);
        if socket.sent == socket.backlog.len() {
            socket.backlog.clear();
            socket.sent = 0;
            socket.wait_for(&self.epoll, slot, EventFlags::IN);
        }
    }

    fn forget(&mut self, slot: usize) {
        let Some(socket) = self.sockets[slot].take() else { return };
        self.free.push(slot);
        let Some((page, at)) = socket.listed else { return };
        let listed = &mut self.pages[page].sockets;
        listed.swap_remove(at);
        if let Some(&moved) = listed.get(at) {
            let moved = self.sockets[moved].as_mut().expect("a listed socket is there");
            moved.listed = Some((page, at));
        }
    }
}

impl Page {
    fn publish(&mut self, text: &[u8], seq: &mut u64) {
        let start = self.fresh.len();
        // Texts of a length below 126 have a head of two bytes, all others here one of four.
        self.fresh.extend_from_slice(&[wire::TEXT, 126, 0, 0]);
        match messages::is_draft(text) {
            true => messages::append_line(text, *seq, &self.name, &mut self.fresh),
            false => self.fresh.extend_from_slice(text),
        }
        *seq += 1;
        let length = self.fresh.len() - start - 4;
        match u16::try_from(length).expect("texts are short") {
            length @ 0..=125 => {
                self.fresh[start + 1] = length as u8;
                self.fresh.drain(start + 2..start + 4);
            }
            length => self.fresh[start + 2..start + 4].copy_from_slice(&length.to_be_bytes()),
        }
    }
}

impl Socket {
    fn wait_for(&self, epoll: &OwnedFd, slot: usize, flags: EventFlags) {
        epoll::modify(epoll, &self.stream, EventData::new_u64(slot as u64), flags)
            .expect("a socket can be waited for");
    }
}

/// How much the socket takes. One that has ended takes all: reading will tell.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    match stream.write(bytes) {
        Ok(count) => count,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(_) => bytes.len(),
    }
}
