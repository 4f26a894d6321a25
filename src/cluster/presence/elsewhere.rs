//! How many readers the pages of all other machines have together.
//!
//! Pure: it is told what was heard and what time it is. A number holds for [`SILENCE_MAX`] and is said again before that, so that neither
//! a lost message nor a machine that has gone leaves readers behind.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use super::message::Message;
use crate::hub::order::Presence;

/// For how long a number holds, and a machine counts that says nothing: three times as long as it has to say everything again.
pub const SILENCE_MAX: Duration = Duration::from_secs(12);
/// Machines that are listened to. Each sends everything every 10 s to each other one; with more of them the hub of one machine would be
/// what all of them wait for anyway.
pub const NODES_MAX: usize = 64;
/// Pages with readers that one machine tells of, and that are remembered of one: with names of 100 bytes 2 MB in each of the 10 seconds.
pub const NODE_PAGES_MAX: usize = 16_384;
/// Numbers that are remembered of all machines together: 65,536 × (512 bytes of name + some 200 bytes) are 46 MB at worst, and 15 MB
/// with names of 50 bytes.
pub const ELSEWHERE_PAGES_MAX: usize = 65_536;
/// Pages that the hub is told of at once, so that this takes it no more than some ms; the others follow a second later.
pub const PRESENCE_PAGES_MAX: usize = 8_192;
/// Pages on which somebody types, in one second.
pub const TYPING_PAGES_MAX: usize = 1_024;

/// See the [module](self).
pub struct ReadersElsewhere {
    /// This machine, whose messages come back to it.
    own: u64,
    nodes: HashMap<u64, NodeReaders>,
    /// The sums of pages that have any.
    sums: HashMap<Arc<str>, u32>,
    /// Numbers of all nodes together.
    numbers: usize,
    /// Pages whose sum has changed since it was taken.
    changed: HashSet<Arc<str>>,
    typing: HashMap<Arc<str>, Box<str>>,
}

struct NodeReaders {
    heard: Instant,
    /// Never 0.
    pages: HashMap<Arc<str>, (u32, Instant)>,
}

impl ReadersElsewhere {
    /// Nobody has been heard yet by the machine `own`.
    pub fn new(own: u64) -> ReadersElsewhere {
        ReadersElsewhere {
            own,
            nodes: HashMap::new(),
            sums: HashMap::new(),
            numbers: 0,
            changed: HashSet::new(),
            typing: HashMap::new(),
        }
    }

    /// Takes in what a machine has said. Returns whether it is listened to: it is neither this one nor one too many.
    pub fn hear(&mut self, message: &Message, now: Instant) -> bool {
        let is_known = self.nodes.contains_key(&message.node);
        if message.node == self.own || (!is_known && self.nodes.len() >= NODES_MAX) {
            return false;
        }
        let node = NodeReaders { heard: now, pages: HashMap::new() };
        let mut node = self.nodes.remove(&message.node).unwrap_or(node);
        node.heard = now;
        for (page, readers) in &message.readers {
            self.set(&mut node, page, *readers, now);
        }
        self.nodes.insert(message.node, node);
        for (page, name) in &message.typing {
            if self.typing.len() < TYPING_PAGES_MAX {
                self.typing.insert(self.shared(page), name.as_str().into());
            }
        }
        true
    }

    /// Forgets what was said too long ago.
    pub fn forget(&mut self, now: Instant) {
        let holds = |since: Instant| now.saturating_duration_since(since) < SILENCE_MAX;
        let mut nodes = std::mem::take(&mut self.nodes);
        for node in nodes.values_mut() {
            node.pages.retain(|page, (readers, said)| {
                let holds = holds(*said);
                if !holds {
                    self.numbers -= 1;
                    self.add(page, -i64::from(*readers));
                }
                holds
            });
        }
        nodes.retain(|_, node| holds(node.heard));
        self.nodes = nodes;
    }

    /// Returns the pages whose sum has changed since the last call, as many as fit into one message to the hub, and who has typed since.
    pub fn take_changes(&mut self) -> Presence {
        let changed: Vec<_> = self.changed.iter().take(PRESENCE_PAGES_MAX).cloned().collect();
        for page in &changed {
            self.changed.remove(page);
        }
        let sum = |page: &Arc<str>| self.sums.get(page).copied().unwrap_or_default();
        let readers = changed.into_iter().map(|page| (page.clone(), sum(&page))).collect();
        Presence { readers, typing: std::mem::take(&mut self.typing).into_iter().collect() }
    }

