use super::*;

const ADA: &str = "ada-token-of-16-bytes-or-more";
const BOB: &str = "bob-token-of-16-bytes-or-more";

fn from(address: &str) -> ClientKey {
    ClientKey::of(address.parse().unwrap())
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn names(text: &str) -> Vec<String> {
    parse(text).unwrap().iter().map(|one| one.name.to_string()).collect()
}

fn both() -> Arc<Moderators> {
    Moderators::new(parse(&format!("ada {ADA}\nbob {BOB}\n")).unwrap())
}

/// Shows a wrong token, which counts.
fn guess(moderators: &Arc<Moderators>, client: &str) -> Rejection {
    moderators.check("wrong", from(client)).expect_err("it is wrong").refuse(None)
}

#[test]
fn a_line_is_a_name_and_a_token_or_a_token_alone() {
    assert_eq!(names(ADA), ["moderator"]);
    assert_eq!(names("1234567890123456"), ["moderator"]);
    let text = format!("\u{feff}# who may in\r\n\r\n \tada  {ADA} \r\n#bob x\nJosé-2._ {BOB}");
    assert_eq!(names(&text), ["ada", "José-2._"]);
    let longest = "x".repeat(NAME_CHARS_MAX);
    assert_eq!(names(&format!("{longest} {ADA}")), [&*longest]);
}

#[test]
fn a_bad_line_is_named_by_its_number_and_none_of_its_words_is_repeated() {
    let long = "secretname".repeat(4);
    for (text, said) in [
        ("", "no moderator"),
        ("# only a comment\n\n", "no moderator"),
        ("secret-15-bytes", "line 1 has 15 bytes, at least 16 are required"),
        (&format!("# x\n\nada secret\n{BOB}"), "line 3 has 6 bytes"),
        (&format!("{ADA} secret"), "line 1 has 6 bytes"),
        (&format!("ada secret {ADA}"), "line 1 has 3 words"),
        (&format!("ada {ADA} # secret"), "line 1 has 4 words"),
        (&format!("{long} {ADA}"), "name in line 1 must be 1 to 32 letters"),
        (&format!("secret! {ADA}"), "name in line 1 must be"),
        (&format!("secret\u{200b} {ADA}"), "name in line 1 must be"),
        (&format!("secret {ADA}\n\nSECRET {BOB}"), "lines 1 and 3 have the same name"),
        (&format!("Owner {ADA}"), "the name in line 1 is owner"),
        (&format!("{ADA}\n{BOB}"), "lines 1 and 2 have the same name"),
        (&format!("secret {ADA}\nbob {ADA}"), "lines 1 and 2 have the same token"),
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.contains(said), "{text:?}: {error}");
        for secret in ["secret", ADA, BOB] {
            assert!(!error.to_lowercase().contains(secret), "{text:?}: {error}");
        }
    }
    let many: String = (0..=MODERATORS_MAX).map(|n| format!("m{n} {ADA}{n}\n")).collect();
    let all_but_the_last = many.lines().take(MODERATORS_MAX).collect::<Vec<_>>().join("\n");
    assert_eq!(names(&all_but_the_last).len(), MODERATORS_MAX);
    assert!(parse(&many).unwrap_err().contains("line 1001 is one too many, at most 1000"));
}

#[test]
fn each_token_is_its_moderators_and_no_part_of_one_is() {
    let moderators = both();
    for (token, name) in [(ADA, Some("ada")), (BOB, Some("bob")), (&ADA[1..], None), ("", None)] {
        let found = moderators.check(token, from("192.0.2.1")).ok();
        assert_eq!(found.as_deref(), name, "{token}");
    }
    let shown = format!("{:?}", parse(ADA).unwrap());
    assert_eq!(shown, "[Moderator(moderator)]");
}

