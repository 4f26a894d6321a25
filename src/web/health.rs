//! How sayso is: for whoever watches over it, from what can be seen without asking the hub.
//!
//! Knows no comment.

use std::sync::atomic::Ordering::Relaxed;

use super::Router;
use crate::{util::json, web::message::Response};

impl Router {
    pub(super) fn health(&self) -> Response {
        let stats = &self.hub.stats;
        match stats.failed.get() {
            Some(why) => Response::json(
                503,
                format!("{{\"status\":\"failing\",\"reasons\":[{}]}}", json::text(why)),
            ),
            None if stats.full.load(Relaxed) => {
                let warning =
                    "{\"status\":\"ok\",\"warnings\":[\"storage was full at the last post\"]}";
                Response::json(200, warning)
            }
            None => Response::json(200, "{\"status\":\"ok\"}"),
        }
        .with("Cache-Control", "no-store")
    }

    pub(super) fn metrics(&self) -> Response {
        let stats = &self.hub.stats;
        let rows = [
            (
                "sayso_comments",
                "gauge",
                "Comments in the log, deleted ones included.",
                stats.comments.load(Relaxed),
            ),
            ("sayso_readers", "gauge", "Open WebSockets.", stats.readers.load(Relaxed)),
            ("sayso_seq", "counter", "Highest durable sequence number.", stats.seq.load(Relaxed)),
            (
                "sayso_storage_full",
                "gauge",
                "1 if the last post found no room.",
                stats.full.load(Relaxed).into(),
            ),
            (
                "sayso_storage_failed",
                "gauge",
                "1 if storage can't be trusted.",
                stats.failed.get().is_some().into(),
            ),
        ];
        let text: String = rows
            .iter()
            .map(|(name, kind, help, value)| {
                format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
            })
            .collect();
        Response::new(200, "text/plain; version=0.0.4", text).with("Cache-Control", "no-store")
    }
}
