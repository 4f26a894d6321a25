//! Serves the files of `static/`, compressed if the client accepts gzip.
//!
//! Knows no other path.

use super::{Router, page::PAGE_POLICY};
use crate::{
    http::response::Response,
    web::assets::Asset,
    web::request::{Request, ResponseExt, strong_tag},
};

impl Router {
    pub(super) fn asset(&self, asset: &Asset, request: &Request) -> Response {
        let response = response(asset, request);
        let response = match asset.path.ends_with(".html") {
            true => response.with("Content-Security-Policy", PAGE_POLICY),
            false => response,
        };
        // Other sites load module scripts and style sheets only with these headers. The files are the same for everybody.
        response
            .with("Cache-Control", "max-age=300")
            .with("Access-Control-Allow-Origin", "*")
            .with("Cross-Origin-Resource-Policy", "cross-origin")
    }
}

/// A file, compressed if the client accepts that, or 304 if it has it.
pub(super) fn response(asset: &Asset, request: &Request) -> Response {
    match request.accepts_gzip() {
        true => Response::new(200, asset.content_type, asset.gzip)
            .with("Content-Encoding", "gzip")
            .with_etag(&strong_tag(asset.gzip), request),
        false => {
            let plain = asset.plain();
            let etag = strong_tag(&plain);
            Response::new(200, asset.content_type, plain).with_etag(&etag, request)
        }
    }
}
