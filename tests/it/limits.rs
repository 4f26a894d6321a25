//! The table of limits in `src/web/README.md` is made from the constants: whoever changes one is shown the new table.

use std::{fs, path::Path};

/// What is limited, where its constant stands, what it counts, and what happens beyond it.
const ROWS: [(&str, &str, &str, &str); 133] = [
    ("text of a comment", "limits.rs CONTENT_BYTES_MAX", "bytes", "413"),
    ("name", "limits.rs NAME_CHARS_MAX", "characters", "400"),
    ("page", "limits.rs PAGE_BYTES_MAX", "bytes", "400"),
    ("key, at least", "limits.rs KEY_BYTES_MIN", "bytes", "400"),
    ("key", "limits.rs KEY_BYTES_MAX", "bytes", "400"),
    ("nonce, at least", "limits.rs NONCE_BYTES_MIN", "bytes", "400"),
    ("nonce", "limits.rs NONCE_BYTES_MAX", "bytes", "400"),
    ("HTML of a comment", "limits.rs HTML_BYTES_MAX", "bytes", "shown as plain text"),
    ("HTML of a comment, nested", "limits.rs HTML_DEPTH_MAX", "elements", "shown as plain text"),
    ("message or body", "limits.rs MESSAGE_BYTES_MAX", "bytes", "413, close 1009"),
    ("head of a request", "http/request.rs HEAD_BYTES_MAX", "bytes", "431"),
    ("headers of a request", "http/request.rs HEADERS_MAX", "headers", "431"),
    ("time for the head", "http/stream.rs HEAD_DEADLINE", "s", "408"),
    ("time for the body", "http/stream.rs BODY_DEADLINE", "s", "408"),
    ("idle time between two requests", "http/stream.rs KEEP_ALIVE_IDLE", "s", "closed"),
    ("time for the client to take a response", "http/stream.rs WRITE_DEADLINE", "s", "closed"),
    ("bytes discarded after a refusal", "http/stream.rs DISCARD_BYTES_MAX", "bytes", "closed"),
    ("time to discard them", "http/stream.rs DISCARD_DEADLINE", "s", "closed"),
    (
        "time for the head over the limit of connections",
        "net/connection.rs REFUSED_HEAD_DEADLINE",
        "s",
        "503",
    ),
    ("requests handled at once", "http/upstream.rs EXCHANGES_MAX", "requests", "waits, then 503"),
    ("time to make a response", "http/upstream.rs EXCHANGE_DEADLINE", "s", "503"),
    ("comments of one history", "limits.rs HISTORY_LINES_MAX", "lines", "400"),
    ("threads of one history", "limits.rs THREADS_MAX", "threads", "400, or the next history"),
    (
        "answers of a longer thread that a history of threads has, oldest",
        "limits.rs FIRST_ANSWERS",
        "answers",
        "`answers`, `thread=`",
    ),
    ("the same, newest", "limits.rs NEWEST_ANSWERS", "answers", "`answers`, `thread=`"),
    ("newest comments of one answer", "web/newest.rs NEWEST_MAX", "comments", "400"),
    (
        "comments that are searched for the newest of one page, or of pages whose names begin alike",
        "store/index/newest.rs NEWEST_SEARCHED_MAX",
        "comments",
        "not among them",
    ),
    ("length of a feed", "web/feed.rs FEED_BYTES_MAX", "bytes", "without its oldest comments"),
    ("lines of a resume", "limits.rs RESUME_LINES_MAX", "lines", "`resumed:false`"),
    ("bytes of a resume", "limits.rs RESUME_BYTES_MAX", "bytes", "`resumed:false`"),
    ("starts whose cursors are known", "log/runs.rs RUNS_MAX", "starts", "`resumed:false`, 409"),
    ("pages counted by one socket", "limits.rs COUNTED_PAGES_MAX", "pages", "400"),
    (
        "pages with nothing but deleted comments too, for each of `--max-pages`",
        "hub/posts.rs PAGES_PER_LIVE_PAGE_MAX",
        "pages",
        "503",
    ),
    ("messages other than posts", "ws/reader.rs FRAMES_A_SECOND_MAX", "a second", "an error"),
    (
        "messages in a row that are malformed, too fast or without proof",
        "ws/reader.rs REFUSED_IN_A_ROW_MAX",
        "messages",
        "close 1008",
    ),
    ("time for a WebSocket message", "ws/stream.rs MESSAGE_DEADLINE", "s", "close 1008"),
    ("silence of a WebSocket client", "ws/mod.rs SILENCE_MAX", "s", "closed"),
    ("outbox of a slow reader", "fanout/outbox.rs OUTBOX_BYTES_MAX", "bytes", "close 1013"),
    ("all outboxes together", "fanout/outbox.rs OUTBOXES_BYTES_MAX", "bytes", "close 1013"),
    ("time to take the close frame", "fanout/mod.rs CLOSE_TIMEOUT", "s", "closed"),
    ("likes of a comment", "store/likes.rs LIKES_A_COMMENT_MAX", "likes", "409"),
    (
        "comments searched for the name of who types",
        "hub/typing.rs NAME_SEARCHED_MAX",
        "comments",
        "`Someone`",
    ),
    ("likes in all", "store/likes.rs LIKES_MAX", "likes", "409"),
    ("likes for each post that `--rate` allows", "hub/likes.rs LIKES_PER_POST", "likes", "429"),
    ("previews of one address", "web/preview.rs PREVIEWS_MAX", "a minute", "429"),
    (
        "writes of one address that change nothing",
        "hub/rate_limit.rs REFUSED_MAX",
        "a minute",
        "429",
    ),
    ("moderators", "hub/moderators.rs MODERATORS_MAX", "moderators", "wrong usage"),
    ("moderator's name", "hub/moderators.rs NAME_CHARS_MAX", "characters", "wrong usage"),
    ("moderator's token, at least", "hub/moderators.rs TOKEN_BYTES_MIN", "bytes", "wrong usage"),
    ("token file", "cli/token_file.rs TOKEN_FILE_BYTES_MAX", "bytes", "the start fails"),
    ("user that a host page signs", "hub/sign_on.rs USER_BYTES_MAX", "bytes", "400"),
    ("its id", "hub/sign_on.rs USER_ID_BYTES_MAX", "bytes", "400"),
    ("time for which it is signed", "hub/sign_on.rs USER_AHEAD_MAX", "s", "400"),
    ("secret to sign users, at least", "hub/sign_on.rs SECRET_BYTES_MIN", "bytes", "wrong usage"),
    ("the same", "hub/sign_on.rs SECRET_BYTES_MAX", "bytes", "wrong usage"),
    ("secrets in a `--sign-on-file`", "hub/sign_on.rs SECRETS_MAX", "secrets", "wrong usage"),
    ("such a file", "cli/sign_on_file.rs SIGN_ON_FILE_BYTES_MAX", "bytes", "the start fails"),
    ("wrong tokens of one address", "hub/moderators.rs GUESSES_MAX", "a minute", "429"),
    (
        "addresses whose wrong tokens are counted",
        "hub/moderators.rs GUESSERS_MAX",
        "addresses",
        "the oldest are forgotten",
    ),
    (
        "time for which a right token exempts its address from that",
        "hub/moderators.rs KNOWN_GOOD",
        "s",
        "counted again",
    ),
    (
        "addresses that are exempt",
        "hub/moderators.rs KNOWN_GOOD_MAX",
        "addresses",
        "the oldest are forgotten",
    ),
    ("reason that a moderator tells an author", "limits.rs REASON_CHARS_MAX", "characters", "400"),
    ("moderators' note about an author", "limits.rs AUTHOR_NOTE_CHARS_MAX", "characters", "400"),
    ("what moderators look for", "limits.rs SEARCH_CHARS_MAX", "characters", "400"),
    ("ban that ends", "limits.rs BAN_SECONDS_MAX", "s", "400"),
    ("pages of one answer to moderators", "web/admin.rs PAGES_MAX", "pages", "400"),
    ("lines that one search reads", "web/admin/search.rs SEARCHED_BYTES_MAX", "bytes", "`more`"),
    ("time of one search", "web/admin/search.rs SEARCH_TIMEOUT", "s", "`more`"),
    (
        "lines of one answer to a search",
        "web/admin/comments.rs ANSWER_BYTES_MAX",
        "bytes",
        "`more`",
    ),
    (
        "comments that a search asks the hub to look at at once",
        "hub/find.rs SEARCHED_MAX",
        "comments",
        "the next step",
    ),
    ("searches at once", "web/admin/search.rs SEARCHES_MAX", "searches", "503"),
    (
        "requests for one's own comments, of one address and for one author",
        "web/mine.rs MINE_MAX",
        "in 600 s",
        "429",
    ),
    (
        "one's own comments that one request deletes",
        "web/mine.rs DELETED_MAX",
        "comments",
        "`more`",
    ),
    (
        "comments that an import adds in one step",
        "hub/imports.rs IMPORTED_AT_ONCE_MAX",
        "comments",
        "the next step",
    ),
    ("time for a moderator's token on a WebSocket", "ws/admin.rs TOKEN_TIMEOUT", "s", "close 1008"),
    ("flags of a comment", "store/moderation/mod.rs FLAGS_A_COMMENT_MAX", "flags", "409"),
    ("flags in all", "store/moderation/mod.rs FLAGS_MAX", "flags", "409"),
    (
        "addresses whose flags are remembered, by comment",
        "hub/moderation.rs FLAGGED_FROM_MAX",
        "addresses",
        "all are forgotten",
    ),
    ("pinned comments of a page", "store/moderation/mod.rs PINS_A_PAGE_MAX", "comments", "409"),
    ("bans", "store/moderation/mod.rs BANS_MAX", "bans", "409"),
    (
        "comments that a ban hides in one step",
        "hub/bans.rs HIDDEN_AT_ONCE_MAX",
        "comments",
        "the next step",
    ),
    (
        "newest comments of a run whose address can be banned",
        "hub/addresses.rs ADDRESSES_KNOWN_MAX",
        "comments",
        "409",
    ),
    (
        "authors about whom moderators have a note",
        "store/moderation/mod.rs AUTHOR_NOTES_MAX",
        "authors",
        "409",
    ),
    ("pages that were closed or opened", "store/moderation/mod.rs PAGE_STATES_MAX", "pages", "409"),
    (
        "reasons that an author is told who comes back",
        "store/moderation/mod.rs REASONS_AN_AUTHOR_MAX",
        "reasons",
        "the newest are told",
    ),
    (
        "comments of a page among which those that wait are counted",
        "hub/moderation.rs COUNTED_MAX",
        "comments",
        "not counted",
    ),
    (
        "keys that WebSockets of one address show",
        "hub/rate_limit.rs KEYS_MAX",
        "a minute",
        "an error",
    ),
    (
        "rate limits kept, by address and author",
        "hub/rate_limit.rs BUCKETS_MAX",
        "buckets",
        "the oldest are forgotten",
    ),
    (
        "time until the same text may be posted again",
        "hub/rate_limit.rs DUPLICATE_WINDOW",
        "s",
        "409",
    ),
    (
        "length from which a text counts as the same",
        "hub/rate_limit.rs DUPLICATE_BYTES_MIN",
        "bytes",
        "409",
    ),
    (
        "time between showing and sending a form, at least",
        "web/form.rs FILLED_IN_SECONDS_MIN",
        "s",
        "429",
    ),
    (
        "proof of work that `--challenge` may ask for",
        "limits.rs CHALLENGE_BITS_MAX",
        "bits",
        "wrong usage",
    ),
    (
        "length of a `--block-file`",
        "comment/block_list.rs BLOCK_FILE_BYTES_MAX",
        "bytes",
        "wrong usage",
    ),
    ("phrases in it", "comment/block_list.rs BLOCK_PHRASES_MAX", "phrases", "wrong usage"),
    (
        "words of one of them",
        "comment/block_list.rs BLOCK_PHRASE_WORDS_MAX",
        "words",
        "wrong usage",
    ),
    (
        "expressions in it",
        "comment/block_list.rs BLOCK_EXPRESSIONS_MAX",
        "expressions",
        "wrong usage",
    ),
    (
        "one of them, compiled",
        "comment/block_list.rs BLOCK_EXPRESSION_BYTES_MAX",
        "bytes",
        "wrong usage",
    ),
    ("links that `--max-links` may allow", "cli/values.rs LINKS_MAX", "links", "wrong usage"),
    ("programs of `--notify`", "notify/program.rs PROGRAMS_MAX", "programs", "wrong usage"),
    (
        "time that one of them may take",
        "notify/child.rs RUN_TIMEOUT",
        "s",
        "killed, and tried again",
    ),
    ("the same while sayso stops", "notify/child.rs STOP_TIMEOUT", "s", "killed, and told again"),
    (
        "what it says when it fails, kept",
        "notify/child.rs COMPLAINT_BYTES_MAX",
        "bytes",
        "passed over",
    ),
    ("the same in the log", "notify/child.rs COMPLAINT_LINES_MAX", "lines", "passed over"),
    (
        "events in full of one digest",
        "notify/mod.rs DIGEST_EVENTS_MAX",
        "events",
        "counted in `more`",
    ),
    ("bytes of them", "notify/mod.rs DIGEST_BYTES_MAX", "bytes", "one more event, then `more`"),
    ("time between two digests, at least", "notify/mod.rs DIGEST_INTERVAL", "s", "waits"),
    ("links in a message that decide", "hub/link.rs LINK_SECONDS", "s", "expired"),
    ("one of them, behind `/m/`", "hub/link.rs LINK_BYTES_MAX", "bytes", "403"),
    (
        "writes that wait to be ordered, with `--redis`",
        "hub/ordering.rs WAITING_WRITES_MAX",
        "writes",
        "503",
    ),
    ("time for which one of them waits", "hub/ordering.rs WAITING_TIMEOUT", "s", "503"),
    (
        "time for which a reader that is ahead waits for its machine",
        "hub/ordering/early.rs CATCH_UP_TIMEOUT",
        "s",
        "loads anew",
    ),
    (
        "readers that wait so at once",
        "hub/ordering/early.rs EARLY_QUERIES_MAX",
        "readers",
        "load anew",
    ),
    ("connecting to Redis", "cluster/client.rs CONNECT_TIMEOUT", "s", "another try"),
    (
        "silence of Redis when it is asked",
        "cluster/client.rs REPLY_TIMEOUT",
        "s",
        "another connection",
    ),
    ("lines read from Redis at once", "cluster/client.rs ENTRIES_MAX", "lines", "the next reading"),
    (
        "lines brought back to Redis at once",
        "cluster/node.rs HEALED_LINES_MAX",
        "lines",
        "the next call",
    ),
    (
        "newest lines that a compaction leaves as they are, with `--redis`",
        "store/compact.rs NEWEST_LINES_KEPT",
        "lines",
        "compacted",
    ),
    ("`--redis-name`", "cli/config/cluster.rs NAME_BYTES_MAX", "bytes", "sayso does not start"),
    ("`--redis-keep`", "cli/config/cluster.rs KEEP_MAX", "lines", "sayso does not start"),
    (
        "lines with a wrong hash that `sayso check` names",
        "log/chained/check.rs BREAKS_MAX",
        "lines",
        "not named",
    ),
    (
        "machines whose readers are counted, with `--redis`",
        "cluster/presence/elsewhere.rs NODES_MAX",
        "machines",
        "not counted",
    ),
    (
        "pages with readers that one of them tells of",
        "cluster/presence/elsewhere.rs NODE_PAGES_MAX",
        "pages",
        "counted where they are",
    ),
    (
        "the same of all of them",
        "cluster/presence/elsewhere.rs ELSEWHERE_PAGES_MAX",
        "pages",
        "counted where they are",
    ),
    (
        "time for which such a number holds",
        "cluster/presence/elsewhere.rs SILENCE_MAX",
        "s",
        "forgotten",
    ),
    (
        "numbers taken over in one second",
        "cluster/presence/elsewhere.rs PRESENCE_PAGES_MAX",
        "pages",
        "a second later",
    ),
    (
        "pages on which somebody types, in one second",
        "cluster/presence/elsewhere.rs TYPING_PAGES_MAX",
        "pages",
        "announced where it is",
    ),
    (
        "readers of a page on one machine",
        "cluster/presence/message.rs PAGE_READERS_MAX",
        "readers",
        "not counted elsewhere",
    ),
    (
        "message about readers between machines",
        "cluster/presence/message.rs PRESENCE_MESSAGE_BYTES_MAX",
        "bytes",
        "another message",
    ),
    ("line of the log", "limits.rs LINE_BYTES_MAX", "bytes", "never reached"),
    ("commands of one batch", "hub/batch.rs BATCH_COMMANDS_MAX", "commands", "the next batch"),
    (
        "commands that wait for the hub",
        "hub/command.rs INBOX_COMMANDS_MAX",
        "commands",
        "the sender waits",
    ),
    (
        "sockets that systemd passes",
        "cli/systemd.rs PASSED_SOCKETS_MAX",
        "sockets",
        "sayso does not start",
    ),
    ("time to stop", "cli/serve.rs STOP_DEADLINE", "s", "the process exits"),
];
const BEGIN: &str = "<!-- limits: made by tests/it/limits.rs -->\n";

