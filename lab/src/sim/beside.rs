//! What hosts of the site do beside MQTT: pages, names, neighbours, time, and monitoring.

use std::net::Ipv4Addr;

use super::Time;
use super::recorder::{Host, Recorder};
use super::site::Site;
use super::tcp::{Connection, Side, Way};
use crate::benign::errand::{self, Errand, PAGE_PORTS};
use crate::random::Random;

/// Ports that are open at the broker's host.
const OPEN: [u16; 5] = [1883, 22, 80, 443, 8123];

/// Hosts outside, from the networks for documentation (RFC 5737).
fn outside(number: usize, router: &Host) -> Host {
    let last = u8::try_from(number % 250).expect("below 250") + 1;
    let net = if number.is_multiple_of(2) { [198, 51, 100] } else { [203, 0, 113] };
    Host { ip: Ipv4Addr::new(net[0], net[1], net[2], last), ttl: 52, ..*router }
}

/// Carries out an errand, all of its frames at once.
pub(super) fn errand(
    at: Time,
    client: (Host, u16),
    way: Way,
    errand: &Errand,
    site: &Site,
    random: &mut Random,
    out: &mut Recorder,
) {
    match errand {
        Errand::Page { neighbour, port, length } => {
            let server = outside(*neighbour, &site.router);
            ask_name(at, client, *neighbour, site, out);
            let mut connection = Connection::new(client, (server, *port), way, random);
            let begin = at + 30_000;
            if !PAGE_PORTS.contains(port) {
                connection.refused(begin, out);
                return;
            }
            let ready = connection.open(begin, random, out);
            let request = errand::request(server.ip.into(), *length);
            let sent = connection.send(ready, Side::Client, request.as_bytes(), random, out);
            let page = errand::page(&request);
            let sent = connection.send(sent.arrives + 15_000, Side::Server, &page, random, out);
            connection.close(sent.arrives, Side::Server, random, out);
        }
        Errand::Group { group, port, bytes } => {
            let [_, b, c, d] = group.octets();
            let group = Host { mac: [1, 0, 0x5E, b & 0x7F, c, d], ip: *group, ttl: 1 };
            out.udp(at, &client.0, &group, (*port, *port), bytes);
        }
        Errand::Look(port) => {
            let mut connection = Connection::new(client, (site.broker, *port), way, random);
            if OPEN.contains(port) {
                let ready = connection.open(at, random, out);
                connection.close(ready + 2000, Side::Client, random, out);
            } else {
                connection.refused(at, out);
            }
        }
    }
}

/// A DNS question for the address of a host, and the answer (RFC 1035).
fn ask_name(at: Time, (host, port): (Host, u16), number: usize, site: &Site, out: &mut Recorder) {
    let address = outside(number, &site.router).ip;
    let name = format!("h{number}");
    let mut question = port.to_be_bytes().to_vec();
    question.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in [name.as_str(), "example", "org"] {
        question.push(u8::try_from(label.len()).expect("labels are short"));
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    let mut answer = question.clone();
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[7] = 1;
    answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0x0E, 0x10, 0, 4]);
    answer.extend(address.octets());
    out.udp(at, &host, &site.router, (port, 53), &question);
    out.udp(at + 12_000, &site.router, &host, (53, port), &answer);
}

/// ARP for the broker, and now and then the time (RFC 5905, client and server mode).
pub(super) fn chore(at: Time, host: &Host, site: &Site, random: &mut Random, out: &mut Recorder) {
    out.arp(at, host, &site.broker);
    if random.chance(0.5) {
        let server = outside(7, &site.router);
        let mut packet = [0; 48];
        packet[0] = 0x23;
        let port = u16::try_from(random.between((40_000, 60_000))).expect("a port");
        out.udp(at + 900, host, &server, (port, 123), &packet);
        packet[0] = 0x24;
        packet[1] = 2;
        out.udp(at + 22_000, &server, host, (123, port), &packet);
    }
}
