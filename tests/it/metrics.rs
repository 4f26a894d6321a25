//! What `/metrics` says, and that the dashboard asks for nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use serde_json::json;

use crate::support::{
    client::{bearer, get, post, posted, request},
    frames::Client,
    server::{Server, TIMEOUT},
};

/// Has a table of the metrics.
const README: &str = include_str!("../../src/web/README.md");
/// The dashboard for Grafana.
const DASHBOARD: &str = include_str!("../../src/web/grafana.json");
/// What there is only with `--redis`.
const CLUSTER: [&str; 6] = [
    "sayso_cluster_connected",
    "sayso_cluster_behind_lines",
    "sayso_cluster_waiting",
    "sayso_cluster_attaches_total",
    "sayso_cluster_heals_total",
    "sayso_cluster_refused_total",
];
const TOKEN: &str = "0123456789abcdef-token";

/// Samples by name and labels.
struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads the text strictly: each family begins with its help and its type, and each sample belongs to the family before it.
    fn of(server: &Server) -> Metrics {
        let response = get(server, "/metrics");
        assert_eq!(response.status, 200);
        let kind = response.header("content-type").unwrap();
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        assert!(response.body.ends_with('\n'));
        let (mut samples, mut families, mut family) = (BTreeMap::new(), Vec::new(), "");
        for line in response.body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                family = help.split_once(' ').unwrap_or_else(|| panic!("{line}")).0;
                assert!(!families.contains(&family), "{family} comes twice");
                families.push(family);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, family);
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            } else {
                let (key, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
                let name = key.split('{').next().unwrap();
                let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line}"));
                assert!(["", "_bucket", "_sum", "_count"].contains(&suffix), "{line}");
                let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert!(samples.insert(key.to_owned(), value).is_none(), "{key} comes twice");
            }
        }
        Metrics(samples)
    }

    fn get(&self, key: &str) -> f64 {
        *self.0.get(key).unwrap_or_else(|| panic!("no {key} in {:?}", self.0))
    }

    /// The names without labels.
    fn names(&self) -> Vec<&str> {
        self.0.keys().map(|key| key.split('{').next().unwrap()).collect()
    }
}

#[test]
fn what_has_happened_is_counted() {
    let server = Server::builder()
        .moderator(TOKEN)
        .flags(&["--hold", "links", "--max-connections", "50"])
        .start();
    let before = Metrics::of(&server);
    for none in ["sayso_posts_total", "sayso_deliveries_total", "sayso_batch_lines_count"] {
        assert_eq!(before.get(none), 0.0, "{none}");
    }
    let mut readers =
        [Client::full(&server, ""), Client::full(&server, ""), Client::plain(&server)];
    readers[..2].iter_mut().for_each(|reader| assert!(reader.json()["hello"].is_object()));
    posted(&server, "for all");
    assert_eq!(post(&server, &json!({"content": "see http://a.example"})).status, 202);
    let flag = request(&server, "POST", "/api/comments/1/flag", &bearer("0123456789abcdef"), "");
    assert_eq!(flag.status, 204, "{flag:?}");
    assert_eq!(post(&server, &json!({"content": ""})).status, 400);
    for reader in &mut readers {
        assert_eq!(reader.line()["content"], "for all");
    }
    let metrics = Metrics::of(&server);
    for (key, value) in [
        ("sayso_comments", 2.0),
        ("sayso_pages", 1.0),
        ("sayso_comments_pending", 1.0),
        ("sayso_comments_flagged", 1.0),
        ("sayso_posts_total", 2.0),
        ("sayso_flags_total", 1.0),
        ("sayso_held_total{reason=\"links\"}", 1.0),
        ("sayso_refusals_total{code=\"content_empty\"}", 1.0),
        ("sayso_connections_max", 50.0),
        ("sayso_http_requests_total{status=\"1xx\"}", 3.0),
        ("sayso_http_requests_total{status=\"4xx\"}", 1.0),
        ("sayso_http_requests_total{status=\"5xx\"}", 0.0),
        ("sayso_readers", 3.0),
        ("sayso_outbox_bytes", 0.0),
        ("sayso_readers_closed_slow_total", 0.0),
        ("sayso_batch_commit_seconds_bucket{le=\"+Inf\"}", 3.0),
        ("sayso_storage_full", 0.0),
        ("sayso_storage_failed", 0.0),
        ("sayso_compactions_total", 0.0),
    ] {
        assert_eq!(metrics.get(key), value, "{key}");
    }
    // The note and the flag are lines, too.
    assert_eq!(metrics.get("sayso_batch_lines_sum"), metrics.get("sayso_seq"));
    assert!(metrics.get("sayso_connections") >= 4.0, "three readers and this request");
    let log = std::fs::metadata(server.log()).unwrap().len() as f64;
    assert!(metrics.get("sayso_log_bytes") <= log && metrics.get("sayso_log_bytes") > 400.0);
    assert!((0.0..=1.0).contains(&metrics.get("sayso_log_stale_ratio")));
    assert!(metrics.get("process_resident_memory_bytes") > 1_000_000.0);
    assert!(metrics.get("process_open_fds") > 8.0);
}

