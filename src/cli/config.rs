//! What one run is to do: a [`Subcommand`], and a [`Config`] whose values are checked, also against one another.
//!
//! Opens no file, binds no port, and reads the environment only through what it is handed.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::cli::args::{Args, ParsedArgs};
use crate::cli::values;
use crate::error::Error;
use crate::http::forwarded::{self, Network};
use crate::http::origin;
pub use crate::{hub::rules::Hold, limits::Rate, log::SyncMode};

/// What `sayso --help` prints, and the README quotes.
pub const HELP: &str = "\
sayso: live comments for any page, from one tiny binary

Usage: sayso [serve] [FLAGS]
       sayso check|repair|compact [--data DIR]
       sayso doctor URL [SITE]

Commands:
  serve    serve the page, the API and the WebSocket (what happens without a command)
  check    report what is wrong with the stored comments, change nothing
  repair   make a repaired copy of damaged comments, keep the original
  compact  rewrite the stored comments without what is edited away or deleted
  doctor   ask the server at URL from outside, say what is wrong with the proxy in
           between, and whether pages of SITE can embed the comments

Flags:
  --listen ADDR            address and port; port 0 picks a free one [127.0.0.1:8000]
  --data DIR               where comments are stored; created if missing [./data]
  --sync always|never      a comment is on disk before anybody sees it, or when the
                           operating system gets to it [always]
  --base-path PATH         everything is served below this path [/]
  --public-url URL         where the page is found from outside, base path included
  --allow-origin ORIGIN    a site that may embed the comments, such as
                           https://blog.example; repeatable [none]
  --trust-proxy CIDR|none  proxies whose X-Forwarded-For is believed; repeatable
                           [127.0.0.0/8 and ::1/128]
  --rate N/SECONDS|off     comments per address and per author [10/60]
  --challenge BITS|off     work that a comment costs, without notice: 16 is a tenth of a
                           second in a browser; not without JavaScript [off]
  --max-connections N      connections at once [10000]
  --max-per-address N      of them from one address (IPv6: from one /64) [100]
  --page-prefix P          pages that may be commented on begin with this; repeatable [any]
  --max-pages N            pages that may have comments [100000]
  --hold none|links|new|all
                           what waits for a moderator: nothing, comments with links,
                           the first of each author, everything [none]
  --admin-token-file FILE  its first line lets a moderator in; without it there is none
  --title TEXT             the page's heading [Comments]
  --log-level LEVEL        off, error, warn or info, in debug builds debug or trace too [info]
  -h, --help               print this
  -V, --version            print the version

Each flag can stand in the environment too, --max-pages as SAYSO_MAX_PAGES and so on,
repeatable ones separated by commas; an empty variable counts as none. Flags win.
";

/// What one run of the program is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Subcommand {
    /// Serve until stopped.
    Serve(Config),
    /// Report on the log in this folder.
    Check {
        /// The data folder.
        data: PathBuf,
    },
    /// Make a repaired copy of the log in this folder.
    Repair {
        /// The data folder.
        data: PathBuf,
    },
    /// Rewrite the log in this folder.
    Compact {
        /// The data folder.
        data: PathBuf,
    },
    /// Look from outside at what is served.
    Doctor {
        /// As [`Config::public_url`].
        url: String,
        /// As one of [`Config::allow_origin`].
        site: Option<String>,
    },
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// Everything that can be set; see [`HELP`] for what each is, by the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Resolved, so it can be bound.
    pub listen: SocketAddr,
    /// Perhaps relative to where sayso was started, perhaps missing.
    pub data: PathBuf,
    /// When a comment counts as stored.
    pub sync: SyncMode,
    /// Empty, or `/x` or `/x/y`: what stands before every path.
    pub base_path: String,
    /// `http` or `https`, ends with `base_path`, without a slash at the end.
    pub public_url: Option<String>,
    /// As [`origin::normalize`] writes them.
    pub allow_origin: Vec<String>,
    /// Empty: nobody is believed.
    pub trust_proxy: Vec<Network>,
    /// None: as fast as anybody likes.
    pub rate: Option<Rate>,
    /// Bits of a proof of work, 1 to [`CHALLENGE_BITS_MAX`](crate::limits::CHALLENGE_BITS_MAX). None: comments cost nothing.
    pub challenge: Option<u8>,
    /// At least 1.
    pub max_connections: u32,
    /// At least 1.
    pub max_per_address: u32,
    /// Empty: every page. Each 1 to [`PAGE_BYTES_MAX`](crate::limits::PAGE_BYTES_MAX) bytes.
    pub page_prefix: Vec<String>,
    /// At least 1.
    pub max_pages: u32,
    /// Anything but [`Hold::None`] needs somebody with the token to let comments out again.
    pub hold: Hold,
    /// None: there are no moderators.
    pub admin_token_file: Option<PathBuf>,
    /// 1 to 200 characters.
    pub title: String,
    /// The most talkative level that is logged.
    pub log_level: log::LevelFilter,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            data: PathBuf::from("./data"),
            sync: SyncMode::Always,
            base_path: String::new(),
            public_url: None,
            allow_origin: Vec::new(),
            trust_proxy: forwarded::loopback(),
            rate: Some(Rate { posts: 10, seconds: 60 }),
            challenge: None,
            max_connections: 10_000,
            max_per_address: 100,
            page_prefix: Vec::new(),
            max_pages: 100_000,
            hold: Hold::None,
            admin_token_file: None,
            title: "Comments".into(),
            log_level: log::LevelFilter::Info,
        }
    }
}

