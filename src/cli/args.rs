//! The command line and the environment, sorted into flags and their texts; where a word is unknown, what was meant.
//!
//! Knows the names of flags and commands, not what their values mean.

use std::ffi::OsString;

use crate::error::Error;

/// Names of all flags, and whether each may be given more than once.
const FLAGS: [(&str, bool); 17] = [
    ("listen", false),
    ("data", false),
    ("sync", false),
    ("base-path", false),
    ("public-url", false),
    ("allow-origin", true),
    ("trust-proxy", true),
    ("rate", false),
    ("challenge", false),
    ("max-connections", false),
    ("max-per-address", false),
    ("page-prefix", true),
    ("max-pages", false),
    ("hold", false),
    ("admin-token-file", false),
    ("title", false),
    ("log-level", false),
];
/// What other servers call the same thing.
const SYNONYMS: [(&str, &str); 6] = [
    ("address", "listen"),
    ("bind", "listen"),
    ("host", "listen"),
    ("port", "listen"),
    ("dir", "data"),
    ("verbose", "log-level"),
];
/// `serve` is what happens without one.
const COMMANDS: [&str; 5] = ["serve", "check", "repair", "compact", "doctor"];
/// `doctor` is told where to look, and for which site.
const DOCTOR_WORDS_MAX: usize = 2;

/// A command line whose words are known, but not yet what they say.
pub enum ParsedArgs<'e> {
    /// `--help`, wherever it stands.
    Help,
    /// `--version`, likewise.
    Version,
    /// One of the commands, with what is given to it.
    Subcommand(&'static str, Args<'e>),
}

/// The environment: a variable's name → its value.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

impl<'e> ParsedArgs<'e> {
    /// Sorts the command line, given without the program's own name.
    ///
    /// # Errors
    /// [`Error::Usage`] where a word is unknown, a value missing, or a flag given twice.
    pub fn read(
        args: impl Iterator<Item = OsString>,
        env: Environment<'e>,
    ) -> Result<ParsedArgs<'e>, Error> {
        let mut words = Collector::default();
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next().map_err(|error| usage(error.to_string()))? {
            match arg {
                lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(ParsedArgs::Help),
                lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => {
                    return Ok(ParsedArgs::Version);
                }
                lexopt::Arg::Short(_) => {
                    return Err(usage(
                        "flags are written in full, such as --listen; see sayso --help",
                    ));
                }
                lexopt::Arg::Value(word) => words.take_command(&word.to_string_lossy())?,
                lexopt::Arg::Long(name) => {
                    let name = name.to_string();
                    words.take_flag(&name, &mut parser)?;
                }
            }
        }
        let command = words.command.unwrap_or("serve");
        Ok(ParsedArgs::Subcommand(command, Args { flags: words.flags, words: words.others, env }))
    }
}

/// The flags of one command, the environment behind them, and words that are no flags.
pub struct Args<'e> {
    flags: Vec<(&'static str, OsString)>,
    words: Vec<String>,
    env: Environment<'e>,
}

impl Args<'_> {
    /// The names of the flags on the command line; what the environment has is not asked.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        self.flags.iter().map(|(name, _)| *name)
    }

    /// What follows the command; only `doctor` has any.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The value of a flag, else of its variable. An empty variable counts as none, as Compose files can't leave one out.
    pub fn one(&self, flag: &str) -> Option<Value> {
        self.on_the_line(flag).next().or_else(|| self.in_the_environment(flag))
    }

    /// Likewise of a repeatable flag; its variable is separated at commas.
    pub fn many(&self, flag: &str) -> Vec<Value> {
        let flags: Vec<Value> = self.on_the_line(flag).collect();
        if !flags.is_empty() {
            return flags;
        }
        let Some(Value { place, text }) = self.in_the_environment(flag) else { return Vec::new() };
        let Some(list) = text.to_str() else { return vec![Value { place, text }] };
        let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| Value { place: place.clone(), text: item.into() }).collect()
    }

    fn on_the_line(&self, flag: &str) -> impl Iterator<Item = Value> {
        let same = self.flags.iter().filter(move |(name, _)| *name == flag);
        same.map(|(name, text)| Value { place: format!("--{name}"), text: text.clone() })
    }

    fn in_the_environment(&self, flag: &str) -> Option<Value> {
        let place = format!("SAYSO_{}", flag.to_ascii_uppercase().replace('-', "_"));
        let text = (self.env)(&place).filter(|text| !text.is_empty())?;
        Some(Value { place, text })
    }
}

/// A value and where it stands, for the sentence that refuses it.
pub struct Value {
    /// `--max-pages` or `SAYSO_MAX_PAGES`.
    pub place: String,
    /// As it was given.
    pub text: OsString,
}

