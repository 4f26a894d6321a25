//! What the log of another sayso has that an import does not bring, in sentences: likes, flags, bans, pages that were opened, closed or
//! renamed, notes, and changes of comments that both have. Each says what it takes to do it again.
//!
//! What both logs have in common up to where they part is left out. Knows no command line, and writes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, BufRead},
};

use crate::{
    comment::{Comment, Status},
    log::{chain::ChainHash, scan::seq_of, trailer::Trailer},
    store::{moderation::line::ModerationLine, record::LineSummary, record::parse_time},
    util::text::{counted, quote},
};

/// Sentences of one kind. The file has all of them.
const SENTENCES_MAX: usize = 1_000;
/// From this year on, a ban has no end.
const FOR_EVER: &str = "9999";

/// Finds what the log `there` has and the import into `here` has not brought. `differing` are comments that are otherwise in both. `now` is
/// the time, in ms since 1970. Each log is opened once or twice.
///
/// # Errors
/// Fails if a log can't be read.
pub fn find<R: BufRead>(
    there: impl Fn() -> io::Result<R>,
    here: impl Fn() -> io::Result<R>,
    differing: &[u64],
    now: u64,
) -> io::Result<Vec<String>> {
    let common = parting(&mut Lines::of(there()?), &mut Lines::of(here()?))?;
    let differing: BTreeSet<u64> = differing.iter().copied().filter(|id| *id <= common).collect();
    let there = Decided::read(Lines::of(there()?), common, &differing)?;
    let here = Decided::read(Lines::of(here()?), common, &differing)?;
    Ok(there.beyond(&here, now))
}

/// One line of a log.
struct Line {
    /// Its number in the file, counted from 1.
    number: u64,
    seq: u64,
    /// From `{` to `}`, without its trailer.
    text: Vec<u8>,
    chain: Option<ChainHash>,
}

/// The lines of a log behind its header.
struct Lines<R> {
    file: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    fn of(file: R) -> Lines<R> {
        Lines { file, number: 0 }
    }

    /// The next line that has a `seq`.
    fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut line = Vec::new();
            if self.file.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let line = line.trim_ascii_end();
            let (text, chain) = match Trailer::of(line) {
                Some(trailer) => ([trailer.open, b"}"].concat(), trailer.chain()),
                None => (line.to_vec(), None),
            };
            if let Some(seq) = seq_of(&text).filter(|seq| *seq > 0) {
                return Ok(Some(Line { number: self.number, seq, text, chain }));
            }
        }
    }
}

/// The highest `seq` up to which both logs are the same; 0 if they never were.
fn parting<R: BufRead>(there: &mut Lines<R>, here: &mut Lines<R>) -> io::Result<u64> {
    let mut common = 0;
    let (mut a, mut b) = (there.next()?, here.next()?);
    while let (Some(line), Some(other)) = (&a, &b) {
        // Where both have hashes, these are about all lines before, too.
        if line.seq == other.seq && line.chain == other.chain && line.text == other.text {
            common = line.seq;
        }
        match line.seq <= other.seq {
            true => a = there.next()?,
            false => b = here.next()?,
        }
    }
    Ok(common)
}

/// What a log says beyond its comments, from some `seq` on: of each thing the newest line, with the line's number.
#[derive(Default)]
struct Decided {
    /// By comment and a hash of the author, as there may be many: whether the author likes it.
    likes: BTreeMap<(u64, u64), bool>,
    /// By comment and author, whether the author flags it.
    flags: BTreeMap<(u64, String), bool>,
    /// By author or hash of an address.
    bans: BTreeMap<(bool, String), (u64, ModerationLine)>,
    pages: BTreeMap<String, ModerationLine>,
    moves: BTreeMap<String, ModerationLine>,
    /// About authors.
    notes: BTreeMap<String, ModerationLine>,
    /// What a moderator did to a comment.
    decisions: BTreeMap<u64, ModerationLine>,
    /// Comments that are asked for.
    comments: BTreeMap<u64, (u64, Comment)>,
    unknown: usize,
}

