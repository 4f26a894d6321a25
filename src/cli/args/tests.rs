//! Tests of `args.rs`.

use std::os::unix::ffi::OsStringExt;

use super::*;

fn none(_: &str) -> Option<OsString> {
    None
}

fn parse(line: &str) -> Result<ParsedArgs<'static>, Error> {
    ParsedArgs::parse(line.split_whitespace().map(OsString::from), &none)
}

fn error(line: &str) -> String {
    let Err(error) = parse(line) else { panic!("{line:?} is accepted") };
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

fn texts(values: Vec<Value>) -> Vec<String> {
    values.into_iter().map(|value| value.text.into_string().unwrap()).collect()
}

#[test]
fn every_subcommand_is_known_and_serve_is_the_default() {
    for name in SUBCOMMANDS {
        assert!(matches!(parse(name), Ok(ParsedArgs::Subcommand(parsed, _)) if parsed == name));
    }
    assert!(matches!(parse(""), Ok(ParsedArgs::Subcommand("serve", _))));
    assert!(matches!(parse("--data x check"), Ok(ParsedArgs::Subcommand("check", _))));
}

#[test]
fn help_and_version_are_recognised_at_any_position() {
    for line in ["--help", "-h", "serve --help", "check --data x -h", "--help --nonsense"] {
        assert!(matches!(parse(line), Ok(ParsedArgs::Help)), "{line}");
    }
    for line in ["--version", "-V", "check --version"] {
        assert!(matches!(parse(line), Ok(ParsedArgs::Version)), "{line}");
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_one_probably_meant() {
    for (line, advice) in [
        ("--listn 127.0.0.1:1", "unknown flag \"--listn\"; write --listen"),
        ("--max-page 7", "write --max-pages"),
        ("--max-conections=7", "write --max-connections"),
        ("--allow-origins x", "write --allow-origin"),
        ("--origin x", "write --allow-origin"),
        ("--port 80", "write --listen"),
        ("--verbose", "write --log-level"),
        ("--hepl", "write --help"),
        ("--nonsense-and-more", "see all"),
        ("-p 80", "--listen"),
        ("chek", "unexpected argument \"chek\"; write check"),
        ("repare", "write repair"),
        ("help", "write --help"),
        ("listen=127.0.0.1:1", "write --listen"),
        ("start-it-now-please", "the commands are serve, comments, approve, "),
        ("check data", "write sayso check --data data"),
        ("check repair", "write sayso check --data repair"),
        ("serve data", "flags only"),
    ] {
        let error = error(line);
        assert!(error.contains(advice), "{line}: {error}");
    }
}

#[test]
fn a_flag_missing_one_letter_or_with_two_swapped_is_suggested() {
    for (name, _) in FLAGS.into_iter().filter(|(name, _)| name.len() > 5) {
        for at in 1..name.len() {
            let missing = format!("{}{}", &name[..at], &name[at + 1..]);
            assert!(error(&format!("--{missing} x")).contains(&format!("--{name}")), "{missing}");
            let mut swapped = name.as_bytes().to_vec();
            swapped.swap(at - 1, at);
            let swapped = String::from_utf8(swapped).unwrap();
            let found =
                swapped == name || error(&format!("--{swapped}=x")).contains(&format!("--{name}"));
            assert!(found || swapped.starts_with('-'), "{swapped}");
        }
    }
}

#[test]
fn a_missing_or_empty_value_is_an_error() {
    assert!(error("--listen").contains("--listen has no value"));
    assert!(error("--listen --data x").contains("--listen has no value"));
    assert!(error("--listen=").contains("--listen has an empty value"));
    assert!(parse("--title=--x").is_ok(), "everything after = is the value");
    assert!(parse("--title -x").is_ok());
}

#[test]
fn a_flag_can_be_given_once_unless_it_is_repeatable() {
    for (name, form) in FLAGS.into_iter().filter(|(_, form)| *form != Form::Switch) {
        let is_repeatable = form == Form::Repeatable;
        assert_eq!(parse(&format!("--{name} x --{name}=x")).is_ok(), is_repeatable, "{name}");
    }
    assert!(error("--data x --data y").contains("--data is given twice"));
}

#[test]
fn a_switch_takes_no_value_and_is_given_once() {
    assert!(parse("--no-page --title x").is_ok());
    assert!(error("--no-page=yes").contains("--no-page takes no value; write --no-page"));
    assert!(error("--no-page yes").contains("unexpected argument \"yes\""));
    assert!(error("--no-page --no-page").contains("--no-page is given twice"));
}

#[test]
fn a_variable_that_is_none_of_a_flag_is_told_with_the_one_that_was_meant() {
    let told = |names: &[&str]| unknown_variables(names.iter().map(OsString::from));
    let all = FLAGS.map(|(name, _)| variable(name));
    assert_eq!(told(&all.each_ref().map(|name| &**name)), [""; 0]);
    assert_eq!(told(&["PATH", "sayso_rate", "SAYSOX"]), [""; 0]);
    for (name, advice) in [
        ("SAYSO_MAX_PAGE", "write SAYSO_MAX_PAGES"),
        ("SAYSO_PORT", "write SAYSO_LISTEN"),
        ("SAYSO_ADMIN_TOKEN", "write SAYSO_ADMIN_TOKEN_FILE"),
        ("SAYSO_HELP", "sayso --help lists"),
        ("SAYSO_", "sayso --help lists"),
    ] {
        let [warning] = &told(&[name])[..] else { panic!("{name}") };
        assert!(warning.starts_with(name) && warning.contains(advice), "{warning}");
    }
}

#[test]
fn a_flag_overrides_its_variable_and_an_empty_variable_counts_as_unset() {
    let env = |name: &str| match name {
        "SAYSO_MAX_PAGES" => Some("7".into()),
        "SAYSO_TITLE" => Some("".into()),
        "SAYSO_PAGE_PREFIX" => Some(" a/, ,b/,".into()),
        _ => None,
    };
    let line = |line: &'static str| line.split_whitespace().map(OsString::from);
    let Ok(ParsedArgs::Subcommand(_, args)) = ParsedArgs::parse(line(""), &env) else { panic!() };
    let pages = args.value("max-pages").unwrap();
    assert_eq!((pages.name.as_str(), pages.text.to_str()), ("SAYSO_MAX_PAGES", Some("7")));
    assert!(args.value("title").is_none());
    assert_eq!(texts(args.values("page-prefix")), ["a/", "b/"]);
    assert!(args.values("allow-origin").is_empty());

    let line = line("--max-pages 8 --page-prefix c,d --page-prefix e");
    let Ok(ParsedArgs::Subcommand(_, args)) = ParsedArgs::parse(line, &env) else { panic!() };
    let pages = args.value("max-pages").unwrap();
    assert_eq!((pages.name.as_str(), pages.text.to_str()), ("--max-pages", Some("8")));
    assert_eq!(texts(args.values("page-prefix")), ["c,d", "e"]);
}

#[test]
fn a_value_that_is_not_utf8_is_refused_only_where_text_is_needed() {
    let raw = OsString::from_vec(vec![b'a', 0xff]);
    let args = ["--data".into(), raw.clone(), "--title".into(), raw.clone()];
    let Ok(ParsedArgs::Subcommand(_, args)) = ParsedArgs::parse(args.into_iter(), &none) else {
        panic!()
    };
    assert_eq!(args.value("data").unwrap().text, raw);
    let error = args.value("title").unwrap().parse(|text| Ok(text.len())).unwrap_err();
    assert!(error.to_string().contains("--title is \"a\u{fffd}\", but must be UTF-8"), "{error}");
}

#[test]
fn the_distance_of_two_words_is_the_number_of_single_changes() {
    for (a, b, changes) in [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("listen", "lisen", 1),
        ("kitten", "sitting", 3),
    ] {
        assert_eq!(distance(a, b), changes, "{a} {b}");
    }
}
