//! The server's [`Config`]: every flag with its default, parsed and checked, also against the other flags.
//!
//! Opens no file and binds no port.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::cli::args::Args;
use crate::cli::listen;
use crate::cli::values;
use crate::error::Error;
use crate::http::forwarded::{self, Network};
use crate::http::origin;
use crate::net::listen_socket::ListenAddress;
use crate::notify::program::{PROGRAMS_MAX, Program};
pub use crate::{hub::rules::Hold, limits::Rate, log::SyncMode};
#[cfg(feature = "redis")]
pub use cluster::RedisOptions;

#[cfg(feature = "redis")]
mod cluster;

/// The data folder if none is named.
const DATA_DEFAULT: &str = "./data";

/// The text that `sayso --help` prints and the README quotes.
pub const HELP: &str = "\
sayso: live comments for any page, from one tiny binary

Usage: sayso [serve] [FLAGS]
       sayso comments [--status S] [--page P] [--author A] [--limit N] [--json]
       sayso approve ID…|--repaired, sayso hide|delete ID… [--reason TEXT]
       sayso ban --comment ID|--author A [--address] [--hide] [--hold] --for 7d
       sayso unban AUTHOR|ADDRESS [--restore], sayso lock|unlock PAGE
       sayso rename OLD NEW [--prefix]
       sayso import --from FORMAT FILE [--dry-run], sayso export --to FORM [FILE]
       sayso check [--data DIR] [--block-file FILE], sayso repair|compact [--data DIR]
       sayso doctor URL [SITE]

Commands:
  serve    serve the page, the API and the WebSocket (what happens without a command)
  comments, approve, hide, delete, ban, unban, lock, unlock, rename
           moderate what is in --data DIR, whether a server runs or not; elsewhere
           with --server URL --admin-token-file FILE
  import   take in comments from Disqus, WordPress, Isso, Remark42 and seven others
  export   write the comments for others, as lines, as a table or as documents
  check    report what is wrong with the stored comments, or what --block-file would hold
  repair   make a repaired copy of damaged comments, keep the original
  compact  rewrite the stored comments without what is edited away or deleted
  doctor   ask the server at URL from outside, say what is wrong with the proxy in
           between, and whether pages of SITE can embed the comments

Flags:
  --listen ADDR            address and port, or unix:PATH; port 0 picks a free one
                           [127.0.0.1:8000]
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
  --block-file FILE        words, phrases and /expressions/, one a line; what has one waits
                           for a moderator; read again when it changes [none]
  --max-links N|off        a comment with more links waits for a moderator [off]
  --flags-hold N|off       so many flags by readers hide a comment until a moderator has seen
                           it [3, off without --admin-token-file]
  --close-after DAYS|off   a page takes no more comments so long after its first [off]
  --admin-token-file FILE  moderators, one NAME TOKEN a line; without it there is none
  --notify PROGRAM         a program with its arguments that is told each new, held or flagged
                           comment; digest:PROGRAM at most once an hour; repeatable [none]
  --sign-on-file FILE      the secret with which host pages sign their users [none]
  --no-page                no page at / and no demo, only what is embedded and the API
  --title TEXT             the page's heading [Comments]
  --metrics local|public   who may read /metrics: programs on this machine, or everybody [local]
  --redis URL              several machines with one conversation: Redis or Valkey orders it, at
                           redis://[USER:PASSWORD@]HOST[:PORT][/DB] or redis+unix:///PATH; needs
                           a build with the feature redis [none]
  --redis-name NAME        the conversation there, letters, digits, -, _ and . [main]
  --redis-keep N           newest lines that stay there, for machines that were away [100000]
  --log-level LEVEL        off, error, warn, info, debug or trace [info]
  --log-format text|json   a line of text, or an object with time, level, target, message [text]
  --log-addresses          name clients' addresses in the log
  -h, --help               print this
  -V, --version            print the version

Each flag can stand in the environment too, --max-pages as SAYSO_MAX_PAGES and so on,
repeatable ones separated by commas, --no-page as SAYSO_NO_PAGE=on; an empty variable
counts as none. Flags win.
";

