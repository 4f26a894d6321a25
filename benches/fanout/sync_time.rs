//! How long one `fdatasync` takes on the file system that the logs are on.

use std::{fs::File, io::Write, path::Path, time::Instant};

/// About what a line takes in the file.
const LINE_BYTES: usize = 300;

/// Appends a line so many times, and returns the seconds that each took.
pub fn measure(folder: &Path, count: usize) -> Vec<f64> {
    let mut file = File::create(folder.join("appended")).expect("the folder can be written to");
    let line = [b'a'; LINE_BYTES];
    let mut append = |_| {
        let start = Instant::now();
        file.write_all(&line).expect("a file can be written to");
        file.sync_data().expect("a file can be synced");
        start.elapsed().as_secs_f64()
    };
    (0..count).map(&mut append).collect()
}
