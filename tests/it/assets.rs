//! What lies in `static/`, asked for by clients that take gzip and by those that don't.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::support::{
    client::{fetch, header, request},
    server::Server,
};

const FILES: [&str; 4] = ["embed.js", "embed.css", "demo.html", "lang/ar.json"];

/// Returns the bytes of a file in `static/` as they are sent: with empty lines instead of comments, and without indentation.
fn read_bare(path: &str) -> Vec<u8> {
    let file = format!("{}/static/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let is_code = path.ends_with(".js") || path.ends_with(".css");
    let is_comment =
        |line: &str| ["//", "/*", "*"].iter().any(|mark| line.trim().starts_with(mark));
    let lines = text.lines().map(|line| match is_code {
        true if is_comment(line) => "",
        true => line.trim(),
        false => line,
    });
    lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
}

#[test]
fn files_are_sent_compressed_to_who_takes_it_and_are_the_same() {
    let server = Server::start(&[]);
    for path in FILES {
        let file = read_bare(path);
        for takes in ["gzip", "br, gzip;q=0.5", "deflate, GZIP", "*", "gzip;q=1.0, *;q=0"] {
            let accept = format!("Accept-Encoding: {takes}\r\n");
            let (head, body) = fetch(&server, "GET", &format!("/{path}"), &accept);
            assert_eq!(
                header(&head, "content-encoding").as_deref(),
                Some("gzip"),
                "{takes}: {head}"
            );
            assert!(body.len() < file.len(), "{} of {} bytes", body.len(), file.len());
            let mut plain = Vec::new();
            GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
            assert_eq!(plain, file);
            let length = u32::from_le_bytes(body[body.len() - 4..].try_into().unwrap());
            assert_eq!(length as usize, file.len());
            let (head_only, nothing) = fetch(&server, "HEAD", &format!("/{path}"), &accept);
            assert!(nothing.is_empty());
            assert_eq!(header(&head_only, "content-length"), header(&head, "content-length"));
        }
        for takes in ["", "identity", "br", "gzip;q=0", "gzip; q=0.000, br", "xgzip"] {
            let accept = match takes {
                "" => String::new(),
                takes => format!("Accept-Encoding: {takes}\r\n"),
            };
            let (head, body) = fetch(&server, "GET", &format!("/{path}"), &accept);
            assert_eq!((header(&head, "content-encoding"), body), (None, file.clone()), "{takes}");
        }
    }
}

#[test]
fn each_form_of_a_file_has_its_own_tag() {
    let server = Server::start(&[]);
    for path in FILES {
        let tag_of = |accept: &str| {
            let (head, _) = fetch(&server, "GET", &format!("/{path}"), accept);
            assert!(header(&head, "vary").unwrap().contains("Accept-Encoding"), "{head}");
            header(&head, "etag").unwrap()
        };
        let gzip = "Accept-Encoding: gzip\r\n";
        let (packed, plain) = (tag_of(gzip), tag_of(""));
        assert_ne!(packed, plain);
        for (accept, tag, status) in
            [(gzip, &packed, 304), ("", &plain, 304), (gzip, &plain, 200), ("", &packed, 200)]
        {
            let headers = format!("{accept}If-None-Match: {tag}\r\n");
            let (head, body) = fetch(&server, "GET", &format!("/{path}"), &headers);
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            assert_eq!(body.is_empty(), status == 304, "{head}");
        }
    }
    let response = request(&server, "GET", "/embed.js", "If-None-Match: *\r\n", "");
    assert_eq!(response.status, 304);
}

#[test]
fn documents_are_no_assets() {
    let server = Server::start(&[]);
    assert!(std::fs::exists(format!("{}/static/README.md", env!("CARGO_MANIFEST_DIR"))).unwrap());
    assert_eq!(request(&server, "GET", "/README.md", "", "").status, 404);
}
