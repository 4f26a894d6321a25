//! The queue of a moderator behind whom 100,000 comments wait: how long it takes to open, and what readers notice of it.

use std::{fs, path::Path, time::Instant};

use rig::table::{Bar, Rows, Table, digits, median};

use crate::{
    Arguments,
    log::clients::{Author, HttpClient},
    log_file,
    program::{Folder, Program},
};

const TOKEN: &str = "a-moderator-who-measures-it-all";
/// What the moderators' page asks for first.
const QUEUE: &str = "/api/admin/comments?status=pending&limit=50";
const SECONDS_MAX: f64 = 1.0;
/// As for readers beside others who never read.
const MOST: Bar = Bar::AtMost(1.2);

/// How much is measured.
pub struct Plan {
    /// Comments that wait.
    waiting: u64,
    /// Posts with the queue being opened meanwhile, and as many without.
    posts: usize,
}

pub const FULL: Plan = Plan { waiting: 100_000, posts: 300 };
pub const TINY: Plan = Plan { waiting: 100, posts: 3 };

pub fn run(arguments: &Arguments, folder: &Folder) -> Result<(), String> {
    let mut table = Table::new(Rows::All, arguments.measures);
    measure(if arguments.measures { &FULL } else { &TINY }, &folder.join("queue"), &mut table);
    table.print_notes();
    Ok(())
}

pub fn measure(plan: &Plan, data: &Path, table: &mut Table) {
    log_file::write_waiting(data, plan.waiting);
    let tokens = data.join("tokens");
    fs::write(&tokens, format!("ada {TOKEN}\n")).expect("a file can be written");
    let flags = ["--admin-token-file", tokens.to_str().expect("the path is text")];
    let program = Program::start_with(data, &flags);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut moderator = HttpClient::with_headers(&program, QUEUE, &bearer);
    let (mut author, mut reader) = (Author::join(&program, "/"), Author::join(&program, "/"));
    let (mut opened, mut alone, mut beside) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..2 * plan.posts {
        let is_beside = round % 2 == 0;
        let start = Instant::now();
        if is_beside {
            moderator.send();
        }
        let posted = Instant::now();
        author.send();
        reader.receive_of(&author);
        let took = posted.elapsed().as_secs_f64();
        author.receive();
        if is_beside {
            let queue = moderator.receive();
            opened.push(start.elapsed().as_secs_f64());
            let shown = queue.windows(6).filter(|six| six == b"\"note\"").count();
            assert_eq!(shown as u64, plan.waiting.min(50), "the queue has its first entries");
            beside.push(took);
        } else {
            alone.push(took);
        }
    }
    let waiting = digits(plan.waiting as f64);
    let what = format!("opening the queue, s ({waiting} wait)");
    table.limit(&what, median(&mut opened), Bar::AtMost(SECONDS_MAX));
    let (beside, alone) = (median(&mut beside) * 1e6, median(&mut alone) * 1e6);
    table.ratio("a push while it is opened, µs", beside, "otherwise", alone, MOST);
}
