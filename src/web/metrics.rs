//! `GET /metrics`: what the server counts, for Prometheus (text format 0.0.4).
//!
//! Reads only atomics and `/proc`, so it responds even if the hub is stuck. Knows no comment, and names no page, author or address.

use std::{fmt::Write, fs, sync::atomic::AtomicU64, sync::atomic::Ordering::Relaxed};

use super::Router;
use crate::{
    http::error_code::ErrorCode,
    http::request::HttpError,
    http::response::Response,
    http::upstream::LOCAL_HEADER,
    hub::command::Stats,
    net::counters::Refused,
    util::activity,
    util::histogram::Histogram,
    util::version::{COMMIT, VERSION},
    web::request::Request,
};

/// What Prometheus asks for by `Accept` and falls back to.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Router {
    /// The metrics, for programs on this machine unless they are public.
    pub(super) fn metrics(&self, request: &Request) -> Result<Response, Response> {
        let is_local = request.header(&LOCAL_HEADER.to_ascii_lowercase()).is_some();
        if !is_local && !self.metrics_are_public {
            let message = "the metrics are for programs on sayso's own machine; --metrics public shows them to everybody";
            return Err(Response::from_error(&HttpError::of(ErrorCode::MetricsNotPublic, message)));
        }
        let response = Response::new(200, CONTENT_TYPE, text(&self.hub.stats));
        Ok(response.with("Cache-Control", "no-store"))
    }
}

fn text(stats: &Stats) -> String {
    let mut out = Exposition::default();
    comments(stats, &mut out);
    traffic(stats, &mut out);
    storage(stats, &mut out);
    programs(stats, &mut out);
    #[cfg(feature = "redis")]
    cluster(stats, &mut out);
    process(stats, &mut out);
    out.0
}

fn comments(stats: &Stats, out: &mut Exposition) {
    let counters = &stats.counters;
    out.gauge(
        "sayso_comments",
        "Comments in the log, deleted ones included.",
        stats.comments.load(Relaxed),
    );
    out.gauge("sayso_pages", "Pages with comments.", counters.pages.load(Relaxed));
    out.gauge(
        "sayso_comments_pending",
        "Comments that wait for a moderator.",
        stats.pending.load(Relaxed),
    );
    out.gauge(
        "sayso_comments_flagged",
        "Comments with flags that no moderator has settled.",
        stats.flagged.load(Relaxed),
    );
    out.counter(
        "sayso_posts_total",
        "New comments, held and imported ones included.",
        counters.posts.load(Relaxed),
    );
    out.counter("sayso_flags_total", "Readers' flags.", counters.flags.load(Relaxed));
    out.counters(
        "sayso_held_total",
        "Comments held for a moderator, by why.",
        "reason",
        &activity::holds(),
    );
    out.counters(
        "sayso_refusals_total",
        "Requests and messages refused, by the error's code.",
        "code",
        &activity::refusals(),
    );
}

fn traffic(stats: &Stats, out: &mut Exposition) {
    let net = &stats.net;
    out.gauge(
        "sayso_connections",
        "Open connections, WebSockets included.",
        net.open.load(Relaxed),
    );
    out.gauge("sayso_connections_max", "Connections that may be open.", net.max.load(Relaxed));
    let refused: Vec<_> = Refused::ALL
        .iter()
        .map(|(why, name)| (*name, net.refused[*why as usize].load(Relaxed)))
        .collect();
    out.counters("sayso_connections_refused_total", "Connections refused.", "reason", &refused);
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let requests: Vec<_> =
        classes.into_iter().zip(net.requests.iter().map(|class| class.load(Relaxed))).collect();
    out.counters(
        "sayso_http_requests_total",
        "HTTP requests by the class of their response; 1xx became WebSockets.",
        "status",
        &requests,
    );
    out.gauge("sayso_readers", "Open WebSockets.", stats.readers.load(Relaxed));
    let sum = |number: fn(&crate::fanout::counters::Counters) -> &AtomicU64| -> u64 {
        stats.shards.iter().map(|shard| number(shard).load(Relaxed)).sum()
    };
    out.counter(
        "sayso_deliveries_total",
        "Frames of published lines, once for each reader.",
        sum(|shard| &shard.frames),
    );
    out.counter(
        "sayso_sent_bytes_total",
        "Bytes that the sockets of readers have taken.",
        sum(|shard| &shard.bytes),
    );
    out.counter(
        "sayso_readers_closed_slow_total",
        "Readers closed with 1013 because their outbox was full.",
        sum(|shard| &shard.closed_slow),
    );
    out.gauge(
        "sayso_outbox_bytes",
        "Bytes that wait for readers whose sockets are full.",
        stats.outbox_bytes.load(Relaxed) as u64,
    );
}

