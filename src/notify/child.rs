//! Runs a program once: hands it an event, waits for its end, and keeps the beginning of what it complains about.
//!
//! Whatever the program does, it costs a bounded time and memory: it reads its input from a file, so that nobody waits for it to read; its
//! output is nobody's; and it is the leader of a process group, which is killed as a whole. Knows no event and no cursor.

use std::{
    env,
    fs::{self, File},
    io::{self, Read, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process_group},
};

use super::Failure;
use crate::{log::storage::open_options, util::text::shorten};

/// How long a program may take. One that sends mail over the network needs a few seconds.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a program may go on while sayso stops: well below the time that stopping may take.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of what a program writes to its standard error that are kept.
const COMPLAINT_BYTES_MAX: usize = 2 * 1024;
/// Lines and characters of it that the log is told.
const COMPLAINT_LINES_MAX: usize = 3;
const COMPLAINT_CHARS_MAX: usize = 200;
/// What the variables begin with that configure sayso, and are nobody else's business.
const OWN_VARIABLES: &str = "SAYSO_";
/// The shortest and the longest time between two looks at a program that runs; its end is mostly noticed at once, by the end of its
/// standard error.
const LOOK_INTERVALS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// Runs `words` with `input` as its standard input, for `timeout` at most. `input_path` is where the input may stand in a file for a
/// moment. As soon as `stop` is set, the program has [`STOP_TIMEOUT`] left.
///
/// # Errors
/// [`Failure::Stopping`] if it was killed because sayso stops, else how it ended and what it said, unless it ended with exit code 0.
pub fn run(
    words: &[String],
    input: &[u8],
    input_path: &Path,
    timeout: Duration,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let mut command = without_own_variables(words);
    command.stdin(input_file(input_path, input)?).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn()?;
    let mut complaint = Complaint { pipe: child.stderr.take(), bytes: Vec::new() };
    let how = match wait(&mut child, &mut complaint, Instant::now() + timeout, stop)? {
        End::Exited(status) if status.success() => return Ok(()),
        End::Stopped => return Err(Failure::Stopping),
        End::Exited(status) => status.to_string(),
        End::TimedOut => format!("it was killed after {} s", timeout.as_secs()),
    };
    Err(Failure::Why(how + &complaint.text()))
}

/// The command, which inherits no variable of sayso. Where there are such, `env` removes them: it becomes the program, and the code that a
/// changed environment takes in here is as long as the rest of this file.
fn without_own_variables(words: &[String]) -> Command {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let own: Vec<String> = names.filter(|name| name.starts_with(OWN_VARIABLES)).collect();
    let mut command = Command::new(if own.is_empty() { &words[0] } else { "env" });
    for name in &own {
        command.args(["-u", name]);
    }
    command.args(&words[usize::from(own.is_empty())..]);
    command
}

/// How waiting for a child ended.
enum End {
    Exited(ExitStatus),
    TimedOut,
    Stopped,
}

/// A file without a name that only this process can read, and whoever inherits it.
fn input_file(path: &Path, input: &[u8]) -> io::Result<File> {
    let _ = fs::remove_file(path);
    let written = open_options().create_new(true).open(path).and_then(|mut file| {
        file.write_all(input)?;
        // For reading only, and from the beginning.
        File::open(path)
    });
    let _ = fs::remove_file(path);
    written
}

/// Waits until the child ends. One that takes too long is killed with all that it has started.
fn wait(
    child: &mut Child,
    complaint: &mut Complaint,
    mut deadline: Instant,
    stop: &AtomicBool,
) -> io::Result<End> {
    let mut is_stopping = false;
    let mut interval = LOOK_INTERVALS.0;
    loop {
        if let Some(status) = child.try_wait()? {
            complaint.read_more(Duration::ZERO);
            return Ok(End::Exited(status));
        }
        let now = Instant::now();
        if !is_stopping && stop.load(Relaxed) {
            is_stopping = true;
            deadline = deadline.min(now + STOP_TIMEOUT);
        }
        if now >= deadline {
            // Before its end is noticed: until then its number is no other group's.
            let killed = kill_process_group(Pid::from_child(child), Signal::KILL);
            killed.map_err(io::Error::from).or_else(|_| child.kill())?;
            child.wait()?;
            return Ok(if is_stopping { End::Stopped } else { End::TimedOut });
        }
        interval = match complaint.read_more(interval.min(deadline - now)) {
            true => LOOK_INTERVALS.0,
            false => LOOK_INTERVALS.1.min(interval * 2),
        };
    }
}

/// What a child writes to its standard error. All of it is read, so that the child never waits, and its beginning is kept.
struct Complaint {
    /// `None` once nobody writes to it any more.
    pipe: Option<ChildStderr>,
    bytes: Vec<u8>,
}

