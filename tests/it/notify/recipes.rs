//! The recipes of `src/notify/README.md`: each is taken from there and run by sayso, and what arrives at a real receiver is read.

use std::{
    fs::{self, File, Permissions},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::Command,
    sync::mpsc::{Receiver, channel},
    thread,
};

use serde_json::{Value, json};

use crate::support::{
    client::{TOKEN, post},
    server::{Folder, Server, TIMEOUT},
};

/// What somebody writes who wants to be a header, a command, a mention, or the end of a mail.
const CONTENT: &str = "Hello\n.\nSubject: forged\nBcc: all@evil.example\n\n..dots \"quotes\" 'n $(touch pwned) `touch pwned` \
     <!channel> & \\ {{x}} \u{e9}\u{1f389}";
const NAME: &str = "Eve\"'$(touch pwned)`<@U1>";
const URL: &str = "https://talk.example";

/// The recipes, in their order: msmtp, sendmail, ntfy, Slack, Matrix.
fn recipe(number: usize) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/notify/README.md");
    let text = fs::read_to_string(path).unwrap();
    let recipes: Vec<&str> = text.split("```sh\n#!").skip(1).collect();
    assert_eq!(recipes.len(), 5);
    format!("#!{}", recipes[number].split("```").next().unwrap())
}

/// Whether the tools are there; `tests/all` installs them.
fn are_there(tools: &[&str]) -> bool {
    let is_missing = |tool: &&&str| Command::new(**tool).arg("--version").output().is_err();
    let missing = tools.iter().find(is_missing);
    if let Some(missing) = missing {
        eprintln!("{missing} is not here: its recipe is not run");
    }
    missing.is_none()
}

/// A server whose program is a recipe, each part of which is replaced by another. It has one comment.
fn tell(recipe: &str, parts: &[(&str, String)]) -> (Server, Folder, Value) {
    let folder = Folder::new();
    let mut script = recipe.to_owned();
    for (part, other) in parts {
        assert!(script.contains(part), "{part} is not in {script}");
        script = script.replace(part, other);
    }
    let path = folder.join("recipe");
    File::create(&path).unwrap().write_all(script.as_bytes()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let server =
        Server::builder().moderator(TOKEN).flags(&["--notify", &path, "--public-url", URL]).start();
    let posted = post(&server, &json!({"content": CONTENT, "name": NAME}));
    assert_eq!(posted.status, 201, "{posted:?}");
    (server, folder, posted.json())
}

/// Serves one client after the other, and hands on what `receive` has got of each.
fn receiver<T: Send + 'static>(
    receive: impl Fn(BufReader<TcpStream>) -> T + Send + 'static,
) -> (SocketAddr, Receiver<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (sender, received) = channel();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            if sender.send(receive(BufReader::new(stream))).is_err() {
                return;
            }
        }
    });
    (address, received)
}

/// An HTTP request: its head and its body.
fn http(mut stream: BufReader<TcpStream>) -> (String, Value) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = crate::support::client::header(&head, "content-length").unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

/// A mail: its recipients, its head, and its text without the dots that SMTP adds (RFC 5321 §4.5.2).
fn smtp(mut stream: BufReader<TcpStream>) -> (Vec<String>, String, String) {
    let answer = |stream: &mut BufReader<TcpStream>, text: &str| {
        stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).unwrap();
    };
    answer(&mut stream, "220 mail.example ESMTP");
    let (mut recipients, mut mail) = (Vec::new(), String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap() == 0 {
            break;
        }
        match line.trim_end().split_at_checked(4) {
            Some(("RCPT", who)) => recipients.push(who.to_owned()),
            Some(("QUIT", _)) => {
                answer(&mut stream, "221 bye");
                break;
            }
            Some(("DATA", _)) => {
                answer(&mut stream, "354 go on");
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    match line.strip_prefix('.') {
                        Some("\r\n") => break,
                        Some(rest) => mail.push_str(rest),
                        None => mail.push_str(&line),
                    }
                }
            }
            _ => {}
        }
        answer(&mut stream, "250 ok");
    }
    let mail = mail.replace("\r\n", "\n");
    let (head, text) = mail.split_once("\n\n").unwrap_or_else(|| panic!("{mail}"));
    (recipients, head.to_owned(), text.to_owned())
}

/// Nothing of the comment has become a header, and all of it has arrived.
fn check_mail((recipients, head, text): (Vec<String>, String, String), line: &Value) {
    let [recipient] = &recipients[..] else { panic!("{recipients:?}") };
    assert!(recipient.contains("<owner@blog.example>"), "{recipient}");
    let names: Vec<&str> = head.lines().map(|line| line.split(':').next().unwrap()).collect();
    for name in &names {
        let known = ["From", "To", "Date", "Message-ID", "Subject", "Content-Type"];
        assert!(known.contains(name), "{name}: {head}");
    }
    assert!(head.contains("Subject: A comment is posted") && !head.contains("forged"), "{head}");
    assert!(text.contains(CONTENT) && text.contains(&format!("{NAME} on /:")), "{text}");
    assert!(text.contains(&format!("{URL}/?page=%2F#sayso-{}", line["id"])), "{text}");
    for link in ["approve: https://talk.example/m/", "hide: https://talk.example/m/"] {
        assert!(text.contains(link), "{text}");
    }
    assert!(!fs::exists("pwned").unwrap());
}

