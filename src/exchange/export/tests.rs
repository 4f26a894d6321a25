//! Comments in every form, and what an import makes of it again.

use std::io::{Cursor, Write};

use super::*;
use crate::comment::{Status, markup};
use crate::exchange::import::{self, Format, Options, PlannedComment};

fn comment(id: u64, page: &str, parent: Option<u64>, content: &str) -> Comment {
    Comment {
        seq: id,
        id,
        page: page.into(),
        parent,
        name: Some("Ada \"<&>\" ]]> =".into()),
        author: Some("q83vEjRWeJCrze8SNFZ4kA".into()),
        content: content.into(),
        html: markup::html(content),
        created_at: format!("2026-11-22T05:08:{id:02}.000Z"),
        nonce: Some(format!("nonce-of-16-bytes-{id}")),
        ..Comment::default()
    }
}

/// Comments of every kind, page by page.
fn comments() -> Vec<Comment> {
    let (a, b) = ("a.example/one/", "a.example/two");
    let mut deleted = comment(5, a, Some(1), "x");
    deleted.make_tombstone();
    vec![
        comment(1, a, None, "Hello *there*\nline\n\n> quote\n\n- a\n- b"),
        Comment {
            pinned: true,
            moderator: Some("ada".into()),
            mod_edited: true,
            verified: true,
            imported: Some("isso".into()),
            edited_at: Some("2026-11-22T05:10:00.000Z".into()),
            ..comment(2, a, Some(1), "]]> & <b> \\* `c`")
        },
        Comment { status: Status::Pending, ..comment(3, a, None, "waits") },
        Comment { name: None, author: None, ..comment(4, a, Some(2), "=1+1\n\"q\"") },
        deleted,
        comment(6, a, Some(5), "answers a deleted one"),
        Comment { status: Status::Hidden, ..comment(7, b, None, "hidden") },
        comment(8, b, None, "https://a.example/x_y?z=1&w"),
    ]
}

fn written(write: impl Fn(Comments, &mut dyn Write) -> io::Result<Exported>) -> (String, Exported) {
    let mut out = Vec::new();
    let exported = write(&mut comments().into_iter().map(Ok), &mut out).unwrap();
    (String::from_utf8(out).unwrap(), exported)
}

/// Imports a text, and gives its records to a function.
fn imported<T>(format: Format, text: String, each: impl Fn(PlannedComment) -> T) -> Vec<T> {
    let site = Some("a.example".into());
    let options = Options { site, ..Options::new(format, std::env::temp_dir()) };
    let plan = import::plan(&options, Box::new(Cursor::new(text))).unwrap();
    plan.comments().map(|comment| each(comment.unwrap())).collect()
}

/// What every form keeps of a comment.
type Core = (String, Option<String>, String, String);

fn core(page: &str, name: Option<&str>, created_at: &str, content: &str) -> Core {
    // Forms that carry HTML may say the same text in other Markdown.
    let html = markup::html(content).unwrap_or(content.into());
    (page.into(), name.map(str::to_owned), created_at.into(), html)
}

fn cores(keeps: impl Fn(&Comment) -> bool) -> Vec<Core> {
    let kept = comments().into_iter().filter(|comment| keeps(comment));
    kept.map(|c| core(&c.page, c.name.as_deref(), &c.created_at, &c.content)).collect()
}

fn planned_core(c: PlannedComment) -> Core {
    core(c.page, c.name.as_deref(), &c.created_at, &c.content)
}

