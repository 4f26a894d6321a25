//! What must hold once everything has come to rest.

use std::{collections::BTreeMap, sync::mpsc::channel};

use sayso::{
    comment::Comment,
    hub::Hub,
    hub::command::{Command, HistoryRange, Query, ReadHistory, Stats},
    hub::order::Readiness,
    log::{chain::ChainedLine, scan::seq_of, trailer::Trailer},
};

use super::{
    lines::{Lines, PAGE},
    machine::Machine,
    world::World,
};

impl World<'_> {
    /// Checks that all machines that have not stopped have the same, that nothing acknowledged is lost, and that nobody still waits.
    pub fn check_end(&mut self) {
        for machine in &self.machines {
            self.counts.heals += machine.heals;
            self.counts.heals +=
                machine.process.as_ref().map_or(0, |process| process.shared.node().heals);
        }
        let on: Vec<usize> =
            self.machines.iter().filter(|it| it.is_on()).map(|it| it.number).collect();
        let Some(first) = on.first() else {
            // Where the stream is short, what it no longer has may be missing everywhere.
            let is_trimmed = self.counts.trimmed > 0;
            let was_there = self.machines.iter().all(|machine| !machine.is_away);
            let is_fine =
                is_trimmed || !was_there || !self.config.is_timely || self.counts.alone > 0;
            assert!(is_fine, "all have stopped");
            self.counts.all_stopped += 1;
            return;
        };
        let of_stream = self.stream.now().lines.clone();
        for number in &on {
            let machine = &self.machines[*number];
            assert!(machine.lines.all() == of_stream.as_slice(), "{number} has other lines");
            check_file(machine, self.config.newest_kept);
            self.check_rest(machine);
        }
        assert!(self.clients.iter().all(|client| client.is_done()), "a client was not served");
        self.check_readers();
        let stopped = self.machines.iter().filter(|machine| machine.stopped.is_some());
        let logs: Vec<&Lines> =
            stopped.chain([&self.machines[*first]]).map(|machine| &machine.lines).collect();
        for acknowledged in &self.acknowledged {
            let is_in = |lines: &&&Lines| {
                let line = lines.all().get(acknowledged.seq as usize - 1);
                line.is_some_and(|line| line.chain == acknowledged.chain)
            };
            assert!(logs.iter().any(|lines| is_in(&lines)), "{} is lost", acknowledged.what);
        }
        for number in on {
            self.check_memory(number);
        }
    }

    /// Checks that a machine is ready for whatever comes next, and waits for nothing.
    fn check_rest(&self, machine: &Machine) {
        let (number, now) = (machine.number, self.stream.now());
        let meta = now.meta.as_ref().expect("there is a stream");
        let process = machine.process.as_ref().expect("it is on");
        assert!(process.inbox.is_empty() && !process.hub.is_ordering(), "{number} is not done");
        let node = process.shared.node();
        assert_eq!(
            node.mark().map(|mark| &**mark),
            Some(&*meta.run),
            "the run that {number} speaks"
        );
        assert!(node.may_compact(), "{number} may never be compacted again");
        assert!(node.is_attached() && !node.is_proposing(), "{number} is not at rest");
        // The script tells who proposes lines if a heal has raised the number meanwhile.
        let ready = node.readiness();
        let is_ready = matches!(ready, Readiness::Ready(run) if run <= meta.number);
        assert!(is_ready, "{number} is not ready for run {}: {ready:?}", meta.number);
        assert_eq!((node.stream_seq(), node.proposed_lines()), (meta.seq, 0));
        assert_eq!(process.hub.log_end().log.to_string(), meta.log, "the log of {number}");
        assert_eq!(machine.salt(), meta.salt, "the salt of {number}");
    }

    /// Checks that a hub has in memory what one has that reads its log.
    fn check_memory(&mut self, number: usize) {
        let copy = self.folder.path().join(format!("copy-{number}"));
        let (mut again, stats) = self.machines[number].reopened(&copy);
        let process = self.machines[number].on();
        let has = state(&mut process.hub, &process.stats);
        assert_eq!(has, state(&mut again, &stats), "what {number} has in memory");
    }
}

/// Checks that a machine's file has what it must have: everything, or after compactions the newest lines, and the newest of each comment.
fn check_file(machine: &Machine, newest_kept: u64) {
    let bytes = std::fs::read(machine.log_path()).unwrap();
    let lines = &machine.lines;
    let mut found = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Some(seq) = seq_of(line) else { continue };
        let trailer = Trailer::of(line).unwrap();
        let chain = trailer.chain().expect("each line has a hash");
        let line = [trailer.open, b"}"].concat().into();
        let expected = &lines.all()[seq as usize - 1];
        assert_eq!(*expected, ChainedLine { seq, chain, line }, "line {seq} of the file");
        assert_eq!(found.insert(seq, ()), None);
    }
    let newest_of_each: BTreeMap<u64, &Comment> =
        lines.comments().map(|comment| (comment.id, comment)).collect();
    for comment in newest_of_each.values() {
        assert!(found.contains_key(&comment.seq), "comment {} is missing", comment.id);
    }
    let first = (lines.seq() + 1).saturating_sub(newest_kept).max(1);
    for seq in first..=lines.seq() {
        assert!(found.contains_key(&seq), "line {seq} of {} is missing", lines.seq());
    }
}

/// What a hub says if it is asked, as a text.
fn state(hub: &mut Hub<()>, stats: &Stats) -> String {
    let (sender, receiver) = channel();
    let mut said = format!("{:?}", hub.log_end().chain);
    let histories = sender.clone();
    let read = ReadHistory {
        page: PAGE.into(),
        range: HistoryRange::Before(None),
        limit: 10_000,
        moderator: true,
        answer: Box::new(move |history| {
            let history = history.unwrap();
            let mut said = format!("{:?} {} {}", history.likes, history.seq, history.count);
            let each = |_: &_, line: &[u8]| said.push_str(&String::from_utf8_lossy(line));
            history.read(each).unwrap();
            let _ = histories.send(said);
        }),
    };
    let pages = sender.clone();
    let page = Box::new(move |page| drop(pages.send(format!("{page:?}"))));
    let queries = [Query::ReadHistory(read), Query::Page(PAGE.into(), page)];
    hub.process_batch(&mut queries.into_iter().map(Command::Query));
    drop(sender);
    receiver.iter().for_each(|part| said.push_str(&part));
    let numbers = [&stats.seq, &stats.comments, &stats.pending, &stats.flagged];
    let counters = &stats.counters;
    let more = [&counters.pages, &counters.live_bytes, &counters.log_bytes];
    format!("{said} {numbers:?} {more:?}")
}
