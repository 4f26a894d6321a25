//! Full and failing media: what is refused, and what is believed after it.

use std::time::Instant;

use sayso::log::CommitError;

use super::{
    open,
    power::{CARE, Tally, crash_everywhere, crash_within, mix_within},
    writer::{Act, Step, Writer, script},
};
use crate::model::{Chance, Faults, Machine};

#[test]
fn a_medium_that_fills_up_at_any_byte_refuses_a_batch_as_a_whole_and_takes_it_when_there_is_room() {
    let (start, mut tally) = (Instant::now(), Tally::default());
    let steps = script(5, 7);
    let (mut refused, mut chance) = (0, Chance(11));
    for room in 0.. {
        let machine = Machine::holding(Vec::new());
        let mut writer = Writer::new(machine.clone()).unwrap();
        machine.set_faults(Faults { room: Some(room), ..Faults::default() });
        let mut first = None;
        for step in &steps {
            let age = machine.age();
            match writer.step(step) {
                Ok(()) => {}
                Err(fault) => {
                    assert_eq!(fault, CommitError::Full, "{room} bytes");
                    refused += 1;
                    // What is smaller may still fit; after that, somebody makes room.
                    let _ =
                        writer.step(&Step::Write(vec![Act::Post { content_bytes: 1, page: 0 }]));
                    machine.set_faults(Faults::default());
                    writer.step(step).unwrap();
                    first = Some(age..machine.age());
                    break;
                }
            }
        }
        let opened = open(&machine, 0).unwrap();
        assert!(opened.torn.is_none() && writer.truth.allows(&opened.lines), "{room} bytes");
        let first = first.unwrap_or_default();
        if room % 601 == 0 {
            crash_within(&writer, first.clone(), CARE, &mut tally);
        }
        if room % 16 == 0 {
            mix_within(&writer, first, &mut chance, &mut tally);
        }
        // All of it fitted, the compactions too.
        if machine.faults().room.is_some() {
            println!("a full medium: {refused} batches refused, {room} bytes hold everything");
            break;
        }
    }
    assert!(refused > 500, "{refused} refusals");
    tally.say("a full medium", start);
    assert!(tally.crashes > 5_000);
}

#[test]
fn after_a_failed_sync_no_later_success_is_believed_and_a_restart_finds_what_was_acknowledged() {
    let (start, mut tally) = (Instant::now(), Tally::default());
    let steps = script(6, 12);
    let (mut failures, mut survived) = (0, 0);
    for syncs in 0.. {
        let machine = Machine::holding(Vec::new());
        machine.set_faults(Faults { syncs: Some(syncs), ..Faults::default() });
        let Ok(mut writer) = Writer::new(machine.clone()) else {
            assert_eq!(syncs, 0, "only the first sync is needed to begin");
            assert!(open(&machine, 1).is_ok());
            continue;
        };
        let (mut failed, mut failed_at) = (false, 0);
        for step in &steps {
            if machine.faults().syncs.is_some() {
                failed_at = machine.age();
            }
            match writer.step(step) {
                Ok(()) => assert!(!failed || !matches!(step, Step::Write(_)), "sync {syncs}"),
                Err(fault) => {
                    assert!(matches!(fault, CommitError::Failed(_)), "{fault}");
                    failed = true;
                }
            }
        }
        if machine.faults().syncs.is_some() {
            break;
        }
        failures += usize::from(failed);
        survived += usize::from(!failed);
        // Up to there it is as without the failure, and behind it no line is ever accepted.
        if syncs % 4 == 1 {
            crash_within(&writer, failed_at..failed_at + 5, CARE, &mut tally);
        }
    }
    println!("a failing sync: {failures} times for good, {survived} times only a compaction");
    assert!(failures > 12 && survived > 0);
    tally.say("a failing sync", start);
    assert!(tally.crashes > 2_000);
}

#[test]
fn a_torn_tail_that_can_not_be_kept_aside_is_not_cut() {
    let machine = Machine::holding(Vec::new());
    let mut writer = Writer::new(machine.clone()).unwrap();
    let post = Step::Write(vec![Act::Post { content_bytes: 60, page: 0 }; 3]);
    writer.step(&post).unwrap();
    let torn = [&machine.bytes()[..], b"{\"seq\":4,\"id\""].concat();
    let no_room = Faults { room: Some(5), ..Faults::default() };
    let failures = (0..3).map(|syncs| Faults { syncs: Some(syncs), ..Faults::default() });
    for (number, faults) in [no_room].into_iter().chain(failures).enumerate() {
        let machine = Machine::holding(torn.clone());
        machine.set_faults(faults);
        let opened = open(&machine, 0);
        assert_eq!(opened.is_err(), number < 3, "two syncs are enough");
        assert!(number > 1 || machine.bytes() == torn, "nothing is cut before it is kept");
        machine.set_faults(Faults::default());
        assert_eq!(open(&machine, 1).unwrap().lines.len(), 3);
        assert!(machine.asides().values().any(|aside| torn.ends_with(aside) && aside.len() == 13));
    }
}

#[test]
fn a_medium_that_can_neither_write_nor_cut_back_has_failed() {
    let machine = Machine::holding(Vec::new());
    let mut writer = Writer::new(machine.clone()).unwrap();
    let post = Step::Write(vec![Act::Post { content_bytes: 60, page: 0 }; 3]);
    writer.step(&post).unwrap();
    machine.set_faults(Faults { room: Some(100), cut: true, ..Faults::default() });
    assert!(matches!(writer.step(&post), Err(CommitError::Failed(_))));
    machine.set_faults(Faults::default());
    assert!(matches!(writer.step(&post), Err(CommitError::Failed(_))), "also with room");
    let mut tally = Tally::default();
    crash_everywhere(&writer, CARE, &mut tally);
    assert!(tally.torn > 0);
}
