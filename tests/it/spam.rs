//! What keeps programs from writing, and does not hinder people.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    client::{Answer, Client, get, post, request},
    program::{Folder, Program},
};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const NONCE: &str = "0123456789abcdef";
const LONG: &str = "cheap watches at watches.example";

fn form(program: &Program, fields: &str) -> Answer {
    request(program, "POST", "/api/comments", FORM, fields)
}

/// The value of the page's field.
fn value<'h>(html: &'h str, name: &str) -> &'h str {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split('"').next().unwrap()
}

fn count(program: &Program) -> usize {
    get(program, "/api/comments?limit=200").json()["comments"].as_array().unwrap().len()
}

#[test]
fn a_form_sent_as_soon_as_it_is_shown_is_refused_and_may_be_sent_again() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &["--rate", "10/60"]);
    // A machine that takes two seconds over this is asked again: then it was not quick.
    let (nonce, quick) = (0..10)
        .find_map(|_| {
            let start = Instant::now();
            let nonce = value(&get(&program, "/").body, "nonce").to_owned();
            let quick = form(&program, &format!("page=/&nonce={nonce}&content=typed+so+fast"));
            (start.elapsed() < Duration::from_secs(2)).then_some((nonce, quick))
        })
        .unwrap();
    assert_eq!(quick.status, 429, "{quick:?}");
    let wait = quick.header("retry-after").unwrap();
    assert!(["1", "2"].contains(&&*wait), "{wait}");
    let sentence = format!("that was quicker than anybody writes, try again in {wait} s");
    assert!(quick.body.contains(&sentence), "{quick:?}");
    assert!(quick.body.contains("typed so fast</textarea>"), "nothing typed is lost");
    // The time is what is tested: no event says that it has passed.
    thread::sleep(Duration::from_secs(wait.parse().unwrap()));
    let before = count(&program);
    let again = form(&program, &format!("page=/&nonce={nonce}&content=typed+so+fast"));
    assert_eq!((again.status, count(&program)), (303, before + 1), "{again:?}");
    let own = form(&program, "page=/&nonce=my-own-nonce-0123456789&content=by+a+script");
    assert_eq!(own.status, 303, "who makes nonces of their own is no form: {own:?}");
}

#[test]
fn the_field_that_nobody_sees_must_stay_empty() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    let page = get(&program, "/").body;
    assert!(page.contains("<input name=\"website\" hidden tabindex=\"-1\""));
    let filled = form(&program, &format!("page=/&nonce={NONCE}&content=hi&website=x.example"));
    assert_eq!((filled.status, count(&program)), (400, 0), "{filled:?}");
    assert!(filled.body.contains("website is filled in, and must stay empty"));
    let empty = form(&program, &format!("page=/&nonce={NONCE}&content=hi&website="));
    assert_eq!((empty.status, count(&program)), (303, 1), "{empty:?}");
}

