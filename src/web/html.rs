//! The page as HTML: what a reader sees before any script has run, and all there is without one.
//!
//! Pure: knows neither requests nor the hub nor files. `static/widget/view.js` draws the same structure with the same classes, so
//! that `static/embed.css` fits both and nothing moves when the script takes over.

use std::collections::HashMap;
use std::fmt::Write;

use crate::comment::{Comment, Status};
use crate::http::query;

/// Answers are set in by one level each up to here; deeper ones stay at this level.
const DEPTH_MAX: usize = 4;
/// The browser counts UTF-16 units, of which the server's 64 characters are no fewer than as many.
const NAME_UNITS_MAX: usize = 64;
/// Likewise: no text of at most 8,192 bytes has more.
const CONTENT_UNITS_MAX: usize = 8_192;

/// The smallest of what `embed.js` will ask for, asked for with it. A browser opens six connections, which the comments and the
/// other five modules fill then. Asked for here, those would take the line from the style that this page waits for: at 50 KB/s
/// its first comment was painted 0.1 to 0.2 s later.
const PRELOADED: &str = "/widget/avatar.js";

/// The avatar's colours in the order of their hue, so that neighbours go together.
const HUES: [&str; 12] = [
    "#4f7df0", "#7a6cf0", "#a463e0", "#cf5bb4", "#e0587f", "#e8694f", "#e58a34", "#c9a227",
    "#8aa83a", "#45a566", "#2aa198", "#3a97cf",
];
/// The avatar's shapes around 0, 0: a disc, a leaf, a dome, a tent.
const SHAPES: [&str; 4] = [
    "M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0z",
    "M-9-9H1a8 8 0 0 1 8 8V1a8 8 0 0 1-8 8H-1a8 8 0 0 1-8-8z",
    "M-11 5a11 11 0 0 1 22 0z",
    "M-10 7L0-9L10 7z",
];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Heading and title.
    pub title: &'a str,
    /// What is commented on.
    pub page: &'a str,
    /// Path in front of every address of sayso: empty or like `/talk`, without a slash at the end.
    pub base: &'a str,
    /// The log's id.
    pub log: &'a str,
    /// The run's mark, with which `seq` is a cursor that proves itself.
    pub mark: &'a str,
    /// The highest `seq` that went into this view.
    pub seq: u64,
    /// Visible comments on the page, shown here or not.
    pub count: u64,
    /// Oldest first, tombstones included.
    pub comments: &'a [Comment],
    /// Hearts by id, where a comment has any.
    pub likes: &'a [(u64, u64)],
    /// Whether there are older ones.
    pub more: bool,
    /// Why the post was refused, as a sentence.
    pub note: Option<&'a str>,
    /// The name field's text.
    pub name: &'a str,
    /// What was typed when a post was refused, so that nothing typed is lost.
    pub draft: &'a str,
}

/// HTML before and after the value of the form's hidden nonce: 22 URL-safe characters that the caller writes between, fresh
/// for each load, while the rest can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// From the document's start into the nonce's opened attribute.
    pub head: String,
    /// From the attribute's closing quote to the document's end.
    pub tail: String,
}

/// Makes the document of a view.
pub fn render(view: &View) -> Rendered {
    let mut head = String::with_capacity(2_048);
    open_document(&mut head, view);
    let mut tail = String::with_capacity(1_024 + view.comments.len() * 1_024);
    close_form(&mut tail, view);
    let thread = Thread::of(view.comments, view.likes);
    if thread.roots.is_empty() {
        tail.push_str("<p class=\"empty\">No comments yet. Say the first word.</p>");
    } else {
        tail.push_str("<ol class=\"list\" role=\"list\">");
        for &root in thread.roots.iter().rev() {
            item(&mut tail, &thread, root);
        }
        tail.push_str("</ol>");
    }
    close_document(&mut tail, view);
    Rendered { head, tail }
}