/// Reads the command line, given without the program's own name, and what of the environment it asks for.
///
/// # Errors
/// [`Error::Usage`] with what to write instead.
pub fn parse(
    args: impl Iterator<Item = OsString>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Subcommand, Error> {
    let (command, args) = match ParsedArgs::read(args, &env)? {
        ParsedArgs::Help => return Ok(Subcommand::Help),
        ParsedArgs::Version => return Ok(Subcommand::Version),
        ParsedArgs::Subcommand("serve", args) => return config(&args).map(Subcommand::Serve),
        ParsedArgs::Subcommand("doctor", args) => return doctor(&args),
        ParsedArgs::Subcommand(command, args) => (command, args),
    };
    if let Some(flag) = args.flags().find(|flag| *flag != "data") {
        return Err(Error::Usage(format!(
            "--{flag} means nothing to sayso {command}, which takes --data only"
        )));
    }
    let data = data(&args);
    Ok(match command {
        "check" => Subcommand::Check { data },
        "repair" => Subcommand::Repair { data },
        _ => Subcommand::Compact { data },
    })
}

fn doctor(args: &Args) -> Result<Subcommand, Error> {
    if let Some(flag) = args.flags().next() {
        return Err(Error::Usage(format!(
            "--{flag} means nothing to sayso doctor, which takes none"
        )));
    }
    let [url, site @ ..] = args.words() else {
        return Err(Error::Usage("write sayso doctor URL, such as https://talk.example".into()));
    };
    let wrong = |what: &str, word: &str, why| Error::Usage(format!("{what} is {word:?}, {why}"));
    Ok(Subcommand::Doctor {
        url: values::public_url(url).map_err(|why| wrong("URL", url, why))?,
        site: site
            .first()
            .map(|site| origin::normalize(site).map_err(|why| wrong("SITE", site, why)))
            .transpose()?,
    })
}

fn data(args: &Args) -> PathBuf {
    args.one("data").map_or(Config::default().data, |value| value.text.into())
}

fn config(args: &Args) -> Result<Config, Error> {
    let mut config = Config { data: data(args), ..Config::default() };
    set(&mut config.listen, args, "listen", values::listen)?;
    set(&mut config.sync, args, "sync", values::sync)?;
    set(&mut config.base_path, args, "base-path", values::base_path)?;
    set(&mut config.public_url, args, "public-url", |text| values::public_url(text).map(Some))?;
    set(&mut config.rate, args, "rate", values::rate)?;
    set(&mut config.challenge, args, "challenge", values::challenge)?;
    set(&mut config.max_connections, args, "max-connections", values::connections)?;
    set(&mut config.max_per_address, args, "max-per-address", values::connections)?;
    set(&mut config.max_pages, args, "max-pages", values::pages)?;
    set(&mut config.hold, args, "hold", values::hold)?;
    set(&mut config.title, args, "title", values::title)?;
    set(&mut config.log_level, args, "log-level", values::log_level)?;
    config.admin_token_file = args.one("admin-token-file").map(|value| value.text.into());
    config.allow_origin = all(args, "allow-origin", origin::normalize)?;
    config.page_prefix = all(args, "page-prefix", values::page_prefix)?;
    let proxies: Vec<Option<Network>> = all(args, "trust-proxy", values::proxy)?;
    if proxies.len() > 1 && proxies.contains(&None) {
        return Err(Error::Usage("--trust-proxy is none and something else; write either".into()));
    }
    if !proxies.is_empty() {
        config.trust_proxy = proxies.into_iter().flatten().collect();
    }
    consistent(&config)?;
    Ok(config)
}

fn set<T>(
    field: &mut T,
    args: &Args,
    flag: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<(), Error> {
    if let Some(value) = args.one(flag) {
        *field = value.read(parse)?;
    }
    Ok(())
}

fn all<T>(args: &Args, flag: &str, parse: fn(&str) -> Result<T, String>) -> Result<Vec<T>, Error> {
    args.many(flag).iter().map(|value| value.read(parse)).collect()
}

/// Values that are good each by itself may still not go together.
fn consistent(config: &Config) -> Result<(), Error> {
    let base_path = &config.base_path;
    let why = match &config.public_url {
        _ if config.hold != Hold::None && config.admin_token_file.is_none() => {
            "--hold keeps comments back for a moderator, and without --admin-token-file there is none; \
             add --admin-token-file FILE"
                .into()
        }
        Some(url) if !url.ends_with(base_path.as_str()) => format!(
            "--public-url {url} does not end with --base-path {base_path}; write --public-url {url}{base_path}"
        ),
        _ => return Ok(()),
    };
    Err(Error::Usage(why))
}

#[cfg(test)]
mod tests;
