//! What keeps programs from writing, and does not hinder people.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    client::{JSON, KEY, Response, TOKEN, bearer, form, form_value, get, post, posted, request},
    frames::Client,
    server::Server,
};

const NONCE: &str = "0123456789abcdef";
const LONG: &str = "cheap watches at watches.example";

fn count(server: &Server) -> usize {
    get(server, "/api/comments?limit=200").json()["comments"].as_array().unwrap().len()
}

#[test]
fn a_form_sent_as_soon_as_it_is_shown_is_refused_and_may_be_sent_again() {
    let server = Server::start(&["--rate", "10/60"]);
    // A machine that takes two seconds over this is asked again: then it was not quick.
    let (nonce, quick) = (0..10)
        .find_map(|_| {
            let start = Instant::now();
            let nonce = form_value(&get(&server, "/"), "nonce");
            let quick =
                form(&server, &[("page", "/"), ("nonce", &nonce), ("content", "typed so fast")]);
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
    let before = count(&server);
    let again = form(&server, &[("page", "/"), ("nonce", &nonce), ("content", "typed so fast")]);
    assert_eq!((again.status, count(&server)), (303, before + 1), "{again:?}");
    let own = form(
        &server,
        &[("page", "/"), ("nonce", "my-own-nonce-0123456789"), ("content", "by a script")],
    );
    assert_eq!(own.status, 303, "who makes nonces of their own is no form: {own:?}");
}

#[test]
fn the_field_that_nobody_sees_must_stay_empty() {
    let server = Server::start(&[]);
    let page = get(&server, "/").body;
    assert!(page.contains("<input name=\"website\" hidden tabindex=\"-1\""));
    let filled = form(
        &server,
        &[("page", "/"), ("nonce", NONCE), ("content", "hi"), ("website", "x.example")],
    );
    assert_eq!((filled.status, count(&server)), (400, 0), "{filled:?}");
    assert!(filled.body.contains("website is filled in, and must stay empty"));
    let empty =
        form(&server, &[("page", "/"), ("nonce", NONCE), ("content", "hi"), ("website", "")]);
    assert_eq!((empty.status, count(&server)), (303, 1), "{empty:?}");
}

#[test]
fn the_same_text_again_is_refused_to_its_author_alone() {
    let server = Server::start(&["--rate", "100/60"]);
    let said = |body: Value| {
        let response = post(&server, &body);
        (response.status, response.json()["error"].as_str().unwrap_or_default().to_owned())
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
    assert_eq!(post(&server, &nonce).status, 200, "a known nonce is no repetition");
    let mut client = Client::plain(&server);
    client.send(&json!({"content": LONG, "key": ada, "nonce": "fedcba9876543210"}));
    let refusal = client.json();
    assert_eq!(
        (&refusal["error"], &refusal["nonce"]),
        (&json!(again.1), &json!("fedcba9876543210"))
    );
}

#[test]
fn without_a_rate_anybody_may_repeat_themselves() {
    let server = Server::start(&[]);
    for _ in 0..2 {
        assert_eq!(post(&server, &json!({ "content": LONG })).status, 201);
    }
    let nonce = form_value(&get(&server, "/"), "nonce");
    assert_eq!(
        form(&server, &[("page", "/"), ("nonce", &nonce), ("content", "quick")]).status,
        303
    );
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
    let server = Server::start(&["--challenge", "10"]);
    assert_eq!(get(&server, "/api/comments").json()["challenge"], 10);
    assert_eq!(Client::full(&server, "").json()["hello"]["challenge"], 10);
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
        let response = post(&server, &refused);
        assert_eq!((response.status, response.error()), (403, missing.to_owned()), "{refused}");
    }
    let paid = json!({"content": content, "nonce": NONCE, "proof": good, "key": key});
    let mut client = Client::plain(&server);
    client.send(&json!({"content": content, "nonce": NONCE}));
    assert_eq!(client.json()["error"], missing);
    client.send(&paid);
    assert_eq!(client.line()["content"], content);
    let again = post(&server, &paid);
    assert_eq!((again.status, count(&server)), (200, 1), "one proof is one comment");
    client.send(&json!({"edit": again.json()["id"], "content": "edited for nothing", "key": key}));
    assert_eq!(client.line()["content"], "edited for nothing");
    let form =
        form(&server, &[("page", "/"), ("nonce", &format!("{NONCE}x")), ("content", "no script")]);
    assert_eq!(form.status, 403);
    assert!(
        form.body.contains("where it has JavaScript") && form.body.contains("no script</textarea>")
    );
    drop(client);
    let free = Server::start(&[]);
    assert_eq!(get(&free, "/api/comments").json().get("challenge"), None);
    let hello = Client::full(&free, "").json();
    assert_eq!(hello["hello"].get("challenge"), None);
}

/// What an address may do in a minute whose writes change nothing: the table in src/web/README.md.
const REFUSED_MAX: usize = 60;

/// Repeats a write that changes nothing until it is too much, and says how often it was answered as before.
fn until_too_many(mut write: impl FnMut() -> Response) -> usize {
    for times in 0..10 * REFUSED_MAX {
        let response = write();
        if response.status == 429 {
            let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
            assert!(wait >= 1, "{response:?}");
            let sentence = "at most 60 refused or repeated messages in 60 s are allowed";
            assert!(response.error().starts_with(sentence), "{response:?}");
            return times;
        }
    }
    panic!("nobody is ever too much");
}

#[test]
fn writes_that_change_nothing_have_a_rate_of_their_own_even_without_rate() {
    type Write<'w> = Box<dyn FnMut(&str) -> Response + 'w>;
    let server = Server::start(&[]);
    let first = json!({"content": "mine", "key": KEY, "nonce": NONCE});
    assert_eq!(post(&server, &first).status, 201);
    assert_eq!(post(&server, &json!({"content": "liked", "key": KEY})).status, 201);
    let (same, on) = (json!({"content": " liked\n", "key": KEY}), json!({"on": true, "key": KEY}));
    assert_eq!(request(&server, "POST", "/api/comments/2/like", JSON, &on.to_string()).status, 200);
    let log = server.log_text();
    let writes: [Write; 7] = [
        Box::new(|from| request(&server, "PATCH", "/api/comments/2", from, &same.to_string())),
        Box::new(|from| request(&server, "POST", "/api/comments/2/like", from, &on.to_string())),
        Box::new(|from| request(&server, "POST", "/api/comments", from, &first.to_string())),
        Box::new(|from| request(&server, "DELETE", "/api/comments/1", from, "")),
        Box::new(|from| request(&server, "PATCH", "/api/comments/1", from, "{\"content\":\"x\"}")),
        Box::new(|from| request(&server, "DELETE", "/api/comments/99", from, "")),
        Box::new(|from| {
            request(&server, "POST", "/api/comments", from, "{\"content\":\"x\",\"parent\":99}")
        }),
    ];
    for (number, mut write) in writes.into_iter().enumerate() {
        let from = format!("{JSON}X-Forwarded-For: 192.0.2.{number}\r\n");
        let before = until_too_many(|| write(&from));
        assert!(before >= REFUSED_MAX, "write {number} was refused after {before}");
        let other = write(&format!("{JSON}X-Forwarded-For: 198.51.100.{number}\r\n"));
        assert_ne!(other.status, 429, "another address has its own: {other:?}");
        if number < 2 {
            assert_eq!(other.status, 200, "{other:?}");
            assert_eq!(server.log_text(), log, "write {number} has written a line");
        }
    }
    let allowed = post(&server, &json!({"content": "from here nothing was refused"}));
    assert_eq!(allowed.status, 201, "{allowed:?}");
}

#[test]
fn what_a_moderator_repeats_costs_nothing() {
    let server = Server::builder().moderator(TOKEN).start();
    posted(&server, "to be deleted");
    for _ in 0..2 * REFUSED_MAX {
        let response = request(&server, "DELETE", "/api/comments/1", &bearer(TOKEN), "");
        assert_eq!(response.status, 200, "{response:?}");
    }
}

#[test]
fn keys_that_sockets_show_have_a_rate_for_each_address() {
    let server = Server::start(&[]);
    // Twenty a second are what a socket may say; thirty of them say twice what an address may.
    let mut clients: Vec<Client> = (0..30).map(|_| Client::plain(&server)).collect();
    for client in &mut clients {
        for _ in 0..20 {
            client.send(&json!({"key": KEY}));
        }
    }
    let refusal = clients.last_mut().unwrap().line();
    let sentence = refusal["error"].as_str().unwrap();
    assert!(
        sentence.starts_with("at most 300 keys in 60 s are allowed, try again in "),
        "{refusal}"
    );
    assert!(refusal["retry_after"].as_u64().unwrap() >= 1, "{refusal}");
}

#[test]
fn twenty_posts_in_a_row_that_are_too_fast_or_without_proof_end_with_1008() {
    for (flags, is_first_taken) in [
        (["--rate", "1/600", "--challenge", "off"], true),
        (["--rate", "off", "--challenge", "20"], false),
    ] {
        let server = Server::start(&flags);
        let mut client = Client::plain(&server);
        for n in 0..20 + usize::from(is_first_taken) {
            client.send(&json!({"content": format!("*number* {n}")}));
            let line = client.line();
            assert_eq!(line.get("error").is_none(), is_first_taken && n == 0, "{n}: {line}");
        }
        assert_eq!(client.close_code(), Some(1008), "{flags:?}");
        assert_eq!(count(&server), usize::from(is_first_taken));
    }
}

#[test]
fn the_cheap_checks_come_first_and_everywhere_in_the_same_order() {
    let server = Server::start(&["--rate", "1/600", "--challenge", "8"]);
    let paid = |content: &str, nonce: &str| {
        let proof = proof(nonce, content, 8);
        json!({"content": content, "nonce": nonce, "proof": proof})
    };
    assert_eq!(post(&server, &paid("the only one", NONCE)).status, 201);
    let long = "*x* ".repeat(3_000);
    let long = long.trim();
    let cases = [
        // Too long, without proof, too fast.
        (json!({"content": long, "nonce": NONCE}), "content is 11999 bytes"),
        // Without proof, too fast.
        (json!({"content": "*x*", "nonce": "fedcba9876543210"}), "proof is missing"),
        (paid("*x*", "fedcba9876543210"), "at most 1 comments in 600 s"),
    ];
    for (message, sentence) in cases {
        let response = post(&server, &message);
        assert!(response.error().starts_with(sentence), "{response:?}");
        let mut client = Client::plain(&server);
        client.send(&message);
        let error = client.line();
        assert!(error["error"].as_str().unwrap().starts_with(sentence), "{error}");
    }
}

#[test]
fn an_address_in_any_script_style_or_direction_waits_with_hold_links_and_no_plain_text_does() {
    let server = Server::builder().moderator(TOKEN).flags(&["--hold", "links"]).start();
    let said = |content: &str| post(&server, &json!({ "content": content })).status;
    for address in [
        "пример.рф/купить",
        "evil.москва",
        "例え.みんな",
        "xn--e1afmkfd.xn--p1ai/x",
        "1.2.3.4/x",
        "1.2.3.4:8080/x",
        "evil.ｃｏｍ",
        "ｈｔｔｐ://evil",
        "https：//evil",
        "evil︒com",
        "ⓔⓥⓘⓛ.ⓒⓞⓜ",
        "evil.cοm",
        "\u{202e}moc.live",
        "//evil/x",
        "magnet:?xt=urn:btih:1",
        "user@evil.travel",
        "evil.agency",
    ] {
        assert_eq!(said(address), 202, "{address}");
    }
    for text in [
        "e.g. this",
        "file.md and main.rs",
        "3.14",
        "v1.2.3",
        "Node.js",
        "the end.Next sentence",
        "Конец.Потом начало",
        "你好。再见",
    ] {
        assert_eq!(said(text), 201, "{text}");
    }
}
