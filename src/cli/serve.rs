//! The whole: opens everything in its order, runs until a signal comes, and closes everything in the opposite order.
//!
//! Knows every room and none of their business.

use std::{
    fs,
    io::{self, Read, Write},
    net::{IpAddr, TcpListener, TcpStream},
    os::unix::{fs::DirBuilderExt, net::UnixStream},
    path::Path,
    process,
    sync::{Arc, atomic::AtomicUsize},
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::{
    consts::{SIGINT, SIGTERM, SIGXFSZ},
    low_level::pipe,
};

use crate::{
    cli::config::{Config, Hold},
    error::Error,
    fanout::subscribers::Subscribers,
    fanout::{SHARD_INBOX_COMMANDS_MAX, Shard, ShardCommand},
    http::origin::Origins,
    http::upstream::Upstream,
    http::{
        request::{HttpError, RequestHead},
        response::Response,
    },
    hub::command::{Command, HubHandle, INBOX_COMMANDS_MAX, Query, Stats},
    hub::rate_limit::RateLimiter,
    hub::{Hub, rules::Rules},
    log::storage::DirLock,
    net::connection::{Handler, Options, Upgrade},
    net::listener::Listener,
    net::resource_limits,
    store::Store,
    util::logger,
    util::threads,
    web,
    web::Router,
    web::backend,
    ws::{self, Context},
};

/// Stopping takes no longer than this, whatever hangs; systemd would wait 90 s, a person doesn't.
const STOP_DEADLINE: Duration = Duration::from_millis(4_500);
/// One thread sends faster than most networks take it. With a shard on each core, turns are shorter, so that less goes out with each send,
/// and nothing is left for those who read, for the hub, and for the kernel's part of sending.
const CORES_A_SHARD: usize = 2;
/// A moderator's token is at least this long, or it could be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// The two ways that a request can go.
struct Routes {
    context: Arc<Context>,
    upstream: Arc<Upstream>,
}

impl Handler for Routes {
    fn handle(
        &self,
        head: &RequestHead,
        body: &[u8],
        client: IpAddr,
    ) -> Result<Response, HttpError> {
        self.upstream.handle(head, body, client)
    }

    fn upgrade(&self, head: &RequestHead, guest: Upgrade) -> Result<(), HttpError> {
        let Upgrade { number, stream, rest, client, permits } = guest;
        ws::upgrade(&self.context, number, stream, head, rest, client, permits)
    }
}

type ShardSenders = Sender<ShardCommand<Arc<TcpStream>>>;

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps sayso from starting; once it listens, nothing is an error here.
pub fn run(config: Config) -> Result<(), Error> {
    logger::init(config.log_level).map_err(|error| Error::Other(error.to_string()))?;
    let config = Arc::new(config);
    let signal = listen_for_signals().map_err(|error| Error::Other(format!("signals: {error}")))?;
    // A file that may not grow (RLIMIT_FSIZE) is a full disk, not the end of the process.
    signal_hook::flag::register(SIGXFSZ, Arc::default())
        .map_err(|error| Error::Other(format!("SIGXFSZ: {error}")))?;
    resource_limits::raise_file_limit();
    if let (_, Some(message)) = resource_limits::reachable_connections(config.max_connections) {
        ::log::warn!("{message}");
    }
    let token = config.admin_token_file.as_deref().map(read_token).transpose()?;
    let _lock = prepare(&config.data)?;
    let store = Store::open(&config.data, config.sync, config.hold == Hold::New)?;
    let listener = TcpListener::bind(config.listen)
        .map_err(|source| Error::Listen { address: config.listen.to_string(), source })?;
    let address = listener
        .local_addr()
        .map_err(|source| Error::Listen { address: config.listen.to_string(), source })?;

    let (shards, shard_threads) = start_shards()?;
    let (hub, hub_thread) = start_hub(&config, store, shards.clone())?;
    let context = Arc::new(Context {
        hub: hub.clone(),
        shards,
        origins: Origins::new(config.allow_origin.clone()),
        challenge: config.challenge,
    });
    let (broken, found_broken) = bounded(1);
    let path = backend::socket_path(&config.data)?;
    let upstream = Arc::new(Upstream::new(
        path.clone(),
        resource_limits::FdBudget::now().exchanges,
        broken.clone(),
    ));
    let router = Arc::new(Router::new(
        web::Options {
            allow_origin: config.allow_origin.clone(),
            base_path: config.base_path.clone(),
            title: config.title.clone(),
            token,
            challenge: config.challenge,
            is_limited: config.rate.is_some(),
        },
        hub.clone(),
    ));
    let web = backend::Web::start(path, router, broken, found_broken)?;
    let options = Options {
        base_path: config.base_path.clone(),
        trust_proxy: config.trust_proxy.clone(),
        max_connections: config.max_connections,
        max_per_address: config.max_per_address,
    };
    let listener = Listener::open(listener, options, Box::new(Routes { context, upstream }))?;

    let mut stdout = std::io::stdout();
    // Nobody may be reading what we say; that is no reason to stop.
    let _ = writeln!(stdout, "sayso listening on http://{address}").and_then(|()| stdout.flush());
    wait_for(signal);
    ::log::info!("stopping");
    limit_stopping();
    listener.stop();
    let _ = hub.query(Query::Stop);
    drop(hub);
    web.stop();
    backend::leave(&config.data);
    join(hub_thread);
    shard_threads.into_iter().for_each(join);
    Ok(())
}

/// The data folder, made if missing, and its lock.
fn prepare(data: &Path) -> Result<DirLock, Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|source| Error::Io { what: "create", path: data.to_owned(), source })?;
    DirLock::take(data)
}