#[test]
fn the_same_text_again_is_refused_to_its_author_alone() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &["--rate", "100/60"]);
    let said = |body: Value| {
        let answer = post(&program, &body);
        (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    let ok = (201, String::new());
    let again =
        (409, "you have said exactly this here within the last 300 s, once is enough".to_owned());
    let (ada, bob) = ("ada-ada-ada-ada-", "bob-bob-bob-bob-");
    assert_eq!(said(json!({"content": LONG, "key": ada})), ok);
    assert_eq!(said(json!({"content": LONG, "key": ada})), again);
    assert_eq!(said(json!({"content": LONG, "key": bob})), ok, "somebody else");
    assert_eq!(said(json!({"content": LONG, "key": ada, "page": "/b"})), ok, "elsewhere");
    assert_eq!(said(json!({"content": LONG})), ok, "without a key the address counts");
    assert_eq!(said(json!({"content": LONG})), again);
    assert_eq!(said(json!({"content": "x".repeat(24), "key": ada})), ok);
    assert_eq!(said(json!({"content": "x".repeat(24), "key": ada})), again);
    for _ in 0..2 {
        assert_eq!(said(json!({"content": "x".repeat(23), "key": ada})), ok, "short ones may");
    }
    let nonce = json!({"content": "once sent, twice arrived, as it happens", "nonce": NONCE});
    assert_eq!(said(nonce.clone()), ok);
    assert_eq!(post(&program, &nonce).status, 200, "a known nonce is no repetition");
    let mut client = Client::plain(&program);
    client.send(&json!({"content": LONG, "key": ada, "nonce": "fedcba9876543210"}));
    let refusal = client.json();
    assert_eq!(
        (&refusal["error"], &refusal["nonce"]),
        (&json!(again.1), &json!("fedcba9876543210"))
    );
}

#[test]
fn without_a_rate_anybody_may_repeat_themselves() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &[]);
    for _ in 0..2 {
        assert_eq!(post(&program, &json!({ "content": LONG })).status, 201);
    }
    let page = get(&program, "/").body;
    let nonce = value(&page, "nonce").to_owned();
    assert_eq!(form(&program, &format!("page=/&nonce={nonce}&content=quick")).status, 303);
}

/// What a client of a server with `--challenge` does, in the words of src/web/README.md.
fn proof(nonce: &str, content: &str, bits: u32) -> String {
    let seed = Sha256::digest([nonce.as_bytes(), &[0], content.as_bytes()].concat());
    let zeros = |hash: &[u8]| u64::from_be_bytes(hash[..8].try_into().unwrap()).leading_zeros();
    let good = |n: &u64| {
        zeros(&Sha256::new().chain_update(seed).chain_update(n.to_string()).finalize()) >= bits
    };
    (0u64..).find(good).unwrap().to_string()
}

#[test]
fn a_comment_costs_what_the_challenge_asks_for() {
    let folder = Folder::new();
    let program = Program::start(&folder.0, &["--challenge", "10"]);
    assert_eq!(get(&program, "/api/comments").json()["challenge"], 10);
    assert_eq!(Client::full(&program, "").json()["hello"]["challenge"], 10);
    let (key, content) = ("k".repeat(16), "worth it");
    let good = proof(NONCE, content, 10);
    let missing = "proof is missing or wrong, a proof of work of 10 bits is asked for; the page makes one where it has JavaScript";
    for refused in [
        json!({"content": content, "nonce": NONCE}),
        json!({"content": content, "proof": good}),
        json!({"content": "something else", "nonce": NONCE, "proof": good}),
        json!({"content": content, "nonce": "fedcba9876543210", "proof": good}),
        json!({"content": content, "nonce": NONCE, "proof": ""}),
    ] {
        let answer = post(&program, &refused);
        assert_eq!((answer.status, answer.error()), (403, missing.to_owned()), "{refused}");
    }
    let paid = json!({"content": content, "nonce": NONCE, "proof": good, "key": key});
    let mut client = Client::plain(&program);
    client.send(&json!({"content": content, "nonce": NONCE}));
    assert_eq!(client.json()["error"], missing);
    client.send(&paid);
    assert_eq!(client.line()["content"], content);
    let again = post(&program, &paid);
    assert_eq!((again.status, count(&program)), (200, 1), "one proof is one comment");
    client.send(&json!({"edit": again.json()["id"], "content": "edited for nothing", "key": key}));
    assert_eq!(client.line()["content"], "edited for nothing");
    let form = form(&program, &format!("page=/&nonce={NONCE}x&content=no+script"));
    assert_eq!(form.status, 403);
    assert!(
        form.body.contains("where it has JavaScript") && form.body.contains("no script</textarea>")
    );
    drop(client);
    let free = Program::start(&Folder::new().0, &[]);
    assert_eq!(get(&free, "/api/comments").json().get("challenge"), None);
    let hello = Client::full(&free, "").json();
    assert_eq!(hello["hello"].get("challenge"), None);
}