impl Value {
    /// The typed value; `parse` refuses with what goes on after "--flag is …, ".
    ///
    /// # Errors
    /// [`Error::Usage`] where `parse` refuses or the text is no UTF-8.
    pub fn read<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Error> {
        let text = self.text.to_str().ok_or_else(|| "but must be UTF-8".to_string());
        text.and_then(parse).map_err(|why| {
            usage(format!("{} is {:?}, {why}", self.place, self.text.to_string_lossy()))
        })
    }
}

/// What has been read so far.
#[derive(Default)]
struct Collector {
    command: Option<&'static str>,
    flags: Vec<(&'static str, OsString)>,
    /// Behind the command.
    others: Vec<String>,
}

impl Collector {
    fn take_command(&mut self, word: &str) -> Result<(), Error> {
        let known = COMMANDS.into_iter().find(|command| *command == word);
        let why = match (self.command, known) {
            (None, Some(command)) => {
                self.command = Some(command);
                return Ok(());
            }
            (Some("doctor"), _) if self.others.len() < DOCTOR_WORDS_MAX => {
                self.others.push(word.to_owned());
                return Ok(());
            }
            (Some("doctor"), _) => "write sayso doctor URL, or sayso doctor URL SITE".into(),
            (Some("serve"), _) => "sayso serve takes flags only; see sayso --help".into(),
            (Some(command), _) => format!("write sayso {command} --data {word}"),
            (None, None) if ["import", "export"].contains(&word) => {
                format!("this version of sayso has no {word} yet; a later one will")
            }
            (None, None) => match nearest(word.split('=').next().unwrap_or(word), true) {
                Some(better) => format!("write {better}"),
                None => {
                    "the commands are serve, check, repair, compact and doctor; see sayso --help"
                        .into()
                }
            },
        };
        Err(usage(format!("unexpected word {word:?}; {why}")))
    }

    fn take_flag(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), Error> {
        let Some((name, repeatable)) = FLAGS.into_iter().find(|(known, _)| *known == name) else {
            let better = nearest(name, false).unwrap_or_else(|| "sayso --help to see all".into());
            return Err(usage(format!("unknown flag \"--{name}\"; write {better}")));
        };
        let value = match parser.optional_value() {
            Some(value) => value,
            None => parser
                .value()
                .ok()
                .filter(|value| !value.to_string_lossy().starts_with("--"))
                .ok_or_else(|| {
                    usage(format!("--{name} has no value; write --{name} VALUE, see sayso --help"))
                })?,
        };
        if value.is_empty() {
            return Err(usage(format!(
                "--{name} has an empty value; give one or leave the flag out"
            )));
        }
        if !repeatable && self.flags.iter().any(|(before, _)| *before == name) {
            return Err(usage(format!("--{name} is given twice; write it once")));
        }
        self.flags.push((name, value));
        Ok(())
    }
}

/// The flag, or with `commands` also the command, that was probably meant, as it is to be written.
fn nearest(word: &str, commands: bool) -> Option<String> {
    if let Some((_, flag)) = SYNONYMS.into_iter().find(|(synonym, _)| *synonym == word) {
        return Some(format!("--{flag}"));
    }
    let flags = FLAGS.into_iter().map(|(name, _)| name).chain(["help", "version"]);
    let mut written: Vec<(&str, String)> = flags.map(|name| (name, format!("--{name}"))).collect();
    if commands {
        written.extend(COMMANDS.map(|name| (name, name.to_string())));
    }
    let near = written.iter().map(|(name, written)| (distance(word, name), written));
    let near = near.filter(|(distance, _)| *distance <= word.len().div_ceil(3).min(3)).min();
    let part = || written.iter().find(|(name, _)| word.len() > 3 && name.contains(word));
    near.map(|(_, written)| written.clone()).or_else(|| part().map(|(_, written)| written.clone()))
}

/// Insertions, deletions and replacements between two words (Levenshtein), by the row.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.chars().count()]
}

