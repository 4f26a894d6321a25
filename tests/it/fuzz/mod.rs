//! What libFuzzer does for hours, in a few seconds: the same checks over every kept seed, and over what chance makes of them.
//!
//! `tests/fuzz/run` goes on from here. What it finds becomes a regression test by being put into `tests/fuzz/seeds`.

use std::{fs, path::Path};

use crate::model::Chance;

mod draft;
mod head;
mod markup;
mod recovery;

use recovery::Found;

/// A folder's files, which a person could still look through.
const SEEDS_BYTES_MAX: usize = 200 * 1024;

/// A target's name, and seeds for where there are no others.
type Target = (&'static str, &'static [&'static [u8]]);

const HEAD: Target =
    ("head", &[b"\x05GET /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\nContent-Length: 1\r\n\r\nz"]);
const DRAFT: Target =
    ("draft", &[br#"{"content":"*a*","name":"b","key":"0123456789abcdef","parent":7}"#]);
const MARKUP: Target = ("markup", &[b"*a* [b](https://c)\n- d", b"and so on"]);
/// Whole, cut, and without its second line.
const RECOVERY: Target = (
    "recovery",
    &[
        &[2, 0, 0, 9, 0, 1, 9],
        &[2, 0, 0, 9, 0, 1, 9, 0, 1, 40],
        &[3, 0, 0, 9, 0, 1, 9, 0, 2, 9, 9, 1],
    ],
);

/// A target's seeds: its own, and the kept ones by name. The crate as it is published comes without the folder.
fn seeds((target, own): Target) -> Vec<Vec<u8>> {
    let own = own.iter().map(|seed| seed.to_vec());
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    if !fuzz.exists() {
        return own.collect();
    }
    let folder = fuzz.join("seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("every target has seeds")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    assert!(paths.len() > 10, "{} seeds in {}", paths.len(), folder.display());
    own.chain(paths.iter().map(|path| fs::read(path).expect("a seed is a file"))).collect()
}

/// A seed with a few changes, each of which libFuzzer would make too.
fn changed(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seeds[chance.below(seeds.len())].clone();
    for _ in 0..1 + chance.below(4) {
        let from = chance.below(bytes.len() + 1);
        let to = bytes.len().min(from + 1 + chance.below(24));
        let span = bytes[from..to].to_vec();
        match chance.below(7) {
            0 => bytes.truncate(from),
            1 => bytes[from..to].iter_mut().for_each(|byte| *byte ^= 1 << chance.below(8)),
            2 => bytes[from..to].fill(chance.below(256) as u8),
            3 => drop(bytes.drain(from..to)),
            4 => drop(bytes.splice(from..from, span.iter().copied().cycle().take(span.len() * 3))),
            5 => {
                let at = chance.below(bytes.len() + 1);
                bytes.splice(at..at, span);
            }
            _ => {
                let other = &seeds[chance.below(seeds.len())];
                let start = chance.below(other.len() + 1);
                let end = other.len().min(start + 1 + chance.below(200));
                bytes.splice(from..to, other[start..end].iter().copied());
            }
        }
    }
    bytes
}

/// Checks all seeds and so many changed ones; what the checks said of each.
fn check_all<T>(target: Target, times: usize, check: fn(&[u8]) -> T) -> Vec<T> {
    let seeds = seeds(target);
    let mut chance = Chance(seeds.len() as u64);
    let kept = seeds.iter().map(|seed| check(seed));
    kept.chain((0..times).map(|_| check(&changed(&seeds, &mut chance)))).collect()
}

/// How many of those checked are `is`; both kinds must be there, or nothing was tried.
fn some_of_each<T>(checked: &[T], is: impl Fn(&T) -> bool) {
    let count = checked.iter().filter(|one| is(one)).count();
    let least = checked.len() / 200;
    assert!(count > least && checked.len() - count > least, "{count} of {}", checked.len());
}

#[test]
fn whatever_is_sent_and_wherever_it_is_cut_requests_are_read_in_one_way() {
    some_of_each(&check_all(HEAD, 6_000, head::check), |requests| *requests > 0);
}

#[test]
fn whatever_a_client_says_becomes_one_safe_line_or_an_error_of_one_sentence() {
    some_of_each(&check_all(DRAFT, 12_000, draft::check), |taken| *taken);
}

#[test]
fn whatever_is_written_is_shown_by_allowed_elements_that_are_well_formed() {
    some_of_each(&check_all(MARKUP, 6_000, markup::check), |rich| *rich);
}

#[test]
fn whatever_happens_to_a_log_nothing_of_it_is_lost_in_silence() {
    let found = check_all(RECOVERY, 3_000, recovery::check);
    for kind in [Found::Whole, Found::Torn, Found::Refused] {
        some_of_each(&found, |found| *found == kind);
    }
}

#[test]
fn the_kept_seeds_stay_few() {
    let seeds: Vec<Vec<u8>> = [HEAD, DRAFT, MARKUP, RECOVERY].map(seeds).concat();
    assert!(seeds.iter().map(Vec::len).sum::<usize>() <= SEEDS_BYTES_MAX);
}
