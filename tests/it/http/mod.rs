//! Every HTTP path with every status it has, its headers, and what hostile text becomes.

mod access;
mod comments;
mod compression;
mod form;
mod history;
mod requests;
mod responses;
mod threads;

use crate::support::client::{Response, check_sentence};

/// Checks that an answer is an error with this status and a sentence that has these parts.
fn says(response: &Response, status: u16, parts: &[&str]) {
    assert_eq!(response.status, status, "{response:?}");
    let sentence = response.error();
    check_sentence(&sentence, parts);
    // A method may stand first.
    let lower = status == 405 || !sentence.starts_with(|first: char| first.is_uppercase());
    assert!(lower, "{sentence:?}");
}
