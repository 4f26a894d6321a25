//! `GET /healthz` and `GET /metrics`, for monitoring.
//!
//! Reads only what the hub publishes, so both respond even if the hub is stuck. Knows no comment.

use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use super::{Router, bodies::to_json};
use crate::{
    http::error_code::ErrorCode, http::request::HttpError, http::response::Response,
    http::upstream::LOCAL_HEADER, web::request::Request,
};

/// `{"status":"ok"}`, with reasons for a failure or warnings.
#[derive(Serialize)]
struct Health<'a> {
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<[&'a str; 1]>,
}

impl Router {
    pub(super) fn health(&self) -> Response {
        let stats = &self.hub.stats;
        let ok = Health { status: "ok", reasons: None, warnings: None };
        let (status, health) = match stats.failed.get() {
            Some(reason) => (503, Health { status: "failing", reasons: Some([reason]), ..ok }),
            None if stats.full.load(Relaxed) => {
                (200, Health { warnings: Some(["storage was full at the last post"]), ..ok })
            }
            None => (200, ok),
        };
        Response::json(status, to_json(&health)).with("Cache-Control", "no-store")
    }

    /// The metrics, for programs on this machine unless they are public.
    pub(super) fn metrics(&self, request: &Request) -> Result<Response, Response> {
        let is_local = request.header(&LOCAL_HEADER.to_ascii_lowercase()).is_some();
        if !is_local && !self.metrics_are_public {
            let message = "the metrics are for programs on sayso's own machine; --metrics public shows them to everybody";
            return Err(Response::from_error(&HttpError::of(ErrorCode::MetricsNotPublic, message)));
        }
        let stats = &self.hub.stats;
        let rows = [
            (
                "sayso_comments",
                "gauge",
                "Comments in the log, deleted ones included.",
                stats.comments.load(Relaxed),
            ),
            (
                "sayso_comments_pending",
                "gauge",
                "Comments that wait for a moderator.",
                stats.pending.load(Relaxed),
            ),
            (
                "sayso_comments_flagged",
                "gauge",
                "Comments with flags that no moderator has settled.",
                stats.flagged.load(Relaxed),
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
        let response = Response::new(200, "text/plain; version=0.0.4", text);
        Ok(response.with("Cache-Control", "no-store"))
    }
}
