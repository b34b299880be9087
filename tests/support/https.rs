//! A small server of HTTPS that answers as a test wants it to.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub type Connection = StreamOwned<ServerConnection, std::net::TcpStream>;
/// First and last octet that are asked for; nothing asks for all.
pub type Range = Option<(usize, usize)>;
/// Answers a request: its path, and the range that it asks for.
pub type Answer = dyn Fn(&mut Connection, &str, Range) + Send + Sync;

/// A server of HTTPS on a port of its own, until the process ends.
pub struct Server {
    pub port: u16,
    /// Paths and ranges that were asked for.
    pub asked: Arc<Mutex<Vec<(String, Range)>>>,
}

impl Server {
    pub fn start(certificate: &(std::path::PathBuf, std::path::PathBuf), answer: Box<Answer>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(&certificate.0).unwrap()],
                PrivateKeyDer::from_pem_file(&certificate.1).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), asked: Arc::default() };
        let asked = Arc::clone(&server.asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                while let Some((path, range)) = request(&mut stream) {
                    asked.lock().unwrap().push((path.clone(), range));
                    answer(&mut stream, &path, range);
                    if stream.flush().is_err() {
                        break;
                    }
                }
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

/// Reads the head of a request; none when the client has gone.
fn request(stream: &mut Connection) -> Option<(String, Option<(usize, usize)>)> {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).ok()?;
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(!head.contains("authorization") && !head.contains("cookie"), "{head}");
    let path = head.split(' ').nth(1)?.to_owned();
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes=")).map(|range| {
        let (from, to) = range.split_once('-').unwrap();
        (from.parse().unwrap(), to.parse().unwrap())
    });
    Some((path, range))
}

/// A part of a file, whatever it says of itself.
pub fn part(stream: &mut Connection, from: usize, to: usize, of: usize, content: &[u8]) {
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{to}/{of}\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    // The client may have had enough.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(content));
}

/// The range that was asked for.
pub fn honest(stream: &mut Connection, whole: &[u8], range: Option<(usize, usize)>) {
    let (from, to) = range.unwrap();
    part(stream, from, to, whole.len(), &whole[from..=to]);
}
