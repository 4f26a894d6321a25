//! Redis as the machines see it: a real server runs the real script, and each write is remembered, so that what was written last can be lost.
//!
//! Which process it is and which history of replication that has is only said here, since the machines go by nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use sayso::{
    cluster::call::{Call, CallKind, OPEN_MS, Reply},
    cluster::client::{Client, Connection},
    cluster::node::Entry,
    log::chain::{ChainHash, ChainedLine},
};

use crate::support::redis::Redis;

/// Machines at most; each has a place for what an old master still shows it.
const MACHINES_MAX: usize = 3;
/// How long new lines wait unless the test ends it, in ms.
const FOR_EVER_MS: u64 = 1_000_000_000_000;

/// A server, and the connections through which everything is asked.
pub struct Server {
    connection: redis::Connection,
    calls: Connection,
    old: Vec<Connection>,
    _redis: Redis,
}

/// What `meta` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    pub salt: String,
    pub number: u64,
    pub log: String,
    pub seq: u64,
    pub base: u64,
    pub run: String,
    pub open: String,
}

/// What Redis holds at one time.
pub struct Moment {
    pub meta: Option<Meta>,
    keys: Option<[Vec<u8>; 3]>,
    /// The lines that the stream continues, from the first one of the log on.
    pub lines: Rc<Vec<ChainedLine>>,
}

/// See the [module](self).
pub struct Stream {
    moments: Vec<Rc<Moment>>,
    /// The moment that the replica has.
    replicated: usize,
    /// The moment that the disk has.
    persisted: usize,
    processes: [[u32; 2]; 2],
    primary: usize,
    /// Counts the processes that connections were made to.
    pub incarnation: u32,
    last_number: u32,
    last_open: u64,
    /// What the stream has held in each run, by its mark.
    held: BTreeMap<String, Rc<Vec<ChainedLine>>>,
    /// Machines that have looked or appended since new lines wait.
    pub looked: BTreeSet<usize>,
}

fn names(stream: &str) -> [String; 3] {
    ["stream", "meta", "runs"].map(|key| format!("sayso:{{{stream}}}:{key}"))
}

fn old_name(machine: usize) -> String {
    format!("old-{machine}")
}

impl Server {
    /// `None`: there is no Redis on this machine.
    pub fn start() -> Option<Server> {
        // Each entry is a node of its own, so that trimming is exact.
        let redis = Redis::start(&["stream-node-max-entries 1"])?;
        let connect = |name: &str| Client::new(&redis.unix_url(), name).unwrap().connect().unwrap();
        let calls = connect("main");
        let old = (0..MACHINES_MAX).map(|machine| connect(&old_name(machine))).collect();
        let connection = redis::Client::open(redis.unix_url()).unwrap().get_connection().unwrap();
        Some(Server { connection, calls, old, _redis: redis })
    }

    fn put(&mut self, stream: &str, keys: Option<&[Vec<u8>; 3]>) {
        let mut commands = redis::pipe();
        commands.cmd("DEL").arg(&names(stream)).ignore();
        for (name, key) in names(stream).iter().zip(keys.into_iter().flatten()) {
            commands.cmd("RESTORE").arg(name).arg(0).arg(key).ignore();
        }
        let () = commands.query(&mut self.connection).unwrap();
    }

    fn look(&mut self) -> (Option<Meta>, Option<[Vec<u8>; 3]>) {
        let names = names("main");
        let mut commands = redis::pipe();
        commands
            .cmd("HMGET")
            .arg(&names[1])
            .arg(&["log", "seq", "base", "run", "open", "num", "salt"]);
        for name in &names {
            commands.cmd("DUMP").arg(name);
        }
        type Dump = Option<Vec<u8>>;
        type Found = ([Option<String>; 7], Dump, Dump, Dump);
        let (fields, stream, meta, runs): Found = commands.query(&mut self.connection).unwrap();
        let dumps = [stream, meta, runs];
        let [Some(log), Some(seq), Some(base), Some(run), Some(open), Some(num), Some(salt)] =
            fields
        else {
            assert!(dumps.iter().all(Option::is_none), "the three keys exist all or none");
            return (None, None);
        };
        let (seq, base, number) =
            (seq.parse().unwrap(), base.parse().unwrap(), num.parse().unwrap());
        let dumps = dumps.map(|dump| dump.expect("the three keys exist all or none"));
        (Some(Meta { salt, number, log, seq, base, run, open }), Some(dumps))
    }
}

