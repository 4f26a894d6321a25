//! Every error has a code and values, the same over HTTP and WebSocket; the table of codes in `src/web/README.md` is made from the enums.

use std::fs;

use sayso::{
    comment::rejection::Rejection,
    http::{error_code::ErrorCode, request::HttpError},
    limits::Rate,
};
use serde_json::{Value, json};

use super::support::{
    client::{FORM, JSON, OTHER_KEY, Response, post, posted, request},
    frames::Client,
    server::Server,
};

const BEGIN: &str = "<!-- codes: made by tests/it/codes.rs -->\n";
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/README.md");

/// One rejection of each variant, in the order of the enum.
fn rejections() -> Vec<Rejection> {
    let rate = Rate { posts: 10, seconds: 60 };
    vec![
        Rejection::Malformed("expected value at line 1 column 1".into()),
        Rejection::BadParameter {
            name: "limit",
            value: "x".into(),
            allowed: "a number from 1 to 200",
        },
        Rejection::ContentEmpty,
        Rejection::ContentTooLong(9_000),
        Rejection::ControlCharacter { field: "name", character: '\u{b}', at: 3 },
        Rejection::NameTooLong(65),
        Rejection::NameInvisible,
        Rejection::TextTooLong { field: "reason", characters: 201, max: 200 },
        Rejection::PageLength(513),
        Rejection::PageNotAllowed("/a".into()),
        Rejection::OtherPage("/b".into()),
        Rejection::TooManyPages(100_000, false),
        Rejection::KeyLength(15),
        Rejection::NonceLength(65),
        Rejection::NonceReserved,
        Rejection::UnknownParent(17),
        Rejection::UnknownComment(17),
        Rejection::NotAuthor(17),
        Rejection::WrittenWithoutKey(17),
        Rejection::NotModerator,
        Rejection::WrongToken,
        Rejection::NotOnPage(17),
        Rejection::NotYetPublic(17),
        Rejection::Hidden(17),
        Rejection::KeyMissing,
        Rejection::UserMalformed("name is empty".into()),
        Rejection::UserForged,
        Rejection::UserExpired(
            "2026-11-27T22:00:00.000Z".into(),
            "2026-11-27T22:00:07.500Z".into(),
        ),
        Rejection::UserTooFarAhead(
            "2026-12-04T07:00:00.000Z".into(),
            "2026-11-28T22:00:00.000Z".into(),
        ),
        Rejection::UserOfOtherSite("https://blog.example".into(), "https://evil.example".into()),
        Rejection::NoSignOn,
        Rejection::LikesFull(10_000, "this comment"),
        Rejection::NonceTaken,
        Rejection::Banned("2026-12-04T07:00:00.000Z".into()),
        Rejection::PageLocked("/a".into()),
        Rejection::FlagsFull(1_000, "this comment"),
        Rejection::PinsFull(10),
        Rejection::ModerationFull(10_000, "bans"),
        Rejection::CantMove("/a".into(), "/b".into()),
        Rejection::MovedAlready("/a".into(), "/b".into()),
        Rejection::ChangedMeanwhile(17, "{}".into()),
        Rejection::AddressUnknown(17),
        Rejection::NobodyToBan(17),
        Rejection::UnknownBan("q83v".into()),
        Rejection::NotRejected(17),
        Rejection::StaleCursor(17),
        Rejection::Deleted(17),
        Rejection::TooFast { wait: 7, rate, what: "comments" },
        Rejection::Duplicate(300),
        Rejection::HoneypotFilled,
        Rejection::SubmittedTooSoon(2),
        Rejection::ProofMissing(16),
        Rejection::TooManyFrames(20),
        Rejection::StorageFull,
        Rejection::StreamUnavailable,
        Rejection::StorageFailed,
        Rejection::Stopping,
    ]
}

/// An error with each code of HTTP that has more than a message.
fn http_error(code: ErrorCode) -> HttpError {
    let error = HttpError::of(code, "");
    match code {
        ErrorCode::OriginNotAllowed => error.with("origin", "https://blog.example"),
        ErrorCode::MethodNotAllowed => error.with("allowed", "GET, HEAD"),
        ErrorCode::RequestTimeout => error.with("seconds", 10_u32),
        ErrorCode::BodyTooLong => error.with("bytes", 65_537_u32).with("max", 65_536_u32),
        ErrorCode::ContentTypeNotAllowed => error.with("allowed", "application/json"),
        ErrorCode::HeadTooLong
        | ErrorCode::TooManyConnections
        | ErrorCode::TooManyConnectionsFromAddress => error.with("max", 100_u32),
        _ => error,
    }
}

