//! `sayso serve`: opens every part of the server in order, waits for a signal, and closes them in reverse order.
//!
//! Knows how the parts are connected, not what they do.

use std::{
    env, fs,
    io::Write,
    net::IpAddr,
    os::unix::fs::DirBuilderExt,
    path::Path,
    process,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::{consts::SIGXFSZ, flag};

use crate::{
    cli::args::unknown_variables,
    cli::block_file::BlockFile,
    cli::cluster::{self, PreparedNode, Running},
    cli::config::Config,
    cli::signals::{Duties, Signals},
    cli::systemd::{self, Notifier, Watchdog},
    cli::{sign_on_file, token_file},
    error::Error,
    fanout::subscribers::Subscribers,
    fanout::{SHARD_INBOX_COMMANDS_MAX, Shard, ShardCommand},
    http::origin::Origins,
    http::page_url::PageUrls,
    http::upstream::Upstream,
    http::{
        request::{HttpError, RequestHead},
        response::Response,
    },
    hub::command::{Command, HubHandle, INBOX_COMMANDS_MAX, Query, Stats},
    hub::link::{KEY_FILE, Signer},
    hub::moderators::Moderators,
    hub::rate_limit::RateLimiter,
    hub::sign_on::SignOn,
    hub::{Hub, rules::Rules, screen::Screen},
    log::runs::Runs,
    log::salt::{self, Salt},
    log::storage::DirLock,
    net::connection::{Handler, Options, Upgrade},
    net::listen_socket::ListenSocket,
    net::listener::Listener,
    net::resource_limits,
    notify::{self, Notifiers, event::Addresses},
    store::Store,
    util::activity,
    util::address_space,
    util::logger,
    util::stream::Stream,
    util::threads,
    web,
    web::Router,
    web::backend::{Socket, Web},
    ws::{self, Context},
};

/// The longest time that stopping takes, whatever hangs. systemd would wait 90 s, but a person at a terminal would not.
const STOP_DEADLINE: Duration = Duration::from_millis(4_500);
/// How often it is looked whether a lost log is saved, once the deadline has passed.
const RESCUE_LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// One shard per two cores: one thread sends faster than most networks take it. A shard on every core would make batches shorter, so that
/// each send carries less, and leave no core to the readers, the hub and the kernel's part of sending.
const CORES_PER_SHARD: usize = 2;

/// Passes plain requests to the private server, and upgrades to the WebSocket.
struct Routes {
    context: Arc<Context>,
    upstream: Arc<Upstream>,
}

impl Handler for Routes {
    fn handle(
        &self,
        head: &RequestHead,
        body: &[u8],
        client: Option<IpAddr>,
    ) -> Result<Response, HttpError> {
        self.upstream.handle(head, body, client)
    }

    fn upgrade(&self, head: &RequestHead, upgrade: Upgrade) -> Result<(), HttpError> {
        let Upgrade { number, stream, buffered, client, permits } = upgrade;
        ws::upgrade(&self.context, number, stream, head, buffered, client, permits)
    }
}

pub(super) type ShardSenders = Sender<ShardCommand<Arc<Stream>>>;

/// Serves until SIGTERM or SIGINT arrives.
///
/// # Errors
/// Returns whatever keeps the server from starting. Once it listens, it does not fail.
pub fn run(config: Config) -> Result<(), Error> {
    if config.log_is_json {
        logger::use_json();
    }
    logger::init(config.log_level).map_err(|error| Error::Other(error.to_string()))?;
    activity::show_addresses(config.log_addresses);
    // Before any file is opened, which could be taken for a socket that was passed.
    let passed = systemd::passed_sockets()?;
    for warning in unknown_variables(env::vars_os().map(|(name, _)| name)) {
        ::log::warn!("{warning}");
    }
    if let Err(error) = address_space::run_with_one_arena() {
        ::log::warn!("malloc may use up the limited address space: {error}");
    }
    let config = Arc::new(config);
    let signals = Signals::install()
        .map_err(|error| Error::Other(format!("can't handle SIGTERM and SIGINT: {error}")))?;
    // Writing past RLIMIT_FSIZE must fail like a full disk and not kill the process.
    flag::register(SIGXFSZ, Arc::default())
        .map_err(|error| Error::Other(format!("can't handle SIGXFSZ: {error}")))?;
    resource_limits::raise_file_limit();
    let notifier = Notifier::from_env();
    let mut on_hangup: Vec<Box<dyn FnMut()>> = Vec::new();
    let moderators = config.admin_token_file.as_deref().map(token_file::read).transpose()?;
    let moderators = moderators.map(Moderators::new);
    if let Some((path, moderators)) = config.admin_token_file.clone().zip(moderators.clone()) {
        on_hangup.push(Box::new(token_file::read_again(path, moderators)));
    }
    let sign_on = config.sign_on_file.as_deref().map(sign_on_file::read).transpose()?;
    let sign_on = sign_on.map(SignOn::new);
    if let Some((path, sign_on)) = config.sign_on_file.clone().zip(sign_on.clone()) {
        on_hangup.push(Box::new(sign_on_file::read_again(path, sign_on)));
    }
    let (block_file, screen) = open_block_file(config.block_file.as_deref())?;
    let _lock = lock_data_folder(&config.data)?;
    let mut store = cluster::open_store(&config)?;
    let mut node = match PreparedNode::open(&config, &mut store, &signals) {
        Err(_) if signals.is_stopped() => return Ok(()),
        node => node?,
    };
    let (sockets, addresses) = listen(&config, passed)?;
    let runs = match node.as_mut() {
        Some(node) => node.take_runs(),
        // Before anybody is answered, and not by a sayso that finds its port taken: each try to start would use up a mark.
        None => Runs::begin(&config.data, store.log.id(), store.log.next_seq())?,
    };
    let links = open_links(&config, &moderators, store.log.id())?;
    let log_end = (store.log.id().to_owned(), store.log.next_seq() - 1);

    let salt = salt::open(&config.data)?;
    let mut stats = Stats { screen, ..Stats::default() };
    let (shards, shard_threads) = start_shards(&mut stats)?;
    let (hub, hub_thread) =
        start_hub(&config, store, runs, shards.clone(), stats, salt, node.as_mut())?;
    let order = node.as_ref().map(|node| node.start(&hub)).transpose()?;
    // Before anybody can post: a program that is new is told everything from now on.
    let page_urls = PageUrls::new(
        config.public_url.clone(),
        !config.no_page,
        &config.allow_origin,
        &config.page_prefix,
    );
    let found_at =
        Addresses { urls: page_urls.clone(), links: links.clone().zip(moderators.clone()) };
    let notifiers = start_notifiers(&config, log_end, &hub, found_at)?;
    let context = Arc::new(Context {
        hub: hub.clone(),
        shards,
        origins: Origins::new(config.allow_origin.clone()),
        moderators: moderators.clone(),
        sign_on: sign_on.clone(),
        challenge: config.challenge,
    });
    let (restart, restart_requests) = bounded(1);
    let path = Socket::Relay.create_path(&config.data)?;
    let upstream = Arc::new(Upstream::new(
        path.clone(),
        resource_limits::FdBudget::now().exchanges,
        restart.clone(),
    ));
    let router = Arc::new(Router::new(
        web::Options {
            allow_origin: config.allow_origin.clone(),
            base_path: config.base_path.clone(),
            title: config.title.clone(),
            page_urls,
            moderators,
            links,
            sign_on,
            challenge: config.challenge,
            is_limited: config.rate.is_some(),
            has_page: !config.no_page,
            metrics_are_public: config.metrics_are_public,
        },
        hub.clone(),
    ));
    let web = Web::start(Socket::Relay, path, router.clone(), restart, restart_requests)?;
    let path = Socket::Control.create_path(&config.data)?;
    let (restart, restart_requests) = bounded(1);
    let control = Web::start(Socket::Control, path, router, restart, restart_requests)?;
    let options = Options {
        base_path: config.base_path.clone(),
        trust_proxy: config.trust_proxy.clone(),
        max_connections: config.max_connections,
        max_per_address: config.max_per_address,
        counters: hub.stats.net.clone(),
    };
    // Only now, since the threads that run already count.
    if let (_, Some(message)) = resource_limits::reachable_connections(config.max_connections) {
        ::log::warn!("{message}");
    }
    let listener = Listener::open(sockets, options, Box::new(Routes { context, upstream }))?;

    let mut stdout = std::io::stdout();
    // A closed stdout is no reason to stop.
    let _ = writeln!(stdout, "sayso listening on {addresses}").and_then(|()| stdout.flush());
    let status = format!("listening on {addresses}");
    notifier.ready(&status);
    signals.wait(Duties {
        on_hangup,
        block_file,
        screen: &hub.stats.screen,
        notifier: &notifier,
        watchdog: Watchdog::from_env(hub.clone()),
        status,
    });
    notifier.stopping();
    ::log::info!("stopping");
    let stats = hub.stats.clone();
    start_stop_deadline(stats.clone());
    listener.shutdown();
    let _ = hub.query(Query::Stop);
    notifiers.stop();
    // What is in flight may still come back.
    order.into_iter().for_each(Running::stop);
    drop(hub);
    for (server, socket) in [(web, Socket::Relay), (control, Socket::Control)] {
        server.stop();
        socket.remove(&config.data);
    }
    join(hub_thread);
    shard_threads.into_iter().for_each(join);
    node.map_or(Ok(()), |node| node.end(&config.data))?;
    // Whoever starts sayso again must first put the right file in place.
    match stats.failed.get().filter(|_| stats.is_lost.load(Ordering::Relaxed)) {
        Some(why) => Err(Error::Other(why.clone())),
        None => Ok(()),
    }
}

/// Creates the data folder if it is missing, and locks it.
pub(super) fn lock_data_folder(data: &Path) -> Result<DirLock, Error> {
    create_data_folder(data)?;
    DirLock::take(data)
}

pub(super) fn create_data_folder(data: &Path) -> Result<(), Error> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    created.map_err(Error::io("create", data))
}