impl Stream {
    /// An empty Redis.
    pub fn new(server: &mut Server) -> Stream {
        server.put("main", None);
        let empty = Moment { meta: None, keys: None, lines: Rc::default() };
        Stream {
            moments: vec![Rc::new(empty)],
            replicated: 0,
            persisted: 0,
            processes: [[101, 201], [102, 202]],
            primary: 0,
            incarnation: 0,
            last_number: 300,
            last_open: 0,
            held: BTreeMap::new(),
            looked: BTreeSet::new(),
        }
    }

    /// What it holds.
    pub fn now(&self) -> &Rc<Moment> {
        self.moments.last().expect("there is always one")
    }

    /// As a connection is told at its beginning.
    pub fn identity(&self) -> Arc<str> {
        let [process, history] = self.processes[self.primary];
        format!("{process} {history}").into()
    }

    /// Runs the script. `own` are the lines of the machine that calls it.
    pub fn execute(
        &mut self,
        server: &mut Server,
        machine: usize,
        mut call: Call,
        own: &[ChainedLine],
    ) -> Reply {
        self.last_open += 1;
        let open_at = if matches!(call.kind, CallKind::Append | CallKind::Heal(_)) { 7 } else { 9 };
        assert_eq!(call.arguments[open_at], OPEN_MS.to_string().as_bytes());
        // Each another number, so that it shows when new lines begin to wait anew.
        call.arguments[open_at] = (FOR_EVER_MS + 1_000_000 * self.last_open).to_string().into();
        let before = self.now().clone();
        let reply = server.calls.call(&call).unwrap();
        let (meta, keys) = server.look();
        let is_taken = call.kind == CallKind::Take
            && before.meta.as_ref().map(|meta| &meta.run) != meta.as_ref().map(|meta| &meta.run);
        let has_begun = is_taken
            || before.meta.as_ref().map(|meta| &meta.log) != meta.as_ref().map(|meta| &meta.log);
        let lines = match (&meta, &reply) {
            (Some(meta), _) if has_begun => Rc::new(own[..meta.base as usize].to_vec()),
            (_, Reply::Appended(_)) => {
                let appended = call.arguments[8..].chunks(3).map(|parts| ChainedLine {
                    seq: text(&parts[0]).parse().unwrap(),
                    chain: ChainHash::parse(&parts[1]).unwrap(),
                    line: parts[2].clone().into(),
                });
                Rc::new(before.lines.iter().cloned().chain(appended).collect())
            }
            _ => before.lines.clone(),
        };
        let seq = meta.as_ref().map_or(0, |meta| meta.seq);
        assert_eq!(seq, lines.last().map_or(0, |line| line.seq), "the stream's last seq");
        self.note_looked(machine, &call, &reply, &before.meta, &meta);
        self.check_lines(&meta, &before.lines, &lines);
        if keys != before.keys {
            self.moments.push(Rc::new(Moment { meta, keys, lines }));
        }
        reply
    }

    /// Checks that new lines follow, and that a run never has other lines than it had.
    fn check_lines(
        &mut self,
        meta: &Option<Meta>,
        before: &[ChainedLine],
        lines: &Rc<Vec<ChainedLine>>,
    ) {
        let Some(meta) = meta else { return };
        let held = self.held.entry(meta.run.clone()).or_default();
        assert!(lines.starts_with(held), "run {} has other lines than it had", meta.run);
        *held = lines.clone();
        if lines.len() > before.len() {
            let mut last = before.last().map_or(ChainHash::default(), |line| line.chain);
            for ChainedLine { seq, chain, line } in &lines[before.len()..] {
                assert_eq!(*chain, last.next(chain.run, line), "line {seq} of the stream follows");
                assert!(chain.run >= last.run, "line {seq} is of run {} behind {last}", chain.run);
                last = *chain;
            }
        }
    }

    /// What the stream has held in the run with this mark, if there was such a run.
    pub fn held_in(&self, mark: &str) -> Option<&[ChainedLine]> {
        self.held.get(mark).map(|lines| lines.as_slice())
    }

