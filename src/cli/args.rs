//! Splits the command line into a subcommand, flags and operands, and suggests a name where one is unknown.
//!
//! Knows the names of flags and subcommands, not what their values mean.

use std::{cmp::Reverse, ffi::OsString};

use crate::error::Error;

/// All flags, and how each is given.
const FLAGS: [(&str, Form); 30] = [
    ("listen", Form::Once),
    ("data", Form::Once),
    ("sync", Form::Once),
    ("base-path", Form::Once),
    ("public-url", Form::Once),
    ("allow-origin", Form::Repeatable),
    ("trust-proxy", Form::Repeatable),
    ("rate", Form::Once),
    ("challenge", Form::Once),
    ("max-connections", Form::Once),
    ("max-per-address", Form::Once),
    ("page-prefix", Form::Repeatable),
    ("max-pages", Form::Once),
    ("hold", Form::Once),
    ("block-file", Form::Once),
    ("max-links", Form::Once),
    ("flags-hold", Form::Once),
    ("close-after", Form::Once),
    ("admin-token-file", Form::Once),
    ("sign-on-file", Form::Once),
    ("no-page", Form::Switch),
    ("title", Form::Once),
    ("notify", Form::Repeatable),
    ("metrics", Form::Once),
    ("redis", Form::Once),
    ("redis-name", Form::Once),
    ("redis-keep", Form::Once),
    ("log-level", Form::Once),
    ("log-format", Form::Once),
    ("log-addresses", Form::Switch),
];
/// The flags of the commands that moderate, import or export, and how each is given. They stand behind the command, and but for `--server` not in the
/// environment, where they would act unseen.
const COMMAND_FLAGS: [(&str, Form); 23] = [
    ("server", Form::Once),
    ("status", Form::Once),
    ("page", Form::Once),
    ("author", Form::Once),
    ("limit", Form::Once),
    ("json", Form::Switch),
    ("repaired", Form::Switch),
    ("reason", Form::Once),
    ("comment", Form::Once),
    ("address", Form::Switch),
    ("hide", Form::Switch),
    ("hold", Form::Switch),
    ("for", Form::Once),
    ("restore", Form::Switch),
    ("prefix", Form::Switch),
    ("from", Form::Once),
    ("to", Form::Once),
    ("dry-run", Form::Switch),
    ("map", Form::Repeatable),
    ("page-from", Form::Once),
    ("site", Form::Once),
    ("only", Form::Once),
    ("shift", Form::Once),
];
/// What the environment variables of all flags begin with.
const VARIABLE_PREFIX: &str = "SAYSO_";
/// Names that other servers use for the same flags.
const SYNONYMS: [(&str, &str); 8] = [
    ("address", "listen"),
    ("bind", "listen"),
    ("host", "listen"),
    ("port", "listen"),
    ("dir", "data"),
    ("verbose", "log-level"),
    ("redis-url", "redis"),
    ("valkey", "redis"),
];
/// All subcommands; `serve` is the default.
const SUBCOMMANDS: [&str; 16] = [
    "serve", "comments", "approve", "hide", "delete", "ban", "unban", "lock", "unlock", "rename",
    "import", "export", "check", "repair", "compact", "doctor",
];
/// Those that take operands and [`COMMAND_FLAGS`]: the ones that moderate, and behind them `import` and `export`.
const COMMANDS: std::ops::Range<usize> = 1..12;
/// Those that moderate.
const MODERATION: std::ops::Range<usize> = 1..10;
/// The operands of `doctor`: URL and SITE.
const DOCTOR_OPERANDS_MAX: usize = 2;

/// How a flag is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With one value.
    Once,
    /// With one value each time.
    Repeatable,
    /// Without a value.
    Switch,
}

/// A command line whose names are known; its values are not parsed yet.
pub enum ParsedArgs<'e> {
    /// `--help` is given, at any position.
    Help,
    /// `--version` is given, at any position.
    Version,
    /// One of the subcommands with its arguments.
    Subcommand(&'static str, Args<'e>),
}

/// Looks up an environment variable by its name.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

