//! Tests of `config.rs`, and of how `mod.rs` parses subcommands.

use std::ffi::OsString;
#[cfg(feature = "redis")]
use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::cli::{Subcommand, parse};

fn parse_with_env(line: &str, env: &[(&str, &str)]) -> Result<Subcommand, Error> {
    let value =
        |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    parse(line.split_whitespace().map(OsString::from), value)
}

fn config(line: &str, env: &[(&str, &str)]) -> Config {
    match parse_with_env(line, env) {
        Ok(Subcommand::Serve(config)) => config,
        other => panic!("{line}: {other:?}"),
    }
}

fn error(line: &str) -> String {
    parse_with_env(line, &[]).unwrap_err().to_string()
}

fn blocks(list: &[&str]) -> Vec<Network> {
    list.iter().map(|block| block.parse().unwrap()).collect()
}

/// Every flag with a value other than its default.
const ALL_FLAGS: [(&str, &str); 25] = [
    ("listen", "0.0.0.0:81"),
    ("data", "/srv/x"),
    ("sync", "never"),
    ("base-path", "/x/y/"),
    ("public-url", "https://Talk.example:443/x/y/"),
    ("allow-origin", "https://Blog.example"),
    ("trust-proxy", "10.0.0.0/8"),
    ("rate", "3/5"),
    ("challenge", "17"),
    ("max-connections", "50"),
    ("max-per-address", "40"),
    ("page-prefix", "blog.example/"),
    ("max-pages", "7"),
    ("hold", "links"),
    ("block-file", "/srv/words"),
    ("max-links", "3"),
    ("flags-hold", "5"),
    ("close-after", "30"),
    ("admin-token-file", "/srv/token"),
    ("notify", "/srv/mail"),
    ("sign-on-file", "/srv/secret"),
    ("title", "Wall"),
    ("metrics", "public"),
    ("log-level", "debug"),
    ("log-format", "json"),
];
/// Every flag without a value.
const ALL_SWITCHES: [&str; 2] = ["no-page", "log-addresses"];

/// Those of builds with the feature `redis`, which contradict another one of [`ALL_FLAGS`].
const REDIS_FLAGS: [(&str, &str); 3] =
    [("redis", "redis://:s3cret@h:1/2"), ("redis-name", "talk"), ("redis-keep", "5000")];

fn config_of_all_flags() -> Config {
    Config {
        listen: ListenAddress::Tcp(SocketAddr::from(([0, 0, 0, 0], 81))),
        data: "/srv/x".into(),
        sync: SyncMode::Never,
        base_path: "/x/y".into(),
        public_url: Some("https://talk.example/x/y".into()),
        allow_origin: vec!["https://blog.example".into()],
        trust_proxy: blocks(&["10.0.0.0/8"]),
        rate: Some(Rate { posts: 3, seconds: 5 }),
        challenge: Some(17),
        max_connections: 50,
        max_per_address: 40,
        page_prefix: vec!["blog.example/".into()],
        max_pages: 7,
        hold: Hold::Links,
        block_file: Some("/srv/words".into()),
        max_links: Some(3),
        flags_hold: Some(5),
        close_after: Some(30),
        admin_token_file: Some("/srv/token".into()),
        notify: vec![Program::parse("/srv/mail").unwrap()],
        sign_on_file: Some("/srv/secret".into()),
        no_page: true,
        title: "Wall".into(),
        metrics_are_public: true,
        #[cfg(feature = "redis")]
        redis: None,
        log_level: log::LevelFilter::Debug,
        log_is_json: true,
        log_addresses: true,
    }
}

#[test]
fn without_flags_the_config_is_the_documented_default() {
    assert_eq!(config("", &[]), Config::default());
    assert_eq!(config("serve", &[]), Config::default());
    let documented = blocks(&["127.0.0.0/8", "::1/128"]);
    assert_eq!(Config::default().trust_proxy, documented);
}

#[test]
fn every_flag_is_read_from_the_command_line() {
    let switches = || ALL_SWITCHES.iter().map(|name| format!("--{name}"));
    let flags = ALL_FLAGS.iter().map(|(name, value)| format!("--{name} {value}"));
    let line: Vec<String> = switches().chain(flags).collect();
    assert_eq!(config(&line.join(" "), &[]), config_of_all_flags());
    let flags = ALL_FLAGS.iter().map(|(name, value)| format!("--{name}={value}"));
    let line: Vec<String> = flags.chain(switches()).collect();
    assert_eq!(config(&line.join(" "), &[]), config_of_all_flags());
}

#[test]
fn every_flag_is_read_from_the_environment() {
    let switches = ALL_SWITCHES.iter().zip(["on", "1"]).map(|(name, value)| (*name, value));
    let env: Vec<(String, &str)> = ALL_FLAGS
        .into_iter()
        .chain(switches)
        .map(|(name, value)| (format!("SAYSO_{}", name.replace('-', "_").to_uppercase()), value))
        .collect();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(config("", &env), config_of_all_flags());
}