/// The sockets that were passed, or else the one of `--listen`; and their addresses, with commas.
fn listen(
    config: &Config,
    passed: Vec<ListenSocket>,
) -> Result<(Vec<ListenSocket>, String), Error> {
    let failed = |source| Error::Listen { address: config.listen.to_string(), source };
    let mut sockets = passed;
    if sockets.is_empty() {
        sockets.push(ListenSocket::bind(&config.listen).map_err(failed)?);
    }
    let mut addresses = String::new();
    for socket in &sockets {
        let comma = if addresses.is_empty() { "" } else { ", " };
        let address = socket.address().map_err(failed)?;
        addresses.push_str(&format!("{comma}{address}"));
    }
    Ok((sockets, addresses))
}

/// Reads the block list, if there is one.
fn open_block_file(path: Option<&Path>) -> Result<(Option<BlockFile>, Screen), Error> {
    let screen = Screen::default();
    let Some(path) = path else { return Ok((None, screen)) };
    let (file, list) = BlockFile::open(path)?;
    screen.set_block_list(list);
    Ok((Some(file), screen))
}

/// Starts what runs the programs of `--notify`.
fn start_notifiers(
    config: &Config,
    (log, end): (String, u64),
    hub: &HubHandle<Arc<Stream>>,
    addresses: Addresses,
) -> Result<Notifiers, Error> {
    let folder = config.data.join(notify::FOLDER);
    if !config.notify.is_empty() {
        create_data_folder(&folder)?;
    }
    let started = Notifiers::start(&config.notify, &folder, (&log, end), hub, addresses);
    started.map_err(|source| Error::Thread { name: "notify".into(), source })
}

