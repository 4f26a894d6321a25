use super::*;
use crate::store::index::Entry;

fn author(number: u8) -> Author {
    Author::from_key(&format!("key-of-author-{number:04}"))
}

fn at(offset: u64) -> Location {
    Location { offset, len: 100 }
}

/// An index with public comments of one page, but for those that never were.
fn index(public: &[u64], pending: &[u64]) -> Index {
    let mut index = Index::default();
    let mut ids: Vec<u64> = public.iter().chain(pending).copied().collect();
    ids.sort_unstable();
    for id in ids {
        let visibility =
            if pending.contains(&id) { Visibility::Pending } else { Visibility::Public };
        index.load(Entry {
            id,
            seq: id,
            location: at(id),
            visibility,
            page: "/",
            parent: None,
            nonce: None,
            time: None,
        });
    }
    index.finish_loading(std::iter::empty(), &|_| None);
    index
}

/// What lines say, each at 1,000 times its number.
fn loaded(lines: &[&str], index: &Index, now: &str) -> Moderation {
    let mut moderation = Moderation::default();
    for (number, line) in (1..).zip(lines) {
        moderation.load(line.as_bytes(), at(number * 1_000));
    }
    moderation.finish_loading(index, now);
    moderation
}

fn note(id: u64, did: &str, rest: &str) -> String {
    format!(r#"{{"seq":1,"kind":"note","id":{id},"did":"{did}"{rest},"created_at":"2026"}}"#)
}

fn flag(id: u64, number: u8) -> String {
    format!(
        r#"{{"seq":1,"kind":"flag","id":{id},"author":"{}","created_at":"2026"}}"#,
        author(number)
    )
}

const BY: &str = r#","by":"ada""#;

#[test]
fn the_newest_line_of_each_kind_counts_and_nonsense_is_passed_over() {
    let (one, two) = (author(1), author(2));
    let lines = [
        format!(r#"{{"kind":"ban","author":"{one}","until":"2030","created_at":"2026"}}"#),
        format!(r#"{{"kind":"ban","author":"{two}","until":"2027","created_at":"2026"}}"#),
        format!(
            r#"{{"kind":"ban","author":"{one}","hold":true,"until":"2031","created_at":"2026"}}"#
        ),
        r#"{"kind":"ban","until":"2031"}"#.into(),
        r#"{"kind":"ban","author":"x","until":"2031"}"#.into(),
        r#"{"kind":"page","page":"/a","locked":true}"#.into(),
        r#"{"kind":"page","page":"/a","locked":false}"#.into(),
        r#"{"kind":"page","page":"/b"}"#.into(),
        format!(r#"{{"kind":"note","author":"{one}","reason":"x","by":"ada"}}"#),
        format!(r#"{{"kind":"note","author":"{two}","reason":"y","by":"ada"}}"#),
        format!(r#"{{"kind":"note","author":"{two}","reason":"","by":"ada"}}"#),
        note(7, "hide", BY),
        note(99, "hide", BY),
        "not JSON".into(),
        flag(7, 1),
        flag(98, 1),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let moderation = loaded(&lines, &index(&[7], &[]), "2028");
    let ban = moderation.ban(BanKey::Author(one), "2028").unwrap();
    assert_eq!((&*ban.until, ban.hold, ban.location), ("2031", true, at(3_000)));
    assert!(moderation.ban(BanKey::Author(one), "2031").is_none(), "it has ended");
    assert_eq!(moderation.bans.len(), 1, "one had ended before the start");
    let state = PageState { locked: false, location: at(7_000) };
    assert_eq!((moderation.pages.len(), moderation.pages.get("/a")), (1, Some(&state)));
    assert_eq!(moderation.author_notes.get(&BanKey::Author(one)).unwrap().location, at(9_000));
    assert!(moderation.author_notes.get(&BanKey::Author(two)).is_none(), "an empty one removes it");
    assert_eq!((moderation.notes.len(), moderation.flags.len()), (1, 1), "others are gone");
    assert_eq!(moderation.flagged_count(), 1);
}

#[test]
fn a_ban_that_was_lifted_stays_lifted_however_the_clock_goes() {
    let one = author(1);
    let lines = [
        format!(r#"{{"kind":"ban","author":"{one}","until":"2030","created_at":"2026"}}"#),
        format!(r#"{{"kind":"ban","author":"{one}","until":"2027","created_at":"2027"}}"#),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for now in ["1970", "2026", "2029"] {
        assert!(loaded(&lines, &index(&[], &[]), now).bans.is_empty(), "{now}");
    }
}

#[test]
fn a_comment_that_never_was_public_is_rejected_by_its_newest_note() {
    for (lines, is_rejected) in
        [(&["hold"][..], false), (&["hold", "hide"], true), (&["hold", "hide", "hold"], false)]
    {
        let lines: Vec<String> = lines.iter().map(|did| note(7, did, BY)).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let pending = loaded(&lines, &index(&[], &[7]), "2026");
        assert_eq!(pending.rejected.get(&7).is_some(), is_rejected, "{lines:?}");
        assert!(loaded(&lines, &index(&[7], &[]), "2026").rejected.is_empty());
    }
}

#[test]
fn what_settles_flags_does_so_when_they_are_read_again() {
    for (did, by, settled, is_approved) in [
        ("approve", BY, 2, true),
        ("hide", BY, 2, false),
        ("hide", "", 0, false),
        ("pin", BY, 0, true),
        ("edit", BY, 0, true),
        ("edit", "", 0, false),
    ] {
        let lines = [flag(7, 1), flag(7, 2), note(7, did, by), flag(7, 3)];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let read = loaded(&lines, &index(&[7], &[]), "2026");
        let flags = read.flags.get(&7).unwrap();
        assert_eq!((flags.settled, flags.is_approved), (settled, is_approved), "{did}{by}");
        assert_eq!(flags.unsettled(), 3 - settled);
        // The same while serving.
        let mut live = loaded(&lines[..2], &index(&[7], &[]), "2026");
        let did = ModerationLine::parse(lines[2].as_bytes()).unwrap().did.unwrap();
        live.note(7, Note { did, is_moderators: !by.is_empty(), location: at(3_000) }, None);
        live.flag(7, author(3), at(4_000));
        assert_eq!(live.flags.get(&7), Some(flags), "{did:?}{by}");
    }
    // The author's edit unsettles what was settled.
    let lines = [flag(7, 1), note(7, "approve", BY), note(7, "edit", ""), flag(7, 2)];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let flags = loaded(&lines, &index(&[7], &[]), "2026").flags.get(&7).unwrap().clone();
    assert_eq!((flags.unsettled(), flags.is_approved), (2, false));
    // Where a compaction has dropped the settled ones, the note still says that a moderator has looked.
    let lines = [note(7, "approve", BY), flag(7, 2)];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert!(loaded(&lines, &index(&[7], &[]), "2026").flags.get(&7).unwrap().is_approved);
    // And where it has dropped an older note than that.
    let lines = [note(7, "approve", BY), flag(7, 1), note(7, "pin", BY)];
    for lines in [&lines[..], &lines[1..]] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let moderation = loaded(&lines, &index(&[7], &[]), "2026");
        assert!(moderation.flags.get(&7).unwrap().is_approved);
    }
}

#[test]
fn what_is_rolled_back_has_never_been() {
    let lines = [flag(7, 1), note(7, "hold", "")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let index = index(&[7], &[8]);
    let mut moderation = loaded(&lines, &index, "2026");
    moderation.set_pinned(0, 7, true);
    moderation.commit();
    let seen = |moderation: &Moderation| {
        format!(
            "{:?} {:?} {:?} {} {} {}",
            moderation.notes.get(&7),
            moderation.flags.get(&7),
            moderation.pins.get(&0),
            moderation.flagged_count(),
            moderation.live_bytes(),
            moderation.bans.len() + moderation.pages.len() + moderation.author_notes.len(),
        )
    };
    let before = seen(&moderation);
    let ban = Ban { until: "2030".into(), hold: false, location: at(5_000) };
    moderation.bans.set(BanKey::Author(author(1)), Some(ban));
    moderation.pages.set("/".into(), Some(PageState { locked: true, location: at(6_000) }));
    moderation.flag(7, author(2), at(7_000));
    moderation.flag(9, author(2), at(7_500));
    let approve = Note { did: Did::Approve, is_moderators: true, location: at(8_000) };
    moderation.note(7, approve, Some(author(1)));
    moderation.author_notes.set(BanKey::Author(author(1)), Some(approve));
    moderation.set_pinned(0, 7, false);
    moderation.set_pinned(0, 9, true);
    moderation.set_rejected(8, true);
    moderation.forget_flags(9);
    assert_ne!(seen(&moderation), before);
    moderation.roll_back();
    assert_eq!(seen(&moderation), before);
    assert!(moderation.reasons.is_empty() && moderation.rejected.is_empty());
    assert_eq!((moderation.flagged_count(), moderation.flag_count), (1, 1));
}

#[test]
fn a_compaction_keeps_what_counts_and_moves_what_it_keeps() {
    let lines = [
        flag(7, 1),
        note(7, "approve", BY),
        flag(7, 2),
        note(8, "hide", BY),
        note(8, "approve", BY),
        format!(r#"{{"kind":"ban","author":"{}","until":"2030"}}"#, author(1)),
        r#"{"kind":"page","page":"/a","locked":true}"#.into(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let index = index(&[7, 8], &[]);
    let mut moderation = loaded(&lines, &index, "2026");
    assert_eq!(moderation.offsets(), [2_000, 3_000, 5_000, 6_000, 7_000]);
    assert_eq!(moderation.live_bytes(), 500);
    // Meanwhile: one more flag, and the author changes the text, so that the settled flag counts anew.
    moderation.flag(7, author(3), at(8_000));
    let edit = Note { did: Did::Edit, is_moderators: false, location: at(9_000) };
    moderation.note(7, edit, None);
    moderation.commit();
    assert_eq!(moderation.flags.get(&7).unwrap().unsettled(), 3);
    let moved = [(2_000, 10), (3_000, 20), (5_000, 30), (6_000, 40), (7_000, 50)];
    moderation.relocate(&moved, 7_500, -7_000);
    let flags = moderation.flags.get(&7).unwrap();
    let places: Vec<u64> = flags.flags.iter().map(|(_, location)| location.offset).collect();
    assert_eq!((places, flags.unsettled()), (vec![20, 1_000], 2), "the line of the first is gone");
    assert_eq!(moderation.notes.get(&7).unwrap().location.offset, 2_000);
    assert_eq!(moderation.notes.get(&8).unwrap().location.offset, 30);
    assert_eq!(moderation.offsets(), [20, 30, 40, 50, 1_000, 2_000]);
    assert_eq!((moderation.live_bytes(), moderation.flagged_count()), (600, 1));
}

#[test]
fn a_comment_and_the_server_have_room_for_so_many_flags() {
    let mut moderation = Moderation::default();
    for number in 0..FLAGS_A_COMMENT_MAX as u64 {
        assert!(moderation.make_room_for_flag(7));
        moderation.flag(7, author(number as u8), at(number));
    }
    assert!(!moderation.make_room_for_flag(7) && moderation.make_room_for_flag(8));
    moderation.flag_count = FLAGS_MAX - 1;
    assert!(moderation.make_room_for_flag(8));
    moderation.flag_count = FLAGS_MAX;
    assert!(!moderation.make_room_for_flag(8));
    // What a moderator has settled makes room, and comes back with all else if its batch fails.
    moderation.commit();
    let approval = Note { did: Did::Approve, is_moderators: true, location: at(5_000) };
    moderation.note(7, approval, None);
    assert!(moderation.make_room_for_flag(8) && moderation.make_room_for_flag(7));
    assert_eq!((moderation.flag_count, moderation.settled_count), (0, 0));
    moderation.roll_back();
    assert_eq!((moderation.flag_count, moderation.settled_count), (FLAGS_A_COMMENT_MAX, 0));
    assert_eq!(moderation.flags.bytes(), 100 * FLAGS_A_COMMENT_MAX as u64);
}

#[test]
fn the_newest_reasons_of_an_author_are_kept() {
    let mut moderation = Moderation::default();
    let hide = Note { did: Did::Hide, is_moderators: true, location: at(0) };
    for id in 0..=REASONS_AN_AUTHOR_MAX as u64 {
        moderation.note(id, hide, Some(author(1)));
    }
    moderation.note(3, hide, Some(author(1)));
    let kept = moderation.reasons.get(&BanKey::Author(author(1))).unwrap();
    assert_eq!(kept.len(), REASONS_AN_AUTHOR_MAX);
    assert_eq!((kept[0], *kept.last().unwrap()), (1, 3));
}
