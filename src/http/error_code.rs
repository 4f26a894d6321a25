//! The codes of errors that are about the request or the connection and not about a comment.
//!
//! The others are those of `comment::rejection`. A code is the name of its variant in snake case.

/// The kind of an [`HttpError`](crate::http::request::HttpError).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The request can't be understood, or in two ways.
    BadRequest,
    /// A browser's page of another site asks.
    OriginNotAllowed,
    /// The metrics are asked for from another machine.
    MetricsNotPublic,
    /// There is nothing at this path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// The body is too long.
    BodyTooLong,
    /// The body is of another type than the path takes.
    ContentTypeNotAllowed,
    /// The WebSocket is of a version that is not spoken.
    WebsocketVersion,
    /// As many connections as one address may have are open.
    TooManyConnectionsFromAddress,
    /// The head is too long, or has too many headers.
    HeadTooLong,
    /// sayso itself has failed.
    InternalError,
    /// sayso can't answer now.
    Unavailable,
    /// As many connections as there may be are open.
    TooManyConnections,
}

impl ErrorCode {
    /// All of them, by status; the first of each status is the one that needs no mention.
    pub const ALL: [ErrorCode; 14] = [
        ErrorCode::BadRequest,
        ErrorCode::OriginNotAllowed,
        ErrorCode::MetricsNotPublic,
        ErrorCode::NotFound,
        ErrorCode::MethodNotAllowed,
        ErrorCode::RequestTimeout,
        ErrorCode::BodyTooLong,
        ErrorCode::ContentTypeNotAllowed,
        ErrorCode::WebsocketVersion,
        ErrorCode::TooManyConnectionsFromAddress,
        ErrorCode::HeadTooLong,
        ErrorCode::InternalError,
        ErrorCode::Unavailable,
        ErrorCode::TooManyConnections,
    ];

    /// The code of errors with this status that name no other.
    pub fn of(status: u16) -> ErrorCode {
        let found = ErrorCode::ALL.into_iter().find(|code| code.status() == status);
        found.unwrap_or(ErrorCode::InternalError)
    }

    /// The status code that comes with it (RFC 9110 §15, RFC 6585).
    pub fn status(self) -> u16 {
        match self {
            ErrorCode::BadRequest => 400,
            ErrorCode::OriginNotAllowed | ErrorCode::MetricsNotPublic => 403,
            ErrorCode::NotFound => 404,
            ErrorCode::MethodNotAllowed => 405,
            ErrorCode::RequestTimeout => 408,
            ErrorCode::BodyTooLong => 413,
            ErrorCode::ContentTypeNotAllowed => 415,
            ErrorCode::WebsocketVersion => 426,
            ErrorCode::TooManyConnectionsFromAddress => 429,
            ErrorCode::HeadTooLong => 431,
            ErrorCode::InternalError => 500,
            ErrorCode::TooManyConnections | ErrorCode::Unavailable => 503,
        }
    }

    /// The code as it is sent.
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::BadRequest => "bad_request",
            ErrorCode::OriginNotAllowed => "origin_not_allowed",
            ErrorCode::MetricsNotPublic => "metrics_not_public",
            ErrorCode::NotFound => "not_found",
            ErrorCode::MethodNotAllowed => "method_not_allowed",
            ErrorCode::RequestTimeout => "request_timeout",
            ErrorCode::BodyTooLong => "body_too_long",
            ErrorCode::ContentTypeNotAllowed => "content_type_not_allowed",
            ErrorCode::WebsocketVersion => "websocket_version",
            ErrorCode::TooManyConnectionsFromAddress => "too_many_connections_from_address",
            ErrorCode::HeadTooLong => "head_too_long",
            ErrorCode::InternalError => "internal_error",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::TooManyConnections => "too_many_connections",
        }
    }
}
