//! Small documents, and what is read of them.

use std::io::Cursor;

use super::*;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Thing {
    id: Field,
}

const LAYOUT: Layout = Layout { lists: &["", "things"], objects: &["data"] };

fn input(text: &str) -> Input {
    Input::open(Box::new(Cursor::new(text.to_owned()))).unwrap()
}

fn things(text: &str) -> Result<Vec<(u64, String)>, String> {
    let mut seen = Vec::new();
    let read = document(input(text), LAYOUT, &mut |_, line, thing: Thing| {
        seen.push((line, thing.id.text().unwrap_or_default()));
        Ok(())
    });
    read.map(|()| seen).map_err(|error| error.to_string())
}

#[test]
fn entries_are_found_in_every_place_with_their_lines() {
    for (text, expected) in [
        ("[\n{\"id\":1},\n\n{\"id\":\"b\"}]", vec![(2, "1"), (4, "b")]),
        ("{\"x\":[{}],\"things\":[{\"id\":true}]}", vec![(1, "true")]),
        ("{\"data\":{\"data\":{\"things\":[{\"id\":{\"$oid\":\"q\"}}]}},\"y\":1}", vec![(1, "q")]),
        ("{\"things\":null}", vec![]),
        (
            "[{\"id\":[1,{}]},{\"id\":{\"a\":{},\"iso\":2.5}},{\"id\":null},{}]",
            vec![(1, ""), (1, "2.5"), (1, ""), (1, "")],
        ),
    ] {
        let expected: Vec<_> =
            expected.into_iter().map(|(line, id)| (line, id.to_owned())).collect();
        assert_eq!(things(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn an_error_names_the_line_and_never_the_value() {
    for (text, error) in [
        ("[\n{\"id\":1},\n\"ada@example.org\"]", "line 3: expected an object"),
        ("[{\"id\":1}\n,{\"id\" 2}]", "line 2: this is no JSON: expected `:`"),
        ("[{\"id\":1},\n{\"id\":", "line 2: the file ends in the middle of an entry"),
        ("{\"other\":[]}", "line 1: the file has no list named things"),
        ("{\"things\":{}}", "line 1: expected a list"),
        ("<xml>", "line 1: this is no JSON: expected value"),
        ("", "line 1: the file ends in the middle of an entry"),
        ("[] []", "line 1: this is no JSON: trailing characters"),
    ] {
        let message = things(text).unwrap_err();
        assert!(message.starts_with(error) && !message.contains("ada"), "{message}");
    }
}

#[test]
fn an_entry_at_the_limit_is_read_and_a_longer_one_is_not() {
    use super::super::input::ENTRY_BYTES_MAX;
    let entry = |length: usize| format!("[{{\"id\":\"{}\"}}]", "a".repeat(length));
    assert_eq!(things(&entry(ENTRY_BYTES_MAX as usize - 100)).unwrap().len(), 1);
    let error = things(&entry(ENTRY_BYTES_MAX as usize + 200_000)).unwrap_err();
    assert_eq!(error, "line 1: an entry is longer than 8388608 bytes");
    let skipped = format!("{{\"x\":\"{}\",\"things\":[{{}}]}}", "a".repeat(9_000_000));
    assert_eq!(things(&skipped).unwrap().len(), 1, "what is not kept may be longer");
}

#[test]
fn lines_are_entries() {
    let mut seen = Vec::new();
    lines(input("{\"id\":1}\n\n {\"id\":2}"), &mut |line, thing: Thing| {
        seen.push((line, thing.id.text().unwrap()));
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, [(1, "1".into()), (3, "2".into())]);
    let error = lines(input("{}\n[]x"), &mut |_, _: Thing| Ok(())).unwrap_err().to_string();
    assert!(error.starts_with("line 2: "), "{error}");
}
