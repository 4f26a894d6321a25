//! Compares renderings with those of pulldown-cmark. Compiled for tests only.
//!
//! `SAYSO_ROUNDS=10000000 cargo test --release --lib markup::differences` compares more of them.

mod generator;

use std::{fs, path::Path};

use generator::Generator;

use super::inline::addresses;
use super::{html, link, oracle};
use crate::limits::CONTENT_BYTES_MAX;

/// Texts compared by each test.
const ROUNDS: usize = 60_000;

/// What the two read differently, each of it documented at [`html`].
fn is_known(content: &str) -> bool {
    let entities = content.split('&').skip(1).filter_map(|rest| rest.split_once(';'));
    let has_rare_entity = entities.map(|(name, _)| name).any(|name| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && link::entity(&format!("&{name};"), 0).is_none()
    });
    has_rare_entity
        // The space that is put before indented code is not shown where a line begins with it, which may be in a list.
        || content.contains("&#32;")
        // Behind the `#` at the end of a heading may be tabs.
        || content.lines().any(|line| line.contains('#') && line.trim_end_matches(' ').ends_with('\t'))
        // pulldown-cmark may show the backslash instead of breaking the line before the end of a link's text.
        || content.split("\\\n").skip(1).any(|rest| rest.trim_start_matches([' ', '\t', '>']).starts_with("]("))
        || content.contains(|char: char| char.is_control() && !"\n\t".contains(char))
        // An empty item that ends a quote in an item doesn't end that one.
        || content.lines().any(|line| line.contains('>') && ends_with_marker(line))
        // A quote's `>` may not be indented by a tab.
        || content.contains("\t>")
        || has_cut_entity(content)
        || has_odd_destination(content)
}

/// Whether a line ends with what begins an item of a list.
fn ends_with_marker(line: &str) -> bool {
    line.trim_end_matches([' ', '\t']).ends_with(['-', '+', '*', '.', ')'])
}

/// Whether there is an entity that ends behind an address, in what could be the destination of a link. The oracle shows both.
fn has_cut_entity(content: &str) -> bool {
    addresses(content)
        .into_iter()
        .any(|address| content[address.end..].starts_with(';') && content[address].contains('&'))
}

/// Whether there could be a link to an address that [`oracle`] reads differently: it takes a `(` behind a space or `>` for the start of
/// a title, and leaves the entities of a web address alone that doesn't begin right behind the `](`.
fn has_odd_destination(content: &str) -> bool {
    content.split("](").skip(1).any(|rest| {
        let word = rest.trim_start_matches([' ', '\t', '\n', '>']);
        let skipped = &rest[..rest.len() - word.len()];
        let word = word.split([' ', '\t', '\n']).next().unwrap_or_default().trim_start_matches('<');
        let is_space = |char: char| char == '>' || char.is_whitespace();
        let has_bracket = word.match_indices('(').any(|(at, _)| word[..at].ends_with(is_space));
        let has_entity = addresses(word).iter().any(|address| {
            (address.start > 0 || skipped.contains('\n')) && word[address.clone()].contains('&')
        });
        has_bracket || has_entity || !skipped.is_empty() && word.starts_with('(')
    })
}

/// HTML without spaces and tabs, except in `pre`.
fn without_spaces(html: &str) -> String {
    let mut out = String::new();
    for (number, part) in html.split("<pre>").enumerate() {
        let (pre, rest) = part.split_once("</pre>").filter(|_| number > 0).unwrap_or(("", part));
        out.push_str(pre);
        out.extend(rest.chars().filter(|char| !" \t".contains(*char)));
    }
    out
}

/// What was compared.
#[derive(Default)]
pub struct Comparison {
    /// Texts with markup that are rendered equally.
    equal: usize,
    different: Vec<String>,
}

impl Comparison {
    /// Renders a text with both.
    pub fn add(&mut self, content: &str) {
        let own = html(content);
        let oracle::Rendering { html: other, has_html } = oracle::render(content);
        // White space around a line break in code is one space, and a heading doesn't end with a tab. A browser shows the same.
        let may_have_spaces = content.contains('\n') && content.contains('`')
            || content.contains('#') && content.contains('\t');
        let spaced = |html: &Option<String>| html.as_deref().map(without_spaces);
        if own == other || may_have_spaces && spaced(&own) == spaced(&other) {
            self.equal += usize::from(own.is_some());
        } else if !has_html && !is_known(content) {
            self.different.push(format!("{content:?}\n  own: {own:?}\nother: {other:?}\n"));
        }
    }

