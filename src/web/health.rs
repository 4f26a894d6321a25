//! `GET /healthz`: whether the server works.
//!
//! Reads only what the hub publishes, so it responds even if the hub is stuck. Knows no comment.

use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use super::{Router, bodies::to_json};
use crate::{http::response::Response, hub::stats::Stats};

/// `{"status":"ok"}`, with reasons for a failure or warnings.
#[derive(Serialize)]
struct Health<'a> {
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<[&'a str; 1]>,
    #[cfg(feature = "redis")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<several::Cluster>,
}

impl Router {
    pub(super) fn health(&self) -> Response {
        let (status, health) = health(&self.hub.stats);
        Response::json(status, to_json(&health)).with("Cache-Control", "no-store")
    }
}

fn health(stats: &Stats) -> (u16, Health<'_>) {
    let ok = Health {
        status: "ok",
        reasons: None,
        warnings: None,
        #[cfg(feature = "redis")]
        cluster: several::Cluster::of(stats),
    };
    let failed = stats.failed.get().map(String::as_str);
    #[cfg(feature = "redis")]
    let failed = failed.or_else(|| several::parted(stats));
    match failed {
        Some(reason) => (503, Health { status: "failing", reasons: Some([reason]), ..ok }),
        None if stats.full.load(Relaxed) => {
            (200, Health { warnings: Some(["storage was full at the last post"]), ..ok })
        }
        None => (200, ok),
    }
}

#[cfg(feature = "redis")]
mod several {
    use super::{Relaxed, Serialize, Stats};

    /// Whether this machine follows the others.
    #[derive(Serialize)]
    pub struct Cluster {
        connected: bool,
        behind: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    }

    impl Cluster {
        /// Being away from Redis is no failure: a load balancer that took out every machine would leave nobody who serves readers.
        pub fn of(stats: &Stats) -> Option<Cluster> {
            let cluster = stats.cluster.get()?;
            let connected = cluster.connected.load(Relaxed);
            let why = cluster.error().filter(|_| !connected);
            let behind = cluster.behind(stats.seq.load(Relaxed));
            Some(Cluster { connected, behind, why: why.map(|why| why.to_string()) })
        }
    }

    /// Why this machine shows another conversation than the others, so that nobody should be sent to it.
    pub fn parted(stats: &Stats) -> Option<&str> {
        stats.cluster.get()?.parted.get().map(|why| &**why)
    }

    #[cfg(test)]
    mod tests {
        use crate::{
            hub::{cluster_stats::ClusterStats, stats::Stats},
            web::{bodies::to_json, health::health},
        };

        fn told(stats: &Stats) -> (u16, String) {
            let (status, health) = health(stats);
            (status, String::from_utf8(to_json(&health)).unwrap())
        }

        #[test]
        fn a_machine_without_redis_serves_readers_and_one_that_has_parted_is_taken_out() {
            let stats = Stats::default();
            assert_eq!(told(&stats), (200, r#"{"status":"ok"}"#.into()));
            let cluster = stats.cluster.get_or_init(|| ClusterStats::default().into());
            stats.seq.store(7, super::Relaxed);
            cluster.stream_seq.store(9, super::Relaxed);
            cluster.set_error(Some("Redis \"away\"".into()));
            let away = r#"{"status":"ok","cluster":{"connected":false,"behind":2,"why":"Redis \"away\""}}"#;
            assert_eq!(told(&stats), (200, away.into()));
            stats.full.store(true, super::Relaxed);
            let (status, text) = told(&stats);
            assert!(status == 200 && text.contains("warnings") && text.contains("cluster"));
            stats.full.store(false, super::Relaxed);
            cluster.connected.store(true, super::Relaxed);
            stats.seq.store(10, super::Relaxed);
            let attached = r#"{"status":"ok","cluster":{"connected":true,"behind":0}}"#;
            assert_eq!(
                told(&stats),
                (200, attached.into()),
                "the last error says nothing any more"
            );
            cluster.connected.store(false, super::Relaxed);
            cluster.set_error(None);
            cluster.parted.set("copy the log".into()).unwrap();
            let parted = r#"{"status":"failing","reasons":["copy the log"],"cluster":{"connected":false,"behind":0}}"#;
            assert_eq!(told(&stats), (503, parted.into()));
            stats.failed.set("no disk".into()).unwrap();
            assert!(told(&stats).1.contains(r#""reasons":["no disk"]"#), "the disk comes first");
        }
    }
}