fn usage(why: impl Into<String>) -> Error {
    Error::Usage(why.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn none(_: &str) -> Option<OsString> {
        None
    }

    fn read(line: &str) -> Result<ParsedArgs<'static>, Error> {
        ParsedArgs::read(line.split_whitespace().map(OsString::from), &none)
    }

    fn error(line: &str) -> String {
        let Err(error) = read(line) else { panic!("{line:?} is taken") };
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    fn texts(values: Vec<Value>) -> Vec<String> {
        values.into_iter().map(|value| value.text.into_string().unwrap()).collect()
    }

    #[test]
    fn every_command_is_known_and_serve_is_what_happens_without_one() {
        for command in COMMANDS {
            assert!(
                matches!(read(command), Ok(ParsedArgs::Subcommand(read, _)) if read == command)
            );
        }
        assert!(matches!(read(""), Ok(ParsedArgs::Subcommand("serve", _))));
        assert!(matches!(read("--data x check"), Ok(ParsedArgs::Subcommand("check", _))));
    }

    #[test]
    fn help_and_version_are_answered_wherever_they_stand() {
        for line in ["--help", "-h", "serve --help", "check --data x -h", "--help --nonsense"] {
            assert!(matches!(read(line), Ok(ParsedArgs::Help)), "{line}");
        }
        for line in ["--version", "-V", "check --version"] {
            assert!(matches!(read(line), Ok(ParsedArgs::Version)), "{line}");
        }
    }

    #[test]
    fn an_unknown_word_is_told_what_was_probably_meant() {
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
            ("chek", "unexpected word \"chek\"; write check"),
            ("repare", "write repair"),
            ("help", "write --help"),
            ("listen=127.0.0.1:1", "write --listen"),
            ("start-it-now-please", "the commands are serve, check, repair, compact and doctor"),
            ("import", "no import yet"),
            ("export", "no export yet"),
            ("check data", "write sayso check --data data"),
            ("check repair", "write sayso check --data repair"),
            ("serve data", "flags only"),
        ] {
            let error = error(line);
            assert!(error.contains(advice), "{line}: {error}");
        }
    }

    #[test]
    fn every_flag_missing_one_letter_or_with_two_swapped_is_still_recognised() {
        for (name, _) in FLAGS.into_iter().filter(|(name, _)| name.len() > 5) {
            for at in 1..name.len() {
                let missing = format!("{}{}", &name[..at], &name[at + 1..]);
                assert!(
                    error(&format!("--{missing} x")).contains(&format!("--{name}")),
                    "{missing}"
                );
                let mut swapped = name.as_bytes().to_vec();
                swapped.swap(at - 1, at);
                let swapped = String::from_utf8(swapped).unwrap();
                let found = swapped == name
                    || error(&format!("--{swapped}=x")).contains(&format!("--{name}"));
                assert!(found || swapped.starts_with('-'), "{swapped}");
            }
        }
    }

    #[test]
    fn a_missing_or_empty_value_is_an_error() {
        assert!(error("--listen").contains("--listen has no value"));
        assert!(error("--listen --data x").contains("--listen has no value"));
        assert!(error("--listen=").contains("--listen has an empty value"));
        assert!(read("--title=--x").is_ok(), "what stands behind = is the value");
        assert!(read("--title -x").is_ok());
    }

    #[test]
    fn a_flag_is_given_once_unless_it_is_repeatable() {
        for (name, repeatable) in FLAGS {
            assert_eq!(read(&format!("--{name} x --{name}=x")).is_ok(), repeatable, "{name}");
        }
        assert!(error("--data x --data y").contains("--data is given twice"));
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_an_empty_variable_counts_as_none() {
        let env = |name: &str| match name {
            "SAYSO_MAX_PAGES" => Some("7".into()),
            "SAYSO_TITLE" => Some("".into()),
            "SAYSO_PAGE_PREFIX" => Some(" a/, ,b/,".into()),
            _ => None,
        };
        let line = |line: &'static str| line.split_whitespace().map(OsString::from);
        let Ok(ParsedArgs::Subcommand(_, found)) = ParsedArgs::read(line(""), &env) else {
            panic!()
        };
        let pages = found.one("max-pages").unwrap();
        assert_eq!((pages.place.as_str(), pages.text.to_str()), ("SAYSO_MAX_PAGES", Some("7")));
        assert!(found.one("title").is_none());
        assert_eq!(texts(found.many("page-prefix")), ["a/", "b/"]);
        assert!(found.many("allow-origin").is_empty());

        let line = line("--max-pages 8 --page-prefix c,d --page-prefix e");
        let Ok(ParsedArgs::Subcommand(_, args)) = ParsedArgs::read(line, &env) else { panic!() };
        let pages = args.one("max-pages").unwrap();
        assert_eq!((pages.place.as_str(), pages.text.to_str()), ("--max-pages", Some("8")));
        assert_eq!(texts(args.many("page-prefix")), ["c,d", "e"]);
    }

    #[test]
    fn a_value_that_is_no_utf8_is_refused_only_where_text_is_needed() {
        let raw = OsString::from_vec(vec![b'a', 0xff]);
        let args = ["--data".into(), raw.clone(), "--title".into(), raw.clone()];
        let Ok(ParsedArgs::Subcommand(_, args)) = ParsedArgs::read(args.into_iter(), &none) else {
            panic!()
        };
        assert_eq!(args.one("data").unwrap().text, raw);
        let refused = args.one("title").unwrap().read(|text| Ok(text.len())).unwrap_err();
        assert!(
            refused.to_string().contains("--title is \"a\u{fffd}\", but must be UTF-8"),
            "{refused}"
        );
    }

    #[test]
    fn the_distance_of_two_words_counts_single_changes() {
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
}
