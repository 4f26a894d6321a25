//! Runs over restarts, restored backups and damage.

use std::path::PathBuf;

use super::*;

pub(super) const LOG: &str = "9c41f0aa53d7e6b2";

/// A folder that goes with the test.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sayso-runs-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(super) fn begin(&self, next: u64) -> Runs {
        Runs::begin(&self.0, LOG, next).unwrap()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join(FILE_NAME)
    }

    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_cursor_is_proved_below_the_next_runs_first_seq() {
    let folder = Folder::new("proves");
    let one = folder.begin(1);
    let mark = one.mark().to_string();
    assert!(one.proves(&mark, 0, 1) && one.proves(&mark, 6, 7) && !one.proves(&mark, 7, 7));
    // It gave 1 to 6, and the next one goes on with 7.
    let two = folder.begin(7);
    for (since, is_proved) in [(0, true), (6, true), (7, false), (100, false)] {
        assert_eq!(two.proves(&mark, since, 20), is_proved, "{since}");
    }
    assert!(two.proves(two.mark(), 19, 20) && !two.proves(two.mark(), 20, 20));
    for wrong in ["", "0", "0000000000000000", "+000000000000001", &mark.to_uppercase(), &mark[1..]]
    {
        assert!(wrong == mark || !two.proves(wrong, 0, 20), "{wrong:?}");
    }
}

#[test]
fn the_documented_example_is_what_is_written() {
    let mark = |text| parse_mark(text).unwrap();
    let runs = [
        Run { mark: mark("77ab03c1d95e4a12"), first: 1 },
        Run { mark: mark("5d0c1a7e03bb42f9"), first: 42 },
    ];
    let text = encode(LOG, &runs);
    assert!(include_str!("../README.md").contains(&format!("```text\n{text}```")), "{text}");
    assert_eq!(parse(LOG, &text), Some(runs.to_vec()));
}

#[test]
fn a_log_that_went_back_takes_its_runs_back() {
    let folder = Folder::new("back");
    let (one, two) = (folder.begin(1), folder.begin(7));
    // A backup of seq 3 is restored: of the first run 1 to 3 are there, of the second nothing.
    let three = folder.begin(4);
    assert!(three.proves(one.mark(), 3, 9) && !three.proves(one.mark(), 4, 9));
    assert!(!three.proves(two.mark(), 0, 9));
    assert_eq!(folder.text().lines().count(), 2);
    // Starts that give no seq take nothing from each other.
    let four = folder.begin(9);
    let five = folder.begin(9);
    assert!(five.proves(four.mark(), 8, 9) && five.proves(three.mark(), 8, 9));
    assert!(!five.proves(four.mark(), 9, 20) && five.proves(five.mark(), 9, 20));
}

#[test]
fn the_newest_1024_runs_are_kept() {
    let folder = Folder::new("many");
    let runs: Vec<Run> = (1..RUNS_MAX as u64).map(|mark| Run { mark, first: mark }).collect();
    std::fs::write(folder.file(), encode(LOG, &runs)).unwrap();
    let first = format_mark(1);
    assert!(folder.begin(2_000).proves(&first, 1, 2_000));
    let more = folder.begin(2_000);
    assert!(!more.proves(&first, 1, 2_000) && more.proves(&format_mark(2), 2, 2_000));
    assert_eq!(folder.text().lines().count(), RUNS_MAX);
    let longest = encode(LOG, &[Run { mark: u64::MAX, first: 1 << 62 }; RUNS_MAX]);
    assert!(longest.len() as u64 <= FILE_BYTES_MAX, "{} bytes", longest.len());
}

#[test]
fn whatever_is_not_what_was_written_is_begun_anew() {
    let folder = Folder::new("damage");
    let one = folder.begin(1);
    let two = folder.begin(12);
    let whole = folder.text();
    assert!(folder.begin(20).proves(two.mark(), 19, 20));
    // Every flipped bit, and every lost end: the newest run comes first, so what is left proves nothing that it should not.
    for at in 0..whole.len() * 8 {
        let mut bytes = whole.clone().into_bytes();
        bytes[at / 8] ^= 1 << (at % 8);
        std::fs::write(folder.file(), bytes).unwrap();
        let runs = folder.begin(20);
        assert!(!runs.proves(one.mark(), 0, 20) && !runs.proves(two.mark(), 0, 20), "bit {at}");
    }
    let ends: Vec<usize> = whole.match_indices('\n').map(|(at, _)| at + 1).collect();
    for length in 1..whole.len() {
        std::fs::write(folder.file(), &whole[..length]).unwrap();
        let runs = folder.begin(20);
        assert!(!runs.proves(one.mark(), 0, 20), "{length} bytes");
        assert_eq!(runs.proves(two.mark(), 19, 20), ends.contains(&length), "{length} bytes");
    }
    std::fs::write(folder.file(), &whole).unwrap();
    let other = Runs::begin(&folder.0, "0000000000000000", 20).unwrap();
    assert!(!other.proves(one.mark(), 0, 20), "the runs of another log");
}

#[test]
fn a_file_that_can_not_be_written_is_removed_and_the_run_goes_on() {
    let folder = Folder::new("unwritable");
    let one = folder.begin(1);
    std::fs::create_dir(folder.0.join("runs.new")).unwrap();
    let two = folder.begin(5);
    assert!(two.proves(one.mark(), 4, 5) && two.proves(two.mark(), 4, 5));
    assert!(!folder.file().exists());
    std::fs::remove_dir(folder.0.join("runs.new")).unwrap();
    let three = folder.begin(9);
    assert!(!three.proves(one.mark(), 6, 9) && !three.proves(two.mark(), 6, 9));
    // A folder in its place can't be removed as a file.
    std::fs::remove_file(folder.file()).unwrap();
    std::fs::create_dir(folder.file()).unwrap();
    assert!(matches!(Runs::begin(&folder.0, LOG, 9), Err(Error::Io { .. })));
}
