//! `GET /healthz`: whether the server works.
//!
//! Reads only what the hub publishes, so it responds even if the hub is stuck. Knows no comment.

use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use super::{Router, bodies::to_json};
use crate::http::response::Response;

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
}
