//! Feeds of the newest comments, as Atom and as JSON. `tests/python/feeds.py` reads them as feed readers do.

use serde_json::{Value, json};

use crate::support::{
    client::{KEY, Response, TOKEN, bearer, check_sentence, get, post, request},
    server::Server,
};

const BLOG: [&str; 2] = ["--allow-origin", "https://blog.example"];
const PUBLIC: [&str; 4] = ["--public-url", "https://talk.example", BLOG[0], BLOG[1]];
const FEEDS: [&str; 4] = [
    "/feed.atom",
    "/feed.json",
    "/feed.atom?page=blog.example%2Fa",
    "/feed.json?page=blog.example%2Fa",
];

fn say(server: &Server, page: &str, name: Option<&str>, content: &str) -> u64 {
    let body = json!({"page": page, "content": content, "name": name, "key": KEY});
    let response = post(server, &body);
    assert!(matches!(response.status, 201 | 202), "{response:?}");
    response.json()["id"].as_u64().unwrap()
}

fn feed(server: &Server, path: &str) -> Response {
    let response = get(server, path);
    assert_eq!(response.status, 200, "{path}: {response:?}");
    let content_type = response.header("content-type").unwrap();
    let expected = if path.contains(".atom") {
        "application/atom+xml; charset=utf-8"
    } else {
        "application/feed+json"
    };
    assert_eq!(content_type, expected);
    response
}

fn items(server: &Server, query: &str) -> Vec<Value> {
    feed(server, &format!("/feed.json{query}")).json()["items"].as_array().unwrap().clone()
}

/// The texts of all elements of this name in an Atom feed, as they stand there.
fn elements(feed: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = feed.split(&start).skip(1);
    parts.map(|part| part.split(&end).next().unwrap().to_owned()).collect()
}

#[test]
fn both_feeds_say_who_wrote_what_where_and_when() {
    let server = Server::start(&PUBLIC);
    let id = say(&server, "blog.example/a", Some("Ada <b>"), "*so* & so");
    let plain = say(&server, "/talk", None, "a < b\nc");
    let line = get(&server, "/api/comments?page=blog.example/a").json()["comments"][0].clone();
    let log = get(&server, "/api/newest").json()["log"].as_str().unwrap().to_owned();
    let json = feed(&server, "/feed.json").json();
    let time = &line["created_at"];
    let plain_time = json["items"][0]["date_published"].clone();
    assert_eq!(
        json,
        json!({
            "version": "https://jsonfeed.org/version/1.1",
            "title": "Comments",
            "home_page_url": "https://talk.example/",
            "feed_url": "https://talk.example/feed.json",
            "items": [{
                "id": format!("urn:sayso:{log}:{plain}"),
                "url": format!("https://talk.example/?page=%2Ftalk#sayso-{plain}"),
                "title": "Anonymous on /talk",
                "content_html": "<p>a &lt; b<br>c</p>",
                "date_published": plain_time,
                "date_modified": plain_time,
                "authors": [{"name": "Anonymous"}],
            }, {
                "id": format!("urn:sayso:{log}:{id}"),
                "url": format!("https://blog.example/a#sayso-{id}"),
                "title": "Ada <b> on blog.example/a",
                "content_html": "<p><em>so</em> &amp; so</p>",
                "date_published": time,
                "date_modified": time,
                "authors": [{"name": "Ada <b>"}],
            }],
        })
    );
    let time = time.as_str().unwrap();
    let atom = feed(&server, "/feed.atom?page=blog.example/a").body;
    let own = "https://talk.example/feed.atom?page=blog.example%2Fa";
    assert_eq!(
        atom,
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
             <id>urn:sayso:{log}:page:blog.example%2Fa</id>\n<title>Comments: blog.example/a</title>\n\
             <updated>{time}</updated>\n<link rel=\"self\" type=\"application/atom+xml\" href=\"{own}\"/>\n\
             <link rel=\"alternate\" type=\"text/html\" href=\"https://blog.example/a\"/>\n\
             <entry>\n<id>urn:sayso:{log}:{id}</id>\n<title>Ada &lt;b&gt; on blog.example/a</title>\n\
             <link rel=\"alternate\" type=\"text/html\" href=\"https://blog.example/a#sayso-{id}\"/>\n\
             <published>{time}</published>\n<updated>{time}</updated>\n<author><name>Ada &lt;b&gt;</name>\n</author>\n\
             <content type=\"html\">&lt;p&gt;&lt;em&gt;so&lt;/em&gt; &amp;amp; so&lt;/p&gt;</content>\n</entry>\n</feed>\n"
        )
    );
}