#[test]
fn a_line_counts_as_delivered_once_for_each_reader_and_all_that_was_sent_as_bytes() {
    let server = Server::start(&["--rate", "off"]);
    let mut readers: Vec<_> = (0..5).map(|_| Client::plain(&server)).collect();
    for n in 0..20 {
        posted(&server, &format!("number {n}"));
    }
    let mut bytes = 0;
    for reader in &mut readers {
        for n in 0..20 {
            let text = reader.text();
            assert!(text.contains(&format!("number {n}\"")), "{text}");
            bytes += text.len() + 4;
        }
    }
    // A shard publishes what it has counted after it has sent.
    let start = Instant::now();
    let metrics = loop {
        let metrics = Metrics::of(&server);
        if metrics.get("sayso_deliveries_total") >= 100.0 {
            break metrics;
        }
        assert!(start.elapsed() < TIMEOUT, "only {}", metrics.get("sayso_deliveries_total"));
    };
    assert_eq!(metrics.get("sayso_deliveries_total"), 100.0);
    let sent = metrics.get("sayso_sent_bytes_total");
    assert!(sent >= bytes as f64 && sent < (bytes + 5 * 400) as f64, "{sent}, {bytes} of lines");
    let posts = metrics.get("sayso_batch_lines_sum");
    assert_eq!((posts, metrics.get("sayso_posts_total")), (20.0, 20.0));
}

#[test]
fn a_refused_connection_is_counted_by_why() {
    let server = Server::start(&["--trust-proxy", "none", "--max-per-address", "3"]);
    let _held: Vec<_> = (0..3).map(|_| Client::plain(&server)).collect();
    assert_eq!(get(&server, "/").status, 429);
    let metrics = Metrics::of(&server);
    assert!(metrics.get("sayso_connections_refused_total{reason=\"max_per_address\"}") >= 1.0);
    assert_eq!(metrics.get("sayso_connections_refused_total{reason=\"max_connections\"}"), 0.0);
    assert_eq!(metrics.get("sayso_connections"), 3.0);
}

#[test]
fn no_metric_names_a_page_an_author_or_an_address() {
    let server = Server::start(&[]);
    let key = "0123456789abcdef";
    let body = json!({"content": "x", "page": "secret-page", "name": "Ada", "key": key});
    let author = post(&server, &body).json()["author"].as_str().unwrap().to_owned();
    let text = get(&server, "/metrics").body;
    for private in ["secret-page", "Ada", &author, key, "127.0.0.1"] {
        assert!(!text.contains(private), "{private} is in {text}");
    }
}

#[test]
fn the_readme_has_each_metric_and_no_other() {
    let server = Server::start(&["--notify", "true"]);
    let metrics = Metrics::of(&server);
    let without_end = |name: &'_ str| {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        family.unwrap_or(name).to_owned()
    };
    let mut names: BTreeSet<String> = metrics.names().into_iter().map(without_end).collect();
    // These have samples only once something was refused or held.
    names.extend(["sayso_refusals_total", "sayso_held_total"].map(String::from));
    names.extend(CLUSTER.map(String::from));
    let (_, section) = README.split_once("\n## Metrics\n").unwrap();
    let rows =
        section.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split(" | ").next().unwrap());
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let told = words.map(|word| word.split('{').next().unwrap().to_owned());
    assert_eq!(told.collect::<BTreeSet<_>>(), names);
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are_and_leaves_none_out() {
    let server = Server::start(&[]);
    let metrics = Metrics::of(&server);
    let mut names = metrics.names();
    // These have samples only once something was refused or held.
    names.extend(["sayso_refusals_total", "sayso_held_total"]);
    names.extend(CLUSTER);
    let is_word = |char: char| char.is_ascii_lowercase() || char == '_';
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut asked = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let words = target["expr"].as_str().unwrap().split(|char| !is_word(char));
            asked.extend(
                words.filter(|word| ["sayso_", "process_"].iter().any(|it| word.starts_with(it))),
            );
        }
    }
    assert!(asked.len() > 30, "{asked:?}");
    for name in &asked {
        assert!(names.contains(name), "the dashboard asks for {name}");
    }
    for name in names {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_asked = asked.iter().any(|asked| asked.starts_with(family.unwrap_or(name)));
        assert!(is_asked, "the dashboard leaves {name} out");
    }
}
