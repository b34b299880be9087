//! What hosts do besides MQTT: datagrams, segments without a connection, other protocols, ARP.
//!
//! Only counted, and only of hosts that are known or stay for a few packets: a flood with made-up senders finds nobody to count for.

use super::knowledge::Knowledge;
use crate::decode::Address;
use crate::decode::aside::{Aside, aside};
use crate::flow::table::Handle;
use crate::frame::Frame;
use crate::host::newcomers::Newcomers;
use crate::host::rare::Rare;
use crate::host::sketch::Sketch;
use crate::host::stations::Stations;
use crate::host::window::Counter;
use crate::host::{Host, HostKey};
use crate::time::Timestamp;

/// What has to be remembered for that, of all hosts together.
#[derive(Debug)]
pub(super) struct Bystanders {
    newcomers: Newcomers,
    stations: Stations,
    /// The sender met last, who often is the next one.
    latest: (Address, Handle),
}

impl Default for Bystanders {
    fn default() -> Self {
        Self {
            newcomers: Newcomers::NONE.clone(),
            stations: Stations::NONE.clone(),
            latest: (Address::default(), Handle::NONE),
        }
    }
}

impl Knowledge<'_> {
    /// The host with this address, if it is known or stays.
    fn bystander(&mut self, addr: Address, now: Timestamp) -> Option<&mut Host> {
        let (address, mut handle) = self.bystanders.latest;
        if address != addr || self.hosts.peek(handle).is_none() {
            let key = HostKey(addr);
            handle = match self.hosts.find(&key, now) {
                Some(handle) => handle,
                None if self.bystanders.newcomers.admits(self.key.hash(&addr)) => self.host_handle(addr, now),
                None => return None,
            };
            self.bystanders.latest = (addr, handle);
        }
        self.hosts.touch(handle, now);
        self.host_due.no_later(handle.index(), now.as_secs());
        self.hosts.at(handle).map(|(_, host)| host)
    }

    /// A packet to this port that belongs to nothing: a UDP datagram of a client, or a segment without a connection.
    pub(super) fn on_probe(&mut self, counter: Counter, src: Address, dst_port: u16, now: Timestamp) {
        let port = self.key.hash(&dst_port);
        if let Some(host) = self.bystander(src, now) {
            host.count(counter, 1, now.as_secs());
            host.note(Sketch::ProbedPorts, port, now.as_secs());
        }
    }

    /// A frame in which there was nothing to look at, or one with a tunnel.
    #[cold]
    pub(super) fn on_aside(&mut self, frame: &Frame<'_>, now: Timestamp) {
        let second = now.as_secs();
        match aside(frame) {
            Some(Aside::Arp(arp)) => {
                let Some(said) = self.bystanders.stations.note(&arp, second) else {
                    return;
                };
                if !said.unasked && !said.claims {
                    return;
                }
                if let Some(host) = self.bystander(Address::v4(said.by.to_be_bytes()), now) {
                    host.count_rare(Rare::ArpUnasked, said.unasked.into(), second);
                    host.count_rare(Rare::ArpClaim, said.claims.into(), second);
                }
            }
            Some(Aside::Unreachable { of }) => {
                if let Some(host) = self.bystander(of, now) {
                    host.count_rare(Rare::Unreachable, 1, second);
                }
            }
            Some(Aside::Other { by }) => {
                if let Some(host) = self.bystander(by, now) {
                    host.count(Counter::OtherSent, 1, second);
                }
            }
            None => {}
        }
    }
}
