//! Models by HTTPS from a small server of the test's own: ranges, resuming, and all that a server can do wrong.
#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    unreachable_pub,
    reason = "a test may panic, wait and read the clock"
)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use picket::update::digest::Digest;
use picket::update::document::Get;
use picket::update::http::{self, Client};
use picket::update::mailbox::{Fetch, Inbound, Mailbox};
use picket::update::reason::Reason;

#[path = "support/authority.rs"]
mod authority;
use authority::Authority;
#[path = "support/https.rs"]
mod https;
use https::{Connection, Server};

const BLOCK: usize = 4096;

fn model() -> Vec<u8> {
    (0..50_000_u32).map(|i| (i % 251) as u8).collect()
}

fn fetch(urls: Vec<String>, blocks: &[u32]) -> Fetch {
    let sha256 = Digest::of(&model());
    let get = Get {
        schema: Get::SCHEMA.to_owned(),
        transfer: sha256.to_string()[..16].to_owned(),
        sha256,
        block_size: BLOCK as u32,
        blocks: blocks.to_vec(),
    };
    Fetch { get, urls, length: model().len() as u64 }
}

fn plain(stream: &mut Connection, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// Endless data, until the client goes.
fn endless(stream: &mut Connection, head: &str) {
    let mut sent = 0_u64;
    let _ = stream.write_all(head.as_bytes());
    while stream.write_all(&[b'x'; 4096]).is_ok() {
        sent += 4096;
        assert!(sent < 64 << 20, "the client reads on and on");
    }
}

fn answer(stream: &mut Connection, path: &str, range: Option<(usize, usize)>) {
    let whole = model();
    let (from, to) = range.unwrap_or_default();
    match path {
        "/m" => https::honest(stream, &whole, range),
        "/no-ranges" => plain(stream, "200 OK", "", &whole),
        "/other-part" => https::part(stream, from + 1, to + 1, whole.len(), &whole[from + 1..]),
        "/other-file" => https::part(stream, from, to, whole.len() + 1, &whole[from..=to]),
        "/too-little" => https::part(stream, from, to, whole.len(), &whole[from..from + 10]),
        "/short-file" => plain(stream, "200 OK", "", &whole[..from / 2]),
        "/gone" => plain(stream, "404 Not Found", "", b"no such file"),
        "/moved" => plain(stream, "302 Found", "Location: /m\r\n", b""),
        "/elsewhere" => plain(stream, "302 Found", "Location: https://127.0.0.1:1/m\r\n", b""),
        "/clear" => plain(stream, "301 Moved Permanently", "Location: http://localhost/m\r\n", b""),
        "/round" => plain(stream, "302 Found", "Location: /round\r\n", b""),
        "/endless" => {
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{to}/{}\r\n\r\n",
                whole.len()
            );
            endless(stream, &head);
        }
        "/endless-head" => endless(stream, "HTTP/1.1 206 Partial Content\r\nX-Long: "),
        "/silent" => std::thread::sleep(Duration::from_mins(3)),
        "/nonsense" => {
            let _ = stream.write_all(b"\0\0\0\0 what\r\n\r\n");
            stream.conn.send_close_notify();
        }
        other => panic!("{other}"),
    }
}

fn serve(folder: &Path) -> (Server, Client, Authority) {
    let authority = Authority::new(folder, "authority");
    let server = Server::start(&authority.issue("server"), Box::new(answer));
    (server, Client::new(&authority.file).unwrap(), authority)
}

/// Fetches blocks and gives what came.
fn take(client: &Client, fetch: &Fetch) -> (Result<(), String>, BTreeMap<u32, Vec<u8>>) {
    let mut came = BTreeMap::new();
    let outcome = client.fetch(fetch, |index, octets| {
        came.insert(index, octets.to_vec());
        true
    });
    (outcome.map_err(|refusal| refusal.to_string()), came)
}

