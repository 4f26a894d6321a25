//! The sentences of rejections: each states the value and the limit.
//!
//! Knows no codes and no translations.

use std::fmt;

use super::{Rejection, unicode_name};
use crate::limits::{
    CONTENT_BYTES_MAX, KEY_BYTES_MAX, KEY_BYTES_MIN, NAME_CHARS_MAX, NONCE_BYTES_MAX,
    NONCE_BYTES_MIN, PAGE_BYTES_MAX, Rate,
};

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::Malformed(why) => {
                write!(f, "this is not a message sayso understands: {why}")
            }
            Rejection::BadParameter { name, value, allowed } => {
                write!(f, "{name} is {value:?}, but must be {allowed}")
            }
            Rejection::ContentEmpty => {
                write!(f, "content is empty, at least 1 visible character is needed")
            }
            Rejection::ContentTooLong(n) => {
                write!(f, "content is {n} bytes, at most {CONTENT_BYTES_MAX} are allowed")
            }
            Rejection::ControlCharacter { field, character, at } => write!(
                f,
                "{field} has the control character {} at byte {at}, only line breaks and tabs in content are allowed",
                unicode_name(*character)
            ),
            Rejection::NameTooLong(n) => {
                write!(f, "name is {n} characters, at most {NAME_CHARS_MAX} are allowed")
            }
            Rejection::NameInvisible => {
                write!(
                    f,
                    "name shows nothing, at least 1 visible character is needed; leave it out to stay anonymous"
                )
            }
            Rejection::TextTooLong { field, characters, max } => {
                write!(f, "{field} is {characters} characters, at most {max} are allowed")
            }
            Rejection::PageLength(n) => {
                write!(f, "page is {n} bytes, 1 to {PAGE_BYTES_MAX} are allowed")
            }
            Rejection::PageNotAllowed(page) => {
                write!(f, "page {page:?} may not be commented on here")
            }
            Rejection::OtherPage(page) => {
                write!(
                    f,
                    "page {page:?} is not the page of this socket; open another socket for it"
                )
            }
            Rejection::TooManyPages(n, with_deleted) => {
                let counted = if *with_deleted { ", deleted ones included" } else { "" };
                write!(f, "there are {n} pages with comments{counted}, no more are allowed")
            }
            Rejection::KeyLength(n) => {
                write!(f, "key is {n} bytes, {KEY_BYTES_MIN} to {KEY_BYTES_MAX} are allowed")
            }
            Rejection::NonceLength(n) => {
                write!(f, "nonce is {n} bytes, {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} are allowed")
            }
            Rejection::NonceReserved => {
                write!(f, "the nonce begins with \"import:\", which only imported comments' do")
            }
            Rejection::KeyMissing => {
                write!(f, "key is missing, likes, flags and one's own comments need one")
            }
            Rejection::UserMalformed(why) => {
                write!(f, "user is not as a host page must make it: {why}")
            }
            Rejection::UserForged => write!(
                f,
                "user has another signature than the secret of --sign-on-file makes; the host page must sign with that secret"
            ),
            Rejection::UserExpired(until, now) => {
                write!(f, "user was signed until {until}, and it is {now}; load the page again")
            }
            Rejection::UserTooFarAhead(until, max) => write!(
                f,
                "user is signed until {until}, at most 24 h ahead are allowed, which is until {max}"
            ),
            Rejection::UserOfOtherSite(site, origin) if origin.is_empty() => write!(
                f,
                "user is signed for {site}, but the request does not say which site it comes from; send Origin: {site}"
            ),
            Rejection::UserOfOtherSite(site, origin) => {
                write!(f, "user is signed for {site}, but this comes from {origin}")
            }
            Rejection::NoSignOn => {
                write!(f, "user can't be checked, sayso was started without --sign-on-file")
            }
            Rejection::Hidden(id) => write!(f, "comment {id} is hidden"),
            Rejection::LikesFull(max, what) => {
                write!(f, "{what} already has {max} likes, no more are allowed")
            }
            Rejection::UnknownParent(id) => {
                write!(f, "there is no comment {id} on this page to answer")
            }
            Rejection::UnknownComment(id) => write!(f, "there is no comment {id}"),
            Rejection::NotAuthor(id) => write!(f, "comment {id} was written with another key"),
            Rejection::WrittenWithoutKey(id) => {
                write!(f, "comment {id} can't be changed: it was written without a key")
            }
            Rejection::WrongToken => write!(f, "wrong token"),
            Rejection::NotModerator => write!(f, "this needs the moderator's token"),
            Rejection::NotOnPage(id) => write!(f, "there is no comment {id} on this page"),
            Rejection::NotYetPublic(id) => {
                write!(f, "comment {id} is not public, so it can't be pinned; approve it first")
            }
            Rejection::Banned(until) => {
                write!(f, "you can't take part here until {until}, a moderator has decided so")
            }
            Rejection::PageLocked(page) => {
                write!(f, "the conversation on page {page:?} is closed, no more comments are taken")
            }
            Rejection::FlagsFull(max, what) => {
                write!(f, "{what} already has {max} flags, no more are needed")
            }
            Rejection::PinsFull(max) => {
                write!(
                    f,
                    "{max} comments of this page are pinned, no more are allowed; unpin one first"
                )
            }
            Rejection::ModerationFull(max, what) => {
                write!(f, "there are {max} {what}, no more are allowed")
            }
            Rejection::CantMove(page, to) if page == to => {
                write!(f, "page {page:?} can't be moved to itself, nor to one that has moved to it")
            }
            Rejection::CantMove(page, to) => {
                write!(f, "page {page:?} can't be moved to {to:?}: that would lead in a circle")
            }
            Rejection::MovedAlready(page, to) => {
                write!(f, "page {page:?} has moved to {to:?} already; move that one instead")
            }
            Rejection::ChangedMeanwhile(id, _) => {
                write!(f, "comment {id} has changed since you have seen it; look at it again")
            }
            Rejection::AddressUnknown(id) => write!(
                f,
                "the address that comment {id} came from is not known, only those of the newest comments since the last start are"
            ),
            Rejection::NobodyToBan(id) => {
                write!(
                    f,
                    "comment {id} has no author to ban; it is deleted or was written without a key"
                )
            }
            Rejection::UnknownBan(key) => write!(f, "{key:?} is not banned"),
            Rejection::NotRejected(id) => {
                write!(
                    f,
                    "comment {id} does not wait and was not rejected, so it can't be made to wait"
                )
            }
            Rejection::NonceTaken => {
                write!(f, "the nonce belongs to another comment, a new comment needs a new one")
            }
            Rejection::StaleCursor(since) => {
                write!(f, "seq {since} is not of this log as it is now; load the comments anew")
            }
            Rejection::Deleted(id) => write!(f, "comment {id} is deleted"),
            Rejection::TooFast { wait, rate: Rate { posts, seconds }, what } => {
                write!(
                    f,
                    "at most {posts} {what} in {seconds} s are allowed, try again in {wait} s"
                )
            }
            Rejection::Duplicate(seconds) => {
                write!(
                    f,
                    "you have said exactly this here within the last {seconds} s, once is enough"
                )
            }
            Rejection::HoneypotFilled => write!(f, "website is filled in, and must stay empty"),
            Rejection::SubmittedTooSoon(wait) => {
                write!(f, "that was quicker than anybody writes, try again in {wait} s")
            }
            Rejection::ProofMissing(bits) => write!(
                f,
                "proof is missing or wrong, a proof of work of {bits} bits is asked for; the page makes one where it has JavaScript"
            ),
            Rejection::TooManyFrames(n) => {
                write!(f, "more than {n} messages in a second, slow down")
            }
            Rejection::StorageFull => write!(f, "storage is full, try again"),
            Rejection::StreamUnavailable => {
                write!(f, "nothing can be stored at the moment, try again")
            }
            Rejection::StorageFailed => {
                write!(f, "storage has failed, comments can't be saved until sayso is restarted")
            }
            Rejection::Stopping => write!(f, "sayso is stopping, try again"),
        }
    }
}
