//! What the options of an import do, and what is refused without them.

use std::io::{self, Read, Write};
use std::time::UNIX_EPOCH;

use flate2::{Compression, write::GzEncoder};
use sayso::{
    comment::Author,
    exchange::import::{self, Format, Options, PageFrom, report::Change},
};

use super::{described, options, plan, plan_of, sample};

fn refused(options: &Options, name: &str) -> String {
    plan(options, sample(name)).err().unwrap_or_else(|| panic!("{name} was not refused"))
}

fn pages(options: &Options, name: &str) -> Vec<String> {
    let plan = plan(options, sample(name)).unwrap();
    plan.pages().map(|page| page.name.clone()).collect()
}

#[test]
fn an_export_of_several_sites_needs_one_to_be_chosen() {
    let several = options(Format::Remark42, None, None);
    let message = "the file has several sites; choose one with --only SITE: blog, other";
    assert_eq!(refused(&several, "remark42.jsonl"), message);
    let unknown = options(Format::Remark42, None, Some("third"));
    let message = "the file has no site \"third\", but blog, other";
    assert_eq!(refused(&unknown, "remark42.jsonl"), message);
    let other = plan(&options(Format::Remark42, None, Some("other")), sample("remark42.jsonl"));
    assert_eq!(other.unwrap().report().comments, 1);
    let none = options(Format::Twikoo, Some("blog.example"), Some("blog"));
    assert_eq!(refused(&none, "twikoo.json"), "the file names no site; leave out --only");
}

#[test]
fn an_export_of_paths_needs_a_site_unless_pages_are_named_by_their_paths() {
    let nowhere = options(Format::Twikoo, None, None);
    let message = refused(&nowhere, "valine.json");
    assert!(message.contains("--site HOST") && message.contains("--page-from path"), "{message}");
    let by_path = Options { page_from: PageFrom::Path, ..nowhere.clone() };
    assert_eq!(pages(&by_path, "valine.json"), ["/first/"]);
    // This one has the whole address in one of its comments.
    assert_eq!(pages(&nowhere, "twikoo.json"), ["blog.example/first/"]);
}

#[test]
fn an_export_that_counts_up_and_names_no_site_needs_one_in_any_case() {
    let by_path = Options { page_from: PageFrom::Path, ..options(Format::Isso, None, None) };
    let message = refused(&by_path, "isso.json");
    assert!(message.contains("--site HOST"), "{message}");
    let nonces = |site| {
        let plan = plan(&Options { site: Some(site), ..by_path.clone() }, sample("isso.json"));
        plan.unwrap().comments().map(|comment| comment.unwrap().nonce).collect::<Vec<_>>()
    };
    let (one, other) = (nonces("one.example".to_owned()), nonces("other.example".to_owned()));
    assert!(one.iter().all(|nonce| !other.contains(nonce)));
}

#[test]
fn pages_are_named_and_mapped_as_wished() {
    let disqus = |page_from, maps: &[(&str, &str)]| {
        let maps = maps.iter().map(|(old, new)| ((*old).into(), (*new).into())).collect();
        pages(&Options { page_from, maps, ..options(Format::Disqus, None, None) }, "disqus.xml")
    };
    assert_eq!(disqus(PageFrom::Path, &[]), ["/first/", "/second"]);
    assert_eq!(
        disqus(PageFrom::Url, &[]),
        ["https://blog.example/first/?utm_source=x", "http://blog.example/second"]
    );
    assert_eq!(
        disqus(
            PageFrom::HostPath,
            &[("blog.example/", "new.example/"), ("blog.example/second", "/2")]
        ),
        ["new.example/first/", "/2"]
    );
    let both =
        disqus(PageFrom::HostPath, &[("blog.example/first/", "/"), ("blog.example/second", "/")]);
    assert_eq!(both, ["/"], "two pages become one");
}

