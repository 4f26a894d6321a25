//! `sayso export`: writes the comments of a folder in a form that another system reads, or that needs none, whether a server runs or not.
//!
//! Reads the log and asks no server. Knows what may leave, not how a form is written.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

#[cfg(feature = "exchange")]
use crate::exchange::export::{html, isso, path_of, remark42, url_of, wordpress};
use crate::{
    cli::args::Args,
    cli::config,
    cli::values::{author, choice, page_prefix},
    error::Error,
    exchange::export::{Comments, Exported, csv, sayso},
    store::index::CommentRef,
    store::snapshot::Snapshot,
    util::logger,
    util::text::counted,
};

/// The flags that `sayso export` takes.
const FLAGS: [&str; 4] = ["to", "data", "page", "author"];
/// How far an import or an export steps back, of at most 19: it gets a tenth of a core that a server wants, and all of one that nobody
/// wants.
const NICENESS: i32 = 10;
/// What forms call the site that the comments are from.
#[cfg(feature = "exchange")]
const SITE: &str = "sayso";

/// What is to be exported, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The data folder.
    pub data: PathBuf,
    form: Form,
    page: Option<String>,
    author: Option<String>,
    /// Where to; `None` is stdout.
    file: Option<PathBuf>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Sayso,
    Csv,
    Isso,
    WordPress,
    Remark42,
    Html,
}

const FORMS: [(&str, Form); 6] = [
    ("sayso", Form::Sayso),
    ("csv", Form::Csv),
    ("isso", Form::Isso),
    ("wordpress", Form::WordPress),
    ("remark42", Form::Remark42),
    ("html", Form::Html),
];

/// The error for what only a build with the feature can do.
#[cfg(not(feature = "exchange"))]
pub(super) fn feature_missing(what: &str) -> Error {
    Error::Usage(format!(
        "this sayso was built without {what}; install one that has it: cargo install sayso --features exchange"
    ))
}

/// Parses the arguments.
///
/// # Errors
/// [`Error::Usage`] with a message that says what to write instead.
pub fn parse(args: &Args) -> Result<Export, Error> {
    let usage = |why: String| Err(Error::Usage(why));
    if let Some(flag) = args.flags().find(|flag| !FLAGS.contains(flag)) {
        let taken = FLAGS.map(|flag| format!("--{flag}")).join(" ");
        return usage(format!("sayso export does not take --{flag}, only {taken}"));
    }
    let known = FORMS.map(|(name, _)| name).join(", ");
    let Some(to) = args.given("to") else {
        return usage(format!("write sayso export --to FORM [FILE]; FORM is one of {known}"));
    };
    let form = to.parse(|text| choice(text, &FORMS))?;
    #[cfg(not(feature = "exchange"))]
    if !matches!(form, Form::Sayso | Form::Csv) {
        return Err(feature_missing(&format!("sayso export --to {}", to.text.display())));
    }
    let file = match args.operands() {
        [] if form == Form::Html => {
            return usage("write sayso export --to html FOLDER, with a new folder".into());
        }
        [] => None,
        [file] => Some(file.into()),
        _ => return usage(format!("write sayso export --to {} FILE", to.text.display())),
    };
    let text = |flag, parse: fn(&str) -> Result<String, String>| {
        args.given(flag).map(|value| value.parse(parse)).transpose()
    };
    Ok(Export {
        data: config::data(args),
        form,
        page: text("page", page_prefix)?,
        author: text("author", author)?,
        file,
    })
}

/// Lets other programs, a server that uses the folder above all, go first where there are too few cores.
pub(super) fn give_way() {
    // Where that isn't allowed, it is as it was.
    let _ = rustix::process::nice(NICENESS);
}

/// Exports.
///
/// # Errors
/// Fails if the log can't be read, or if the file is there already or can't be written.
pub fn run(export: &Export) -> Result<(), Error> {
    give_way();
    logger::init(log::LevelFilter::Warn).map_err(|error| Error::Other(error.to_string()))?;
    let snapshot = Snapshot::open(&export.data)?;
    let pages = match &export.page {
        None => snapshot.pages(),
        Some(page) => vec![snapshot.resolve(page)],
    };
    #[cfg(feature = "exchange")]
    check_distinct(export, &snapshot, &pages)?;
    let exported = match (&export.file, export.form) {
        #[cfg(feature = "exchange")]
        (Some(folder), Form::Html) => write_html(export, &snapshot, &pages, folder),
        (Some(file), _) => {
            let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
            let created = created.map_err(Error::io("create", file))?;
            write(export, &snapshot, &pages, created).map_err(Error::io("write", file))
        }
        (None, _) => match write(export, &snapshot, &pages, io::stdout()) {
            // A reader such as `head` has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.map_err(Error::io("write to", Path::new("stdout"))),
        },
    }?;
    let left_out = match exported.left_out {
        0 => String::new(),
        count => format!(", {count} left out: deleted, held or hidden"),
    };
    let exported = counted(exported.comments as usize, "comment");
    // Standard output may be the export.
    let _ = writeln!(io::stderr(), "{exported} exported{left_out}");
    Ok(())
}

