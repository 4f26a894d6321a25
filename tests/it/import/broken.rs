//! Exports that are cut off, broken, hostile or something else; and what must never be taken from any.

use std::{fmt::Write, fs};

use sayso::{
    comment::{
        draft::{ClientMessage, check_nonce_length},
        markup,
    },
    exchange::import::{Format, Options},
    log::trailer::append_trailer,
};

use super::{SAMPLES, described, options, plan, plan_of, sample};
use crate::support::server::Folder;

/// Stands in every field of the samples that must not be imported.
const CANARY: &str = "canary";

#[test]
fn no_address_mail_password_or_deleted_text_leaves_any_export() {
    for (name, ..) in SAMPLES {
        let text = sample(name);
        let has_private = ["canary", "203.0.113"].iter().any(|private| text.contains(private));
        assert!(has_private || name.starts_with("sayso"), "{name} has nothing private");
        let found = described(&plan_of(name)).to_lowercase();
        assert!(!found.contains(CANARY) && !found.contains("203.0.113"), "{name}: {found}");
    }
}

#[test]
fn a_temporary_file_has_no_name() {
    let folder = Folder::new();
    for (name, format, site, only) in SAMPLES {
        let options = Options { temporary: folder.path().into(), ..options(format, site, only) };
        let plan = plan(&options, sample(name)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(plan.comments().all(|comment| comment.is_ok()));
    }
}

#[test]
fn every_record_is_one_that_could_have_been_posted() {
    for (name, ..) in SAMPLES {
        let plan = plan_of(name);
        let mut nonces = Vec::new();
        for (number, comment) in plan.comments().enumerate() {
            let comment = comment.unwrap();
            assert!(comment.parent.is_none_or(|parent| (parent as usize) < number), "{name}");
            assert_eq!(comment.deleted, comment.content.is_empty(), "{name}");
            nonces.push(comment.nonce.clone());
            if comment.deleted {
                assert_eq!((comment.name, comment.author, comment.edited_at), (None, None, None));
                continue;
            }
            let message = ClientMessage {
                content: Some(comment.content.clone()),
                name: comment.name.clone(),
                ..ClientMessage::default()
            };
            let post = message.post(comment.page).unwrap_or_else(|why| panic!("{name}: {why}"));
            post.render();
            check_nonce_length(&comment.nonce).unwrap();
        }
        let count = nonces.len();
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!(nonces.len(), count, "{name} repeats a nonce");
    }
}

#[test]
fn an_export_that_is_cut_off_anywhere_is_read_or_refused_without_a_value_of_it() {
    for (name, format, site, only) in SAMPLES {
        let (text, options) = (sample(name).into_bytes(), options(format, site, only));
        for end in (0..text.len()).step_by(41) {
            match plan(&options, &text[..end]) {
                Ok(plan) => assert!(plan.comments().all(|comment| comment.is_ok())),
                Err(message) => {
                    assert!(!message.to_lowercase().contains(CANARY), "{name}: {message}");
                    assert!(message.starts_with("line ") || message.contains("--"), "{message}");
                    assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
                }
            }
        }
    }
}

#[test]
fn an_export_with_any_byte_changed_is_read_or_refused() {
    for (name, format, site, only) in SAMPLES {
        let options = options(format, site, only);
        let mut text = sample(name).into_bytes();
        for at in (0..text.len()).step_by(23) {
            let byte = text[at];
            text[at] = [b'<', b'"', b'&', 0xff, b'}', b']', b'\0'][at % 7];
            if let Ok(plan) = plan(&options, text.clone()) {
                assert!(plan.comments().all(|comment| comment.is_ok()), "{name} at {at}");
            }
            text[at] = byte;
        }
    }
}

#[test]
fn what_is_no_export_of_the_format_is_refused_with_a_sentence_about_it() {
    for (format, text, message) in [
        (
            Format::Disqus,
            &b"SQLite format 3\0"[..],
            "line 1: this is an SQLite database; give what `sqlite3 -json` prints of it, as the documentation says",
        ),
        (
            Format::Disqus,
            b"PK\x03\x04",
            "line 1: this is a ZIP archive; unpack it and give the file in it",
        ),
        (Format::Disqus, b"\xff\xfe<\0", "line 1: this is UTF-16; convert it to UTF-8"),
        (
            Format::Disqus,
            b"<rss></rss>",
            "line 1: this is no export of Disqus: it does not begin with <disqus>",
        ),
        (
            Format::WordPress,
            b"<html>",
            "line 1: this is no export of WordPress: it does not begin with <rss>",
        ),
        (
            Format::WordPress,
            b"",
            "line 1: this is no export of WordPress: it does not begin with <rss>",
        ),
        (
            Format::Commento,
            b"{\"version\":1}",
            "line 1: the file has no list named comments or commenters or pages",
        ),
        (Format::Commento, b"[]", "line 1: expected an object with lists"),
        (Format::Isso, b"{}", "line 1: the file is no list"),
        (Format::Isso, b"<xml/>", "line 1: this is no JSON: expected value"),
        (
            Format::Waline,
            b"{\"data\":{\"Comment\":[\n\n\"ada@example.org\"]}}",
            "line 3: expected an object",
        ),
        (
            Format::Remark42,
            b"{\"version\":1}\n{\"id\":\"a\"\n",
            "line 3: the file ends in the middle of an entry",
        ),
        (
            Format::Sayso,
            b"{\"sayso\":1}\n\nada@example.org",
            "line 3: this is no JSON: expected value",
        ),
        (
            Format::Disqus,
            b"<disqus>\n<post>\n<message>\xff\xfe</message></post></disqus>",
            "line 3: this is not UTF-8",
        ),
        (Format::Disqus, b"\x1f\x8b\x08", "can't read the file: "),
    ] {
        let found = plan(&options(format, Some("a.example"), None), text).err().unwrap_or_default();
        let found = found.split(" (column ").next().unwrap_or_default();
        assert!(
            found == message || message.ends_with(": ") && found.starts_with(message),
            "{found}"
        );
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    for (name, format, site, only) in SAMPLES {
        let text = format!("\u{feff}{}", sample(name));
        let plan = plan(&options(format, site, only), text).unwrap();
        assert_eq!(described(&plan), described(&plan_of(name)));
    }
}

#[test]
fn a_text_longer_than_a_comment_is_cut_and_reported() {
    let mut text = String::from("[");
    for (id, length) in [(1, 8_192), (2, 8_193)] {
        let separator = if id > 1 { "," } else { "" };
        let content = "a".repeat(length);
        write!(text, "{separator}{{\"uri\":\"/\",\"id\":{id},\"created\":1.{id}e9,\"author\":\"{}\",\"text\":\"{content}\"}}", "n".repeat(63 + id)).unwrap();
    }
    text.push(']');
    let plan = plan(&options(Format::Isso, Some("a.example"), None), text).unwrap();
    let lengths: Vec<_> = plan
        .comments()
        .map(|comment| comment.unwrap())
        .map(|comment| (comment.content.len(), comment.name.unwrap().chars().count()))
        .collect();
    assert_eq!(lengths, [(8_192, 64), (8_192, 64)]);
    let changes: Vec<String> =
        plan.changed().map(|notice| notice.unwrap().what.to_string()).collect();
    assert_eq!(changes, ["its text is too long and is cut", "its name is too long and is cut"]);
}

#[test]
fn hostile_html_of_an_export_renders_to_nothing_active() {
    for html in [
        "<script>alert(1)</script>x",
        "<img src=x onerror=alert(1)>x",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<a href=\" java\tscript:alert(1)\">x</a>",
        "<a href=\"data:text/html,x\">x</a>",
        "<svg onload=alert(1)>x</svg>x",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<a href=\"https://a.example/&quot; onclick=&quot;alert(1)\">x</a>",
        "<a href='https://a.example/)[x](javascript:alert(1)'>x</a>",
        "<b style=x onclick=alert(1)>x</b>",
        "<a href=\"https://a.example\">](javascript:alert(1))</a>",
        "<iframe src=https://a.example></iframe>x",
        "<p>`</p><a href=\"https://a.example\">`<script></a>",
    ] {
        let rows = serde_json::json!([{"_id": "a", "url": "/", "created": 1_640_995_200_000_u64, "comment": html}]);
        let plan =
            plan(&options(Format::Twikoo, Some("a.example"), None), rows.to_string()).unwrap();
        let content = plan.comments().next().unwrap().unwrap().content;
        let rendered = markup::html(&content).unwrap_or_default().to_lowercase();
        for active in [
            "<script",
            "<img",
            "<svg",
            "<iframe",
            "href=\"javascript",
            "href=\"data",
            "\" onclick",
            "style=",
        ] {
            assert!(!rendered.contains(active), "{html}: {rendered}");
        }
    }
}

#[test]
fn a_log_with_any_byte_changed_or_a_line_missing_is_refused_by_its_line() {
    let options = options(Format::Sayso, None, None);
    let bare = [
        "{\"sayso\":1,\"log\":\"here\"",
        "{\"seq\":1,\"id\":1,\"page\":\"p\",\"content\":\",\\\"crc\\\":1\",\"created_at\":\"2026-11-22T05:08:00.001Z\"",
        "{\"seq\":2,\"id\":2,\"page\":\"p\",\"content\":\"two\",\"created_at\":\"2026-11-22T05:08:00.002Z\"",
        "{\"seq\":3,\"id\":3,\"page\":\"p\",\"content\":\"three\",\"created_at\":\"2026-11-22T05:08:00.003Z\"",
    ];
    let (mut log, mut crc) = (Vec::new(), 0);
    for line in bare {
        let start = log.len();
        log.extend_from_slice(line.as_bytes());
        crc = append_trailer(&mut log, start, false, crc);
    }
    let exported: String = bare.iter().map(|line| format!("{line}}}\n")).collect();
    for whole in
        [log.clone(), [&log[..], &log].concat(), exported.into(), log[..log.len() - 1].into()]
    {
        assert_eq!(plan(&options, whole).unwrap().len(), 3);
    }
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let message = |line: usize| {
        format!(
            "line {line}: the checksum is wrong: the line is damaged, or one before it is missing; sayso repair mends a log"
        )
    };
    for missing in 1..3 {
        let text = [&lines[..missing], &lines[missing + 1..]].concat().concat();
        assert_eq!(plan(&options, text).err(), Some(message(missing + 1)));
    }
    let mut start = 0;
    for (number, line) in lines.iter().enumerate() {
        for at in start..start + line.len() - 1 {
            let mut text = log.clone();
            text[at] ^= 1;
            let said = plan(&options, text).err().unwrap_or_else(|| panic!("byte {at} is changed"));
            // Without its checksum a header is that of an export, and the next line shows the damage.
            let named = [format!("line {}: ", number + 1), format!("line {}: ", number + 2)];
            assert!(
                said.starts_with(&named[0]) || number == 0 && said.starts_with(&named[1]),
                "{said}"
            );
        }
        start += line.len();
    }
}

#[test]
fn an_empty_file_is_an_error() {
    for (name, format, site, only) in SAMPLES {
        for text in ["", " \n\n"] {
            assert!(plan(&options(format, site, only), text).is_err(), "{name}");
        }
    }
    for format in [Format::Sayso, Format::Twikoo, Format::Remark42] {
        let said = plan(&options(format, None, None), "").err();
        assert!(said.as_ref().is_some_and(|said| said.starts_with("line 1: ")), "{said:?}");
    }
}