fn storage(stats: &Stats, out: &mut Exposition) {
    let counters = &stats.counters;
    out.gauge("sayso_seq", "Highest durable sequence number.", stats.seq.load(Relaxed));
    out.histogram(
        "sayso_batch_lines",
        "Lines of each batch that was written.",
        &counters.batch_lines,
        |lines| lines.to_string(),
    );
    out.histogram(
        "sayso_batch_commit_seconds",
        "Time to write and sync a batch.",
        &counters.commit_micros,
        |micros| decimal(micros, 1_000_000),
    );
    let (log, live) = (counters.log_bytes.load(Relaxed), counters.live_bytes.load(Relaxed));
    out.gauge("sayso_log_bytes", "Length of the log.", log);
    let stale = log.saturating_sub(live) * 1_000 / log.max(1);
    out.family("sayso_log_stale_ratio", "gauge", "Share of the log that a compaction would drop.");
    out.sample("sayso_log_stale_ratio", "", &decimal(stale, 1_000));
    out.counter(
        "sayso_compactions_total",
        "Compactions of the log.",
        counters.compactions.load(Relaxed),
    );
    out.gauge(
        "sayso_storage_full",
        "1 if the last post found no room.",
        stats.full.load(Relaxed).into(),
    );
    out.gauge(
        "sayso_storage_failed",
        "1 if storage can't be trusted.",
        stats.failed.get().is_some().into(),
    );
}

/// How far the programs of `--notify` are; nothing if there are none.
fn programs(stats: &Stats, out: &mut Exposition) {
    let Some(listeners) = stats.listeners.get().filter(|all| !all.is_empty()) else { return };
    let seq = stats.seq.load(Relaxed);
    let lags: Vec<_> = listeners.iter().map(|one| (&*one.name, one.lag(seq))).collect();
    let help = "Sequence numbers that a program of --notify has still to be told of.";
    out.labelled("sayso_notify_lag", "gauge", help, "program", &lags);
    let failures: Vec<_> =
        listeners.iter().map(|one| (&*one.name, one.failures.load(Relaxed))).collect();
    let help = "Failed runs of a program of --notify.";
    out.labelled("sayso_notify_failures_total", "counter", help, "program", &failures);
}

/// The stream that several machines append to; nothing if this one is alone.
#[cfg(feature = "redis")]
fn cluster(stats: &Stats, out: &mut Exposition) {
    let Some(cluster) = stats.cluster.get() else { return };
    out.gauge(
        "sayso_cluster_connected",
        "1 if this machine is attached to the stream.",
        cluster.connected.load(Relaxed).into(),
    );
    out.gauge(
        "sayso_cluster_behind_lines",
        "Lines of the stream that are not in this machine's log yet.",
        cluster.behind(stats.seq.load(Relaxed)),
    );
    out.gauge(
        "sayso_cluster_waiting",
        "Lines that were proposed and have not come back yet.",
        cluster.in_flight.load(Relaxed),
    );
    out.counter(
        "sayso_cluster_attaches_total",
        "How often this machine compared its log with the stream and was attached.",
        cluster.attaches.load(Relaxed),
    );
    out.counter(
        "sayso_cluster_heals_total",
        "How often this machine gave back lines that Redis had lost.",
        cluster.heals.load(Relaxed),
    );
    out.counter(
        "sayso_cluster_refused_total",
        "Posts and other changes refused because nothing could be ordered.",
        cluster.refused.load(Relaxed),
    );
}

