//! Checks and parameters that several routes share: method, content type, page and numbers.
//!
//! Every function returns the error response itself. Knows no route.

use crate::{
    comment::draft::check_page,
    comment::rejection::Rejection,
    http::query::Query,
    http::request::HttpError,
    http::response::Response,
    util::text::{parse_decimal, shorten},
    web::request::Request,
};

/// How much of a path is repeated in an error message, in characters.
const PATH_ECHO_CHARS: usize = 80;
/// How much of a method is repeated in an error message, in characters.
const METHOD_ECHO_CHARS: usize = 20;
/// How much of a parameter's value is repeated in an error message, in characters.
pub(super) const VALUE_ECHO_CHARS: usize = 40;

pub(super) fn not_found(request: &Request) -> Response {
    let path = shorten(&request.path, PATH_ECHO_CHARS);
    Response::error(404, format!("there is nothing at {path}"))
}

pub(super) fn check_method(request: &Request, methods: &[&str]) -> Result<(), Response> {
    if methods.contains(&request.method.as_str()) {
        return Ok(());
    }
    let list = methods.join(", ");
    let method = shorten(&request.method, METHOD_ECHO_CHARS);
    let error = HttpError::new(405, format!("method {method} is not allowed; use {list}"));
    Err(Response::from_error(&error.with("allowed", &*list)).with("Allow", list))
}

pub(super) fn check_json(request: &Request) -> Result<(), Response> {
    let content_type = request.content_type();
    if content_type == "application/json" {
        return Ok(());
    }
    let message = match &*content_type {
        "" => "the content type is missing; send Content-Type: application/json".into(),
        _ => format!("content type {content_type:?} is not understood here; send application/json"),
    };
    Err(Response::from_error(&HttpError::new(415, message).with("allowed", "application/json")))
}

pub(super) fn parse_query(request: &Request) -> Result<Query, Response> {
    Query::parse(&request.query).map_err(|message| Response::error(400, message))
}

/// The parameter `page`, `/` by default.
pub(super) fn page_parameter(query: &Query) -> Result<String, Response> {
    let page = query.get("page").unwrap_or("/");
    check_page(page)?;
    Ok(page.to_owned())
}

/// A number from `min` to `max`, if the query has this parameter. `allowed` describes it in the error message.
pub(super) fn number_parameter(
    query: &Query,
    name: &'static str,
    allowed: &'static str,
    min: u64,
    max: u64,
) -> Result<Option<u64>, Response> {
    let Some(text) = query.get(name) else { return Ok(None) };
    match parse_decimal(text) {
        Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => {
            let value = shorten(text, VALUE_ECHO_CHARS);
            Err(Rejection::BadParameter { name, value, allowed }.into())
        }
    }
}
