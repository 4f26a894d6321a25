//! Takes what a source module reads, checks it, and puts it into the temporary file.
//!
//! Knows no format's syntax, and no order: parents, pages and people may come after the comments that name them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use sha2::{Digest, Sha256};

use super::error::ImportError;
use super::input::Position;
use super::options::{Format, Options};
use super::order;
use super::page::{self, NoPage, SITE_MISSING};
use super::plan::{FoundPages, PagePlan, People, Plan};
use super::record::{ImportedComment, ImportedPage, PageRef};
use super::report::{Progress, Reason};
use super::spool::{Entry, Flags, NONE, SpoolWriter, Texts};
use super::text::{mail_user, normal_content, normal_name};
use super::time;
use crate::comment::Status;
use crate::limits::{NONCE_BYTES_MAX, NONCE_BYTES_MIN};

/// After so many entries the progress is told.
const PROGRESS_ENTRIES: u32 = 1_024;
/// How many sites of an export are told apart. Beyond, it has too many to name.
const SITES_MAX: usize = 50;
/// How far times may be ahead, ms: clocks are wrong by hours where a time zone is, and by no more.
const AHEAD_MAX: i64 = 24 * 60 * 60 * 1000;
/// The number of no page.
const NO_PAGE: u32 = u32::MAX;

/// A page as far as it is known.
#[derive(Default)]
struct FoundPage {
    address: Option<Box<str>>,
    /// An address that a comment gives; it has the host that the list of pages may lack.
    url: Option<Box<str>>,
    locked: bool,
    deleted: bool,
    held: bool,
    /// Whether a comment is on it.
    is_used: bool,
}

/// Takes comments, pages and people in any order.
pub struct Collector<'a> {
    options: &'a Options,
    position: Rc<Position>,
    progress: &'a mut dyn FnMut(Progress),
    spool: SpoolWriter,
    /// When the import began, ms since 1970.
    now: i64,
    hasher: RandomState,
    page_numbers: HashMap<u64, u32>,
    pages: Vec<FoundPage>,
    people: People,
    sites: Vec<String>,
}

impl<'a> Collector<'a> {
    /// An empty one.
    ///
    /// # Errors
    /// Fails if the temporary file can't be created.
    pub fn new(
        options: &'a Options,
        position: Rc<Position>,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Result<Collector<'a>, ImportError> {
        Ok(Collector {
            options,
            position,
            progress,
            spool: SpoolWriter::create(&options.temporary)?,
            now: time::now(),
            hasher: RandomState::new(),
            page_numbers: HashMap::new(),
            pages: Vec::new(),
            people: People::default(),
            sites: Vec::new(),
        })
    }

    /// What the export says of a page; the id is its own.
    pub fn page(&mut self, id: &str, page: ImportedPage) {
        let number = self.page_number(&PageRef::Id(id.into()));
        let found = &mut self.pages[number as usize];
        found.locked |= page.locked;
        found.deleted |= page.deleted;
        found.held |= page.held;
        // An empty thread may repeat the id of a full one.
        if let Some(address) = page.address.filter(|address| !address.trim().is_empty()) {
            found.address.get_or_insert(address.trim().into());
        }
    }

    /// Closes or opens a page, which is named as comments name it.
    pub fn lock(&mut self, address: &str, locked: bool) {
        let number = self.page_number(&PageRef::Address(address.trim().into()));
        self.pages[number as usize].locked = locked;
    }

    /// The name of somebody whom comments name by an id, and whether they speak for the site.
    ///
    /// # Errors
    /// Fails if the temporary file can't be written.
    pub fn person(
        &mut self,
        id: &str,
        name: &str,
        is_site_author: bool,
    ) -> Result<(), ImportError> {
        let user = self.mail_user(name);
        let at = self.spool.push_text(&normal_name(user.unwrap_or(name)).0)?;
        self.people.add(self.hash(&("person", id)), at, is_site_author, user.is_some());
        Ok(())
    }

