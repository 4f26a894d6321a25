//! Who writes: posts with nonces, edits, deletions, likes, flags, and a moderator's decisions, repeated elsewhere until they are answered.

use std::collections::VecDeque;

use sayso::{
    comment::{
        Author, Status,
        draft::{Action, ClientMessage},
        rejection::Rejection,
    },
    http::forwarded::ClientKey,
    hub::command::{Actor, Change, Command, Decision, Operation, ReplyTo, Target, Write, Written},
    hub::measure::Measure,
    log::{chain::ChainHash, scan::seq_of},
};
use serde_json::json;

use super::{
    lines::Lines, lines::PAGE, machine::author, random::Random, world::Report, world::World,
};

/// What somebody wants to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Post,
    Edit,
    Delete,
    DeleteAsModerator,
    Like,
    Flag,
    Hide,
    Show,
    /// Several comments at once, each with a line of its own.
    HideSome,
}

/// Who writes one thing after another.
pub struct Client {
    /// Each with a name that no other has, which a post has as its nonce.
    wishes: VecDeque<(Wish, String)>,
    /// The comment that the next one is about, once it is chosen.
    target: Option<u64>,
    /// The number of the attempt whose answer is waited for.
    waits_for: Option<usize>,
}

/// A wish that was sent to a machine.
pub struct Attempt {
    client: usize,
    wish: Wish,
    name: String,
    target: u64,
    text: String,
    machine: usize,
    life: u32,
    is_answered: bool,
}

/// A line that somebody was told of, directly or not.
pub struct Acknowledged {
    pub seq: u64,
    pub chain: ChainHash,
    pub what: String,
}

impl Client {
    pub fn new(number: usize, writes_max: usize, random: &mut Random) -> Client {
        let count = random.between(1, writes_max);
        let wishes = (0..count).map(|wish| {
            let name = format!("client {number}, its wish {wish}");
            let wish = match random.between(0, 99) {
                0..45 => Wish::Post,
                45..65 => Wish::Edit,
                65..78 => Wish::Delete,
                78..82 => Wish::DeleteAsModerator,
                82..88 => Wish::Like,
                88..92 => Wish::Flag,
                92..95 => Wish::Hide,
                95..97 => Wish::Show,
                _ => Wish::HideSome,
            };
            (wish, name)
        });
        Client { wishes: wishes.collect(), target: None, waits_for: None }
    }

    /// Whether everything was answered.
    pub fn is_done(&self) -> bool {
        self.wishes.is_empty()
    }

    fn next_wish(&mut self) {
        self.wishes.pop_front();
        self.target = None;
    }
}

impl World<'_> {
    /// Whether a client has something to send.
    pub fn may_write(&self, client: usize) -> bool {
        let Client { wishes, waits_for, .. } = &self.clients[client];
        waits_for.is_none() && !wishes.is_empty() && self.machines.iter().any(|it| it.is_on())
    }

    /// Whether nobody will answer what a client waits for.
    pub fn waits_in_vain(&self, client: usize) -> bool {
        let Some(number) = self.clients[client].waits_for else { return false };
        let Attempt { machine, life, is_answered, .. } = &self.attempts[number];
        let machine = &self.machines[*machine];
        !is_answered && (machine.life != *life || !machine.is_on())
    }

    /// A client no longer waits, and will ask again.
    pub fn give_up(&mut self, client: usize) {
        if self.clients[client].waits_for.take().is_some() {
            self.note(format!("client {client} waits no longer"));
        }
    }

    /// A client sends its next wish to some machine.
    pub fn write(&mut self, client: usize) {
        let machine = self.pick_machine();
        let ids = self.machines[machine].lines.ids();
        let Client { wishes, target, .. } = &mut self.clients[client];
        let (wish, name) = wishes[0].clone();
        if wish != Wish::Post {
            if ids.is_empty() {
                return self.clients[client].next_wish();
            }
            target.get_or_insert_with(|| self.random.pick(&ids));
        }
        let target = target.unwrap_or_default();
        let number = self.attempts.len();
        let text = match wish {
            Wish::Post => format!("text of {name}"),
            _ => format!("text {number} of {name}"),
        };
        self.note(format!("{name}: {wish:?} {target} at {machine} as attempt {number}"));
        let operation = operation(wish, &name, target, &text);
        let life = self.machines[machine].life;
        let attempt =
            Attempt { client, wish, name, target, text, machine, life, is_answered: false };
        self.attempts.push(attempt);
        self.clients[client].waits_for = Some(number);
        let reports = self.reports.clone();
        let answer = move |outcome| drop(reports.send(Report::Answered(number, outcome)));
        // Each from another address, so that none is too fast.
        let from = ClientKey::V4((number as u32).to_be_bytes());
        let reply = ReplyTo::Callback(Box::new(answer));
        let write = Command::Write(Write { operation, from, client: None, reply });
        self.machines[machine].on().inbox.push_back(write);
    }

    /// A machine has answered.
    pub fn answered(&mut self, number: usize, outcome: Result<Written, Rejection>) {
        let attempt = &mut self.attempts[number];
        attempt.is_answered = true;
        let Attempt { client, wish, machine, .. } = *attempt;
        let is_waited_for = self.clients[client].waits_for == Some(number);
        if is_waited_for {
            self.clients[client].waits_for = None;
        }
        let is_over = match outcome {
            Ok(written) => {
                self.note(format!("{machine} acknowledges attempt {number}"));
                self.counts.acknowledged += 1;
                let attempt = &self.attempts[number];
                let witness = witness(attempt, &written, &self.machines[machine].lines);
                let Some((seq, chain)) = witness else {
                    panic!("false acknowledgement of attempt {number}, {wish:?}: {written:?}");
                };
                let what = format!("attempt {number}, {wish:?}");
                self.acknowledged.push(Acknowledged { seq, chain, what });
                true
            }
            Err(Rejection::StreamUnavailable) => {
                self.note(format!("{machine} refuses attempt {number}"));
                false
            }
            // It may be on the machine that it was seen on, and nowhere else.
            Err(Rejection::UnknownComment(_)) => self.is_settling,
            Err(rejection @ (Rejection::Deleted(_) | Rejection::Hidden(_))) => {
                let target = self.attempts[number].target;
                let lines = &self.machines[machine].lines;
                let mut about = lines.comments().filter(|it| it.id == target);
                let is_so = about.any(|it| it.deleted || it.status != Status::Public);
                assert!(
                    is_so,
                    "attempt {number} is refused for what is stored nowhere: {rejection:?}"
                );
                true
            }
            Err(other) => panic!("{wish:?} is refused: {other:?}"),
        };
        if is_over && is_waited_for {
            self.clients[client].next_wish();
        }
    }
}