#[test]
fn the_eleventh_wrong_token_of_a_minute_is_refused_and_so_is_a_right_one() {
    let moderators = both();
    for _ in 0..10 {
        assert_eq!(guess(&moderators, "192.0.2.1"), Rejection::WrongToken);
    }
    let rejection = guess(&moderators, "192.0.2.1");
    assert_eq!((rejection.status(), rejection.code()), (429, "too_fast"));
    assert!((1..=60).contains(&rejection.retry_after().unwrap()));
    assert!(moderators.check(ADA, from("192.0.2.1")).is_err(), "it was not even compared");
    assert!(moderators.check(ADA, from("192.0.2.2")).is_ok());
}

#[test]
fn an_address_that_has_shown_a_right_token_is_refused_by_no_number_of_wrong_ones() {
    let moderators = both();
    assert!(moderators.check(BOB, from("192.0.2.1")).is_ok());
    for _ in 0..100 {
        assert_eq!(guess(&moderators, "192.0.2.1"), Rejection::WrongToken);
    }
    moderators.replace(parse(&format!("ada {ADA}\nbob {BOB}x")).unwrap());
    let gone = guess(&moderators, "192.0.2.1");
    assert_eq!(gone.status(), 429, "with his token goes what it has earned");
}

#[test]
fn the_addresses_of_one_64_count_together() {
    let moderators = both();
    for n in 0..10 {
        assert_eq!(guess(&moderators, &format!("2001:db8::{n}")), Rejection::WrongToken);
    }
    assert_eq!(guess(&moderators, "2001:db8::ffff:1").status(), 429);
    assert_eq!(guess(&moderators, "2001:db8:0:1::1"), Rejection::WrongToken);
}

#[test]
fn an_authors_key_counts_only_until_it_is_known_as_one() {
    let moderators = both();
    let client = from("192.0.2.1");
    let at_once: Vec<_> = (0..10).map(|_| moderators.check("a key", client)).collect();
    assert!(matches!(moderators.check(ADA, client), Err(NotModerator::TooMany(_))));
    drop(at_once);
    assert!(moderators.check(ADA, client).is_ok());
}

#[test]
fn a_minute_is_counted_from_its_first_wrong_token_and_a_day_from_the_last_right_one() {
    let (mut guesses, client) = (Guesses::default(), from("192.0.2.1"));
    for second in 100..110 {
        assert_eq!(guesses.check(client, at(second)), Ok(()));
        guesses.count(client, at(second));
    }
    assert_eq!(guesses.check(client, at(110)), Err(50));
    assert_eq!(guesses.check(client, at(159)), Err(1));
    assert_eq!(guesses.check(client, at(160)), Ok(()));
    let day = 24 * 60 * 60;
    guesses.known_good.insert(client, (at(160), digest(ADA)));
    for _ in 0..20 {
        guesses.count(client, at(160 + day - 1));
    }
    assert_eq!(guesses.check(client, at(160 + day - 1)), Ok(()));
    assert_eq!(guesses.check(client, at(160 + day)), Err(59));
}

#[test]
fn no_more_than_the_stated_number_of_addresses_is_kept_and_guessers_push_out_no_moderator() {
    let (mut guesses, good) = (Guesses::default(), from("192.0.2.1"));
    guesses.known_good.insert(good, (at(0), digest(ADA)));
    for n in 0..100_000_u32 {
        let client = ClientKey::of(std::net::Ipv4Addr::from_bits(n).into());
        guesses.count(client, at(0));
    }
    assert!(guesses.wrong.young.len() + guesses.wrong.old.len() <= GUESSERS_MAX);
    assert!(guesses.known_good.get(good).is_some());
    for n in 0..10_000_u32 {
        let client = ClientKey::of(std::net::Ipv4Addr::from_bits(n).into());
        guesses.known_good.insert(client, (at(0), digest(ADA)));
    }
    let known = &guesses.known_good;
    assert!(known.young.len() + known.old.len() <= KNOWN_GOOD_MAX);
}
