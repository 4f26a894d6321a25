//! The eleven formats, a module for each: what its fields mean, and nothing else.
//!
//! A module declares only the fields that it uses, so that mail addresses, network addresses and passwords are never read.

mod artalk;
mod commento;
mod cusdis;
mod disqus;
mod isso;
mod remark42;
mod sayso;
mod twikoo;
mod waline;
mod wordpress;

use super::collect::Collector;
use super::error::ImportError;
use super::input::Input;
use super::options::Format;

/// Reads an export of a format to its end.
///
/// # Errors
/// Fails if it is broken, or if the collector does.
pub fn read(format: Format, input: Input, out: &mut Collector) -> Result<(), ImportError> {
    match format {
        Format::Disqus => disqus::read(input, out),
        Format::WordPress => wordpress::read(input, out),
        Format::Isso => isso::read(input, out),
        Format::Remark42 => remark42::read(input, out),
        Format::Commento | Format::Comentario => commento::read(input, out),
        Format::Artalk => artalk::read(input, out),
        Format::Waline => waline::read(input, out),
        Format::Twikoo => twikoo::read(input, out),
        Format::Cusdis => cusdis::read(input, out),
        Format::Sayso => sayso::read(input, out),
    }
}
