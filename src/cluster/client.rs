//! Redis, as far as the order of lines needs it: the script, the stream, and what the server says of itself.
//!
//! Besides this file, only [`presence`](super::presence) and [`connector`](super::connector) name the crate `redis`. Knows what a reply says, not what follows from it.

use std::{sync::Arc, time::Duration};

use redis::{
    Cmd, ConnectionInfo, ConnectionLike, IntoConnectionInfo, RedisError, Value, cmd,
    io::tcp::TcpSettings,
};

use super::{
    call::{Call, Reply},
    connector::Connector,
    node::Entry,
};
use crate::log::{
    chain::{ChainHash, ChainedLine},
    scan::seq_of,
};

/// How long connecting may take, with looking up the host name and with what a connection begins with.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a reading of the stream waits for news. A node must notice within the 3 s that new lines wait that Redis is another one: this, the
/// two timeouts and the longest pause between two tries, 0.4 s, are 2.9 s together.
pub const BLOCK: Duration = Duration::from_millis(500);
/// How long a reply may take, besides.
pub const REPLY_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Entries of one reading of the stream. The hub stores them in one go, while others wait: 24 MB, if all of them are as long as lines can be.
pub const ENTRIES_MAX: usize = 256;

const SCRIPT: &str = include_str!("script.lua");

/// Why something could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    /// A sentence for the log and for `/healthz`, without addresses and secrets.
    pub why: String,
    /// Whether Redis itself has said no, so that nothing was done.
    pub is_refusal: bool,
}

impl ClientError {
    /// Redis can't be used as it is.
    pub fn refusal(why: impl Into<String>) -> ClientError {
        ClientError { why: why.into(), is_refusal: true }
    }
}

impl From<RedisError> for ClientError {
    fn from(error: RedisError) -> ClientError {
        if let Some(code) = error.code() {
            // What follows these names another machine's address.
            if matches!(code, "MOVED" | "ASK") {
                return ClientError::refusal(
                    "this Redis is part of a Redis Cluster and doesn't keep these keys",
                );
            }
            // Which script it was is no matter for who posts.
            let detail = error.detail().unwrap_or_default();
            let detail = detail.split(" script:").next().unwrap_or_default();
            let detail: String = detail.chars().take(160).collect();
            return ClientError::refusal(format!("Redis refuses: {code} {detail}"));
        }
        let why = match error {
            _ if error.is_timeout() => "Redis does not answer in time".into(),
            _ if error.is_connection_refusal() => "Redis is not there".into(),
            _ if error.is_io_error() => "the connection to Redis is broken".into(),
            _ => format!("Redis can't be used: {}", error.category()),
        };
        ClientError { why, is_refusal: false }
    }
}

/// Sends a command. An error that Redis answers is an error here.
fn ask(link: &mut redis::Connection, command: &Cmd) -> Result<Value, RedisError> {
    link.req_command(command)?.extract_error()
}

/// Where Redis is, and the names of the three keys.
pub struct Client {
    address: ConnectionInfo,
    connector: Connector<redis::Connection>,
    keys: [String; 3],
}

impl Client {
    /// The stream `name` of the Redis at `url`.
    ///
    /// # Errors
    /// Fails if the URL can't be understood.
    pub fn new(url: &str, name: &str) -> Result<Client, ClientError> {
        let address = url.into_connection_info()?;
        let address = address.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let keys = ["stream", "meta", "runs"].map(|key| format!("sayso:{{{name}}}:{key}"));
        let client = redis::Client::open(address.clone())?;
        let connector = Connector::new(move || client.get_connection_with_timeout(CONNECT_TIMEOUT));
        Ok(Client { address, connector, keys })
    }

    /// Where Redis is.
    pub fn address(&self) -> &ConnectionInfo {
        &self.address
    }

