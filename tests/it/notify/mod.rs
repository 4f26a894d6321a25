//! `--notify`: what programs are told, whatever they do, and over every kind of end.

mod durability;
mod events;
mod links;
mod programs;
mod recipes;

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use serde_json::Value;

use crate::support::server::{Folder, TIMEOUT};

/// Hands the event on, as one line.
const TELLS: &str = "{ cat; echo; } >\"$D/told\"";

/// A program for `--notify`, in a folder of its own that it finds in `$D`.
struct Program {
    folder: Folder,
    told: Receiver<String>,
    /// Written to by [`Program::let_go`].
    go: File,
}

impl Program {
    /// A program of these lines of shell. What it writes to `$D/told` is an event; where it reads `$D/go`, it waits for
    /// [`Program::let_go`].
    fn new(script: &str) -> Program {
        let folder = Folder::new();
        for fifo in ["told", "go"] {
            assert!(Command::new("mkfifo").arg(folder.join(fifo)).status().unwrap().success());
        }
        // For both, so that nobody waits for it to be opened, and that it has no end.
        let open =
            |name| OpenOptions::new().read(true).write(true).open(folder.join(name)).unwrap();
        let (sender, told) = channel();
        let lines = BufReader::new(open("told")).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let program = Program { go: open("go"), folder, told };
        program.write(script);
        program
    }

    /// Makes it another one, under the same name.
    fn write(&self, script: &str) {
        let (path, folder) = (self.path(), self.folder.path().display());
        let _ = fs::remove_file(&path);
        let mut file = File::create(&path).unwrap();
        writeln!(file, "#!/bin/sh\nD='{folder}'\necho >>\"$D/runs\"\n{script}").unwrap();
        file.set_permissions(Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    /// The flag that names it.
    fn flags(&self) -> [String; 2] {
        ["--notify".into(), self.folder.join("program")]
    }

    /// The next event.
    #[track_caller]
    fn next(&self) -> Value {
        let line = self.told.recv_timeout(TIMEOUT).expect("nothing is told");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The text of the comment that is told next.
    #[track_caller]
    fn next_text(&self) -> String {
        text(&self.next())
    }

    /// Lets a run that waits go on.
    fn let_go(&self) {
        (&self.go).write_all(b"\n").unwrap();
    }

    /// How often it was started.
    fn runs(&self) -> usize {
        fs::read_to_string(self.folder.join("runs")).map_or(0, |runs| runs.lines().count())
    }
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::yield_now();
    }
}

fn text(event: &Value) -> String {
    event["line"]["content"].as_str().unwrap_or_else(|| panic!("{event}")).to_owned()
}