impl Decided {
    fn read<R: BufRead>(
        mut lines: Lines<R>,
        common: u64,
        wanted: &BTreeSet<u64>,
    ) -> io::Result<Decided> {
        let mut decided = Decided::default();
        while let Some(line) = lines.next()? {
            let Ok(summary) = LineSummary::parse(&line.text) else { continue };
            if summary.kind.is_empty() && wanted.contains(&summary.id) {
                if let Ok(comment) = Comment::parse(&line.text) {
                    decided.comments.insert(summary.id, (line.number, comment));
                }
            } else if !summary.kind.is_empty() && line.seq > common {
                decided.take(&summary, &line);
            }
        }
        Ok(decided)
    }

    fn take(&mut self, summary: &LineSummary<'_>, line: &Line) {
        if summary.kind == "like" {
            let mut hasher = DefaultHasher::new();
            summary.author.hash(&mut hasher);
            self.likes.insert((summary.id, hasher.finish()), summary.on);
            return;
        }
        let Ok(read) = ModerationLine::parse(&line.text) else {
            self.unknown += 1;
            return;
        };
        let (author, page) = (read.author.clone(), read.page.clone());
        match (&*read.kind, read.id, author, page) {
            ("flag", Some(id), Some(author), _) => {
                self.flags.insert((id, author), read.on != Some(false));
            }
            ("ban", _, Some(author), _) => {
                self.bans.insert((true, author), (line.number, read));
            }
            ("ban", ..) => {
                let hash = read.address.clone().unwrap_or_default();
                self.bans.insert((false, hash), (line.number, read));
            }
            ("page", _, _, Some(page)) if read.moved.is_some() => {
                self.moves.insert(page, read);
            }
            ("page", _, _, Some(page)) => {
                self.pages.insert(page, read);
            }
            ("note", Some(id), ..) => {
                self.decisions.insert(id, read);
            }
            ("note", None, Some(author), _) => {
                self.notes.insert(author, read);
            }
            _ => self.unknown += 1,
        }
    }

    /// What this log says and the other one, into which it was imported, does not.
    fn beyond(&self, here: &Decided, now: u64) -> Vec<String> {
        let mut said = self.changes(here);
        capped(&mut said, self.bans(here, now));
        capped(&mut said, self.pages(here));
        capped(&mut said, self.notes(here));
        capped(&mut said, self.flags(here));
        said.extend(self.likes(here));
        if self.unknown > 0 {
            let lines = counted(self.unknown, "line");
            said.push(format!("{lines} of other kinds, which this sayso doesn't know"));
        }
        said
    }

    /// Comments that are otherwise here.
    fn changes(&self, here: &Decided) -> Vec<String> {
        let mut said = Vec::new();
        for (id, (number, there)) in &self.comments {
            let Some((_, here)) = here.comments.get(id) else { continue };
            let by = self.decisions.get(id).map_or("there", |note| by(note));
            let mut differs = Vec::new();
            if there.content != here.content {
                let time = there.edited_at.as_deref().unwrap_or(&there.created_at);
                differs.push(format!("its text of {time} in line {number} of the file"));
            }
            if there.status != here.status {
                let (state, command) = match there.status {
                    Status::Public => ("public", "approve"),
                    Status::Hidden => ("hidden", "hide"),
                    Status::Pending => ("waiting for a moderator", "hide"),
                };
                differs.push(format!("it is {state} by {by}: sayso {command} {id}"));
            }
            if there.pinned != here.pinned {
                let state = if there.pinned { "is" } else { "is not" };
                differs.push(format!("it {state} pinned"));
            }
            said.push(format!("comment {id} is another one in the file: {}", differs.join("; ")));
        }
        said
    }

    fn bans(&self, here: &Decided, now: u64) -> Vec<String> {
        let mut said = Vec::new();
        for (key, (number, ban)) in &self.bans {
            let until = ban.until.as_deref().unwrap_or_default();
            let is_ended = |ban: &ModerationLine| ban.until.as_ref() <= Some(&ban.created_at);
            let left = parse_time(until).unwrap_or_default().saturating_sub(now) / 1_000;
            // Somebody has decided the same here since; until when matters less.
            let is_here = here
                .bans
                .get(key)
                .is_some_and(|(_, own)| (is_ended(own), own.hold) == (is_ended(ban), ban.hold));
            let is_ended = is_ended(ban);
            if is_here || (left == 0 && !is_ended) {
                continue;
            }
            let by = by(ban);
            let (end, period) = match until.starts_with(FOR_EVER) {
                true => ("for ever".into(), "ever".into()),
                false => (format!("until {until}"), format!("{left}s")),
            };
            let hold = if ban.hold { " --hold" } else { "" };
            said.push(match &ban.author {
                Some(author) if is_ended => {
                    format!("{by} ended the ban of author {author}: sayso unban {}", word(author))
                }
                Some(author) => {
                    format!("{by} banned author {author} {end}: sayso ban --author={author}{hold} --for {period}")
                }
                None if is_ended => format!(
                    "{by} ended the ban of an address: sayso unban with the hash in line {number} of the file"
                ),
                None => format!(
                    "{by} banned an address {end}: sayso ban --comment ID --address{hold} --for {period}, with a comment from there"
                ),
            });
        }
        said
    }

