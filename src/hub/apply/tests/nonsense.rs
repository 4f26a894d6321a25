//! Lines that no sayso writes.

use super::{
    disk::{AUTHORS, PAGES, author},
    operations::Chance,
};
use crate::{comment::Comment, hub::Hub, store::visibility::Visibility};

/// What lines may say.
#[derive(Clone, Copy)]
pub struct May {
    /// Pages move, but then no answer is on another page than what it names: a start finds that once both are on one.
    pub move_pages: bool,
    /// Times change and fall. Where comments with times of their own stand then depends on when they came.
    pub change_times: bool,
}

/// A line that may follow the hub's last one, as far as JSON goes or not even so far.
pub fn line(hub: &Hub<()>, seq: u64, chance: &mut Chance, may: May) -> Vec<u8> {
    let mut fields = match chance.below(5) {
        0 | 1 => comment(hub, chance, seq, may),
        2 => {
            let on = ["true", "false", "null", "1"][chance.below(4) as usize];
            let (id, who) = (id(chance, seq), who(chance));
            vec![r#""kind":"like""#.into(), id, who, format!("\"on\":{on}")]
        }
        _ => moderation(hub, chance, seq, may),
    };
    if chance.one_in(12) {
        fields.push(r#""new":[{"a":[1,2,{"b":null}]},"x"]"#.into());
    }
    if chance.one_in(20) {
        let again = fields[chance.below(fields.len() as u64) as usize].clone();
        fields.push(again);
    }
    if chance.one_in(30) {
        fields.push(r#""more":1"#.into());
    }
    if chance.one_in(30) {
        fields.push(r#""crc":"01234567""#.into());
    }
    let told = if chance.one_in(30) { seq + chance.below(3) - 1 } else { seq };
    let at = if chance.one_in(6) { chance.below(fields.len() as u64) as usize } else { 0 };
    fields.insert(at, format!("\"seq\":{told}"));
    let between = if chance.one_in(10) { ", " } else { "," };
    let whole = format!("{{{}}}", fields.join(between)).into_bytes();
    let mut line = whole.clone();
    if chance.one_in(6) {
        let at = chance.below(line.len() as u64) as usize;
        match chance.below(4) {
            0 => line[at] = chance.below(256) as u8,
            1 => drop(line.remove(at)),
            2 => line.insert(at, chance.below(256) as u8),
            _ => line.truncate(at),
        }
    }
    if is_as_allowed(hub, &line, may) { line } else { whole }
}

/// Whether a line that was changed by chance says no more than others may.
fn is_as_allowed(hub: &Hub<()>, line: &[u8], may: May) -> bool {
    let Ok(comment) = Comment::parse(line) else { return true };
    if comment.kind.is_some_and(|kind| !kind.is_empty()) {
        return true;
    }
    let Some(item) = hub.index.find(comment.id) else { return true };
    let before = hub.log.read(item.location).unwrap();
    let is_same_time = Comment::parse(&before).unwrap().created_at == comment.created_at;
    let is_shared = Visibility::of(comment.status, comment.deleted).is_shared();
    (is_same_time || may.change_times) && (is_shared || !item.visibility.is_shared())
}

fn pick(chance: &mut Chance, of: &[&str]) -> String {
    of[chance.below(of.len() as u64) as usize].to_owned()
}

fn id(chance: &mut Chance, seq: u64) -> String {
    let id = match chance.below(12) {
        0 => 0,
        1 => seq,
        2 => seq + 1 + chance.below(5),
        3 => u64::MAX,
        4..7 => seq.saturating_sub(1 + chance.below(10)),
        _ => 1 + chance.below(seq),
    };
    format!("\"id\":{id}")
}

fn who(chance: &mut Chance) -> String {
    match chance.below(8) {
        0 => r#""author":"nobody""#.into(),
        1 => r#""author":null"#.into(),
        _ => format!("\"author\":\"{}\"", author(chance.below(AUTHORS))),
    }
}

fn page(chance: &mut Chance) -> String {
    match chance.below(12) {
        0 => "x".repeat(600),
        1 => format!("new/{}", chance.below(10)),
        2 => "\\u00e9\\n".into(),
        3 => String::new(),
        _ => PAGES[chance.below(PAGES.len() as u64) as usize].into(),
    }
}

fn comment(hub: &Hub<()>, chance: &mut Chance, seq: u64, may: May) -> Vec<String> {
    // Mostly a new one, or one that there is.
    let all = hub.index.comment_count() as u64;
    let known = hub.index.all_before(None).nth(chance.below(all.max(1)) as usize);
    let id = match chance.below(10) {
        0 => id(chance, seq),
        1..3 => format!("\"id\":{seq}"),
        _ => format!("\"id\":{}", known.map_or(seq, |item| item.id)),
    };
    let known = id["\"id\":".len()..].parse().ok().and_then(|id| hub.index.find(id));
    let mut fields = vec![id, format!("\"page\":\"{}\"", page(chance))];
    if !may.move_pages && chance.one_in(3) {
        fields.push(format!("\"parent\":{}", chance.below(seq + 3)));
    }
    fields.push(who(chance));
    let length = if chance.one_in(60) { 98_000 } else { chance.below(40) };
    fields.push(format!("\"content\":\"{}\"", "é".repeat(length as usize / 2)));
    let line = known.and_then(|item| Comment::parse(&hub.log.read(item.location).ok()?).ok());
    let new = format!("2099-01-01T00:{:02}:{:02}.000Z", seq / 60, seq % 60);
    let time = line.map_or(new, |comment| comment.created_at);
    let is_dated = !may.change_times || chance.one_in(2);
    fields.extend(is_dated.then(|| format!("\"created_at\":\"{time}\"")));
    let mut sometimes = |n, field: &str| {
        if chance.one_in(n) {
            fields.push(field.into());
        }
    };
    sometimes(3, r#""edited_at":"2026-11-22T05:08:00.001Z""#);
    sometimes(4, r#""deleted":true"#);
    // The highest `seq` of what everyone gets does not fall again.
    if known.is_none_or(|item| !item.visibility.is_shared()) {
        sometimes(3, r#""status":"pending""#);
    }
    sometimes(6, r#""status":"hidden""#);
    sometimes(30, r#""status":"new""#);
    sometimes(4, r#""pinned":true"#);
    sometimes(6, r#""mod":"ada""#);
    sometimes(6, r#""mod_edited":true"#);
    sometimes(6, r#""imported":"x""#);
    sometimes(20, r#""kind":"""#);
    fields
}

fn moderation(hub: &Hub<()>, chance: &mut Chance, seq: u64, may: May) -> Vec<String> {
    let kind = pick(chance, &["flag", "ban", "page", "note", "note", "flag", "future", "Note"]);
    let mut fields = vec![format!("\"kind\":\"{kind}\"")];
    if !chance.one_in(5) {
        fields.push(id(chance, seq));
    }
    if !chance.one_in(4) {
        fields.push(who(chance));
    }
    if kind == "page" || chance.one_in(10) {
        let page = page(chance);
        fields.push(format!("\"page\":\"{page}\""));
    }
    if may.move_pages && kind == "page" && chance.one_in(3) {
        let names = hub.index.pages_below("", 20);
        let known = names.get(chance.below(20) as usize);
        let to = known.filter(|name| !name.contains('\n')).map_or(page(chance), |n| n.to_string());
        fields.push(format!("\"moved\":\"{to}\""));
    }
    let did = pick(chance, &["approve", "hide", "hold", "delete", "pin", "unpin", "edit", "sing"]);
    let mut sometimes = |n, field: &str| {
        if chance.one_in(n) {
            fields.push(field.into());
        }
    };
    sometimes(3, r#""on":false"#);
    sometimes(8, r#""on":null"#);
    sometimes(2, r#""locked":true"#);
    sometimes(30, r#""locked":"yes""#);
    sometimes(3, r#""address":"AAAAAAAAAAAAAAAAAAAAAA""#);
    sometimes(3, r#""until":"9999-12-31T23:59:59.999Z""#);
    sometimes(9, r#""hold":true"#);
    sometimes(2, r#""by":"ada""#);
    sometimes(3, r#""reason":"be kind""#);
    sometimes(9, r#""why":"ban""#);
    sometimes(2, r#""created_at":"2026-11-22T05:08:00.001Z""#);
    sometimes(9, &format!("\"did\":\"{did}\""));
    if kind == "note" && !fields.iter().any(|field| field.starts_with("\"did\"")) {
        fields.push(format!("\"did\":\"{did}\""));
    }
    fields
}