#[test]
fn an_export_to_sayso_is_imported_as_it_was() {
    let (text, exported) = written(|comments, out| sayso::write(comments, "9c41f0aa53d7e6b2", out));
    assert_eq!(exported, Exported { comments: 8, left_out: 0 });
    let found = imported(Format::Sayso, text, as_comment);
    let ids: Vec<u64> = comments().iter().map(|comment| comment.id).collect();
    let place = |id: u64| ids.iter().position(|known| *known == id).unwrap() as u64;
    let expected = comments().into_iter().map(|comment| Comment {
        seq: 0,
        id: 0,
        parent: comment.parent.map(place),
        ..comment
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// The comment of a record; ids are places in the plan.
fn as_comment(planned: PlannedComment) -> Comment {
    Comment {
        page: planned.page.into(),
        parent: planned.parent.map(u64::from),
        name: planned.name,
        author: planned.author,
        html: markup::html(&planned.content),
        content: planned.content,
        created_at: planned.created_at,
        edited_at: planned.edited_at,
        deleted: planned.deleted,
        nonce: Some(planned.nonce),
        status: planned.status,
        pinned: planned.pinned,
        moderator: planned.moderator,
        mod_edited: planned.mod_edited,
        verified: planned.verified,
        imported: planned.imported,
        ..Comment::default()
    }
}

#[test]
fn an_export_to_isso_has_the_public_comments_and_their_threads() {
    let (text, exported) = written(|comments, out| isso::write(comments, out));
    assert_eq!(exported, Exported { comments: 5, left_out: 3 });
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["id"], "/one/");
    assert_eq!(json[1]["comments"][0]["created"], "2026-11-22 05:08:08");
    assert_eq!(imported(Format::Isso, text.clone(), planned_core), cores(Comment::is_visible));
    let parents = imported(Format::Isso, text, |c| c.parent);
    assert_eq!(parents, [None, Some(0), Some(1), None, None]);
    let mut empty = Vec::new();
    isso::write(&mut std::iter::empty(), &mut empty).unwrap();
    assert_eq!(empty, b"[]\n");
}

#[test]
fn an_export_to_wordpress_has_what_is_not_deleted() {
    let (text, exported) = written(|comments, out| wordpress::write(comments, "A & B", out));
    assert_eq!(exported, Exported { comments: 7, left_out: 1 });
    assert_eq!(imported(Format::WordPress, text.clone(), planned_core), cores(|c| !c.deleted));
    let states = imported(Format::WordPress, text, |c| (c.parent, c.status));
    let waits = Status::Pending;
    let open = Status::Public;
    assert_eq!(
        states,
        [
            (None, open),
            (Some(0), open),
            (None, waits),
            (Some(1), open),
            (None, open),
            (None, waits),
            (None, open)
        ]
    );
}

#[test]
fn an_export_to_remark42_has_public_comments_and_places_of_deleted_ones() {
    let (text, exported) = written(|comments, out| remark42::write(comments, "blog", out));
    assert_eq!(exported, Exported { comments: 6, left_out: 2 });
    let expected: Vec<Core> = cores(|c| c.status == Status::Public)
        .into_iter()
        .map(|(page, name, at, html)| {
            let name = name.or((!html.is_empty()).then(|| "anonymous".to_owned()));
            (page, name, at, html)
        })
        .collect();
    assert_eq!(imported(Format::Remark42, text.clone(), planned_core), expected);
    let threads =
        imported(Format::Remark42, text, |c| (c.parent, c.deleted, c.edited_at.is_some()));
    let top = (None, false, false);
    assert_eq!(
        threads,
        [
            top,
            (Some(0), false, true),
            (Some(1), false, false),
            (Some(0), true, false),
            (Some(3), false, false),
            top
        ]
    );
}

#[test]
fn a_table_has_every_comment_and_no_formula() {
    let (text, exported) = written(|comments, out| csv::write(comments, out));
    assert_eq!(exported, Exported { comments: 8, left_out: 0 });
    assert!(text.starts_with("id,page,"));
    assert!(
        text.contains(
            "4,\"a.example/one/\",2,,,2026-11-22T05:08:04.000Z,,public,\"'=1+1\n\"\"q\"\"\"\r\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("5,\"a.example/one/\",1,,,2026-11-22T05:08:05.000Z,,deleted,\r\n"),
        "{text}"
    );
    assert!(text.contains("\"Ada \"\"<&>\"\" ]]> =\""), "{text}");
}

#[test]
fn a_document_shows_what_is_public_and_runs_nothing() {
    let (text, exported) =
        written(|comments, out| html::write_page("a.example/<one>", comments, out));
    assert_eq!(exported, Exported { comments: 5, left_out: 3 });
    for shown in [
        "a.example/&lt;one&gt;",
        "<article id=\"c1\">",
        "<article id=\"c2\" class=\"answer\">",
        "Deleted",
        "Anonymous",
        "<p>=1+1<br>",
    ] {
        assert!(text.contains(shown), "{shown} is not in {text}");
    }
    for not_shown in ["waits", "hidden</", "<script", "src=", "onerror", "<b> "] {
        assert!(!text.contains(not_shown), "{not_shown} is in {text}");
    }
    let mut index = Vec::new();
    html::write_index("A & B", &mut [("a.example/<one>".to_owned(), 5)].into_iter(), &mut index)
        .unwrap();
    let index = String::from_utf8(index).unwrap();
    let file = html::file_name("a.example/<one>");
    assert!(
        index.contains(&format!("<a href=\"{file}\">a.example/&lt;one&gt;</a> (5)")),
        "{index}"
    );
    assert!(file.starts_with("a-example--one-") && file.ends_with(".html"), "{file}");
    assert_ne!(html::file_name("a/b"), html::file_name("a-b"));
    assert!(html::file_name(&"x".repeat(512)).len() < 100);
}
