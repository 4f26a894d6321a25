//! Which comments a lost line concerns.

use sayso::comment::{Comment, Status};

use super::{lines, logs::Writer, repair};

/// Three comments, the second of which is deleted.
fn three(deletes: bool) -> Writer {
    let mut log = Writer::new(1);
    log.post("first");
    let second = log.post("second");
    if deletes {
        log.change(&second, Comment::make_tombstone);
    } else {
        log.change(&second, |comment| comment.content = "second, edited".into());
    }
    log.post("third");
    log
}

/// The log with a byte of line `number` changed, at the first place where `text` stands in it.
fn damaged(log: &[u8], number: usize, text: &str) -> Vec<u8> {
    let start: usize = lines(log).take(number - 1).map(|line| line.len() + 1).sum();
    let mut log = log.to_vec();
    let at = log[start..].windows(text.len()).position(|window| window == text.as_bytes());
    log[start + at.unwrap() + text.len() - 1] ^= 4;
    log
}

fn without(log: &[u8], number: usize) -> Vec<u8> {
    let lines = lines(log).enumerate().filter(|(at, _)| at + 1 != number);
    lines.flat_map(|(_, line)| [line, b"\n"].concat()).collect()
}

#[test]
fn a_damaged_tombstone_hides_the_comment_that_it_deletes_and_no_other() {
    let log = three(true).bytes;
    for text in ["deleted\":t", "nonce", "\"seq", "crc\":\"0"] {
        if lines(&log).nth(3).unwrap().windows(text.len()).any(|w| w == text.as_bytes()) {
            let repaired = repair(&damaged(&log, 4, text));
            assert_eq!((repaired.hidden, repaired.problems), (vec![2], vec![4]), "{text}");
            assert_eq!(repaired.comments[&2].status, Status::Hidden);
            assert_eq!(repaired.comments.len(), 3);
        }
    }
}

#[test]
fn a_damaged_digit_of_a_checksum_costs_nothing() {
    let log = three(true).bytes;
    for number in 1..=5 {
        let repaired = repair(&damaged(&log, number, ",\"crc\":\"?"[..8].into()));
        assert_eq!((repaired.hidden, repaired.problems), (vec![], vec![number as u64]));
        assert_eq!(repaired.comments.len(), 3);
        assert!(repaired.comments[&2].deleted);
    }
}

#[test]
fn a_damaged_new_comment_hides_no_other() {
    let repaired = repair(&damaged(&three(true).bytes, 5, "thir"));
    assert_eq!((repaired.hidden, repaired.problems), (vec![], vec![5]));
    assert_eq!(repaired.comments.keys().collect::<Vec<_>>(), [&1, &2]);
}

#[test]
fn a_line_that_nothing_is_known_of_hides_all_that_is_older_and_has_no_good_line_after_it() {
    let log = three(false).bytes;
    let repaired = repair(&without(&log, 2));
    assert_eq!(repaired.hidden, [2; 0], "only what is older: {:?}", repaired.hidden);
    let repaired = repair(&without(&log, 4));
    assert_eq!(repaired.hidden, [1, 2, 4]);
    // Once there is a good line after it, a comment is as that line says.
    let mut log = three(false);
    let mut fourth = log.post("fourth");
    fourth = log.change(&fourth, |comment| comment.content = "fourth, edited".into());
    log.change(&fourth, |comment| comment.content = "fourth, edited again".into());
    let last = repair(&without(&log.bytes, 6));
    assert_eq!((last.hidden, last.comments.len()), (vec![1, 2, 4], 4));
}

#[test]
fn a_lost_line_below_the_headers_next_hides_nothing() {
    let mut log = Writer::new(21);
    for seq in [2, 5, 9] {
        let (id, page) = (seq, "/".to_owned());
        log.comment(&Comment { seq, id, page, content: "old".into(), ..Comment::default() });
    }
    let whole = repair(&log.bytes);
    assert_eq!((whole.hidden, whole.problems), (vec![], vec![]), "a gap in seq is no loss");
    let repaired = repair(&damaged(&log.bytes, 3, "old"));
    // The line itself is either damaged or behind a lost one; nothing proves it.
    assert_eq!(repaired.hidden, [5]);
    assert!(repaired.comments.values().all(|comment| comment.id == 5 || comment.is_visible()));
}

#[test]
fn a_write_that_was_cut_short_hides_nothing() {
    let mut log = three(true).bytes;
    let whole = log.len();
    let second = br#"{"seq":5,"id":1,"page":"/","content":"edited","created_at":"2026-11-22T05"#;
    log.extend_from_slice(second);
    for end in whole..=log.len() {
        let repaired = repair(&log[..end]);
        assert_eq!((repaired.hidden.len(), repaired.comments.len()), (0, 3), "{end}");
    }
}

#[test]
fn zeros_or_text_behind_the_last_line_hide_nothing_unless_a_line_feed_follows() {
    let log = three(true).bytes;
    for tail in [&[0; 1][..], &[0; 4096], b"\0\0{\"seq\":5,\"id\":1", b"{\"seq\":5\0\0", b"rubbish"]
    {
        let repaired = repair(&[&log, tail].concat());
        assert_eq!(repaired.hidden, [0; 0], "{tail:?}");
        assert!(repaired.problems.iter().all(|line| *line == 6), "{tail:?}");
        assert_eq!(repaired.comments.len(), 3);
        assert!(repaired.comments[&2].deleted);
    }
    // A line feed ends a line that may have been acknowledged.
    assert_eq!(repair(&[&log[..], b"\0\0\0\n"].concat()).hidden, [1, 4]);
}

#[test]
fn a_hidden_comment_leaves_a_note_that_a_repair_has_hidden_it() {
    let repaired = repair(&damaged(&three(true).bytes, 4, "deleted\":t"));
    let note = repaired.others.last().unwrap();
    assert_eq!((note.kind.as_deref(), note.id), (Some("note"), 2));
}