    fn set(&mut self, node: &mut NodeReaders, page: &str, readers: u32, now: Instant) {
        let before = node.pages.get(page).map(|(readers, _)| *readers);
        match (before, readers) {
            (None, 0) => return,
            (Some(_), 0) => {
                node.pages.remove(page);
                self.numbers -= 1;
            }
            (None, _)
                if node.pages.len() >= NODE_PAGES_MAX || self.numbers >= ELSEWHERE_PAGES_MAX =>
            {
                return;
            }
            (_, _) => {
                self.numbers += usize::from(before.is_none());
                node.pages.insert(self.shared(page), (readers, now));
            }
        }
        let page = self.shared(page);
        self.add(&page, i64::from(readers) - i64::from(before.unwrap_or_default()));
    }

    fn add(&mut self, page: &Arc<str>, change: i64) {
        if change == 0 {
            return;
        }
        // At most 64 × 1,000,000.
        match self.sums.entry(page.clone()) {
            Entry::Vacant(vacant) => drop(vacant.insert(change as u32)),
            Entry::Occupied(mut sum) => match (i64::from(*sum.get()) + change) as u32 {
                0 => drop(sum.remove()),
                other => *sum.get_mut() = other,
            },
        }
        self.changed.insert(page.clone());
    }

    /// The page's name, shared with those that have readers.
    fn shared(&self, page: &str) -> Arc<str> {
        self.sums.get_key_value(page).map_or_else(|| page.into(), |(page, _)| page.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(node: u64, readers: &[(&str, u32)]) -> Message {
        let readers = readers.iter().map(|(page, readers)| ((*page).to_owned(), *readers));
        Message { node, run: None, asks: false, readers: readers.collect(), typing: Vec::new() }
    }

    fn typing(node: u64, page: &str, name: &str) -> Message {
        Message { typing: vec![(page.to_owned(), name.to_owned())], ..message(node, &[]) }
    }

    fn taken(elsewhere: &mut ReadersElsewhere) -> Vec<(String, u32)> {
        let mut readers: Vec<_> = elsewhere
            .take_changes()
            .readers
            .into_iter()
            .map(|(page, readers)| (page.to_string(), readers))
            .collect();
        readers.sort();
        readers
    }

    /// What must hold after anything: sums are those of the nodes' numbers.
    fn check(elsewhere: &ReadersElsewhere) {
        let mut sums: HashMap<&str, u32> = HashMap::new();
        let mut numbers = 0;
        for (page, (readers, _)) in elsewhere.nodes.values().flat_map(|node| &node.pages) {
            *sums.entry(page).or_default() += readers;
            numbers += 1;
            assert!(*readers > 0);
        }
        assert_eq!(elsewhere.numbers, numbers);
        assert_eq!(sums.len(), elsewhere.sums.len());
        for (page, sum) in sums {
            assert_eq!(elsewhere.sums[page], sum, "{page}");
        }
    }

    #[test]
    fn the_readers_of_a_page_are_those_of_all_other_machines() {
        let (mut elsewhere, now) = (ReadersElsewhere::new(1), Instant::now());
        assert!(elsewhere.hear(&message(2, &[("a", 3), ("b", 1)]), now));
        assert!(elsewhere.hear(&message(3, &[("a", 4)]), now));
        assert!(!elsewhere.hear(&message(1, &[("a", 100)]), now));
        assert_eq!(taken(&mut elsewhere), [("a".into(), 7), ("b".into(), 1)]);
        assert_eq!(taken(&mut elsewhere), []);
        assert!(elsewhere.hear(&message(2, &[("a", 0), ("c", 0)]), now));
        assert_eq!(taken(&mut elsewhere), [("a".into(), 4)]);
        elsewhere.hear(&message(3, &[("a", 0)]), now);
        elsewhere.hear(&message(2, &[("b", 1)]), now);
        assert_eq!(taken(&mut elsewhere), [("a".into(), 0)], "b is said again only");
        check(&elsewhere);
    }

    #[test]
    fn a_machine_that_says_nothing_for_12_seconds_has_no_readers() {
        let (mut elsewhere, start) = (ReadersElsewhere::new(1), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        elsewhere.hear(&message(2, &[("a", 3), ("lost", 1)]), at(0));
        elsewhere.hear(&message(3, &[("a", 4)]), at(0));
        // The message that nobody reads `lost` any more did not come.
        elsewhere.hear(&message(2, &[("a", 3)]), at(8));
        taken(&mut elsewhere);
        elsewhere.forget(at(11));
        assert_eq!(taken(&mut elsewhere), []);
        elsewhere.forget(at(12));
        assert_eq!(taken(&mut elsewhere), [("a".into(), 3), ("lost".into(), 0)]);
        assert_eq!(elsewhere.nodes.len(), 1);
        check(&elsewhere);
        elsewhere.forget(at(20));
        assert_eq!(taken(&mut elsewhere), [("a".into(), 0)]);
        assert!(elsewhere.nodes.is_empty() && elsewhere.sums.is_empty());
        assert!(elsewhere.hear(&message(2, &[("a", 2)]), at(21)));
        assert_eq!(taken(&mut elsewhere), [("a".into(), 2)]);
    }

    #[test]
    fn who_types_is_told_once() {
        let (mut elsewhere, now) = (ReadersElsewhere::new(1), Instant::now());
        elsewhere.hear(&typing(2, "a", "Ada"), now);
        elsewhere.hear(&typing(1, "b", "Bob"), now);
        assert_eq!(elsewhere.take_changes().typing, [("a".into(), "Ada".into())]);
        assert_eq!(elsewhere.take_changes(), Presence::default());
        for n in 0..TYPING_PAGES_MAX + 1 {
            elsewhere.hear(&typing(2, &n.to_string(), "Ada"), now);
        }
        assert_eq!(elsewhere.take_changes().typing.len(), TYPING_PAGES_MAX);
    }

    #[test]
    fn everything_that_is_remembered_has_a_limit() {
        let (mut elsewhere, now) = (ReadersElsewhere::new(0), Instant::now());
        let names: Vec<String> = (0..=NODE_PAGES_MAX).map(|n| n.to_string()).collect();
        let pages: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        for node in 1..=4 {
            elsewhere.hear(&message(node, &pages), now);
            assert_eq!(elsewhere.numbers, node as usize * NODE_PAGES_MAX);
        }
        assert_eq!(elsewhere.numbers, ELSEWHERE_PAGES_MAX);
        elsewhere.hear(&message(5, &[("0", 7), ("new", 1)]), now);
        assert_eq!(elsewhere.numbers, ELSEWHERE_PAGES_MAX);
        // Known numbers still change.
        elsewhere.hear(&message(4, &[("0", 9)]), now);
        assert_eq!(elsewhere.sums["0"], 3 + 9);
        let counts = [0; 3].map(|_| elsewhere.take_changes().readers.len());
        assert_eq!(counts, [PRESENCE_PAGES_MAX, PRESENCE_PAGES_MAX, 0]);
        for node in 6..=NODES_MAX as u64 {
            assert!(elsewhere.hear(&message(node, &[]), now));
        }
        let last = NODES_MAX as u64 + 1;
        assert!(!elsewhere.hear(&message(last, &[("a", 1)]), now));
        assert!(elsewhere.hear(&message(5, &[]), now));
        check(&elsewhere);
        elsewhere.forget(now + SILENCE_MAX);
        assert_eq!((elsewhere.numbers, elsewhere.nodes.len()), (0, 0));
    }

    #[test]
    fn sums_stay_right_whatever_is_said_and_forgotten() {
        let (mut elsewhere, mut now) = (ReadersElsewhere::new(0), Instant::now());
        let (mut random, mut known) = (1_u32, HashMap::new());
        let mut next = |below: u32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 16) % below
        };
        for _ in 0..5_000 {
            now += Duration::from_secs(u64::from(next(6)));
            let page = next(10).to_string();
            elsewhere.hear(&message(u64::from(next(5)), &[(&page, next(4))]), now);
            elsewhere.forget(now);
            if next(3) == 0 {
                known.extend(taken(&mut elsewhere));
            }
            check(&elsewhere);
        }
        known.extend(taken(&mut elsewhere));
        known.retain(|_, readers| *readers > 0);
        let sums = elsewhere.sums.iter().map(|(page, sum)| (page.to_string(), *sum));
        assert_eq!(known, sums.collect(), "whoever takes all changes knows all sums");
    }
}
