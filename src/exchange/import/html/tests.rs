//! HTML, the Markdown that it becomes, and the HTML that sayso renders of that.

use super::*;

fn rendered(html: &str) -> String {
    let markdown = to_markdown(html, false);
    markup::html(&markdown).unwrap_or(markdown)
}

#[test]
fn every_allowed_element_is_rendered_as_it_was() {
    for html in [
        "<p>a <em>b</em> <strong>c</strong> <del>d</del></p>",
        "<p><em>a <strong>b</strong></em></p>",
        "<p>a<br>b</p><p><code>c</code></p>",
        "<pre><code>fn a&lt;T&gt;()\n\n  b</code></pre>",
        "<blockquote><p>a</p><p>b</p></blockquote><p>c</p>",
        "<blockquote><p>a</p></blockquote><blockquote><p>b</p></blockquote>",
        "<blockquote><blockquote><p>a</p></blockquote><p>b</p></blockquote>",
        "<ul><li>a</li><li>b</li></ul>",
        "<ol><li>a</li><li>b</li></ol>",
        "<ol start=\"7\"><li>a</li></ol>",
        "<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>",
        "<ul><li>a</li></ul><ul><li>b</li></ul>",
        "<ol><li>a</li></ol><ol><li>b</li></ol>",
        "<ul><li><p>a</p><p>b</p></li><li><p>c</p></li></ul><p>d</p>",
        "<ul><li>a<ol><li>b</li></ol></li></ul><ul><li>c</li></ul>",
        "<blockquote><ul><li>a</li></ul><pre><code>b\nc</code></pre></blockquote>",
        "<p><code>a `` b</code> <code>`</code></p>",
    ] {
        assert_eq!(rendered(html), html, "{:?}", to_markdown(html, false));
    }
}

