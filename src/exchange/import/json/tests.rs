//! Small documents, and what is read of them.

use std::io::Cursor;

use super::*;

const LAYOUT: Layout =
    Layout { lists: &["", "things"], objects: &["data"], fields: &["id", "user.id"] };

fn input(text: &str) -> Input {
    Input::open(Box::new(Cursor::new(text.to_owned()))).unwrap()
}

fn things(text: &str) -> Result<Vec<(u64, String)>, String> {
    let mut seen = Vec::new();
    let read = document(input(text), LAYOUT, &mut |_, row, _| {
        seen.push((row.line, row.text("id").unwrap_or_default()));
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
            "[{\"id\":[1,{}]},{\"id\":{\"a\":{},\"iso\":2}},{\"id\":null},{}]",
            vec![(1, ""), (1, "2"), (1, ""), (1, "")],
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
        ("{\"other\":[]}", "line 1: the file is no list"),
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
    lines(input("{\"id\":1}\n\n {\"id\":2}"), LAYOUT, &mut |_, row, _| {
        seen.push((row.line, row.text("id").unwrap()));
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, [(1, "1".into()), (3, "2".into())]);
    let error = lines(input("{}\n[]x"), LAYOUT, &mut |_, _, _| Ok(())).unwrap_err().to_string();
    assert!(error.starts_with("line 2: "), "{error}");
}

#[test]
fn fields_of_objects_and_lists_in_an_entry_are_read() {
    let text = "[{\"user\":{\"id\":\"u\",\"x\":1},\"id\":7,\"things\":[{\"id\":8}]},{\"user\":null,\"things\":null},{\"user\":\"x\"}]";
    let mut seen = Vec::new();
    document(input(text), LAYOUT, &mut |list, row, parent| {
        seen.push((
            list,
            row.text("id"),
            row.text("user.id"),
            parent.text("id"),
            row.has("things"),
        ));
        Ok(())
    })
    .unwrap();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        seen,
        [
            ("things", some("8"), None, some("7"), false),
            ("", some("7"), some("u"), None, true),
            ("", None, None, None, true),
            ("", None, None, None, false),
        ]
    );
}
