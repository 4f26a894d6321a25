//! Compresses what lies in `static/`, and asks the linker for a smaller binary, where it can do what is asked: packed relocations
//! (DT_RELR) are 150 KB less, functions of the same code folded into one (ICF) 10 KB.
//!
//! The C library must know how to read packed relocations, glibc from 2.36 on, so that is done only where the binary is built for
//! the machine that builds it.

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
};

use zopfli::{Format, Options};

const GLIBC_MIN: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=static");
    let out = env::var_os("OUT_DIR").expect("cargo says where to write");
    compress(Path::new("static"), &Path::new(&out).join("static")).expect("static/ can be read");
    let is_native = env::var("HOST") == env::var("TARGET");
    if !is_native {
        return;
    }
    if glibc().is_some_and(|version| version >= GLIBC_MIN) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs,-O2");
    }
    let fold = "-Wl,--icf=all";
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && linker_takes(fold) {
        println!("cargo::rustc-link-arg-bins={fold}");
    }
}

/// Writes every file below `from` to the same place below `to`, as gzip, its name with `.gz`.
fn compress(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let path = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            compress(&entry.path(), &path)?;
            continue;
        }
        let mut name = path.into_os_string();
        name.push(".gz");
        let file = fs::read(entry.path())?;
        zopfli::compress(Options::default(), Format::Gzip, &file[..], fs::File::create(name)?)?;
    }
    Ok(())
}

/// `getconf` says `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether an empty program can be linked so, by the linker and with the flags that sayso will be.
fn linker_takes(argument: &str) -> bool {
    let link = || {
        let mut rustc = Command::new(env::var_os("RUSTC")?);
        if let Some(linker) = env::var_os("RUSTC_LINKER") {
            rustc.arg("-C").arg(format!("linker={}", linker.to_str()?));
        }
        let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
        rustc.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
        rustc.args(["-", "--crate-name", "probe", "-C", &format!("link-arg={argument}")]);
        rustc.arg("--out-dir").arg(env::var_os("OUT_DIR")?);
        let mut child = rustc.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        child.stdin.take()?.write_all(b"fn main() {}").ok()?;
        child.wait().ok().map(|status| status.success())
    };
    link() == Some(true)
}
