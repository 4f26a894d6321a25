//! Comments over HTTP: posting, changing and deleting them, and what is refused with a sentence.

use serde_json::json;

use super::says;
use crate::support::{
    client::{JSON, KEY, OTHER_KEY, bearer, get, post, posted, request},
    server::Server,
};

#[test]
fn a_post_is_201_with_the_line_and_200_when_its_nonce_is_known() {
    let server = Server::start(&[]);
    let body =
        json!({"content": "hi", "page": "a page", "name": "Ada", "nonce": "nonce-nonce-nonce"});
    let first = post(&server, &body);
    assert_eq!(
        (first.status, first.header("content-type").as_deref()),
        (201, Some("application/json"))
    );
    assert_eq!(
        (first.json()["page"].clone(), first.json()["id"].clone()),
        (json!("a page"), json!(1))
    );
    let again = post(&server, &body);
    assert_eq!((again.status, &again.body), (200, &first.body));
    for content_type in
        ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"]
    {
        let headers = format!("Content-Type: {content_type}\r\n");
        let response = request(
            &server,
            "POST",
            "/api/comments",
            &headers,
            &json!({"content": "x"}).to_string(),
        );
        assert_eq!(response.status, 201, "{content_type}: {response:?}");
    }
}

#[test]
fn bad_posts_are_400_with_a_sentence_that_has_value_and_limit() {
    let server = Server::start(&[]);
    for (body, parts) in [
        (
            json!({"content": "x".repeat(8193)}),
            &["content is 8193 bytes, at most 8192 are allowed"][..],
        ),
        (json!({"content": ""}), &["content"]),
        (json!({"content": " \n"}), &["content"]),
        (json!({"name": "x"}), &["content"]),
        (json!({"content": "x", "name": "n".repeat(65)}), &["65", "64"]),
        (json!({"content": "x", "key": "k".repeat(15)}), &["key", "15", "16"]),
        (json!({"content": "x", "key": "k".repeat(129)}), &["key", "129", "128"]),
        (json!({"content": "x", "nonce": "n".repeat(15)}), &["nonce", "15", "16"]),
        (json!({"content": "x", "nonce": "n".repeat(65)}), &["nonce", "65", "64"]),
        (json!({"content": "x", "page": ""}), &["page"]),
        (json!({"content": "x", "page": "p".repeat(513)}), &["page", "513", "512"]),
        (json!({"content": "x", "page": "a\nb"}), &["page"]),
        (json!({"content": "x", "parent": 7}), &["7"]),
        (json!({"content": 1}), &[]),
        (json!([]), &[]),
        (json!("content"), &[]),
    ] {
        let response = post(&server, &body);
        // Too long is too long, by whichever limit.
        says(
            &response,
            if parts.iter().any(|part| part.contains("8193")) { 413 } else { 400 },
            parts,
        );
    }
    for body in [
        "",
        "{",
        "{\"content\":\"x\"",
        "{\"content\":\"x\"}x",
        "content=x",
        "\u{feff}{}",
        "{\"content\":\"\\ud800\"}",
    ] {
        says(&request(&server, "POST", "/api/comments", JSON, body), 400, &[]);
    }
    assert_eq!(get(&server, "/api/comments").json()["comments"], json!([]));
    assert_eq!(
        post(&server, &json!({"content": "x".repeat(8192), "page": "p".repeat(512)})).status,
        201
    );
}

#[test]
fn only_json_and_forms_are_taken() {
    let server = Server::start(&[]);
    let body = json!({"content": "x"}).to_string();
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: multipart/form-data; boundary=b\r\n",
        "Content-Type: text/json\r\n",
    ] {
        says(
            &request(&server, "POST", "/api/comments", headers, &body),
            415,
            &["application/json"],
        );
    }
    let id = posted(&server, "x")["id"].clone();
    let headers = format!("Authorization: Bearer {KEY}\r\nContent-Type: text/plain\r\n");
    says(&request(&server, "PATCH", &format!("/api/comments/{id}"), &headers, &body), 415, &[]);
}