/// Opens the key of the links by which moderators decide from a message. Without moderators, or an address to lead to, there are none. Those
/// that were sent stay good where no program is notified any more.
fn open_links(
    config: &Config,
    moderators: &Option<Arc<Moderators>>,
    log: &str,
) -> Result<Option<Arc<Signer>>, Error> {
    let has_sent = || config.data.join(KEY_FILE).exists();
    if config.public_url.is_none()
        || moderators.is_none()
        || (config.notify.is_empty() && !has_sent())
    {
        return Ok(None);
    }
    let loss = "links in messages that were sent are then no longer good";
    let key = salt::open_secret(&config.data, KEY_FILE, loss)?;
    Ok(Some(Arc::new(Signer::new(key, log))))
}

/// Starts the shards, and lets the statistics read what they count.
fn start_shards(stats: &mut Stats) -> Result<(Vec<ShardSenders>, Vec<JoinHandle<()>>), Error> {
    let count = resource_limits::cores().div_ceil(CORES_PER_SHARD);
    let (mut inboxes, mut threads) = (Vec::new(), Vec::new());
    for n in 0..count {
        let (sender, inbox) = bounded(SHARD_INBOX_COMMANDS_MAX);
        let shard = Shard::new(stats.outbox_bytes.clone());
        stats.shards.push(shard.counters());
        threads.push(spawn(format!("fanout-{n}"), move || abort_on_panic(|| shard.run(inbox)))?);
        inboxes.push(sender);
    }
    Ok((inboxes, threads))
}

