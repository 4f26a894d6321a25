//! What a log with a million comments costs: durable posts beside SQLite, opening beside `wc -l`, memory per comment, and whether
//! posts, pushes and pages are as fast as with an empty log.
//!
//! `cargo bench --bench log` measures, `-- posts` or `-- stored` one part of it; without `--bench` (`cargo test --benches`) everything is done once with tiny numbers. Talks
//! to the real program over its socket and knows nothing of its inside but how to write a log.

#[path = "log/author.rs"]
mod author;
#[path = "log/growth.rs"]
mod growth;
#[path = "log/opening.rs"]
mod opening;
#[path = "log/posts.rs"]
mod posts;
#[allow(dead_code, reason = "each bench uses its part")]
#[path = "rig/program.rs"]
mod program;

use std::time::{Duration, Instant};

use program::{Folder, Program};
use rig::table::{self, Bar, Table};

/// How much is done.
pub struct Plan {
    /// Comments in the large logs.
    pub comments: u64,
    /// The pages they are spread over; each makes a log.
    pub pages: [u64; 2],
    /// Authors at once.
    pub authors: [usize; 3],
    /// sayso and SQLite take turns this often.
    pub rounds: usize,
    /// One turn.
    pub window: Duration,
    /// The program and `wc` take turns this often.
    pub opens: usize,
    /// Posts on each page to each program, half for posts' and half for pushes' latency.
    pub posts: usize,
    /// Requests for a page that has not changed, to each program.
    pub gets: usize,
    /// Requests for a page that just has.
    pub fresh_gets: usize,
}

const FULL: Plan = Plan {
    comments: 1_000_000,
    pages: [1, 1_000],
    authors: [1, 8, 64],
    rounds: 5,
    window: Duration::from_millis(1_000),
    opens: 5,
    posts: 2_000,
    gets: 3_000,
    fresh_gets: 500,
};
const TINY: Plan = Plan {
    comments: 2_000,
    pages: [1, 100],
    authors: [1, 2, 4],
    rounds: 1,
    window: Duration::from_millis(100),
    opens: 1,
    posts: 20,
    gets: 20,
    fresh_gets: 5,
};

fn main() {
    let start = Instant::now();
    let measures = std::env::args().any(|argument| argument == "--bench");
    let plan = if measures { FULL } else { TINY };
    let folder = Folder::new();
    let peer = format!("SQLite {}: WAL, synchronous=FULL", rusqlite::version());
    println!("{}", table::machine("log", &folder.0, &peer));

    let mut table = Table::new("log", measures);
    let asked = |part| {
        let mut parts = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
        parts.next().is_none_or(|first| first == part || parts.any(|other| other == part))
    };
    if asked("posts") {
        posts::measure(&plan, &folder.join("posts"), &mut table);
    }
    if asked("stored") {
        stored(&plan, &folder, &mut table);
    }
    print!("{table}");
    println!("took {:.0} s", start.elapsed().as_secs_f64());
}

/// What depends on how much is stored.
fn stored(plan: &Plan, folder: &Folder, table: &mut Table) {
    let stored = plan.pages.map(|pages| {
        let data = folder.join(&format!("stored-{pages}"));
        opening::make(&data, plan.comments, pages);
        (pages, data)
    });
    let none = Program::start(&folder.join("none")).memory();
    for (pages, data) in &stored {
        let memory = opening::measure(plan, data, *pages, table);
        let what = format!("memory per comment, bytes; {} on {pages} pages", plan.comments);
        let each = (memory.rss as f64 - none.rss as f64) / plan.comments as f64;
        let peak = (memory.peak as f64 - none.peak as f64) / plan.comments as f64;
        table.limit(&what, each, Bar::AtMost(40.0));
        let none = none.rss >> 10;
        table.note(&what, &format!("peak while opening {peak:.1}; RSS with none {none} KiB"));
    }
    growth::measure(plan, &folder.join("few"), &stored[0].1, table);
}
