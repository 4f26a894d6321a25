//! Texts and their exact HTML, like the examples in the CommonMark specification. Compiled for tests only.

use super::allowlist::check;
use super::differences::Comparison;
use super::html;

/// Compares texts with their HTML, in which `{u|` stands for the start of a link to `u`, and `}` for its end.
fn check_examples(examples: &[(&str, &str)]) {
    let mut comparison = Comparison::default();
    for (content, expected) in examples {
        comparison.add(content);
        let expected = expected
            .replace('{', "<a href=\"")
            .replace('|', "\" rel=\"nofollow ugc noopener\">")
            .replace('}', "</a>");
        let html = html(content).unwrap_or_else(|| panic!("{content:?} was not rendered"));
        assert_eq!(html, expected, "{content:?}");
        check(&html);
    }
    comparison.check(examples.len());
}

#[test]
fn emphasis_follows_commonmark() {
    check_examples(&[
        ("a * b *c*", "<p>a * b <em>c</em></p>"),
        ("foo*bar*baz", "<p>foo<em>bar</em>baz</p>"),
        ("foo_bar_baz *x*", "<p>foo_bar_baz <em>x</em></p>"),
        ("_foo_bar_baz_", "<p><em>foo_bar_baz</em></p>"),
        ("a*\"foo\"* *x*", "<p>a*&quot;foo&quot;* <em>x</em></p>"),
        ("foo-_(bar)_", "<p>foo-<em>(bar)</em></p>"),
        ("*(*foo*)*", "<p><em>(<em>foo</em>)</em></p>"),
        ("**foo bar**", "<p><strong>foo bar</strong></p>"),
        ("__foo__bar__baz__", "<p><strong>foo__bar__baz</strong></p>"),
        ("*foo **bar** baz*", "<p><em>foo <strong>bar</strong> baz</em></p>"),
        ("*foo**bar**baz*", "<p><em>foo<strong>bar</strong>baz</em></p>"),
        ("*foo**bar*", "<p><em>foo**bar</em></p>"),
        ("***foo** bar*", "<p><em><strong>foo</strong> bar</em></p>"),
        ("foo***bar***baz", "<p>foo<em><strong>bar</strong></em>baz</p>"),
        (
            "foo******bar*********baz",
            "<p>foo<strong><strong><strong>bar</strong></strong></strong>***baz</p>",
        ),
        ("**foo*", "<p>*<em>foo</em></p>"),
        ("*foo**", "<p><em>foo</em>*</p>"),
        ("*foo _bar* baz_", "<p><em>foo _bar</em> baz_</p>"),
        ("**foo **bar baz**", "<p>**foo <strong>bar baz</strong></p>"),
        ("*a `*`*", "<p><em>a <code>*</code></em></p>"),
        ("_\u{43f}\u{440}\u{438}_x *a*", "<p>_\u{43f}\u{440}\u{438}_x <em>a</em></p>"),
        ("~~a~~ ~b~ ~~~c~~~", "<p><del>a</del> ~b~ ~~~c~~~</p>"),
        ("~~*a~~*", "<p><del>*a</del>*</p>"),
        ("*a\n\nb* **c**", "<p>*a</p><p>b* <strong>c</strong></p>"),
    ]);
}

#[test]
fn code_spans_escapes_and_entities_follow_commonmark() {
    check_examples(&[
        ("`` foo ` bar ``", "<p><code>foo ` bar</code></p>"),
        ("`  ``  `", "<p><code> `` </code></p>"),
        ("`a ` b`", "<p><code>a </code> b`</p>"),
        ("`foo\nbar`", "<p><code>foo bar</code></p>"),
        ("`foo\\`bar`", "<p><code>foo\\</code>bar`</p>"),
        ("*foo`*`", "<p>*foo<code>*</code></p>"),
        ("```foo`` *x*", "<p>```foo`` <em>x</em></p>"),
        ("`&amp;`", "<p><code>&amp;amp;</code></p>"),
        ("\\*a\\* \\# \\a \\\\", "<p>*a* # \\a \\</p>"),
        ("&#42;a&#x2A; &lt;b&gt;", "<p>*a* &lt;b&gt;</p>"),
        ("&quot;&apos;&copy;&#0;&#10;&#x110000;", "<p>&quot;'\u{a9}\u{fffd}&amp;#10;\u{fffd}</p>"),
    ]);
}