#[test]
fn the_recipe_for_msmtp_sends_a_mail() {
    if !are_there(&["msmtp", "jq"]) {
        return;
    }
    let (address, mails) = receiver(smtp);
    let to = format!("msmtp --host=127.0.0.1 --port={} --from", address.port());
    let (_server, _folder, line) = tell(&recipe(0), &[("msmtp --from", to)]);
    check_mail(mails.recv_timeout(TIMEOUT).unwrap(), &line);
}

#[test]
fn the_recipe_for_sendmail_sends_a_mail() {
    if !are_there(&["msmtp", "jq"]) {
        return;
    }
    let (address, mails) = receiver(smtp);
    // What the package msmtp-mta makes of /usr/sbin/sendmail.
    let sendmail =
        format!("msmtp --host=127.0.0.1 --port={} --from=a@blog.example", address.port());
    let (_server, _folder, line) = tell(&recipe(1), &[("/usr/sbin/sendmail", sendmail)]);
    check_mail(mails.recv_timeout(TIMEOUT).unwrap(), &line);
}

#[test]
fn the_recipe_for_ntfy_sends_a_message_with_buttons() {
    if !are_there(&["curl", "jq"]) {
        return;
    }
    let (address, requests) = receiver(http);
    let (_server, _folder, line) =
        tell(&recipe(2), &[("https://ntfy.sh/", format!("http://{address}/"))]);
    let (head, body) = requests.recv_timeout(TIMEOUT).unwrap();
    assert!(head.starts_with("POST / HTTP/1.1\r\n") && !head.contains("forged"), "{head}");
    assert_eq!(body["message"], format!("{NAME}: {CONTENT}"));
    assert_eq!(
        (&body["topic"], &body["title"]),
        (&json!("my-secret-topic"), &json!("A comment is posted"))
    );
    assert_eq!(body["click"], format!("{URL}/?page=%2F#sayso-{}", line["id"]));
    let actions = body["actions"].as_array().unwrap();
    let labels: Vec<&Value> = actions.iter().map(|action| &action["label"]).collect();
    assert_eq!(labels, ["approve", "hide"]);
    assert!(actions[1]["url"].as_str().unwrap().starts_with("https://talk.example/m/"), "{body}");
}

#[test]
fn the_recipe_for_slack_sends_a_text_in_which_nothing_is_a_mention() {
    if !are_there(&["curl", "jq"]) {
        return;
    }
    let (address, requests) = receiver(http);
    let (_server, _folder, _) =
        tell(&recipe(3), &[("https://hooks.slack.com", format!("http://{address}"))]);
    let (head, body) = requests.recv_timeout(TIMEOUT).unwrap();
    assert!(head.starts_with("POST /services/T000/B000/XXXX HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("application/json"), "{head}");
    let text = body["text"].as_str().unwrap();
    let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let said = format!(
        "A comment is posted: {}: {}\n{URL}/?page=%2F#sayso-1",
        plain(NAME),
        plain(CONTENT)
    );
    assert!(text.starts_with(&said), "{text}");
    let links: Vec<&str> = text[said.len()..].split('<').skip(1).collect();
    assert!(
        links.len() == 2 && links.iter().all(|link| link.starts_with("https://talk.example/m/")),
        "{text}"
    );
}

#[test]
fn the_recipe_for_matrix_sends_a_message_once_for_an_event() {
    if !are_there(&["curl", "jq"]) {
        return;
    }
    let secrets = Folder::new();
    let token = secrets.join("token");
    fs::write(&token, "syt_secret\n").unwrap();
    let (address, requests) = receiver(http);
    let (_server, _folder, line) = tell(
        &recipe(4),
        &[
            ("https://matrix.example", format!("http://{address}")),
            ("/etc/sayso/matrix-token", token),
        ],
    );
    let (head, body) = requests.recv_timeout(TIMEOUT).unwrap();
    let path = format!(
        "PUT /_matrix/client/v3/rooms/%21room%3Amatrix.example/send/m.room.message/posted-{}-0 HTTP/1.1\r\n",
        line["seq"]
    );
    // Before 1.7, jq left exclamation marks as they are, which is as good.
    assert!(head.replacen("/!room", "/%21room", 1).starts_with(&path), "{head}");
    assert!(head.contains("Bearer syt_secret\r\n"), "{head}");
    assert_eq!(body["msgtype"], "m.text");
    let said = format!("A comment is posted: {NAME}: {CONTENT}\n{URL}/?page=%2F#sayso-1");
    assert_eq!(body["body"], said);
}