    /// Panics if there are differences, or fewer than `least` equal texts.
    pub fn check(self, least: usize) {
        let Comparison { equal, mut different } = self;
        different.sort_by_key(String::len);
        let first = &different[..different.len().min(6)];
        assert!(different.is_empty(), "{} differ: {}", different.len(), first.concat());
        assert!(equal >= least, "{equal} of them have markup");
    }
}

fn rounds() -> usize {
    std::env::var("SAYSO_ROUNDS")
        .map_or(ROUNDS, |rounds| rounds.parse().expect("SAYSO_ROUNDS is a number"))
}

#[test]
fn paragraphs_are_rendered_as_by_pulldown_cmark() {
    let mut generator = Generator::new(0x9e37_79b9_7f4a_7c15);
    let mut comparison = Comparison::default();
    (0..rounds()).for_each(|_| comparison.add(generator.text().join("\n").trim()));
    comparison.check(rounds() / 2);
}

#[test]
fn documents_are_rendered_as_by_pulldown_cmark() {
    let mut generator = Generator::new(0x2545_f491_4f6c_dd1d);
    let mut comparison = Comparison::default();
    (0..rounds()).for_each(|_| comparison.add(&generator.document()));
    comparison.check(rounds() / 2);
}

#[test]
fn rows_of_signs_are_rendered_as_by_pulldown_cmark() {
    const SIGNS: [&str; 4] = [
        "*_a ~(.\u{201c}\n",
        "`[]()!\\<>a\"'\n ",
        "->+*1.) \t\na#`~=",
        "*_~`[]()!<>&;:\\#-+1.=|\"'/@ \t\na\u{e9}",
    ];
    let mut generator = Generator::new(0xda94_2042_e4dd_58b5);
    let mut comparison = Comparison::default();
    for round in 0..rounds() {
        let signs: Vec<char> = SIGNS[round % SIGNS.len()].chars().collect();
        let length = 1 + generator.below(24);
        let text: String = (0..length).map(|_| signs[generator.below(signs.len())]).collect();
        comparison.add(text.trim());
    }
    comparison.check(rounds() / 8);
}

#[test]
fn kept_seeds_are_rendered_as_by_pulldown_cmark() {
    // The crate as it is published comes without them.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds/markup");
    let Ok(files) = fs::read_dir(folder) else { return };
    let mut comparison = Comparison::default();
    for file in files {
        let seed =
            fs::read(file.expect("the folder can be read").path()).expect("a seed is a file");
        comparison.add(&String::from_utf8_lossy(&seed[..seed.len().min(CONTENT_BYTES_MAX)]));
    }
    comparison.check(10);
}

#[test]
fn punctuation_is_known_as_by_pulldown_cmark() {
    // Everyday scripts, symbols and emojis: ranges in which everything that has a meaning has had it for years.
    let ranges = [
        '\u{80}'..='\u{377}',
        '\u{590}'..='\u{82f}',
        '\u{900}'..='\u{fcc}',
        '\u{1e00}'..='\u{1fc4}',
        '\u{2000}'..='\u{208e}',
        '\u{20a0}'..='\u{218b}',
        '\u{2190}'..='\u{2426}',
        '\u{2460}'..='\u{2b73}',
        '\u{3000}'..='\u{30ff}',
        '\u{fe00}'..='\u{fe52}',
        '\u{ff00}'..='\u{ffbe}',
        '\u{1f100}'..='\u{1f1ad}',
        '\u{1f300}'..='\u{1f6d7}',
        '\u{1f900}'..='\u{1fa53}',
    ];
    let mut begin = 0;
    for char in ranges.into_iter().flatten() {
        // Emphasis begins within a word, but not before punctuation.
        let content = format!("a**{char}b**c");
        let own = html(&content);
        assert_eq!(own, oracle::render(&content).html, "{content:?}");
        begin += usize::from(own.is_some());
    }
    assert!((4_000..9_000).contains(&begin), "emphasis begins before {begin} characters");
}

#[test]
fn each_known_entity_means_the_character_of_html_and_any_other_is_shown_as_typed() {
    let mut comparison = Comparison::default();
    let names: Vec<&str> =
        link::ENTITIES.split(' ').filter_map(|it| it.split(';').next()).collect();
    for name in &names {
        comparison.add(&format!("*a* &{name}; [b](https://c?d=&{name}; \"e\")"));
        comparison.add(&format!("*a* &{name} &{name}zz; &zz{name}; `&{name};`"));
    }
    comparison.check(2 * names.len());
    assert_eq!(html("*a* &Aacute; b").as_deref(), Some("<p><em>a</em> &amp;Aacute; b</p>"));
}