#[test]
fn links_with_brackets_titles_and_nested_links_follow_commonmark() {
    check_examples(&[
        ("[a](https://b.c/(d(e)))", "<p>{https://b.c/(d(e))|a}</p>"),
        ("[a](https://b.c/\\))", "<p>{https://b.c/)|a}</p>"),
        ("[a](https://b.c 't\"' )", "<p>{https://b.c|a}</p>"),
        ("[a](https://b.c\n(t))", "<p>{https://b.c|a}</p>"),
        ("[a](https://b.c\"t\")", "<p>{https://b.c&quot;t&quot;|a}</p>"),
        ("*x* [a](b c)", "<p><em>x</em> [a](b c)</p>"),
        ("[a [b] c](https://d.e)", "<p>{https://d.e|a [b] c}</p>"),
        ("[a](https://b.c)](https://d.e)", "<p>{https://b.c|a}]({https://d.e|https://d.e})</p>"),
        ("[a [b](https://c.d)](x)", "<p>[a {https://c.d|b}](x)</p>"),
        ("*[a*](https://b.c)", "<p>*{https://b.c|a*}</p>"),
        ("[*a](https://b.c)*", "<p>{https://b.c|*a}*</p>"),
        ("**[a](https://b.c)**", "<p><strong>{https://b.c|a}</strong></p>"),
        ("[a`](https://b.c)`", "<p>[a<code>](https://b.c)</code></p>"),
        ("\\[a](x) *b*", "<p>[a](x) <em>b</em></p>"),
        ("[`]`](https://a.b)", "<p>{https://a.b|<code>]</code>}</p>"),
        ("![a\nb](https://c.d)", "<p>{https://c.d|a b}</p>"),
        (
            "<https://a.b?c=&amp;> <x>",
            "<p>{https://a.b?c=&amp;amp;|https://a.b?c=&amp;amp;} &lt;x&gt;</p>",
        ),
        ("a\\\\https://b.c", "<p>a\\{https://b.c|https://b.c}</p>"),
    ]);
}

#[test]
fn blocks_follow_commonmark() {
    check_examples(&[
        ("### a *b* ###", "<p><strong>a <em>b</em></strong></p>"),
        ("####### a\n# b#", "<p>####### a</p><p><strong>b#</strong></p>"),
        ("a\nb\n===", "<p><strong>a<br>b</strong></p>"),
        ("a\n- - -\n*b*", "<p>a</p><p>- - -</p><p><em>b</em></p>"),
        ("> a\nb\n> c", "<blockquote><p>a<br>b<br>c</p></blockquote>"),
        ("> a\n\n> b", "<blockquote><p>a</p></blockquote><blockquote><p>b</p></blockquote>"),
        ("> a\n---", "<blockquote><p>a</p></blockquote><p>---</p>"),
        (">```\n> a\nb", "<blockquote><pre><code>a</code></pre></blockquote><p>b</p>"),
        ("> > a\n> b", "<blockquote><blockquote><p>a<br>b</p></blockquote></blockquote>"),
        ("~~~ rust\n```\n  a\n~~~~\nb", "<pre><code>```\n  a</code></pre><p>b</p>"),
        ("  ```\n   a\n b\n  ```", "<pre><code> a\nb</code></pre>"),
        ("```\na\n\n", "<pre><code>a\n</code></pre>"),
        ("a\n```\n*b*\n```", "<p>a</p><pre><code>*b*</code></pre>"),
        ("    a *b*\n\tc", "<p>a <em>b</em><br>c</p>"),
    ]);
}

#[test]
fn lists_follow_commonmark() {
    check_examples(&[
        ("- a\n- b\n+ c", "<ul><li>a</li><li>b</li></ul><ul><li>c</li></ul>"),
        ("1. a\n2. b\n3) c", "<ol><li>a</li><li>b</li></ol><ol start=\"3\"><li>c</li></ol>"),
        ("0. a", "<ol start=\"0\"><li>a</li></ol>"),
        ("1234567890. a *b*", "<p>1234567890. a <em>b</em></p>"),
        ("*a*\n14. b\n- c", "<p><em>a</em><br>14. b</p><ul><li>c</li></ul>"),
        ("-a *b*", "<p>-a <em>b</em></p>"),
        ("- a\n  - b\n    - c", "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li></ul>"),
        ("1. a\n   - b\n2. c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"),
        (
            "- a\n  - b\n\n    c\n- d",
            "<ul><li>a<ul><li><p>b</p><p>c</p></li></ul></li><li>d</li></ul>",
        ),
        ("- a\n  > b\n  >\n- c", "<ul><li>a<blockquote><p>b</p></blockquote></li><li>c</li></ul>"),
        (
            "- a\n- ```\n  b\n\n\n  ```\n- c",
            "<ul><li>a</li><li><pre><code>b\n\n</code></pre></li><li>c</li></ul>",
        ),
        ("- a\n\n  b\n\nc", "<ul><li><p>a</p><p>b</p></li></ul><p>c</p>"),
        ("- a\nb", "<ul><li>a<br>b</li></ul>"),
        ("-\n  a\n-\n\n  b", "<ul><li>a</li><li></li></ul><p>b</p>"),
        ("- - 2. a", "<ul><li><ul><li><ol start=\"2\"><li>a</li></ol></li></ul></li></ul>"),
        ("> 1. a\n>\n> b", "<blockquote><ol><li>a</li></ol><p>b</p></blockquote>"),
        ("-\ta\n\n\tb", "<ul><li><p>a</p><p>b</p></li></ul>"),
        ("* a\n* * *\n* b", "<ul><li>a</li></ul><p>* * *</p><ul><li>b</li></ul>"),
    ]);
}
