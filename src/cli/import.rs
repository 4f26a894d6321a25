//! `sayso import`: reads the export of another comment system and adds its comments to a folder, whether a server runs or not.
//!
//! Reads the whole export before anything is written. Knows no format, and not how a comment is stored.

use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    cli::args::Args,
    cli::config,
    cli::control::{Api, Printable, success, unknown},
    cli::serve::create_data_folder,
    cli::stdout,
    cli::values::choice,
    comment::Comment,
    error::Error,
    exchange::import::report::{Change, Progress, Reason},
    exchange::import::{
        Format, ImportError, Options, PageFrom, Plan, PlannedComment, plan_with_progress,
    },
    hub::imports::IMPORTED_AT_ONCE_MAX,
    limits::MESSAGE_BYTES_MAX,
    log::salt::{self, Salt},
    util::logger,
    util::text::counted,
};

/// The flags that `sayso import` takes.
const FLAGS: [&str; 8] = ["from", "data", "dry-run", "map", "page-from", "site", "only", "shift"];
/// Bytes of comments in one request, below [`MESSAGE_BYTES_MAX`]; the longest comment alone stays below that too.
const REQUEST_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;
/// How often a terminal is told how far it is.
const TERMINAL_INTERVAL: Duration = Duration::from_millis(200);
/// How often a line says how far it is, elsewhere.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// What a running server does for others after each request: as long as the request took, at most this.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// The largest `--shift`, hours: time zones reach from -12 to +14.
const SHIFT_HOURS_MAX: f64 = 26.0;

/// What is to be imported, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// The data folder.
    pub data: PathBuf,
    /// The export; `-` is stdin.
    file: PathBuf,
    format: Format,
    dry_run: bool,
    maps: Vec<(String, String)>,
    page_from: PageFrom,
    site: Option<String>,
    only: Option<String>,
    shift_minutes: i64,
}

impl Eq for Import {}

/// Parses the arguments.
///
/// # Errors
/// [`Error::Usage`] with a message that says what to write instead.
pub fn parse(args: &Args) -> Result<Import, Error> {
    let usage = |why: String| Err(Error::Usage(why));
    if let Some(flag) = args.flags().find(|flag| !FLAGS.contains(flag)) {
        let taken = FLAGS.map(|flag| format!("--{flag}")).join(" ");
        return usage(format!("sayso import does not take --{flag}, only {taken}"));
    }
    let Some(from) = args.given("from") else {
        let known = Format::ALL.map(|(name, _)| name).join(", ");
        return usage(format!("write sayso import --from FORMAT FILE; FORMAT is one of {known}"));
    };
    let [file] = args.operands() else {
        return usage("write sayso import --from FORMAT FILE, or - as FILE for stdin".into());
    };
    let text = |flag| args.given(flag).map(|value| value.parse(|text| Ok(text.to_owned())));
    let page_from =
        [("host-path", PageFrom::HostPath), ("path", PageFrom::Path), ("url", PageFrom::Url)];
    let map = |text: &str| match text.split_once('=') {
        Some((old, new)) if !old.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err("but must be OLD=NEW, what addresses begin with and what they become".into()),
    };
    Ok(Import {
        data: config::data(args),
        file: file.into(),
        format: from.parse(|text| choice(text, &Format::ALL))?,
        dry_run: args.has("dry-run"),
        maps: args
            .all_given("map")
            .iter()
            .map(|value| value.parse(map))
            .collect::<Result<_, _>>()?,
        page_from: args
            .given("page-from")
            .map(|value| value.parse(|text| choice(text, &page_from)))
            .transpose()?
            .unwrap_or_default(),
        site: text("site").transpose()?,
        only: text("only").transpose()?,
        shift_minutes: args
            .given("shift")
            .map(|value| value.parse(shift))
            .transpose()?
            .unwrap_or_default(),
    })
}

/// Parses hours, such as -5.5, into minutes.
fn shift(text: &str) -> Result<i64, String> {
    let hours = text.parse::<f64>().ok().filter(|hours| hours.abs() <= SHIFT_HOURS_MAX);
    let hours = hours.ok_or_else(|| {
        format!("but must be hours, such as 2 or -5.5, at most {SHIFT_HOURS_MAX}")
    })?;
    Ok((hours * 60.0).round() as i64)
}

/// Imports.
///
/// # Errors
/// Fails if the export can't be read to its end, and then nothing is written; or if the folder or its server refuses.
pub fn run(import: &Import) -> Result<(), Error> {
    logger::init(log::LevelFilter::Warn).map_err(|error| Error::Other(error.to_string()))?;
    let data = &import.data;
    let salt = salt::read_or_draw(data)?;
    let file: Box<dyn Read> = match import.file.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(&import.file).map_err(Error::io("open", &import.file))?),
    };
    let options = Options {
        site: import.site.clone(),
        only: import.only.clone(),
        page_from: import.page_from,
        maps: import.maps.clone(),
        shift_minutes: import.shift_minutes,
        salt,
        ..Options::new(import.format, temporary_folder(data))
    };
    let mut teller = Teller::new();
    let plan = plan_with_progress(&options, file, &mut |Progress { bytes, entries }| {
        teller.tell(|| format!("read {entries} entries, {} MB", bytes / 1_000_000));
    });
    teller.end();
    let plan = plan.map_err(|error| import_error(&import.file, error))?;
    if import.dry_run {
        return report(&plan, None);
    }
    let api = open(data, salt)?;
    let outcome = write(&plan, &api);
    api.close();
    report(&plan, Some((&outcome?, data)))
}

