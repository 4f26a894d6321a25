use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";
const SITE: &str = "https://blog.example";
const UNTIL: u64 = 1_795_816_800;
/// What Python's hmac and base64 make of SECRET and the claims of [`ada`].
const SIGNED_BY_PYTHON: &str = "eyJpZCI6IjQyIiwibmFtZSI6IkFkYSBMb3ZlbGFjZSIsInNpdGUiOiJodHRwczovL2Jsb2cuZXhhbXBsZSIsInVudGlsIjoxNzk1ODE2ODAwfQ.3dfd044762567309cf8384b70d24d2836ccfa1e68a9de7ad3b070b3a0bc0fcdb";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(UNTIL - 3_600)
}

fn sign_text(secret: &str, text: &str) -> String {
    let mac = hmac_sha256(secret.as_bytes(), &[text.as_bytes()]);
    let digits: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{text}.{digits}")
}

fn sign(json: &str) -> String {
    sign_text(SECRET, &BASE64_URL_SAFE_NO_PAD.encode(json))
}

fn ada() -> String {
    format!(r#"{{"id":"42","name":"Ada Lovelace","site":"{SITE}","until":{UNTIL}}}"#)
}

fn check_at(user: &str, secrets: &str, now: SystemTime) -> Result<SignedUser, Rejection> {
    let sign_on = SignOn::new(parse(secrets).unwrap());
    let from = Requester { origin: Some(SITE), ..Requester::default() };
    check(Some(&sign_on), user, from, now)
}

fn check_user(user: &str) -> Result<SignedUser, Rejection> {
    check_at(user, SECRET, now())
}

#[track_caller]
fn why(user: &str) -> String {
    match check_user(user) {
        Err(Rejection::UserMalformed(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_that_another_program_has_signed_is_who_it_says() {
    assert_eq!(sign(&ada()), SIGNED_BY_PYTHON);
    let user = check_user(SIGNED_BY_PYTHON).unwrap();
    assert_eq!(user.author.to_string(), "ybdS8bEVI5fK5h9y4U2VIw");
    assert_eq!((&*user.name, user.moderator, user.until), ("Ada Lovelace", None, UNTIL));
}

#[test]
fn what_the_base64_is_filled_up_with_does_not_matter() {
    let json = format!("{} ", ada());
    let padded = BASE64_URL_SAFE.encode(&json);
    assert!(padded.ends_with('='), "{padded}");
    assert_eq!(check_user(&sign_text(SECRET, &padded)), check_user(&sign(&json)));
}

#[test]
fn each_flipped_bit_and_each_missing_byte_is_refused() {
    let (dot, _) = SIGNED_BY_PYTHON.split_once('.').map(|(text, _)| (text.len(), ())).unwrap();
    for at in 0..SIGNED_BY_PYTHON.len() {
        for bit in 0..8 {
            let mut bytes = SIGNED_BY_PYTHON.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let text = String::from_utf8_lossy(&bytes);
            let outcome = check_user(&text);
            let is_refused = match outcome {
                Err(Rejection::UserForged) => true,
                // No dot, or no digit.
                Err(Rejection::UserMalformed(_)) => at >= dot,
                _ => false,
            };
            assert!(is_refused, "{at} {bit} {outcome:?}");
        }
        assert!(check_user(&SIGNED_BY_PYTHON[..at]).is_err(), "{at}");
        assert!(check_user(&SIGNED_BY_PYTHON[at + 1..]).is_err(), "{at}");
    }
    let upper = SIGNED_BY_PYTHON[dot..].to_uppercase();
    assert!(why(&format!("{}{upper}", &SIGNED_BY_PYTHON[..dot])).contains("lower-case"));
}

#[test]
fn a_user_of_another_secret_is_forged() {
    assert_eq!(check_at(SIGNED_BY_PYTHON, OTHER, now()), Err(Rejection::UserForged));
    let sign_on = None;
    let outcome = check(sign_on, SIGNED_BY_PYTHON, Requester::default(), now());
    assert_eq!(outcome, Err(Rejection::NoSignOn));
}

#[test]
fn a_second_secret_is_accepted_and_makes_no_authors() {
    let user = check_user(SIGNED_BY_PYTHON);
    assert_eq!(check_at(SIGNED_BY_PYTHON, &format!("{SECRET}\n{OTHER}\n"), now()), user);
    let other = check_at(SIGNED_BY_PYTHON, &format!("{OTHER}\n\n {SECRET} "), now()).unwrap();
    assert_ne!(other.author, user.unwrap().author, "the first secret makes authors");
    let sign_on = SignOn::new(parse(SECRET).unwrap());
    assert!(!sign_on.replace(parse(&format!("{SECRET}\n{OTHER}")).unwrap()));
    assert!(sign_on.replace(parse(&format!("{OTHER}\n{SECRET}")).unwrap()));
}

#[test]
fn a_user_is_good_before_its_end_which_is_24_hours_away_at_most() {
    let at = |seconds: u64| {
        check_at(SIGNED_BY_PYTHON, SECRET, UNIX_EPOCH + Duration::from_secs(seconds))
    };
    let day = USER_AHEAD_MAX.as_secs();
    assert!(at(UNTIL - 1).is_ok());
    assert_eq!(
        at(UNTIL).unwrap_err().to_string(),
        "user was signed until 2026-11-27T22:00:00.000Z, and it is 2026-11-27T22:00:00.000Z; load the page again"
    );
    assert!(at(UNTIL - day).is_ok());
    assert_eq!(
        at(UNTIL - day - 1).unwrap_err().to_string(),
        "user is signed until 2026-11-27T22:00:00.000Z, at most 24 h ahead are allowed, which is until 2026-11-27T21:59:59.000Z"
    );
    for milliseconds in [UNTIL * 1_000, u64::MAX] {
        let json = ada().replace(&UNTIL.to_string(), &milliseconds.to_string());
        assert!(matches!(check_user(&sign(&json)), Err(Rejection::UserTooFarAhead(..))));
    }
}

#[test]
fn a_user_of_another_site_is_refused_with_both() {
    let sign_on = SignOn::new(parse(SECRET).unwrap());
    let refused = |origin| {
        let from = Requester { origin, ..Requester::default() };
        check(Some(&sign_on), SIGNED_BY_PYTHON, from, now()).unwrap_err().to_string()
    };
    assert_eq!(
        refused(Some("https://evil.example")),
        "user is signed for https://blog.example, but this comes from https://evil.example"
    );
    assert_eq!(
        refused(None),
        "user is signed for https://blog.example, but the request does not say which site it comes from; send Origin: https://blog.example"
    );
}

#[test]
fn the_same_id_on_another_site_is_another_author() {
    let secrets = parse(SECRET).unwrap();
    let author = secrets.author(SITE, "42");
    assert_ne!(author, secrets.author("https://other.example", "42"));
    assert_ne!(author, secrets.author(SITE, "43"));
}

#[test]
fn a_moderator_is_logged_with_the_name_and_the_host_which_no_token_can_be_called() {
    let json = ada().replace('}', r#","moderator":true}"#);
    let user = check_user(&sign(&json)).unwrap();
    assert_eq!(user.moderator.as_deref(), Some("Ada Lovelace (https://blog.example)"));
    assert_eq!(
        user.to_json(),
        format!(
            r#"{{"user":{{"author":"ybdS8bEVI5fK5h9y4U2VIw","name":"Ada Lovelace","moderator":true,"until":{UNTIL}}}}}"#
        )
    );
    for none in ["false", "null"] {
        let json = ada().replace('}', &format!(r#","moderator":{none}}}"#));
        let user = check_user(&sign(&json)).unwrap();
        assert_eq!(user.moderator, None);
        assert!(!user.to_json().contains("moderator"));
    }
}

#[test]
fn what_a_host_page_has_made_wrong_is_told_with_the_value_and_the_limit() {
    let long = "x".repeat(USER_BYTES_MAX - SIGNATURE_DIGITS - 1);
    assert_eq!(check_user(&format!("{long}.{}", "0".repeat(64))), Err(Rejection::UserForged));
    let longer = format!("{long}x.{}", "0".repeat(64));
    assert_eq!(why(&longer), "it is 2049 bytes, 0 to 2048 are allowed");
    assert!(why("").contains("a dot and 64 lower-case hexadecimal digits"));
    assert!(why(&sign_text(SECRET, "{}")).contains("BASE64URL(JSON)"));
    for (find, put, says) in [
        ("\"42\"", "42", "invalid type: integer `42`, expected a string"),
        ("\"42\"", "\"\"", "id is 0 bytes, 1 to 128 are allowed"),
        ("42\"", &format!("{}\"", "x".repeat(129)), "id is 129 bytes, 1 to 128 are allowed"),
        ("\"id\"", "\"ID\"", "missing field `id`"),
        ("Ada Lovelace", " ", "name is empty"),
        (SITE, "https://blog.example/", "write https://blog.example"),
        (SITE, "blog.example", "but must begin with a scheme"),
        ("16800}", "16800.5}", "invalid type: floating point"),
        ("16800}", "16800,\"moderator\":1}", "invalid type: integer `1`, expected a boolean"),
        ("{", "[{", "invalid type: sequence"),
    ] {
        let json = ada().replacen(find, put, 1);
        assert!(json != ada() || find == put, "{find}");
        let why = why(&sign(&json));
        assert!(why.contains(says), "{json}: {why}");
    }
    let long = ada().replace("Ada Lovelace", &"x".repeat(65));
    assert_eq!(check_user(&sign(&long)), Err(Rejection::NameTooLong(65)));
    let longest = ada().replace("42", &"x".repeat(USER_ID_BYTES_MAX));
    assert!(check_user(&sign(&longest)).is_ok());
}

#[test]
fn a_file_has_one_secret_or_two_and_no_error_repeats_any() {
    for good in [
        SECRET.to_owned(),
        "x".repeat(SECRET_BYTES_MAX),
        format!("\u{feff}\n  {SECRET}\t\r\n\n{OTHER}\n"),
    ] {
        assert!(parse(&good).is_ok(), "{good}");
    }
    for (wrong, says) in [
        (String::new(), "secret 1 of 0 has 0 bytes"),
        (
            format!("{SECRET}\n{OTHER}\n{SECRET}"),
            "secret 3 of 3 has 32 bytes, but there must be 1 or 2",
        ),
        ("x".repeat(SECRET_BYTES_MIN - 1), "secret 1 of 1 has 31 bytes"),
        (format!("{SECRET}\n{}", "x".repeat(SECRET_BYTES_MAX + 1)), "secret 2 of 2 has 1025 bytes"),
    ] {
        let error = parse(&wrong).unwrap_err();
        assert!(error.contains(says) && !error.contains("xx"), "{error}");
        assert!(!error.contains(SECRET), "{error}");
    }
    assert_eq!(format!("{:?}", parse(SECRET).unwrap()), "Secrets(1)");
}