#[test]
fn other_html_becomes_what_is_allowed() {
    for (html, expected) in [
        ("<p>a</p>\n<p>b</p>", "a\n\nb"),
        ("a<br/>b<BR>c", "a\nb\nc"),
        ("  a \n b  ", "a b"),
        ("<b>a</b> <i>b</i> <s>c</s> <strike>d</strike>", "**a** *b* ~~c~~ ~~d~~"),
        ("<h2>a</h2><div>b</div><hr>c", "**a**\n\nb\n\nc"),
        ("a<b> b </b>c", "a **b** c"),
        ("<b></b><i> </i>a", "a"),
        ("<b>a<p>b</b>", "**a**\n\n**b**"),
        ("<span style=\"x\">a</span><table><tr><td>b</td></tr></table>", "a\n\nb"),
        ("<script>alert(1)</script><style>x</style>a<iframe src=x>b</iframe>", "a"),
        ("<img src=\"https://a.example/b.png\" alt=\"c\">", "[c](https://a.example/b.png)"),
        ("<img src=\"https://a.example/b.png\">", "<https://a.example/b.png>"),
        ("<img src=x onerror=alert(1)>a", "a"),
        ("<a href=\"javascript:alert(1)\">a</a>", "a"),
        ("<a href=\"/b\">a</a>", "a"),
        (
            "<a href=\"https://a.example/(b)?c&amp;d\">e f</a>",
            "[e f](https://a.example/%28b%29?c&amp;d)",
        ),
        ("<a href=\"https://a.example/b\">https://a.example/b</a>", "<https://a.example/b>"),
        ("<a href=\"https://a.example/b8/c\">a.example/…/b8/…</a>", "<https://a.example/b8/c>"),
        ("<a href=\"https://a.example\"><p>b</p></a>", "[b](https://a.example)"),
        ("<a href=\"mailto:a@b.example\">c</a>", "[c](mailto:a@b.example)"),
        ("Wow!<a href=\"https://a.example\">b</a>", "Wow\\![b](https://a.example)"),
        ("<li>a</li>b", "a\n\nb"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2 &laquo;&#8217;", "1 < 2 && 3 > 2 «’"),
        ("&lt;b&gt;", "\\<b>"),
        ("&amp;lt;", "\\&lt;"),
        ("2 * 3 * 4 snake_case [sic] AT&T ~5", "2 * 3 * 4 snake_case [sic] AT&T ~5"),
        ("*a* _b_ `c` [d](e) ~~f~~", "\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e) \\~\\~f\\~\\~"),
        (
            "<p># a</p><p>- b</p><p>1. c</p><p>&gt; d</p><p>---</p>",
            "\\# a\n\n\\- b\n\n1\\. c\n\n\\> d\n\n\\---",
        ),
        ("see https://a.example/b_c_d, *x*", "see https://a.example/b_c_d, \\*x\\*"),
        ("", ""),
        ("<p></p><br>", ""),
    ] {
        assert_eq!(to_markdown(html, false), expected, "{html}");
    }
}

#[test]
fn what_markdown_can_not_say_is_said_with_less_markup() {
    for (html, expected) in
        [("<b>\"a\"</b>b", "\"a\"b"), ("https://a.example/<b>c</b>", "https://a.example/c")]
    {
        assert_eq!(to_markdown(html, false), expected, "{html}");
    }
}

#[test]
fn lines_of_wordpress_are_lines_and_paragraphs() {
    assert_eq!(to_markdown("a\nb\r\n\r\nc <em>d\ne</em>", true), "a\nb\n\nc *d\ne*");
    assert_eq!(to_markdown("<blockquote>a</blockquote>\nb", true), "> a\n\nb");
    assert_eq!(to_markdown("<pre>a\n\nb</pre>", true), "```\na\n\nb\n```");
}

#[test]
fn markdown_that_has_tags_is_told_from_html() {
    for html in ["<p>a</p>", "a<br>b", "see <a href=\"x\">y</a>", "<B>a</B>"] {
        assert!(is_html(html), "{html}");
    }
    for markdown in ["a < b", "`<p>`", "<https://a.example>", "*a*", "<b", "Vec<T>"] {
        assert!(!is_html(markdown), "{markdown}");
    }
}

/// A generator of the same numbers in each run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

const PARTS: [&str; 52] = [
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    "<s>",
    "</s>",
    "<code>",
    "</code>",
    "<pre>",
    "</pre>",
    "<blockquote>",
    "</blockquote>",
    "<ul>",
    "</ul>",
    "<ol start=9>",
    "</ol>",
    "<li>",
    "</li>",
    "<br>",
    "<h1>",
    "</h1>",
    "<div>",
    "<a href=\"https://a.example/b_c?d=*e*&amp;f\">",
    "<a href=\"javascript:alert(1)\">",
    "</a>",
    "<img src=https://a.example/i.png alt=\"x]\">",
    "word",
    " ",
    "\n",
    "*",
    "_",
    "`",
    "~~",
    "[",
    "](",
    ")",
    "!",
    "#",
    "- ",
    "1. ",
    "&gt;",
    "&lt;",
    "&amp;",
    "\\",
    ":",
    "https://b.example/x_y",
    "\u{e9}",
    "\"",
    "&nbsp;",
    "lt;",
];

#[test]
fn any_html_shows_its_text_and_nothing_active() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..1_500 {
        let html: String =
            (0..1 + random.below(16)).map(|_| PARTS[random.below(PARTS.len())]).collect();
        for keeps_lines in [false, true] {
            let mut writer = MarkdownWriter::new(Level::TextOnly, keeps_lines);
            Tokens::new(&html).for_each(|token| writer.token(token));
            let (markdown, shown) = writer.finish();
            assert!(shows(&markdown, &shown), "{html:?} {markdown:?} {shown:?}");
            let markdown = to_markdown(&html, keeps_lines);
            if let Some(html) = markup::html(&markdown) {
                assert!(!html.contains("javascript:") && !html.contains("<img"), "{html}");
            }
        }
    }
}

#[test]
fn hostile_html_takes_bounded_time_and_memory() {
    for part in [
        "<blockquote>",
        "<ul><li>",
        "<b><i>",
        "<a href=x>",
        "&",
        "<",
        "<!--",
        "<p>`",
        "[",
        "<pre>",
        "\u{1f389}",
        "<li>",
    ] {
        let markdown = to_markdown(&part.repeat(40_000), false);
        assert!(markdown.len() <= 8 * CONTENT_BYTES_MAX, "{part}: {}", markdown.len());
    }
}
