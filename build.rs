//! Compresses what lies in `static/`, so that the binary holds it, and sends it, as small as gzip can be.

use std::{env, fs, io, path::Path};

use zopfli::{Format, Options};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=static");
    let out = env::var_os("OUT_DIR").expect("cargo says where to write");
    compress(Path::new("static"), &Path::new(&out).join("static")).expect("static/ can be read");
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