#[test]
fn times_are_shifted_by_hours() {
    let shifted = Options { shift_minutes: -90, ..options(Format::Isso, Some("a.example"), None) };
    let plan = plan(&shifted, sample("isso.json")).unwrap();
    let second = plan.comments().nth(1).unwrap().unwrap();
    assert_eq!(second.created_at, "2014-05-13T15:25:00.000Z");
    assert_eq!(second.edited_at.as_deref(), Some("2014-05-13T15:26:40.500Z"));
}

#[test]
fn a_nonce_says_format_site_and_id_and_is_the_same_each_time() {
    // printf 'disqus\0ablog\00010' | sha256sum | head -c 32 | xxd -r -p | base64
    let nonces = |plan: &import::Plan| {
        plan.comments().map(|comment| comment.unwrap().nonce).collect::<Vec<_>>()
    };
    let first = plan_of("disqus.xml");
    assert_eq!(nonces(&first)[0], NONCE_OF_POST_10);
    assert_eq!(nonces(&first), nonces(&plan_of("disqus.xml")));
    let sayso = nonces(&plan_of("sayso.jsonl"));
    assert_eq!(sayso[0], "4f1c4f1c4f1c4f1c", "sayso's own are kept");
    assert!(sayso[1].starts_with("import:") && sayso[1].len() == 29, "{}", sayso[1]);
}

const NONCE_OF_POST_10: &str = "import:4tIEFQxt3sDpD7znshDm7g";

#[test]
fn authors_are_pseudonyms_that_the_salt_keeps_from_being_guessed() {
    let authors = |salt| {
        let options = Options { salt: [salt; 32], ..options(Format::Disqus, None, None) };
        let plan = plan(&options, sample("disqus.xml")).unwrap();
        plan.comments().filter_map(|comment| comment.unwrap().author).collect::<Vec<_>>()
    };
    let (one, other) = (authors(1), authors(2));
    assert_eq!(one.len(), 3);
    assert!(one.iter().all(|author| Author::parse(author).is_some() && !other.contains(author)));
    let report = plan_of("disqus.xml").report().clone();
    assert_eq!((report.authors, report.without_author), (2, 1));
}

/// Gives one byte at a time, as a slow pipe does.
struct Slow(Vec<u8>, usize);

impl Read for Slow {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(byte) = self.0.get(self.1) else { return Ok(0) };
        out[0] = *byte;
        self.1 += 1;
        Ok(1)
    }
}

#[test]
fn a_packed_export_is_unpacked_whatever_it_is_read_from() {
    let text = sample("disqus.xml");
    let mut packed = Vec::new();
    // Two members one after the other, as `cat a.gz b.gz` makes them.
    let (start, end) = text.split_at(text.len() / 2);
    for part in [start, end] {
        let mut encoder = GzEncoder::new(&mut packed, Compression::fast());
        encoder.write_all(part.as_bytes()).unwrap();
        encoder.finish().unwrap();
    }
    let options = options(Format::Disqus, None, None);
    let slow = import::plan(&options, Box::new(Slow(packed, 0))).unwrap();
    assert_eq!(described(&slow), described(&plan_of("disqus.xml")));
}

#[test]
fn the_report_counts_what_is_planned() {
    let report = plan_of("disqus.xml").report().clone();
    assert_eq!((report.pages, report.comments, report.tombstones, report.locked), (2, 4, 1, 1));
    assert_eq!(report.sites, ["ablog"]);
    assert_eq!(report.left_out.iter().sum::<usize>(), 4);
    assert_eq!(report.changed.iter().sum::<usize>(), 1);
    let report = plan_of("comentario-v3.json").report().clone();
    assert_eq!((report.comments, report.pending, report.hidden), (3, 1, 1));
}

