//! Tests of `block_list.rs`.

use super::*;

fn list(lines: &str) -> BlockList {
    BlockList::parse(lines.as_bytes()).unwrap()
}

fn bad_line(lines: impl AsRef<[u8]>) -> (usize, String) {
    let BadLine { number, why } = BlockList::parse(lines.as_ref()).unwrap_err();
    (number, why)
}

fn found<'l>(list: &'l BlockList, text: &str) -> Option<&'l str> {
    list.find(text, None, None)
}

#[test]
fn a_word_is_found_as_a_whole_in_any_case_with_any_accents() {
    let list =
        list("\u{feff}# spam\r\n\r\nCasino\r\n  free Money  \nvisit my-site.example\nпошёл\n");
    assert_eq!(list.len(), (4, 0));
    for text in ["casino", "A CASINO!", "(Cásino)", "ca\u{200b}sino", "x casino-y", "ＣＡＳＩＮＯ"]
    {
        assert_eq!(found(&list, text), Some("Casino"), "{text}");
    }
    for text in
        ["casinos", "occasino", "casi no", "cas", "", "...", "free", "money free", "free my money"]
    {
        assert_eq!(found(&list, text), None, "{text}");
    }
    for text in ["FREE  money", "free\nmoney", "free, money", "free free money"] {
        assert_eq!(found(&list, text), Some("free Money"), "{text}");
    }
    assert_eq!(found(&list, "do visit my site example"), Some("visit my-site.example"));
    assert_eq!(found(&list, "ПОШЕЛ"), Some("пошёл"));
}

#[test]
fn phrases_that_begin_alike_or_within_each_other_are_all_found() {
    let list = list("a b c d\nb c x\na b y\nc\u{0323} z\nq");
    for (text, phrase) in [
        ("a b c d", "a b c d"),
        ("a b c x", "b c x"),
        ("a a b y", "a b y"),
        ("a b c z", "c\u{0323} z"),
        ("a b q d", "q"),
        ("a b a b c a b c d", "a b c d"),
    ] {
        assert_eq!(found(&list, text), Some(phrase), "{text}");
    }
    assert_eq!(found(&list, "a b c e d b c a b"), None);
}

#[test]
fn scripts_without_spaces_are_searched_within_their_sentences() {
    let list = list("赌博\nカジノ\nพนัน\nजुआ\nแม่");
    for (text, phrase) in [
        ("快来赌博吧", "赌博"),
        ("このカジノは", "カジノ"),
        ("เว็บพนันออนไลน์", "พนัน"),
        ("यह जुआ है।", "जुआ"),
        ("x赌博x", "赌博"),
    ] {
        assert_eq!(found(&list, text), Some(phrase), "{text}");
    }
    for text in ["赌 brother 博", "博赌", "जुआरी", "カジ"] {
        assert_eq!(found(&list, text), None, "{text}");
    }
}

#[test]
fn text_is_searched_as_written_and_as_shown_and_the_name_too() {
    let list = list("casino\n/v[i1]agra/");
    let html = Some("<p>ca<strong>si</strong>no</p>");
    assert_eq!(list.find("ca**si**no", None, None), None);
    assert_eq!(list.find("ca**si**no", html, None), Some("casino"));
    assert_eq!(list.find("[x](http://casino.example)", Some("<p>x</p>"), None), Some("casino"));
    assert_eq!(list.find("hello", None, Some("Mr Casino")), Some("casino"));
    assert_eq!(list.find("hello", None, Some("V1AGRA4U")), Some("/v[i1]agra/"));
    // Nothing is put together from two of them.
    let list = self::list("big win");
    assert_eq!(list.find("big", Some("<p>big</p>"), Some("win")), None);
}

#[test]
fn an_expression_is_matched_on_folded_text() {
    for (line, text) in [
        ("/Casino\\d+/", "my cásino77 is"),
        ("/CASINO/", "casino"),
        ("/é+t/", "EEt"),
        ("/^first$/", "FIRST"),
        ("/[а-я]{5}/", "ПРИВЕТ"),
        ("/a\\/b/", "A/B"),
        ("/🎰/", "win 🎰 now"),
        ("/\\$\\d{3}/", "get $100"),
    ] {
        assert_eq!(found(&list(line), text), Some(line), "{line} {text}");
    }
    assert_eq!(found(&list("/^first$/"), "first!"), None);
}

#[test]
fn a_bad_line_is_named_with_its_number_and_what_is_wrong() {
    for (lines, number, why) in [
        ("ok\n/(/", 2, "the expression \"/(/\" can't be used: "),
        ("/a*/", 1, "matches every text"),
        ("//", 1, "matches every text"),
        ("c++", 1, "not with '+'"),
        ("# fine\n\n$100", 3, "not with '$'"),
        ("/open", 1, "not with '/'"),
        ("/", 1, "not with '/'"),
        ("🎰", 1, "write an /expression/"),
        ("/(a{1000}){1000}/", 1, "can't be used"),
    ] {
        let (found, said) = bad_line(lines);
        assert!(found == number && said.contains(why), "{lines}: {found}: {said}");
        assert!(!said.contains('\n') && said.len() < 400, "{said}");
    }
    assert_eq!(bad_line(b"a\n\xff\nb"), (2, "this line is not UTF-8".into()));
}

#[test]
fn as_many_as_allowed_are_taken_and_one_more_is_named() {
    let phrases: String = (0..BLOCK_PHRASES_MAX).map(|n| format!("bad word {n}\n")).collect();
    let full = list(&phrases);
    assert_eq!(full.len(), (BLOCK_PHRASES_MAX, 0));
    assert_eq!(found(&full, "a bad word 9999"), Some("bad word 9999"));
    let (number, why) = bad_line(phrases + "# no phrase\nx");
    assert_eq!(number, BLOCK_PHRASES_MAX + 2);
    assert_eq!(why, "this is one phrase more than the 10000 allowed");

    let expressions: String = (0..BLOCK_EXPRESSIONS_MAX).map(|n| format!("/x{n}y/\n")).collect();
    assert_eq!(list(&expressions).len(), (0, BLOCK_EXPRESSIONS_MAX));
    let (number, why) = bad_line(expressions + "/z/");
    assert_eq!(number, BLOCK_EXPRESSIONS_MAX + 1);
    assert_eq!(why, "this is one expression more than the 200 allowed");

    let longest = vec!["w"; BLOCK_PHRASE_WORDS_MAX].join(" ");
    assert_eq!(found(&list(&longest), &format!("w w {longest}")), Some(&*longest));
    assert_eq!(bad_line(longest + " w").1, "a phrase has 1 to 16 words, this one has 17");
}

/// What a comment costs is counted in look-ups: one for each word of it, and one for each phrase that has begun.
#[test]
fn a_long_list_makes_no_comment_dearer() {
    let phrases: String = (0..BLOCK_PHRASES_MAX).map(|n| format!("bad word {n}\n")).collect();
    let full = list(&phrases);
    assert_eq!(full.words.len(), BLOCK_PHRASES_MAX + 2);
    assert_eq!(full.steps.len(), BLOCK_PHRASES_MAX + 2);
}
