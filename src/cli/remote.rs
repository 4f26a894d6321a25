//! Sends requests to a server elsewhere, with a moderator's token.
//!
//! Knows no path of the API. Plain HTTP is written here; for https it uses the command `curl`, since a TLS library would be larger than sayso.
//! The token is in no argument of a process, where everybody on the machine could read it.

use std::{
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    cli::control::{exchange, request},
    cli::probe::{Address, connect},
    cli::token_file,
    error::Error,
    http::response::Response,
};

/// The longest time for one request: longer than the server takes to give up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A server, and the token that it is shown.
pub struct Remote {
    address: Address,
    token: String,
}

impl Remote {
    /// Reads the token from the first line of the file.
    ///
    /// # Errors
    /// Those of [`token_file::first_token`].
    pub fn new(url: &str, token_file: &Path) -> Result<Remote, Error> {
        let address = Address::parse(url.to_owned());
        let token = token_file::first_token(token_file)?;
        if address.is_mixed_content() {
            ::log::warn!("the token travels unencrypted to {url}; write https:// if it can");
        }
        Ok(Remote { address, token })
    }

    /// Sends one request, whose body is JSON or empty.
    ///
    /// # Errors
    /// Fails if the server can't be reached, or does not answer in time.
    pub fn call(&self, method: &str, target: &str, body: &str) -> Result<Response, Error> {
        let answer = match self.address.is_tls() {
            true => self.run_curl(method, target, body),
            false => self.send(method, target, body),
        };
        answer.map_err(|error| Error::Other(format!("can't ask {}: {error}", self.address.url)))
    }

    fn send(&self, method: &str, target: &str, body: &str) -> io::Result<Response> {
        let stream = connect(&self.address)?;
        stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
        stream.set_write_timeout(Some(REQUEST_TIMEOUT))?;
        let target = format!("{}{target}", self.address.base_path);
        let bearer = format!("Authorization: Bearer {}\r\n", self.token);
        let request = request(method, &target, &self.address.host, &bearer, body);
        exchange(&stream.into(), &request)
    }

    fn run_curl(&self, method: &str, target: &str, body: &str) -> io::Result<Response> {
        // Without the user's own curlrc, which could send the token elsewhere.
        let mut command = Command::new("curl");
        command.args(["-q", "--config", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other("https needs the command curl; install it"),
            _ => error,
        })?;
        let config = self.curl_config(method, target, body);
        // curl may have ended already; then it says why.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(config.as_bytes()));
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(why.trim().to_owned()));
        }
        // Behind the body, as `write-out` says.
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, status) = text.rsplit_once('\n').ok_or(io::ErrorKind::InvalidData)?;
        let status = status.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Response::json(status, body))
    }

    /// A config file of curl. Nothing in it is followed: no redirect, and no other scheme.
    fn curl_config(&self, method: &str, target: &str, body: &str) -> String {
        let mut config = String::from("silent\nshow-error\ngloboff\n");
        let mut option = |name: &str, value: &str| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            config.push_str(&format!("{name} = \"{value}\"\n"));
        };
        option("url", &format!("{}{target}", self.address.url));
        option("request", method);
        option("proto", "=https");
        option("max-time", &REQUEST_TIMEOUT.as_secs().to_string());
        option("write-out", "\n%{http_code}");
        option("header", &format!("Authorization: Bearer {}", self.token));
        if !body.is_empty() {
            option("header", "Content-Type: application/json");
            option("data-raw", body);
        }
        config
    }
}
