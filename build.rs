//! Compresses the files of `static/` with zopfli; the binary embeds and sends them compressed.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use zopfli::{Format, Options};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=static");
    let out = env::var_os("OUT_DIR").expect("cargo says where to write");
    embed(Path::new("static"), Path::new(&out)).expect("static/ can be read");
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
