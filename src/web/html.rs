//! Renders the page as HTML, for readers without JavaScript and for the time until the script runs.
//!
//! Pure: knows neither requests nor the hub nor files. `static/widget/view.js` and `frame.js` build the same structure with the same
//! classes, so that `static/embed.css` fits both and nothing moves when the script takes over.

mod article;
mod avatar;
pub(super) mod namesake;
mod thread;

use std::fmt::Write;

use crate::comment::Comment;
use crate::http::query;
use crate::util::html::Escaped;

use thread::push_thread;

/// `maxlength` counts UTF-16 units; a name within it has at most the 64 characters that the server allows.
const NAME_UNITS_MAX: usize = 64;
/// `maxlength` of the text: no text of at most 8,192 bytes has more UTF-16 units.
const CONTENT_UNITS_MAX: usize = 8_192;

/// The smallest of the modules that `embed.js` imports; it is loaded together with `embed.js`. A browser opens six connections, which
/// the comments and the other five modules use later. Preloading those as well would slow down the style sheet that the page waits for:
/// at 50 KB/s the first comment was painted 0.1 to 0.2 s later.
const PRELOADED: &str = "/widget/dom.js";

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The heading of the page and the title of the document.
    pub title: &'a str,
    /// The page whose comments are shown.
    pub page: &'a str,
    /// The `--base-path`: empty, or like `/talk` without a slash at the end.
    pub base: &'a str,
    /// The log's id.
    pub log: &'a str,
    /// The mark of the run: with it, `seq` is a cursor that proves itself.
    pub mark: &'a str,
    /// The highest `seq` that this view contains.
    pub seq: u64,
    /// How many visible comments the page has, whether they are in this view or not.
    pub count: u64,
    /// The comments of this view, oldest thread first, including tombstones. In a thread its first comment comes first, then the
    /// others by rising id.
    pub comments: &'a [Comment],
    /// Threads that are here only because a comment in them is pinned: whole ones as in `comments`, in any order. `None` in a view in
    /// which pinned ones do not come first.
    pub pinned_threads: Option<&'a [Comment]>,
    /// The ids of the first comments of threads that have more answers than this view, and how many they have.
    pub answers: &'a [(u64, u64)],
    /// In a view of one thread, the id behind which the answers begin.
    pub thread_after: Option<u64>,
    /// The number of likes by comment id, without those that have none.
    pub likes: &'a [(u64, u64)],
    /// Whether the page has older comments or, in a view of one thread, the thread has newer ones.
    pub more: bool,
    /// The names of moderators, as [`namesake`](namesake::namesake) writes them.
    pub moderators: &'a [String],
    /// Whether nobody may write any more.
    pub is_closed: bool,
    /// The error message of a refused post.
    pub note: Option<&'a str>,
    /// What the name field contains.
    pub name: &'a str,
    /// What the text field contains: the text of a refused post, so that it is not lost.
    pub draft: &'a str,
}

/// The document before and after the value of the form's hidden nonce. The caller inserts a new nonce of 22 URL-safe characters for
/// each response, so that the rest can be cached; nothing if there is no form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// From the start of the document to the opening quote of the nonce.
    pub head: String,
    /// From the closing quote of the nonce to the end of the document.
    pub tail: String,
    /// Whether a nonce belongs between them.
    pub has_form: bool,
}

/// Renders a view as a document.
pub fn render(view: &View) -> Rendered {
    let mut head = String::with_capacity(2_048);
    open_document(&mut head, view);
    let mut tail = String::with_capacity(1_024 + view.comments.len() * 1_024);
    if view.is_closed {
        push_closed(&mut tail, view);
    } else {
        open_form(&mut head, view);
        close_form(&mut tail, view);
    }
    push_thread(&mut tail, view);
    close_document(&mut tail, view);
    Rendered { head, tail, has_form: !view.is_closed }
}