#[test]
fn changing_needs_the_authors_key() {
    let server = Server::start(&[]);
    let line = post(&server, &json!({"content": "first", "key": KEY})).json();
    posted(&server, "nobody's");
    let body = json!({"content": "second"}).to_string();
    for headers in [
        JSON.to_owned(),
        bearer(OTHER_KEY),
        format!("Authorization: Basic {KEY}\r\n{JSON}"),
        format!("Authorization: Bearer\r\n{JSON}"),
        format!("Authorization: {KEY}\r\n{JSON}"),
    ] {
        for method in ["PATCH", "DELETE"] {
            let response = request(
                &server,
                method,
                "/api/comments/1",
                &headers,
                if method == "PATCH" { &body } else { "" },
            );
            // What is no key at all may also be called so.
            assert!(matches!(response.status, 400 | 401 | 403), "{method} {headers}: {response:?}");
            assert_eq!(
                response.status == 403,
                response.status != 400 && response.status != 401,
                "{response:?}"
            );
            response.error();
        }
    }
    says(&request(&server, "PATCH", "/api/comments/1", &bearer(OTHER_KEY), &body), 403, &["1"]);
    says(&request(&server, "DELETE", "/api/comments/1", &bearer(OTHER_KEY), ""), 403, &["1"]);
    says(&request(&server, "PATCH", "/api/comments/2", &bearer(KEY), &body), 403, &["2"]);
    says(&request(&server, "PATCH", "/api/comments/3", &bearer(KEY), &body), 404, &["3"]);
    says(&request(&server, "DELETE", "/api/comments/3", &bearer(KEY), ""), 404, &["3"]);
    assert_eq!(get(&server, "/api/comments").json()["comments"][0], line, "nothing has changed");
    let edited = request(&server, "PATCH", "/api/comments/1", &bearer(KEY), &body);
    assert_eq!(
        (edited.status, edited.json()["content"].clone(), edited.json()["seq"].clone()),
        (200, json!("second"), json!(3))
    );
    let lower = format!("authorization: bearer {KEY}\r\n{JSON}");
    assert_eq!(
        request(
            &server,
            "PATCH",
            "/api/comments/1",
            &lower,
            &json!({"content": "third"}).to_string()
        )
        .status,
        200
    );
    for (wrong, part) in [
        (json!({"content": ""}), "content"),
        (json!({}), ""),
        (json!({"content": 7}), ""),
        (json!({"status": "nonsense"}), ""),
    ] {
        says(
            &request(&server, "PATCH", "/api/comments/1", &bearer(KEY), &wrong.to_string()),
            400,
            &[part],
        );
    }
    says(
        &request(
            &server,
            "PATCH",
            "/api/comments/1",
            &bearer(KEY),
            &json!({"status": "hidden"}).to_string(),
        ),
        403,
        &[],
    );
    let gone = request(&server, "DELETE", "/api/comments/1", &bearer(KEY), "");
    assert_eq!((gone.status, gone.json()["deleted"].clone()), (200, json!(true)));
    assert!(gone.json().get("content").is_none() && gone.json().get("author").is_none());
    says(&request(&server, "PATCH", "/api/comments/1", &bearer(KEY), &body), 409, &["deleted"]);
    let twice = request(&server, "DELETE", "/api/comments/1", &bearer(KEY), "");
    assert!(matches!(twice.status, 200 | 409), "{twice:?}");
    says(&post(&server, &json!({"content": "x", "parent": 99})), 400, &["99"]);
}

#[test]
fn what_can_be_no_comment_is_404_by_any_method() {
    let server = Server::start(&[]);
    posted(&server, "x");
    for id in ["", "x", "-1", "0", "1/2", "1x", "+1", "99999999999999999999999", "%31"] {
        for (method, body) in [("GET", ""), ("PATCH", "{\"content\":\"y\"}"), ("DELETE", "")] {
            let response =
                request(&server, method, &format!("/api/comments/{id}"), &bearer(KEY), body);
            // A number stands for a comment that could be there, and one that is written otherwise may stand for it too.
            let could_be = matches!(id, "0" | "99999999999999999999999" | "%31");
            let allowed: &[u16] = if could_be { &[403, 404, 405] } else { &[404] };
            assert!(allowed.contains(&response.status), "{method} {id:?}: {response:?}");
        }
    }
}