#[test]
fn a_wrong_value_is_reported_with_its_flag_or_variable() {
    assert!(error("--max-pages x").starts_with("--max-pages is \"x\", but must be a whole number"));
    let error = parse_with_env("", &[("SAYSO_MAX_PAGES", "x")]).unwrap_err().to_string();
    assert!(error.starts_with("SAYSO_MAX_PAGES is \"x\", but must be"), "{error}");
}

#[test]
fn help_shows_every_flag_with_its_default_in_at_most_100_columns() {
    let with_value = ALL_FLAGS.into_iter().chain(REDIS_FLAGS).map(|(name, _)| name);
    for name in with_value.chain(ALL_SWITCHES) {
        assert!(HELP.contains(&format!("\n  --{name} ")), "{name}");
    }
    for default in
        ["127.0.0.1:8000", "./data", "10/60", "10000", "100", "100000", "Comments", "info", "none"]
    {
        assert!(HELP.contains(&format!("[{default}]")), "{default}");
    }
    assert!(HELP.lines().all(|line| line.len() <= 100 && line.trim_end() == line));
}

#[test]
fn maintenance_subcommands_take_a_folder_and_nothing_else() {
    let data = || PathBuf::from("x");
    let check = |data: &str| Subcommand::Check { data: data.into(), block_file: None };
    assert_eq!(parse_with_env("check --data x", &[]).unwrap(), check("x"));
    assert_eq!(
        parse_with_env("check --data x --block-file w", &[]).unwrap(),
        Subcommand::Check { data: data(), block_file: Some("w".into()) }
    );
    assert_eq!(
        parse_with_env("repair --data x", &[]).unwrap(),
        Subcommand::Repair { data: data() }
    );
    assert_eq!(
        parse_with_env("--data x compact", &[]).unwrap(),
        Subcommand::Compact { data: data() }
    );
    let env = [("SAYSO_DATA", "x"), ("SAYSO_LISTEN", "not even an address")];
    assert_eq!(parse_with_env("check", &env).unwrap(), check("x"));
    assert_eq!(parse_with_env("check", &[]).unwrap(), check("./data"));
    assert_eq!(
        error("check --listen 127.0.0.1:1"),
        "sayso check does not take --listen, only --data and --block-file"
    );
    assert_eq!(
        error("repair --block-file w"),
        "sayso repair does not take --block-file, only --data"
    );
}

#[test]
fn doctor_takes_a_url_and_optionally_a_site() {
    let doctor = |line: &str| parse_with_env(line, &[("SAYSO_SYNC", "maybe")]);
    let (url, site) = ("https://a.example/talk".to_string(), "https://b.example".to_string());
    let alone = Subcommand::Doctor { url: url.clone(), site: None };
    assert_eq!(doctor("doctor https://A.example:443/talk/").unwrap(), alone);
    let both = Subcommand::Doctor { url, site: Some(site) };
    assert_eq!(doctor("doctor https://a.example/talk https://B.example").unwrap(), both);
    for (line, why) in [
        ("doctor", "write sayso doctor URL"),
        ("doctor a.example", "URL is \"a.example\", but must be an address"),
        ("doctor https://a.example b", "SITE is \"b\", but must be an origin"),
        ("doctor https://a.example https://b.example c", "write sayso doctor URL"),
        ("doctor https://a.example --data x", "sayso doctor takes no flags, but --data is given"),
    ] {
        let message = error(line);
        assert!(message.contains(why), "{line}: {message}");
    }
}

#[test]
fn help_and_version_ignore_mistakes_elsewhere() {
    assert_eq!(parse_with_env("--sync maybe --help", &[]).unwrap(), Subcommand::Help);
    assert_eq!(
        parse_with_env("--version", &[("SAYSO_SYNC", "maybe")]).unwrap(),
        Subcommand::Version
    );
}

#[test]
fn trusted_proxies_replace_the_default_and_none_excludes_others() {
    let proxies = |line: &str| config(line, &[]).trust_proxy;
    assert_eq!(proxies("--trust-proxy none"), []);
    let two = "--trust-proxy 10.0.0.0/8 --trust-proxy fd00::/8";
    assert_eq!(proxies(two), blocks(&["10.0.0.0/8", "fd00::/8"]));
    assert!(
        error("--trust-proxy none --trust-proxy 10.0.0.0/8").contains("write one or the other")
    );
    let env = [("SAYSO_TRUST_PROXY", "10.0.0.0/8,::1")];
    assert_eq!(config("", &env).trust_proxy, blocks(&["10.0.0.0/8", "::1/128"]));
    assert_eq!(config("--trust-proxy none", &env).trust_proxy, []);
}

