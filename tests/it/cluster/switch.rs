//! A fixed address in front of a server that changes, as a virtual address or a proxy is: connections can be cut, led elsewhere, or held
//! back with all that is in them. Knows nothing of what is said.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use crate::support::server::TIMEOUT;

/// What connections to the address lead to.
pub struct Switch {
    port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    /// The port on loopback that new connections lead to; `None`: they are closed at once.
    target: Option<u16>,
    /// Whether bytes stay in the switch.
    is_held: bool,
    open: Vec<TcpStream>,
}

impl Switch {
    /// An address that leads to this port of loopback.
    pub fn to(target: u16) -> Switch {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { target: Some(target), is_held: false, open: Vec::new() };
        let state = Arc::new((Mutex::new(state), Condvar::new()));
        let shared = state.clone();
        // It ends with the process: nobody connects to a port that no test knows any more.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                lead(client, &shared);
            }
        });
        Switch { port, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Cuts all connections, and leads new ones to another port, or nowhere.
    pub fn turn(&self, target: Option<u16>) {
        let mut state = self.state.0.lock().unwrap();
        state.target = target;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets nothing through any more, in neither direction, without closing anything; or goes on with all that has come meanwhile.
    pub fn hold(&self, is_held: bool) {
        self.state.0.lock().unwrap().is_held = is_held;
        self.state.1.notify_all();
    }
}

fn lead(client: TcpStream, shared: &Arc<(Mutex<State>, Condvar)>) {
    let mut state = shared.0.lock().unwrap();
    let Some(target) = state.target else { return };
    let address = SocketAddr::from(([127, 0, 0, 1], target));
    let Ok(server) = TcpStream::connect_timeout(&address, TIMEOUT) else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
        state.open.push(stream.try_clone().unwrap());
    }
    let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    for (from, to) in [(client, server), back] {
        let shared = shared.clone();
        thread::spawn(move || copy(from, to, &shared));
    }
}

/// Until either side ends.
fn copy(mut from: TcpStream, mut to: TcpStream, shared: &(Mutex<State>, Condvar)) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        drop(shared.1.wait_while(shared.0.lock().unwrap(), |state| state.is_held).unwrap());
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