/// All settings of the server. [`HELP`] explains each under the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address or path to bind; a host name is resolved already.
    pub listen: ListenAddress,
    /// The data folder. May be relative to the working directory, and may not exist yet.
    pub data: PathBuf,
    /// Whether a comment is synced to disk before it counts as stored.
    pub sync: SyncMode,
    /// The prefix of every path: empty, or `/x` or `/x/y`.
    pub base_path: String,
    /// The page's public address: `http` or `https`, ends with `base_path`, has no trailing slash.
    pub public_url: Option<String>,
    /// Sites that may embed the comments, as normalized by [`origin::normalize`].
    pub allow_origin: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed; none if empty.
    pub trust_proxy: Vec<Network>,
    /// The rate limit of comments per address and per author; `None` means no limit.
    pub rate: Option<Rate>,
    /// Bits of the proof of work, 1 to [`CHALLENGE_BITS_MAX`](crate::limits::CHALLENGE_BITS_MAX); `None` means that none is required.
    pub challenge: Option<u8>,
    /// Connections at once, at least 1.
    pub max_connections: u32,
    /// Connections at once from one address, at least 1.
    pub max_per_address: u32,
    /// Prefixes of the pages that may have comments, each 1 to [`PAGE_BYTES_MAX`](crate::limits::PAGE_BYTES_MAX) bytes; empty means every page.
    pub page_prefix: Vec<String>,
    /// Pages that may have comments, at least 1.
    pub max_pages: u32,
    /// Which comments wait for a moderator. Anything but [`Hold::None`] requires `admin_token_file`.
    pub hold: Hold,
    /// The list of words, phrases and expressions that make a comment wait. Requires `admin_token_file`.
    pub block_file: Option<PathBuf>,
    /// How many links a comment may have without waiting; `None` means any number. Requires `admin_token_file`.
    pub max_links: Option<u32>,
    /// How many flags hide a comment; `None` means that no number does. Counts only with `admin_token_file`.
    pub flags_hold: Option<u32>,
    /// How many days after its first comment a page is closed; `None` means never.
    pub close_after: Option<u32>,
    /// The file with the moderators' token; `None` means that there are no moderators.
    pub admin_token_file: Option<PathBuf>,
    /// The programs that are told of comments, each another one.
    pub notify: Vec<Program>,
    /// The file with the secret that host pages sign their users with; `None` means that they have none.
    pub sign_on_file: Option<PathBuf>,
    /// Whether the page and the demo are switched off.
    pub no_page: bool,
    /// The page's heading, 1 to 200 characters.
    pub title: String,
    /// Whether everybody may read the metrics, and not only programs on this machine.
    pub metrics_are_public: bool,
    /// The stream that orders the lines of several machines; `None` means that this is the only one. Requires [`SyncMode::Always`].
    #[cfg(feature = "redis")]
    pub redis: Option<RedisOptions>,
    /// The most verbose level that is logged.
    pub log_level: log::LevelFilter,
    /// Whether lines of the log are JSON.
    pub log_is_json: bool,
    /// Whether the log names the addresses of clients.
    pub log_addresses: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 8000))),
            data: DATA_DEFAULT.into(),
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
            block_file: None,
            max_links: None,
            flags_hold: Some(3),
            close_after: None,
            admin_token_file: None,
            notify: Vec::new(),
            sign_on_file: None,
            no_page: false,
            title: "Comments".into(),
            metrics_are_public: false,
            #[cfg(feature = "redis")]
            redis: None,
            log_level: log::LevelFilter::Info,
            log_is_json: false,
            log_addresses: false,
        }
    }
}

impl Config {
    /// Parses the flags of `serve` and the environment variables behind them.
    ///
    /// # Errors
    /// [`Error::Usage`] if a value is invalid or contradicts another one.
    pub fn parse(args: &Args) -> Result<Config, Error> {
        let mut config = Config { data: data(args), ..Config::default() };
        set(&mut config.listen, args, "listen", listen::listen)?;
        set(&mut config.sync, args, "sync", values::sync)?;
        set(&mut config.base_path, args, "base-path", values::base_path)?;
        set(&mut config.public_url, args, "public-url", |text| values::public_url(text).map(Some))?;
        set(&mut config.rate, args, "rate", values::rate)?;
        set(&mut config.challenge, args, "challenge", values::challenge)?;
        set(&mut config.max_connections, args, "max-connections", values::connections)?;
        set(&mut config.max_per_address, args, "max-per-address", values::connections)?;
        set(&mut config.max_pages, args, "max-pages", values::pages)?;
        set(&mut config.hold, args, "hold", values::hold)?;
        set(&mut config.max_links, args, "max-links", values::max_links)?;
        set(&mut config.flags_hold, args, "flags-hold", values::flags_hold)?;
        set(&mut config.close_after, args, "close-after", values::close_after)?;
        set(&mut config.title, args, "title", values::title)?;
        set(&mut config.log_level, args, "log-level", values::log_level)?;
        set(&mut config.log_is_json, args, "log-format", values::log_format)?;
        set(&mut config.no_page, args, "no-page", values::switch)?;
        set(&mut config.metrics_are_public, args, "metrics", values::metrics)?;
        set(&mut config.log_addresses, args, "log-addresses", values::switch)?;
        config.block_file = block_file(args);
        config.admin_token_file = args.value("admin-token-file").map(|value| value.text.into());
        config.sign_on_file = args.value("sign-on-file").map(|value| value.text.into());
        config.allow_origin = parse_all(args, "allow-origin", origin::normalize)?;
        config.page_prefix = parse_all(args, "page-prefix", values::page_prefix)?;
        config.notify = parse_all(args, "notify", Program::parse)?;
        let mut proxies: Vec<Option<Network>> = parse_all(args, "trust-proxy", values::proxy)?;
        if proxies.len() > 1 && proxies.contains(&None) {
            return Err(Error::Usage(
                "--trust-proxy is given as none and as an address; write one or the other".into(),
            ));
        }
        if !proxies.is_empty() {
            config.trust_proxy.clear();
            proxies.drain(..).for_each(|proxy| config.trust_proxy.extend(proxy));
        }
        check_redis(args)?;
        #[cfg(feature = "redis")]
        (config.redis = RedisOptions::parse(args, config.sync)?);
        check_programs(&config.notify)?;
        check_consistency(&config)?;
        Ok(config)
    }
}

