//! A file in memory whose writes can fail, and a hub on it whose readers' commands can be looked at.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use crossbeam_channel::{Receiver, unbounded};

use crate::{
    comment::Author,
    fanout::{
        ShardCommand, Tier,
        subscribers::{Subscribers, Watched},
    },
    hub::{Hub, rules::Rules, stats::Stats},
    log::{
        Log, SyncMode,
        chain::{ChainHash, ChainedLine},
        runs::Runs,
        storage::{ReadAt, Storage},
        trailer::Trailer,
    },
    store::Store,
    store::record::LineSummary,
};

/// Pages that have a reader of every author.
pub const PAGES: [&str; 5] = ["/a", "/b", "p/1", "p/2", "q/1"];
pub const AUTHORS: u64 = 4;

pub fn author(number: u64) -> Author {
    Author::from_key(&format!("{number:016}"))
}

/// All handles are of the same bytes.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<File>>);

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    /// Each write with a number that this divides finds no room; 0: none.
    fails_each: u64,
    writes: u64,
}

impl Disk {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    pub fn fail_each(&self, writes: u64) {
        self.0.lock().unwrap().fails_each = writes;
    }

    /// The lines behind the header, as they are ordered.
    pub fn lines(&self) -> Vec<ChainedLine> {
        let bytes = self.bytes();
        let lines = bytes.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty());
        let lines = lines.map(|line| {
            let seq = LineSummary::parse(line).unwrap().seq;
            let line = [Trailer::of(line).unwrap().open, b"}"].concat();
            ChainedLine { seq, chain: ChainHash::default(), line: line.into() }
        });
        lines.collect()
    }
}

impl ReadAt for Disk {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let file = self.0.lock().unwrap();
        let part = file.bytes.get(offset as usize..offset as usize + bytes.len());
        bytes.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Storage for Disk {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn misplaced(&self) -> Option<&'static str> {
        None
    }

    fn another(&self) -> Box<dyn Storage> {
        Box::new(self.clone())
    }

    fn reader(&self) -> Arc<dyn ReadAt> {
        Arc::new(self.clone())
    }

    fn append(&mut self, bytes: &[u8], _: u64) -> io::Result<()> {
        let mut file = self.0.lock().unwrap();
        file.writes += 1;
        if file.fails_each > 0 && file.writes.is_multiple_of(file.fails_each) {
            file.bytes.extend_from_slice(&bytes[..bytes.len() / 2]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().bytes.truncate(length as usize);
        Ok(())
    }

    fn create_sibling(&self) -> io::Result<Box<dyn Storage>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn replace(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn save_copy(&mut self, _: &str, _: &mut dyn io::Read) -> io::Result<PathBuf> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A hub on an empty disk, with a reader of each author on each page, one who follows the pages' numbers, and a moderator.
pub fn hub(rules: &Rules) -> (Hub<()>, Disk, Receiver<ShardCommand<()>>) {
    let (disk, path) = (Disk::default(), Path::new("memory"));
    let storage = Box::new(disk.clone());
    let (log, _) =
        Log::open(storage, path, SyncMode::Always, SystemTime::UNIX_EPOCH, |_, _| Ok(0)).unwrap();
    let (sender, commands) = unbounded();
    let mut subscribers = Subscribers::new(vec![sender]);
    let mut reader = 0;
    for page in PAGES {
        for number in 0..AUTHORS {
            reader += 1;
            subscribers.join(reader, (), Vec::new(), Tier::Full, page);
            subscribers.identify(reader, author(number));
        }
    }
    let watched = PAGES.map(|page| Watched { page: page.into(), lives_at: None });
    subscribers.watch(reader + 1, (), Vec::new(), watched.into());
    subscribers.join_moderator(reader + 2, (), Vec::new());
    let runs = Runs::default();
    let stats = Arc::new(Stats::default());
    let hub = Hub::new(log, runs, Default::default(), subscribers, None, rules.clone(), stats);
    (hub, disk, commands)
}

/// A hub on a file with these bytes, as a start makes it.
pub fn restarted(bytes: &[u8], rules: &Rules) -> Hub<()> {
    static FOLDERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = FOLDERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("sayso-apply-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(crate::log::FILE_NAME), bytes).unwrap();
    let store = Store::open(&folder, SyncMode::Never, true).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let stored = (store.index, store.likes, store.moderation);
    let (subscribers, stats) = (Subscribers::new(Vec::new()), Arc::new(Stats::default()));
    Hub::new(store.log, Runs::default(), stored, subscribers, None, rules.clone(), stats)
}