fn import_error(file: &Path, error: ImportError) -> Error {
    match error {
        ImportError::Usage(why) => Error::Usage(why),
        error => Error::Other(format!("{}: {error}; nothing was imported", file.display())),
    }
}

/// Where there is room for the texts: beside the log, where they will be anyway.
fn temporary_folder(data: &Path) -> PathBuf {
    if data.is_dir() { data.to_owned() } else { std::env::temp_dir() }
}

fn open(data: &Path, salt: Salt) -> Result<Api, Error> {
    create_data_folder(data)?;
    salt::keep(data, salt)?;
    Api::open_or_create(data)
}

/// What is answered to one request.
#[derive(serde::Deserialize)]
struct Answer {
    ids: Vec<u64>,
    added: u64,
    unpinned: u64,
}

/// What was written.
#[derive(Default)]
struct Written {
    added: u64,
    known: u64,
    unpinned: u64,
    /// Why pages could not be closed.
    refused: Vec<String>,
}

/// Adds the comments of a plan, and closes its pages.
fn write(plan: &Plan, api: &Api) -> Result<Written, Error> {
    let mut written = Written::default();
    let mut ids: Vec<u64> = Vec::with_capacity(plan.len());
    let mut teller = Teller::new();
    let mut request = Request::default();
    let interrupted = |ids: &[u64], error: Error| {
        let (done, all) = (ids.len(), plan.len());
        Error::Other(format!(
            "{error}; {done} of {all} comments are imported, and the same command goes on"
        ))
    };
    for planned in plan.comments() {
        let planned =
            planned.map_err(|error| interrupted(&ids, Error::Other(error.to_string())))?;
        let mut parent = planned.parent.map(|parent| parent as usize);
        let mut comment = encode(planned);
        // Its id is known, unless it is in the same request.
        comment.parent = parent.and_then(|parent| ids.get(parent)).copied();
        let mut line = to_line(&comment);
        if request.is_full(line.len()) {
            request.send(api, &mut ids, &mut written).map_err(|error| interrupted(&ids, error))?;
            teller.tell(|| format!("imported {} of {} comments", ids.len(), plan.len()));
            comment.parent = parent.and_then(|parent| ids.get(parent)).copied();
            line = to_line(&comment);
        }
        parent = parent.filter(|_| comment.parent.is_none());
        request.answers.extend(parent.map(|parent| (request.count, parent - ids.len())));
        request.add(&line);
    }
    request.send(api, &mut ids, &mut written).map_err(|error| interrupted(&ids, error))?;
    teller.end();
    for page in plan.pages().filter(|page| page.locked) {
        let name = serde_json::to_string(&page.name).expect("a name can be encoded");
        let body = format!("{{\"page\":{name},\"locked\":true}}");
        if let Err(error) = success(api.call("PATCH", "/api/admin/pages", &body)?) {
            written.refused.push(error.to_string());
        }
    }
    Ok(written)
}

fn to_line(comment: &Comment) -> String {
    let mut line = Vec::new();
    comment.encode(&mut line);
    String::from_utf8(line).expect("a line is made of texts")
}

/// A comment with all that its line has, but for what the server gives it.
fn encode(planned: PlannedComment) -> Comment {
    let moderator = planned.moderator.or_else(|| {
        let name = planned.name.clone().unwrap_or_else(|| "site".into());
        planned.is_site_author.then_some(name)
    });
    Comment {
        page: planned.page.into(),
        name: planned.name,
        author: planned.author,
        content: planned.content,
        created_at: planned.created_at,
        edited_at: planned.edited_at,
        deleted: planned.deleted,
        nonce: Some(planned.nonce),
        status: planned.status,
        pinned: planned.pinned,
        moderator,
        mod_edited: planned.mod_edited,
        verified: planned.verified,
        imported: planned.imported,
        ..Comment::default()
    }
}

/// Comments for one request.
#[derive(Default)]
struct Request {
    /// Lines behind one another, with commas in between.
    comments: String,
    count: usize,
    /// Which of them answers which, as JSON.
    answers: Vec<(usize, usize)>,
}

impl Request {
    fn is_full(&self, length: usize) -> bool {
        self.count == IMPORTED_AT_ONCE_MAX
            || (self.count > 0 && self.comments.len() + length > REQUEST_BYTES_MAX)
    }

    fn add(&mut self, line: &str) {
        self.comments.push_str(if self.count > 0 { "," } else { "" });
        self.comments.push_str(line);
        self.count += 1;
    }

