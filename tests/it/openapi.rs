//! `/openapi.json` says what the router does: its paths, methods, error codes and limits. That the answers are as it says is tested with
//! schemathesis, in `tests/python`.

use std::{collections::BTreeSet, fs};

use sayso::limits;
use serde_json::Value;

use crate::support::{
    client::{TOKEN, bearer, get, request},
    server::Server,
};

/// Paths that are not for clients of the public port.
const INTERNAL: [&str; 2] = ["/.compact", "/api/admin/import"];
/// Other names of documented paths.
const ALIASES: [&str; 4] = ["/ws/comments", "/ws/admin", "/api/admin", "/admin/"];
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/static/openapi.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn source(file: &str) -> String {
    fs::read_to_string(format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The path with its parameters filled in.
fn example(path: &str) -> String {
    path.replace("{id}", "1").replace("{author}", "YEE5CLkLPyKTViz-suUNPg").replace("{key}", "x")
}

fn documented() -> Vec<(String, BTreeSet<String>)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = |item: &Value| {
        let named = METHODS.iter().filter(|method| item.get(**method).is_some());
        let mut methods: BTreeSet<_> = named.map(|method| method.to_uppercase()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD".into());
        }
        methods
    };
    paths.map(|(path, item)| (path.clone(), methods(item))).collect()
}

#[test]
fn it_is_served_as_it_is_in_static_and_is_of_this_version() {
    let server = Server::start(&["--base-path", "/x"]);
    let served = get(&server, "/x/openapi.json");
    assert_eq!(served.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(served.json(), document());
    assert_eq!(served.json()["info"]["version"], env!("CARGO_PKG_VERSION"));
    // Relative to the document's own address (OpenAPI 3.1.0, Server Object), so that it holds below any base path.
    assert_eq!(served.json()["servers"][0]["url"], ".");
}

#[test]
fn every_documented_path_takes_the_methods_that_are_documented_and_no_others() {
    let server = Server::builder().moderator(TOKEN).start();
    for (path, methods) in documented() {
        // What asks for a WebSocket is refused before its method is looked at.
        if path.starts_with("/ws/") {
            assert_eq!(request(&server, "GET", &path, "", "").status, 400, "{path}");
            continue;
        }
        let response = request(&server, "TRACE", &example(&path), &bearer(TOKEN), "");
        assert_eq!(response.status, 405, "{path}: {response:?}");
        let allow = response.header("allow").unwrap();
        let allowed: BTreeSet<String> = allow.split(", ").map(str::to_owned).collect();
        assert_eq!(allowed, methods, "{path}");
    }
}

#[test]
fn every_path_of_the_router_is_documented() {
    let text = [source("web/mod.rs"), source("http/echo.rs")].concat();
    let mut paths: BTreeSet<String> = quoted(&text, "\"/").map(|path| format!("/{path}")).collect();
    // Those below /api/admin.
    let admin = source("web/admin.rs");
    let (_, arms) = admin.split_once("match path.strip_prefix('/')").unwrap();
    let arms = arms.split("_ => Err(not_found").next().unwrap();
    let below = arms
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('"') || line.contains("strip_prefix"));
    paths
        .extend(below.flat_map(|line| quoted(line, "\"")).map(|name| format!("/api/admin/{name}")));
    // What a path of the router is the beginning or the end of.
    let known: Vec<String> = documented().into_iter().map(|(path, _)| path).collect();
    let is_known = |path: &str| {
        let part =
            path.strip_prefix("/api/admin/").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        known.iter().any(|known| {
            known == path
                || part.ends_with('/') && known.starts_with(part)
                || part != "/" && known.ends_with(part)
        })
    };
    let expected = [
        "/api/comments",
        "/api/newest",
        "/feed.atom",
        "/api/doctor",
        "/api/admin/moves",
        "/api/admin/bans/",
        "/like",
    ];
    assert!(expected.iter().all(|path| paths.contains(*path)), "{paths:?}");
    for path in paths {
        assert!(
            INTERNAL.contains(&&*path) || ALIASES.contains(&&*path) || is_known(&path),
            "{path} is not in static/openapi.json"
        );
    }
}

/// The rests of quoted texts that begin with this.
fn quoted<'t>(text: &'t str, start: &'t str) -> impl Iterator<Item = &'t str> {
    let is_path = |text: &&str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"/._".contains(&byte))
    };
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.split(start)
        .skip(1)
        .step_by(if start == "\"" { 2 } else { 1 })
        .filter_map(|rest| rest.split('"').next())
        .filter(is_path)
}

