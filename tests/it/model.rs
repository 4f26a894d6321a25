//! A disk that lies as real ones do: what was written is not yet what survives.
//!
//! A [`Machine`] remembers every state its files went through, so that a test can stop it at any moment and ask what the medium
//! may hold then. Knows nothing of lines.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use sayso::log::storage::{ReadAt, Storage};

/// A computer with one folder: a log, perhaps its successor, and files that were set aside.
#[derive(Clone, Default)]
pub struct Machine(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    files: Vec<File>,
    folder: Folder,
    asides: BTreeMap<String, Vec<u8>>,
    faults: Faults,
    moments: Vec<Moment>,
}

/// What goes wrong, and when.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Bytes that can still be written; `None`: as many as one likes. A write that does not fit leaves what fits.
    pub room: Option<u64>,
    /// Syncs, of files or of the folder, that still succeed; the next one fails, and what it failed on never becomes durable.
    pub syncs: Option<u64>,
    /// Whether cutting fails.
    pub cut: bool,
}

/// What a file has been since it was last durable. The first is on the medium; each further one came by one write or one cut. The
/// last is what reads see.
#[derive(Clone, Default)]
struct File {
    images: Vec<Vec<u8>>,
    /// A sync of it has failed: the operating system believes that all is well, and the medium has nothing (fsyncgate).
    is_lost: bool,
}

/// The files that may bear the log's name after a crash; the last bears it now.
#[derive(Clone, Default)]
struct Folder {
    names: Vec<usize>,
    is_lost: bool,
}

/// A state of the whole machine, right after one operation.
#[derive(Clone)]
pub struct Moment {
    /// For each file that may bear the log's name.
    logs: Vec<File>,
    /// What lies beside the log by then.
    pub asides: BTreeMap<String, Vec<u8>>,
}

impl Machine {
    /// A machine whose log holds `bytes`, durably.
    pub fn holding(bytes: Vec<u8>) -> Machine {
        let machine = Machine::default();
        {
            let mut world = machine.world();
            world.files.push(File { images: vec![bytes], is_lost: false });
            world.folder.names.push(0);
        }
        machine
    }

    /// The log's file, opened by its name.
    pub fn disk(&self) -> Box<dyn Storage> {
        let world = self.world();
        let file = *world.folder.names.last().expect("a machine has a log");
        Box::new(ModelDisk { machine: self.clone(), file })
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.world().faults = faults;
    }

    /// What goes wrong, as far as it has not.
    pub fn faults(&self) -> Faults {
        self.world().faults.clone()
    }

    /// What a reader of the log's name reads now.
    pub fn bytes(&self) -> Vec<u8> {
        let world = self.world();
        let file = *world.folder.names.last().expect("a machine has a log");
        world.files[file].now().clone()
    }

    /// Files that were set aside, by what their names end with.
    pub fn asides(&self) -> BTreeMap<String, Vec<u8>> {
        self.world().asides.clone()
    }

    /// How many moments have passed.
    pub fn age(&self) -> usize {
        self.world().moments.len()
    }