    /// Leaves out an entry.
    ///
    /// # Errors
    /// Fails if the temporary file can't be written.
    pub fn leave_out(&mut self, line: u64, reason: Reason) -> Result<(), ImportError> {
        let entry = Entry { line, reason: reason as u8, page: NO_PAGE, ..Entry::default() };
        self.push(entry, None)
    }

    /// Takes a comment.
    ///
    /// # Errors
    /// Fails if the temporary file can't be written, or if nothing says which site the comment belongs to.
    pub fn comment(&mut self, comment: ImportedComment) -> Result<(), ImportError> {
        if let Some(site) = &comment.site
            && self.sites.len() < SITES_MAX
            && !self.sites.contains(site)
        {
            self.sites.push(site.clone());
        }
        if self.options.only.is_some() && comment.site != self.options.only {
            return self.leave_out(comment.line, Reason::OtherSite);
        }
        let Some(page) = &comment.page else {
            return self.leave_out(comment.line, Reason::NoPage);
        };
        let page = self.page_number(page);
        let found = &mut self.pages[page as usize];
        found.is_used = true;
        if let Some(url) = &comment.page_url {
            found.url.get_or_insert(url.as_str().into());
        }
        let Some(created_at) = comment.created_at else {
            return self.leave_out(comment.line, Reason::NoTime);
        };
        let (entry, texts) = self.encode(comment, page, created_at)?;
        self.push(entry, Some(&texts))
    }

    /// Ends reading, and makes the plan.
    ///
    /// # Errors
    /// Fails if the temporary file can't be read, or if the export needs an option that is missing.
    pub fn finish(mut self) -> Result<Plan, ImportError> {
        self.check_sites()?;
        let held_pages = self.pages.iter().map(|page| page.held).collect();
        let (pages, page_of) = self.name_pages()?;
        self.people.finish();
        let keeps_deleted = self.options.format == Format::Sayso;
        let spool = self.spool.finish()?;
        let ordered = order::arrange(&spool, &page_of, keeps_deleted)?;
        Plan::new(
            (spool, &self.options.temporary),
            ordered,
            FoundPages { named: pages, number_of: page_of.numbers, held: held_pages },
            self.people,
            self.sites,
        )
    }

