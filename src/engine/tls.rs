//! What is found in TLS: hellos are shown to whoever looks on, and what the records tell of a login counts for its host.

use core::time::Duration;

use super::carrier::Carried;
use super::knowledge::Knowledge;
use super::{ObservedHello, Sink};
use crate::detect::rules;
use crate::flow::carrier::Carrier;
use crate::flow::connection::{Connection, Speaks};
use crate::flow::stream::Delivery;
use crate::host::window::Counter;
use crate::time::Timestamp;
use crate::tls::Found;

/// A time in milliseconds, which may wrap.
const fn millis(now: Timestamp) -> u32 {
    ((now.as_micros() / 1000) & 0xffff_ffff) as u32
}

impl Knowledge<'_> {
    /// Takes octets of a connection with TLS.
    pub(super) fn on_tls<K: Sink>(
        &mut self,
        carried: &mut Carried<'_>,
        delivery: Delivery<'_>,
        sink: &mut K,
    ) {
        let by_port = carried.is_tls_port();
        let Carried { talk, carrier, .. } = carried;
        let Carrier::Tls(tls) = &mut **carrier else {
            return;
        };
        let ts = talk.now - Duration::from_micros(self.clock_offset);
        let (client, server) = (talk.ends.client, talk.ends.server);
        let carriers = &mut self.counts.carriers;
        let session = &mut *talk.session;
        let (mut foreign, mut answered) = (false, false);
        tls.take(talk.direction, delivery, millis(talk.now), &mut self.hellos, &mut |found| match found {
            Found::Client(hello) => {
                let is_mqtt = by_port || hello.mqtt;
                sink.tls_hello(&ObservedHello { ts, client, server, is_mqtt, hello });
                if is_mqtt {
                    carriers.tls += 1;
                    session.speaks = Speaks::Encrypted;
                    session.unexpected_port = !by_port;
                } else {
                    carriers.tls_other += 1;
                    foreign = true;
                }
            }
            Found::Server(hello) => {
                sink.tls_hello(&ObservedHello { ts, client, server, is_mqtt: true, hello });
                answered = true;
            }
            Found::Displaced => {
                carriers.hellos_displaced += 1;
                foreign |= session.speaks != Speaks::Encrypted && !by_port;
            }
            Found::Skipped(octets) => carriers.tls_skipped_octets += u64::from(octets),
        });
        if foreign {
            **carrier = Carrier::Other;
            session.speaks = Speaks::Other;
        } else if answered && session.unexpected_port {
            self.on_unexpected_port(talk, sink);
        }
    }

    /// The server closes first: whether that looks like a refused login.
    #[cold]
    pub(super) fn on_encrypted_end<K: Sink>(
        &mut self,
        connection: &mut Connection,
        now: Timestamp,
        sink: &mut K,
    ) {
        let Connection { ends, carrier, session, .. } = connection;
        let Carrier::Tls(tls) = carrier else {
            return;
        };
        if session.speaks != Speaks::Encrypted || !tls.take_refusal(millis(now)) {
            return;
        }
        self.counts.carriers.tls_refused += 1;
        let (size, server) = (tls.cadence().connect, ends.server);
        let Some(host) = self.host(ends, now) else {
            return;
        };
        host.server = Some(server);
        host.count(Counter::EncryptedRefused, 1, now.as_secs());
        host.connect_sizes |= 1 << (size % 64);
        self.ask(rules::bruteforce_by_shape, ends, now, sink);
    }
}