/// Starts the hub of an open log.
pub(super) fn start_hub(
    config: &Config,
    store: Store,
    runs: Runs,
    shards: Vec<ShardSenders>,
    stats: Stats,
    salt: Salt,
    node: Option<&mut PreparedNode>,
) -> Result<(HubHandle<Arc<Stream>>, JoinHandle<()>), Error> {
    let (commands, inbox): (_, Receiver<Command<Arc<Stream>>>) = bounded(INBOX_COMMANDS_MAX);
    let stats = Arc::new(stats);
    let rate_limiter = config.rate.map(RateLimiter::new);
    let subscribers = Subscribers::new(shards);
    let stored = (store.index, store.likes, store.moderation);
    let rules = Rules {
        hold: config.hold,
        max_links: config.max_links,
        flags_hold: config.flags_hold.filter(|_| config.admin_token_file.is_some()),
        close_after: config.close_after,
        salt,
        page_prefix: config.page_prefix.clone(),
        max_pages: config.max_pages,
    };
    let mut hub =
        Hub::new(store.log, runs, stored, subscribers, rate_limiter, rules, stats.clone());
    store.approved.into_iter().for_each(|author| hub.approve(author));
    hub.set_clock(&store.last_created_at);
    if let Some(node) = node {
        node.join(&mut hub, &config.data);
    }
    let thread = spawn("hub".into(), move || abort_on_panic(|| hub.run(inbox)))?;
    Ok((HubHandle { commands, stats }, thread))
}

/// Ends the process if `work` panics. Nothing works without the hub or a shard, and a supervisor can restart a process that ended
/// but not one that only looks alive.
fn abort_on_panic(work: impl FnOnce() + 'static) {
    if !threads::catch_panic(Box::new(work)) {
        ::log::error!("a thread that the server can't work without has panicked; exiting");
        process::exit(1);
    }
}

/// Ends the process after [`STOP_DEADLINE`], even if something hangs. What a lost log still holds is saved first, however long that takes.
fn start_stop_deadline(stats: Arc<Stats>) {
    let started = threads::start("deadline", move || {
        thread::sleep(STOP_DEADLINE);
        while stats.is_rescuing.load(Ordering::Relaxed) {
            thread::sleep(RESCUE_LOOK_INTERVAL);
        }
        if stats.is_lost.load(Ordering::Relaxed) {
            ::log::warn!("stopping took too long, exiting now");
            process::exit(1);
        }
        ::log::warn!("stopping took too long, exiting now; every acknowledged comment is on disk");
        process::exit(i32::from(stats.is_parted()));
    });
    if started.is_err() {
        ::log::warn!("can't start a thread that limits how long stopping takes");
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
