//! Exports of eleven comment systems with every trap that they are known to have: what an import makes of them.

mod broken;
mod databases;
mod html_sources;
mod json_sources;
mod live;
mod options;
mod program;
mod takeover;
mod variants;

use std::{collections::HashMap, fmt::Write, fs, io::Cursor, path::Path};

use sayso::exchange::import::{self, Format, Options, Plan};

/// The text of a sample.
pub fn sample(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/import/samples");
    fs::read_to_string(Path::new(folder).join(name)).unwrap()
}

/// The samples with their formats and what they need.
pub const SAMPLES: [(&str, Format, Option<&str>, Option<&str>); 17] = [
    ("disqus.xml", Format::Disqus, None, None),
    ("wordpress.xml", Format::WordPress, None, None),
    ("isso.json", Format::Isso, Some("blog.example"), None),
    ("isso-generic.json", Format::Isso, Some("blog.example"), None),
    ("remark42.jsonl", Format::Remark42, None, Some("blog")),
    ("commento.json", Format::Commento, None, None),
    ("comentario-v1.json", Format::Comentario, None, None),
    ("comentario-v3.json", Format::Comentario, None, None),
    ("artrans.json", Format::Artalk, Some("blog.example"), None),
    ("waline.json", Format::Waline, Some("blog.example"), None),
    ("waline-api.json", Format::Waline, Some("blog.example"), None),
    ("twikoo.json", Format::Twikoo, Some("blog.example"), None),
    ("twikoo.jsonl", Format::Twikoo, Some("blog.example"), None),
    ("valine.json", Format::Twikoo, Some("blog.example"), None),
    ("cusdis.json", Format::Cusdis, Some("blog.example"), None),
    ("sayso.jsonl", Format::Sayso, None, None),
    ("sayso.jsonl", Format::Sayso, Some("blog.example"), None),
];

/// Default options for a sample.
pub fn options(format: Format, site: Option<&str>, only: Option<&str>) -> Options {
    Options {
        site: site.map(str::to_owned),
        only: only.map(str::to_owned),
        ..Options::new(format, std::env::temp_dir())
    }
}

/// The plan of a text.
pub fn plan(options: &Options, text: impl Into<Vec<u8>>) -> Result<Plan, String> {
    import::plan(options, Box::new(Cursor::new(text.into()))).map_err(|error| error.to_string())
}

/// The plan of a sample.
pub fn plan_of(name: &str) -> Plan {
    let (name, format, site, only) =
        SAMPLES.into_iter().find(|(known, ..)| *known == name).unwrap();
    plan(&options(format, site, only), sample(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A plan as lines: number, number of the parent, page, name, author as a letter, time, marks, content; then locked pages, what
/// is left out, and what is changed.
pub fn described(plan: &Plan) -> String {
    let mut out = String::new();
    let mut authors = HashMap::new();
    for (number, comment) in plan.comments().enumerate() {
        let comment = comment.unwrap();
        write!(out, "{number}").unwrap();
        if let Some(parent) = comment.parent {
            write!(out, ">{parent}").unwrap();
        }
        let name = comment.name.as_deref().unwrap_or("-");
        write!(out, " {} {name}", comment.page).unwrap();
        if let Some(author) = &comment.author {
            let next = char::from(b'A' + authors.len() as u8);
            write!(out, "={}", authors.entry(author.clone()).or_insert(next)).unwrap();
        }
        write!(out, " {}", comment.created_at.trim_end_matches(".000Z")).unwrap();
        if let Some(edited_at) = &comment.edited_at {
            write!(out, " edited {}", edited_at.trim_end_matches(".000Z")).unwrap();
        }
        for (mark, is) in [
            (format!("{:?}", comment.status).to_lowercase(), comment.status != Default::default()),
            ("deleted".into(), comment.deleted),
            ("pinned".into(), comment.pinned),
            ("site".into(), comment.is_site_author),
        ] {
            if is {
                write!(out, " {mark}").unwrap();
            }
        }
        writeln!(out, " {:?}", comment.content).unwrap();
    }
    for page in plan.pages().filter(|page| page.locked) {
        writeln!(out, "locked {}", page.name).unwrap();
    }
    for notice in plan.left_out() {
        let notice = notice.unwrap();
        writeln!(out, "left out line {} entry {}: {}", notice.line, notice.entry, notice.what)
            .unwrap();
    }
    for notice in plan.changed() {
        let notice = notice.unwrap();
        writeln!(out, "changed line {} entry {}: {}", notice.line, notice.entry, notice.what)
            .unwrap();
    }
    out
}

/// Checks a sample's plan.
#[track_caller]
pub fn check(name: &str, expected: &str) {
    let found = described(&plan_of(name));
    assert_eq!(found.trim(), expected.trim(), "\n{found}");
}