    /// Connects, and finds out which process it is and whether it can be trusted with the order.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn connect(&mut self) -> Result<Connection, ClientError> {
        let mut link = self.connector.connect(CONNECT_TIMEOUT)?;
        link.set_read_timeout(Some(REPLY_TIMEOUT))?;
        link.set_write_timeout(Some(REPLY_TIMEOUT))?;
        let identity = ask_identity(&mut link)?;
        let hash: String =
            redis::from_redis_value(ask(&mut link, cmd("SCRIPT").arg("LOAD").arg(SCRIPT))?)
                .map_err(RedisError::from)?;
        Ok(Connection { link, keys: self.keys.clone(), hash, identity })
    }
}

/// Asks which process of Redis it is, and of which history. One call for all of it, so that all of it is of one moment: a section each would
/// take as long, 50 µs, and 6.2 tells only one at a time. The default ones leave out what `all` has besides, the statistics of each command.
fn ask_identity(link: &mut redis::Connection) -> Result<Arc<str>, ClientError> {
    let info = ask(link, &cmd("INFO"))?;
    let info: String = redis::from_redis_value(info).map_err(RedisError::from)?;
    identity(&info)
}

/// Which process of Redis it is, and of which history, after what `INFO` says.
fn identity(info: &str) -> Result<Arc<str>, ClientError> {
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map_or("", str::trim)
    };
    let version = field("redis_version");
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if (major, minor) < (6, 2) {
        return Err(ClientError::refusal(format!(
            "Redis is {version:?}, but must be 6.2 or later"
        )));
    }
    if field("role") != "master" {
        return Err(ClientError::refusal("this Redis is a replica, and takes no lines"));
    }
    let policy = field("maxmemory_policy");
    if policy != "noeviction" {
        return Err(ClientError::refusal(format!(
            "Redis' maxmemory-policy is {policy:?}, but must be \"noeviction\": with any other it drops comments"
        )));
    }
    Ok(format!("{} {}", field("run_id"), field("master_replid")).into())
}

/// A connection to Redis.
pub struct Connection {
    link: redis::Connection,
    keys: [String; 3],
    /// By which Redis knows the script.
    hash: String,
    /// Which process of Redis it is, and of which history of replication.
    pub identity: Arc<str>,
}

impl Connection {
    /// Calls the script.
    ///
    /// # Errors
    /// [`ClientError`]; then nobody knows whether the script has run.
    pub fn call(&mut self, call: &Call) -> Result<Reply, ClientError> {
        let by_hash = self.script("EVALSHA", &self.hash, call);
        let value = match ask(&mut self.link, &by_hash) {
            // Redis has forgotten it.
            Err(error) if error.code() == Some("NOSCRIPT") => {
                let whole = self.script("EVAL", SCRIPT, call);
                ask(&mut self.link, &whole)?
            }
            value => value?,
        };
        let mut texts = Vec::new();
        flatten(value, &mut texts);
        Reply::parse(&texts).map_err(ClientError::refusal)
    }

    fn script(&self, command: &str, script: &str, call: &Call) -> Cmd {
        let mut command = cmd(command);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        for argument in &call.arguments {
            command.arg(argument);
        }
        command
    }

    /// Checks that it still is the same history: a Redis that was a replica for a while goes on with another one over the same connection.
    ///
    /// # Errors
    /// [`ClientError`], also if it is another one.
    pub fn check_identity(&mut self) -> Result<(), ClientError> {
        match ask_identity(&mut self.link)? == self.identity {
            true => Ok(()),
            false => Err(ClientError {
                why: "Redis has another history than before".into(),
                is_refusal: false,
            }),
        }
    }