    fn encode(
        &mut self,
        comment: ImportedComment,
        page: u32,
        created_at: i64,
    ) -> Result<(Entry, Texts), ImportError> {
        let (content, text_shortened) = normal_content(&comment.text, comment.markup);
        let full_name = comment.name.as_deref().unwrap_or_default();
        let user = self.mail_user(full_name);
        let (name, name_shortened) = normal_name(user.unwrap_or(full_name));
        let is_mail = user.is_some();
        let site = self.site(comment.site.as_deref())?;
        let id = match &*comment.id {
            "" => {
                let (name, _) = normal_name(full_name);
                format!("{:?}\0{created_at}\0{name}\0{content}", comment.page)
            }
            id => id.to_owned(),
        };
        let digest = self.identity(&site, &id);
        let parent = comment.parent.map(|parent| first_8(&self.identity(&site, &parent)));
        let is_nonce = |nonce: &String| (NONCE_BYTES_MIN..=NONCE_BYTES_MAX).contains(&nonce.len());
        let nonce = comment.nonce.filter(is_nonce);
        let is_known_by_id = self.options.format == Format::Sayso && nonce.is_none();
        let origin = if is_known_by_id { comment.id } else { String::new() };
        let nonce = nonce
            .unwrap_or_else(|| ["import:", &BASE64_URL_SAFE_NO_PAD.encode(&digest[..16])].concat());
        let author = match (comment.pseudonym, &comment.author) {
            (Some(pseudonym), _) => pseudonym,
            (None, Some(id)) if self.counts_up() => self.pseudonym(&format!("{site}/{id}")),
            (None, Some(id)) => self.pseudonym(id),
            (None, None) => String::new(),
        };
        let is_empty = content.is_empty();
        let mut flags = Flags::default();
        for (flag, on) in [
            (Flags::PENDING, comment.status == Status::Pending),
            (Flags::HIDDEN, comment.status == Status::Hidden),
            (Flags::DELETED, comment.deleted || is_empty),
            (Flags::EMPTY, is_empty && !comment.deleted),
            (Flags::PINNED, comment.pinned),
            (Flags::SITE_AUTHOR, comment.is_site_author),
            (Flags::MOD_EDITED, comment.mod_edited),
            (Flags::VERIFIED, comment.verified),
            (Flags::TEXT_SHORTENED, text_shortened && !comment.deleted),
            (Flags::NAME_SHORTENED, name_shortened && !comment.deleted),
            (Flags::MAIL_NAME, is_mail && !comment.deleted && !is_empty),
        ] {
            flags.set(flag, on);
        }
        let is_deleted = flags.has(Flags::DELETED);
        let edited_at = comment.edited_at.filter(|_| !is_deleted);
        let shifted = |millis| time::shift(millis, self.options.shift_minutes);
        let is_ahead = |millis| shifted(millis) > self.now.saturating_add(AHEAD_MAX);
        let is_from_future = is_ahead(created_at) || edited_at.is_some_and(is_ahead);
        flags.set(Flags::FROM_FUTURE, is_from_future);
        let known_time = |millis| match is_ahead(millis) {
            true => self.now.unsigned_abs(),
            false => shifted(millis).unsigned_abs(),
        };
        let entry = Entry {
            key: first_8(&digest),
            parent: parent.unwrap_or(NONE),
            author: if author.is_empty() || is_deleted { NONE } else { self.hash(&author) },
            person: comment.person.map_or(NONE, |person| self.hash(&("person", &*person))),
            created_at: known_time(created_at),
            edited_at: edited_at.map_or(NONE, known_time),
            line: comment.line,
            page,
            flags,
            ..Entry::default()
        };
        let texts = if is_deleted {
            Texts { nonce, origin, ..Texts::default() }
        } else {
            let moderator = comment.moderator.map(|name| normal_name(&name).0).unwrap_or_default();
            let imported = match self.options.format {
                Format::Sayso => comment.imported.filter(|name| Format::from_name(name).is_some()),
                format => Some(format.name().to_owned()),
            };
            let imported = imported.unwrap_or_default();
            Texts { nonce, name, author, content, moderator, imported, origin }
        };
        Ok((entry, texts))
    }

