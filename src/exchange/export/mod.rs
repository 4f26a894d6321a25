//! Writes comments in the forms that other systems import, and in forms that need no system at all.
//!
//! Each form takes comments one by one and keeps none, so an export takes the same memory however many there are. Knows neither the
//! log nor who asks: the caller chooses the comments and their order. Those that a form has no room for are counted.

pub mod csv;
#[cfg(feature = "exchange")]
pub mod html;
#[cfg(feature = "exchange")]
pub mod isso;
#[cfg(feature = "exchange")]
mod parts;
#[cfg(feature = "exchange")]
pub mod remark42;
pub mod sayso;
#[cfg(feature = "exchange")]
pub mod wordpress;

use std::io;

use crate::comment::Comment;
#[cfg(feature = "exchange")]
use parts::{date_and_time, html_of, json_field, json_text};
#[cfg(feature = "exchange")]
pub use parts::{path_of, url_of};

/// What comments come from: the newest line of each, with errors of reading them.
pub type Comments<'c> = &'c mut dyn Iterator<Item = io::Result<Comment>>;

/// What an export has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Comments that were written.
    pub comments: u64,
    /// Comments that the form has no place for: deleted, held or hidden ones, by form.
    pub left_out: u64,
}

impl Exported {
    fn count(&mut self, is_written: bool) {
        self.comments += u64::from(is_written);
        self.left_out += u64::from(!is_written);
    }
}

#[cfg(all(test, feature = "exchange"))]
mod tests;
