//! History in threads: over the API, and on the page without a script.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::says;
use crate::{
    model::Chance,
    support::{
        client::{KEY, TOKEN, bearer, get, post, request},
        server::Server,
    },
};

fn answer(server: &Server, parent: Option<u64>) -> u64 {
    let mut message = json!({"content": "words", "key": KEY});
    if let Some(parent) = parent {
        message["parent"] = parent.into();
    }
    let response = post(server, &message);
    assert!(matches!(response.status, 201 | 202), "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

fn delete(server: &Server, id: u64) {
    let response = request(server, "DELETE", &format!("/api/comments/{id}"), &bearer(KEY), "");
    assert_eq!(response.status, 200, "{response:?}");
}

fn set_status(server: &Server, id: u64, status: &str) {
    let (target, body) = (format!("/api/comments/{id}"), json!({ "status": status }).to_string());
    let response = request(server, "PATCH", &target, &bearer(TOKEN), &body);
    assert_eq!(response.status, 200, "{response:?}");
}

fn history(server: &Server, query: &str) -> Value {
    let response = get(server, &format!("/api/comments?{query}"));
    assert_eq!(response.status, 200, "{query}: {response:?}");
    response.json()
}

fn ids_in(history: &Value) -> Vec<u64> {
    let comments = history["comments"].as_array().unwrap();
    comments.iter().map(|comment| comment["id"].as_u64().unwrap()).collect()
}

fn ids(server: &Server, query: &str) -> Vec<u64> {
    ids_in(&history(server, query))
}

#[test]
fn a_history_of_threads_has_each_whole_by_its_first_comment() {
    let server = Server::start(&["--rate", "off"]);
    let say = |parent| answer(&server, parent);
    let (a, b) = (say(None), say(None));
    let (a1, b1) = (say(Some(a)), say(Some(b)));
    let c = say(None);
    let a2 = say(Some(a1));
    let b2 = say(Some(b));
    let (of_a, of_b, of_c) = (vec![a, a1, a2], vec![b, b1, b2], vec![c]);
    let all = [&*of_a, &*of_b, &*of_c].concat();
    assert_eq!(ids(&server, "threads=50"), all);
    let newest = history(&server, "threads=1");
    assert_eq!((ids_in(&newest), &newest["more"]), (of_c.clone(), &json!(true)));
    let two = history(&server, "threads=2");
    assert_eq!((ids_in(&two), &two["more"]), ([&*of_b, &*of_c].concat(), &json!(true)));
    assert!(two.get("answers").is_none(), "nothing is left out: {two}");
    let before = history(&server, &format!("threads=2&before={b}"));
    assert_eq!((ids_in(&before), &before["more"]), (of_a.clone(), &json!(false)));
    let oldest = history(&server, "threads=2&after=0");
    assert_eq!((ids_in(&oldest), &oldest["more"]), ([&*of_a, &*of_b].concat(), &json!(true)));
    let after = history(&server, &format!("threads=2&after={b}"));
    assert_eq!((ids_in(&after), &after["more"]), (of_c, &json!(false)));
    for id in &of_a {
        assert_eq!(ids(&server, &format!("thread={id}")), of_a, "any comment names its thread");
    }
    assert_eq!(ids(&server, &format!("thread={b}&limit=2")), [b, b1]);
    assert_eq!(ids(&server, &format!("thread={b}&limit=2&after={b1}")), [b2]);
    for query in ["thread=99", &format!("thread={a}&page=elsewhere"), "threads=5&page=elsewhere"] {
        let nothing = history(&server, query);
        assert_eq!((ids_in(&nothing), &nothing["more"]), (vec![], &json!(false)), "{query}");
    }
    // The other reads go by id as before.
    assert_eq!(ids(&server, "limit=3"), [c, a2, b2]);
    for (query, parts) in [
        ("threads=0", &["threads", "50"][..]),
        ("threads=51", &["threads", "51", "50"]),
        ("threads=x", &["threads"]),
        ("thread=x", &["thread"]),
        ("threads=5&after=x", &["after"]),
        ("threads=5&limit=5", &["threads", "limit"]),
        ("threads=5&since=5", &["threads", "since"]),
        ("threads=5&thread=5", &["threads", "thread"]),
        ("threads=5&before=5&after=5", &["before", "after"]),
        ("thread=5&before=5", &["thread", "before"]),
        ("thread=5&since=5", &["thread", "since"]),
        ("after=5", &["after", "threads"]),
    ] {
        says(&get(&server, &format!("/api/comments?{query}")), 400, parts);
    }
}

#[test]
fn of_a_long_thread_the_first_and_newest_answers_come_and_the_others_when_asked_for() {
    let server = Server::start(&["--rate", "off"]);
    let say = |parent| answer(&server, parent);
    let first = say(None);
    let mut answers: Vec<u64> = (0..10).map(|_| say(Some(first))).collect();
    let ten = history(&server, "threads=50");
    assert_eq!(ids_in(&ten), [&[first], &*answers].concat());
    assert!(ten.get("answers").is_none(), "{ten}");
    // Answers to answers count alike.
    answers.extend(answers.clone().iter().map(|&parent| say(Some(parent))));
    let newer = say(None);
    let ends = [&[first], &answers[..3], &answers[13..], &[newer]].concat();
    let twenty = history(&server, "threads=50");
    assert_eq!(ids_in(&twenty), ends);
    assert_eq!(twenty["answers"], json!({ first.to_string(): 20 }));
    for limit in [1, 2, 7, 21, 200] {
        let (mut after, mut seen) = (0, Vec::new());
        loop {
            let query = format!("thread={}&after={after}&limit={limit}", answers[5]);
            let part = history(&server, &query);
            let found = ids_in(&part);
            assert!(!found.is_empty() && found.len() <= limit, "{part}");
            after = *found.last().unwrap();
            seen.extend(found);
            if part["more"] == false {
                assert!(part.get("answers").is_none(), "{part}");
                break;
            }
            assert_eq!(part["answers"], json!({ first.to_string(): 20 }));
        }
        assert_eq!(seen, [&[first], &*answers].concat(), "limit {limit}");
    }
}

#[test]
fn threads_come_until_there_are_fifty_comments_and_at_least_one() {
    let server = Server::start(&["--rate", "off"]);
    let mut firsts = Vec::new();
    for _ in 0..8 {
        firsts.push(answer(&server, None));
        for _ in 0..12 {
            answer(&server, firsts.last().copied());
        }
    }
    let newest = history(&server, "threads=50");
    assert_eq!((ids_in(&newest).len(), &newest["more"]), (4 * 11, &json!(true)));
    let mut seen = Vec::new();
    let mut query = "threads=50&after=0".to_owned();
    loop {
        let part = history(&server, &query);
        let threads: Vec<u64> =
            ids_in(&part).into_iter().filter(|id| firsts.contains(id)).collect();
        query = format!("threads=50&after={}", threads.last().unwrap());
        seen.extend(threads);
        if part["more"] == false {
            break;
        }
    }
    assert_eq!(seen, firsts);
}

#[test]
fn threads_of_the_longest_comments_stop_early_and_say_more() {
    let server = Server::start(&["--rate", "off"]);
    let long = |n: u32, parent: Option<&Value>| {
        // Becomes as long in HTML as it may.
        let content = format!("{n:04}{}", "*a*".repeat(2_700));
        let mut message = json!({"content": content, "key": KEY});
        if let Some(parent) = parent {
            message["parent"] = parent.clone();
        }
        post(&server, &message).json()["id"].clone()
    };
    for thread in 0..6 {
        let first = long(thread * 100, None);
        for n in 1..=10 {
            long(thread * 100 + n, Some(&first));
        }
    }
    let (mut before, mut seen) = (String::new(), 0);
    loop {
        let response = get(&server, &format!("/api/comments?threads=50{before}"));
        assert!(response.body.len() <= 1024 * 1024, "{} bytes", response.body.len());
        let found = ids_in(&response.json());
        assert_eq!(found.len() % 11, 0, "whole threads");
        seen += found.len();
        before = format!("&before={}", found[0]);
        if response.json()["more"] == false {
            break;
        }
    }
    assert_eq!(seen, 66);
    let page = get(&server, "/");
    assert!(page.status == 200 && page.body.len() <= 1024 * 1024, "{} bytes", page.body.len());
}

#[test]
fn what_is_deleted_keeps_its_place_only_above_what_is_shown() {
    let server = Server::builder().moderator(TOKEN).flags(&["--rate", "off"]).start();
    let say = |parent| answer(&server, parent);
    let lonely = say(None);
    let first = say(None);
    let a = say(Some(first));
    let b = say(Some(a));
    let c = say(Some(b));
    let leaf = say(Some(first));
    let threads = || ids(&server, "threads=50");
    delete(&server, lonely);
    assert_eq!(threads(), [first, a, b, c, leaf], "nothing stands below it");
    delete(&server, leaf);
    set_status(&server, a, "hidden");
    delete(&server, b);
    delete(&server, first);
    let shown = history(&server, "threads=50");
    assert_eq!(ids_in(&shown), [first, a, b, c], "all above the last stay");
    for comment in &shown["comments"].as_array().unwrap()[..3] {
        assert!(comment["deleted"] == true && comment.get("content").is_none(), "{comment}");
    }
    set_status(&server, c, "hidden");
    assert_eq!(threads(), Vec::<u64>::new(), "nobody sees anything of it");
    assert_eq!(ids(&server, &format!("thread={first}")), Vec::<u64>::new());
    set_status(&server, c, "public");
    assert_eq!(threads(), [first, a, b, c]);
    delete(&server, c);
    set_status(&server, a, "public");
    assert_eq!(threads(), [first, a]);
    server.compact();
    assert_eq!(threads(), [first, a]);
}

#[test]
fn the_page_shows_whole_threads_and_all_of_them_without_a_script() {
    let server = Server::start(&["--rate", "off"]);
    let mut all = Vec::new();
    for thread in 0..7 {
        let first = answer(&server, None);
        let answers: Vec<u64> =
            (0..thread * 20 + 1).map(|_| answer(&server, Some(first))).collect();
        all.extend([&[first], &*answers].concat());
    }
    // Follows every link of the page but to comments and files.
    let (mut links, mut visited, mut seen) = (vec!["/".to_owned()], Vec::new(), Vec::new());
    let mut texts = Vec::new();
    while let Some(link) = links.pop() {
        let page = get(&server, &link);
        assert_eq!(page.status, 200, "{link}");
        visited.push(link);
        seen.extend(
            page.body
                .split("<li class=\"item\" id=\"sayso-")
                .skip(1)
                .map(|item| item.split('"').next().unwrap().parse::<u64>().unwrap()),
        );
        for part in page.body.split("<a ").skip(1) {
            let (_, rest) = part.split_once("href=\"").unwrap();
            let (target, rest) = rest.split_once('"').unwrap();
            let target = target.split('#').next().unwrap().replace("&amp;", "&");
            if target.starts_with("/?") && !visited.contains(&target) && !links.contains(&target) {
                let (_, text) = rest.split_once('>').unwrap();
                texts.push(text.split('<').next().unwrap().to_owned());
                links.push(target);
            }
        }
        assert!(visited.len() < 100, "no end: {visited:?}");
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, all);
    for text in ["Older comments", "111 more answers", "11 more answers", "All comments"] {
        assert!(texts.iter().any(|other| other == text), "{text}: {texts:?}");
    }
    // The gap stands between the first and the newest answers, and answers of any depth stay below their thread.
    let page = get(&server, "/").body;
    let newest: Vec<u64> = ids(&server, "threads=1");
    let position = |id: u64| page.find(&format!("id=\"sayso-{id}\"")).unwrap();
    let gap = page.find("<li class=\"gap\">").unwrap();
    assert!(position(newest[3]) < gap && gap < position(newest[4]));
    says(&get(&server, "/?thread=x"), 400, &["thread"]);
    assert_eq!(get(&server, "/?thread=9999").status, 200);
}

/// What everybody may see, searched from end to end.
#[derive(Default)]
struct Naive(BTreeMap<u64, Known>);

struct Known {
    parent: Option<u64>,
    /// `public`, `pending`, `hidden`, `deleted`, or `gone`: deleted before it was public.
    state: &'static str,
}

impl Naive {
    fn root(&self, id: u64) -> u64 {
        self.0[&id].parent.map_or(id, |parent| self.root(parent))
    }

    fn is_listed(&self, id: u64) -> bool {
        let state = self.0[&id].state;
        state == "public"
            || matches!(state, "hidden" | "deleted")
                && self
                    .0
                    .iter()
                    .any(|(&other, known)| known.parent == Some(id) && self.is_listed(other))
    }

    /// Each thread: its first comment and then its answers.
    fn threads(&self) -> Vec<Vec<u64>> {
        let mut threads: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for &id in self.0.keys().filter(|&&id| self.is_listed(id)) {
            threads.entry(self.root(id)).or_default().push(id);
        }
        threads.into_values().collect()
    }
}

fn compare(server: &Server, naive: &Naive, chance: &mut Chance) {
    let threads = naive.threads();
    let cursor = chance.below(naive.0.len() + 2) as u64;
    for (query, expected) in [
        (
            "threads=50&before=".to_owned() + &cursor.to_string(),
            threads.iter().filter(|thread| thread[0] < cursor).collect::<Vec<_>>(),
        ),
        ("threads=50".to_owned(), threads.iter().collect()),
    ] {
        let mut expected = expected.into_iter().rev();
        let found = history(server, &query);
        let ids = ids_in(&found);
        let mut rest = &ids[..];
        let mut chunks = Vec::new();
        while let Some(at) = rest.iter().rposition(|&id| naive.0[&id].parent.is_none()) {
            chunks.push(&rest[at..]);
            rest = &rest[..at];
        }
        assert!(rest.is_empty(), "{query}: answers before any first comment: {ids:?}");
        for chunk in chunks {
            let thread = expected.next().expect("a thread too many");
            let answers = &thread[1..];
            let is_long = answers.len() > 10;
            let ends = if is_long {
                [&answers[..3], &answers[answers.len() - 7..]].concat()
            } else {
                answers.to_vec()
            };
            assert_eq!(chunk, [&thread[..1], &*ends].concat(), "{query}");
            let told = &found["answers"][thread[0].to_string()];
            assert_eq!(told.as_u64(), is_long.then_some(answers.len() as u64), "{query}");
        }
        assert_eq!(found["more"], json!(expected.next().is_some()), "{query}");
    }
    if let Some((&id, _)) = naive.0.iter().nth(chance.below(naive.0.len().max(1))) {
        let is_shared = matches!(naive.0[&id].state, "public" | "hidden" | "deleted");
        let thread = threads.iter().find(|thread| is_shared && thread[0] == naive.root(id));
        let after = chance.below(naive.0.len()) as u64;
        let expected: Vec<u64> =
            thread.into_iter().flatten().copied().filter(|&id| id > after).collect();
        assert_eq!(ids(server, &format!("thread={id}&after={after}&limit=200")), expected);
    }
    let shared = naive.0.iter().filter(|(_, known)| !matches!(known.state, "pending" | "gone"));
    let shared: Vec<u64> = shared.map(|(&id, _)| id).collect();
    let newest = &shared[shared.len().saturating_sub(20)..];
    assert_eq!(ids(server, "limit=20"), newest, "by id");
}

#[test]
fn reads_in_threads_are_those_of_a_naive_model_after_any_change_and_start() {
    let mut chance = Chance(12);
    let flags = ["--rate", "off", "--hold", "links"];
    let mut server = Server::builder().moderator(TOKEN).flags(&flags).start();
    let mut naive = Naive::default();
    for round in 0..400 {
        let public: Vec<u64> = naive
            .0
            .iter()
            .filter(|(_, known)| known.state == "public")
            .map(|(&id, _)| id)
            .collect();
        let any: Vec<u64> = naive
            .0
            .iter()
            .filter(|(_, known)| !matches!(known.state, "deleted" | "gone"))
            .map(|(&id, _)| id)
            .collect();
        let pick = |chance: &mut Chance, from: &[u64]| from[chance.below(from.len())];
        match chance.below(12) {
            0..6 => {
                let parent =
                    (!public.is_empty() && chance.below(5) > 0).then(|| pick(&mut chance, &public));
                let is_held = chance.below(4) == 0;
                let content = if is_held { "https://held.example/" } else { "words" };
                let mut message = json!({"content": content, "key": KEY});
                if let Some(parent) = parent {
                    message["parent"] = parent.into();
                }
                let line = post(&server, &message).json();
                let state = if is_held { "pending" } else { "public" };
                naive.0.insert(line["id"].as_u64().unwrap(), Known { parent, state });
            }
            6..8 if !any.is_empty() => {
                let id = pick(&mut chance, &any);
                delete(&server, id);
                let known = naive.0.get_mut(&id).unwrap();
                known.state = if known.state == "pending" { "gone" } else { "deleted" };
            }
            8 if !public.is_empty() => {
                let id = pick(&mut chance, &public);
                set_status(&server, id, "hidden");
                naive.0.get_mut(&id).unwrap().state = "hidden";
            }
            9 | 10 if !any.is_empty() => {
                let id = pick(&mut chance, &any);
                set_status(&server, id, "public");
                naive.0.get_mut(&id).unwrap().state = "public";
            }
            11 if !public.is_empty() => {
                let target = format!("/api/comments/{}", pick(&mut chance, &public));
                let edit = json!({"content": "other words"}).to_string();
                assert_eq!(request(&server, "PATCH", &target, &bearer(KEY), &edit).status, 200);
            }
            _ => {}
        }
        match round % 50 {
            20 => server.compact(),
            40 => server.restart(),
            _ => {}
        }
        if round % 4 == 0 {
            compare(&server, &naive, &mut chance);
        }
    }
    compare(&server, &naive, &mut chance);
    assert!(naive.threads().iter().any(|thread| thread.len() > 11), "some are long");
}