/// What Prometheus' own libraries say of a process, under their names. What `/proc` does not tell is left out.
fn process(stats: &Stats, out: &mut Exposition) {
    out.family("sayso_build_info", "gauge", "Which sayso this is; always 1.");
    let labels = format!("{{version=\"{VERSION}\",commit=\"{COMMIT}\"}}");
    out.sample("sayso_build_info", &labels, "1");
    let name = "process_start_time_seconds";
    out.family(name, "gauge", "Start of the process, in seconds since 1970.");
    out.sample(name, "", &decimal(stats.counters.started, 1_000));
    if let Some(bytes) = resident_bytes() {
        out.gauge("process_resident_memory_bytes", "Resident memory.", bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder itself.
        let count = open.count().saturating_sub(1) as u64;
        out.gauge("process_open_fds", "Open file descriptors.", count);
    }
}

/// The line `VmRSS:    5120 kB` of `/proc/self/status`, in bytes.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

/// A fraction as a decimal number, exact where `unit` is a power of ten.
fn decimal(value: u64, unit: u64) -> String {
    let digits = unit.ilog10() as usize;
    let text = format!("{}.{:0digits$}", value / unit, value % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Metrics as text, family after family.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// `labels` with its braces, or empty.
    fn sample(&mut self, name: &str, labels: &str, value: &str) {
        for part in [name, labels, " ", value, "\n"] {
            self.0.push_str(part);
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", help);
        self.sample(name, "", &value.to_string());
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.sample(name, "", &value.to_string());
    }

    /// A counter with one label.
    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) {
        self.labelled(name, "counter", help, label, values);
    }

    /// A family with one label, whose values are words of our own that need no escaping.
    fn labelled(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        values: &[(&str, u64)],
    ) {
        self.family(name, kind, help);
        for (word, value) in values {
            self.sample(name, &format!("{{{label}=\"{word}\"}}"), &value.to_string());
        }
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        histogram: &Histogram,
        show: fn(u64) -> String,
    ) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        // Read in this order, so that values counted meanwhile make no bucket larger than the next.
        let bounds = histogram.cumulative();
        let count = bounds.last().map_or(0, |(_, below)| *below) + histogram.above();
        for (bound, below) in bounds {
            self.sample(&bucket, &format!("{{le=\"{}\"}}", show(bound)), &below.to_string());
        }
        self.sample(&bucket, "{le=\"+Inf\"}", &count.to_string());
        self.sample(&format!("{name}_sum"), "", &show(histogram.sum()));
        self.sample(&format!("{name}_count"), "", &count.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_exact_decimal_numbers() {
        for (value, unit, text) in [
            (0, 1_000, "0"),
            (50, 1_000_000, "0.00005"),
            (1_000_000, 1_000_000, "1"),
            (1_795_324_033_123, 1_000, "1795324033.123"),
            (500, 1_000, "0.5"),
            (100, 1_000, "0.1"),
            (10_000_000, 1_000_000, "10"),
        ] {
            assert_eq!(decimal(value, unit), text);
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn a_machine_among_several_says_how_far_behind_it_is() {
        let stats = Stats::default();
        assert!(!text(&stats).contains("sayso_cluster"), "it is alone");
        let cluster = stats.cluster.get_or_init(Default::default);
        stats.seq.store(5, Relaxed);
        cluster.connected.store(true, Relaxed);
        for (number, value) in [
            (&cluster.stream_seq, 8),
            (&cluster.in_flight, 4),
            (&cluster.attaches, 6),
            (&cluster.heals, 1),
            (&cluster.refused, 9),
        ] {
            number.store(value, Relaxed);
        }
        let text = text(&stats);
        let told: Vec<_> = text.lines().filter(|line| line.starts_with("sayso_cluster")).collect();
        assert_eq!(
            told,
            [
                "sayso_cluster_connected 1",
                "sayso_cluster_behind_lines 3",
                "sayso_cluster_waiting 4",
                "sayso_cluster_attaches_total 6",
                "sayso_cluster_heals_total 1",
                "sayso_cluster_refused_total 9",
            ]
        );
    }

    #[test]
    fn a_histogram_counts_up_to_each_bound_and_all() {
        let histogram = Histogram::new(&[50, 1_000_000]);
        for micros in [10, 60, 2_000_000] {
            histogram.record(micros);
        }
        let mut out = Exposition::default();
        out.histogram("a_seconds", "Help.", &histogram, |micros| decimal(micros, 1_000_000));
        assert_eq!(
            out.0,
            "# HELP a_seconds Help.\n# TYPE a_seconds histogram\na_seconds_bucket{le=\"0.00005\"} 1\n\
             a_seconds_bucket{le=\"1\"} 2\na_seconds_bucket{le=\"+Inf\"} 3\na_seconds_sum 2.00007\na_seconds_count 3\n"
        );
    }
}
