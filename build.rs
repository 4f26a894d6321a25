//! Compresses what lies in `static/`, and asks the linker for a smaller binary, where it can do what is asked: packed relocations
//! (DT_RELR) are 150 KB less, functions of the same code folded into one (ICF) 10 KB.
//!
//! The C library must know how to read packed relocations, glibc from 2.36 on, so that is done only where the binary is built for
//! the machine that builds it.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use zopfli::{Format, Options};

const GLIBC_MIN: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=static");
    let out = env::var_os("OUT_DIR").expect("cargo says where to write");
    embed(Path::new("static"), Path::new(&out)).expect("static/ can be read");
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

/// Compresses every file below `folder` into `out`, and writes `static.rs` there: the list of them, as path and bytes.
fn embed(folder: &Path, out: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    find_files(folder, &mut files)?;
    files.sort();
    let mut list = String::from("&[");
    for file in files {
        let url = file.strip_prefix(folder).expect("it was found there").display().to_string();
        let packed = out.join("static").join(format!("{url}.gz"));
        fs::create_dir_all(packed.parent().expect("it has a folder"))?;
        let bytes = fs::read(&file)?;
        zopfli::compress(Options::default(), Format::Gzip, &bytes[..], fs::File::create(&packed)?)?;
        list += &format!("({:?}, include_bytes!({packed:?})),\n", format!("/{url}"));
    }
    fs::write(out.join("static.rs"), list + "]")
}

fn find_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => find_files(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
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
