//! The command line: parses arguments and environment into a [`Subcommand`] and runs it.
//!
//! Parsing opens no file, binds no port, and reads the environment only through the function it is given.
#![doc = include_str!("README.md")]

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::error::Error;
use crate::http::origin;
use crate::util::version;

use self::args::{Args, ParsedArgs};
use self::config::{Config, HELP};
use self::control::Place;
use self::moderation_args::Action;

pub mod args;
pub mod block_file;
#[cfg_attr(not(feature = "redis"), path = "alone.rs")]
mod cluster;
pub mod config;
pub mod control;
pub mod doctor;
pub mod export;
#[cfg(feature = "exchange")]
pub mod import;
mod listen;
pub mod listing;
pub mod maintenance;
pub mod moderate;
pub mod moderation_args;
mod probe;
mod remote;
pub mod serve;
mod sign_on_file;
mod signals;
pub mod stdout;
mod systemd;
mod token_file;
pub mod values;

/// What one run of the program does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Subcommand {
    /// Serve until a signal arrives.
    Serve(Config),
    /// Report on the log in a folder.
    Check {
        /// The data folder.
        data: PathBuf,
        /// The block list whose matches among the stored comments are named.
        block_file: Option<PathBuf>,
    },
    /// Make a repaired copy of the log in a folder.
    Repair {
        /// The data folder.
        data: PathBuf,
    },
    /// Rewrite the log in a folder.
    Compact {
        /// The data folder.
        data: PathBuf,
    },
    /// Moderate.
    Moderate(Place, Action),
    /// Take in comments from another system.
    #[cfg(feature = "exchange")]
    Import(import::Import),
    /// Write the comments for another system.
    Export(export::Export),
    /// Examine a running server from outside.
    Doctor {
        /// The server's address, normalized like [`Config::public_url`].
        url: String,
        /// A site that embeds the comments, normalized like the entries of [`Config::allow_origin`].
        site: Option<String>,
    },
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// Parses the command line, given without the program's own name. `env` looks up an environment variable.
///
/// # Errors
/// [`Error::Usage`] with a message that says what to write instead.
pub fn parse(
    args: impl Iterator<Item = OsString>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Subcommand, Error> {
    let (name, args) = match ParsedArgs::parse(args, &env)? {
        ParsedArgs::Help => return Ok(Subcommand::Help),
        ParsedArgs::Version => return Ok(Subcommand::Version),
        ParsedArgs::Subcommand("serve", args) => {
            return Config::parse(&args).map(Subcommand::Serve);
        }
        ParsedArgs::Subcommand("doctor", args) => return parse_doctor(&args),
        ParsedArgs::Subcommand(name, args) => (name, args),
    };
    if args::moderates(name) {
        return moderation_args::parse(name, &args)
            .map(|(place, action)| Subcommand::Moderate(place, action));
    }
    match name {
        #[cfg(feature = "exchange")]
        "import" => return import::parse(&args).map(Subcommand::Import),
        #[cfg(not(feature = "exchange"))]
        "import" => return Err(export::feature_missing("sayso import")),
        "export" => return export::parse(&args).map(Subcommand::Export),
        _ => {}
    }
    let taken: &[&str] = if name == "check" { &["data", "block-file"] } else { &["data"] };
    if let Some(flag) = args.flags().find(|flag| !taken.contains(flag)) {
        let taken = taken.join(" and --");
        return Err(Error::Usage(format!("sayso {name} does not take --{flag}, only --{taken}")));
    }
    let data = config::data(&args);
    Ok(match name {
        "check" => Subcommand::Check { data, block_file: config::block_file(&args) },
        "repair" => Subcommand::Repair { data },
        _ => Subcommand::Compact { data },
    })
}

/// Runs a subcommand to its end.
///
/// # Errors
/// The error that `main` prints.
pub fn run(subcommand: Subcommand) -> Result<(), Error> {
    let data = match &subcommand {
        Subcommand::Serve(config) => Some(&config.data),
        Subcommand::Check { data, .. }
        | Subcommand::Repair { data }
        | Subcommand::Compact { data }
        | Subcommand::Moderate(Place::Folder(data), _) => Some(data),
        #[cfg(feature = "exchange")]
        Subcommand::Import(import::Import { data, .. }) => Some(data),
        Subcommand::Export(export::Export { data, .. }) => Some(data),
        _ => None,
    };
    data.map_or(Ok(()), |data| check_is_folder(data))?;
    match subcommand {
        Subcommand::Serve(config) => serve::run(config),
        Subcommand::Doctor { url, site } => doctor::examine(&url, site.as_deref()),
        Subcommand::Help => stdout::line(format_args!("{}", HELP.trim_end())),
        Subcommand::Version => stdout::line(format_args!("sayso {}", version::long())),
        Subcommand::Check { data, block_file } => maintenance::check(&data, block_file.as_deref()),
        Subcommand::Repair { data } => maintenance::repair(&data),
        Subcommand::Compact { data } => maintenance::compact(&data),
        Subcommand::Moderate(place, action) => moderate::run(&place, &action),
        #[cfg(feature = "exchange")]
        Subcommand::Import(asked) => import::run(&asked),
        Subcommand::Export(asked) => export::run(&asked),
    }
}

/// Accepts a folder, and what is not there yet.
fn check_is_folder(data: &Path) -> Result<(), Error> {
    match fs::metadata(data) {
        Ok(found) if !found.is_dir() => {
            let folder = "the folder that comments.jsonl is in or will be in";
            let data = data.display();
            Err(Error::Other(format!("--data is {data}, which is a file; write {folder}")))
        }
        _ => Ok(()),
    }
}

fn parse_doctor(args: &Args) -> Result<Subcommand, Error> {
    if let Some(flag) = args.flags().next() {
        return Err(Error::Usage(format!("sayso doctor takes no flags, but --{flag} is given")));
    }
    let [url, site @ ..] = args.operands() else {
        return Err(Error::Usage("write sayso doctor URL, such as https://talk.example".into()));
    };
    let usage = |name: &str, value: &str, why| Error::Usage(format!("{name} is {value:?}, {why}"));
    Ok(Subcommand::Doctor {
        url: values::public_url(url).map_err(|why| usage("URL", url, why))?,
        site: site
            .first()
            .map(|site| origin::normalize(site).map_err(|why| usage("SITE", site, why)))
            .transpose()?,
    })
}