#[test]
fn its_error_codes_are_those_of_the_table_with_their_statuses() {
    let document = document();
    let codes = document["components"]["schemas"]["Error"]["properties"]["code"]["enum"]
        .as_array()
        .unwrap();
    let readme = source("web/README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    // tests/it/codes.rs compares this table with the enums.
    let table: Vec<(&str, &str)> = rows
        .filter_map(|(code, rest)| Some((code, rest.split(" |").next()?)))
        .filter(|(_, status)| status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    let known: Vec<&str> = table.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes.iter().map(|code| code.as_str().unwrap()).collect::<Vec<_>>(), known);
    let text = document["paths"].to_string();
    for (code, status) in table {
        assert!(
            text.contains(&format!("\"{status}\":{{\"$ref\"")),
            "{code}: no path answers {status}"
        );
    }
}

#[test]
fn its_limits_are_those_of_the_program() {
    let document = document();
    let at = |pointer: &str| {
        let found = document.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
        found.as_u64().unwrap_or_else(|| panic!("{pointer}: {found}"))
    };
    let schema = |rest: &str| at(&format!("/components/schemas/{rest}"));
    let parameter = |path: &str, method: &str, name: &str| {
        let path = path.replace('/', "~1");
        let parameters = document.pointer(&format!("/paths/{path}/{method}/parameters")).unwrap();
        let found =
            parameters.as_array().unwrap().iter().find(|parameter| parameter["name"] == name);
        found.unwrap()["schema"].clone()
    };
    for (documented, limit) in [
        (schema("Page/maxLength"), limits::PAGE_BYTES_MAX),
        (schema("Content/maxLength"), limits::CONTENT_BYTES_MAX),
        (schema("Key/minLength"), limits::KEY_BYTES_MIN),
        (schema("Key/maxLength"), limits::KEY_BYTES_MAX),
        (schema("Nonce/minLength"), limits::NONCE_BYTES_MIN),
        (schema("Nonce/maxLength"), limits::NONCE_BYTES_MAX),
        (schema("Post/properties/name/maxLength"), limits::NAME_CHARS_MAX),
        (schema("Post/properties/page/maxLength"), limits::PAGE_BYTES_MAX),
        (schema("Form/properties/name/maxLength"), limits::NAME_CHARS_MAX),
        (schema("Decision/properties/reason/maxLength"), limits::REASON_CHARS_MAX),
        (schema("NewBan/properties/seconds/maximum"), limits::BAN_SECONDS_MAX as usize),
        (schema("History/properties/challenge/maximum"), limits::CHALLENGE_BITS_MAX.into()),
        (at("/components/parameters/limit/schema/maximum"), limits::HISTORY_LINES_MAX),
        (at("/components/parameters/page/schema/maxLength"), limits::PAGE_BYTES_MAX),
    ] {
        assert_eq!(documented, limit as u64);
    }
    for (path, method, name, bound, limit) in [
        ("/api/comments", "get", "threads", "maximum", limits::THREADS_MAX),
        ("/api/counts", "get", "page", "maxItems", limits::COUNTED_PAGES_MAX),
        ("/ws/comments/", "get", "count", "maxItems", limits::COUNTED_PAGES_MAX),
        ("/ws/comments/", "get", "last", "maximum", limits::HISTORY_LINES_MAX),
        ("/api/admin/comments", "get", "q", "maxLength", limits::SEARCH_CHARS_MAX),
    ] {
        assert_eq!(parameter(path, method, name)[bound], limit, "{name} of {path}");
    }
    // Those whose constants are private are found out by going one beyond them.
    let server = Server::builder().moderator(TOKEN).start();
    for (path, target) in
        [("/api/newest", "/api/newest?limit="), ("/api/admin/pages", "/api/admin/pages?limit=")]
    {
        let max = parameter(path, "get", "limit")["maximum"].as_u64().unwrap();
        for (limit, status) in [(1, 200), (max, 200), (max + 1, 400), (0, 400)] {
            let response = request(&server, "GET", &format!("{target}{limit}"), &bearer(TOKEN), "");
            assert_eq!(response.status, status, "{target}{limit}");
        }
    }
}

#[test]
fn every_reference_in_it_leads_somewhere_and_every_part_is_used() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
                Some(target) if name == "$ref" => drop(found.insert(target.to_owned())),
                _ => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let (document, mut found) = (document(), BTreeSet::new());
    references(&document, &mut found);
    for target in &found {
        assert!(document.pointer(target.strip_prefix('#').unwrap()).is_some(), "{target}");
    }
    for (kind, parts) in document["components"].as_object().unwrap() {
        for name in parts.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(
                found.contains(&format!("#/components/{kind}/{name}")),
                "{kind}/{name} is not used"
            );
        }
    }
}
