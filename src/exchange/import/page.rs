//! Names a page as the widget does: from the URL or path in an export, by the options.
//!
//! Pure.

use std::fmt::Write;

use super::options::{Options, PageFrom};
use super::text::clip;
use crate::limits::PAGE_BYTES_MAX;

/// The message where a path needs a host.
pub const SITE_MISSING: &str = "the file has pages without a host; say which site they belong to with --site HOST, or name pages by their path \
     with --page-from path";

/// Why an address names no page.
#[derive(Debug, PartialEq, Eq)]
pub enum NoPage {
    /// It is empty, or no address of a page.
    Unusable,
    /// It is only a path, and there is no `--site`.
    SiteMissing,
}

/// The parts of an address.
struct Parts<'a> {
    scheme: &'a str,
    host: String,
    path: String,
    query: &'a str,
}

/// The page of an address. The query counts if `keeps_query`, and always in URLs.
///
/// # Errors
/// Fails if no page can be named by it.
pub fn name(raw: &str, options: &Options, keeps_query: bool) -> Result<String, NoPage> {
    let raw = raw.trim();
    let mapped = map(raw, options, true);
    let address = mapped.as_deref().unwrap_or(raw);
    if address.is_empty() {
        return Err(NoPage::Unusable);
    }
    if mapped.is_some() && scheme(address).is_none() {
        return checked(address.to_owned());
    }
    let parts = parts(address, options)?;
    let query = match options.page_from {
        PageFrom::Url => parts.query,
        _ if keeps_query => parts.query,
        _ => "",
    };
    if parts.host.is_empty() && options.page_from != PageFrom::Path {
        return Err(NoPage::SiteMissing);
    }
    let name = match options.page_from {
        PageFrom::Path => [&parts.path, query].concat(),
        PageFrom::HostPath => [&parts.host, &parts.path, query].concat(),
        PageFrom::Url => [parts.scheme, "://", &parts.host, &parts.path, query].concat(),
    };
    checked(map(&name, options, false).unwrap_or(name))
}

/// A page that is named already, as in sayso's own lines; only `--map` changes it.
///
/// # Errors
/// Fails if it is none.
pub fn verbatim(page: &str, options: &Options) -> Result<String, NoPage> {
    checked(map(page, options, false).or_else(|| map(page, options, true)).unwrap_or(page.into()))
}

/// The host of a URL, in lower case.
pub fn host(url: &str) -> Option<String> {
    let (_, rest) = scheme(url.trim())?;
    Some(normal_host(&rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())]))
        .filter(|host| !host.is_empty())
}

/// Applies the longest prefix that fits: one with a scheme to addresses, others to names of pages.
fn map(page: &str, options: &Options, to_addresses: bool) -> Option<String> {
    let fits = |(old, _): &&(String, String)| {
        scheme(old).is_some() == to_addresses && page.starts_with(old.as_str())
    };
    let (old, new) = options.maps.iter().filter(fits).max_by_key(|(old, _)| old.len())?;
    Some([new, &page[old.len()..]].concat())
}

fn checked(mut name: String) -> Result<String, NoPage> {
    name.retain(|char| !char.is_control());
    // As the widget does.
    name.truncate(clip(&name, PAGE_BYTES_MAX).len());
    if name.is_empty() { Err(NoPage::Unusable) } else { Ok(name) }
}

/// The scheme, and what is behind `://`.
fn scheme(address: &str) -> Option<(&str, &str)> {
    ["https", "http"].into_iter().find_map(|scheme| {
        let (start, rest) = address.split_at_checked(scheme.len())?;
        let rest = rest.strip_prefix("://")?;
        start.eq_ignore_ascii_case(scheme).then_some((scheme, rest))
    })
}

fn parts<'a>(address: &'a str, options: &Options) -> Result<Parts<'a>, NoPage> {
    let address = &address[..address.find('#').unwrap_or(address.len())];
    let (scheme, rest) = match scheme(address) {
        Some(found) => found,
        None => match address.strip_prefix("//") {
            Some(rest) => ("https", rest),
            None => ("", address),
        },
    };
    let host_end = if scheme.is_empty() { 0 } else { rest.find(['/', '?']).unwrap_or(rest.len()) };
    let (host, rest) = rest.split_at(host_end);
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let host = match &options.site {
        Some(site) if scheme.is_empty() => normal_host(site),
        _ => normal_host(host),
    };
    if !scheme.is_empty() && host.is_empty() {
        return Err(NoPage::Unusable);
    }
    let scheme = if scheme.is_empty() { "https" } else { scheme };
    let query = if query == "?" { "" } else { query };
    Ok(Parts { scheme, host, path: normal_path(path), query })
}

