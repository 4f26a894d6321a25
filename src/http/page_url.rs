//! Where pages and comments are found from outside.
//!
//! Pure. Never looks at a request: what a client says about the host is no address that others may be sent to.

use std::fmt::Write;

use super::query::encode;

/// What addresses are made from.
#[derive(Debug, Clone, Default)]
pub struct PageUrls {
    /// `--public-url`, without a slash at the end.
    pub public_url: Option<String>,
    /// Whether sayso serves a page for every name.
    pub has_page: bool,
    /// Hosts with their ports whose pages may be linked to by their names: anybody may name a page after another site.
    hosts: Vec<String>,
}

impl PageUrls {
    /// Takes `--public-url`, whether sayso serves a page, `--allow-origin` and `--page-prefix`, by which the owner says whose pages
    /// have comments here.
    pub fn new(
        public_url: Option<String>,
        has_page: bool,
        allow_origin: &[String],
        page_prefix: &[String],
    ) -> PageUrls {
        // A prefix without a slash after the host, such as `blog.ex`, is also one of other hosts' names.
        let prefixes = page_prefix
            .iter()
            .filter(|prefix| without_scheme(prefix).unwrap_or(prefix).contains('/'));
        let named = allow_origin.iter().chain(&public_url).chain(prefixes);
        let hosts = named.filter_map(|named| host_of(named)).map(str::to_owned).collect();
        PageUrls { public_url, has_page, hosts }
    }

    /// The address of a page: what its name says, if that leads to a site of the owner, else that of sayso's own page for it, if there is one and `--public-url` says where.
    pub fn page(&self, page: &str) -> Option<String> {
        self.own_url(page).or_else(|| {
            let public = self.public_url.as_ref().filter(|_| self.has_page)?;
            Some(format!("{public}/?page={}", encode(page)))
        })
    }

    /// The address of a comment on a page.
    pub fn comment(&self, page: &str, id: u64) -> Option<String> {
        self.page(page).map(|url| url + "#sayso-" + &id.to_string())
    }

    /// The address that a page's name stands for, if it is on one of the owner's hosts: anybody may call a page after another site.
    fn own_url(&self, page: &str) -> Option<String> {
        let host = host_of(page)?;
        let is_ours = self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host));
        named_url(page).filter(|_| is_ours)
    }
}

/// The address that a page's name is or, as the widget names pages, stands for: `blog.example/post` for `https://blog.example/post`.
pub fn named_url(page: &str) -> Option<String> {
    if without_scheme(page).is_some() {
        return Some(escape(page));
    }
    let host = host_of(page)?;
    let name = host.split(':').next().unwrap_or_default();
    let is_host = name.contains('.')
        && name.split('.').all(|label| !label.is_empty())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    is_host.then(|| escape(&format!("https://{page}")))
}

fn without_scheme(url: &str) -> Option<&str> {
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))
}

/// The host with its port, as it stands in a URL or in a page's name. What else may stand before a path, such as a user's name,
/// stays there and makes it no host of the owner.
fn host_of(name: &str) -> Option<&str> {
    match without_scheme(name) {
        Some(rest) => rest.split(['/', '?']).next(),
        None => name.split_once('/').map(|(host, _)| host),
    }
}

/// Escapes what may not stand in a URL (RFC 3986 §2), and `#`, as the name has no fragment. Escapes that are there stay.
fn escape(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for (at, byte) in url.bytes().enumerate() {
        let digits = url.as_bytes().get(at + 1..at + 3).unwrap_or_default();
        let is_escape = digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit);
        match byte {
            b'%' if !is_escape => {}
            b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {}
            b'!'..=b'~' => {
                out.push(byte as char);
                continue;
            }
            _ => {}
        }
        write!(out, "%{byte:02X}").expect("writing to a string never fails");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_named_by_its_address_is_there_and_others_are_on_the_served_page() {
        let origins = ["https://blog.example", "https://blog.example:8443"].map(str::to_owned);
        let urls = |public_url: Option<&str>, has_page| {
            PageUrls::new(public_url.map(str::to_owned), has_page, &origins, &[])
        };
        let all = urls(Some("https://talk.example/c"), true);
        for (page, url) in [
            ("blog.example/post", "https://blog.example/post"),
            ("blog.example:8443/", "https://blog.example:8443/"),
            ("blog.example/a b\"<é#x%20?q=1", "https://blog.example/a%20b%22%3C%C3%A9%23x%20?q=1"),
            ("blog.example/%%%x%4", "https://blog.example/%25%25%25x%254"),
            ("blog.example/%%41%e2%zz", "https://blog.example/%25%41%e2%25zz"),
            ("http://blog.example/x?a=b", "http://blog.example/x?a=b"),
        ] {
            assert_eq!(all.page(page).as_deref(), Some(url));
            assert_eq!(urls(None, false).comment(page, 7), Some(format!("{url}#sayso-7")));
        }
        for page in [
            "/",
            "a/b",
            "talk",
            "blog.example",
            ".example/",
            "a..b/",
            "user@blog.example/",
            "javascript:alert(1)//.x/",
            "é.example/",
        ] {
            let url = format!("https://talk.example/c/?page={}", encode(page));
            assert_eq!(all.page(page), Some(url));
            assert_eq!(urls(None, true).page(page), None);
            assert_eq!(urls(Some("https://talk.example"), false).page(page), None);
        }
    }
    #[test]
    fn a_name_leads_only_to_a_site_that_the_owner_has_named() {
        let owned = |texts: &[&str]| texts.iter().copied().map(str::to_owned).collect::<Vec<_>>();
        let urls = PageUrls::new(
            Some("https://talk.example/c".into()),
            true,
            &owned(&["http://shop.example:8080"]),
            &owned(&[
                "blog.example/posts/",
                "https://news.example/",
                "open.ex",
                "https://wide.ex",
                "a/",
            ]),
        );
        for page in [
            "talk.example/about",
            "shop.example:8080/x",
            "Blog.example/about",
            "http://blog.example/about",
            "https://news.example?x=1",
            "news.example/",
        ] {
            let url = urls.page(page).unwrap();
            assert!(url.ends_with(page) && !url.contains("?page="), "{url}");
        }
        for page in [
            "casino.evil.example/win",
            "https://casino.evil.example/win",
            "blog.example.evil.example/",
            "https://blog.example.evil.example",
            "https://blog.example@evil.example/",
            "https://blog.example\\@evil.example/",
            "https://blog.example#@evil.example/",
            "https://evil.example?/blog.example/",
            "https://evil.example\\/blog.example/",
            "https:///blog.example/",
            "https://",
            "blog.example:81/",
            "shop.example/x",
            "open.example/",
            "open.ex/",
            "https://wide.example/",
            "https://wide.ex/",
            "a/b",
        ] {
            let url = format!("https://talk.example/c/?page={}", encode(page));
            assert_eq!(urls.page(page), Some(url));
        }
    }
}
