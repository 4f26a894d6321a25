//! Renders whole documents and looks for what they must and must not contain.

use super::article::split_time;
use super::avatar::avatar;
use super::thread::DEPTH_MAX;
use super::*;
use crate::comment::Status;

const HOSTILE: &str = "</textarea></script>\"'><img src=x onerror=alert(1)>&amp;";

fn view<'a>(comments: &'a [Comment]) -> View<'a> {
    View {
        title: "Comments",
        page: "/",
        base: "",
        log: "9c41f0aa53d7e6b2",
        mark: "5d0c1a7e03bb42f9",
        seq: 9,
        count: comments.len() as u64,
        comments,
        pinned_threads: Some(&[]),
        moderators: &[],
        is_closed: false,
        likes: &[],
        answers: &[],
        thread_after: None,
        more: false,
        note: None,
        name: "",
        draft: "",
    }
}

fn comment(id: u64, parent: Option<u64>) -> Comment {
    Comment {
        seq: id,
        id,
        page: "/".into(),
        parent,
        name: Some(format!("name{id}")),
        content: format!("text{id}"),
        created_at: "2026-11-22T05:08:00.001Z".into(),
        ..Comment::default()
    }
}

fn whole(view: &View) -> String {
    let Rendered { head, tail, has_form } = render(view);
    let nonce = if has_form { "NONCE" } else { "" };
    format!("{head}{nonce}{tail}")
}

fn at(html: &str, needle: &str) -> usize {
    html.find(needle).unwrap_or_else(|| panic!("{needle} is not in {html}"))
}

#[test]
fn the_nonce_is_inserted_between_head_and_tail() {
    let html = whole(&view(&[]));
    assert!(html.contains("<input type=\"hidden\" name=\"nonce\" value=\"NONCE\">"), "{html}");
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert!(html.ends_with("</html>\n"));
}

#[test]
fn likes_are_shown_with_the_comments_that_have_any() {
    let comments = [comment(1, None), comment(2, None), comment(3, None)];
    let html = whole(&View { likes: &[(1, 6), (3, 1)], ..view(&comments) });
    assert!(at(&html, "♥ 1") < at(&html, "text2") && at(&html, "text1") < at(&html, "♥ 6"));
    assert!(html.contains("aria-label=\"6 likes\"") && html.contains("aria-label=\"1 like\""));
    assert_eq!(html.matches('♥').count(), 2);
}

#[test]
fn hostile_text_in_every_field_stays_text() {
    let bad = Comment {
        page: HOSTILE.into(),
        name: Some(HOSTILE.into()),
        author: Some(HOSTILE.into()),
        content: HOSTILE.into(),
        created_at: HOSTILE.into(),
        edited_at: Some(HOSTILE.into()),
        nonce: Some(HOSTILE.into()),
        ..comment(1, None)
    };
    let gone = Comment { deleted: true, ..Comment { id: 2, ..bad.clone() } };
    let answer = Comment { id: 3, parent: Some(2), ..bad.clone() };
    let html = whole(&View {
        title: HOSTILE,
        page: HOSTILE,
        base: HOSTILE,
        log: HOSTILE,
        mark: HOSTILE,
        note: Some(HOSTILE),
        name: HOSTILE,
        draft: HOSTILE,
        more: true,
        ..view(&[bad, gone, answer])
    });
    assert!(!html.contains("<img"), "{html}");
    assert_eq!(html.matches("</textarea>").count(), 1);
    assert_eq!(html.matches("</script>").count(), 1);
    assert!(html.contains("?page=%3C%2Ftextarea%3E%3C%2Fscript%3E%22%27%3E%3Cimg%20src%3Dx"));
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;&amp;amp;"));
}

#[test]
fn there_is_no_inline_style_and_no_inline_script() {
    let comments = [Comment { author: Some("q83vEjRWeJCrze8SNFZ4kA".into()), ..comment(1, None) }];
    let html = whole(&view(&comments));
    assert!(!html.contains("style=") && !html.contains("<style"), "{html}");
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("<script type=\"module\" src=\"/embed.js\"></script>"));
}