/// What the table says where there is no message to quote.
fn meaning(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadRequest => "the request or its address is malformed; the message says where",
        ErrorCode::OriginNotAllowed => "`--allow-origin` must name the page's origin",
        ErrorCode::MetricsNotPublic => "the metrics are for programs on sayso's own machine",
        ErrorCode::NotFound => "there is nothing at this path",
        ErrorCode::MethodNotAllowed => "the path takes other methods",
        ErrorCode::RequestTimeout => "the head or the body came too slowly",
        ErrorCode::BodyTooLong => "the body is too long",
        ErrorCode::ContentTypeNotAllowed => "the body is of another type than the path takes",
        ErrorCode::WebsocketVersion => "another version of WebSocket than 13",
        ErrorCode::TooManyConnectionsFromAddress => "one address has too many connections",
        ErrorCode::HeadTooLong => "the head is too long, or has too many headers",
        ErrorCode::InternalError => "sayso has failed; its log says how",
        ErrorCode::TooManyConnections => "there is no room for another connection",
        ErrorCode::Unavailable => "sayso can't answer now",
    }
}

/// `ContentTooLong` of `ContentTooLong(9000)` → `content_too_long`.
fn snake_case(debug: &str) -> String {
    let name: String = debug.chars().take_while(|c| c.is_alphanumeric()).collect();
    let mut out = String::new();
    for (at, c) in name.char_indices() {
        if c.is_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The names of an enum's variants, in their order, as its source has them.
fn variants(file: &str, name: &str) -> Vec<String> {
    let path = format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(path).unwrap();
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let body = body.split("\n}\n").next().unwrap();
    let is_variant = |line: &&str| {
        line.strip_prefix("    ").is_some_and(|line| line.starts_with(char::is_uppercase))
    };
    body.lines().filter(is_variant).map(|line| snake_case(line.trim())).collect()
}

#[test]
fn the_table_of_codes_is_that_of_the_enums() {
    let rejections = rejections();
    let codes: Vec<_> = rejections.iter().map(Rejection::code).collect();
    assert_eq!(codes, variants("comment/rejection.rs", "Rejection"), "one of each variant");
    let http = ErrorCode::ALL.map(ErrorCode::name);
    assert_eq!(http.to_vec(), variants("http/error_code.rs", "ErrorCode").as_slice());
    let row = |code: &str, status: u16, values: String, waits: bool, says: &str| {
        let waits = if waits { "retry_after" } else { "" };
        let values: Vec<_> = values.split(' ').chain([waits]).filter(|v| !v.is_empty()).collect();
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        let values = if values.is_empty() { "–".to_owned() } else { values.join(", ") };
        format!("| `{code}` | {status} | {values} | {says} |\n")
    };
    let names =
        |values: sayso::util::error_body::Values| values.names().collect::<Vec<_>>().join(" ");
    let mut table = format!("{BEGIN}| code | status | values | for example |\n|---|---|---|---|\n");
    for rejection in &rejections {
        let waits = rejection.retry_after().is_some();
        let says = rejection.to_string();
        table +=
            &row(rejection.code(), rejection.status(), names(rejection.values()), waits, &says);
    }
    for code in ErrorCode::ALL {
        let error = http_error(code);
        let waits = error.retry_after.is_some();
        table += &row(code.name(), error.status, names(error.values), waits, meaning(code));
    }
    assert!(
        fs::read_to_string(README).unwrap().contains(&table),
        "the table of codes in src/web/README.md must be:\n{table}"
    );
}

#[test]
fn the_widget_translates_codes_that_there_are_with_values_that_they_have() {
    let mut codes: Vec<(&str, Vec<&str>)> =
        rejections().iter().map(|one| (one.code(), one.values().names().collect())).collect();
    codes.extend(
        ErrorCode::ALL.map(|code| (code.name(), http_error(code).values.names().collect())),
    );
    // What the widget itself knows: how long is left, and what a site's owner is told of the server.
    let own = ["wait", "server", "flag"];
    // A ban that ends in the year 9999 is told in other words.
    codes.push(("banned_for_ever", Vec::new()));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/static/refusals");
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let table: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        for (code, text) in table.as_object().unwrap() {
            let found = codes.iter().find(|(known, _)| known == code);
            let (_, values) = found.unwrap_or_else(|| panic!("{code} in {file:?}"));
            for part in text.as_str().unwrap().split('{').skip(1) {
                let name = part.split('}').next().unwrap();
                assert!(
                    values.contains(&name) || own.contains(&name),
                    "{name} of {code} in {file:?}"
                );
            }
        }
    }
}

/// The error of a response, whose `retry_after` must be that of its header, without its message.
#[track_caller]
fn details(response: &Response) -> Value {
    let mut error = response.json();
    let fields = error.as_object_mut().unwrap();
    let wait = fields.get("retry_after").map(Value::to_string);
    assert_eq!(wait, response.header("retry-after"), "{response:?}");
    assert!(fields.remove("error").is_some_and(|error| error.is_string()), "{response:?}");
    error
}

#[test]
fn an_error_over_http_has_its_code_and_values_behind_the_message() {
    let server = Server::start(&[]);
    let nonce = "4f1c6d0be2a94f07";
    let long = post(&server, &json!({"content": "x".repeat(9_000), "nonce": nonce}));
    assert_eq!(
        long.body,
        "{\"error\":\"content is 9000 bytes, at most 8192 are allowed\",\"code\":\"content_too_long\",\
         \"bytes\":9000,\"max\":8192,\"nonce\":\"4f1c6d0be2a94f07\"}"
    );
    posted(&server, "first");
    let stranger = format!("Authorization: Bearer {OTHER_KEY}\r\n");
    let origin = "Origin: https://blog.example\r\n";
    for (method, target, headers, body, expected) in [
        ("GET", "/nothing", "", "", json!({"code": "not_found"})),
        ("PUT", "/", "", "", json!({"code": "method_not_allowed", "allowed": "GET, HEAD"})),
        ("GET", "/api/comments?page=%", "", "", json!({"code": "bad_request"})),
        (
            "GET",
            "/api/comments?limit=x",
            "",
            "",
            json!({"code": "bad_parameter", "parameter": "limit", "value": "x", "allowed": "a number from 1 to 200"}),
        ),
        (
            "POST",
            "/api/comments",
            origin,
            "content=x",
            json!({"code": "origin_not_allowed", "origin": "https://blog.example"}),
        ),
        (
            "POST",
            "/api/preview",
            FORM,
            "content=x",
            json!({"code": "content_type_not_allowed", "allowed": "application/json"}),
        ),
        (
            "PATCH",
            "/api/comments/1",
            JSON,
            "{\"content\":\"\",\"nonce\":\"4f1c\"}",
            json!({"code": "content_empty", "nonce": "4f1c"}),
        ),
        (
            "POST",
            "/api/comments/1/like",
            JSON,
            "{\"on\":\"\",\"nonce\":\"4f1c\"}",
            json!({"code": "malformed", "nonce": "4f1c"}),
        ),
        ("POST", "/api/comments", JSON, "[", json!({"code": "malformed"})),
        (
            "DELETE",
            "/api/comments/7",
            &stranger,
            "",
            json!({"code": "unknown_comment", "comment": 7}),
        ),
    ] {
        let response = request(&server, method, target, headers, body);
        assert_eq!(details(&response), expected, "{method} {target}: {response:?}");
        assert!(response.body.starts_with("{\"error\":\""), "{response:?}");
    }
    let head = server.raw(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n");
    assert!(head.ends_with(",\"code\":\"body_too_long\",\"bytes\":65537,\"max\":65536}"), "{head}");
    let head = server.raw(b"GET / HTTP/1.1\n");
    assert!(head.ends_with(",\"code\":\"bad_request\"}"), "{head}");
}

#[test]
fn an_error_that_waiting_helps_says_for_how_long() {
    let server = Server::start(&["--rate", "1/60"]);
    posted(&server, "first");
    let second = post(&server, &json!({"content": "second"}));
    let mut error = details(&second);
    let wait = error.as_object_mut().unwrap().remove("retry_after").unwrap();
    assert!((1..=60).contains(&wait.as_u64().unwrap()), "{wait}");
    let expected = json!({"code": "too_fast", "what": "comments", "max": 1, "seconds": 60});
    assert_eq!(error, expected);
}

#[test]
fn an_error_over_websocket_is_the_same_as_over_http() {
    let server = Server::start(&[]);
    posted(&server, "first");
    let nonce = "4f1c6d0be2a94f07";
    let mut client = Client::open(&server, "/ws/comments/", "").unwrap();
    for (message, code) in [
        (json!({"content": "x".repeat(9_000), "nonce": nonce}), "content_too_long"),
        (json!({"content": "x", "name": "a\u{b}b", "nonce": nonce}), "control_character"),
        (json!({"content": "x", "key": "short", "nonce": nonce}), "key_length"),
        (json!({"content": "x", "parent": 99, "nonce": nonce}), "unknown_parent"),
        (json!({"content": "x", "nonce": "n"}), "nonce_length"),
        (json!({"content": " ", "nonce": nonce}), "content_empty"),
    ] {
        client.send(&message);
        let error = client.line();
        assert_eq!(error["code"], code);
        assert_eq!(error, post(&server, &message).json());
    }
    let refused = Client::open(&server, "/ws/comments/?page=", "").err().unwrap();
    assert!(
        refused.body.ends_with(",\"code\":\"page_length\",\"bytes\":0,\"min\":1,\"max\":512}"),
        "{refused:?}"
    );
}
