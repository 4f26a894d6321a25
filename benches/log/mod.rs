//! What a log with a million comments costs: durable posts beside SQLite, opening beside `wc -l`, memory per comment, and whether
//! posts, pushes and pages are as fast as with an empty log.
//!
//! `cargo bench log` measures everything, `-- posts` or `-- stored` behind it one half. Talks to the real program over its socket.

pub mod clients;
mod growth;
mod opening;
pub mod posts;

use std::time::Duration;

use rig::table::{Bar, Rows, Table, digits};

use crate::{
    Arguments, log_file,
    program::{Folder, Program},
};

/// How much is measured.
pub struct Plan {
    /// Comments in the large logs.
    pub comments: u64,
    /// The numbers of pages that they are spread over; each makes a log.
    pub pages: &'static [u64],
    /// Authors at once; the last number is the one with a bar.
    pub authors: &'static [usize],
    /// sayso and SQLite take turns so often.
    pub rounds: usize,
    /// The length of one round.
    pub window: Duration,
    /// sayso and `wc` take turns so often.
    pub opens: usize,
    /// Posts on each page to each program, half for posts' and half for pushes' latency.
    pub posts: usize,
    /// The pages that are posted to.
    pub posted_to: &'static [(&'static str, &'static str)],
    /// Requests for a page that has not changed, to each program; with none of them, pages are left out.
    pub gets: usize,
    /// Requests for a page that has just changed.
    pub fresh_gets: usize,
}

const SAME_PAGE: (&str, &str) = ("/", "same page");
const OTHER_PAGE: (&str, &str) = ("elsewhere", "other page");

const FULL: Plan = Plan {
    comments: 1_000_000,
    pages: &[1, 1_000],
    authors: &[1, 8, 64],
    rounds: 5,
    window: Duration::from_millis(1_000),
    opens: 5,
    posts: 2_000,
    posted_to: &[SAME_PAGE, OTHER_PAGE],
    gets: 3_000,
    fresh_gets: 500,
};
/// What the summary needs.
pub const BRIEF: Plan = Plan {
    pages: &[1],
    authors: &[64],
    rounds: 3,
    posts: 1_500,
    posted_to: &[SAME_PAGE],
    gets: 0,
    fresh_gets: 0,
    ..FULL
};
pub const TINY: Plan = Plan {
    comments: 2_000,
    pages: &[1, 100],
    authors: &[1, 2, 4],
    rounds: 1,
    window: Duration::from_millis(100),
    opens: 1,
    posts: 20,
    gets: 20,
    fresh_gets: 5,
    ..FULL
};

impl Plan {
    /// Names one of the large logs.
    fn stored_on(&self, pages: u64) -> String {
        let noun = if pages == 1 { "page" } else { "pages" };
        format!("{} comments on {pages} {noun}", digits(self.comments as f64))
    }
}

/// # Errors
/// Where an argument is neither `posts` nor `stored`.
pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    let halves = ["posts", "stored"];
    if let Some(word) = arguments.rest.iter().find(|word| !halves.contains(&word.as_str())) {
        return Err(format!("there is no half {word}; write posts, stored, or nothing for both"));
    }
    let plan = if arguments.measures { &FULL } else { &TINY };
    let mut table = Table::new(Rows::All, arguments.measures);
    let is_chosen =
        |half: &str| arguments.rest.is_empty() || arguments.rest.iter().any(|word| word == half);
    if is_chosen("posts") {
        posts::measure(plan, &folder.join("posts"), &mut table);
    }
    if is_chosen("stored") {
        stored(plan, folder, &mut table);
    }
    table.print_notes();
    Ok(())
}

/// What depends on how much is stored.
pub fn stored(plan: &Plan, folder: &Folder, table: &mut Table) {
    let make = |pages: &u64| {
        let data = folder.join(&format!("stored-{pages}"));
        log_file::write(&data, plan.comments, *pages);
        (*pages, data)
    };
    let stored: Vec<_> = plan.pages.iter().map(make).collect();
    let none = Program::start(&folder.join("none")).memory();
    for (pages, data) in &stored {
        let memory = opening::measure(plan, data, *pages, table);
        let what = format!("memory of a comment, bytes ({})", plan.stored_on(*pages));
        let each = (memory.rss as f64 - none.rss as f64) / plan.comments as f64;
        let peak = (memory.peak as f64 - none.peak as f64) / plan.comments as f64;
        table.limit(&what, each, Bar::AtMost(40.0));
        let none = none.rss >> 10;
        table.note(&what, &format!("peak while opening {peak:.1}; RSS with none {none} KiB"));
    }
    growth::measure(plan, &folder.join("few"), &stored[0].1, table);
}
