//! What is accepted at each limit and refused beyond it, and what each message requests.

use super::*;

fn post(message: ClientMessage) -> Result<Draft, Rejection> {
    match message.action("/")? {
        Action::Post(post) => Ok(post.render()),
        other => panic!("not a post: {other:?}"),
    }
}

fn message(content: &str) -> ClientMessage {
    ClientMessage { content: Some(content.into()), ..ClientMessage::default() }
}

#[test]
fn content_is_trimmed_and_has_one_to_8192_bytes() {
    assert!(post(message(&format!("  {}\r\n ", "x".repeat(8192)))).is_ok());
    assert_eq!(post(message(&"x".repeat(8193))), Err(Rejection::ContentTooLong(8193)));
    assert_eq!(post(message(&"é".repeat(4097))), Err(Rejection::ContentTooLong(8194)));
    assert_eq!(post(message(" \n\t ")), Err(Rejection::ContentEmpty));
    assert_eq!(post(message("a\rb\r\nc")).unwrap().body, br#","page":"/","content":"a\nb\nc""#);
}

#[test]
fn name_key_nonce_and_page_are_accepted_at_their_limits_and_refused_beyond() {
    let with = |change: &dyn Fn(&mut ClientMessage)| {
        let mut changed = message("hi");
        change(&mut changed);
        post(changed)
    };
    assert!(with(&|m| m.name = Some(" ".to_owned() + &"é".repeat(64))).is_ok());
    assert_eq!(with(&|m| m.name = Some("é".repeat(65))), Err(Rejection::NameTooLong(65)));
    for (len, is_valid) in [(0, false), (15, false), (16, true), (128, true), (129, false)] {
        assert_eq!(with(&|m| m.key = Some("k".repeat(len))).is_ok(), is_valid, "key of {len}");
    }
    for (len, is_valid) in [(15, false), (16, true), (64, true), (65, false)] {
        assert_eq!(with(&|m| m.nonce = Some("n".repeat(len))).is_ok(), is_valid, "nonce of {len}");
    }
    for (len, is_valid) in [(0, false), (1, true), (512, true), (513, false)] {
        assert_eq!(message("hi").action(&"p".repeat(len)).is_ok(), is_valid, "page of {len}");
    }
}

#[test]
fn control_characters_are_refused_with_their_position() {
    let rejection = post(message("ab\u{7}c")).unwrap_err();
    assert_eq!(
        rejection,
        Rejection::ControlCharacter { field: "content", character: '\u{7}', at: 2 }
    );
    assert!(rejection.to_string().contains("U+0007 at byte 2"), "{rejection}");
    assert!(post(ClientMessage { name: Some("a\nb".into()), ..message("hi") }).is_err());
    assert!(message("hi").action("a\u{0}b").is_err());
}

#[test]
fn anything_but_a_message_is_refused_as_malformed() {
    for json in ["", "[]", "7", "{\"content\":5}", "{\"content\":\"a\"", "{\"parent\":-1}", "null"]
    {
        assert!(
            matches!(ClientMessage::parse(json.as_bytes()), Err(Rejection::Malformed(_))),
            "{json}"
        );
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(
        ClientMessage::parse(deep.as_bytes())
            .and_then(|message| message.action("/").map(drop))
            .is_err()
    );
    assert!(matches!(ClientMessage::default().action("/"), Err(Rejection::Malformed(_))));
}

#[test]
fn a_message_requests_one_action() {
    let action = |json: &str| {
        let message = Box::leak(Box::new(ClientMessage::parse(json.as_bytes()).unwrap()));
        message.action("/")
    };
    assert!(matches!(action(r#"{"edit":3,"content":"x"}"#), Ok(Action::Edit(3, _, None))));
    assert!(matches!(
        action(r#"{"delete":3,"key":"kkkkkkkkkkkkkkkk"}"#),
        Ok(Action::Delete(3, Some(_)))
    ));
    assert!(matches!(action(r#"{"key":"kkkkkkkkkkkkkkkk"}"#), Ok(Action::Identify(_))));
    assert!(matches!(
        action(r#"{"like":3,"on":true,"key":"kkkkkkkkkkkkkkkk"}"#),
        Ok(Action::Like(3, true, _))
    ));
    let without_on = action(r#"{"like":3,"key":"kkkkkkkkkkkkkkkk"}"#);
    assert!(matches!(without_on, Err(Rejection::Malformed(_))));
    assert!(matches!(
        action(r#"{"like":3,"on":false,"key":"kkkkkkkkkkkkkkkk"}"#),
        Ok(Action::Like(3, false, _))
    ));
    assert_eq!(action(r#"{"like":3}"#), Err(Rejection::KeyMissing));
    for both in ["\"edit\":3", "\"delete\":3", "\"content\":\"x\""] {
        let json = format!("{{\"like\":3,\"on\":true,\"key\":\"kkkkkkkkkkkkkkkk\",{both}}}");
        assert!(matches!(action(&json), Err(Rejection::Malformed(_))), "{both}");
    }
    assert_eq!(action(r#"{"typing":true,"name":"Ada"}"#), Ok(Action::Typing));
}

#[test]
fn a_web_address_or_a_link_makes_a_text_have_links() {
    let has_links =
        |content: &str| PlainText::of(Some(content)).unwrap().render().count_links() > 0;
    for text in
        ["http://a", "see HTTPS://a.example", "xhttp://", "WWW.a", "[a](mailto:a@b.example)"]
    {
        assert!(has_links(text), "{text}");
    }
    for text in ["http:/a", "ttp://a", "://", "ww.a", "a.b: c", "The end.", "https", "www"] {
        assert!(!has_links(text), "{text}");
    }
}

#[test]
fn an_error_repeats_only_the_ends_of_a_long_value() {
    for (value, begin, end) in [
        (
            "\u{7f}".repeat(60_000),
            "invalid type: string \"\\u{7f}",
            ", expected u64 at line 1 column 60010",
        ),
        ("\u{e9}".repeat(70), "invalid type: string \"\u{e9}", "column 150"),
        ("x".into(), "invalid type: string \"x\", expected u64 at line 1 column 11", "11"),
    ] {
        let message = format!("{{\"edit\":\"{value}\"}}");
        let Err(Rejection::Malformed(why)) = ClientMessage::parse(message.as_bytes()) else {
            panic!("a string is not a number")
        };
        assert!(why.starts_with(begin) && why.ends_with(end), "{why}");
        assert!(why.chars().count() <= 2 * ERROR_END_CHARS + 1, "{why}");
    }
}
