//! The table of results: each row beside its peer or limit, printed as soon as it is measured. And the machine that it was measured on.

use std::{fs, path::Path, thread};

/// What a row must reach.
#[derive(Clone, Copy, PartialEq)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
    /// For comparison only.
    None,
}

/// Which rows are printed.
#[derive(Clone, Copy, PartialEq)]
pub enum Rows {
    All,
    /// Only those with a bar, and no notes.
    WithBar,
}

/// Prints a row as soon as it is there, and notes at the end.
pub struct Table {
    rows: Rows,
    notes: Vec<String>,
    is_judging: bool,
    has_head: bool,
}

const HEAD: [&str; 6] = ["what", "sayso", "beside", "ratio", "bar", ""];
/// Wide enough for most cells; a longer one only looks untidy.
const WIDTHS: [usize; 6] = [66, 10, 32, 6, 6, 6];

impl Table {
    /// `is_judging` says whether the numbers are large enough to be compared with their bars.
    pub fn new(rows: Rows, is_judging: bool) -> Table {
        Table { rows, notes: Vec::new(), is_judging, has_head: false }
    }

    /// A value beside its peer's; the bar is for their ratio.
    pub fn ratio(&mut self, what: &str, value: f64, peer: &str, beside: f64, bar: Bar) {
        self.row(what, value, peer, beside, bar);
    }

    /// A value beside its limit.
    pub fn limit(&mut self, what: &str, value: f64, bar: Bar) {
        let (limit, bar) = match bar {
            Bar::AtLeast(limit) => (limit, Bar::AtLeast(1.0)),
            Bar::AtMost(limit) => (limit, Bar::AtMost(1.0)),
            Bar::None => panic!("a limit is a number"),
        };
        self.row(what, value, "limit", limit, bar);
    }

    /// What belongs to a row and is no ratio.
    pub fn note(&mut self, what: &str, text: &str) {
        if self.rows == Rows::All {
            self.notes.push(format!("{what}: {text}"));
        }
    }

    /// Ends the table.
    pub fn print_notes(self) {
        if !self.notes.is_empty() {
            println!("\n{}", self.notes.join("\n"));
        }
    }

    fn row(&mut self, what: &str, value: f64, peer: &str, beside: f64, bar: Bar) {
        if self.rows == Rows::WithBar && bar == Bar::None {
            return;
        }
        if !std::mem::replace(&mut self.has_head, true) {
            print!("{}{}", line(&HEAD.map(String::from)), rule());
        }
        let ratio = value / beside;
        let (bar, holds) = match bar {
            Bar::AtLeast(limit) => (format!("≥ {limit}"), Some(ratio >= limit)),
            Bar::AtMost(limit) => (format!("≤ {limit}"), Some(ratio <= limit)),
            Bar::None => (String::new(), None),
        };
        let verdict = match holds {
            Some(_) if !self.is_judging => "tiny",
            Some(true) => "ok",
            Some(false) => "missed",
            None => "",
        };
        let beside = format!("{peer} {}", digits(beside));
        let ratio = format!("{ratio:.2}");
        print!("{}", line(&[what.into(), digits(value), beside, ratio, bar, verdict.into()]));
    }
}

fn is_number(column: usize) -> bool {
    matches!(column, 1 | 3)
}

fn line(cells: &[String; 6]) -> String {
    let cell = |(column, cell): (usize, &String)| {
        let width = WIDTHS[column];
        match is_number(column) {
            true => format!("| {cell:>width$} "),
            false => format!("| {cell:width$} "),
        }
    };
    cells.iter().enumerate().map(cell).collect::<String>() + "|\n"
}

fn rule() -> String {
    let column = |(column, width)| {
        let end = if is_number(column) { ":" } else { "-" };
        format!("|{}{end}", "-".repeat(width + 1))
    };
    WIDTHS.into_iter().enumerate().map(column).collect::<String>() + "|\n"
}

/// A Markdown table of these rows, the first of which is its head.
pub fn markdown(rows: &[Vec<String>], is_number: impl Fn(usize) -> bool) -> String {
    let columns = 0..rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = columns.map(|column| width(column).unwrap_or(0).max(2)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text += &match is_number(column) {
                true => format!("| {cell:>width$} "),
                false => format!("| {cell:width$} "),
            };
        }
        text += "|\n";
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let colon = if is_number(column) { ":" } else { "-" };
                text += &format!("|{}{colon}", "-".repeat(width + 1));
            }
            text += "|\n";
        }
    }
    text
}

/// The machine, with the file system of `folder`.
pub fn machine(folder: &Path) -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or("unknown processor", |(_, name)| name);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let mounts = read("/proc/self/mounts");
    // Device, where, type, options; the deepest mount point above the folder is its own.
    let folder = folder.canonicalize().expect("the bench's folder is there");
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts.filter(|mount| folder.starts_with(mount[1])).max_by_key(|m| m[1].len());
    let mount = mount.map_or("unknown".into(), |m| format!("{} ({} on {})", m[2], m[3], m[0]));
    format!("{cpu}, {cores} cores · Linux {} · {mount}", kernel.trim())
}

/// The median.
pub fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

/// The value that this part of all does not exceed.
pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    assert!(!values.is_empty(), "something was measured");
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// Three significant digits; thousands are separated by commas.
pub fn digits(value: f64) -> String {
    match value.abs() {
        1_000.0.. => grouped(value),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A whole number with commas between its thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let separated = |(at, digit)| {
        let comma = at > 0 && (digits.len() - at) % 3 == 0;
        comma.then_some(',').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(separated).collect()
}
