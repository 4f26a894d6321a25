//! `POST /api/admin/moves`: comments of a page live at another one.
//!
//! Knows no other path.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    super::{Reply, Router},
    body,
};
use crate::{
    comment::draft::check_page, http::response::Response, hub::measure::Measure,
    web::request::Request,
};

#[derive(Deserialize)]
struct NewMove {
    /// Where they live.
    page: String,
    /// Where they are to live.
    to: String,
    /// Whether both are only what the names of pages begin with.
    #[serde(default)]
    prefix: bool,
}

impl Router {
    pub(super) fn move_pages(
        self: &Arc<Router>,
        request: &Arc<Request>,
    ) -> Result<Reply, Response> {
        let name = self.require_moderator(request)?;
        let NewMove { page, to, prefix } = body(request)?;
        check_page(&page)?;
        check_page(&to)?;
        let measure = match prefix {
            true => Measure::MovePrefix(page.into(), to.into()),
            false => Measure::Move(vec![(page.into(), to.into())]),
        };
        self.measure(measure, name, "moved a page", request)
    }
}