impl Complaint {
    /// Reads once, waiting so long for something to read. Returns whether anything came, be it the end.
    fn read_more(&mut self, wait: Duration) -> bool {
        let Some(pipe) = &mut self.pipe else {
            thread::sleep(wait);
            return false;
        };
        let timeout = Timespec::try_from(wait).expect("it is far below 2^63 seconds");
        let is_ready = poll(&mut [PollFd::new(&pipe.as_fd(), PollFlags::IN)], Some(&timeout));
        if !is_ready.is_ok_and(|ready| ready > 0) {
            return false;
        }
        let mut chunk = [0; COMPLAINT_BYTES_MAX];
        match pipe.read(&mut chunk) {
            Ok(len @ 1..) => {
                let room = COMPLAINT_BYTES_MAX - self.bytes.len();
                self.bytes.extend_from_slice(&chunk[..len.min(room)]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => self.pipe = None,
        }
        true
    }

    /// The first lines, for the log; nothing if there are none. A line ends where the address of a decision begins, which is a secret.
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines = lines.take(COMPLAINT_LINES_MAX).map(|line| match line.split_once("/m/") {
            Some((before, _)) => format!("{}/m/…", shorten(before, COMPLAINT_CHARS_MAX)),
            None => shorten(line, COMPLAINT_CHARS_MAX),
        });
        let mut said = String::new();
        for line in lines {
            said.push_str("; it says: ");
            said.push_str(&line);
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::atomic::AtomicU32};

    use crossbeam_channel::bounded;

    use super::*;

    /// Far above what anything takes here.
    const LONG: Duration = Duration::from_secs(60);
    static GOES_ON: AtomicBool = AtomicBool::new(false);

    fn path() -> PathBuf {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        std::env::temp_dir().join(format!("sayso-child-{}-{number}", std::process::id()))
    }

    /// Runs a line of shell, whose `$0` is a file of its own.
    fn shell(script: &str, input: &[u8], timeout: Duration) -> (Result<(), Failure>, String) {
        let (file, input_path) = (path(), path());
        let words = ["sh", "-c", script, file.to_str().unwrap()].map(str::to_owned);
        let outcome = run(&words, input, &input_path, timeout, &GOES_ON);
        assert!(!input_path.exists());
        let written = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        (outcome, written)
    }

    fn says(outcome: &Result<(), Failure>) -> &str {
        match outcome {
            Err(Failure::Why(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_program_reads_its_input_to_the_end_and_succeeds_with_exit_code_0() {
        let input = vec![b'x'; 1 << 20];
        assert_eq!(shell("wc -c >$0", &input, LONG), (Ok(()), "1048576\n".into()));
        assert_eq!(shell("exit 0", &input, LONG).0, Ok(()), "it reads nothing");
    }

    #[test]
    fn a_failure_says_how_and_what_the_program_said_first() {
        let script = "echo one >&2; echo >&2; echo 'https://t.example/m/c2VjcmV0.c2VjcmV0 two' >&2; \
             printf '%0999d\\n' 3 >&2; echo four >&2; exit 7";
        let (outcome, _) = shell(script, b"", LONG);
        let said = says(&outcome);
        assert!(
            said.starts_with(
                "exit status: 7; it says: one; it says: https://t.example/m/…; it says: 000"
            ),
            "{said}"
        );
        assert!(!said.contains("c2Vj") && !said.contains("four") && said.len() < 400, "{said}");
        assert!(says(&shell("kill -9 $$", b"", LONG).0).starts_with("signal: 9"));
        let missing = run(&["/no/such/program".into()], b"", &path(), LONG, &GOES_ON);
        assert!(says(&missing).contains("No such file"), "{missing:?}");
        let unwritable =
            run(&["true".into()], b"", Path::new("/no/such/folder/file"), LONG, &GOES_ON);
        assert!(says(&unwritable).starts_with("No such file"), "{unwritable:?}");
    }

    #[test]
    fn a_program_that_writes_without_end_neither_waits_nor_takes_memory() {
        let script = "head -c 100000000 /dev/zero; head -c 10000000 /dev/zero >&2; echo done >$0";
        assert_eq!(shell(script, b"", LONG), (Ok(()), "done\n".into()));
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_all_that_it_has_started() {
        let fifo = path();
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let (sender, ended) = bounded(1);
        let reading = fifo.clone();
        // It is read to its end once nobody lives who inherited it.
        thread::spawn(move || sender.send(fs::read_to_string(reading)));
        let script = "exec 9>\"$1\"; echo lives >&9; (sh -c 'sleep 1000 & sleep 1000') & exec 2>&-; sleep 1000";
        let words = ["sh", "-c", script, "sh", fifo.to_str().unwrap()].map(str::to_owned);
        let outcome = run(&words, b"", &path(), Duration::from_secs(1), &GOES_ON);
        assert!(says(&outcome).starts_with("it was killed after 1 s"), "{outcome:?}");
        let read = ended.recv_timeout(LONG).expect("somebody lives");
        assert_eq!(read.unwrap(), "lives\n");
        fs::remove_file(fifo).unwrap();
    }

    #[test]
    fn what_goes_on_in_the_background_is_not_waited_for() {
        let (outcome, pid) = shell("sleep 1000 & echo $! >$0", b"", LONG);
        assert_eq!(outcome, Ok(()));
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).expect("it lives");
    }

    #[test]
    fn whoever_stops_waits_no_longer_than_for_a_moment() {
        let stop = AtomicBool::new(true);
        let hangs = ["sleep", "1000"].map(str::to_owned);
        assert_eq!(run(&hangs, b"", &path(), LONG, &stop), Err(Failure::Stopping));
        assert_eq!(run(&["true".into()], b"", &path(), LONG, &stop), Ok(()));
    }

    #[test]
    fn a_program_gets_no_file_of_sayso_but_its_three() {
        let own = path();
        let _open = File::create(&own).unwrap();
        let (outcome, listed) = shell(
            "ls -l /proc/$$/fd >$0; cut -d' ' -f5 /proc/$$/stat >>$0; echo $$ >>$0",
            b"",
            LONG,
        );
        assert_eq!(outcome, Ok(()));
        assert!(
            !listed.contains(own.to_str().unwrap()) && listed.contains("/dev/null"),
            "{listed}"
        );
        let lines: Vec<&str> = listed.lines().map(str::trim).collect();
        let [.., group, process] = lines[..] else { panic!("{listed}") };
        assert_eq!(group, process, "it leads a group of its own");
        fs::remove_file(own).unwrap();
    }
}