#[test]
fn progress_is_told_while_reading() {
    let row = |id: usize| {
        format!("{{\"uri\":\"/\",\"id\":{id},\"created\":{},\"text\":\"x\"}}", 1_400_000_000 + id)
    };
    let rows: Vec<String> = (1..=5_000).map(row).collect();
    let text = format!("[{}]", rows.join(","));
    let options = options(Format::Isso, Some("a.example"), None);
    let mut told = Vec::new();
    let length = text.len() as u64;
    let file = Box::new(io::Cursor::new(text));
    let plan =
        import::plan_with_progress(&options, file, &mut |progress| told.push(progress)).unwrap();
    assert_eq!(plan.len(), 5_000);
    assert_eq!(
        told.iter().map(|told| told.entries).collect::<Vec<_>>(),
        [1_024, 2_048, 3_072, 4_096]
    );
    assert!(told.iter().all(|told| told.bytes > 0 && told.bytes < length));
    assert!(told.windows(2).all(|pair| pair[0].bytes < pair[1].bytes));
}

#[test]
fn times_more_than_a_day_ahead_become_the_time_of_the_import() {
    let since_1970 = || UNIX_EPOCH.elapsed().unwrap().as_secs();
    let (hour, before) = (3_600, since_1970());
    let row = |id: u64, created: u64, modified: u64| {
        format!(
            "{{\"uri\":\"/\",\"id\":{id},\"created\":{created},\"modified\":{modified},\"text\":\"{id}\"}}"
        )
    };
    let (soon, later) = (before + 20 * hour, before + 30 * hour);
    let rows = [
        row(1, later, later),
        row(2, 90_000_000_000, 90_000_000_000),
        row(3, before - hour, later),
        row(4, soon, soon),
    ];
    let options = options(Format::Isso, Some("a.example"), None);
    let plan = plan(&options, format!("[{}]", rows.join(","))).unwrap();
    let (earliest, latest) = (rfc3339(before), rfc3339(since_1970() + 1));
    let is_now = |time: &str| (&*earliest..=&*latest).contains(&time);
    let found: Vec<(String, bool, bool)> = plan
        .comments()
        .map(|comment| {
            let comment = comment.unwrap();
            let is_edited_now = comment.edited_at.is_some_and(|time| is_now(&time));
            (comment.content, is_now(&comment.created_at), is_edited_now)
        })
        .collect();
    let row = |content: &str, created: bool, edited: bool| (content.to_owned(), created, edited);
    assert_eq!(
        found,
        [row("3", false, true), row("1", true, true), row("2", true, true), row("4", false, false)]
    );
    assert_eq!(plan.report().changed_by(Change::FromFuture), 3);
}

fn rfc3339(seconds: u64) -> String {
    sayso::exchange::import::time::rfc3339(seconds as i64 * 1_000)
}

#[test]
fn of_a_name_that_is_a_mail_address_only_the_start_is_imported() {
    let wordpress = "<rss><channel><link>https://a.example</link><item><link>https://a.example/1</link><wp:comment>\
        <wp:comment_id>1</wp:comment_id><wp:comment_author>ada@mail.example</wp:comment_author><wp:comment_approved>1</wp:comment_approved>\
        <wp:comment_date_gmt>2014-01-01 00:00:00</wp:comment_date_gmt><wp:comment_content>x</wp:comment_content></wp:comment></item></channel></rss>";
    let commento = sample("commento.json").replace("\"Ada\"", "\"ada@mail.example\"");
    assert_ne!(commento, sample("commento.json"));
    for (format, text) in [(Format::WordPress, wordpress.to_owned()), (Format::Commento, commento)]
    {
        let plan = plan(&options(format, None, None), text).unwrap();
        let names = plan.comments().filter_map(|comment| comment.unwrap().name);
        let cut = names.filter(|name| name == "ada").count();
        assert!(cut > 0);
        assert_eq!(plan.report().changed_by(Change::MailName), cut);
        let told = described(&plan);
        assert!(!told.contains("mail.example"), "{told}");
    }
    let sayso =
        sample("sayso.jsonl").lines().nth(1).unwrap().replace("\"Ada\"", "\"ada@mail.example\"");
    let (public, _) = sayso.rsplit_once(",\"crc\"").unwrap();
    let plan = plan(&options(Format::Sayso, None, None), format!("{public}}}")).unwrap();
    let name = plan.comments().next().unwrap().unwrap().name;
    assert_eq!(name.as_deref(), Some("ada@mail.example"));
}
