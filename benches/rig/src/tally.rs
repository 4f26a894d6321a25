//! Who must hear what, and whether they did: every text once, at everybody on its page, each author's in their order. Knows no sockets.

use crate::{
    histogram::Histogram,
    speech::{Speech, Tongue},
};

/// Texts of one author that may be on their way.
const ON_THEIR_WAY_MAX: usize = 16_384;

/// What is counted in a window.
#[derive(Clone)]
pub struct Counts {
    /// Frames that anybody received.
    pub deliveries: u64,
    /// Their payloads.
    pub bytes: u64,
    /// Texts that were said.
    pub posts: u64,
}

/// See the [module](self).
pub struct Tally {
    pub speech: Speech,
    /// Losses are counted, or else the first one is an error.
    forgives: bool,
    pages: usize,
    /// Of the authors with this rank on their page, the next number; for each member as many as a page has authors.
    next: Vec<u64>,
    authors_a_page: usize,
    seqs: Vec<u64>,
    /// Members on each page.
    members: Vec<u64>,
    /// When each author said each text, nanoseconds.
    said_at: Vec<Vec<u64>>,
    said: Vec<u64>,
    /// Frames that are still to come.
    pub owed: u64,
    pub lost: u64,
    /// Doubled, or after a later one.
    pub disordered: u64,
    pub counts: Counts,
    pub latency: Histogram,
}

impl Tally {
    /// Member n, the first of whom are the authors, is on page n modulo `pages`.
    pub fn new(tongue: Tongue, members: usize, authors: usize, pages: usize) -> Tally {
        let authors_a_page = authors.div_ceil(pages);
        let on_page = |page| (members + pages - 1 - page) / pages;
        Tally {
            speech: Speech::new(tongue),
            forgives: tongue != Tongue::Lines,
            pages,
            next: vec![1; members * authors_a_page],
            authors_a_page,
            seqs: vec![0; members],
            members: (0..pages).map(|page| on_page(page) as u64).collect(),
            said_at: vec![vec![0; ON_THEIR_WAY_MAX]; authors],
            said: vec![0; authors],
            owed: 0,
            lost: 0,
            disordered: 0,
            counts: Counts { deliveries: 0, bytes: 0, posts: 0 },
            latency: Histogram::default(),
        }
    }

    /// A window begins.
    pub fn begin(&mut self) {
        self.counts = Counts { deliveries: 0, bytes: 0, posts: 0 };
        self.latency.clear();
    }

    /// An author says the next text, whose number this is.
    pub fn say(&mut self, author: usize, now: u64) -> u64 {
        self.said[author] += 1;
        let number = self.said[author];
        self.said_at[author][number as usize % ON_THEIR_WAY_MAX] = now;
        self.owed += self.members[author % self.pages];
        self.counts.posts += 1;
        number
    }

    /// A member hears a text; who said it, and how many of theirs are thereby done with.
    pub fn hear(&mut self, member: usize, text: &[u8], now: u64) -> Result<(usize, u64), String> {
        let heard = self.speech.hear(text);
        let heard = heard.filter(|heard| {
            let page = heard.author % self.pages;
            let said = self.said.get(heard.author);
            page == member % self.pages && said.is_some_and(|said| heard.number <= *said)
        });
        let Some(heard) = heard else {
            let text = String::from_utf8_lossy(text);
            return Err(format!("member {member} received what nobody said on its page: {text}"));
        };
        let rank = heard.author / self.pages;
        let next = &mut self.next[member * self.authors_a_page + rank];
        let wanted = *next;
        if heard.number != wanted || (heard.seq <= self.seqs[member] && heard.seq > 0) {
            if !self.forgives {
                return Err(format!(
                    "member {member} received text {} of author {}, seq {}, after text {} and seq {}",
                    heard.number,
                    heard.author,
                    heard.seq,
                    wanted - 1,
                    self.seqs[member]
                ));
            }
            if heard.number < wanted {
                self.disordered += 1;
                return Ok((heard.author, 0));
            }
        }
        *next = heard.number + 1;
        self.seqs[member] = heard.seq;
        let done = heard.number - wanted + 1;
        self.owed -= done;
        self.lost += done - 1;
        self.counts.deliveries += 1;
        self.counts.bytes += text.len() as u64;
        let said_at = self.said_at[heard.author][heard.number as usize % ON_THEIR_WAY_MAX];
        self.latency.record(now.saturating_sub(said_at));
        Ok((heard.author, done))
    }

    /// Nothing more will come: what is owed is lost. The counters go on from here.
    pub fn give_up(&mut self) {
        self.lost += std::mem::take(&mut self.owed);
        for (at, next) in self.next.iter_mut().enumerate() {
            let (member, rank) = (at / self.authors_a_page, at % self.authors_a_page);
            let author = rank * self.pages + member % self.pages;
            *next = self.said.get(author).map_or(1, |said| said + 1);
        }
    }
}