/// Lower case, without a user and without the port that goes without saying. Takes a whole URL too, for `--site`.
fn normal_host(host: &str) -> String {
    let host = scheme(host).map_or(host, |(_, rest)| rest).trim_end_matches('/');
    let host = host.rsplit('@').next().unwrap_or(host).to_ascii_lowercase();
    let plain = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443"));
    plain.map_or(host.clone(), str::to_owned)
}

/// As `location.pathname` has it: begins with a slash, and what may not stand in a path is percent-encoded (URL Standard, path
/// percent-encode set).
fn normal_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 1);
    if !path.starts_with(['/', '\\']) {
        out.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'\\' => out.push('/'),
            b'"' | b'#' | b'<' | b'>' | b'?' | b'^' | b'`' | b'{' | b'}' => encode(&mut out, byte),
            0x21..=0x7e => out.push(char::from(byte)),
            _ => encode(&mut out, byte),
        }
    }
    out
}

fn encode(out: &mut String, byte: u8) {
    write!(out, "%{byte:02X}").expect("writing to a string never fails");
}

#[cfg(test)]
mod tests {
    use super::super::options::Format;
    use super::*;

    fn options(page_from: PageFrom, site: Option<&str>, maps: &[(&str, &str)]) -> Options {
        let maps = maps.iter().map(|(old, new)| ((*old).into(), (*new).into())).collect();
        let site = site.map(str::to_owned);
        Options { page_from, site, maps, ..Options::new(Format::Isso, "/tmp".into()) }
    }

    #[test]
    fn a_page_is_named_as_the_widget_names_it() {
        let (path, host_path, url) = (PageFrom::Path, PageFrom::HostPath, PageFrom::Url);
        for (raw, from, expected) in [
            ("https://A.example/b/?c=d#e", host_path, "a.example/b/"),
            ("https://a.example", host_path, "a.example/"),
            ("https://a.example?x", host_path, "a.example/"),
            ("http://u:p@a.example:80/b", host_path, "a.example/b"),
            ("http://a.example:8080/b", host_path, "a.example:8080/b"),
            ("//a.example/b", host_path, "a.example/b"),
            ("/stra\u{df}e x/%C3%9f", host_path, "site.example/stra%C3%9Fe%20x/%C3%9f"),
            ("post", path, "/post"),
            ("https://a.example/b/?c=d#e", path, "/b/"),
            ("https://a.example/b/?c=d#e", url, "https://a.example/b/?c=d"),
            ("/b", url, "https://site.example/b"),
        ] {
            let options = options(from, Some("Site.example"), &[]);
            assert_eq!(name(raw, &options, false).as_deref(), Ok(expected), "{raw}");
        }
        let with_query = options(host_path, None, &[]);
        assert_eq!(name("https://a.example/?p=1", &with_query, true).unwrap(), "a.example/?p=1");
    }

    #[test]
    fn a_path_without_a_site_and_an_empty_address_name_no_page() {
        let options = options(PageFrom::HostPath, None, &[]);
        assert_eq!(name("/b", &options, false), Err(NoPage::SiteMissing));
        for raw in ["", " ", "http://", "https:///b"] {
            assert_eq!(name(raw, &options, false), Err(NoPage::Unusable), "{raw}");
        }
    }

    #[test]
    fn the_longest_prefix_maps_names_of_pages_or_addresses() {
        let maps = [
            ("old.example/", "new.example/"),
            ("old.example/blog/", "new.example/posts/"),
            ("http://dev.example/", "https://new.example/"),
            ("http://wiki.example/", "wiki:"),
        ];
        let options = options(PageFrom::HostPath, None, &maps);
        for (raw, expected) in [
            ("https://old.example/a?b", "new.example/a"),
            ("https://old.example/blog/a", "new.example/posts/a"),
            ("http://dev.example/a?b#c", "new.example/a"),
            ("http://wiki.example/a", "wiki:a"),
            ("https://other.example/a", "other.example/a"),
        ] {
            assert_eq!(name(raw, &options, false).as_deref(), Ok(expected), "{raw}");
        }
        assert_eq!(verbatim("old.example/a", &options).unwrap(), "new.example/a");
    }

    #[test]
    fn a_page_at_the_limit_is_kept_and_a_longer_one_is_cut_as_the_widget_cuts_it() {
        let options = options(PageFrom::Path, None, &[]);
        let at_limit = format!("/{}", "a".repeat(PAGE_BYTES_MAX - 1));
        assert_eq!(name(&at_limit, &options, false).unwrap(), at_limit);
        assert_eq!(name(&format!("{at_limit}a"), &options, false).unwrap(), at_limit);
        let cut = checked(format!("{}\u{e9}", "a".repeat(PAGE_BYTES_MAX - 1))).unwrap();
        assert_eq!(cut.len(), PAGE_BYTES_MAX - 1);
    }
}
