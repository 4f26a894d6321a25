//! `sayso doctor`, with proxies between it and sayso that each do one thing wrong. Real ones are in `tests/browser/proxies.test.mjs`.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    client::get,
    program::{Folder, PATIENCE, Program, run},
};

/// A quiet WebSocket is listened to for up to 35 s.
const DOCTOR_PATIENCE: Duration = Duration::from_secs(120);
/// Connections that one examination makes, and some.
const CALLS_MAX: usize = 12;

/// What a proxy makes of a head.
type Change = fn(&str) -> String;

/// A proxy that changes each request's head, and ends a connection on which nothing comes for so long.
fn proxy(program: &Program, change: Change, quiet: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = program.address;
    thread::spawn(move || {
        for _ in 0..CALLS_MAX {
            let Ok((client, _)) = listener.accept() else { return };
            thread::spawn(move || pass_on(client, upstream, change, quiet));
        }
    });
    address
}

fn pass_on(
    mut client: TcpStream,
    upstream: SocketAddr,
    change: Change,
    quiet: Duration,
) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let mut server = TcpStream::connect(upstream)?;
    server.set_read_timeout(Some(quiet))?;
    server.write_all(change(&String::from_utf8_lossy(&head)).as_bytes())?;
    let _ = io::copy(&mut server, &mut client);
    client.shutdown(Shutdown::Both)
}

/// What a proxy should do: add whom it sees.
fn right(head: &str) -> String {
    without(head, "X-Forwarded-For").replacen(
        "\r\n",
        "\r\nX-Forwarded-For: 192.0.2.1, 198.51.100.7\r\n",
        1,
    )
}

fn without(head: &str, name: &str) -> String {
    let is_kept = |line: &&str| !line.to_lowercase().starts_with(&name.to_lowercase());
    head.split("\r\n").filter(is_kept).collect::<Vec<_>>().join("\r\n")
}

/// What is wrong, and the exit code.
fn examine(arguments: &[&str]) -> (Vec<String>, Option<i32>) {
    let output = run(&[&["doctor"], arguments].concat(), &[], DOCTOR_PATIENCE);
    let said = String::from_utf8(output.stdout).unwrap();
    let wrong: Vec<String> =
        said.lines().filter_map(|line| line.strip_prefix("WRONG  ")).map(str::to_owned).collect();
    let summary = String::from_utf8(output.stderr).unwrap();
    let count = wrong.len();
    assert_eq!(summary.is_empty(), count == 0, "{said}{summary}");
    assert!(count == 0 || summary.starts_with(&format!("sayso: {count} thing")), "{summary}");
    (wrong, output.status.code())
}

/// The doctor's only complaint about a server behind such a proxy.
#[track_caller]
fn complaint(flags: &[&str], change: Change, quiet: Duration) -> String {
    let folder = Folder::new();
    let program = Program::start(&folder.0, flags);
    let address = proxy(&program, change, quiet);
    let (wrong, code) = examine(&[&format!("http://{address}")]);
    assert_eq!((wrong.len(), code), (1, Some(1)), "{wrong:?}");
    wrong.into_iter().next().unwrap()
}

#[test]
fn nothing_is_wrong_with_a_server_alone_or_behind_a_good_proxy() {
    let folder = Folder::new();
    let program = Program::start(
        &folder.0,
        &["--base-path", "/talk", "--allow-origin", "http://blog.example"],
    );
    let alone = format!("http://{}/talk", program.address);
    let behind = format!("http://{}/talk/", proxy(&program, right, PATIENCE * 2));
    let one = thread::spawn(move || examine(&[&alone, "http://blog.example"]));
    assert_eq!(examine(&[&behind, "http://blog.example"]), (vec![], Some(0)));
    assert_eq!(one.join().unwrap(), (vec![], Some(0)));
}

#[test]
fn what_can_t_be_reached_or_is_not_sayso_is_said() {
    let only = |url: &str| {
        let (wrong, code) = examine(&[url]);
        assert_eq!((wrong.len(), code), (1, Some(1)), "{wrong:?}");
        wrong.into_iter().next().unwrap()
    };
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(only(&format!("http://{free}")).contains("can't be reached: Connection refused"));
    let folder = Folder::new();
    let program = Program::start(&folder.0, &["--base-path", "/talk"]);
    let beside = only(&format!("http://{}/tale", program.address));
    assert!(
        beside.contains("another server than sayso answers at") && beside.contains("(404)"),
        "{beside}"
    );
    let plain = only(&format!("https://{}", program.address));
    assert!(
        plain.contains("can't be reached: the connection was closed") || plain.contains("openssl"),
        "{plain}"
    );
    for (status, part) in [
        ("502 Bad Gateway", "it can't reach sayso"),
        ("301 Moved", "redirects to https://x.example/"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            let _ = client.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 {status}\r\nLocation: https://x.example/\r\nContent-Length: 0\r\n\r\n"
            );
            client.write_all(head.as_bytes()).unwrap();
        });
        let said = only(&url);
        assert!(said.contains(part), "{said}");
        served.join().unwrap();
    }
}