/// The data folder, which every subcommand but `doctor` needs.
pub(super) fn data(args: &Args) -> PathBuf {
    args.value("data").map_or(DATA_DEFAULT.into(), |value| value.text.into())
}

/// The block list, which `check` takes too.
pub(super) fn block_file(args: &Args) -> Option<PathBuf> {
    args.value("block-file").map(|value| value.text.into())
}

/// Overwrites `field` if the flag or its environment variable is given.
fn set<T>(
    field: &mut T,
    args: &Args,
    flag: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<(), Error> {
    apply(args, flag, &mut |text| {
        *field = parse(text)?;
        Ok(())
    })
}

/// The part of [`set`] that is the same for all types: there are twenty.
#[inline(never)]
fn apply(
    args: &Args,
    flag: &str,
    take: &mut dyn FnMut(&str) -> Result<(), String>,
) -> Result<(), Error> {
    args.value(flag).map_or(Ok(()), |value| value.parse(take))
}

/// The values of a repeatable flag or its environment variable.
fn parse_all<T>(
    args: &Args,
    flag: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    let mut take = |text: &str| {
        all.push(parse(text)?);
        Ok(())
    };
    apply_all(args, flag, &mut take)?;
    Ok(all)
}

/// The part of [`parse_all`] that is the same for all types.
#[inline(never)]
fn apply_all(
    args: &Args,
    flag: &str,
    take: &mut dyn FnMut(&str) -> Result<(), String>,
) -> Result<(), Error> {
    args.values(flag).iter().try_for_each(|value| value.parse(&mut *take))
}

/// Checks that values which are valid one by one do not contradict each other.
fn check_consistency(config: &Config) -> Result<(), Error> {
    let base_path = &config.base_path;
    let holds = [
        ("--hold", config.hold != Hold::None),
        ("--block-file", config.block_file.is_some()),
        ("--max-links", config.max_links.is_some()),
    ];
    let why = match (&config.public_url, holds.iter().find(|(_, is_given)| *is_given)) {
        (_, Some((flag, _))) if config.admin_token_file.is_none() => format!(
            "{flag} keeps comments back until a moderator approves them, and only --admin-token-file lets one in; \
             add --admin-token-file FILE"
        ),
        (Some(url), _) if !url.ends_with(base_path.as_str()) => format!(
            "--public-url {url} does not end with --base-path {base_path}; write --public-url {url}{base_path}"
        ),
        _ => return Ok(()),
    };
    Err(Error::Usage(why))
}

/// Checks that this build can do what `--redis` says, and that what belongs to it is not given without it.
fn check_redis(args: &Args) -> Result<(), Error> {
    let why = match args.value("redis") {
        Some(_) if cfg!(feature = "redis") => return Ok(()),
        Some(value) => format!(
            "{} is given, but this sayso was built without the feature redis; build one that has it: \
             cargo build --release --features redis",
            value.name
        ),
        None => match args.value("redis-name").or_else(|| args.value("redis-keep")) {
            None => return Ok(()),
            Some(value) => format!(
                "{} is given without --redis, to which it belongs; add --redis URL or leave it out",
                value.name
            ),
        },
    };
    Err(Error::Usage(why))
}

/// Checks that no program is given twice, and that there are not too many.
fn check_programs(programs: &[Program]) -> Result<(), Error> {
    let is_twice = |at: usize| programs[..at].iter().any(|other| other.name == programs[at].name);
    let why = match (0..programs.len()).find(|at| is_twice(*at)) {
        Some(at) => {
            format!("--notify {:?} is given twice; write it once", programs[at].words.join(" "))
        }
        None if programs.len() > PROGRAMS_MAX => {
            format!(
                "--notify is given {} times, at most {PROGRAMS_MAX} are allowed",
                programs.len()
            )
        }
        None => return Ok(()),
    };
    Err(Error::Usage(why))
}

#[cfg(test)]
mod tests;
