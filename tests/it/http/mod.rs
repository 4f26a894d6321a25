//! Every HTTP path with every status it has, its headers, and what hostile text becomes.

mod access;
mod comments;
mod form;
mod history;
mod requests;
mod responses;

use crate::support::client::Response;

/// Checks that an answer is an error with this status and a sentence that has these parts.
fn says(response: &Response, status: u16, parts: &[&str]) {
    assert_eq!(response.status, status, "{response:?}");
    let sentence = response.error();
    assert!(
        !sentence.is_empty() && !sentence.ends_with('.') && !sentence.contains('\n'),
        "{sentence:?}"
    );
    // A method may stand first.
    let lower = status == 405 || !sentence.starts_with(|first: char| first.is_uppercase());
    assert!(lower, "{sentence:?}");
    for part in parts {
        assert!(sentence.contains(part), "{sentence:?} does not say {part:?}");
    }
}