    /// What is kept of a name that is a mail address. Names in sayso are what their authors have shown already.
    fn mail_user<'n>(&self, name: &'n str) -> Option<&'n str> {
        mail_user(name).filter(|_| self.options.format != Format::Sayso)
    }

    fn push(&mut self, entry: Entry, texts: Option<&Texts>) -> Result<(), ImportError> {
        self.spool.push(entry, texts)?;
        if self.spool.count().is_multiple_of(PROGRESS_ENTRIES) {
            let entries = u64::from(self.spool.count());
            (self.progress)(Progress { bytes: self.position.bytes(), entries });
        }
        Ok(())
    }

    fn page_number(&mut self, page: &PageRef) -> u32 {
        let hash = match page {
            PageRef::Address(address) => self.hash(&("address", &**address)),
            PageRef::Id(id) => self.hash(&("id", &**id)),
        };
        let next = self.pages.len() as u32;
        let number = *self.page_numbers.entry(hash).or_insert(next);
        if number == next {
            let address = match page {
                PageRef::Address(address) => Some(address.trim().into()),
                PageRef::Id(_) => None,
            };
            self.pages.push(FoundPage { address, ..FoundPage::default() });
        }
        number
    }

    /// Whether ids are numbers that every site has, for comments and people alike.
    fn counts_up(&self) -> bool {
        use Format::{Artalk, Isso, Waline, WordPress};
        matches!(self.options.format, WordPress | Isso | Artalk | Waline)
    }

    /// The site that ids are unique in.
    fn site(&self, named: Option<&str>) -> Result<String, ImportError> {
        let counts_up = self.counts_up();
        match (named, &self.options.site) {
            (Some(site), _) => Ok(site.into()),
            (None, Some(site)) if counts_up => Ok(site.clone()),
            (None, None) if counts_up => Err(ImportError::Usage(
                "the file doesn't say which site it is from, and others count their comments alike; say it with --site HOST"
                    .into(),
            )),
            _ => Ok(String::new()),
        }
    }

    /// SHA-256 of format, site and id, separated by zeros.
    fn identity(&self, site: &str, id: &str) -> [u8; 32] {
        digest(&[self.options.format.name().as_bytes(), site.as_bytes(), id.as_bytes()])
    }

    /// The first 16 bytes of SHA-256 of format, salt and id, separated by zeros, as every author is written.
    fn pseudonym(&self, id: &str) -> String {
        let parts = [self.options.format.name().as_bytes(), &self.options.salt, id.as_bytes()];
        BASE64_URL_SAFE_NO_PAD.encode(&digest(&parts)[..16])
    }

    fn check_sites(&self) -> Result<(), ImportError> {
        let named = || self.sites.join(", ");
        match &self.options.only {
            Some(only) if !self.sites.contains(only) && self.sites.len() < SITES_MAX => {
                let what = match self.sites.len() {
                    0 => "the file names no site; leave out --only".to_owned(),
                    _ => format!("the file has no site {only:?}, but {}", named()),
                };
                Err(ImportError::Usage(what))
            }
            None if self.sites.len() > 1 => Err(ImportError::Usage(format!(
                "the file has several sites; choose one with --only SITE: {}",
                named()
            ))),
            _ => Ok(()),
        }
    }

    /// Names the pages, and tells for each number which page it is.
    fn name_pages(&mut self) -> Result<(Vec<PagePlan>, order::PageNumbers), ImportError> {
        self.page_numbers = HashMap::new();
        let mut numbers: HashMap<u64, u32> = HashMap::new();
        let mut named: Vec<PagePlan> = Vec::new();
        let mut page_of = order::PageNumbers::default();
        for found in std::mem::take(&mut self.pages) {
            let number = match self.name_page(&found) {
                _ if found.deleted => order::PageNumbers::DELETED,
                Ok(name) => {
                    let next = named.len() as u32;
                    let number = *numbers.entry(self.hash(&name)).or_insert(next);
                    if number == next {
                        named.push(PagePlan { name, ..PagePlan::default() });
                    }
                    named[number as usize].locked |= found.locked;
                    number
                }
                Err(NoPage::SiteMissing) if found.is_used => {
                    return Err(ImportError::Usage(SITE_MISSING.into()));
                }
                Err(_) => order::PageNumbers::UNKNOWN,
            };
            page_of.numbers.push(number);
        }
        Ok((named, page_of))
    }

    fn name_page(&self, found: &FoundPage) -> Result<String, NoPage> {
        let options = self.options;
        let address = match (&found.address, &found.url) {
            // The list of pages has paths only, a comment the whole URL.
            (Some(path), Some(url)) if path.starts_with('/') => {
                page::host(url).map_or(path.to_string(), |host| format!("https://{host}{path}"))
            }
            (Some(address), _) | (None, Some(address)) => address.to_string(),
            (None, None) => return Err(NoPage::Unusable),
        };
        match options.format {
            Format::Sayso => page::verbatim(&address, options),
            format => page::name(&address, options, format == Format::WordPress),
        }
    }

    fn hash(&self, value: &impl std::hash::Hash) -> u64 {
        self.hasher.hash_one(value).max(1)
    }
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for (number, part) in parts.iter().enumerate() {
        sha.update(if number > 0 { &b"\0"[..] } else { b"" });
        sha.update(part);
    }
    sha.finalize().into()
}

fn first_8(digest: &[u8; 32]) -> u64 {
    u64::from_be_bytes(digest[..8].try_into().expect("they are eight")).max(1)
}
