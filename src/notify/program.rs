//! What `--notify` names: a program with its arguments, and whether it is told each event or a digest.
//!
//! Splits words as a shell does, without one: no variable, no pattern, no pipe. Runs nothing.

use std::path::Path;

use crc32c::crc32c_append;

/// Programs that one server runs, each with a thread of its own.
pub const PROGRAMS_MAX: usize = 16;
/// What stands before a program that is told of all events at once, once an hour at most.
const DIGEST_PREFIX: &str = "digest:";
/// Characters of the program's file name in the name of its cursor.
const NAME_CHARS: usize = 40;

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments, at least one word.
    pub words: Vec<String>,
    /// Whether it is told all events of an hour at once.
    pub is_digest: bool,
    /// What its cursor, the log and the metrics call it: of letters, digits, dots, hyphens and underscores, and another one for every other
    /// value of the flag.
    pub name: String,
}

impl Program {
    /// Parses a value of `--notify`. Words are separated by spaces; `'…'` keeps everything as it is, in `"…"` and outside of quotes a
    /// backslash keeps the next character.
    ///
    /// # Errors
    /// The end of a message that begins with "--notify is …, ".
    pub fn parse(text: &str) -> Result<Program, String> {
        let (is_digest, command) = match text.trim_start().strip_prefix(DIGEST_PREFIX) {
            Some(command) => (true, command),
            None => (false, text),
        };
        let words = split(command)?;
        let Some(first) = words.first().filter(|first| !first.is_empty()) else {
            return Err("but must name a program, such as /usr/local/bin/mail-me".into());
        };
        let file = Path::new(first).file_name().unwrap_or_default().to_string_lossy();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' };
        let file: String = file.chars().map(plain).take(NAME_CHARS).collect();
        let crc = words.iter().fold(u32::from(is_digest), |crc, word| {
            crc32c_append(crc32c_append(crc, word.as_bytes()), &[0])
        });
        let name = format!("{file}-{crc:08x}");
        Ok(Program { words, is_digest, name })
    }

    /// What the log calls it. Its arguments are not named: they may be secrets.
    pub fn flag(&self) -> String {
        format!("--notify {}", self.name)
    }

    /// Whether there is a file where the path leads. A name without a slash is looked for when it is run.
    pub fn is_there(&self) -> bool {
        !self.words[0].contains('/') || Path::new(&self.words[0]).exists()
    }
}

/// The words of a command line.
fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == character => quote = None,
            (None | Some('"'), '\\') => {
                let next =
                    characters.next().ok_or("but ends with a backslash; write \\\\ for one")?;
                word.get_or_insert_default().push(next);
            }
            (_, '\0' | '\n') => return Err("but must be one line".into()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if let Some(quote) = quote {
        return Err(format!("but a quotation that begins with {quote} does not end"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Program::parse(text).unwrap().words
    }

    #[test]
    fn words_are_split_as_a_shell_splits_them_without_anything_else_of_a_shell() {
        for (text, expected) in [
            ("/bin/mail", &["/bin/mail"] as &[&str]),
            ("  mail  a\tb ", &["mail", "a", "b"]),
            ("mail 'a b' \"c d\" e\\ f", &["mail", "a b", "c d", "e f"]),
            ("mail 'a\\' \"b\\\"c\\\\\" ''", &["mail", "a\\", "b\"c\\", ""]),
            ("mail a'b'\"c\"d", &["mail", "abcd"]),
            (
                "mail $HOME *.c | x > y; `z` ~ &",
                &["mail", "$HOME", "*.c", "|", "x", ">", "y;", "`z`", "~", "&"],
            ),
            ("mail \"it's\" 'say \"hi\"'", &["mail", "it's", "say \"hi\""]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_no_program_is_refused_with_what_to_write() {
        for (text, why) in [
            ("", "must name a program"),
            ("  ", "must name a program"),
            ("'' a", "must name a program"),
            ("digest:", "must name a program"),
            ("mail 'a", "begins with ' does not end"),
            ("mail \"a'", "begins with \" does not end"),
            ("mail \\", "ends with a backslash"),
            ("mail a\nb", "one line"),
        ] {
            let error = Program::parse(text).unwrap_err();
            assert!(error.starts_with("but ") && error.contains(why), "{text:?}: {error}");
        }
    }

    #[test]
    fn every_other_command_line_has_another_name_that_a_file_can_have() {
        let name = |text: &str| Program::parse(text).unwrap().name;
        let all = ["/bin/a b", "/bin/a c", "/bin/a", "digest:/bin/a", "/bin/ab", "/usr/bin/a b"];
        for (at, one) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|other| name(one) != name(other)), "{one}");
        }
        assert_eq!(name("/bin/a  'b'"), name("/bin/a b"));
        assert!(Program::parse("digest:/bin/a").unwrap().is_digest);
        let long = name(&format!("/x/{}\u{e9} ", "y/z z".repeat(50)));
        assert!(long.len() <= NAME_CHARS + 9 && !long.contains(['/', ' ', '\u{e9}']), "{long}");
    }
}