fn open_document(out: &mut String, view: &View) {
    let title = Escaped(view.title);
    let base = Escaped(view.base);
    let page = Escaped(view.page);
    put(
        out,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
             %3Cpath fill='%234f7df0' d='M2 2h12v9H7l-4 4v-4H2z'/%3E%3C/svg%3E\">\n\
             <link rel=\"stylesheet\" href=\"{base}/embed.css\">\n\
             <script type=\"module\" src=\"{base}/embed.js\"></script>\n\
             <link rel=\"modulepreload\" href=\"{base}{PRELOADED}\" fetchpriority=\"low\">\n</head>\n<body class=\"page\">\n<main>\n\
             <sayso-comments page=\"{page}\" heading=\"{title}\" level=\"1\" data-log=\"{log}\" data-mark=\"{mark}\" data-seq=\"{seq}\" \
             data-count=\"{count}\">\n<section class=\"sayso\">\n<header class=\"head\"><h1 class=\"title\">{title}</h1>\
             <span class=\"count\">{count}</span></header>\n",
            log = Escaped(view.log),
            mark = Escaped(view.mark),
            seq = view.seq,
            count = view.count,
        ),
    );
    put(
        out,
        format_args!(
            "<form class=\"composer\" method=\"post\" action=\"{base}/api/comments\">\
             <input type=\"hidden\" name=\"page\" value=\"{page}\"><input type=\"hidden\" name=\"nonce\" value=\""
        ),
    );
}

fn close_form(out: &mut String, view: &View) {
    // The parser drops one line feed after `<textarea>`: give it one, so that the draft keeps its own.
    put(
        out,
        format_args!(
            "\"><input name=\"website\" hidden tabindex=\"-1\" autocomplete=\"off\" aria-label=\"Leave this empty\">\n\
             <div class=\"field\"><textarea class=\"input\" name=\"content\" rows=\"2\" required \
             maxlength=\"{CONTENT_UNITS_MAX}\" placeholder=\"Say something…\" aria-label=\"Comment\">\n{}</textarea>\n\
             <div class=\"bar\"><input class=\"who\" name=\"name\" value=\"{}\" maxlength=\"{NAME_UNITS_MAX}\" \
             placeholder=\"Name (optional)\" aria-label=\"Name (optional)\" autocomplete=\"nickname\">\
             <span class=\"hint\">Markdown</span><button class=\"send\">Send</button></div></div>\n",
            Escaped(view.draft),
            Escaped(view.name),
        ),
    );
    if let Some(note) = view.note {
        put(out, format_args!("<p class=\"error\" role=\"alert\">{}</p>\n", Escaped(note)));
    }
    out.push_str("</form>\n");
}

fn close_document(out: &mut String, view: &View) {
    let base = Escaped(view.base);
    out.push_str("\n<footer class=\"foot\">");
    let oldest = view.comments.iter().map(|comment| comment.id).min();
    if let (true, Some(oldest)) = (view.more, oldest) {
        put(
            out,
            format_args!(
                "<a class=\"older\" href=\"{base}/?page={}&amp;before={oldest}\">Older comments</a>",
                query::encode(view.page)
            ),
        );
    }
    put(
        out,
        format_args!(
            "<a class=\"brand\" href=\"{base}/\">sayso</a></footer>\n</section>\n</sayso-comments>\n</main>\n</body>\n</html>\n"
        ),
    );
}

/// Who hangs below whom. Places are indices into the comments.
struct Thread<'a> {
    comments: &'a [Comment],
    /// Hearts by id.
    likes: &'a [(u64, u64)],
    /// Shown at the top level, oldest first.
    roots: Vec<usize>,
    /// Shown below each, oldest first.
    below: Vec<Vec<usize>>,
    /// What each comment answers, where that is here.
    answered: Vec<Option<usize>>,
    /// Set where an answer does not stand right below what it answers.
    astray: Vec<bool>,
}