#[test]
fn every_url_is_below_the_base_path() {
    let comments = [comment(7, None)];
    let html = whole(&View { base: "/talk", page: "a b&c", more: true, ..view(&comments) });
    for part in [
        "href=\"/talk/embed.css\"",
        "src=\"/talk/embed.js\"",
        "action=\"/talk/api/comments\"",
        "href=\"/talk/?page=a%20b%26c&amp;before=7\"",
    ] {
        at(&html, part);
    }
}

#[test]
fn the_newest_thread_is_first_and_replies_follow_in_their_order() {
    let html = whole(&view(&[
        comment(1, None),
        comment(2, Some(1)),
        comment(3, None),
        comment(4, Some(1)),
    ]));
    let positions = ["text3", "text1", "text2", "text4"].map(|text| at(&html, text));
    assert!(positions.is_sorted(), "{positions:?}");
    assert_eq!(html.matches("<ol class=\"answers\"").count(), 1);
}

#[test]
fn replies_deeper_than_four_levels_stay_at_the_fourth_and_name_their_parent() {
    let chain: Vec<Comment> = (1..=40).map(|id| comment(id, (id > 1).then(|| id - 1))).collect();
    let html = whole(&view(&chain));
    assert_eq!(html.matches("<ol class=\"answers\"").count(), DEPTH_MAX);
    assert_eq!(html.matches("class=\"to\"").count(), 40 - 1 - DEPTH_MAX);
    at(&html, "<a class=\"to\" href=\"#sayso-39\">to <bdi>name39</bdi></a>");
    assert_eq!(
        html.matches("class=\"near-to\"").count(),
        DEPTH_MAX - 2,
        "those that a phone does not indent"
    );
    at(&html, "<a class=\"near-to\" href=\"#sayso-4\">to <bdi>name4</bdi></a>");
    assert!(
        (1..40).all(|id| at(&html, &format!("text{id}<")) < at(&html, &format!("text{}<", id + 1)))
    );
}

#[test]
fn a_reply_to_a_comment_outside_the_view_is_shown_at_the_top_level_with_a_link() {
    let html = whole(&view(&[comment(9, Some(2))]));
    at(&html, "<a class=\"to\" href=\"#sayso-2\">to <bdi>an older comment</bdi></a>");
}

#[test]
fn what_is_left_out_of_a_thread_has_a_link_and_what_answers_it_stands_below_the_first_comment() {
    let mut comments = vec![comment(1, None)];
    comments.extend([2, 3, 4].map(|id| comment(id, Some(1))));
    // Its parent, 17, is left out.
    comments.extend([comment(20, Some(17)), comment(21, Some(1)), comment(30, None)]);
    let answers = [(1, 19)];
    let some = View { page: "a b", base: "/talk", answers: &answers, ..view(&comments) };
    let html = whole(&some);
    let gap = at(
        &html,
        "<li class=\"gap\"><a href=\"/talk/?page=a%20b&amp;thread=1#sayso-4\">14 more answers</a></li>",
    );
    assert!(at(&html, "text4") < gap && gap < at(&html, "text20"));
    at(&html, "<a class=\"to\" href=\"#sayso-17\">to <bdi>an older comment</bdi></a>");
    assert_eq!(html.matches("<ol class=\"answers\"").count(), 1, "{html}");
    // A view of the thread alone, which goes on.
    let some = View { comments: &comments[..6], ..some };
    let html = whole(&View { thread_after: Some(0), more: true, ..some });
    let gap = at(&html, "&amp;thread=1&amp;after=21\">14 more answers</a></li>");
    assert!(at(&html, "text21") < gap);
    at(&html, "<a class=\"older\" href=\"/talk/?page=a%20b\">All comments</a>");
    let html = whole(&View { thread_after: Some(9), more: true, ..some });
    at(&html, "&amp;thread=1&amp;after=21\">More answers</a></li>");
}

#[test]
fn a_comment_whose_parent_is_itself_or_newer_is_shown_once() {
    let html = whole(&view(&[comment(1, Some(2)), comment(2, Some(1)), comment(3, Some(3))]));
    for id in 1..=3 {
        assert_eq!(html.matches(&format!("text{id}<")).count(), 1, "{html}");
    }
}

