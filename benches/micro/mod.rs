//! The steps of a comment's way, each alone and in memory, with Criterion: what a reading thread does with a draft, what the hub does with
//! a batch, what a shard does with a batch of deliveries, what opening does with a line. No file, no socket.
//!
//! `cargo bench micro` measures; Criterion's own arguments go behind `--`, such as a filter or `--save-baseline NAME`.

mod memory;

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    process::Command,
    sync::{Arc, atomic::AtomicUsize},
};

use criterion::{BatchSize, Criterion, Throughput, criterion_group};
use memory::{NullSink, hub};
use sayso::{
    comment::draft::{Action, ClientMessage, Draft},
    fanout::frame::{self, Frames},
    fanout::{Delivery, Shard, ShardCommand, Tier},
    http::forwarded::ClientKey,
    hub::command::{Command as HubCommand, Operation, ReplyTo, Write},
    store::record::LineSummary,
};

use crate::{Arguments, program::Folder};

/// Criterion reads the arguments of its process, so it gets one of its own, which has this variable.
const CHILD_VARIABLE: &str = "SAYSO_BENCH_MICRO";

const CONTENT: &str =
    "I had the same with the second edition; the errata on the publisher's page explain it well.";
const RICH: &str = "I had the *same* with the [second edition](https://books.example/2);\n\n> the errata\n\nexplain `it` well.";
/// Posts in a batch: as many as 64 busy authors send.
const BATCH: u64 = 64;
const READERS: u64 = 1_000;

/// # Errors
/// Where Criterion fails.
pub fn run(arguments: &Arguments, _: &Folder) -> Result<(), String> {
    let program = std::env::current_exe().expect("a program knows where it is");
    let mut command = Command::new(program);
    command.env(CHILD_VARIABLE, "1").args(&arguments.rest);
    // Without it, Criterion runs everything once.
    command.args(arguments.measures.then_some("--bench"));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("Criterion ended with {other:?}")),
    }
}

/// Whether this is Criterion's process.
pub fn is_child() -> bool {
    std::env::var_os(CHILD_VARIABLE).is_some()
}

pub fn run_child() {
    benches();
    Criterion::default().configure_from_args().final_summary();
}

fn message(content: &str, number: u64) -> String {
    let content = content.replace('\n', "\\n");
    format!(
        r#"{{"content":"{content}","name":"Ada Lovelace","key":"0123456789abcdef0123456789abcdef","nonce":"{number:032x}"}}"#
    )
}

fn draft(message: &str) -> Draft {
    let message = ClientMessage::parse(message.as_bytes()).expect("it is a message");
    match message.action("/") {
        Ok(Action::Post(post)) => post.render(),
        other => panic!("not a post: {other:?}"),
    }
}

fn drafts(c: &mut Criterion) {
    let mut group = c.benchmark_group("a draft parsed and encoded");
    for (name, content) in [("plain", CONTENT), ("with markup", RICH)] {
        let message = message(content, 1);
        group.bench_function(name, |b| b.iter(|| draft(black_box(&message))));
    }
}

fn batches(c: &mut Criterion) {
    let mut group = c.benchmark_group("a batch spliced");
    group.throughput(Throughput::Elements(BATCH));
    let (mut hub, mut number) = (hub(), 0);
    let mut commands = || -> Vec<HubCommand<NullSink>> {
        let post = |_| {
            number += 1;
            let draft = draft(&message(CONTENT, number));
            let from = ClientKey::of(IpAddr::V4(Ipv4Addr::LOCALHOST));
            HubCommand::Write(Write {
                operation: Operation::Post(draft),
                from,
                client: None,
                reply: ReplyTo::Reader(1, None),
            })
        };
        (0..BATCH).map(post).collect()
    };
    group.bench_function("64 posts", |b| {
        b.iter_batched(
            &mut commands,
            |commands| hub.process_batch(&mut commands.into_iter()),
            BatchSize::LargeInput,
        )
    });
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("a frame built");
    let line = format!("{{\"seq\":1,\"id\":1,\"page\":\"/\",\"content\":\"{CONTENT}\"}}");
    group.bench_function("a line", |b| {
        b.iter(|| {
            let mut out = Vec::with_capacity(frame::room_for(line.len()));
            frame::text(black_box(line.as_bytes()), &mut out);
            out
        })
    });
}

fn deliveries(c: &mut Criterion) {
    let mut group = c.benchmark_group("a batch delivered by a shard");
    group.throughput(Throughput::Elements(READERS));
    let mut shard = Shard::new(Arc::new(AtomicUsize::new(0)));
    for reader in 0..READERS {
        let (greeting, tier) = (Vec::new(), Tier::Full);
        let join = ShardCommand::Join { reader, sink: NullSink, greeting, topic: 1, tier };
        shard.turn(&mut [join, ShardCommand::Live { reader }].into_iter());
    }
    let mut out = Vec::new();
    frame::text(message(CONTENT, 1).as_bytes(), &mut out);
    let full: Frames = out.into();
    for count in [1, 16] {
        let delivery = || Delivery { topic: 1, plain: full.clone(), full: full.clone() };
        let deliveries = || (0..count).map(|_| ShardCommand::Publish(vec![delivery()]));
        group.bench_function(format!("1,000 readers, {count} waiting"), |b| {
            b.iter(|| shard.turn(&mut deliveries()))
        });
    }
}

fn lines(c: &mut Criterion) {
    let mut group = c.benchmark_group("a line read when a log is opened");
    let written = r#"{"seq":7,"id":7,"page":"/","name":"Ada","author":"q83vEjRWeJCrze8SNFZ4kA","content":"I had the same with the second edition.","created_at":"2026-11-22T05:08:00.001Z","nonce":"4f1c6d0be2a94f07","crc":"a7123ee8"}"#;
    let other = written.replacen(":", ": ", 1);
    for (name, line) in [("as sayso writes it", written), ("with a space in it", &other)] {
        group.bench_function(name, |b| b.iter(|| LineSummary::parse(black_box(line.as_bytes()))));
    }
}

criterion_group!(benches, drafts, batches, frames, deliveries, lines);
