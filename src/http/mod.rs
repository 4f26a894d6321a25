//! HTTP/1.1 on the wire. Knows no route.

pub mod echo;
pub mod forwarded;
pub mod origin;
pub mod query;
pub mod request;
pub mod response;
pub mod stream;
pub mod upstream;