    /// All moments so far.
    pub fn moments(&self) -> Vec<Moment> {
        self.world().moments.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl World {
    /// Every operation ends here: the machine may stop right now.
    fn pass(&mut self) {
        let logs = self.folder.names.iter().map(|&file| self.files[file].clone()).collect();
        self.moments.push(Moment { logs, asides: self.asides.clone() });
    }

    fn sync_succeeds(&mut self) -> bool {
        match &mut self.faults.syncs {
            Some(0) => {
                self.faults.syncs = None;
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    fn preallocate(&mut self, wanted: usize) -> usize {
        let Some(room) = &mut self.faults.room else { return wanted };
        let taken = wanted.min(*room as usize);
        *room -= taken as u64;
        taken
    }
}

impl File {
    fn now(&self) -> &Vec<u8> {
        self.images.last().expect("a file always is something")
    }
}

struct ModelDisk {
    machine: Machine,
    file: usize,
}

struct ModelReader {
    machine: Machine,
    file: usize,
}

impl ReadAt for ModelReader {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let world = self.machine.world();
        let file = world.files[self.file].now();
        let from = file.get(offset as usize..).ok_or(io::ErrorKind::UnexpectedEof)?;
        let from = from.get(..bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(from);
        Ok(())
    }
}

impl Storage for ModelDisk {
    fn length(&self) -> io::Result<u64> {
        Ok(self.machine.world().files[self.file].now().len() as u64)
    }

    fn misplaced(&self) -> Option<&'static str> {
        None
    }

    fn another(&self) -> Box<dyn Storage> {
        Box::new(ModelDisk { machine: self.machine.clone(), file: self.file })
    }

    fn reader(&self) -> Arc<dyn ReadAt> {
        Arc::new(ModelReader { machine: self.machine.clone(), file: self.file })
    }

    fn append(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.machine.world();
        let mut image = world.files[self.file].now().clone();
        assert_eq!(image.len() as u64, offset, "a file is only appended to");
        let taken = world.preallocate(bytes.len());
        image.extend_from_slice(&bytes[..taken]);
        if taken > 0 {
            world.files[self.file].images.push(image);
        }
        world.pass();
        if taken < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.machine.world();
        let succeeds = world.sync_succeeds();
        let file = &mut world.files[self.file];
        if !succeeds {
            file.is_lost = true;
        } else if !file.is_lost {
            file.images = vec![file.now().clone()];
        }
        world.pass();
        if succeeds { Ok(()) } else { Err(io::Error::other("the medium failed")) }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut world = self.machine.world();
        if world.faults.cut {
            return Err(io::Error::other("the medium can't cut"));
        }
        let mut image = world.files[self.file].now().clone();
        assert!(length <= image.len() as u64, "cutting makes no file longer");
        let freed = image.len() as u64 - length;
        if let Some(room) = &mut world.faults.room {
            *room += freed;
        }
        image.truncate(length as usize);
        if freed > 0 {
            world.files[self.file].images.push(image);
        }
        world.pass();
        Ok(())
    }

    fn create_sibling(&self) -> io::Result<Box<dyn Storage>> {
        let mut world = self.machine.world();
        world.files.push(File { images: vec![Vec::new()], is_lost: false });
        let file = world.files.len() - 1;
        world.pass();
        Ok(Box::new(ModelDisk { machine: self.machine.clone(), file }))
    }

    fn replace(&mut self) -> io::Result<()> {
        let mut world = self.machine.world();
        world.folder.names.push(self.file);
        world.pass();
        let succeeds = world.sync_succeeds();
        if !succeeds {
            world.folder.is_lost = true;
        } else if !world.folder.is_lost {
            world.folder.names = vec![self.file];
        }
        world.pass();
        if succeeds { Ok(()) } else { Err(io::Error::other("the folder failed")) }
    }

    fn save_copy(&mut self, suffix: &str, bytes: &mut dyn io::Read) -> io::Result<PathBuf> {
        if self.machine.world().asides.contains_key(suffix) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut all = Vec::new();
        bytes.read_to_end(&mut all)?;
        let mut world = self.machine.world();
        let taken = world.preallocate(all.len());
        for kept in [0, taken / 2, taken] {
            world.asides.insert(suffix.to_owned(), all[..kept].to_vec());
            world.pass();
        }
        if taken < all.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if !world.sync_succeeds() {
            world.asides.insert(suffix.to_owned(), Vec::new());
            return Err(io::Error::other("the medium failed"));
        }
        Ok(PathBuf::from(format!("log{suffix}")))
    }
}

/// How thoroughly a moment's crashes are gone through.
#[derive(Debug, Clone, Copy)]
pub struct Care {
    /// Bytes of a page: what reaches the medium or doesn't, as a whole.
    pub page: usize,
    /// States in which every page is as it was at one time or another, or zero, as chance has it.
    pub mixtures: usize,
    /// Two moments in a row differ by one operation, so that most of what may be after a crash is the same for both: only what the
    /// last write may have left is gone through.
    pub only_last: bool,
}

impl Moment {
    /// Whether the log's name stands for one file for sure.
    pub fn has_one_name(&self) -> bool {
        self.logs.len() == 1
    }

    /// Everything that the log's name may stand for if the machine stops now.
    pub fn crashes(&self, care: Care, chance: &mut Chance, each: &mut dyn FnMut(Vec<u8>)) {
        for file in &self.logs {
            let images = &file.images;
            each(images[0].clone());
            let first = if care.only_last { images.len().saturating_sub(2) } else { 0 };
            for pair in images[first..].windows(2) {
                let (before, after) = (&pair[0], &pair[1]);
                if after.len() > before.len() {
                    tear(before.len(), after, care.page, each);
                }
                each(after.clone());
            }
        }
        if self.under_way() > 0 {
            self.mixtures(care, chance, each);
        }
    }

    /// Operations on the log that are not durable yet.
    pub fn under_way(&self) -> usize {
        self.logs.iter().map(|file| file.images.len() - 1).max().unwrap_or_default()
    }

    /// Those of [`Moment::crashes`] in which pages of different times lie side by side.
    pub fn mixtures(&self, care: Care, chance: &mut Chance, each: &mut dyn FnMut(Vec<u8>)) {
        for file in &self.logs {
            for _ in 0..care.mixtures {
                each(mix(&file.images, care.page, chance));
            }
        }
    }
}

/// A write of what `after` has behind `from`, on its way to the medium.
fn tear(from: usize, after: &[u8], page: usize, each: &mut dyn FnMut(Vec<u8>)) {
    for end in from..after.len() {
        each(after[..end].to_vec());
    }
    // The length is there, and nothing else.
    let nothing = [&after[..from], &vec![0; after.len() - from]].concat();
    each(nothing);
    let pages: Vec<usize> = (from / page * page..after.len()).step_by(page).collect();
    for (number, &start) in pages.iter().enumerate() {
        let (start, end) = (start.max(from), (start + page).min(after.len()));
        let mut torn = after.to_vec();
        torn[start..end].fill(0);
        each(torn.clone());
        // The same, with only some of the later pages there.
        for &later in &pages[number + 1..] {
            each(torn[..(later + page).min(after.len())].to_vec());
        }
        // Only this page is there, and what lies before it is missing.
        let mut alone = after[..end].to_vec();
        alone[from..start].fill(0);
        each(alone);
    }
}

fn mix(images: &[Vec<u8>], page: usize, chance: &mut Chance) -> Vec<u8> {
    let length = images[chance.below(images.len())].len();
    let always = images.iter().map(Vec::len).min().unwrap_or_default().min(images[0].len());
    let mut mixed = vec![0; length];
    mixed[..always.min(length)].copy_from_slice(&images[0][..always.min(length)]);
    for start in (always / page * page..length).step_by(page) {
        let (start, end) = (start.max(always), (start + page).min(length));
        let image = chance.below(images.len() + 1);
        let Some(image) = images.get(image) else { continue };
        let end = end.min(image.len());
        if start < end {
            mixed[start..end].copy_from_slice(&image[start..end]);
        }
    }
    mixed
}

/// Numbers that look random and are the same in every run (Knuth's MMIX generator).
pub struct Chance(pub u64);

impl Chance {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit as u64) as usize
    }
}