    fn pages(&self, here: &Decided) -> Vec<String> {
        let is_new = |page: &String, line: &ModerationLine| {
            here.moves.get(page).is_none_or(|own| own.moved != line.moved)
        };
        let moves = self.moves.iter().filter(|(page, line)| is_new(page, line));
        let moves = moves.map(|(old, line)| {
            let new = line.moved.as_deref().unwrap_or_default();
            let (old_word, new_word) = (word(old), word(new));
            format!("{} renamed a page: sayso rename {old_word} {new_word}", by(line))
        });
        let is_new = |page: &String, line: &ModerationLine| {
            // An import closes pages about which nothing was decided here.
            here.pages.get(page).is_none_or(|own| own.locked != line.locked)
        };
        let states = self.pages.iter().filter(|(page, line)| is_new(page, line));
        let states = states.map(|(page, line)| {
            let (what, command) = match line.locked {
                Some(true) => ("closed", "lock"),
                _ => ("opened", "unlock"),
            };
            format!("{} {what} a page: sayso {command} {}", by(line), word(page))
        });
        moves.chain(states).collect()
    }

    fn notes(&self, here: &Decided) -> Vec<String> {
        let is_new = |author: &String, line: &ModerationLine| {
            here.notes.get(author).is_none_or(|own| own.reason != line.reason)
        };
        let new = self.notes.iter().filter(|(author, line)| is_new(author, line));
        let said = new.map(|(author, line)| match line.reason.as_deref() {
            None | Some("") => format!("{} removed the note about author {author}", by(line)),
            Some(note) => {
                format!("{} noted about author {author}: {}", by(line), quote(note))
            }
        });
        said.collect()
    }

    fn flags(&self, here: &Decided) -> Vec<String> {
        let mut flagged: BTreeMap<u64, usize> = BTreeMap::new();
        for (key, _) in self.flags.iter().filter(|(key, on)| **on && !here.flags.contains_key(key))
        {
            *flagged.entry(key.0).or_default() += 1;
        }
        let said = flagged.into_iter().map(|(id, count)| {
            let readers = counted(count, "reader");
            format!("comment {id} of the file was flagged by {readers}: look at it")
        });
        said.collect()
    }

    fn likes(&self, here: &Decided) -> Option<String> {
        let new = || self.likes.iter().filter(|(key, on)| here.likes.get(key) != Some(on));
        let given = new().filter(|(_, on)| **on).count();
        let comments: BTreeSet<u64> = new().map(|((id, _), _)| *id).collect();
        let (comments, taken_back) = (counted(comments.len(), "comment"), new().count() - given);
        let likes = counted(given, "like");
        (given + taken_back > 0).then(|| {
            format!(
                "{likes} given and {taken_back} taken back, on {comments}: only their readers can do that again"
            )
        })
    }
}

/// Who did it.
fn by(line: &ModerationLine) -> &str {
    line.by.as_deref().unwrap_or("nobody")
}

/// A name of a page as one word for a shell.
fn word(page: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:".contains(c);
    if page.chars().all(is_plain) && !page.starts_with('-') {
        return page.to_owned();
    }
    let dashes = if page.starts_with('-') { "-- " } else { "" };
    format!("{dashes}'{}'", page.replace('\'', "'\\''"))
}

/// Appends so many of these sentences.
fn capped(said: &mut Vec<String>, more: Vec<String>) {
    let left = more.len().saturating_sub(SENTENCES_MAX);
    said.extend(more.into_iter().take(SENTENCES_MAX));
    if left > 0 {
        said.push(format!("and {left} of that kind more"));
    }
}