    /// Sends what there is, and gives a running server the same time for others.
    fn send(&mut self, api: &Api, ids: &mut Vec<u64>, written: &mut Written) -> Result<(), Error> {
        let Request { comments, count, answers } = std::mem::take(self);
        if count == 0 {
            return Ok(());
        }
        let answers = serde_json::to_string(&answers).expect("numbers can be encoded");
        let body = format!("{{\"comments\":[{comments}],\"answers\":{answers}}}");
        let started = Instant::now();
        let answer = api.call("POST", "/api/admin/import", &body)?;
        if answer.status == 404 {
            let why = "the server that uses the folder was built without imports; stop it, or start one that has them";
            return Err(Error::Other(why.into()));
        }
        let answer = success(answer)?;
        let answer: Answer = serde_json::from_slice(&answer).map_err(unknown)?;
        if answer.ids.len() != count {
            return Err(Error::Other("the server has not told the numbers of all comments".into()));
        }
        ids.extend(answer.ids);
        written.added += answer.added;
        written.known += count as u64 - answer.added;
        written.unpinned += answer.unpinned;
        if matches!(api, Api::Socket(_)) {
            thread::sleep(started.elapsed().min(PAUSE_MAX));
        }
        Ok(())
    }
}

/// Says how far it is: on a terminal in one line that changes, elsewhere in a line every now and then.
struct Teller {
    is_terminal: bool,
    next: Instant,
    has_told: bool,
}

impl Teller {
    fn new() -> Teller {
        let is_terminal = io::stderr().is_terminal();
        let wait = if is_terminal { Duration::ZERO } else { LINE_INTERVAL };
        Teller { is_terminal, next: Instant::now() + wait, has_told: false }
    }

    fn tell(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        let (interval, end) = match self.is_terminal {
            true => (TERMINAL_INTERVAL, "\x1b[K\r"),
            false => (LINE_INTERVAL, "\n"),
        };
        (self.next, self.has_told) = (now + interval, true);
        // Whoever closed stderr does not want to know.
        let _ = write!(io::stderr(), "{}{end}", text());
    }

    /// Removes the line from a terminal.
    fn end(&self) {
        if self.is_terminal && self.has_told {
            let _ = write!(io::stderr(), "\x1b[K");
        }
    }
}

/// Says what the plan has, or what was written of it: then only how many were left out for each reason, otherwise also which.
fn report(plan: &Plan, written: Option<(&Written, &Path)>) -> Result<(), Error> {
    let report = plan.report();
    let all = counted(report.comments, "comment");
    let pages = counted(report.pages, "page");
    match written {
        None => stdout::line(format_args!("{all} on {pages} would be imported"))?,
        Some((Written { added, known, .. }, data)) => {
            let log = data.join(crate::log::FILE_NAME);
            let known = match known {
                0 => String::new(),
                known => format!(", {known} were there before"),
            };
            let added = counted(*added as usize, "new comment");
            stdout::line(format_args!("{}: {added} on {pages}{known}", log.display()))?;
        }
    }
    for (count, what) in [
        (report.authors, "different authors"),
        (report.without_author, "without an author"),
        (report.pending, "waiting for a moderator"),
        (report.hidden, "hidden"),
        (report.tombstones, "deleted, but answered"),
        (report.locked, "pages closed to new comments"),
    ] {
        if count > 0 {
            stdout::line(format_args!("{count} {what}"))?;
        }
    }
    for (reason, count) in Reason::ALL.into_iter().zip(report.left_out) {
        if count > 0 {
            stdout::line(format_args!("{count} left out: {reason}"))?;
        }
    }
    for (change, count) in Change::ALL.into_iter().zip(report.changed) {
        if count > 0 {
            stdout::line(format_args!("{count} changed: {change}"))?;
        }
    }
    match written {
        None => details(plan),
        Some((Written { unpinned, refused, .. }, _)) => {
            if *unpinned > 0 {
                stdout::line(format_args!(
                    "{unpinned} not pinned: their pages have enough pinned comments"
                ))?;
            }
            match refused.first() {
                None => Ok(()),
                Some(why) => Err(Error::Other(format!(
                    "{} could not be closed: {}",
                    counted(refused.len(), "page"),
                    Printable(why)
                ))),
            }
        }
    }
}

/// Names each page, and each entry that is left out or changed.
fn details(plan: &Plan) -> Result<(), Error> {
    let unread = |error: ImportError| Error::Other(error.to_string());
    for page in plan.pages() {
        let (comments, end) =
            (counted(page.comments, "comment"), if page.locked { ", closed" } else { "" });
        stdout::line(format_args!("page {:?}: {comments}{end}", page.name))?;
    }
    for notice in plan.left_out() {
        let notice = notice.map_err(unread)?;
        let (line, entry) = (notice.line, notice.entry);
        stdout::line(format_args!("line {line}, entry {entry} is left out: {}", notice.what))?;
    }
    for notice in plan.changed() {
        let notice = notice.map_err(unread)?;
        let (line, entry) = (notice.line, notice.entry);
        stdout::line(format_args!("line {line}, entry {entry} is changed: {}", notice.what))?;
    }
    Ok(())
}