    /// Reads the entries behind a `seq`, and waits for some if there are none. Returns `None` if one of them was not written by a node.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn read(&mut self, after: u64) -> Result<Option<Vec<Entry>>, ClientError> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(ENTRIES_MAX).arg("BLOCK").arg(BLOCK.as_millis() as u64);
        command.arg("STREAMS").arg(&self.keys[0]).arg(format!("{after}-0"));
        let value = ask(&mut self.link, &command)?;
        Ok(entries(value))
    }

    /// Returns Redis' time, in ms since 1970.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn time(&mut self) -> Result<u64, ClientError> {
        let mut texts = Vec::new();
        flatten(ask(&mut self.link, &cmd("TIME"))?, &mut texts);
        let number = |at: usize| texts.get(at)?.parse::<u64>().ok();
        let time = number(0).zip(number(1));
        let time = time
            .and_then(|(seconds, micros)| seconds.checked_mul(1_000)?.checked_add(micros / 1_000));
        time.ok_or_else(|| ClientError::refusal("Redis tells no time"))
    }

    /// Returns the mark of the stream's run and its last `seq`, if there is a stream.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn look(&mut self) -> Result<Option<(String, u64)>, ClientError> {
        let command = &mut cmd("HMGET");
        let value = ask(&mut self.link, command.arg(&self.keys[1]).arg("run").arg("seq"))?;
        let mut texts = Vec::new();
        flatten(value, &mut texts);
        Ok(match &texts[..] {
            [run, seq] => seq.parse().ok().map(|seq| (run.clone(), seq)),
            _ => None,
        })
    }
}

/// Appends all texts in a reply, in their order.
fn flatten(value: Value, out: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.into_iter().for_each(|value| flatten(value, out)),
        Value::BulkString(bytes) => out.push(String::from_utf8_lossy(&bytes).into_owned()),
        Value::SimpleString(text) => out.push(text),
        Value::Int(number) => out.push(number.to_string()),
        _ => {}
    }
}

/// The entries in a reply of `XREAD`, which is nothing if there are none. `None`: one of them is no line.
fn entries(value: Value) -> Option<Vec<Entry>> {
    let Value::Array(streams) = value else { return Some(Vec::new()) };
    let Some(Value::Array(stream)) = streams.into_iter().next() else { return Some(Vec::new()) };
    let Some(Value::Array(entries)) = stream.into_iter().nth(1) else { return Some(Vec::new()) };
    entries.into_iter().map(entry).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let (Some(Value::BulkString(id)), Some(Value::Array(fields))) = (parts.next(), parts.next())
    else {
        return None;
    };
    let seq: u64 = str::from_utf8(&id).ok()?.strip_suffix("-0")?.parse().ok()?;
    let (mut line, mut chain, mut run) = (None, None, None);
    let mut fields = fields.into_iter();
    while let (Some(Value::BulkString(name)), Some(Value::BulkString(value))) =
        (fields.next(), fields.next())
    {
        match &name[..] {
            b"l" => line = Some(value),
            b"h" => chain = ChainHash::parse(&value),
            b"r" => run = String::from_utf8(value).ok(),
            _ => {}
        }
    }
    let line = line.filter(|line| {
        line.first() == Some(&b'{') && line.last() == Some(&b'}') && seq_of(line) == Some(seq)
    });
    let line = ChainedLine { seq, chain: chain?, line: line?.into() };
    Some(Entry { line, run: run?.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_that_redis_names_is_told() {
        for reply in ["-MOVED 7 10.0.0.9:6379\r\n", "-ASK 7 10.0.0.9:6379\r\n"] {
            let reply = redis::parse_redis_value(reply.as_bytes()).unwrap().extract_error();
            let error = ClientError::from(reply.unwrap_err());
            assert!(error.is_refusal && !error.why.contains("10.0.0.9"), "{}", error.why);
        }
    }

    #[test]
    fn only_a_master_that_keeps_what_it_is_given_is_used() {
        let info = |version: &str, role: &str, policy: &str| {
            format!(
                "# Server\r\nredis_version:{version}\r\nrun_id:abc\r\nrole:{role}\r\nmaster_replid:def\r\nmaxmemory_policy:{policy}\r\n"
            )
        };
        assert_eq!(identity(&info("6.2.0", "master", "noeviction")), Ok("abc def".into()));
        assert_eq!(identity(&info("10.0.1", "master", "noeviction")), Ok("abc def".into()));
        for (version, role, policy, why) in [
            ("6.0.16", "master", "noeviction", "6.2"),
            ("", "master", "noeviction", "6.2"),
            ("7.0.15", "slave", "noeviction", "replica"),
            ("7.0.15", "master", "allkeys-lru", "allkeys-lru"),
        ] {
            let error = identity(&info(version, role, policy)).unwrap_err();
            assert!(error.why.contains(why), "{}", error.why);
        }
    }
}