fn open_document(out: &mut String, view: &View) {
    let title = Escaped(view.title);
    let base = Escaped(view.base);
    let page = Escaped(view.page);
    let encoded = query::encode(view.page);
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
             <link rel=\"modulepreload\" href=\"{base}{PRELOADED}\" fetchpriority=\"low\">\n\
             <link rel=\"alternate\" type=\"application/atom+xml\" title=\"{title}: {page}\" href=\"{base}/feed.atom?page={encoded}\">\n\
             <link rel=\"alternate\" type=\"application/atom+xml\" title=\"{title}\" href=\"{base}/feed.atom\">\n</head>\n<body class=\"page\">\n<main>\n\
             <sayso-comments page=\"{page}\" heading=\"{title}\" level=\"1\" data-log=\"{log}\" data-mark=\"{mark}\" \
             data-seq=\"{seq}\" data-count=\"{count}\">\n<section class=\"sayso\">\n<header class=\"head\"><h1 class=\"title\">{title}</h1>\
             <span class=\"count\">{count}</span></header>\n",
            log = Escaped(view.log),
            mark = Escaped(view.mark),
            seq = view.seq,
            count = view.count,
        ),
    );
}

fn open_form(out: &mut String, view: &View) {
    let (base, page) = (Escaped(view.base), Escaped(view.page));
    put(
        out,
        format_args!(
            "<form class=\"composer\" method=\"post\" action=\"{base}/api/comments\">\
             <input type=\"hidden\" name=\"page\" value=\"{page}\"><input type=\"hidden\" name=\"nonce\" value=\""
        ),
    );
}

fn close_form(out: &mut String, view: &View) {
    // HTML parsers drop one line feed after `<textarea>`. An extra one saves a line feed at the start of the draft.
    put(
        out,
        format_args!(
            "\"><input name=\"website\" hidden tabindex=\"-1\" autocomplete=\"off\" aria-label=\"Leave this empty\">\n\
             <div class=\"field\"><textarea class=\"input\" name=\"content\" rows=\"2\" required dir=\"auto\" \
             maxlength=\"{CONTENT_UNITS_MAX}\" placeholder=\"Say something…\" aria-label=\"Comment\">\n{}</textarea>\n\
             <div class=\"bar\"><input class=\"who\" name=\"name\" value=\"{}\" maxlength=\"{NAME_UNITS_MAX}\" \
             placeholder=\"Name (optional)\" aria-label=\"Name (optional)\" autocomplete=\"nickname\" dir=\"auto\">\
             <span class=\"aide\">Markdown</span><button class=\"send\">Send</button></div></div>\n",
            Escaped(view.draft),
            Escaped(view.name),
        ),
    );
    if let Some(note) = view.note {
        put(out, format_args!("<p class=\"error\" role=\"alert\">{}</p>\n", Escaped(note)));
    }
    out.push_str("</form>\n");
}

/// Says in the place of the form that there is none. What was typed when the conversation closed stays there to be copied.
fn push_closed(out: &mut String, view: &View) {
    out.push_str("<form class=\"composer\"><p class=\"closed\">This conversation is closed.</p>\n");
    if !view.draft.is_empty() {
        put(
            out,
            format_args!(
                "<div class=\"field\"><textarea class=\"input\" name=\"content\" rows=\"2\" readonly dir=\"auto\" \
                 aria-label=\"Comment\">\n{}</textarea></div>\n",
                Escaped(view.draft)
            ),
        );
    }
    out.push_str("</form>\n");
}

fn close_document(out: &mut String, view: &View) {
    let base = Escaped(view.base);
    let page = query::encode(view.page);
    let firsts = view.comments.iter().filter(|comment| comment.parent.is_none());
    if view.thread_after.is_some() {
        put(
            out,
            format_args!("\n<a class=\"older\" href=\"{base}/?page={page}\">All comments</a>"),
        );
    } else if let (true, Some(oldest)) = (view.more, firsts.map(|comment| comment.id).min()) {
        put(
            out,
            format_args!(
                "\n<a class=\"older\" href=\"{base}/?page={page}&amp;before={oldest}\">Older comments</a>"
            ),
        );
    }
    put(
        out,
        format_args!(
            "\n<footer class=\"foot\"><a class=\"brand\" href=\"{base}/demo\">sayso</a></footer>\n</section>\n</sayso-comments>\n</main>\n</body>\n</html>\n"
        ),
    );
}

fn put(out: &mut String, text: std::fmt::Arguments) {
    out.write_fmt(text).expect("writing to a string never fails");
}

#[cfg(test)]
mod tests;