#[test]
fn a_deleted_comment_is_shown_only_above_a_reply() {
    let mut parent = comment(1, None);
    let mut between = comment(2, Some(1));
    let mut alone = comment(4, None);
    for comment in [&mut parent, &mut between, &mut alone] {
        comment.make_tombstone();
    }
    parent.edited_at = Some("2026-11-22T06:09:00.001Z".into());
    let html = whole(&view(&[parent.clone(), between.clone(), comment(3, Some(2)), alone.clone()]));
    assert_eq!(html.matches(">Deleted").count(), 2, "{html}");
    assert!(
        at(&html, ">Deleted <a") < at(&html, "22 Nov 2026, 06:09 UTC"),
        "the time of its deletion"
    );
    at(&html, ">Deleted</p>");
    assert!(!html.contains("sayso-4"));
    let html = whole(&view(&[parent, between, alone]));
    at(&html, "No comments yet");
}

#[test]
fn a_comment_that_is_not_public_is_not_shown() {
    let pending = Comment { status: Status::Pending, ..comment(1, None) };
    let hidden = Comment { status: Status::Hidden, ..comment(2, None) };
    let like = Comment { kind: Some("like".into()), ..comment(3, None) };
    let html = whole(&view(&[pending, hidden, like]));
    assert!((1..=3).all(|id| !html.contains(&format!("text{id}"))), "{html}");
}

#[test]
fn rendered_html_is_inserted_as_it_is_and_plain_text_is_escaped() {
    let rich = Comment {
        html: Some("<p>a <em>b</em></p>".into()),
        content: "a *b*".into(),
        ..comment(1, None)
    };
    let plain = Comment { content: "1 < 2\n& so".into(), ..comment(2, None) };
    let html = whole(&view(&[rich, plain]));
    at(&html, "<div class=\"text\" dir=\"auto\"><p>a <em>b</em></p></div>");
    at(
        &html,
        "<article class=\"comment\" aria-label=\"Comment by name1, 22 Nov 2026, 05:08 UTC\">",
    );
    at(&html, "<div class=\"text plain\" dir=\"auto\">1 &lt; 2\n&amp; so</div>");
}

#[test]
fn a_refused_post_keeps_its_text_and_shows_the_error() {
    let html =
        whole(&View { note: Some("content is empty"), name: "Ada", draft: "\n two", ..view(&[]) });
    at(&html, "<p class=\"error\" role=\"alert\">content is empty</p>");
    at(&html, "aria-label=\"Comment\">\n\n two</textarea>");
    at(&html, "name=\"name\" value=\"Ada\"");
}

#[test]
fn a_time_is_a_permalink_and_shows_a_date() {
    let html = whole(&view(&[comment(17, None)]));
    at(
        &html,
        "<a class=\"when\" href=\"#sayso-17\"><time datetime=\"2026-11-22T05:08:00.001Z\">22 Nov 2026, 05:08 UTC</time></a>",
    );
    for odd in [
        "",
        "T",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-22Tä5:08",
        "2026-11-22T<b>ab",
    ] {
        assert_eq!(split_time(odd), None, "{odd}");
    }
}

#[test]
fn an_avatar_depends_on_the_author_alone() {
    let draw = |author| {
        let mut out = String::new();
        avatar(&mut out, author, "");
        out
    };
    let (one, two) = (draw(Some("q83vEjRWeJCrze8SNFZ4kA")), draw(Some("q83vEjRWeJCrze8SNFZ4kB")));
    assert_eq!(one, draw(Some("q83vEjRWeJCrze8SNFZ4kA")));
    assert_ne!(one, two);
    assert_ne!(one, draw(None));
}

#[test]
fn lists_and_quotes_have_their_own_direction_and_code_is_read_from_the_left() {
    let rich = Comment {
        html: Some(
            "<p>a &lt;ul&gt; <code>b</code></p><ol start=\"3\"><li>c</li></ol><pre><code>d</code></pre><blockquote><p>e</p></blockquote>".into(),
        ),
        ..comment(1, None)
    };
    at(
        &whole(&view(&[rich])),
        "<div class=\"text\" dir=\"auto\"><p>a &lt;ul&gt; <code dir=\"ltr\">b</code></p><ol dir=\"auto\" start=\"3\"><li>c</li></ol>\
         <pre dir=\"ltr\"><code dir=\"ltr\">d</code></pre><blockquote dir=\"auto\"><p>e</p></blockquote></div>",
    );
}

