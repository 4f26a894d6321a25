//! The table: a row for each setup, beside the node alone. Knows nothing of how it was measured.

use rig::{
    crowd::DRAIN_TIMEOUT_LOSSY,
    table::{digits, markdown},
};

use super::{Load, Plan, contender::Contender};

const HEAD: &str = "server|posts/s, readers|first / it|lost|posts/s, authors alone|first / it|lost|CPU µs|of Redis|\
                    p50 ms, slow|p99|it / first|lost|p50 ms, paced|p99|it / first";

/// Prints the table, what its columns are, and what belongs to a row and has no column.
pub fn print(plan: &Plan, contenders: &[Contender], bytes: usize) {
    let mut rows = vec![HEAD.split('|').map(String::from).collect::<Vec<_>>()];
    let mut notes = Vec::new();
    let alone = &contenders[0];
    for contender in contenders {
        rows.push(row(contender, alone));
        notes.extend(notes_of(contender));
    }
    println!(
        "{} readers and {} authors of one page, spread evenly over the servers of a row; a line has {bytes} bytes. Medians of {} rounds, of the\n\
         peer's one. posts/s: each author sends its next comment when it has its last (of the peer's, or after 1 s), for {} s, or the peer's {}.\n\
         CPU: of a comment of authors alone, of the servers and of Redis. Latency: from just before an author sends to when a reader has it, slow\n\
         with {} and paced with {} comments a second, for {} s. Lost: the part of the comments that a member had not got {} s after the last was\n\
         sent; sayso may lose, double or reorder none. All servers of a row, Redis too, share the cores that the crowd leaves.\n",
        plan.readers,
        plan.authors,
        plan.rounds,
        plan.window.as_secs_f64(),
        plan.peer_window.as_secs_f64(),
        plan.rates[0],
        plan.rates[1],
        plan.paced_window.as_secs_f64(),
        DRAIN_TIMEOUT_LOSSY.as_secs(),
    );
    println!("{}{}", markdown(&rows, |column| column > 0), notes.join("\n"));
}

fn row(contender: &Contender, alone: &Contender) -> Vec<String> {
    let [readers, authors, slow, paced] =
        [Load::Readers, Load::AuthorsAlone, Load::Slow, Load::Paced]
            .map(|load| (contender.under(load), alone.under(load)));
    let mut row = vec![contender.name().to_owned()];
    for (rounds, beside) in [readers, authors] {
        row.extend([
            number(rounds.rate()),
            ratio(beside.rate(), rounds.rate()),
            mean_lost(rounds.lost()),
        ]);
    }
    row.extend(authors.0.cpu().map(number));
    for (rounds, beside) in [slow, paced] {
        let ([p50, p99], [_, beside]) = (rounds.latency(), beside.latency());
        row.extend([number(p50), number(p99), ratio(p99, beside), mean_lost(rounds.lost())]);
    }
    // The peer is not measured there, and nobody else may lose any.
    row.pop();
    row
}

fn notes_of(contender: &Contender) -> Vec<String> {
    let mut notes = Vec::new();
    let name = contender.name();
    if let Some(why) = contender.why_failed() {
        notes.push(format!("{name} failed: {why}"));
    }
    if let Some([used, estimated]) = contender.entry_bytes().filter(|_| !contender.is_peer()) {
        notes.push(format!(
            "{name}: an entry takes {used:.0} bytes of Redis' memory, {estimated:.0} by MEMORY USAGE"
        ));
    }
    if contender.is_peer() {
        let loads = [
            ("readers", Load::Readers),
            ("authors alone", Load::AuthorsAlone),
            ("slow", Load::Slow),
        ];
        for (load, rounds) in loads.map(|(load, under)| (load, contender.under(under))) {
            if let Some([least, mean, most]) = rounds.lost() {
                notes.push(format!(
                    "{name}, {load}: a member did not get {} of the comments, the luckiest {}, the unluckiest {}",
                    percent(mean), percent(least), percent(most)
                ));
            }
        }
    }
    notes
}

fn number(value: Option<f64>) -> String {
    value.map(digits).unwrap_or_default()
}

fn ratio(value: Option<f64>, beside: Option<f64>) -> String {
    value.zip(beside).map(|(value, beside)| digits(value / beside)).unwrap_or_default()
}

fn mean_lost(lost: Option<[f64; 3]>) -> String {
    lost.map(|[_, mean, _]| percent(mean)).unwrap_or_default()
}

/// Nothing only if it is nothing.
fn percent(part: f64) -> String {
    match part * 100.0 {
        0.0 => "0".into(),
        percent @ ..0.1 => format!("{percent:.4} %"),
        percent => format!("{percent:.1} %"),
    }
}
