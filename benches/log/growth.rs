//! Whether a post, a push and a page cost the same with a full log as with a nearly empty one. Two programs take turns.

use std::{path::Path, time::Instant};

use rig::table::{Bar, Table, digits, median};

use super::{
    Plan,
    clients::{Author, HttpClient},
};
use crate::program::Program;

/// What the served page shows: so many are in the small log too, or there would be less to render.
const SHOWN: usize = 50;
const MOST: Bar = Bar::AtMost(1.1);

/// An author and a reader of one page of one program.
struct Pair {
    author: Author,
    reader: Author,
    posts: Vec<f64>,
    pushes: Vec<f64>,
}

pub fn measure(plan: &Plan, few: &Path, many: &Path, table: &mut Table) {
    let programs = [few, many].map(Program::start);
    let mut shown = Author::join(&programs[0], "/");
    for _ in 0..SHOWN {
        shown.post();
    }
    let stored = plan.comments;
    let beside = format!("with {SHOWN} stored");
    for (page, name) in plan.posted_to {
        let mut pairs = programs.each_ref().map(|program| Pair::new(program, page));
        for round in 0..plan.posts {
            for at in order(round) {
                pairs[at].post(round % 2 == 0);
            }
        }
        let [few, many] = pairs
            .each_mut()
            .map(|pair| [median(&mut pair.posts) * 1e6, median(&mut pair.pushes) * 1e6]);
        for (at, what) in ["post", "push"].into_iter().enumerate() {
            let what = format!("  a {what}, {name}, µs with {} stored", digits(stored as f64));
            table.ratio(&what, many[at], &beside, few[at], Bar::None);
        }
        let sums = [many, few].map(|times| times.iter().sum());
        let what = format!("a post and a push, {name}, µs with {} stored", digits(stored as f64));
        table.ratio(&what, sums[0], &beside, sums[1], MOST);
    }
    if plan.gets == 0 {
        return;
    }
    pages(plan, &programs, table);
    let [few, many] = programs.each_ref().map(|program| program.memory().rss as f64);
    let what = "memory of a comment after that, bytes";
    table.limit(what, (many - few) / stored as f64, Bar::AtMost(40.0));
    let posts = 2 * plan.posts + plan.fresh_gets;
    table.note(what, &format!("{posts} more posts to both, {} page loads", plan.gets));
}

fn pages(plan: &Plan, programs: &[Program; 2], table: &mut Table) {
    let mut clients = programs.each_ref().map(|program| HttpClient::new(program, "/"));
    let mut authors = programs.each_ref().map(|program| Author::join(program, "/"));
    let mut times = [const { Vec::new() }; 2];
    for round in 0..plan.gets {
        for at in order(round) {
            times[at].push(get(&mut clients[at], None).0);
        }
    }
    let mut fresh = [const { Vec::new() }; 2];
    let mut stale = 0;
    for round in 0..plan.fresh_gets {
        for at in order(round) {
            let id = authors[at].post();
            match get(&mut clients[at], Some(id)) {
                (took, true) => fresh[at].push(took),
                (_, false) => stale += 1,
            }
        }
    }
    for (what, [few, many]) in [("unchanged", &mut times), ("after a post", &mut fresh)] {
        let what = format!("GET /, {what}, µs with {} stored", digits(plan.comments as f64));
        let (few, many) = (median(few) * 1e6, median(many) * 1e6);
        table.ratio(&what, many, &format!("with {SHOWN} stored"), few, MOST);
    }
    let loads = 2 * plan.fresh_gets;
    let text = format!("{stale} of {loads} lack the comment whose line its author has; 0 is right");
    table.note("GET /, after a post", &text);
}

impl Pair {
    fn new(program: &Program, page: &str) -> Pair {
        let (author, reader) = (Author::join(program, page), Author::join(program, page));
        Pair { author, reader, posts: Vec::new(), pushes: Vec::new() }
    }

    /// Posts once, and measures how long it takes until either the author or the reader has the line.
    fn post(&mut self, times_author: bool) {
        let start = Instant::now();
        self.author.send();
        if times_author {
            self.author.receive();
            self.posts.push(start.elapsed().as_secs_f64());
            self.reader.receive_of(&self.author);
        } else {
            self.reader.receive_of(&self.author);
            self.pushes.push(start.elapsed().as_secs_f64());
            self.author.receive();
        }
    }
}

/// Loads a page and returns the seconds it took, and whether it shows comment `id`.
fn get(client: &mut HttpClient, id: Option<u64>) -> (f64, bool) {
    let start = Instant::now();
    let page = client.get();
    let took = start.elapsed().as_secs_f64();
    let page = str::from_utf8(page).expect("a page is text");
    assert!(page.ends_with("</html>\n"), "the whole page comes");
    (took, id.is_none_or(|id| page.contains(&format!("id=\"sayso-{id}\""))))
}

/// The two programs also take turns in being first.
fn order(round: usize) -> [usize; 2] {
    if (round / 2).is_multiple_of(2) { [0, 1] } else { [1, 0] }
}
