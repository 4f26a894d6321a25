//! Checks that everybody receives what they must: every text once, at everybody on its page, each author's in order and, where texts have a
//! `seq`, all of them in the same order everywhere. Knows no sockets.

use crate::{
    histogram::Histogram,
    messages::{Format, Messages},
};

/// Texts of one author that may be in flight at once.
const IN_FLIGHT_MAX: usize = 16_384;

/// What is counted in a window.
#[derive(Clone)]
pub struct Counts {
    /// Text frames that anybody received.
    pub deliveries: u64,
    /// The bytes of their payloads.
    pub bytes: u64,
    /// Texts that were sent.
    pub posts: u64,
}

/// A text that may be in flight.
#[derive(Clone, Copy, Default)]
struct Sent {
    /// When, in nanoseconds.
    at: u64,
    /// As the first member received it; 0 before that.
    seq: u64,
}

/// See the [module](self).
pub struct DeliveryCheck {
    pub messages: Messages,
    /// Losses are counted; otherwise the first one is an error.
    is_lossy: bool,
    pages: usize,
    /// The next number expected from the authors with this rank on their page; for each member as many as a page has authors.
    next: Vec<u64>,
    authors_per_page: usize,
    seqs: Vec<u64>,
    /// Members on each page.
    members: Vec<u64>,
    /// Each author's newest texts.
    newest: Vec<Vec<Sent>>,
    /// How many texts each author has sent.
    sent: Vec<u64>,
    /// Frames that are still to come.
    pub outstanding: u64,
    /// By each member.
    pub lost: Vec<u64>,
    /// Doubled, or received after a later one.
    pub out_of_order: u64,
    pub counts: Counts,
    pub latency: Histogram,
}

impl DeliveryCheck {
    /// The first members are the authors; member n is on page n modulo `pages`.
    pub fn new(format: Format, members: usize, authors: usize, pages: usize) -> DeliveryCheck {
        let authors_per_page = authors.div_ceil(pages);
        let on_page = |page| (members + pages - 1 - page) / pages;
        DeliveryCheck {
            messages: Messages::new(format),
            is_lossy: format != Format::Lines,
            pages,
            next: vec![1; members * authors_per_page],
            authors_per_page,
            seqs: vec![0; members],
            members: (0..pages).map(|page| on_page(page) as u64).collect(),
            newest: vec![vec![Sent::default(); IN_FLIGHT_MAX]; authors],
            sent: vec![0; authors],
            outstanding: 0,
            lost: vec![0; members],
            out_of_order: 0,
            counts: Counts { deliveries: 0, bytes: 0, posts: 0 },
            latency: Histogram::default(),
        }
    }

    /// Begins a window.
    pub fn begin(&mut self) {
        self.counts = Counts { deliveries: 0, bytes: 0, posts: 0 };
        self.latency.clear();
    }

    /// Notes that an author sends its next text, and returns that text's number.
    pub fn sent(&mut self, author: usize, now: u64) -> u64 {
        self.sent[author] += 1;
        let number = self.sent[author];
        self.newest[author][number as usize % IN_FLIGHT_MAX] = Sent { at: now, seq: 0 };
        self.outstanding += self.members[author % self.pages];
        self.counts.posts += 1;
        number
    }

    /// Notes that a member receives a text; returns its author, and how many of the author's texts are thereby settled.
    pub fn received(
        &mut self,
        member: usize,
        text: &[u8],
        now: u64,
    ) -> Result<(usize, u64), String> {
        let message = self.messages.parse(text);
        let message = message.filter(|message| {
            let page = message.author % self.pages;
            let sent = self.sent.get(message.author);
            page == member % self.pages && sent.is_some_and(|sent| message.number <= *sent)
        });
        let Some(message) = message else {
            let text = String::from_utf8_lossy(text);
            return Err(format!("member {member} received what nobody sent on its page: {text}"));
        };
        let rank = message.author / self.pages;
        let next = &mut self.next[member * self.authors_per_page + rank];
        let expected = *next;
        let is_old_seq = message.seq <= self.seqs[member] && message.seq > 0;
        if message.number != expected || is_old_seq {
            if !self.is_lossy {
                return Err(format!(
                    "member {member} received text {} of author {}, seq {}, after text {} and seq {}",
                    message.number,
                    message.author,
                    message.seq,
                    expected - 1,
                    self.seqs[member]
                ));
            }
            if message.number < expected {
                self.out_of_order += 1;
                return Ok((message.author, 0));
            }
        }
        *next = message.number + 1;
        self.seqs[member] = message.seq;
        let settled = message.number - expected + 1;
        self.outstanding -= settled;
        self.lost[member] += settled - 1;
        self.counts.deliveries += 1;
        self.counts.bytes += text.len() as u64;
        let sent = &mut self.newest[message.author][message.number as usize % IN_FLIGHT_MAX];
        if sent.seq == 0 {
            sent.seq = message.seq;
        } else if sent.seq != message.seq {
            return Err(format!(
                "member {member} received text {} of author {} with seq {}, others with {}",
                message.number, message.author, message.seq, sent.seq
            ));
        }
        self.latency.record(now.saturating_sub(sent.at));
        Ok((message.author, settled))
    }

    /// Takes everything outstanding for lost. The counters go on from here.
    pub fn write_off(&mut self) {
        self.outstanding = 0;
        for (at, next) in self.next.iter_mut().enumerate() {
            let (member, rank) = (at / self.authors_per_page, at % self.authors_per_page);
            let author = rank * self.pages + member % self.pages;
            let end = self.sent.get(author).map_or(1, |sent| sent + 1);
            self.lost[member] += end - std::mem::replace(next, end);
        }
    }
}
