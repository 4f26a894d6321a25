//! A disk and a socket that accept everything at once, and a hub that works on them.

use std::{
    io,
    net::Shutdown,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::SystemTime,
};

use crossbeam_channel::bounded;
use sayso::{
    cli::config::{Hold, SyncMode},
    fanout::outbox::Sink,
    fanout::subscribers::Subscribers,
    fanout::{SHARD_INBOX_COMMANDS_MAX, Tier},
    hub::command::Stats,
    hub::{Hub, rules::Rules},
    log::Log,
    log::runs::Runs,
    log::storage::{ReadAt, Storage},
};

/// A socket's write side that throws everything away.
#[derive(Clone, Copy)]
pub struct NullSink;

impl Sink for NullSink {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn shut(&self, _: Shutdown) {}
}

/// Bytes that are kept, as the hub may read them; all handles are of the same ones.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl ReadAt for Memory {
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let all = self.0.lock().expect("nobody panics");
        let part = all.get(offset as usize..offset as usize + bytes.len());
        bytes.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Storage for Memory {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().expect("nobody panics").len() as u64)
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
        self.0.lock().expect("nobody panics").extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.lock().expect("nobody panics").truncate(length as usize);
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

/// A hub with one reader, whose shard throws everything away.
pub fn hub() -> Hub<NullSink> {
    let (sender, inbox) = bounded(SHARD_INBOX_COMMANDS_MAX);
    thread::spawn(move || inbox.iter().for_each(drop));
    let mut subscribers = Subscribers::new(vec![sender]);
    subscribers.join(1, NullSink, Vec::new(), Tier::Full, "/");
    let disk = Box::new(Memory::default());
    let (log, _) =
        Log::open(disk, Path::new("memory"), SyncMode::Never, SystemTime::now(), |_, _| Ok(0))
            .expect("an empty log can be begun");
    let rules = Rules {
        hold: Hold::None,
        max_links: None,
        flags_hold: None,
        close_after: None,
        salt: Default::default(),
        page_prefix: Vec::new(),
        max_pages: 1,
    };
    Hub::new(
        log,
        Runs::default(),
        Default::default(),
        subscribers,
        None,
        rules,
        Arc::new(Stats::default()),
    )
}
