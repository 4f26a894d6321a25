//! Renders the most deeply nested and most expensive texts on a small stack. Compiled for tests only.

use crate::comment::markup::allowlist::check;
use crate::comment::markup::html;
use crate::limits::CONTENT_BYTES_MAX;
use crate::util::threads::READER_STACK_BYTES;

/// Texts that are expensive only behind a certain start: the start, and what is repeated behind it.
const LONG_TAILS: [(&str, &str); 21] = [
    ("[a](b \"", "a\n"),
    ("[a](<b>(", "a\n"),
    ("[a](b \"c [d](e \"\n", "a\n"),
    ("- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - a", "\n"),
    ("- - - - - - - a", "\n"),
    ("- - - - - - - a", "\n\nb"),
    ("> > > > > > > > > > > > > a", "\nb"),
    ("- > - > - > - > - > a", "\n>"),
    ("- > - > - > - > - > a", "\n  > >"),
    ("- - - - - - - ```\n", "\n"),
    ("- - - - - - -  a\n             ", "\t"),
    ("[a](<b> \"", "[a](<b> '"),
    ("![", "![ ](x)"),
    ("", "![ "),
    ("[a](", "\\("),
    ("", "[a](b "),
    ("", "**a _b ~~c "),
    ("", "a_b*_c**~~"),
    ("", "<a:"),
    ("", "\\```a"),
    ("", "&#1;&#x41;"),
];

#[test]
fn hostile_texts_fit_into_the_stack_of_a_reader() {
    let shapes = [
        ">",
        "> ",
        "- ",
        "1. ",
        "+ > ",
        "[",
        "]",
        "![",
        "![[](",
        "[](",
        "[a](",
        "](",
        "[a][",
        "[]:",
        "[a]: b\n",
        "*",
        "**",
        "_",
        "~",
        "*a ",
        "*a **a ",
        "*a_ ",
        "_a __a ",
        "**a*",
        "a**b",
        "*_*",
        "~a~~",
        "`",
        "`a``b",
        "``` ",
        "<",
        "<a ",
        "<a b='",
        "<!--",
        "<!A ",
        "<?",
        "<![CDATA[",
        "</",
        "<https:",
        "&",
        "&#",
        "&amp",
        "\\",
        "\\[",
        "(",
        "[(](",
        "https://",
        "https://a(",
        "https://[",
        "://",
        "http://a ",
        "\t",
        " \n",
        "\n",
        "a\n",
        "# ",
        "a\n=\n",
        "|",
        "|-|\n",
        "* a\n ",
        "- a\n  - ",
        ">\n",
        "\u{e9}*",
        "\"",
        "'",
    ];
    let hostile: Vec<String> = shapes
        .iter()
        .flat_map(|shape| {
            let one = shape.repeat(CONTENT_BYTES_MAX / shape.len());
            let half = CONTENT_BYTES_MAX / 2;
            let nested: String =
                (0..120).map(|depth| "  ".repeat(depth.min(40)) + "- " + shape + "\n").collect();
            let around = one
                .chars()
                .take(half / 2)
                .chain("a".chars())
                .chain(one.chars().rev().take(half / 2))
                .collect();
            [one, nested, around]
        })
        .collect();
    let hostile = hostile.into_iter().chain(LONG_TAILS.map(|(head, tail)| {
        let count = (CONTENT_BYTES_MAX - head.len()) / tail.len();
        [head, &tail.repeat(count), "*b*"].concat()
    }));
    let thread = std::thread::Builder::new().stack_size(READER_STACK_BYTES).spawn(move || {
        for content in hostile {
            html(content.trim()).as_deref().map(check);
        }
    });
    thread.unwrap().join().expect("no text overflows the stack or panics");
}
