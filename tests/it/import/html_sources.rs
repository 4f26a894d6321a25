//! Disqus and WordPress.

use super::check;

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