fn operation(wish: Wish, name: &str, target: u64, text: &str) -> Operation {
    let key = "a key that all clients have";
    let message = match wish {
        Wish::Post => json!({"content": text, "nonce": name, "key": key}),
        _ => json!({"edit": target, "content": text, "key": key}),
    };
    let message = ClientMessage::parse(message.to_string().as_bytes()).unwrap();
    let on = Target { id: target, page: None };
    let change = |change, moderator: Option<&str>| Operation::Change {
        target: Target { id: target, page: None },
        change,
        by: Actor {
            author: moderator.is_none().then(author),
            moderator: moderator.map(Into::into),
            is_signed: false,
        },
        decision: Decision::default(),
    };
    let ada = Some("ada");
    match (wish, message.action(PAGE).unwrap()) {
        (Wish::Post, Action::Post(post)) => Operation::Post(post.render()),
        (Wish::Edit, Action::Edit(_, text, _)) => change(Change::Text(text.render(), None), None),
        (Wish::Delete, _) => change(Change::Delete, None),
        (Wish::DeleteAsModerator, _) => change(Change::Delete, ada),
        (Wish::Hide, _) => change(Change::Status(Status::Hidden), ada),
        (Wish::Show, _) => change(Change::Status(Status::Public), ada),
        (Wish::Like, _) => Operation::Like { target: on, on: true, author: Author::from_key(name) },
        (Wish::HideSome, _) => {
            let ids = (target.saturating_sub(2)..target + 4).collect();
            Operation::Moderate(Measure::Hide(author(), ids), "ada".into())
        }
        (Wish::Flag, _) => Operation::Flag { target: on, author: Author::from_key(name) },
        _ => unreachable!("the message says what is wished"),
    }
}

/// The line because of which a wish may be called granted, in what the machine has on disk.
fn witness(attempt: &Attempt, written: &Written, lines: &Lines) -> Option<(u64, ChainHash)> {
    let Attempt { wish, name, target, text, .. } = attempt;
    let seq = match wish {
        Wish::Post => lines.comments().find(|it| it.nonce.as_deref() == Some(name))?.seq,
        Wish::Edit => lines.comments().find(|it| it.id == *target && it.content == *text)?.seq,
        Wish::Delete | Wish::DeleteAsModerator => {
            lines.comments().rfind(|it| it.id == *target).filter(|it| it.deleted)?.seq
        }
        Wish::Hide | Wish::Show => {
            let seq = seq_of(&written.line)?;
            let status = if *wish == Wish::Hide { Status::Hidden } else { Status::Public };
            let is_so = |it: &&_| is_status(it, *target, status);
            lines.comments().find(|it| it.seq == seq).filter(is_so)?.seq
        }
        Wish::HideSome => {
            let answer: serde_json::Value = serde_json::from_slice(&written.line).unwrap();
            let ids = answer["hidden"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap());
            let line_of = |id| lines.comments().rfind(|it| is_status(it, id, Status::Hidden));
            let seqs: Option<Vec<u64>> = ids.map(|id| Some(line_of(id)?.seq)).collect();
            // Without any there is nothing to be done.
            seqs?.into_iter().max().unwrap_or(lines.seq())
        }
        Wish::Like | Wish::Flag => {
            let kind = if *wish == Wish::Like { "like" } else { "flag" };
            let (kind, author) = (format!("\"kind\":\"{kind}\""), Author::from_key(name));
            let parts = [kind, format!("\"author\":\"{author}\""), format!("\"id\":{target}")];
            let is_so = |line: &str| parts.iter().all(|part| line.contains(part));
            lines.all().iter().find(|line| is_so(str::from_utf8(&line.line).unwrap()))?.seq
        }
    };
    Some((seq, lines.all()[seq as usize - 1].chain))
}

fn is_status(comment: &sayso::comment::Comment, id: u64, status: Status) -> bool {
    comment.id == id && !comment.deleted && comment.status == status
}
