//! The files of `static/`, in the form that the client takes.

use super::{Router, page::PAGE_POLICY};
use crate::{
    web::assets::Asset,
    web::message::{Request, Response, tag},
};

impl Router {
    pub(super) fn asset(&self, asset: &Asset, request: &Request) -> Response {
        let answer = match request.takes_gzip() {
            true => Response::new(200, asset.content_type, asset.gzip)
                .with("Content-Encoding", "gzip")
                .with_etag(&tag(asset.gzip), request),
            false => {
                let plain = asset.plain();
                let etag = tag(&plain);
                Response::new(200, asset.content_type, plain).with_etag(&etag, request)
            }
        };
        let answer = match asset.path.ends_with(".html") {
            true => answer.with("Content-Security-Policy", PAGE_POLICY),
            false => answer,
        };
        // Scripts of type module and fetched styles need leave to be used elsewhere; these hold nothing of anybody.
        answer
            .with("Cache-Control", "max-age=300")
            .with("Access-Control-Allow-Origin", "*")
            .with("Cross-Origin-Resource-Policy", "cross-origin")
    }
}
