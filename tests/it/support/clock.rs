//! A clock of a test's own, which the programs that are given it show: through a library that is compiled here and loaded before theirs.
//! Knows neither the programs nor what they do with the time.

use std::{fs, process::Command};

use super::server::{Folder, TIMEOUT, output};

/// Shows this machine's time, shifted by the seconds that stand in a file; or, behind a `=`, the seconds themselves.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    const char *path = getenv("CLOCK_SHOWS");
    if (result || !path || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
    char text[32] = {0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length > 0 && text[0] == '=') { now->tv_sec = atoll(text + 1); now->tv_nsec = 0; }
    else now->tv_sec += atoll(text);
    return 0;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    if (out) *out = exact.tv_sec;
    return exact.tv_sec;
}
"#;

/// See the [module](self).
pub struct Clock(Folder);

impl Clock {
    /// A clock that shows this machine's time. Where there is no C compiler, or no way to load a library, it returns `None` and says on
    /// stdout that the test does nothing.
    pub fn new() -> Option<Clock> {
        let folder = Folder::new();
        let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
        fs::write(&source, LIBRARY).unwrap();
        if !cfg!(target_os = "linux") || Command::new("cc").arg("--version").output().is_err() {
            println!("skipped: no cc, or not Linux");
            return None;
        }
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o", &library, &source]);
        let compiled = output(&mut compiler, TIMEOUT);
        assert!(compiled.status.success(), "{compiled:?}");
        let clock = Clock(folder);
        clock.shift(0);
        Some(clock)
    }

    /// Variables of the environment with which a program has this clock.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [("LD_PRELOAD", self.0.join("clock.so")), ("CLOCK_SHOWS", self.0.join("shows"))]
    }

    /// Shows so many seconds since 1970 from now on, and stands still.
    pub fn show(&self, seconds: i64) {
        self.write(&format!("={seconds}"));
    }

    /// Is so many seconds ahead of this machine's from now on.
    pub fn shift(&self, seconds: i64) {
        self.write(&seconds.to_string());
    }

    fn write(&self, text: &str) {
        // As a whole, since it is read at any time.
        let new = self.0.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.0.join("shows")).unwrap();
    }
}
