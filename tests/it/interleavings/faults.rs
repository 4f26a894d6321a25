//! Everything that goes wrong: machines are killed, connections cut, Redis loses what it had, or has no room.

use std::fs;

use sayso::{
    cluster::node::Link,
    hub::command::{Command, Query},
};

use super::{config::Fault, machine::Reading, steps::Connection, world::Report, world::World};

impl World<'_> {
    /// Something goes wrong.
    pub fn fault(&mut self) {
        let fault = self.random.pick(&self.config.faults);
        let on = self.machines.iter().filter(|machine| machine.is_on()).count();
        let machine = self.random.between(0, self.machines.len() - 1);
        match fault {
            Fault::Crash if on > 1 || (on == 1 && self.random.percent(30)) => {
                let machine = self.pick_machine();
                let compacts = self.machines[machine].on().is_compacting;
                match !compacts && self.random.percent(50) {
                    true => self.kill_while_writing(machine),
                    false => self.kill(machine, None),
                }
            }
            Fault::Start => self.start(machine),
            Fault::Cut if self.machines[machine].is_on() => {
                let link = self.random.pick(&[Link::Commands, Link::Lines]);
                let is_free = matches!(self.machines[machine].on().reading, Reading::Nothing);
                if link == Link::Commands || is_free {
                    self.lose(machine, link);
                }
            }
            Fault::Restart => {
                let random = &mut self.random;
                let choose = |low, high| random.between(low, high);
                self.stream.restart(self.server, self.config.lost_max, choose);
                self.note_redis("is restarted");
            }
            Fault::Empty => {
                self.stream.empty(self.server);
                self.note_redis("starts with nothing");
            }
            Fault::Failover => self.fail_over(),
            Fault::Demote => {
                self.stream.begin_history();
                self.note_redis("begins a history");
            }
            Fault::Replicate => {
                let random = &mut self.random;
                self.stream.replicate(|low, high| random.between(low, high));
            }
            Fault::Persist => {
                let random = &mut self.random;
                self.stream.persist(|low, high| random.between(low, high));
            }
            Fault::Full => self.refusals_left = self.random.between(1, 3),
            Fault::Alone => self.serve_alone(machine),
            Fault::Compact if self.machines[machine].is_on() => self.begin_compaction(machine),
            Fault::ReaderLeaves => {
                let reader = self.random.between(0, self.readers.len() - 1);
                self.detach_reader(reader);
            }
            Fault::GiveUp => {
                let client = self.random.between(0, self.clients.len() - 1);
                self.give_up(client);
            }
            Fault::Crash | Fault::Cut | Fault::Compact => {}
        }
    }

    fn fail_over(&mut self) {
        let incarnation = self.stream.incarnation;
        let is_restarted = self.random.percent(50);
        let old = self.stream.fail_over(self.server, is_restarted);
        self.note_redis("fails over");
        if !self.config.has_zombies {
            return;
        }
        for connection in &mut self.connections {
            let Connection { machine, link, is_closed, zombie, .. } = connection;
            let may_live = *link == Link::Lines && !*is_closed;
            if !may_live || connection.incarnation != incarnation || !self.random.percent(70) {
                continue;
            }
            let process = self.machines[*machine].on();
            if process.shared.node().is_link_attached(Link::Lines) {
                *zombie = Some(Some(old.clone()));
            }
        }
    }

    fn note_redis(&mut self, what: &str) {
        let moment = self.stream.now().clone();
        let seq = moment.meta.as_ref().map(|meta| meta.seq);
        self.note(format!("Redis {what}, and has {seq:?}"));
    }

    /// A machine that is off is served alone for a while, without Redis, though nobody should.
    fn serve_alone(&mut self, machine: usize) {
        let it = &mut self.machines[machine];
        if !it.is_on() && it.stopped.is_none() && it.lines.seq() > 0 {
            it.serve_alone();
            it.is_away = true;
            self.counts.alone += 1;
            self.note(format!("{machine} has served its log alone"));
        }
    }

    /// Kills a machine in the middle of what its hub does: nobody is told of it, and of what it writes some may be missing.
    fn kill_while_writing(&mut self, machine: usize) {
        let path = self.machines[machine].log_path();
        let runs = path.with_file_name("runs");
        let length = |path| fs::metadata(path).unwrap().len();
        let (before, runs_before) = (length(&path), fs::read(&runs).ok());
        let log = self.machines[machine].on().hub.log_end().log;
        self.process(machine);
        self.note_stored(machine);
        let (after, has_adopted) =
            (length(&path), *log != *self.machines[machine].on().hub.log_end().log);
        // The runs are written behind the lines.
        let has_new_runs = runs_before != fs::read(&runs).ok();
        let is_before_runs = has_new_runs && !has_adopted && self.random.percent(50);
        let may_be_torn = after > before && !has_adopted && (!has_new_runs || is_before_runs);
        let cut = may_be_torn.then(|| self.random.between(before as usize, after as usize) as u64);
        self.counts.torn += u64::from(cut.is_some());
        self.kill(machine, cut);
        if is_before_runs {
            self.note(format!("{machine} has not written the new runs"));
            match runs_before {
                Some(before) => fs::write(runs, before).unwrap(),
                None => fs::remove_file(runs).unwrap(),
            }
        }
    }

    fn begin_compaction(&mut self, machine: usize) {
        let reports = self.reports.clone();
        let done = Box::new(move |outcome| drop(reports.send(Report::Compacted(outcome))));
        let process = self.machines[machine].on();
        // While it may not, the hub would wait for some seconds of the clock on the wall.
        if process.is_compacting || !process.shared.node().may_compact() {
            return;
        }
        process.hub.process_batch(&mut std::iter::once(Command::Query(Query::Compact(done))));
        process.must_look = true;
        match self.take_reports(machine) {
            Some(refused) => {
                self.note(format!("{machine} does not compact its log: {refused:?}"));
            }
            None => {
                self.machines[machine].on().is_compacting = true;
                self.note(format!("{machine} begins to compact its log"));
            }
        }
    }
}