#[test]
fn addresses_never_come_from_the_request() {
    let without = Server::start(&BLOG);
    let no_page = Server::start(&[&PUBLIC[..], &["--no-page"]].concat());
    for (server, own) in [(&without, None), (&no_page, Some("https://talk.example/feed.json"))] {
        let named = say(server, "blog.example/a", None, "here");
        say(server, "talk", None, "there");
        let json = feed(server, "/feed.json").json();
        assert_eq!(json["feed_url"].as_str(), own);
        assert_eq!(json.get("home_page_url"), None);
        assert_eq!(json["items"][0].get("url"), None, "no page can be named");
        assert_eq!(json["items"][1]["url"], format!("https://blog.example/a#sayso-{named}"));
        let host = server.address.to_string();
        for path in FEEDS {
            assert!(!feed(server, path).body.contains(&host), "{path}");
        }
        assert_eq!(elements(&feed(server, "/feed.atom").body, "id").len(), 3);
    }
}

#[test]
fn no_feed_links_to_a_site_that_only_a_poster_has_named() {
    let public = Server::start(&PUBLIC);
    let without = Server::start(&BLOG);
    for page in ["casino.evil.example/win", "https://casino.evil.example/win"] {
        let query = format!("?page={page}");
        for (server, has_page) in [(&public, true), (&without, false)] {
            let id = say(server, page, None, "win");
            let encoded = page.replace(':', "%3A").replace('/', "%2F");
            let url = format!("https://talk.example/?page={encoded}#sayso-{id}");
            let item = items(server, "").remove(0);
            assert_eq!(item["url"].as_str(), has_page.then_some(&*url));
            for query in ["", &query] {
                let atom = feed(server, &format!("/feed.atom{query}")).body;
                assert!(!atom.contains("href=\"https://casino"), "{atom}");
            }
        }
    }
}

#[test]
fn whatever_a_page_is_called_its_link_is_an_address_and_its_title_runs_one_way() {
    let server = Server::start(&PUBLIC);
    let turned = "blog.example/%%%x\u{202e}y\u{2066}z\u{202a}\u{2069}";
    let id = say(&server, turned, Some("Ada"), "here");
    let address = "https://blog.example/%25%25%25x%E2%80%AEy%E2%81%A6z%E2%80%AA%E2%81%A9";
    let name = "blog.example/%%%xyz";
    let query = "?page=blog.example/%25%25%25x%E2%80%AEy%E2%81%A6z%E2%80%AA%E2%81%A9";
    for (query, title, home) in [
        ("", "Comments".to_owned(), "https://talk.example/"),
        (query, format!("Comments: {name}"), address),
    ] {
        let json = feed(&server, &format!("/feed.json{query}")).json();
        let entry = format!("Ada on {name}");
        assert_eq!(
            (json["title"].as_str(), json["home_page_url"].as_str()),
            (Some(&*title), Some(home))
        );
        assert_eq!(json["items"][0]["title"], entry);
        assert_eq!(json["items"][0]["url"], format!("{address}#sayso-{id}"));
        let atom = feed(&server, &format!("/feed.atom{query}")).body;
        assert_eq!(elements(&atom, "title"), [title, entry]);
    }
}

#[test]
fn ids_stay_when_a_comment_is_edited_and_its_page_moves() {
    let mut server = Server::start(&PUBLIC);
    let id = say(&server, "blog.example/a", Some("Ada"), "before");
    let before = FEEDS.map(|path| feed(&server, path).body);
    let [item] = &items(&server, "")[..] else { panic!("there is one") };
    let edit = json!({"content": "after"}).to_string();
    let path = format!("/api/comments/{id}");
    let edited = request(&server, "PATCH", &path, &bearer(KEY), &edit).json();
    assert!(server.run(&["rename", "blog.example/a", "blog.example/b"]).status.success());
    let check = |server: &Server| {
        for query in ["", "?page=blog.example/a", "?page=blog.example/b"] {
            let [now] = &items(server, query)[..] else { panic!("there is one") };
            assert_eq!(
                (&now["id"], &now["date_published"]),
                (&item["id"], &item["date_published"])
            );
            assert_eq!(now["date_modified"], edited["edited_at"]);
            assert_eq!(now["title"], "Ada on blog.example/b");
            assert_eq!(now["url"], format!("https://blog.example/b#sayso-{id}"));
            assert_eq!(now["content_html"], "<p>after</p>");
            let atom = feed(server, &format!("/feed.atom{query}")).body;
            if !query.is_empty() {
                let json = feed(server, &format!("/feed.json{query}")).json();
                let (title, home) = ("Comments: blog.example/b", "https://blog.example/b");
                assert_eq!((&json["title"], &json["home_page_url"]), (&title.into(), &home.into()));
                assert_eq!(elements(&atom, "title")[0], title);
                assert!(atom.contains(&format!("\"text/html\" href=\"{home}\"/>")), "{atom}");
            }
            let updated = elements(&atom, "updated");
            assert!(updated.iter().all(|time| *time == edited["edited_at"]), "{updated:?}");
        }
        for (path, before) in FEEDS.iter().zip(&before).filter(|(path, _)| path.contains(".atom")) {
            let ids = |body: &str| elements(body, "id");
            assert_eq!(ids(&feed(server, path).body), ids(before), "{path}");
        }
    };
    check(&server);
    server.kill();
    server.restart();
    check(&server);
}

