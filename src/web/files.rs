//! The files of `static/`, in the form that the client takes.

use super::{Site, page::PAGE_POLICY};
use crate::{
    web::assets::Asset,
    web::message::{Answer, Asked, tag},
};

impl Site {
    pub(super) fn asset(&self, asset: &Asset, asked: &Asked) -> Answer {
        let answer = match asked.takes_gzip() {
            true => Answer::new(200, asset.content_type, asset.packed)
                .with("Content-Encoding", "gzip")
                .tagged(&tag(asset.packed), asked),
            false => {
                let plain = asset.plain();
                let etag = tag(&plain);
                Answer::new(200, asset.content_type, plain).tagged(&etag, asked)
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