fn read_token(path: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Io {
        what: "read",
        path: path.to_owned(),
        source,
    })?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.len() < TOKEN_BYTES_MIN {
        let length = token.len();
        return Err(Error::Usage(format!(
            "the token in {} is {length} bytes, at least {TOKEN_BYTES_MIN} are needed; make one with: openssl rand -hex 16",
            path.display()
        )));
    }
    Ok(token.to_owned())
}

fn start_shards() -> Result<(Vec<ShardSenders>, Vec<JoinHandle<()>>), Error> {
    let count = resource_limits::cores().div_ceil(CORES_A_SHARD);
    let waiting = Arc::new(AtomicUsize::new(0));
    let (mut inboxes, mut threads) = (Vec::new(), Vec::new());
    for n in 0..count {
        let (sender, inbox) = bounded(SHARD_INBOX_COMMANDS_MAX);
        let shard = Shard::new(waiting.clone());
        threads.push(spawn(format!("fanout-{n}"), move || abort_on_panic(|| shard.run(inbox)))?);
        inboxes.push(sender);
    }
    Ok((inboxes, threads))
}

fn start_hub(
    config: &Config,
    store: Store,
    shards: Vec<ShardSenders>,
) -> Result<(HubHandle<Arc<TcpStream>>, JoinHandle<()>), Error> {
    let (commands, inbox): (_, Receiver<Command<Arc<TcpStream>>>) = bounded(INBOX_COMMANDS_MAX);
    let stats = Arc::new(Stats::default());
    let rates = config.rate.map(RateLimiter::new);
    let subscribers = Subscribers::new(shards);
    let known = (store.index, store.likes);
    let rules = Rules {
        hold: config.hold,
        page_prefix: config.page_prefix.clone(),
        max_pages: config.max_pages,
    };
    let mut hub = Hub::new(store.log, known, subscribers, rates, rules, stats.clone());
    store.approved.into_iter().for_each(|author| hub.approve(author));
    let thread = spawn("hub".into(), move || abort_on_panic(|| hub.run(inbox)))?;
    Ok((HubHandle { commands, stats }, thread))
}

/// Without the hub or a shard nothing works: better an end that a supervisor sees than a server that only looks alive.
fn abort_on_panic(work: impl FnOnce() + 'static) {
    if !threads::catch_panic(Box::new(work)) {
        ::log::error!("a vital thread has panicked, sayso ends");
        process::exit(1);
    }
}

/// A handler may do next to nothing; this one writes a byte, to be read at leisure.
fn listen_for_signals() -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    pipe::register(SIGINT, write.try_clone()?)?;
    pipe::register(SIGTERM, write)?;
    Ok(read)
}

fn wait_for(mut signal: UnixStream) {
    while matches!(signal.read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::Interrupted)
    {
    }
}

fn limit_stopping() {
    let started = threads::start("deadline", || {
        thread::sleep(STOP_DEADLINE);
        ::log::warn!("something would not end in time; everything acknowledged is on disk");
        process::exit(0);
    });
    if started.is_err() {
        ::log::warn!("no thread could be started to limit the time that stopping takes");
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    threads::start(name.clone(), work).map_err(|source| Error::Thread { name, source })
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        ::log::error!("a thread has panicked");
    }
}