#[test]
fn a_proxy_without_upgrade_is_found_out() {
    let change = |head: &str| without(&without(&right(head), "Upgrade"), "Connection");
    let said = complaint(&[], change, PATIENCE);
    assert!(said.contains("let the proxy forward the upgrade"), "{said}");
    let change = |head: &str| right(head).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let said = complaint(&[], change, PATIENCE);
    assert!(said.contains("proxy_http_version 1.1"), "{said}");
}

#[test]
fn a_proxy_that_changes_host_is_found_out() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let change =
        |head: &str| without(&right(head), "Host").replacen("\r\n", "\r\nHost: upstream\r\n", 1);
    let address = proxy(&program, change, PATIENCE);
    let (wrong, _) = examine(&[&format!("http://{address}")]);
    assert!(wrong[0].contains(&format!("sends Host: upstream instead of {address}")), "{wrong:?}");
    assert!(wrong[1].contains("refuses browsers on its own page"), "{wrong:?}");
}

#[test]
fn a_proxy_that_hides_or_believes_addresses_is_found_out() {
    let cases: [(&[&str], Change, &str); 3] = [
        (&[], |head| without(head, "X-Forwarded-For"), "does not forward the client's address"),
        (&[], str::to_owned, "so clients can forge addresses"),
        (&["--trust-proxy", "none"], right, "sayso does not trust the proxy"),
    ];
    let all: Vec<_> = cases
        .into_iter()
        .map(|(flags, change, part)| {
            // Each ends with its WebSocket, which is not what is looked at here.
            (thread::spawn(move || complaint(flags, change, PATIENCE * 2)), part)
        })
        .collect();
    for (said, part) in all {
        let said = said.join().unwrap();
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_proxy_that_adds_an_address_is_right_even_where_who_asks_is_trusted_as_it_is() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let change = |head: &str| right(head).replace("198.51.100.7", "127.0.0.1");
    let (wrong, _) =
        examine(&[&format!("http://{}", proxy(&program, change, Duration::from_secs(1)))]);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].contains("an idle WebSocket was closed after"), "{wrong:?}");
}

#[test]
fn a_proxy_that_ends_quiet_connections_or_drops_origin_is_found_out() {
    let said = complaint(&[], right, Duration::from_secs(1));
    assert!(said.contains("an idle WebSocket was closed after"), "{said}");
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let change = |head: &str| without(&right(head), "Origin");
    let address = proxy(&program, change, Duration::from_secs(1));
    let (wrong, _) = examine(&[&format!("http://{address}"), "http://blog.example"]);
    assert!(wrong[1].contains("removes or changes the Origin header"), "{wrong:?}");
    assert!(wrong[2].contains("gets no Access-Control-Allow-Origin"), "{wrong:?}");
}

#[test]
fn a_site_that_is_not_allowed_is_told_what_to_add() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let address = proxy(&program, right, Duration::from_secs(1));
    let (wrong, _) = examine(&[&format!("http://{address}"), "http://blog.example"]);
    assert!(wrong[1].contains("add --allow-origin http://blog.example"), "{wrong:?}");
}

#[test]
fn the_mirror_shows_what_has_come_and_nobody_elses_address() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let seen = get(&program, "/api/doctor").json();
    assert_eq!(
        (&seen["host"], &seen["forwarded"]),
        (&json!(program.address.to_string()), &json!("none"))
    );
    assert_eq!(seen["client"], Value::Null);
    let ask = |forwarded: &str| {
        let head = format!(
            "GET /api/doctor HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {forwarded}\r\nConnection: close\r\n\r\n"
        );
        program.raw(head.as_bytes())
    };
    assert!(
        ask("198.51.100.7").ends_with(",\"forwarded\":\"believed\",\"client\":\"198.51.100.7\"}")
    );
    assert!(ask("a, b, c").contains(",\"named\":3,"));
    assert!(ask("rubbish").ends_with(",\"forwarded\":\"ignored\"}"));
    let distrustful = Program::start(&Folder::new().0, &["--trust-proxy", "none"]);
    let head = "GET /api/doctor HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\nConnection: close\r\n\r\n";
    assert!(distrustful.raw(head.as_bytes()).ends_with(",\"forwarded\":\"ignored\"}"));
}
