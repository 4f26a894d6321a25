//! The same exports in another order, of other versions, or without a part.

use sayso::exchange::import::Format;
use serde_json::Value;

use super::{described, options, plan, plan_of, sample};

/// Without the numbers of lines and entries.
fn records(described: &str) -> Vec<&str> {
    described
        .lines()
        .filter(|line| !line.starts_with("left") && !line.starts_with("changed"))
        .collect()
}

#[test]
fn every_version_and_prefix_of_wxr_is_read() {
    let sample = sample("wordpress.xml");
    let expected = described(&plan_of("wordpress.xml"));
    for version in ["1.0", "1.2"] {
        let text = sample.replace("export/1.1/", &format!("export/{version}/"));
        let text = text.replace("wp:", "x:").replace("xmlns:wp", "xmlns:x");
        let plan = plan(&options(Format::WordPress, None, None), text).unwrap();
        assert_eq!(described(&plan), expected, "{version}");
    }
}

#[test]
fn posts_of_disqus_may_stand_before_their_threads() {
    let sample = sample("disqus.xml");
    let (head, rest) = sample.split_once("  <thread dsq:id=\"1\">").unwrap();
    let (threads, posts) = rest.split_once("  <post ").unwrap();
    let (posts, end) = posts.split_once("</disqus>").unwrap();
    let text = format!("{head}  <post {posts}  <thread dsq:id=\"1\">{threads}</disqus>{end}");
    let plan = plan(&options(Format::Disqus, None, None), text).unwrap();
    let (found, expected) = (described(&plan), described(&plan_of("disqus.xml")));
    assert_eq!(records(&found), records(&expected));
}

#[test]
fn lists_of_commento_and_comentario_may_come_in_any_order() {
    for (name, format) in
        [("commento.json", Format::Commento), ("comentario-v3.json", Format::Comentario)]
    {
        let json: Value = serde_json::from_str(&sample(name)).unwrap();
        let lists = |keys: [&str; 3]| {
            let list = |key: &&str| format!("\"{key}\":{}", json.get(*key).unwrap_or(&Value::Null));
            format!("{{{}}}", keys.iter().map(list).collect::<Vec<_>>().join(","))
        };
        let expected = described(&plan_of(name));
        for keys in [
            ["comments", "commenters", "pages"],
            ["pages", "comments", "commenters"],
            ["commenters", "pages", "comments"],
        ] {
            let plan = plan(&options(format, None, None), lists(keys)).unwrap();
            assert_eq!(records(&described(&plan)), records(&expected), "{name} {keys:?}");
        }
    }
}

#[test]
fn a_backup_of_remark42_without_its_first_line_is_read() {
    let sample = sample("remark42.jsonl");
    let (_, text) = sample.split_once('\n').unwrap();
    let plan = plan(&options(Format::Remark42, None, Some("blog")), text).unwrap();
    let (found, expected) = (described(&plan), described(&plan_of("remark42.jsonl")));
    let without_locks: Vec<_> =
        records(&expected).into_iter().filter(|line| !line.starts_with("locked")).collect();
    assert_eq!(records(&found), without_locks);
}

#[test]
fn comments_in_any_order_make_the_same_plan() {
    let Value::Array(mut rows) = serde_json::from_str(&sample("isso.json")).unwrap() else {
        panic!("it is a list")
    };
    let expected = described(&plan_of("isso.json"));
    for _ in 0..rows.len() {
        rows.rotate_left(1);
        let text = Value::Array(rows.clone()).to_string();
        let plan = plan(&options(Format::Isso, Some("blog.example"), None), text).unwrap();
        assert_eq!(records(&described(&plan)), records(&expected));
    }
}