impl<'a> Thread<'a> {
    fn of(comments: &'a [Comment], likes: &'a [(u64, u64)]) -> Thread<'a> {
        let places: HashMap<u64, usize> =
            comments.iter().enumerate().map(|(i, comment)| (comment.id, i)).collect();
        // Only what comes earlier can be answered: so the walk below ends, whatever the lines say.
        let answered: Vec<Option<usize>> = comments
            .iter()
            .enumerate()
            .map(|(i, comment)| places.get(&comment.parent?).copied().filter(|&parent| parent < i))
            .collect();
        let shown = shown(comments, &answered);

        let mut thread = Thread {
            comments,
            likes,
            roots: Vec::new(),
            below: vec![Vec::new(); comments.len()],
            answered,
            astray: vec![false; comments.len()],
        };
        // For each place: its depth, and below what it hangs.
        let mut hangs: Vec<(usize, Option<usize>)> = Vec::with_capacity(comments.len());
        for (i, &is_shown) in shown.iter().enumerate() {
            let (depth, above) = match thread.answered[i] {
                None => (0, None),
                Some(parent) if hangs[parent].0 < DEPTH_MAX => (hangs[parent].0 + 1, Some(parent)),
                Some(parent) => hangs[parent],
            };
            hangs.push((depth, above));
            thread.astray[i] = above.is_none() || above != thread.answered[i];
            if is_shown {
                match above {
                    Some(above) => thread.below[above].push(i),
                    None => thread.roots.push(i),
                }
            }
        }
        thread
    }
}

/// A comment is shown if everyone may see it; the place of a removed one, if an answer that is shown hangs below.
fn shown(comments: &[Comment], answered: &[Option<usize>]) -> Vec<bool> {
    let mut shown: Vec<bool> = comments.iter().map(Comment::is_visible).collect();
    for i in (0..comments.len()).rev() {
        // Nobody but its author knows of a pending comment; what isn't a comment has no place here.
        if comments[i].status == Status::Pending || comments[i].kind.is_some() {
            shown[i] = false;
        } else if let (true, Some(parent)) = (shown[i], answered[i]) {
            shown[parent] = true;
        }
    }
    shown
}

fn item(out: &mut String, thread: &Thread, place: usize) {
    let comment = &thread.comments[place];
    put(out, format_args!("\n<li class=\"item\" id=\"sayso-{}\">", comment.id));
    if comment.is_visible() {
        article(out, thread, place);
    } else {
        put(
            out,
            format_args!(
                "<article class=\"comment gone\"><p class=\"meta\">Deleted {}</p></article>",
                Time(comment)
            ),
        );
    }
    if !thread.below[place].is_empty() {
        out.push_str("<ol class=\"answers\" role=\"list\">");
        for &answer in &thread.below[place] {
            item(out, thread, answer);
        }
        out.push_str("</ol>");
    }
    out.push_str("</li>");
}

fn article(out: &mut String, thread: &Thread, place: usize) {
    let comment = &thread.comments[place];
    out.push_str("<article class=\"comment\">");
    avatar(out, comment.author.as_deref());
    put(
        out,
        format_args!(
            "<p class=\"meta\"><bdi class=\"name\">{}</bdi> {}",
            Escaped(comment.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("Anonymous")),
            Time(comment)
        ),
    );
    if comment.edited_at.is_some() {
        out.push_str(" <span class=\"edited\">edited</span>");
    }
    if let (Some(parent), true) = (comment.parent, thread.astray[place]) {
        let name = thread.answered[place]
            .map(|parent| thread.comments[parent].name.as_deref().unwrap_or("Anonymous"));
        put(
            out,
            format_args!(
                " <a class=\"to\" href=\"#sayso-{parent}\">to <bdi>{}</bdi></a>",
                Escaped(name.unwrap_or("an older comment"))
            ),
        );
    }
    match &comment.html {
        Some(html) => put(out, format_args!("</p><div class=\"text\" dir=\"auto\">{html}</div>")),
        None => {
            put(
                out,
                format_args!(
                    "</p><div class=\"text plain\" dir=\"auto\">{}</div>",
                    Escaped(&comment.content)
                ),
            );
        }
    }
    // Room for what the script puts there, so that nothing moves when it does.
    out.push_str("<div class=\"actions\">");
    if let Some((_, count)) = thread.likes.iter().find(|(id, _)| *id == comment.id) {
        let name = if *count == 1 { "1 like".to_owned() } else { format!("{count} likes") };
        put(
            out,
            format_args!(
                "<span class=\"like\" role=\"img\" aria-label=\"{name}\">♥ {count}</span>"
            ),
        );
    }
    out.push_str("</div></article>");
}

