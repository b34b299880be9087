//! Models by HTTPS: the blocks of a [`Fetch`] as ranges of one file.
//!
//! A server is believed no more than a broker: what comes is blocks of a release that was verified before, and is verified
//! again when it is whole. It can waste no more than [`PATIENCE`] and the length of the model.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ureq::http::{Response, StatusCode, Uri, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::mailbox::{Fetch, Mailbox};
use super::reason::{Reason, Refusal};
use crate::publish::config::PublishError;
use crate::publish::tls;

/// Longest time for the blocks of one request, from the name of the server to the last octet.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest time for a connection, TLS included, and for the first line of an answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Redirects followed, at most, all within one server.
const MAX_REDIRECTS: usize = 3;
/// How long the thread waits for work before it looks whether it is to end.
const LOOK_UP: Duration = Duration::from_secs(1);
/// Stack of the thread, in octets; a TLS handshake is the deepest it goes.
const STACK: usize = 512 * 1024;
const BUFFER: usize = 16 * 1024;
const MAX_HEADERS: usize = 16 * 1024;

/// Fetches models.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
}

/// Blocks that follow one another, as they lie in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Run {
    first: u32,
    count: u32,
}

impl Client {
    /// A client that believes the authorities in `ca_file`, PEM, and no other.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub fn new(ca_file: &Path) -> Result<Self, PublishError> {
        let certificates = tls::certificates(ca_file)?;
        let roots = certificates.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            // From the environment it would be taken otherwise, with a password that it may hold.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(FIRST_ANSWER))
            .timeout_recv_response(Some(FIRST_ANSWER))
            .max_response_header_size(MAX_HEADERS)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .max_idle_connections(1)
            .build();
        Ok(Self { agent: config.into() })
    }

    /// Fetches blocks, from the first address that gives them. `block` takes each as it comes, and says whether more are
    /// wanted.
    ///
    /// # Errors
    /// No address gave all of them: why the last one did not.
    pub fn fetch(&self, fetch: &Fetch, mut block: impl FnMut(u32, &[u8]) -> bool) -> Result<(), Refusal> {
        let mut outcome = Err(Refusal::new(Reason::NoTransport, "the manifest names no address"));
        for url in &fetch.urls {
            outcome = runs(&fetch.get.blocks)
                .iter()
                .try_for_each(|run| self.fetch_run(url, fetch, run, &mut block))
                .map_err(|why| Refusal::new(Reason::NoTransport, format!("{}: {why}", server(url))));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn fetch_run(
        &self,
        url: &str,
        fetch: &Fetch,
        run: &Run,
        block: &mut impl FnMut(u32, &[u8]) -> bool,
    ) -> Result<(), String> {
        let size = u64::from(fetch.get.block_size);
        let from = u64::from(run.first) * size;
        let to = (from + u64::from(run.count) * size).min(fetch.length);
        if from >= to {
            return Err("there is no such block".to_owned());
        }
        let response = self.get(url, from, to)?;
        let skip = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let expected = format!("bytes {from}-{}/{}", to - 1, fetch.length);
                let range = response.headers().get(header::CONTENT_RANGE);
                if range.is_none_or(|range| range.as_bytes() != expected.as_bytes()) {
                    return Err("it sent another part, or a part of another file".to_owned());
                }
                0
            }
            // It knows no ranges: what was not asked for is read past.
            StatusCode::OK => from,
            status => return Err(format!("it answered {}", status.as_u16())),
        };
        let mut body = response.into_body().into_with_config().limit(to.saturating_add(1)).reader();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "it sent too little".to_owned(),
            _ => crate::error::plain(&error),
        };
        let skipped = io::copy(&mut body.by_ref().take(skip), &mut io::sink()).map_err(failed)?;
        if skipped < skip {
            return Err("it sent too little".to_owned());
        }
        let mut octets = Vec::new();
        for (index, start) in
            (run.first..).zip((from..to).step_by(usize::try_from(size).unwrap_or(usize::MAX)))
        {
            let length = usize::try_from(size.min(to - start)).unwrap_or(0);
            octets.resize(length, 0);
            body.read_exact(&mut octets).map_err(failed)?;
            if !block(index, &octets) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Asks for octets `from..to`; follows redirects within the server.
    fn get(&self, url: &str, from: u64, to: u64) -> Result<Response<Body>, String> {
        let mut uri = address(url)?;
        for _ in 0..=MAX_REDIRECTS {
            let request = self.agent.get(&uri).header(header::RANGE, format!("bytes={from}-{}", to - 1));
            let response = request.call().map_err(|error| words(&error))?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            uri = redirected(&uri, location.ok_or("it redirects nowhere")?)?;
        }
        Err("it redirects again and again".to_owned())
    }
}

