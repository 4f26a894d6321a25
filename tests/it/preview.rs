//! `POST /api/preview`: what a text will look like, told by the renderer that comments go through, and kept nowhere.

use serde_json::json;

use crate::support::{
    client::{Response, post, posted, request},
    server::Server,
};

const JSON: &str = "Content-Type: application/json\r\n";
/// Of one address in a minute.
const PREVIEWS_MAX: usize = 60;

fn preview(server: &Server, content: &str) -> Response {
    let body = json!({ "content": content }).to_string();
    request(server, "POST", "/api/preview", JSON, &body)
}

#[test]
fn a_preview_is_what_the_comment_will_be_and_is_kept_nowhere() {
    let server = Server::start(&["--rate", "off"]);
    let length = || std::fs::metadata(server.log()).unwrap().len();
    for (content, plain) in [
        ("Some *emphasis*, [a link](https://example.org) and `code <b>`", None),
        ("  - one\n- two\n\n> quoted\n\n```\nlet x = \"<script>\";\n```  ", None),
        ("[x](javascript:alert(1)) *x*", None),
        (" 1 > 0\r\n\n  y ", Some("1 &gt; 0<br><br>  y")),
    ] {
        let before = length();
        let response = preview(&server, content);
        assert_eq!((response.status, length()), (200, before), "{response:?}");
        assert_eq!(response.header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(response.json().as_object().unwrap().len(), 1, "{response:?}");
        let stored = post(&server, &json!({ "content": content })).json();
        assert_eq!(
            response.json()["html"].as_str(),
            stored["html"].as_str().or(plain),
            "{content}"
        );
        assert_eq!(stored["html"].is_null(), plain.is_some(), "{content}");
    }
}

#[test]
fn what_may_not_be_posted_has_no_preview_and_the_same_sentence() {
    let server = Server::start(&["--rate", "off"]);
    for content in ["", " \n\t ", "a bell \u{7} rings", &"x".repeat(8_193), &"\u{e9}".repeat(4_097)]
    {
        let (shown, stored) =
            (preview(&server, content), post(&server, &json!({ "content": content })));
        assert_eq!((shown.status, shown.error()), (stored.status, stored.error()));
        assert!(shown.status >= 400, "{shown:?}");
    }
    assert_eq!(preview(&server, &"x".repeat(8_192)).status, 200);
    let ask =
        |method, headers: &str, body: &str| request(&server, method, "/api/preview", headers, body);
    for body in ["", "{", "{}", "[]", "{\"content\":5}"] {
        assert_eq!(ask("POST", JSON, body).status, 400, "{body}");
    }
    let body = "{\"content\":\"x\"}";
    assert_eq!(ask("POST", "Content-Type: text/plain\r\n", body).status, 415);
    assert_eq!(
        ask("POST", "Content-Type: application/x-www-form-urlencoded\r\n", "content=x").status,
        415
    );
    let get = ask("GET", "", "");
    assert_eq!((get.status, get.header("allow").as_deref()), (405, Some("POST")));
}

#[test]
fn only_those_who_may_post_are_shown_a_preview() {
    let server = Server::start(&["--allow-origin", "https://blog.example"]);
    for (origin, status) in
        [("https://blog.example", 200), ("https://evil.example", 403), ("null", 403)]
    {
        let headers = format!("{JSON}Origin: {origin}\r\n");
        let response = request(&server, "POST", "/api/preview", &headers, "{\"content\":\"x\"}");
        assert_eq!(response.status, status, "{origin}");
        let allowed = response.header("access-control-allow-origin");
        assert_eq!(allowed.as_deref(), (status == 200).then_some(origin));
    }
    let headers = "Origin: https://blog.example\r\nAccess-Control-Request-Method: POST\r\n";
    assert_eq!(request(&server, "OPTIONS", "/api/preview", headers, "").status, 204);
}

#[test]
fn previews_have_a_limit_of_their_own_and_take_nothing_from_comments() {
    // Even where comments have none.
    for rate in ["1/60", "off"] {
        let server = Server::start(&["--rate", rate]);
        let refused = (0..2 * PREVIEWS_MAX)
            .map(|_| preview(&server, "*x*"))
            .find(|response| response.status != 200);
        let refused = refused.expect("there is a limit");
        assert_eq!(refused.status, 429, "{refused:?}");
        assert!(refused.error().starts_with("at most 60 previews in 60 s"), "{refused:?}");
        assert!(refused.header("retry-after").is_some());
        posted(&server, "still one comment");
    }
}