#[test]
fn blocks_come_by_ranges_and_only_those_that_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client, _) = serve(folder.path());
    let model = model();
    let blocks: Vec<&[u8]> = model.chunks(BLOCK).collect();
    for path in ["/m", "/no-ranges", "/moved"] {
        let (outcome, came) = take(&client, &fetch(vec![server.url(path)], &[2, 3, 4, 7, 12]));
        outcome.unwrap();
        assert_eq!(came.keys().copied().collect::<Vec<_>>(), [2, 3, 4, 7, 12], "{path}");
        for (index, octets) in came {
            assert_eq!(octets, blocks[index as usize], "{path}: block {index}");
        }
    }
    let asked = server.asked.lock().unwrap();
    let ranges: Vec<_> = asked.iter().take(3).map(|(_, range)| range.unwrap()).collect();
    // Blocks that follow one another in one request; the last block is shorter.
    assert_eq!(ranges, [(8192, 20_479), (28_672, 32_767), (49_152, 49_999)]);
}

#[test]
fn what_a_server_does_wrong_is_an_error_of_few_words_and_little_time() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client, _) = serve(folder.path());
    for (path, why) in [
        ("/other-part", "another part"),
        ("/other-file", "another file"),
        ("/too-little", "too little"),
        ("/short-file", "too little"),
        ("/gone", "answered 404"),
        ("/elsewhere", "another server"),
        ("/clear", "no https address"),
        ("/round", "again and again"),
        ("/endless-head", ""),
        ("/nonsense", ""),
    ] {
        let began = Instant::now();
        let (outcome, came) = take(&client, &fetch(vec![server.url(path)], &[3, 4]));
        let error = outcome.unwrap_err();
        assert!(error.contains(why) && error.starts_with(Reason::NoTransport.code()), "{path}: {error}");
        assert!(!error.contains(path), "the address is not repeated: {error}");
        assert!(came.is_empty(), "{path}");
        assert!(began.elapsed() < Duration::from_mins(2), "{path}");
    }
    // Endless data after what was asked for: that is taken, the rest is left.
    let (outcome, came) = take(&client, &fetch(vec![server.url("/endless")], &[3, 4]));
    assert_eq!((outcome, came.len()), (Ok(()), 2));
    assert_eq!(came[&3], vec![b'x'; BLOCK], "it is for the digest to find out");
}

#[test]
fn the_next_address_is_tried_and_strangers_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client, _) = serve(folder.path());
    let urls = vec![server.url("/gone"), server.url("/m")];
    assert_eq!(take(&client, &fetch(urls, &[0])).0, Ok(()));
    // No address at all, and one without TLS.
    for urls in [vec![], vec![format!("http://localhost:{}/m", server.port)]] {
        assert!(take(&client, &fetch(urls, &[0])).0.is_err());
    }
    // A password in the address never comes back.
    let secret = vec![format!("https://user:s3cret@localhost:{}/m", server.port)];
    let error = take(&client, &fetch(secret, &[0])).0.unwrap_err();
    assert!(!error.contains("s3cret"), "{error}");
    let other = Authority::new(folder.path(), "other");
    let distrustful = Client::new(&other.file).unwrap();
    let error = take(&distrustful, &fetch(vec![server.url("/m")], &[0])).0.unwrap_err();
    assert!(error.contains("ertificate"), "{error}");
    assert!(Client::new(Path::new("/nonexistent.pem")).is_err());
}

#[test]
fn a_server_that_says_nothing_costs_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client, _) = serve(folder.path());
    let began = Instant::now();
    let error = take(&client, &fetch(vec![server.url("/silent")], &[0])).0.unwrap_err();
    assert!(error.contains("in time"), "{error}");
    assert!(began.elapsed() < Duration::from_mins(2));
}

#[test]
fn the_thread_answers_the_mailbox_and_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client, _) = serve(folder.path());
    let mailbox = Mailbox::new();
    let thread = http::spawn(mailbox.clone(), client).unwrap();
    let long = Duration::from_secs(20);
    mailbox.fetch(fetch(vec![server.url("/m")], &[1, 2]));
    let mut came = Vec::new();
    while came.len() < 2 {
        let Some(Inbound::Block { index, octets, .. }) = mailbox.receive(long) else { panic!("no block") };
        assert_eq!(octets, model().chunks(BLOCK).nth(index as usize).unwrap());
        came.push(index);
    }
    assert_eq!(came, [1, 2]);
    mailbox.fetch(fetch(vec![server.url("/gone")], &[3]));
    let Some(Inbound::NotFetched { refusal, .. }) = mailbox.receive(long) else { panic!("no refusal") };
    assert_eq!(refusal.reason, Reason::NoTransport);
    mailbox.close();
    thread.join().unwrap();
}