#[test]
fn hold_without_a_moderator_is_refused() {
    for hold in ["links", "new", "all"] {
        assert!(error(&format!("--hold {hold}")).contains("add --admin-token-file"), "{hold}");
        assert!(parse_with_env(&format!("--hold {hold} --admin-token-file t"), &[]).is_ok());
    }
    assert!(parse_with_env("--hold none --max-links off", &[]).is_ok());
    for flag in ["--block-file", "--max-links"] {
        let said = error(&format!("{flag} 0"));
        assert!(said.starts_with(flag) && said.contains("add --admin-token-file"), "{said}");
        assert!(parse_with_env(&format!("{flag} 0 --admin-token-file t"), &[]).is_ok());
    }
}

#[test]
fn what_belongs_to_redis_is_refused_without_it() {
    for (flag, value) in &REDIS_FLAGS[1..] {
        let said = error(&format!("--{flag} {value}"));
        let expected = format!("--{flag} is given without --redis, to which it belongs; add");
        assert!(said.starts_with(&expected), "{said}");
        let name = format!("SAYSO_{}", flag.replace('-', "_").to_uppercase());
        let said = parse_with_env("", &[(&name, value)]).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{name} is given without --redis")), "{said}");
    }
}

#[cfg(not(feature = "redis"))]
#[test]
fn without_its_feature_redis_is_refused_with_how_to_build_it() {
    let [(_, url), ..] = REDIS_FLAGS;
    let in_environment = parse_with_env("", &[("SAYSO_REDIS", url)]);
    for said in [error(&format!("--redis {url}")), in_environment.unwrap_err().to_string()] {
        assert!(said.ends_with("cargo build --release --features redis"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[cfg(feature = "redis")]
#[test]
fn the_stream_is_read_from_flags_and_environment_and_no_error_shows_a_password() {
    let line: Vec<String> =
        REDIS_FLAGS.iter().map(|(name, value)| format!("--{name} {value}")).collect();
    let names = REDIS_FLAGS
        .map(|(name, value)| (format!("SAYSO_{}", name.replace('-', "_").to_uppercase()), value));
    let env = names.each_ref().map(|(name, value)| (&**name, *value));
    let expected = RedisOptions {
        url: "redis://:s3cret@h:1/2".into(),
        address: "h:1/2".into(),
        name: "talk".into(),
        keep: 5_000,
    };
    assert_eq!(config(&line.join(" "), &[]).redis.as_ref(), Some(&expected));
    assert_eq!(config("", &env).redis, Some(expected));
    let alone = config("--redis redis://h", &[]).redis.unwrap();
    assert_eq!((&*alone.name, alone.keep), ("main", 100_000));
    for (line, advice) in [
        ("--redis redis://:s3cret@h --sync never", "leave --sync never out"),
        ("--redis rediss://:s3cret@h", "--redis asks for TLS"),
        ("--redis redis://:s3cret@h/x", "its value is not shown"),
        ("--redis redis://:s3cret@h --redis-keep 5", "--redis-keep is \"5\", but must be"),
        ("--redis redis://:s3cret@h --redis-name a:b", "--redis-name is \"a:b\", but must be"),
    ] {
        let said = error(line);
        assert!(said.contains(advice) && !said.contains("s3cret"), "{said}");
    }
    let raw = OsString::from_vec(b"redis://:s3cret@\xff".to_vec());
    let said = parse(["--redis".into(), raw].into_iter(), |_| None).unwrap_err().to_string();
    assert!(said.starts_with("--redis must be UTF-8") && !said.contains("s3cret"), "{said}");
}

#[test]
fn each_program_is_given_once_and_there_are_not_too_many() {
    let parse_all = |programs: &[String]| {
        let flags = programs.iter().flat_map(|program| ["--notify".to_owned(), program.clone()]);
        parse(flags.map(OsString::from), |_| None).map_err(|error| error.to_string())
    };
    let many: Vec<String> = (0..=PROGRAMS_MAX).map(|n| format!("/srv/mail 'to {n}'")).collect();
    let Ok(Subcommand::Serve(config)) = parse_all(&many[1..]) else { panic!("as many as may be") };
    assert_eq!(config.notify[0].words, ["/srv/mail", "to 1"]);
    assert_eq!(parse_all(&many).unwrap_err(), "--notify is given 17 times, at most 16 are allowed");
    let twice = ["/srv/mail a", "digest:/srv/mail a", "/srv/mail  'a'"].map(str::to_owned);
    assert!(parse_all(&twice[..2]).is_ok());
    assert_eq!(
        parse_all(&twice).unwrap_err(),
        "--notify \"/srv/mail a\" is given twice; write it once"
    );
    let wrong = parse_all(&["mail 'a".to_owned()]).unwrap_err();
    assert!(wrong.starts_with("--notify is \"mail 'a\", but a quotation"), "{wrong}");
}

#[test]
fn the_public_url_must_end_with_the_base_path() {
    assert!(
        error("--base-path /x --public-url https://a.example")
            .ends_with("write --public-url https://a.example/x")
    );
    let behind_a_proxy_that_strips_the_path = config("--public-url https://a.example/x", &[]);
    assert_eq!(behind_a_proxy_that_strips_the_path.base_path, "");
}
