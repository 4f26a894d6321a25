//! Small graphs of comments, whose whole order is checked.

use super::super::spool::{SpoolWriter, Texts};
use super::*;

/// Key, key of the parent, time, flags.
type Node = (u64, u64, u64, u16);

fn arranged(nodes: &[Node], newest_wins: bool) -> (Spool, Ordered) {
    let mut writer = SpoolWriter::create(&std::env::temp_dir()).unwrap();
    for (line, (key, parent, created_at, flags)) in nodes.iter().enumerate() {
        let entry = Entry {
            key: *key,
            parent: *parent,
            created_at: *created_at,
            line: line as u64 + 1,
            flags: Flags(*flags),
            ..Entry::default()
        };
        writer.push(entry, Some(&Texts::default())).unwrap();
    }
    let spool = writer.finish().unwrap();
    let ordered = arrange(&spool, &PageNumbers { numbers: vec![0] }, newest_wins).unwrap();
    (spool, ordered)
}

fn order_of(nodes: &[Node]) -> (Vec<u32>, Vec<u32>) {
    let (_, ordered) = arranged(nodes, false);
    (ordered.entries, ordered.parents)
}

const TOP: u32 = NO_PARENT;

#[test]
fn comments_are_in_the_order_of_their_times_and_then_of_the_file() {
    let nodes = [(1, 0, 5, 0), (2, 0, 3, 0), (3, 0, 5, 0), (4, 0, 1, 0)];
    assert_eq!(order_of(&nodes), (vec![3, 1, 0, 2], vec![TOP; 4]));
}

#[test]
fn a_parent_comes_first_even_if_it_follows_in_the_file_or_is_younger() {
    assert_eq!(order_of(&[(1, 2, 5, 0), (2, 0, 5, 0)]), (vec![1, 0], vec![TOP, 0]));
    let nodes = [(1, 2, 1, 0), (2, 3, 2, 0), (3, 0, 9, 0), (4, 0, 1, 0)];
    assert_eq!(order_of(&nodes), (vec![2, 1, 0, 3], vec![TOP, 0, 1, TOP]));
}

#[test]
fn a_loop_is_broken_at_its_oldest_comment() {
    let (_, ordered) =
        arranged(&[(1, 2, 5, 0), (2, 3, 3, 0), (3, 1, 4, 0), (4, 4, 1, 0), (5, 1, 6, 0)], false);
    assert_eq!(ordered.entries, [3, 1, 0, 2, 4]);
    assert_eq!(ordered.parents, [TOP, TOP, 1, 2, 2]);
    assert_eq!(ordered.fate(1), Fate::Kept(Some(Change::ParentLoop)));
    assert_eq!(ordered.fate(3), Fate::Kept(Some(Change::ParentLoop)));
    assert_eq!(ordered.fate(0), Fate::Kept(None));
}

#[test]
fn a_deleted_comment_stays_only_below_something_that_is_answered() {
    let gone = Flags::DELETED;
    let nodes = [
        (1, 0, 1, gone),
        (2, 1, 2, gone),
        (3, 2, 3, 0),
        (4, 3, 4, gone),
        (5, 0, 5, gone | Flags::EMPTY),
        (6, 5, 6, gone),
    ];
    let (_, ordered) = arranged(&nodes, false);
    assert_eq!(ordered.entries, [0, 1, 2]);
    assert_eq!(ordered.fate(3), Fate::LeftOut(Reason::Deleted));
    assert_eq!(ordered.fate(4), Fate::LeftOut(Reason::Empty));
    let (_, all) = arranged(&nodes, true);
    assert_eq!(all.entries.len(), 6, "sayso's own tombstones stay");
}

#[test]
fn of_one_id_the_first_counts_or_for_sayso_the_last_in_its_place() {
    let nodes = [(1, 0, 5, 0), (2, 0, 5, 0), (1, 0, 5, Flags::HIDDEN), (3, 1, 6, 0)];
    let (_, first) = arranged(&nodes, false);
    assert_eq!((first.entries.clone(), first.parents.clone()), (vec![0, 1, 3], vec![TOP, TOP, 0]));
    assert_eq!(first.fate(2), Fate::LeftOut(Reason::Repeated));
    let (spool, last) = arranged(&nodes, true);
    assert_eq!(last.entries, [0, 1, 3]);
    assert_eq!(last.fate(2), Fate::Superseded);
    assert!(spool.entry(0).unwrap().flags.has(Flags::HIDDEN));
}

#[test]
fn a_missing_parent_makes_a_comment_of_the_top_level() {
    let (_, ordered) = arranged(&[(1, 7, 1, 0)], false);
    assert_eq!(ordered.parents, [TOP]);
    assert_eq!(ordered.fate(0), Fate::Kept(Some(Change::ParentMissing)));
}

#[test]
fn the_newest_pinned_comments_stay_pinned_up_to_the_limit() {
    let nodes: Vec<Node> =
        (1..=PINS_A_PAGE_MAX as u64 + 1).map(|key| (key, 0, 100 - key, Flags::PINNED)).collect();
    let (_, ordered) = arranged(&nodes[1..], false);
    assert!((0..PINS_A_PAGE_MAX as u32).all(|number| !ordered.is_unpinned(number)));
    let (_, ordered) = arranged(&nodes, false);
    let unpinned: Vec<u32> =
        (0..nodes.len() as u32).filter(|number| ordered.is_unpinned(*number)).collect();
    assert_eq!(unpinned, [PINS_A_PAGE_MAX as u32]);
    assert_eq!(ordered.entries.len(), nodes.len());
}

#[test]
fn every_graph_of_four_comments_keeps_parents_before_answers() {
    // Parents 0 to 4 of each of four comments, and all orders of two times.
    for graph in 0..5_u64.pow(4) {
        for times in 0..16 {
            let nodes: Vec<Node> = (0..4)
                .map(|at| (at + 1, graph / 5_u64.pow(at as u32) % 5, 1 + (times >> at & 1), 0))
                .collect();
            let (entries, parents) = order_of(&nodes);
            assert_eq!(entries.len(), 4, "{nodes:?}");
            for (place, parent) in parents.iter().enumerate() {
                assert!(*parent == TOP || (*parent as usize) < place, "{nodes:?}");
            }
        }
    }
}
