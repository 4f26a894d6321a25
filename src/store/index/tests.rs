//! What reads of a page's history cost, counted in comments looked at.

use super::{CommentRef, Entry, Index, Thread, comments::visits};
use crate::{log::scan::Location, store::visibility::Visibility};

/// Looked at to find where a read begins: a binary search in each of a few lists, here and there in another one.
const SEARCHED_MAX: usize = 150;
/// Looked at for each comment that is returned.
const A_COMMENT_MAX: usize = 12;
/// Looked at for each thread that is returned: where it begins and ends is searched for.
const A_THREAD_MAX: usize = 70;

/// An index that comments are put into one after another.
#[derive(Default)]
struct Written {
    index: Index,
    seq: u64,
}

impl Written {
    fn put(&mut self, id: Option<u64>, visibility: Visibility, parent: Option<u64>) -> u64 {
        self.seq += 1;
        let (seq, id) = (self.seq, id.unwrap_or(self.seq));
        let location = Location { offset: seq * 100, len: 90 };
        let (nonce, time) = (None, None);
        let entry = Entry { id, seq, location, visibility, page: "/", parent, nonce, time };
        self.index.put(entry, &|_| None);
        id
    }

    fn post(&mut self) -> u64 {
        self.put(None, Visibility::Public, None)
    }

    fn hold(&mut self, count: usize) {
        for _ in 0..count {
            self.put(None, Visibility::Pending, None);
        }
    }
}

/// Checks how many comments a read looks at, and returns how many it returns.
fn count(what: &str, read: impl Iterator<Item = CommentRef>) -> usize {
    visits::take();
    let returned = read.count();
    let visited = visits::take();
    assert!(
        visited <= SEARCHED_MAX + returned * A_COMMENT_MAX,
        "{what}: {visited} looked at for {returned}"
    );
    returned
}

/// The same for a read of threads, with the ends of each.
fn count_threads<'a>(what: &str, read: impl Iterator<Item = Thread<'a>>) -> usize {
    visits::take();
    let (mut threads, mut comments) = (0, 0);
    for thread in read {
        threads += 1;
        comments += thread.first().iter().count() + thread.ends(3, 7).count();
    }
    let visited = visits::take();
    assert!(
        visited <= SEARCHED_MAX + comments * A_COMMENT_MAX + threads * A_THREAD_MAX,
        "{what}: {visited} looked at for {comments} in {threads} threads"
    );
    comments
}

/// All reads of a page, each from an end or from the middle.
fn read_all(written: &Written, middle: u64) -> [usize; 6] {
    let index = &written.index;
    [
        count("the newest", index.newest("/", None).take(50)),
        count("before", index.newest("/", Some(middle)).take(50)),
        count("since", index.since("/", middle).take(50)),
        count_threads("newest threads", index.threads_before("/", None).take(10)),
        count_threads("threads before", index.threads_before("/", Some(middle)).take(10)),
        count_threads("threads after", index.threads_after("/", middle).take(10)),
    ]
}

#[test]
fn reading_a_page_costs_what_it_returns_whatever_is_held() {
    let mut written = Written::default();
    for _ in 0..60 {
        written.post();
    }
    written.hold(30_000);
    let middle = written.seq;
    assert_eq!(read_all(&written, middle), [50, 50, 0, 10, 10, 0]);
    for _ in 0..60 {
        written.post();
    }
    written.hold(30_000);
    assert_eq!(read_all(&written, middle), [50, 50, 50, 10, 10, 10]);
    // Held ones that a moderator throws away, and changes all of.
    for id in 100..20_000 {
        written.put(Some(id), Visibility::PendingDeleted, None);
    }
    assert_eq!(read_all(&written, middle), [50, 50, 50, 10, 10, 10]);
    // Let out and edited, they are all changed, so that none is new where the old lines were.
    for id in 20_000..30_000 {
        written.put(Some(id), Visibility::Public, None);
        written.put(Some(id), Visibility::Public, None);
    }
    assert_eq!(read_all(&written, 15), [50, 14, 50, 10, 10, 10]);
    assert_eq!(read_all(&written, written.seq - 6), [50, 50, 3, 10, 10, 0]);
}

#[test]
fn reading_threads_costs_what_it_returns_whatever_is_deleted_or_hidden() {
    let mut written = Written::default();
    let (mut gone, mut roots) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let root = written.post();
        roots.push(root);
        for n in 0..1_000 {
            let first = written.post();
            gone.push(first);
            gone.push(written.put(None, Visibility::Public, Some(root)));
            gone.push(written.put(None, Visibility::Public, Some(first)));
            if n % 100 == round {
                written.put(None, Visibility::Public, Some(root));
            }
        }
    }
    let middle = roots[10] - 1;
    count_threads("newest threads", written.index.threads_before("/", None).take(10));
    for (number, &id) in gone.iter().enumerate() {
        let how = [Visibility::Deleted, Visibility::Hidden][number % 2];
        written.put(Some(id), how, None);
    }
    let index = &written.index;
    let ten = 10 * (1 + 10);
    assert_eq!(count_threads("threads", index.threads_before("/", None).take(10)), ten);
    assert_eq!(count_threads("before", index.threads_before("/", Some(middle)).take(10)), ten);
    assert_eq!(count_threads("after", index.threads_after("/", middle).take(10)), ten);
    for &root in &roots {
        let thread = || index.thread_of("/", root).unwrap();
        assert_eq!(
            count("one thread", thread().after(middle).chain(thread().after(0))),
            10 + if root > middle { 10 } else { 0 }
        );
    }
    // A long chain of answers, of which only the last is left: all above it keep their places, and go with it.
    let top = written.post();
    let mut chain = vec![top];
    for _ in 0..2_000 {
        chain.push(written.put(None, Visibility::Public, chain.last().copied()));
    }
    for &id in &chain[..2_000] {
        written.put(Some(id), Visibility::Deleted, None);
    }
    assert_eq!(written.index.thread_of("/", top).unwrap().len(), 2_000);
    assert_eq!(count_threads("a chain", written.index.threads_before("/", None).take(1)), 11);
    written.put(chain.last().copied(), Visibility::Deleted, None);
    assert!(written.index.thread_of("/", top).is_none());
    assert_eq!(count_threads("no chain", written.index.threads_before("/", None).take(10)), ten);
}

#[test]
fn a_post_costs_the_same_however_long_its_page_and_its_thread_are() {
    let mut written = Written::default();
    let roots: Vec<u64> = (0..50).map(|_| written.post()).collect();
    for n in 0..40_000 {
        written.put(None, Visibility::Public, Some(roots[n * 7 % 50]));
    }
    for &root in &roots {
        visits::take();
        written.put(None, Visibility::Public, Some(root));
        written.post();
        let visited = visits::take();
        assert!(visited <= SEARCHED_MAX, "{visited} looked at");
    }
}
