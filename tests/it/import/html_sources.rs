//! Disqus and WordPress.

use sayso::exchange::import::{Format, report::Change};

use super::{check, described, options, plan};

#[test]
fn disqus_is_imported_with_every_trap() {
    check(
        "disqus.xml",
        r#"
0 blog.example/first/ Ada L.=A 2013-01-01T00:00:00 "Hello, *world* & all"
1>0 blog.example/first/ Bob=B 2013-01-02T00:00:00 "An answer that comes **first** in the file.\n\nSee <https://long.example/a/b8/c>"
2 blog.example/first/ - 2013-01-03T00:00:00 deleted ""
3>2 blog.example/first/ Guest 2013-01-04T00:00:00 "answers a deleted one"
4 blog.example/second Bob=B 2013-01-06T00:00:00 "answers spam"
locked blog.example/first/
left out line 60 entry 5: it is marked as spam
left out line 61 entry 6: its page is deleted
left out line 62 entry 7: its page is not in the file or has no address
left out line 64 entry 9: it is deleted and nothing answers it
changed line 63 entry 8: what it answers is not imported, so it is no answer
"#,
    );
}

#[test]
fn wordpress_is_imported_with_every_trap() {
    check(
        "wordpress.xml",
        r#"
0 blog.example/?p=7 Ada=A 2014-01-01T00:00:00 "First!"
1>0 blog.example/?p=7 Bob O'Hara 2014-01-02T00:00:00 "An answer «quoted»\non two lines\n\nand **another** paragraph"
2 blog.example/?p=7 Eve 2014-01-04T00:00:00 "answers a pingback"
3 blog.example/second/ Mallory 2014-02-01T00:00:00 pending "the same id on another page, held"
locked blog.example/?p=7
left out line 47 entry 3: it is no comment
left out line 49 entry 5: it is marked as spam
left out line 50 entry 6: an earlier one has the same id
left out line 57 entry 8: it is deleted and nothing answers it
changed line 48 entry 4: what it answers is not imported, so it is no answer
"#,
    );
}

#[test]
fn comments_on_posts_of_wordpress_that_not_everyone_may_read_wait_for_a_moderator() {
    let item = |number: usize, before: &str, after: &str| {
        format!(
            "<item><link>https://blog.example/{number}</link>{before}<wp:comment><wp:comment_id>{number}</wp:comment_id>\
             <wp:comment_date_gmt>2014-01-01 00:00:{number:02}</wp:comment_date_gmt>\
             <wp:comment_content>x</wp:comment_content><wp:comment_approved>1</wp:comment_approved></wp:comment>\
             {after}</item>"
        )
    };
    let status = |status: &str| format!("<wp:status>{status}</wp:status>");
    let password = |word: &str| format!("<wp:post_password><![CDATA[{word}]]></wp:post_password>");
    let public = [
        (String::new(), String::new()),
        (status("publish"), password("")),
        (status("inherit"), String::new()),
    ];
    let held = [
        (status("private"), String::new()),
        (status("draft"), String::new()),
        (status("auto-draft"), String::new()),
        (status("future"), String::new()),
        (status("pending"), String::new()),
        (status("of-a-plugin"), String::new()),
        (status("publish") + &password("hush"), String::new()),
        // Behind the comment.
        (String::new(), status("private")),
        (String::new(), password("hush")),
    ];
    let items: String = public
        .iter()
        .chain(&held)
        .enumerate()
        .map(|(at, (before, after))| item(at, before, after))
        .collect();
    let text = format!("<rss><channel><link>https://blog.example</link>{items}</channel></rss>");
    let plan = plan(&options(Format::WordPress, None, None), text).unwrap();
    let is_pending: Vec<bool> = plan
        .comments()
        .map(|comment| comment.unwrap().status == sayso::comment::Status::Pending)
        .collect();
    assert_eq!(is_pending, [vec![false; public.len()], vec![true; held.len()]].concat());
    let report = plan.report();
    assert_eq!((report.pending, report.changed_by(Change::PageHeld)), (held.len(), held.len()));
    let told = described(&plan);
    assert!(
        told.contains("its page is private, unpublished or has a password")
            && !told.contains("hush"),
        "{told}"
    );
}
