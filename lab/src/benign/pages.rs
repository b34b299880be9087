//! Hosts that serve pages, for browsers to fetch.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::errand::{PAGE_PORTS, page};
use crate::stop::Stop;

/// Time between two looks for visitors.
const SLICE: Duration = Duration::from_millis(10);

/// Serves pages at these addresses until it is time to stop. Where a port cannot be had, visitors are refused.
pub fn serve(addresses: &[IpAddr], stop: &Stop) {
    let listeners: Vec<_> = addresses
        .iter()
        .flat_map(|address| PAGE_PORTS.map(|port| TcpListener::bind((*address, port))))
        .flatten()
        .filter(|listener| listener.set_nonblocking(true).is_ok())
        .collect();
    while stop.sleep(SLICE) {
        for listener in &listeners {
            loop {
                match listener.accept() {
                    // A visitor that goes away early is the visitor's affair.
                    Ok((stream, _)) => drop(answer(stream)),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        }
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut request = [0; 1024];
    let length = stream.read(&mut request)?;
    stream.write_all(&page(&String::from_utf8_lossy(&request[..length])))
}
