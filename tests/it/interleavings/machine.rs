//! A machine: a folder with a real log, a real hub and a real node on it. Its threads are left out, so that it does one step when it is told.

use std::{
    collections::VecDeque,
    env, fs,
    path::{Path, PathBuf},
    process,
    rc::Rc,
    sync::Arc,
    thread,
    time::SystemTime,
};

use crossbeam_channel::{Receiver, unbounded};
use sayso::{
    cluster::{self, Memory, NodeHandle, node::Entry, node::Link, node::Parting},
    comment::{Author, Comment},
    fanout::{ReaderId, ShardCommand, Topic, subscribers::Subscribers},
    hub::{
        Hub, cluster_stats::ClusterStats, command::Command, command::Stats, rules::Hold,
        rules::Rules,
    },
    log::{
        FILE_NAME, Log, SyncMode,
        chain::{ChainHash, ChainedLine},
        runs::Runs,
        salt,
        scan::seq_of,
        storage::FileStorage,
    },
    store::Store,
};

use super::{config::Config, lines::Lines, lines::PAGE};

/// The log that all machines have.
const LOG_ID: &str = "9c41f0aa53d7e6b2";

/// A folder in memory, where there is one, that goes with the test: the disk's own time is of no interest here.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str, seed: u64) -> Folder {
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() { memory } else { env::temp_dir() };
        let path = parent.join(format!("sayso-{name}-{seed}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// See the [module](self).
pub struct Machine {
    pub number: usize,
    folder: PathBuf,
    /// `None` while it is off.
    pub process: Option<Process>,
    /// Why it must not start again.
    pub stopped: Option<Parting>,
    /// Whether it was off when new lines were appended in a new run.
    pub is_away: bool,
    /// Counts its processes.
    pub life: u32,
    /// What its log has held.
    pub lines: Lines,
    /// How often it has healed the stream, in its processes that have ended.
    pub heals: u64,
}

/// What the thread that reads the stream is about.
pub enum Reading {
    Nothing,
    /// It has read these entries, while the stream had these lines.
    Fetched(Vec<Entry>, Rc<Vec<ChainedLine>>),
    /// It waits until the hub has stored these lines.
    Handed(Vec<ChainedLine>),
}

/// What runs.
pub struct Process {
    pub hub: Hub<()>,
    pub stats: Arc<Stats>,
    pub cluster_stats: Arc<ClusterStats>,
    pub shared: Arc<NodeHandle>,
    /// What the hub tells its shard.
    pub frames: Receiver<ShardCommand<()>>,
    pub inbox: VecDeque<Command<()>>,
    /// Whether the hub is to look at what the node has to say.
    pub must_look: bool,
    /// Numbers of its connections to Redis.
    links: [Option<usize>; 2],
    pub reading: Reading,
    /// Which readers there are, and what each follows.
    pub followers: Vec<(ReaderId, Topic)>,
    pub is_compacting: bool,
}

impl Process {
    /// The number of its connection for commands.
    pub fn commands(&self) -> Option<usize> {
        self.links[0]
    }

    /// The connection for this.
    pub fn link(&mut self, link: Link) -> &mut Option<usize> {
        &mut self.links[usize::from(link == Link::Lines)]
    }
}

/// Everybody's key.
pub fn author() -> Author {
    Author::from_key("a key that all clients have")
}

impl Machine {
    /// A machine with `prefilled` lines in its log, or an empty folder.
    pub fn new(number: usize, folder: PathBuf, prefilled: u64) -> Machine {
        fs::create_dir_all(&folder).unwrap();
        let mut lines = Lines::default();
        if prefilled > 0 {
            let mut log = open_log(&folder);
            log.adopt_id(LOG_ID).unwrap();
            for seq in 1..=prefilled {
                let line = first_line(seq, lines.chain());
                log.stage_chained(&line.line, line.chain);
                lines.push(line);
            }
            log.commit().unwrap();
        }
        Machine {
            number,
            folder,
            process: None,
            stopped: None,
            is_away: false,
            life: 0,
            lines,
            heals: 0,
        }
    }

    /// Appends a line as `sayso serve` does without `--redis`, and the next start with it.
    pub fn serve_alone(&mut self) {
        let mut log = open_log(&self.folder);
        // A write that was cut off is not there any more.
        self.lines.truncate(log.last_seq());
        let (seq, before) = (self.lines.seq() + 1, self.lines.chain());
        let mut line = Vec::new();
        let name = format!("line {seq} of {} alone, before {}", self.number, self.life);
        let created_at = self.lines.comments().map(|it| it.created_at.clone()).max().unwrap();
        let comment =
            Comment { content: name.clone(), created_at, nonce: Some(name), ..first_comment(seq) };
        comment.encode(&mut line);
        let chain = before.next(before.run, &line);
        log.stage_chained(&line, chain);
        log.commit().unwrap();
        Runs::begin(&self.folder, log.id(), seq).unwrap();
        self.life += 1;
        self.lines.push(ChainedLine { seq, chain, line: line.into() });
    }

    /// Starts it as `sayso serve --redis` does.
    pub fn start(&mut self, config: &Config) {
        let data = &self.folder;
        let Opened { mut hub, stats, memory, frames } = open_hub(data);
        let (shared, order, cluster_stats) =
            cluster::join(hub.log_end(), &memory, config.keep, Box::new(|| {}));
        shared.node().newest_kept = config.newest_kept;
        hub.order_by(order, data.clone(), cluster_stats.clone());
        hub.keep_newest(config.newest_kept);
        // A write that was cut off is not there any more.
        let end = hub.log_end();
        self.lines.truncate(end.seq);
        assert_eq!((end.seq, end.chain), (self.lines.seq(), self.lines.chain()));
        self.process = Some(Process {
            hub,
            stats,
            cluster_stats,
            shared,
            frames,
            inbox: VecDeque::new(),
            must_look: false,
            links: [None; 2],
            reading: Reading::Nothing,
            followers: Vec::new(),
            is_compacting: false,
        });
    }

    /// Kills it. `cut` is what is left of the file if it was killed while it wrote.
    pub fn kill(&mut self, cut: Option<u64>) {
        let Some(process) = self.process.take() else { return };
        self.heals += process.shared.node().heals;
        self.life += 1;
        drop(process);
        if let Some(length) = cut {
            let file = fs::OpenOptions::new().write(true).open(self.log_path()).unwrap();
            file.set_len(length).unwrap();
        }
    }

    /// The salt of its address hashes, in hex.
    pub fn salt(&self) -> String {
        let salt = salt::open(&self.folder).unwrap();
        salt.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn log_path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// A hub on a copy of its log, as a start makes it.
    pub fn reopened(&self, copy: &Path) -> (Hub<()>, Arc<Stats>) {
        fs::create_dir_all(copy).unwrap();
        for entry in fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
        let Opened { hub, stats, .. } = open_hub(copy);
        (hub, stats)
    }

    /// Lets a compaction that has begun come to its end.
    pub fn finish_compaction(&mut self, mut is_done: impl FnMut() -> bool) {
        let Some(process) = self.process.as_mut().filter(|process| process.is_compacting) else {
            return;
        };
        process.is_compacting = false;
        // Its thread ends by itself.
        while !is_done() {
            process.hub.look_at_compaction();
            thread::yield_now();
        }
    }
}

/// A hub on an opened log.
struct Opened {
    hub: Hub<()>,
    stats: Arc<Stats>,
    memory: Memory,
    frames: Receiver<ShardCommand<()>>,
}

fn open_hub(data: &Path) -> Opened {
    let store = Store::open_chained(data, SyncMode::Always, false).unwrap();
    let runs = Runs::open_of_stream(data, store.log.id()).unwrap();
    let salt = salt::open(data).unwrap();
    let memory = Memory { runs: runs.list(), highest: runs.number(), salt };
    let rules = Rules {
        hold: Hold::None,
        max_links: None,
        flags_hold: None,
        close_after: None,
        salt,
        page_prefix: Vec::new(),
        max_pages: 1,
    };
    let (sender, frames) = unbounded();
    let stored = (store.index, store.likes, store.moderation);
    let stats = Arc::new(Stats::default());
    let subscribers = Subscribers::new(vec![sender]);
    let mut hub = Hub::new(store.log, runs, stored, subscribers, None, rules, stats.clone());
    hub.set_clock(&store.last_created_at);
    Opened { hub, stats, memory, frames }
}

fn open_log(folder: &Path) -> Log {
    let path = folder.join(FILE_NAME);
    let storage = Box::new(FileStorage::open(&path).unwrap());
    let each = |line: &[u8], _| Ok(seq_of(line).expect("each line has one"));
    Log::open_chained(storage, &path, SyncMode::Always, SystemTime::now(), each).unwrap().0
}

fn first_comment(seq: u64) -> Comment {
    Comment {
        seq,
        id: seq,
        page: PAGE.into(),
        author: Some(author().to_string()),
        content: format!("first text {seq}"),
        created_at: "2020-11-27T08:00:00.000Z".into(),
        nonce: Some(format!("first post {seq}")),
        ..Comment::default()
    }
}

fn first_line(seq: u64, before: ChainHash) -> ChainedLine {
    let mut line = Vec::new();
    first_comment(seq).encode(&mut line);
    ChainedLine { seq, chain: before.next(0, &line), line: line.into() }
}