/// Fetches what the mailbox asks for until it is closed.
///
/// # Errors
/// No thread.
pub fn spawn(mailbox: Mailbox, client: Client) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("picket-fetch".to_owned()).stack_size(STACK).spawn(move || {
        while !mailbox.is_closed() {
            let Some(fetch) = mailbox.to_fetch(LOOK_UP) else { continue };
            let transfer = &fetch.get.transfer;
            let outcome = client.fetch(&fetch, |index, octets| {
                // Whether it was wanted does not matter: the rest may be.
                mailbox.block(transfer, index, octets);
                !mailbox.is_closed()
            });
            if let Err(refusal) = outcome {
                log::warn!("no model by HTTPS: {refusal}");
                mailbox.not_fetched(transfer, refusal);
            }
        }
    })
}

/// Blocks that follow one another, together.
fn runs(blocks: &[u32]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &block in blocks {
        match runs.last_mut() {
            Some(run) if run.first.checked_add(run.count) == Some(block) => run.count += 1,
            _ => runs.push(Run { first: block, count: 1 }),
        }
    }
    runs
}

/// An address that may be asked.
fn address(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|_| "not an address")?;
    let authority = uri.authority().ok_or("an address without a server")?;
    if uri.scheme_str() != Some("https") || authority.as_str().contains('@') {
        return Err("not an https address without credentials".to_owned());
    }
    Ok(uri)
}

/// Where a redirect of `from` leads, within the same server.
fn redirected(from: &Uri, location: &str) -> Result<Uri, String> {
    let authority = from.authority().map_or("", |authority| authority.as_str());
    let to = if location.starts_with('/') && !location.starts_with("//") {
        address(&format!("https://{authority}{location}"))?
    } else {
        address(location).map_err(|_| "it redirects to no https address")?
    };
    let same = to.authority().is_some_and(|to| to.as_str().eq_ignore_ascii_case(authority));
    if same { Ok(to) } else { Err("it redirects to another server".to_owned()) }
}

/// The server of an address, for messages: nothing that could be a secret.
fn server(url: &str) -> String {
    address(url).ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_else(|| "https".to_owned())
}

/// The words of an error, without the address that some of them repeat.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
        ureq::Error::HostNotFound => "there is no such server".to_owned(),
        ureq::Error::Io(error) => crate::error::plain(error),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => "not an https address".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_follow_one_another_are_one_request() {
        let run = |first, count| Run { first, count };
        assert_eq!(runs(&[0, 1, 2, 5, 6, 9]), [run(0, 3), run(5, 2), run(9, 1)]);
        assert_eq!(runs(&[u32::MAX, 0]), [run(u32::MAX, 1), run(0, 1)]);
        assert!(runs(&[]).is_empty());
    }

    #[test]
    fn only_https_without_credentials_is_asked_and_redirects_stay() {
        for wrong in ["http://a/m", "https://u:p@a/m", "https:///m", "ftp://a/m", "a/m", ""] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        let from = address("https://a.example:8443/m").unwrap();
        let leads = |to: &str| redirected(&from, to).map(|uri| uri.to_string());
        assert_eq!(leads("/n").unwrap(), "https://a.example:8443/n");
        assert_eq!(leads("https://A.example:8443/n").unwrap(), "https://A.example:8443/n");
        for away in [
            "https://a.example/n",
            "https://b.example:8443/n",
            "//b.example/n",
            "http://a.example:8443/n",
            "https://u@a.example:8443/n",
            "n",
        ] {
            assert!(leads(away).is_err(), "{away}");
        }
        assert_eq!(server("https://a.example:8443/m?token=secret"), "a.example");
    }
}
