//! What an import will write: the records in their order, read from the temporary file one by one, and the report.
//!
//! Knows no format, and not where the records go.

use std::path::Path;

use super::error::ImportError;
use super::order::{Fate, NO_PARENT, Ordered, find, sort, triple};
use super::report::{Change, Notice, Reason, Report};
use super::spool::{Entry, Flags, NONE, Numbers, Spool, Texts};
use super::time;
use crate::comment::Status;

/// How many authors are counted before those that are the same are dropped, at least.
const AUTHORS_AT_ONCE: usize = 4_096;

/// A page that an import names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PagePlan {
    /// The page.
    pub name: String,
    /// How many comments it gets, tombstones too.
    pub comments: usize,
    /// Whether it is closed to new comments.
    pub locked: bool,
}

/// The pages of an export, and which of them entries name by their numbers.
#[derive(Debug, Default)]
pub struct FoundPages {
    /// The pages.
    pub named: Vec<PagePlan>,
    /// By the number of a page in an entry, its number in `named`.
    pub number_of: Vec<u32>,
    /// By the number of a page in an entry, whether its comments wait for a moderator.
    pub held: Vec<bool>,
}

/// The people whom comments name by an id.
#[derive(Debug, Default)]
pub struct People {
    /// Hashes of ids with the place in `names`.
    ids: Vec<[u32; 3]>,
    /// Where the name is in the temporary file.
    names: Vec<u64>,
}

impl People {
    /// In `names`: they speak for the site.
    const SITE_AUTHOR: u64 = 1 << 63;
    /// In `names`: it was a mail address.
    const MAIL_NAME: u64 = 1 << 62;

    /// Adds somebody.
    pub fn add(&mut self, id: u64, name_at: u64, is_site_author: bool, is_mail: bool) {
        self.ids.push(triple(id, self.names.len() as u32));
        let site_author = if is_site_author { People::SITE_AUTHOR } else { 0 };
        let mail_name = if is_mail { People::MAIL_NAME } else { 0 };
        self.names.push(name_at | site_author | mail_name);
    }

    /// Makes them ready to be found; of several with one id the first counts.
    pub fn finish(&mut self) {
        sort(&mut self.ids);
        self.ids.dedup_by_key(|id| [id[0], id[1]]);
    }

    /// Where somebody's name is, and whether they speak for the site.
    fn find(&self, id: u64) -> Option<(u64, bool)> {
        let name = self.names[find(&self.ids, id)? as usize];
        let at = name & !(People::SITE_AUTHOR | People::MAIL_NAME);
        Some((at, name & People::SITE_AUTHOR != 0))
    }

    fn has_mail_name(&self, id: u64) -> bool {
        find(&self.ids, id).is_some_and(|at| self.names[at as usize] & People::MAIL_NAME != 0)
    }
}

/// A record that is ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedComment<'p> {
    /// The page.
    pub page: &'p str,
    /// How many records before this one in the plan, counted from the first, its parent stands.
    pub parent: Option<u32>,
    /// The display name.
    pub name: Option<String>,
    /// The author's pseudonym, as [`Author`](crate::comment::Author) writes it.
    pub author: Option<String>,
    /// Markdown; empty if deleted.
    pub content: String,
    /// RFC 3339, UTC, ms.
    pub created_at: String,
    /// RFC 3339, UTC, ms.
    pub edited_at: Option<String>,
    /// What makes a second import bring nothing new.
    pub nonce: String,
    /// Who may see it.
    pub status: Status,
    /// Whether only its place is left.
    pub deleted: bool,
    /// Whether it stands first on its page.
    pub pinned: bool,
    /// Whether the site's owner or a moderator wrote it.
    pub is_site_author: bool,
    /// The moderator who wrote it as the site, if the export comes from sayso.
    pub moderator: Option<String>,
    /// Whether a moderator edited it.
    pub mod_edited: bool,
    /// Whether a host page said who wrote it.
    pub verified: bool,
    /// The system that it was written in, as in the lines; none if that is sayso.
    pub imported: Option<String>,
    /// The log that it is from and its id there, as `LOG/17`, if it is a sayso's and has no nonce there.
    pub origin: Option<String>,
}