    fn note_looked(
        &mut self,
        machine: usize,
        call: &Call,
        reply: &Reply,
        before: &Option<Meta>,
        now: &Option<Meta>,
    ) {
        let open = |meta: &Option<Meta>| meta.as_ref().map(|meta| meta.open.clone());
        let waits_anew = open(before) != open(now);
        if waits_anew {
            self.looked.clear();
        }
        let has_looked = match reply {
            Reply::Attached(_) | Reply::Appended(_) if !waits_anew => true,
            Reply::Attached(attached) => {
                let number = |at: usize| text(&call.arguments[at]).parse::<u64>().unwrap();
                let is_above = (number(5), number(4)) > (attached.last.run, attached.seq);
                !is_above || attached.is_minted
            }
            Reply::Appended(_) => call.kind == CallKind::Append,
            _ => false,
        };
        if has_looked {
            self.looked.insert(machine);
        }
    }

    /// Whether new lines wait.
    pub fn is_waiting(&self) -> bool {
        self.now().meta.as_ref().is_some_and(|meta| meta.open != "0")
    }

    /// Ends the time for which new lines wait.
    pub fn open(&mut self, server: &mut Server) {
        let names = names("main");
        let () = redis::cmd("HSET")
            .arg(&names[1])
            .arg(&["open", "0"])
            .query(&mut server.connection)
            .unwrap();
        let (meta, keys) = server.look();
        let lines = self.now().lines.clone();
        *self.moments.last_mut().unwrap() = Rc::new(Moment { meta, keys, lines });
    }

    /// Redis is killed and starts with an earlier moment; `choose` gets the earliest and the latest that there can be.
    pub fn restart(
        &mut self,
        server: &mut Server,
        lost_max: usize,
        choose: impl FnOnce(usize, usize) -> usize,
    ) {
        let last = self.moments.len() - 1;
        let kept = match lost_max {
            0 => last,
            lost => choose(self.persisted.max(last.saturating_sub(lost)), last),
        };
        self.moments.truncate(kept + 1);
        self.start_anew(server);
    }

    /// Redis is killed and starts with nothing.
    pub fn empty(&mut self, server: &mut Server) {
        self.moments.truncate(1);
        self.start_anew(server);
    }

    fn start_anew(&mut self, server: &mut Server) {
        self.last_number += 2;
        self.processes[self.primary] = [self.last_number, self.last_number + 1];
        self.connect_anew(server);
    }

    fn connect_anew(&mut self, server: &mut Server) {
        self.incarnation += 1;
        self.persisted = 0;
        self.replicated = self.moments.len() - 1;
        server.put("main", self.now().keys.as_ref());
    }

    /// The replica takes over. `is_restarted`: the old master becomes another process, too. Returns what the old master held.
    pub fn fail_over(&mut self, server: &mut Server, is_restarted: bool) -> Rc<Moment> {
        let old = self.now().clone();
        self.moments.truncate(self.replicated + 1);
        self.primary ^= 1;
        self.last_number += 2;
        self.processes[self.primary][1] = self.last_number;
        if is_restarted {
            self.processes[self.primary ^ 1] = [self.last_number + 1, self.last_number + 1];
        }
        self.connect_anew(server);
        old
    }

    /// Redis is a replica for a moment and then no longer, with all connections and everything it had.
    pub fn begin_history(&mut self) {
        self.last_number += 1;
        self.processes[self.primary][1] = self.last_number;
    }

    /// The replica gets more of what there is.
    pub fn replicate(&mut self, choose: impl FnOnce(usize, usize) -> usize) {
        self.replicated = choose(self.replicated, self.moments.len() - 1);
    }

    /// The disk gets more of what there is.
    pub fn persist(&mut self, choose: impl FnOnce(usize, usize) -> usize) {
        self.persisted = choose(self.persisted, self.moments.len() - 1);
    }

    /// Reads entries, of which there must be some. `old`: from a master that is none any more, and held that.
    pub fn read(
        &self,
        server: &mut Server,
        machine: usize,
        after: u64,
        old: Option<&Moment>,
    ) -> Vec<Entry> {
        let Some(old) = old else { return server.calls.read(after).unwrap().unwrap() };
        server.put(&old_name(machine), old.keys.as_ref());
        server.old[machine].read(after).unwrap().unwrap()
    }
}

impl Moment {
    /// Whether there are entries behind this `seq`.
    pub fn has_entries_after(&self, seq: u64) -> bool {
        self.meta.as_ref().is_some_and(|meta| meta.seq > seq && meta.seq > meta.base)
    }
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}
