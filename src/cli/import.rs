//! `sayso import`: reads the export of another comment system and adds its comments to a folder, whether a server runs or not.
//!
//! Reads the whole export before anything is written. Knows no format, and not how a comment is stored.

mod request;

use std::{
    fs::File,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use request::{Request, Written};

use crate::{
    cli::args::Args,
    cli::config,
    cli::control::{Api, Printable},
    cli::export::give_way,
    cli::serve::create_data_folder,
    cli::stdout,
    cli::values::choice,
    comment::Comment,
    error::Error,
    exchange::import::input::Input,
    exchange::import::remainder,
    exchange::import::report::{Change, Progress, Reason},
    exchange::import::spool::Numbers,
    exchange::import::{
        Format, ImportError, Options, PageFrom, Plan, PlannedComment, plan_with_progress,
    },
    hub::imports::IMPORTED_AT_ONCE_MAX,
    log::salt::{self, Salt},
    util::logger,
    util::text::counted,
};

/// The flags that `sayso import` takes.
const FLAGS: [&str; 8] = ["from", "data", "dry-run", "map", "page-from", "site", "only", "shift"];
/// Bytes that `"parent":ID` takes in a line.
const ID_BYTES_MAX: usize = 32;
/// How often a terminal is told how far it is.
const TERMINAL_INTERVAL: Duration = Duration::from_millis(200);
/// How often a line says how far it is, elsewhere.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
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
    give_way();
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
    let outcome = write(&plan, &api, import);
    api.close();
    let written = outcome?;
    let reported = report(&plan, Some((&written, data)));
    if import.format == Format::Sayso {
        report_remainder(import, &written.differing)?;
    }
    reported
}

/// Says what a log has beyond its comments that is not brought over.
fn report_remainder(import: &Import, differing: &[u64]) -> Result<(), Error> {
    let (file, log) = (&import.file, import.data.join(crate::log::FILE_NAME));
    if file.to_str() == Some("-") {
        let what = "likes, flags, bans, notes and renamed pages are not brought over; give the file's name to be told which it has";
        return stdout::line(format_args!("{what}"));
    }
    let open = |path: &Path| {
        let input = Input::open(Box::new(File::open(path)?)).map_err(io::Error::other)?;
        // Each line was short enough when it was imported.
        input.position().begin_skipped();
        Ok(input)
    };
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let sentences = remainder::find(|| open(file), || open(&log), differing, now);
    let sentences = sentences.map_err(Error::io("read", file))?;
    if !sentences.is_empty() {
        stdout::line(format_args!("not brought over, for you to repeat:"))?;
    }
    for sentence in sentences {
        stdout::line(format_args!("- {}", Printable(&sentence)))?;
    }
    Ok(())
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

/// Adds the comments of a plan, and closes its pages.
fn write(plan: &Plan, api: &Api, import: &Import) -> Result<Written, Error> {
    let temporary = |error: ImportError| Error::Other(error.to_string());
    let mut written = Written::default();
    let mut ids = Numbers::create(&temporary_folder(&import.data)).map_err(temporary)?;
    let mut teller = Teller::new();
    let mut request = Request::new(import.format == Format::Sayso);
    let interrupted = |ids: &Numbers, error: Error| {
        let (done, all) = (ids.len(), plan.len());
        Error::Other(format!(
            "{error}; {done} of {all} comments are imported, and the same command goes on"
        ))
    };
    for planned in plan.comments() {
        let planned = planned.map_err(|error| interrupted(&ids, temporary(error)))?;
        let parent = planned.parent.map(|parent| parent as usize);
        let origin = planned.origin.clone();
        let mut comment = encode(planned);
        if request.is_full(to_line(&comment).len() + ID_BYTES_MAX) {
            request.send(api, &mut ids, &mut written).map_err(|error| interrupted(&ids, error))?;
            teller.tell(|| format!("imported {} of {} comments", ids.len(), plan.len()));
        }
        // The id of what it answers is known, unless that is in the same request.
        match parent.map(|parent| (parent, parent.checked_sub(ids.len()))) {
            Some((parent, None)) => comment.parent = Some(ids.get(parent).map_err(temporary)?),
            Some((_, Some(number))) => request.answers.push((request.count, number)),
            None => {}
        }
        request.origins.extend(origin.map(|origin| (request.count, origin)));
        request.add(&to_line(&comment));
    }
    request.send(api, &mut ids, &mut written).map_err(|error| interrupted(&ids, error))?;
    teller.end();
    for page in plan.pages().filter(|page| page.locked) {
        if request.closed.len() == IMPORTED_AT_ONCE_MAX || request.is_full(page.name.len()) {
            request.send(api, &mut ids, &mut written)?;
        }
        request.close(&page.name);
    }
    request.send(api, &mut ids, &mut written)?;
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
    let closed = counted(report.locked, "page");
    for (count, what) in [
        (report.authors, counted(report.authors, "different author")),
        (report.without_author, format!("{} without an author", report.without_author)),
        (report.pending, format!("{} waiting for a moderator", report.pending)),
        (report.hidden, format!("{} hidden", report.hidden)),
        (report.tombstones, format!("{} deleted, but answered", report.tombstones)),
        (report.locked, format!("{closed} closed to new comments")),
    ] {
        if count > 0 {
            stdout::line(format_args!("{what}"))?;
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
        Some((Written { unpinned, deleted, differing, opened, refused, .. }, _)) => {
            for (count, what) in [
                (*unpinned, "not pinned, as there are enough pinned comments on the page"),
                (*deleted, "deleted here, as in the file"),
                (*opened, "left open, as a moderator has opened the page"),
                (differing.len() as u64, "left as they are here: text, status or pin differ"),
            ] {
                if count > 0 {
                    stdout::line(format_args!("{count} {what}"))?;
                }
            }
            for id in differing {
                stdout::line(format_args!("comment {id} stays as it is here"))?;
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