/// The value of `const NAME: … = VALUE;`: a product of numbers, or a `Duration` of them, in seconds.
fn constant(place: &str) -> String {
    let (file, name) = place.split_once(' ').unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let source = fs::read_to_string(&path).unwrap();
    let (_, rest) = source.split_once(&format!("const {name}: ")).expect(place);
    let (_, rest) = rest.split_once(" = ").expect(place);
    let value = rest.split(';').next().unwrap().trim();
    let (number, per) = match value.strip_prefix("Duration::from_") {
        Some(time) => {
            let (unit, number) = time.strip_suffix(')').unwrap().split_once('(').unwrap();
            (number, if unit == "millis" { 1_000.0 } else { 1.0 })
        }
        None => (value, 1.0),
    };
    let factor = |text: &str| text.replace('_', "").parse::<f64>().expect(place);
    (number.split(" * ").map(factor).product::<f64>() / per).to_string()
}

/// `65536` → `65,536`.
fn grouped(number: &str) -> String {
    let (whole, rest) =
        number.split_once('.').map_or((number, ""), |(whole, _)| (whole, &number[whole.len()..]));
    let digits: Vec<char> = whole.chars().collect();
    let groups: Vec<String> = digits.rchunks(3).rev().map(|group| group.iter().collect()).collect();
    groups.join(",") + rest
}

#[test]
fn the_table_of_limits_is_that_of_the_constants() {
    let rows: String = ROWS
        .iter()
        .map(|(what, place, unit, beyond)| {
            format!("| {what} | {} {unit} | {beyond} |\n", grouped(&constant(place)))
        })
        .collect();
    let table = format!("{BEGIN}| what | at most | beyond it |\n|---|---|---|\n{rows}");
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/README.md");
    assert!(
        fs::read_to_string(readme).unwrap().ends_with(&table),
        "src/web/README.md must end with the table of limits:\n{table}"
    );
}

#[test]
fn numbers_are_written_in_groups_of_three() {
    for (number, written) in [
        ("1", "1"),
        ("512", "512"),
        ("1000", "1,000"),
        ("65536", "65,536"),
        ("4.5", "4.5"),
        ("10000000", "10,000,000"),
    ] {
        assert_eq!(grouped(number), written);
    }
}