/// Refuses to put the comments of two pages together, which nobody could take apart again.
#[cfg(feature = "exchange")]
fn check_distinct(export: &Export, snapshot: &Snapshot, pages: &[&str]) -> Result<(), Error> {
    let name_of: fn(&str) -> String = match export.form {
        Form::Isso => path_of,
        Form::WordPress | Form::Remark42 => url_of,
        _ => return Ok(()),
    };
    let mut known = std::collections::HashMap::new();
    let is_written = |page: &&&str| export.form != Form::Isso || snapshot.count(page) > 0;
    for page in pages.iter().filter(is_written) {
        let name = name_of(page);
        if let Some(other) = known.insert(name.clone(), page) {
            return Err(Error::Other(format!(
                "the pages {other:?} and {page:?} would be one there, {name:?}; nothing was exported: export one page at a time with --page"
            )));
        }
    }
    Ok(())
}

/// Writes one file with the comments of these pages.
fn write(
    export: &Export,
    snapshot: &Snapshot,
    pages: &[&str],
    file: impl Write,
) -> io::Result<Exported> {
    let mut out = BufWriter::new(file);
    let mut comments = pages.iter().flat_map(|page| select(export, snapshot, page));
    let comments: Comments = &mut comments;
    let exported = match export.form {
        Form::Sayso => {
            let exported = sayso::write(comments, snapshot.log_id(), &mut out)?;
            let is_wanted = |page: &&str| pages.contains(page) || export.page.is_none();
            if export.author.is_none() {
                let locked = snapshot.locked();
                sayso::write_locked(&mut locked.into_iter().filter(is_wanted), &mut out)?;
            }
            exported
        }
        #[cfg(feature = "exchange")]
        Form::Isso => isso::write(comments, &mut out)?,
        #[cfg(feature = "exchange")]
        Form::WordPress => wordpress::write(comments, SITE, &mut out)?,
        #[cfg(feature = "exchange")]
        Form::Remark42 => remark42::write(comments, SITE, &mut out)?,
        _ => csv::write(comments, &mut out)?,
    };
    out.flush()?;
    Ok(exported)
}

/// The comments of a page that are asked for, in its order.
fn select(
    export: &Export,
    snapshot: &Snapshot,
    page: &str,
) -> impl Iterator<Item = io::Result<crate::comment::Comment>> {
    let comments: Vec<CommentRef> = snapshot.comments(page);
    let comments = comments.into_iter().map(|comment| snapshot.read(comment));
    comments.filter(|comment| match (comment, &export.author) {
        (Ok(comment), Some(author)) => comment.author.as_ref() == Some(author),
        _ => true,
    })
}

/// Writes a document for each page, and one that lists them, into a new folder.
#[cfg(feature = "exchange")]
fn write_html(
    export: &Export,
    snapshot: &Snapshot,
    pages: &[&str],
    folder: &Path,
) -> Result<Exported, Error> {
    use std::fs::{File, create_dir};
    create_dir(folder).map_err(Error::io("create", folder))?;
    let mut all = Exported::default();
    let mut listed = Vec::new();
    for page in pages {
        if snapshot.count(page) == 0 {
            all.left_out += snapshot.comments(page).len() as u64;
            continue;
        }
        let path = folder.join(html::file_name(page));
        let written = File::create(&path).map(BufWriter::new).and_then(|mut out| {
            let exported = html::write_page(page, &mut select(export, snapshot, page), &mut out)?;
            out.flush()?;
            Ok(exported)
        });
        let written = written.map_err(Error::io("write", &path))?;
        all.comments += written.comments;
        all.left_out += written.left_out;
        listed.push(((*page).to_owned(), written.comments));
    }
    let path = folder.join("index.html");
    let written = File::create(&path).map(BufWriter::new).and_then(|mut out| {
        html::write_index("Comments", &mut listed.into_iter(), &mut out)?;
        out.flush()
    });
    written.map_err(Error::io("write", &path))?;
    Ok(all)
}
