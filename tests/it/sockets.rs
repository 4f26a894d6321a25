//! `--listen unix:PATH`, and systemd, which is played here: sockets that it passes, and what it is told.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
        },
    },
    process::{Child, Command, Stdio},
    time::Instant,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with},
    process::{Pid, Signal, kill_process},
};
use serde_json::{Value, json};

use super::support::{
    client::{Connection, Response, check_sentence},
    frames::{Client, upgrade},
    server::{Folder, TIMEOUT, output, program, wait},
};

/// A sayso that was started by hand; dropping it kills it.
struct Sayso {
    child: Child,
    /// What it said when it was ready.
    line: String,
}

impl Sayso {
    fn start(command: &mut Command) -> Sayso {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Sayso { child, line }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn stop(mut self) {
        self.signal(Signal::TERM);
        assert!(wait(&mut self.child).success());
    }
}

impl Drop for Sayso {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Folder, flags: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.env_clear().args(["--data", &folder.join("data")]).args(flags);
    command
}

/// The standard library's type of TCP reads and writes any connected socket.
fn connect(path: &str) -> Connection {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    Connection::on(TcpStream::from(OwnedFd::from(stream)))
}

fn request(path: &str, method: &str, target: &str, headers: &str, body: &str) -> Response {
    let length = body.len();
    connect(path).exchange(format!(
        "{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    ))
}

/// A reader of the page `/`.
fn follow(path: &str) -> Client {
    let mut connection = connect(path);
    assert_eq!(connection.exchange(upgrade("")).status, 101);
    Client::behind_101(connection)
}

#[test]
fn a_unix_socket_serves_the_page_the_api_and_the_websocket() {
    let folder = Folder::new();
    let path = folder.join("http");
    let sayso = Sayso::start(&mut command(&folder, &["--listen", &format!("unix:{path}")]));
    assert_eq!(sayso.line, format!("sayso listening on unix:{path}\n"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(request(&path, "GET", "/", "", "").body.contains("<sayso-comments"));
    let mut reader = follow(&path);
    let line =
        request(&path, "POST", "/api/comments", "", &json!({"content": "hello"}).to_string());
    assert_eq!(line.status, 201, "{line:?}");
    assert_eq!(reader.line()["content"], "hello");
    reader.send(&json!({"content": "and back"}));
    assert_eq!(reader.line()["content"], "and back");
    sayso.signal(Signal::TERM);
    assert_eq!(reader.close_code(), Some(1001));
    drop(sayso);
}

#[test]
fn its_file_is_removed_at_the_end_and_a_stale_one_replaced_but_nothing_else() {
    let folder = Folder::new();
    let path = folder.join("http");
    let listen = format!("unix:{path}");
    let flags = ["--listen", &*listen];
    let first = Sayso::start(&mut command(&folder, &flags));
    first.stop();
    assert!(!fs::exists(&path).unwrap(), "it is removed");
    let mut killed = Sayso::start(&mut command(&folder, &flags));
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert!(fs::exists(&path).unwrap(), "nobody has removed it");
    let again = Sayso::start(&mut command(&folder, &flags));
    assert_eq!(request(&path, "GET", "/healthz", "", "").status, 200);
    // Another sayso, with data of its own, must not take the path away from it.
    let other = Folder::new();
    let output = command(&other, &flags).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    check_sentence(said.lines().last().unwrap(), &[&listen, "--listen", "listens there"]);
    assert_eq!(request(&path, "GET", "/healthz", "", "").status, 200);
    // What was put there meanwhile is somebody else's.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a file").unwrap();
    again.stop();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    let output = command(&folder, &flags).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "a file is no stale socket");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
}

#[test]
fn who_opens_it_is_believed_as_a_proxy_and_is_never_this_machine() {
    let folder = Folder::new();
    let path = folder.join("http");
    let flags = ["--listen", &format!("unix:{path}"), "--trust-proxy", "none", "--rate", "2/600"];
    let _sayso = Sayso::start(&mut command(&folder, &flags));
    let seen = |headers: &str| request(&path, "GET", "/api/doctor", headers, "").json();
    let named = seen("X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n");
    assert_eq!((&named["forwarded"], &named["client"]), (&json!("believed"), &json!("192.0.2.1")));
    let unnamed = seen("");
    assert_eq!((&unnamed["forwarded"], &unnamed["client"]), (&json!("none"), &Value::Null));
    assert_eq!(unnamed["port"], 0);
    let metrics = |headers: &str| request(&path, "GET", "/metrics", headers, "").status;
    assert_eq!(metrics(""), 403);
    assert_eq!(metrics("X-Forwarded-For: 192.0.2.1\r\n"), 403);
    assert_eq!(metrics("X-Forwarded-For: 127.0.0.1\r\n"), 200, "the proxy says so");
    // Whom nobody names are one client; each that is named is another.
    let post = |n: u32, headers: &str| {
        let body = json!({"content": format!("number {n}")}).to_string();
        request(&path, "POST", "/api/comments", headers, &body).status
    };
    let first = [post(1, ""), post(2, ""), post(3, "")];
    assert_eq!(first, [201, 201, 429]);
    assert_eq!(post(4, "X-Forwarded-For: 192.0.2.1\r\n"), 201);
    assert_eq!(post(5, "X-Forwarded-For: 192.0.2.2\r\n"), 201);
}

/// Starts sayso as systemd does, with these sockets as its files 3 and 4.
fn start_with(folder: &Folder, sockets: [OwnedFd; 2], variables: &str) -> Command {
    let line = format!(
        "exec 3<&0 4<&2 </dev/null 2>\"$STDERR\"; {variables} LISTEN_PID=$$ exec \"$0\" \"$@\""
    );
    let [first, second] = sockets;
    let mut command = Command::new("sh");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("STDERR", folder.join("stderr"));
    command.args(["-c", &line]).arg(program()).args(["--data", &folder.join("data")]);
    command.stdin(first).stderr(second);
    command
}

#[test]
fn sockets_of_both_kinds_are_taken_over_and_outlive_the_server() {
    let folder = Folder::new();
    let path = folder.join("http");
    let (tcp, unix) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
    // As systemd has them itself.
    tcp.set_nonblocking(true).unwrap();
    let address = tcp.local_addr().unwrap();
    for run in 0..2 {
        let sockets = [tcp.try_clone().unwrap().into(), unix.try_clone().unwrap().into()];
        let variables = "LISTEN_FDS=2 LISTEN_FDNAMES=web:sayso.socket";
        let sayso = Sayso::start(&mut start_with(&folder, sockets, variables));
        assert_eq!(sayso.line, format!("sayso listening on http://{address}, unix:{path}\n"));
        let body = json!({"content": format!("run {run}")}).to_string();
        assert_eq!(request(&path, "POST", "/api/comments", "", &body).status, 201);
        let mut connection = Connection::on(TcpStream::connect(address).unwrap());
        let counts = connection.exchange("GET /api/counts?page=/ HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(counts.json(), json!({"/": run + 1}));
        let said = fs::read_to_string(folder.join("stderr")).unwrap();
        assert!(said.contains("\"web\"") && said.contains("\"sayso.socket\""), "{said}");
        sayso.stop();
        // Who comes between two servers waits for the second.
        assert!(fs::exists(&path).unwrap());
        assert!(TcpStream::connect(address).is_ok() && UnixStream::connect(&path).is_ok());
    }
}

#[test]
fn sockets_for_another_process_or_of_another_kind_are_not_taken() {
    let folder = Folder::new();
    let sockets = || -> [OwnedFd; 2] {
        [TcpListener::bind("127.0.0.1:0").unwrap().into(), UnixDatagram::unbound().unwrap().into()]
    };
    let output = start_with(&folder, sockets(), "LISTEN_FDS=2").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = fs::read_to_string(folder.join("stderr")).unwrap();
    assert!(
        said.contains("file 4 that systemd passes") && said.contains("ListenStream="),
        "{said}"
    );
    let output = start_with(&folder, sockets(), "LISTEN_FDS=17").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    for count in ["2", "17"] {
        let mut other = command(&folder, &["--listen", "127.0.0.1:0"]);
        other.envs([("LISTEN_FDS", count), ("LISTEN_PID", "1")]);
        Sayso::start(&mut other).stop();
    }
}

#[test]
fn sockets_that_were_not_passed_after_all_are_an_error_in_words() {
    let folder = Folder::new();
    let sockets =
        || -> [OwnedFd; 2] { [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().into()) };
    let output = start_with(&folder, sockets(), "LISTEN_FDS=5").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = fs::read_to_string(folder.join("stderr")).unwrap();
    check_sentence(said.lines().last().unwrap(), &["LISTEN_FDS is 5", "is not open"]);
}

#[test]
fn a_path_where_somebody_listens_without_accepting_is_in_use() {
    let folder = Folder::new();
    let path = folder.join("http");
    let _listener = UnixListener::bind(&path).unwrap();
    // Until its queue is full, and a connection would have to wait.
    let mut waiting = Vec::new();
    let address = SocketAddrUnix::new(&*path).unwrap();
    let is_full = (0..5_000).any(|_| {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        let is_full = rustix::net::connect(&socket, &address) == Err(Errno::AGAIN);
        waiting.push(socket);
        is_full
    });
    assert!(is_full, "the queue holds {} connections", waiting.len());
    let listen = format!("unix:{path}");
    let output = output(&mut command(&folder, &["--listen", &listen]), TIMEOUT);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    check_sentence(said.lines().last().unwrap(), &[&listen, "listens there"]);
}

/// The next datagram that is not about the watchdog.
fn told(socket: &UnixDatagram) -> String {
    let start = Instant::now();
    loop {
        let mut bytes = [0; 4_096];
        let length = socket.recv(&mut bytes).expect("systemd is told something");
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        if text != "WATCHDOG=1" {
            return text;
        }
        assert!(start.elapsed() < TIMEOUT);
    }
}

#[test]
fn systemd_is_told_of_the_start_a_reload_the_watchdog_and_the_end() {
    let folder = Folder::new();
    let path = folder.join("notify");
    let name = format!("sayso-it-notify-{}", std::process::id());
    let by_name = SocketAddr::from_abstract_name(&name).unwrap();
    for (socket, variable) in [
        (UnixDatagram::bind(&path).unwrap(), path.clone()),
        (UnixDatagram::bind_addr(&by_name).unwrap(), format!("@{name}")),
    ] {
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        let mut command = command(&folder, &["--listen", "127.0.0.1:0"]);
        command.env("NOTIFY_SOCKET", variable).env("WATCHDOG_USEC", "40000");
        let sayso = Sayso::start(&mut command);
        let status = format!("STATUS={}", sayso.line.trim().trim_start_matches("sayso "));
        assert_eq!(told(&socket), format!("READY=1\n{status}"));
        let mut bytes = [0; 100];
        for _ in 0..3 {
            let length = socket.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], b"WATCHDOG=1");
        }
        sayso.signal(Signal::HUP);
        assert_eq!(told(&socket), "RELOADING=1");
        assert_eq!(told(&socket), format!("READY=1\n{status}"));
        sayso.signal(Signal::TERM);
        assert!(told(&socket).starts_with("STOPPING=1\n"));
        drop(sayso);
    }
}

#[test]
fn without_a_watchdog_of_its_own_sayso_tells_none() {
    let folder = Folder::new();
    let path = folder.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut command = command(&folder, &["--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let sayso = Sayso::start(&mut command);
    sayso.stop();
    let mut all = String::new();
    let mut bytes = [0; 4_096];
    socket.set_nonblocking(true).unwrap();
    while let Ok(length) = socket.recv(&mut bytes) {
        all += std::str::from_utf8(&bytes[..length]).unwrap();
    }
    assert!(
        all.starts_with("READY=1") && all.contains("STOPPING=1") && !all.contains("WATCHDOG"),
        "{all}"
    );
}

#[test]
fn a_reader_over_a_unix_socket_that_never_reads_is_closed_and_slows_nobody() {
    let folder = Folder::new();
    let path = folder.join("http");
    let flags = ["--listen", &format!("unix:{path}"), "--rate", "off", "--log-level", "warn"];
    let _sayso = Sayso::start(&mut command(&folder, &flags));
    let mut stuck = UnixStream::connect(&path).unwrap();
    stuck.write_all(upgrade("").as_bytes()).unwrap();
    stuck.read_exact(&mut [0; 12]).unwrap();
    let mut reader = follow(&path);
    // 256 KiB of outbox, and what the kernel takes before.
    let content = "x".repeat(8_000);
    let closed = "sayso_readers_closed_slow_total 1\n";
    let start = Instant::now();
    for n in 0.. {
        reader.send(&json!({"content": format!("{n} {content}")}));
        assert!(reader.line()["content"].as_str().unwrap().starts_with(&format!("{n} ")));
        let local = "X-Forwarded-For: 127.0.0.1\r\n";
        if n % 16 == 0 && request(&path, "GET", "/metrics", local, "").body.contains(closed) {
            break;
        }
        assert!(start.elapsed() < TIMEOUT, "it is not closed after {n} comments");
    }
}
