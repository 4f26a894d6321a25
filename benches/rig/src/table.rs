//! What was measured, as a table: each row beside its peer or limit. And the machine that it was measured on.

use std::{fmt, fs, path::Path, thread};

/// What a row must reach.
#[derive(Clone, Copy, PartialEq)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
    /// For comparison only.
    None,
}

/// Rows in the order in which they came, notes below them.
pub struct Table {
    bench: &'static str,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
    judges: bool,
}

impl Table {
    /// `judges` says whether the numbers are large enough to be held against their bars.
    pub fn new(bench: &'static str, judges: bool) -> Table {
        let head = ["", "sayso", "beside", "", "ratio", "bar"].map(String::from);
        Table { bench, rows: vec![head.into()], notes: Vec::new(), judges }
    }

    /// A value beside its peer's; the bar is for their ratio.
    pub fn ratio(&mut self, what: &str, value: f64, peer: &str, beside: f64, bar: Bar) {
        self.row(what, value, peer, beside, value / beside, bar);
    }

    /// A value beside its bar.
    pub fn limit(&mut self, what: &str, value: f64, bar: Bar) {
        let (Bar::AtLeast(limit) | Bar::AtMost(limit)) = bar else { panic!("a limit is a number") };
        let bar = if bar == Bar::AtLeast(limit) { Bar::AtLeast(1.0) } else { Bar::AtMost(1.0) };
        self.row(what, value, "limit", limit, value / limit, bar);
    }

    /// What belongs to a row and is no ratio.
    pub fn note(&mut self, what: &str, text: &str) {
        self.notes.push(format!("{what}: {text}"));
    }

    fn row(&mut self, what: &str, value: f64, peer: &str, beside: f64, ratio: f64, bar: Bar) {
        let (sign, limit, holds) = match bar {
            Bar::AtLeast(limit) => ("≥", limit, ratio >= limit),
            Bar::AtMost(limit) => ("≤", limit, ratio <= limit),
            Bar::None => ("", 0.0, true),
        };
        let bar = match (sign, self.judges && !holds) {
            ("", _) => String::new(),
            (_, false) => format!("{sign} {limit}"),
            (_, true) => format!("{sign} {limit} MISSED"),
        };
        let ratio = format!("{ratio:.2}");
        let row = [what.into(), digits(value), peer.into(), digits(beside), ratio, bar];
        self.rows.push(row.into());
    }
}

/// Markdown, with columns.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.len() > 1 {
            write!(f, "{}", markdown(&self.rows, |column| matches!(column, 1 | 3 | 4)))?;
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        match self.judges {
            true => Ok(()),
            false => {
                let bench = self.bench;
                writeln!(
                    f,
                    "tiny numbers, which say nothing: `cargo bench --bench {bench}` measures"
                )
            }
        }
    }
}

/// A table of these rows, the first of which is its head.
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

/// The command, the machine with the file system that `folder` lies on, and who stands beside sayso.
pub fn machine(bench: &str, folder: &Path, beside: &str) -> String {
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
    format!(
        "`cargo bench --bench {bench}` · {cpu}, {cores} cores · Linux {} · {mount} · {beside}\n",
        kernel.trim()
    )
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    percentile(values, 0.5)
}

/// The value that this part of all is not above.
pub fn percentile(values: &mut [f64], part: f64) -> f64 {
    assert!(!values.is_empty(), "something was measured");
    values.sort_unstable_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}

/// Three digits that matter.
pub fn digits(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