/// Two or three soft shapes that are always the same for the same author; a silhouette for nobody.
fn avatar(out: &mut String, author: Option<&str>) {
    out.push_str("<svg class=\"avatar\" viewBox=\"0 0 36 36\" aria-hidden=\"true\">");
    let Some(author) = author else {
        out.push_str(
            "<path fill=\"currentColor\" opacity=\".1\" d=\"M0 0h36v36H0z\"></path>\
             <path fill=\"currentColor\" opacity=\".3\" d=\"M12 15a6 6 0 1 1 12 0a6 6 0 1 1-12 0M6 36a12 12 0 0 1 24 0z\"></path></svg>",
        );
        return;
    };
    // FNV-1a, then a linear congruential generator (Numerical Recipes): the same few operations in static/widget/avatar.js.
    let mut seed = author
        .bytes()
        .fold(2_166_136_261_u32, |seed, byte| (seed ^ u32::from(byte)).wrapping_mul(16_777_619));
    let mut draw = |n: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) % n
    };
    let hue = draw(12) as usize;
    let turn = draw(8) * 45;
    let shapes = 2 + draw(2) as usize;
    put(
        out,
        format_args!(
            "<path fill=\"{}\" opacity=\".2\" d=\"M0 0h36v36H0z\"></path><g transform=\"rotate({turn} 18 18)\">",
            HUES[hue]
        ),
    );
    for (colour, x, y, size) in
        [(0, 12, 13, 8), (1, 24, 22, 8), (10, 22, 9, 4)].into_iter().take(shapes)
    {
        let (x, y, angle, size) = (x + draw(4), y + draw(4), draw(8) * 45, size + draw(4));
        put(
            out,
            format_args!(
                "<path fill=\"{}\" opacity=\".8\" transform=\"translate({x} {y}) rotate({angle}) scale({}.{})\" d=\"{}\"></path>",
                HUES[(hue + colour) % 12],
                size / 10,
                size % 10,
                SHAPES[draw(4) as usize],
            ),
        );
    }
    out.push_str("</g></svg>");
}

/// A comment's time as its permalink.
struct Time<'a>(&'a Comment);

impl std::fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = &self.0.created_at;
        write!(
            f,
            "<a class=\"when\" href=\"#sayso-{}\"><time datetime=\"{}\">",
            self.0.id,
            Escaped(at)
        )?;
        match parts(at) {
            Some((date, month, year, clock)) => write!(f, "{date} {month} {year}, {clock} UTC")?,
            None => write!(f, "{}", Escaped(at))?,
        }
        f.write_str("</time></a>")
    }
}

/// Day, month, year and `05:08` of `2026-11-22T05:08:00.001Z`.
fn parts(at: &str) -> Option<(u8, &'static str, u16, &str)> {
    let (date, clock) = at.split_once('T')?;
    let mut numbers = date.splitn(3, '-');
    let year = numbers.next()?.parse().ok()?;
    let month: usize = numbers.next()?.parse().ok()?;
    let day = numbers.next()?.parse().ok()?;
    let clock = clock
        .get(..5)
        .filter(|clock| clock.bytes().all(|byte| byte.is_ascii_digit() || byte == b':'))?;
    Some((day, MONTHS.get(month.checked_sub(1)?)?, year, clock))
}

/// Text that can't end an element or a quoted attribute.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

fn put(out: &mut String, text: std::fmt::Arguments) {
    out.write_fmt(text).expect("a string takes everything");
}

#[cfg(test)]
mod tests;
