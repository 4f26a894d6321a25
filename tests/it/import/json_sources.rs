//! The sources that export JSON.

use super::check;

#[test]
fn isso_is_imported_with_every_trap() {
    check(
        "isso.json",
        r#"
0 blog.example/blog/x/ Ada <3 R&D 2014-05-13T16:53:20.123Z "*Hello* `<p>`"
1>0 blog.example/blog/x/ Tom & Jerry 2014-05-13T16:55:00 edited 2014-05-13T16:56:40.500Z "edited & more"
2>0 blog.example/blog/x/ - 2014-05-13T16:58:20 pending "waits"
3>0 blog.example/blog/x/ - 2014-05-13T17:00:00 deleted ""
4>3 blog.example/blog/x/ Eve 2014-05-13T17:01:40 "from [Disqus](https://d.example)\n\ntwo"
5 blog.example/blog/y/ Eve 2014-05-13T17:03:20 "answers another page"
changed line 6 entry 6: what it answers is on another page, so it is no answer
"#,
    );
}

#[test]
fn the_generic_form_of_isso_is_imported_with_its_threads() {
    check(
        "isso-generic.json",
        r#"
0 blog.example/one Ada 2018-10-01T12:00:00 "first"
1>0 blog.example/one Bob 2018-10-01T12:01:00 "second"
2 blog.example/two Ada 2018-10-02T12:00:00 "the same id elsewhere"
"#,
    );
}

#[test]
fn remark42_is_imported_with_every_trap() {
    check(
        "remark42.jsonl",
        r#"
0 blog.example/open/ Ada=A 2020-01-01T08:00:00.500Z edited 2020-01-01T09:00:00 pinned site "Hello *there*"
1>0 blog.example/open/ - 2020-01-01T10:01:00 deleted ""
2>1 blog.example/open/ Bob=B 2020-01-01T10:02:00 "imported [once](https://x.example)"
3 blog.example/closed/ - 2020-01-01T10:03:00 "closed"
locked blog.example/closed/
left out line 7 entry 5: it belongs to another site
"#,
    );
}

#[test]
fn commento_is_imported_with_every_trap() {
    check(
        "commento.json",
        r#"
0 blog.example/first Ada=A 2019-05-01T10:00:00 site "Hello **you**"
1>0 blog.example/first - 2019-05-01T10:01:00 pending "anonymous, to be approved"
2 blog.example/first - 2019-05-01T10:02:00 hidden "flagged"
3>0 blog.example/first - 2019-05-01T10:03:00 deleted ""
4>3 blog.example/first - 2019-05-01T10:04:00 "by somebody unknown"
"#,
    );
}

#[test]
fn both_versions_of_comentario_are_imported_with_every_trap() {
    check(
        "comentario-v1.json",
        r#"
0 blog.example/first Ada=A 2019-05-01T10:00:00 "Hello"
"#,
    );
    check(
        "comentario-v3.json",
        r#"
0 blog.example/first/ Ada=A 2022-01-01T10:00:00 edited 2022-01-01T11:00:00 pinned "Hello"
1>0 blog.example/first/ Guest 2022-01-01T10:01:00 pending "by a guest"
2 blog.example/first/ Ada=A 2022-01-01T10:02:00 hidden "rejected"
locked blog.example/first/
left out line 6 entry 4: it is deleted and nothing answers it
"#,
    );
}

#[test]
fn artrans_is_imported_with_every_trap() {
    check(
        "artrans.json",
        r#"
0 blog.example/first/ Ada 2021-10-28T12:50:15 pinned "Hello **there**"
1 blog.example/second/ Bob 2021-10-28T20:51:15 pending "numbers **and** HTML"
2 blog.example/first/ - 2021-10-28T20:52:15 "answers itself"
3 blog.example/first/ Eve 2021-10-28T20:53:15 "first version"
4 blog.example/first/ Eve 2021-10-28T20:54:15 "six"
5>4 blog.example/first/ Eve 2021-10-28T20:55:15 "five"
locked blog.example/first/
changed line 2 entry 2: what it answers is on another page, so it is no answer
changed line 3 entry 3: it answers itself, so it is no answer
changed line 6 entry 6: it answers itself, so it is no answer
"#,
    );
}

#[test]
fn waline_is_imported_from_its_file_and_its_api() {
    check(
        "waline.json",
        r#"
0 blog.example/first/ Ada=A 2022-03-01T10:00:00 pinned site "Hello *there*"
1>0 blog.example/first/ Bob 2022-03-01T10:01:00 "@ada, hi"
2>1 blog.example/first/ Eve 2022-03-01T10:02:00 pending "waits"
3 blog.example/first/ Gone 2022-03-01T10:04:00 "by a user who is gone"
left out line 5 entry 4: it is marked as spam
"#,
    );
    check(
        "waline-api.json",
        r#"
0 blog.example/first/ Bob 2022-03-01T10:00:00 "numbered"
"#,
    );
}

#[test]
fn twikoo_and_valine_are_imported_in_every_form() {
    check(
        "twikoo.json",
        r#"
0 blog.example/first/ Ada 2022-01-01T00:00:00 pinned site "Hello **there**\nline"
1>0 blog.example/first/ Bob 2022-01-01T00:01:00 "an answer"
left out line 3 entry 3: it is marked as spam
"#,
    );
    check(
        "twikoo.jsonl",
        r#"
0 blog.example/first/ Ada 2022-01-01T00:00:00 "one"
1>0 blog.example/first/ Bob 2022-01-01T00:01:00 "two"
"#,
    );
    check(
        "valine.json",
        r#"
0 blog.example/first/ Ada 2020-05-01T10:00:00 "Hello"
1>0 blog.example/first/ Bob 2020-05-01T10:01:00 "an answer"
"#,
    );
}

#[test]
fn cusdis_is_imported_with_every_trap() {
    check(
        "cusdis.json",
        r#"
0 blog.example/first Ada 2021-08-26T17:46:40 "Hello *there*"
1>0 blog.example/first Site 2021-08-26T17:48:20 site "answers on a slug"
2 blog.example/second Eve 2021-08-26T17:49:20 pending "waits"
3>2 blog.example/second - 2021-08-26T17:50:20 deleted ""
4>3 blog.example/second Bob 2021-08-26T17:51:20 "answers a deleted one"
"#,
    );
}

#[test]
fn a_log_of_sayso_is_imported_as_it_is_now() {
    check(
        "sayso.jsonl",
        r#"
0 blog.example/first Ada=A 2026-11-22T05:08:00.001Z edited 2026-11-22T05:09:00.001Z pinned site "First *indeed*"
1>0 blog.example/first - 2026-11-22T05:08:00.001Z "an answer without a nonce"
2 blog.example/first - 2026-11-22T05:10:00.001Z pending "held"
3 blog.example/first - 2026-11-22T05:11:00.001Z deleted ""
locked blog.example/first
left out line 5 entry 4: it is no comment
"#,
    );
}