#[test]
fn pinned_threads_come_first_and_are_not_what_older_comments_begin_at() {
    let pinned = |id, parent| Comment { pinned: true, ..comment(id, parent) };
    let comments =
        [comment(11, None), comment(12, Some(11)), pinned(13, Some(11)), comment(20, None)];
    let brought = [pinned(3, None), comment(4, Some(3))];
    let first = View { pinned_threads: Some(&brought), more: true, page: "a", ..view(&comments) };
    let html = whole(&first);
    let order = ["text11<", "text12<", "text13<", "text3<", "text4<", "text20<"];
    let positions = order.map(|text| at(&html, text));
    assert!(positions.is_sorted(), "{positions:?}");
    assert_eq!(html.matches("<span class=\"mark pinned\">Pinned</span>").count(), 2);
    at(&html, "&amp;before=11\">Older comments");
    // Where they are among older ones, they stay at their place.
    let html = whole(&View { pinned_threads: None, ..first });
    assert!(at(&html, "text20<") < at(&html, "text11<"), "{html}");
    assert_eq!(html.matches("<span class=\"mark pinned\">Pinned</span>").count(), 1);
}

#[test]
fn a_pinned_comment_that_is_gone_pins_nothing() {
    let mut gone = Comment { pinned: true, ..comment(1, None) };
    gone.deleted = true;
    let html = whole(&view(&[gone, comment(2, Some(1)), comment(3, None)]));
    assert!(at(&html, "text3<") < at(&html, "text2<") && !html.contains("Pinned"), "{html}");
}

#[test]
fn what_the_site_wrote_is_marked_and_a_moderators_name_is_not_lent() {
    let author = || Some("q83vEjRWeJCrze8SNFZ4kA".to_owned());
    let by =
        |id, name: &str, author| Comment { name: Some(name.into()), author, ..comment(id, None) };
    let site = Comment { moderator: Some("ada".into()), name: None, ..comment(1, None) };
    let comments =
        [site, by(2, "A\u{200b}da", author()), by(3, "adÁ", None), by(4, "Adam", author())];
    let names = ["ada".to_owned()];
    let html = whole(&View { moderators: &names, ..view(&comments) });
    at(&html, "<bdi class=\"name\">ada</bdi> <span class=\"mark author\">Author</span> <a");
    at(&html, "</bdi> <span class=\"alias\" dir=\"ltr\">#q83vEj</span> <a");
    at(
        &html,
        "<bdi class=\"name\">adÁ</bdi> <span class=\"alias\" dir=\"ltr\">Anonymous</span> <a",
    );
    at(&html, "<bdi class=\"name\">Adam</bdi> <a");
    assert_eq!(html.matches("class=\"alias\"").count(), 2, "{html}");
}

#[test]
fn what_a_moderator_edited_says_so() {
    let edited = Comment {
        edited_at: Some("2026-11-22T06:09:00.001Z".into()),
        mod_edited: true,
        ..comment(1, None)
    };
    let html = whole(&view(&[edited]));
    at(&html, "<span class=\"edited\">edited by a moderator</span>");
    assert_eq!(html.matches("edited").count(), 2, "{html}");
}

#[test]
fn a_closed_conversation_says_so_in_the_place_of_the_form() {
    let comments = [comment(1, None)];
    let closed = View { is_closed: true, ..view(&comments) };
    let html = whole(&closed);
    at(&html, "<p class=\"closed\">This conversation is closed.</p>");
    assert!(!html.contains("<textarea") && !html.contains("<button") && !html.contains("NONCE"));
    assert!(!whole(&View { comments: &[], ..closed }).contains("first word"));
    // What was typed when it closed can still be copied.
    let html = whole(&View { note: Some("it is closed"), draft: "half <a> thought", ..closed });
    at(&html, "readonly");
    at(&html, "half &lt;a&gt; thought</textarea>");
    assert!(!html.contains("it is closed"), "it is said once");
}