impl<'e> ParsedArgs<'e> {
    /// Splits the command line, given without the program's own name.
    ///
    /// # Errors
    /// [`Error::Usage`] if a name is unknown, a value is missing, or a flag is repeated that may not be.
    pub fn parse(
        args: impl Iterator<Item = OsString>,
        env: Environment<'e>,
    ) -> Result<ParsedArgs<'e>, Error> {
        let mut collector = Collector::default();
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next().map_err(|error| usage(error.to_string()))? {
            match arg {
                lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(ParsedArgs::Help),
                lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => {
                    return Ok(ParsedArgs::Version);
                }
                lexopt::Arg::Short(_) => {
                    return Err(usage(
                        "flags are written in full, such as --listen, and what else begins with a dash behind --; see sayso --help",
                    ));
                }
                lexopt::Arg::Value(word) => collector.add_word(&word.to_string_lossy())?,
                lexopt::Arg::Long(name) => {
                    let name = name.to_string();
                    collector.add_flag(&name, &mut parser)?;
                }
            }
        }
        let Collector { subcommand, flags, operands } = collector;
        Ok(ParsedArgs::Subcommand(subcommand.unwrap_or("serve"), Args { flags, operands, env }))
    }
}

/// The arguments of one subcommand, with the environment as a fallback for flags.
pub struct Args<'e> {
    flags: Vec<(&'static str, OsString)>,
    operands: Vec<String>,
    env: Environment<'e>,
}

impl Args<'_> {
    /// The names of the flags on the command line, without those in the environment.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        self.flags.iter().map(|(name, _)| *name)
    }

    /// The arguments after the subcommand that are not flags.
    pub fn operands(&self) -> &[String] {
        &self.operands
    }

    /// The value of a flag, or else of its environment variable. An empty variable counts as unset, since Compose files can't
    /// leave one out.
    pub fn value(&self, flag: &str) -> Option<Value> {
        self.given(flag).or_else(|| self.in_environment(flag))
    }

    /// The values of a repeatable flag, or else of its environment variable, which is split at commas.
    pub fn values(&self, flag: &str) -> Vec<Value> {
        let mut values = self.on_command_line(flag);
        let Some(list) = self.in_environment(flag).filter(|_| values.is_empty()) else {
            return values;
        };
        let Some(items) = list.text.to_str() else { return vec![list] };
        for item in items.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            values.push(Value { name: list.name.clone(), text: item.into() });
        }
        values
    }

    /// The value of a flag that the environment can't give.
    pub fn given(&self, flag: &str) -> Option<Value> {
        self.on_command_line(flag).into_iter().next()
    }

    /// The values of a repeatable flag that the environment can't give.
    #[cfg(feature = "exchange")]
    pub fn all_given(&self, flag: &str) -> Vec<Value> {
        self.on_command_line(flag)
    }

    /// Whether a flag is given that the environment can't give.
    pub fn has(&self, flag: &str) -> bool {
        self.flags().any(|given| given == flag)
    }

    fn on_command_line(&self, flag: &str) -> Vec<Value> {
        let mut values = Vec::new();
        for (name, text) in self.flags.iter().filter(|(name, _)| *name == flag) {
            values.push(Value { name: format!("--{name}"), text: text.clone() });
        }
        values
    }

    fn in_environment(&self, flag: &str) -> Option<Value> {
        let name = variable(flag);
        let text = (self.env)(&name).filter(|text| !text.is_empty())?;
        Some(Value { name, text })
    }
}

/// An unparsed value with the name it was given by, for error messages.
pub struct Value {
    /// `--max-pages` or `SAYSO_MAX_PAGES`.
    pub name: String,
    /// The value as it was given.
    pub text: OsString,
}

impl Value {
    /// Parses the value. The error of `parse` is the end of a message that begins with "--flag is …, ".
    ///
    /// # Errors
    /// [`Error::Usage`] if `parse` fails or the text is not UTF-8.
    pub fn parse<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Error> {
        let Some(text) = self.text.to_str() else {
            return Err(self.refuse("but must be UTF-8"));
        };
        parse(text).map_err(|why| self.refuse(&why))
    }

    fn refuse(&self, why: &str) -> Error {
        usage(format!("{} is {:?}, {why}", self.name, self.text.to_string_lossy()))
    }
}

/// The arguments read so far.
#[derive(Default)]
struct Collector {
    subcommand: Option<&'static str>,
    flags: Vec<(&'static str, OsString)>,
    /// After the subcommand.
    operands: Vec<String>,
}

impl Collector {
    fn add_word(&mut self, word: &str) -> Result<(), Error> {
        let known = SUBCOMMANDS.into_iter().find(|name| *name == word);
        let why = match (self.subcommand, known) {
            (None, Some(name)) => {
                self.subcommand = Some(name);
                return Ok(());
            }
            (Some("doctor"), _) if self.operands.len() < DOCTOR_OPERANDS_MAX => {
                self.operands.push(word.to_owned());
                return Ok(());
            }
            (Some("doctor"), _) => "write sayso doctor URL, or sayso doctor URL SITE".into(),
            (Some(name @ ("serve" | "comments" | "ban")), _) => {
                format!("sayso {name} takes flags only; see sayso --help")
            }
            (Some(name), _) if takes_operands(name) => {
                self.operands.push(word.to_owned());
                return Ok(());
            }
            (Some(name), _) => format!("write sayso {name} --data {word}"),
            (None, None) => match nearest(word.split('=').next().unwrap_or(word), true) {
                Some(name) => format!("write {name}"),
                None => {
                    let [others @ .., last] = SUBCOMMANDS;
                    let others = others.join(", ");
                    format!("the commands are {others} and {last}; see sayso --help")
                }
            },
        };
        Err(usage(format!("unexpected argument {word:?}; {why}")))
    }

