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
}

impl PageUrls {
    /// The address of a page: what its name says, else that of sayso's own page for it, if there is one and `--public-url` says where.
    pub fn page(&self, page: &str) -> Option<String> {
        named_url(page).or_else(|| {
            let public = self.public_url.as_ref().filter(|_| self.has_page)?;
            Some(format!("{public}/?page={}", encode(page)))
        })
    }

    /// The address of a comment on a page.
    pub fn comment(&self, page: &str, id: u64) -> Option<String> {
        self.page(page).map(|url| url + "#sayso-" + &id.to_string())
    }
}

/// The address that a page's name is or, as the widget names pages, stands for: `blog.example/post` for `https://blog.example/post`.
pub fn named_url(page: &str) -> Option<String> {
    if page.starts_with("https://") || page.starts_with("http://") {
        return Some(escape(page));
    }
    let (host, _) = page.split_once('/')?;
    let name = host.split(':').next().unwrap_or_default();
    let is_host = name.contains('.')
        && name.split('.').all(|label| !label.is_empty())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    is_host.then(|| escape(&format!("https://{page}")))
}

/// Escapes what may not stand in a URL (RFC 3986 §2), and `#`, as the name has no fragment. Escapes that are there stay.
fn escape(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for byte in url.bytes() {
        match byte {
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
        let urls = |public_url: Option<&str>, has_page| PageUrls {
            public_url: public_url.map(str::to_owned),
            has_page,
        };
        let all = urls(Some("https://talk.example/c"), true);
        for (page, url) in [
            ("blog.example/post", "https://blog.example/post"),
            ("blog.example:8443/", "https://blog.example:8443/"),
            ("blog.example/a b\"<é#x%20?q=1", "https://blog.example/a%20b%22%3C%C3%A9%23x%20?q=1"),
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
}
