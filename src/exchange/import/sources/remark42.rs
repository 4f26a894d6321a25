//! Remark42's backup: a line about users and posts, which may be missing, and a line for each comment.
//!
//! Knows no other JSON.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::super::collect::Collector;
use super::super::error::ImportError;
use super::super::input::Input;
use super::super::json::{self, Field};
use super::super::record::{ImportedComment, Markup, PageRef};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Line {
    version: Option<IgnoredAny>,
    posts: Locked,
    id: Field,
    pid: Field,
    text: Field,
    orig: Field,
    user: Option<User>,
    locator: Option<Locator>,
    time: Field,
    edit: Option<Edit>,
    pin: Field,
    delete: Field,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct User {
    id: Field,
    name: Field,
    admin: Field,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Locator {
    site: Field,
    url: Field,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Edit {
    time: Field,
}

/// The URLs of the posts that are closed.
#[derive(Default)]
struct Locked(Vec<String>);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Post {
    url: Field,
    read_only: Field,
}

impl<'de> Deserialize<'de> for Locked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Locked, D::Error> {
        deserializer.deserialize_any(LockedVisitor)
    }
}

struct LockedVisitor;

impl<'de> Visitor<'de> for LockedVisitor {
    type Value = Locked;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of posts")
    }

    fn visit_unit<E>(self) -> Result<Locked, E> {
        Ok(Locked::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Locked, A::Error> {
        let mut locked = Vec::new();
        while let Some(post) = seq.next_element::<Post>()? {
            locked.extend(post.url.text().filter(|_| post.read_only.is_true()));
        }
        Ok(Locked(locked))
    }
}

pub fn read(mut input: Input, out: &mut Collector) -> Result<(), ImportError> {
    // It may be as long as all users take, of whom nothing is kept.
    let first: Line = json::first_value(&mut input)?;
    if first.version.is_some() {
        for url in &first.posts.0 {
            out.lock(url, true);
        }
    } else {
        take(first, 1, out)?;
    }
    json::lines(input, &mut |line, comment| take(comment, line, out))
}

fn take(line: Line, number: u64, out: &mut Collector) -> Result<(), ImportError> {
    let (user, locator) = (line.user.unwrap_or_default(), line.locator.unwrap_or_default());
    // A deleted user is nobody in particular.
    let author = user.id.text().filter(|id| id != "deleted");
    // What Remark42 itself imported has no source.
    let (text, markup) = match line.orig.text() {
        Some(_) => (line.orig, Markup::Markdown),
        None => (line.text, Markup::Html),
    };
    out.comment(ImportedComment {
        line: number,
        site: locator.site.text(),
        id: line.id.text().unwrap_or_default(),
        parent: line.pid.text(),
        page: locator.url.text().map(PageRef::Address),
        name: user.name.text().filter(|_| author.is_some()),
        author,
        text: text.into_raw(),
        markup,
        created_at: line.time.time(),
        edited_at: line.edit.and_then(|edit| edit.time.time()),
        deleted: line.delete.is_true(),
        pinned: line.pin.is_true(),
        is_site_author: user.admin.is_true(),
        ..ImportedComment::default()
    })
}