    fn add_flag(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), Error> {
        let is_command = self.subcommand.is_some_and(takes_operands);
        let of_command = COMMAND_FLAGS.into_iter().find(|(known, _)| *known == name);
        let of_all = || FLAGS.into_iter().find(|(known, _)| *known == name);
        let Some((name, form)) = of_command.filter(|_| is_command).or_else(of_all) else {
            let advice = match nearest(name, false) {
                _ if of_command.is_some() => {
                    format!("it behind a command such as comments, hide or ban: sayso ban --{name}")
                }
                Some(flag) => flag,
                None => "sayso --help to see all".into(),
            };
            return Err(usage(format!("unknown flag \"--{name}\"; write {advice}")));
        };
        let value = match parser.optional_value() {
            Some(_) if form == Form::Switch => {
                return Err(usage(format!("--{name} takes no value; write --{name}")));
            }
            Some(value) => value,
            None if form == Form::Switch => "on".into(),
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
        if form != Form::Repeatable && self.flags.iter().any(|(given, _)| *given == name) {
            return Err(usage(format!("--{name} is given twice; write it once")));
        }
        self.flags.push((name, value));
        Ok(())
    }
}

/// Whether this is a command that moderates.
pub(super) fn moderates(name: &str) -> bool {
    SUBCOMMANDS[MODERATION].contains(&name)
}

/// Whether this is a command that takes more than flags.
fn takes_operands(name: &str) -> bool {
    SUBCOMMANDS[COMMANDS].contains(&name)
}

/// The environment variable of a flag.
fn variable(flag: &str) -> String {
    VARIABLE_PREFIX.to_owned() + &flag.to_ascii_uppercase().replace('-', "_")
}

/// Says of each variable of the environment that is named like a flag's but is none, with the one that was probably meant.
pub fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let unknown = names.filter(|name| {
        name.starts_with(VARIABLE_PREFIX)
            && *name != variable("server")
            && !FLAGS.iter().any(|(flag, _)| variable(flag) == *name)
    });
    let mut warnings: Vec<String> = unknown
        .map(|name| {
            let word = name[VARIABLE_PREFIX.len()..].to_ascii_lowercase().replace('_', "-");
            let flag = nearest(&word, false);
            let flag = flag.as_deref().and_then(|flag| flag.strip_prefix("--"));
            let advice = match flag.filter(|flag| FLAGS.iter().any(|(known, _)| known == flag)) {
                Some(flag) => format!("write {}", variable(flag)),
                None => "sayso --help lists the flags, and each has a variable".into(),
            };
            format!("{name} is set, but sayso knows no such variable; {advice}")
        })
        .collect();
    warnings.sort_unstable();
    warnings
}

/// The flag that was probably meant, with its dashes; with `subcommands`, perhaps a subcommand.
fn nearest(word: &str, subcommands: bool) -> Option<String> {
    if let Some((_, flag)) = SYNONYMS.into_iter().find(|(synonym, _)| *synonym == word) {
        return Some(format!("--{flag}"));
    }
    let flags = FLAGS.into_iter().map(|(name, _)| name).chain(["help", "version"]);
    let mut known: Vec<(&str, String)> = flags.map(|name| (name, format!("--{name}"))).collect();
    if subcommands {
        known.extend(SUBCOMMANDS.map(|name| (name, name.to_string())));
    }
    // Of those that are equally near, the one that begins alike.
    let alike = |name: &str| name.chars().zip(word.chars()).take_while(|(a, b)| a == b).count();
    let near = known
        .iter()
        .map(|(name, written)| (distance(word, name), Reverse(alike(name)), written))
        .filter(|(distance, ..)| *distance <= word.len().div_ceil(3).min(3))
        .min();
    let part = || known.iter().find(|(name, _)| word.len() > 3 && name.contains(word));
    near.map(|(.., written)| written.clone()).or_else(|| part().map(|(_, written)| written.clone()))
}

/// The Levenshtein distance of two words: insertions, deletions and replacements. Keeps one row of the matrix.
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
mod tests;
