//! Caddy in front of three nodes, with what `src/cluster/README.md` quotes: any node serves anybody, and one that goes is passed over.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{
    authors::{Authors, check_acknowledged},
    crowd::Crowd,
    nodes::{Addresses, Cluster, ask, until},
};
use crate::support::{redis::Redis, server::Folder};

const README: &str = include_str!("../../../src/cluster/README.md");

/// Ends with the test.
struct Caddy {
    child: Child,
    _folder: Folder,
    address: SocketAddr,
}

impl Caddy {
    /// Starts it with the snippet of the README, for these nodes.
    fn start(nodes: &[SocketAddr]) -> Caddy {
        let snippet = README.split("```caddyfile\n").nth(1).unwrap().split("```").next().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut site = snippet.replace("comments.example", &format!("http://127.0.0.1:{port}"));
        for (number, node) in nodes.iter().enumerate() {
            let quoted = format!("10.0.0.{}:8000", number + 1);
            assert!(site.contains(&quoted), "{quoted} is not in:\n{snippet}");
            site = site.replace(&quoted, &node.to_string());
        }
        let folder = Folder::new();
        let file = folder.join("Caddyfile");
        fs::write(&file, format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}")).unwrap();
        let caddy = || {
            let mut command = Command::new("caddy");
            command.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path());
            command.env("XDG_CONFIG_HOME", folder.path()).stdout(Stdio::null());
            command
        };
        let format = caddy().args(["fmt", "--diff", &file]).stderr(Stdio::null()).status().unwrap();
        assert!(format.success(), "caddy fmt would write the snippet otherwise");
        let stderr = fs::File::create(folder.join("stderr")).unwrap();
        let run = ["run", "--config", &file, "--adapter", "caddyfile"];
        let child = caddy().args(run).stderr(stderr).spawn().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        until(
            || TcpStream::connect(address).is_ok().then_some(()),
            || fs::read_to_string(folder.join("stderr")).unwrap(),
        );
        Caddy { child, _folder: folder, address }
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has_caddy() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = std::env::split_paths(&path).any(|folder| Path::new(&folder).join("caddy").is_file());
    assert!(has || std::env::var_os("SAYSO_TEST_REDIS").is_none(), "caddy is not in PATH");
    has
}

#[test]
fn behind_caddy_any_node_serves_anybody_and_one_that_is_killed_is_passed_over() {
    if !has_caddy() {
        return eprintln!("caddy is not here: its configuration is not tested");
    }
    let Some(redis) = Redis::start(&[]) else { return };
    let mut cluster = Cluster::start(&redis.url(), 3);
    let nodes: Vec<SocketAddr> = cluster.nodes.iter().map(|node| node.address).collect();
    let caddy = Caddy::start(&nodes);
    // Readers and authors know nothing but Caddy.
    let front: Addresses = Default::default();
    front.lock().unwrap().push(Some(caddy.address));
    let crowd = Crowd::join(&front, 60);
    let authors = Authors::start(&front, 6);
    authors.allow(60);
    authors.wait_for_all_but(30);
    // All three have readers: what Caddy has handed out is on all.
    for node in &cluster.nodes {
        let (_, metrics) = ask(node.address, "GET", "/metrics", "", "").unwrap();
        let readers = metrics.lines().find_map(|line| line.strip_prefix("sayso_readers "));
        let readers: f64 = readers.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap();
        assert!(readers >= 10.0, "a node has {readers} readers");
    }
    cluster.kill(1);
    authors.wait_for_all_but(0);
    authors.allow(60);
    authors.wait_for_all_but(0);
    let acknowledged = authors.finish();
    let killed = cluster.nodes.remove(1);
    let lines = cluster.agree();
    check_acknowledged(&acknowledged, &lines);
    let returns = crowd.leave(&lines);
    assert_eq!(returns.reloaded, 0, "{returns:?}");
    drop(killed);
}
