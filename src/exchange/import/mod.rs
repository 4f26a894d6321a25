//! Reads the export of another comment system once, from front to back, and makes a plan of it: valid records in the order in which they
//! are to be written, and a report.
//!
//! A source module ([`sources`]) turns each foreign entry into an [`ImportedComment`](record::ImportedComment). The
//! [`Collector`](collect::Collector) checks it and puts it into a temporary file ([`spool`]), so that memory holds no text.
//! When the file is read to its end, [`order`] finds parents, breaks loops and sorts; the [`Plan`](plan::Plan) then reads the records
//! again, one by one. Nothing is written anywhere else: who takes the records decides where they go.
//!
//! Mail addresses, network addresses and passwords are never read into a field, so they can't get anywhere.

pub mod checksums;
pub mod collect;
pub mod error;
pub mod flags;
pub mod html;
pub mod input;
pub mod json;
pub mod options;
pub mod order;
pub mod page;
pub mod plan;
pub mod record;
pub mod remainder;
pub mod report;
pub mod sources;
pub mod spool;
pub mod text;
pub mod time;
pub mod xml;

use std::io::Read;

pub use error::ImportError;
pub use options::{Format, Options, PageFrom};
pub use plan::{Plan, PlannedComment};
pub use report::{Progress, Report};

/// Reads an export and plans its import. Writes nothing but a temporary file, which has no name and goes with the plan.
///
/// # Errors
/// Fails if the file can't be read, is broken, or needs an option that is missing; the message says which.
pub fn plan(options: &Options, file: Box<dyn Read>) -> Result<Plan, ImportError> {
    plan_with_progress(options, file, &mut |_| {})
}

/// The same, and calls `progress` after every few entries.
///
/// # Errors
/// As [`plan`].
pub fn plan_with_progress(
    options: &Options,
    file: Box<dyn Read>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Plan, ImportError> {
    let input = input::Input::open(file)?;
    let mut collector = collect::Collector::new(options, input.position(), progress)?;
    sources::read(options.format, input, &mut collector)?;
    collector.finish()
}