/// The plan of an import.
pub struct Plan {
    spool: Spool,
    ordered: Ordered,
    /// In the order in which they are to be written: the number of an entry, and in the lower half the place of its parent.
    places: Numbers,
    pages: FoundPages,
    people: People,
    report: Report,
}

impl Plan {
    pub(super) fn new(
        (spool, folder): (Spool, &Path),
        mut ordered: Ordered,
        pages: FoundPages,
        people: People,
        sites: Vec<String>,
    ) -> Result<Plan, ImportError> {
        let report = Report { sites, ..Report::default() };
        // Whoever writes the records needs memory for more.
        let mut places = Numbers::create(folder)?;
        let parents = std::mem::take(&mut ordered.parents);
        for (entry, parent) in std::mem::take(&mut ordered.entries).into_iter().zip(parents) {
            places.push(u64::from(entry) << 32 | u64::from(parent))?;
        }
        let mut plan = Plan { spool, ordered, places, pages, people, report };
        plan.count()?;
        Ok(plan)
    }

    /// What it brings, leaves out and changes.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The pages that get a comment or are closed.
    pub fn pages(&self) -> impl Iterator<Item = &PagePlan> {
        self.pages.named.iter().filter(|page| page.comments > 0 || page.locked)
    }

    /// The records, in the order in which they are to be written: by time, and parents before their answers.
    pub fn comments(&self) -> impl Iterator<Item = Result<PlannedComment<'_>, ImportError>> {
        (0..self.len()).map(|place| self.comment(place))
    }

    /// Every entry that is left out, in the order of the export.
    pub fn left_out(&self) -> impl Iterator<Item = Result<Notice<Reason>, ImportError>> {
        (0..self.spool.count()).filter_map(|number| match self.ordered.fate(number) {
            Fate::LeftOut(reason) => Some(self.notice(number, reason)),
            _ => None,
        })
    }

    /// Every change of an entry that is imported, in the order of the export.
    pub fn changed(&self) -> impl Iterator<Item = Result<Notice<Change>, ImportError>> {
        let is_kept = |number: &u32| matches!(self.ordered.fate(*number), Fate::Kept(_));
        (0..self.spool.count()).filter(is_kept).flat_map(|number| match self.spool.entry(number) {
            Err(error) => vec![Err(error)],
            Ok(entry) => {
                let changes = self.changes(number, &entry);
                changes.map(|change| Ok(notice(number, &entry, change))).collect()
            }
        })
    }

    fn notice<T>(&self, number: u32, what: T) -> Result<Notice<T>, ImportError> {
        Ok(notice(number, &self.spool.entry(number)?, what))
    }

    fn changes(&self, number: u32, entry: &Entry) -> impl Iterator<Item = Change> + use<> {
        let orphaned = match self.ordered.fate(number) {
            Fate::Kept(change) => change,
            _ => None,
        };
        let when = |change: Change, is: bool| is.then_some(change);
        let text = when(Change::TextShortened, entry.flags.has(Flags::TEXT_SHORTENED));
        let name = when(Change::NameShortened, entry.flags.has(Flags::NAME_SHORTENED));
        let unpinned = when(Change::Unpinned, self.ordered.is_unpinned(number));
        let held = when(Change::PageHeld, self.is_held(entry));
        let future = when(Change::FromFuture, entry.flags.has(Flags::FROM_FUTURE));
        let is_mail = entry.flags.has(Flags::MAIL_NAME)
            || entry.person != NONE
                && !entry.flags.has(Flags::DELETED)
                && self.people.has_mail_name(entry.person);
        let mail = when(Change::MailName, is_mail);
        [orphaned, text, name, unpinned, held, future, mail].into_iter().flatten()
    }

    fn comment(&self, place: usize) -> Result<PlannedComment<'_>, ImportError> {
        let place = self.places.get(place)?;
        let (number, parent) = ((place >> 32) as u32, place as u32);
        let parent = Some(parent).filter(|parent| *parent != NO_PARENT);
        let entry = self.spool.entry(number)?;
        let Texts { nonce, mut name, mut author, content, moderator, imported, origin } =
            self.spool.texts(&entry)?;
        let deleted = entry.flags.has(Flags::DELETED);
        let mut is_site_author = entry.flags.has(Flags::SITE_AUTHOR);
        if entry.person != NONE && !deleted {
            match self.people.find(entry.person) {
                Some((name_at, speaks_for_site)) => {
                    is_site_author |= speaks_for_site;
                    let known = self.spool.text(name_at)?;
                    name = if known.is_empty() { name } else { known };
                }
                None => author.clear(),
            }
        }
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let edited_at = Some(entry.edited_at).filter(|edited_at| *edited_at != NONE);
        Ok(PlannedComment {
            page: &self.pages.named[self.page(&entry)].name,
            parent,
            name: given(name),
            author: given(author),
            content,
            created_at: time::rfc3339(entry.created_at.cast_signed()),
            edited_at: edited_at.map(|edited_at| time::rfc3339(edited_at.cast_signed())),
            nonce,
            status: self.status(&entry),
            deleted,
            pinned: entry.flags.has(Flags::PINNED) && !deleted && !self.ordered.is_unpinned(number),
            is_site_author: is_site_author && !deleted,
            moderator: given(moderator),
            mod_edited: entry.flags.has(Flags::MOD_EDITED) && !deleted,
            verified: entry.flags.has(Flags::VERIFIED) && !deleted,
            imported: given(imported),
            origin: given(origin),
        })
    }

    fn page(&self, entry: &Entry) -> usize {
        self.pages.number_of[entry.page as usize] as usize
    }

    /// Whether it would be public, but its page is not.
    fn is_held(&self, entry: &Entry) -> bool {
        self.pages.held[entry.page as usize]
            && !entry.flags.has(Flags::DELETED)
            && entry.flags.status() == Status::Public
    }

    fn status(&self, entry: &Entry) -> Status {
        if self.is_held(entry) { Status::Pending } else { entry.flags.status() }
    }

    fn count(&mut self) -> Result<(), ImportError> {
        let mut report = std::mem::take(&mut self.report);
        let mut counts = vec![0; self.pages.named.len()];
        let mut authors = Distinct::default();
        self.spool.each(&mut |number, entry| {
            match self.ordered.fate(number) {
                Fate::Superseded => return,
                Fate::LeftOut(reason) => {
                    report.left_out[reason as usize - 1] += 1;
                    return;
                }
                Fate::Kept(_) => {}
            }
            for change in self.changes(number, &entry) {
                report.changed[change as usize] += 1;
            }
            counts[self.page(&entry)] += 1;
            if entry.flags.has(Flags::DELETED) {
                report.tombstones += 1;
                return;
            }
            report.comments += 1;
            report.pending += usize::from(self.status(&entry) == Status::Pending);
            report.hidden += usize::from(self.status(&entry) == Status::Hidden);
            let is_known = entry.person == NONE || self.people.find(entry.person).is_some();
            if entry.author != NONE && is_known {
                authors.add(entry.author);
            } else {
                report.without_author += 1;
            }
        })?;
        report.authors = authors.count();
        let pages = &mut self.pages.named;
        pages.iter_mut().zip(counts).for_each(|(page, count)| page.comments = count);
        report.pages = pages.iter().filter(|page| page.comments > 0).count();
        report.locked = pages.iter().filter(|page| page.locked).count();
        self.report = report;
        Ok(())
    }
}

fn notice<T>(number: u32, entry: &Entry, what: T) -> Notice<T> {
    Notice { line: entry.line, entry: u64::from(number) + 1, what }
}

/// Counts different numbers in memory for twice as many.
#[derive(Default)]
struct Distinct(Vec<[u32; 3]>);

impl Distinct {
    fn add(&mut self, number: u64) {
        if self.0.len() == self.0.capacity() {
            self.drop_repeated();
            self.0.reserve(self.0.len().max(AUTHORS_AT_ONCE));
        }
        self.0.push(triple(number, 0));
    }

    fn count(mut self) -> usize {
        self.drop_repeated();
        self.0.len()
    }

    fn drop_repeated(&mut self) {
        sort(&mut self.0);
        self.0.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_numbers_are_counted_once_each() {
        let mut distinct = Distinct::default();
        for number in 0..100_000 {
            distinct.add(number * number % 1_009);
        }
        assert_eq!(distinct.count(), 505);
        assert_eq!(Distinct::default().count(), 0);
    }
}