#[test]
fn what_was_taken_away_is_gone_from_the_feeds_at_once() {
    let server = Server::builder().moderator(TOKEN).flags(&PUBLIC).start();
    let [a, b, c] = ["a", "b", "c"].map(|text| say(&server, "blog.example/a", None, text));
    let ids = |query: &str| -> Vec<u64> {
        let id = |item: &Value| item["id"].as_str()?.rsplit(':').next()?.parse().ok();
        items(&server, query).iter().filter_map(id).collect()
    };
    let tag = |path: &str| feed(&server, path).header("etag").unwrap();
    let before = FEEDS.map(tag);
    let hide = json!({"status": "hidden"}).to_string();
    let path = |id| format!("/api/comments/{id}");
    assert_eq!(request(&server, "PATCH", &path(c), &bearer(TOKEN), &hide).status, 200);
    assert_eq!(request(&server, "DELETE", &path(a), &bearer(KEY), "").status, 200);
    for (at, path) in FEEDS.iter().enumerate() {
        let headers = format!("If-None-Match: {}\r\n", before[at]);
        assert_eq!(request(&server, "GET", path, &headers, "").status, 200, "{path}");
    }
    for query in ["", "?page=blog.example/a"] {
        assert_eq!(ids(query), [b]);
    }
    assert_eq!(request(&server, "DELETE", &path(b), &bearer(KEY), "").status, 200);
    for path in FEEDS {
        let empty = feed(&server, path).body;
        let updated = "<updated>1970-01-01T00:00:00.000Z</updated>";
        assert!(empty.contains("\"items\":[]") || empty.contains(updated), "{empty}");
    }
}

#[test]
fn a_feed_has_the_newest_fifty_and_is_answered_304_to_who_has_it() {
    let server = Server::start(&PUBLIC);
    for n in 0..60 {
        say(&server, ["blog.example/a", "other"][n % 2], None, &format!("number {n}"));
    }
    assert_eq!(items(&server, "").len(), 50);
    assert_eq!(items(&server, "?page=other").len(), 30);
    assert_eq!(items(&server, "?page=none").len(), 0);
    for path in FEEDS {
        let whole = feed(&server, path);
        assert_eq!(whole.header("cache-control").as_deref(), Some("no-cache"));
        let tag = whole.header("etag");
        let headers = format!("If-None-Match: {}\r\n", tag.as_deref().unwrap());
        let same = request(&server, "GET", path, &headers, "");
        assert_eq!((same.status, &*same.body, same.header("etag")), (304, "", tag.clone()));
        let head = request(&server, "HEAD", path, "", "");
        assert_eq!((head.status, head.header("etag")), (200, tag));
        let zipped =
            crate::support::client::fetch(&server, "GET", path, "Accept-Encoding: gzip\r\n");
        assert!(zipped.1.len() < whole.body.len() / 3, "{path}");
        assert_eq!(request(&server, "POST", path, "", "").status, 405);
    }
    for query in ["page=", "page=%0a"] {
        for format in ["atom", "json"] {
            let refused = get(&server, &format!("/feed.{format}?{query}"));
            assert_eq!(refused.status, 400);
            check_sentence(&refused.error(), &["page"]);
        }
    }
}

#[test]
fn the_served_page_names_its_feed_and_that_of_all_pages() {
    let server = Server::start(&["--base-path", "/x", "--title", "Talk & more"]);
    let page = get(&server, "/x/?page=a%20%22b").body;
    for href in ["/x/feed.atom?page=a%20%22b", "/x/feed.atom"] {
        let link = page.lines().find(|line| line.contains(&format!("href=\"{href}\""))).unwrap();
        assert!(
            link.starts_with("<link rel=\"alternate\" type=\"application/atom+xml\""),
            "{link}"
        );
        assert_eq!(get(&server, href).status, 200);
    }
    assert!(page.contains("title=\"Talk &amp; more: a &quot;b\""), "{page}");
    let feed = get(&server, "/x/feed.atom").body;
    assert_eq!(elements(&feed, "title"), ["Talk &amp; more"]);
}
