//! Renders the most deeply nested and most expensive texts on a small stack, and counts the steps. Compiled for tests only.

use crate::comment::markup::allowlist::check;
use crate::comment::markup::{html, steps};
use crate::limits::CONTENT_BYTES_MAX;
use crate::util::threads::READER_STACK_BYTES;

/// Steps for each byte: a byte may stand in as many brackets of an address as may be open, and before as many blocks.
const STEPS_MAX: usize = 40;
/// Texts that are expensive if they are repeated.
#[rustfmt::skip]
const SHAPES: [&str; 65] = [
    ">", "> ", "- ", "1. ", "+ > ", "[", "]", "![", "![[](", "[](", "[a](", "](", "[a][", "[]:", "[a]: b\n", "*", "**", "_",
    "~", "*a ", "*a **a ", "*a_ ", "_a __a ", "**a*", "a**b", "*_*", "~a~~", "`", "`a``b", "``` ", "<", "<a ", "<a b='", "<!--",
    "<!A ", "<?", "<![CDATA[", "</", "<https:", "&", "&#", "&amp", "\\", "\\[", "(", "[(](", "https://", "https://a(",
    "https://[", "://", "http://a ", "\t", " \n", "\n", "a\n", "# ", "a\n=\n", "|", "|-|\n", "* a\n ", "- a\n  - ", ">\n",
    "\u{e9}*", "\"", "'",
];
/// Texts that are expensive only behind a certain start: the start, and what is repeated behind it.
const LONG_TAILS: [(&str, &str); 34] = [
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
    ("", "[a](b \"c"),
    ("", "[a](b 'c [a](b \"c [a](b (c"),
    ("", "[a](<b"),
    ("", "[a](<b\\>"),
    ("", "[a](\\(https://a("),
    ("", "[a](https://a/( \"c\""),
    ("- - - - - - - - a", "\n                                                a"),
    ("", "- - - - - - -\n"),
    ("", "`` ` ``` "),
    ("", "*a_b~~c**d__e***"),
    ("", "**a*b"),
    ("", "    a\n\n"),
    ("- a\n\n", "      a\n\n"),
];

/// Texts of the most bytes.
fn hostile_texts() -> impl Iterator<Item = String> {
    let hostile: Vec<String> = SHAPES
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
    hostile.into_iter().chain(LONG_TAILS.map(|(head, tail)| {
        let count = (CONTENT_BYTES_MAX - head.len()) / tail.len();
        [head, &tail.repeat(count), "*b*"].concat()
    }))
}

#[test]
fn hostile_texts_take_steps_in_proportion_to_their_length() {
    for content in hostile_texts() {
        steps::take();
        html(&content);
        let (steps, most) = (steps::take(), STEPS_MAX * (content.len() + 1));
        let start: String = content.chars().take(40).collect();
        assert!(steps <= most, "{start:?}: {} steps for each byte", steps / content.len());
    }
}

#[test]
fn hostile_texts_fit_into_the_stack_of_a_reader() {
    let thread = std::thread::Builder::new().stack_size(READER_STACK_BYTES).spawn(move || {
        for content in hostile_texts() {
            html(content.trim()).as_deref().map(check);
        }
    });
    thread.unwrap().join().expect("no text overflows the stack or panics");
}
