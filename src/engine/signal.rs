//! What control packets tell of a host besides their numbers: whose topics it uses, what it asks for, what it leaves behind.

use super::knowledge::Knowledge;
use super::mqtt::{REFUSES, Talk};
use crate::decode::Address;
use crate::host::gauge::Gauge;
use crate::host::rare::Rare;
use crate::host::sketch::Sketch;
use crate::limits::LARGE_PACKET;
use crate::mqtt::connect::Connect;
use crate::mqtt::packet::{Body, RawPacket};
use crate::mqtt::property::PropertyId;
use crate::mqtt::publish::Publish;
use crate::mqtt::subscribe::Filters;
use crate::mqtt::version::Version;

impl Knowledge<'_> {
    /// A host as it is named beside the topics that are its own: a cheap mix with the key will do, since who collides only
    /// passes for another.
    #[inline]
    fn owner_hash(&self, addr: Address) -> u64 {
        let (low, high) = (addr.0 & u128::from(u64::MAX), addr.0 >> 64);
        let folded = u64::try_from(low ^ high).unwrap_or_default();
        (folded ^ self.key.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
    }

    /// A CONNECT: what the session leaves behind, and whom it pushes out.
    #[cold]
    pub(super) fn on_asked(&mut self, talk: &mut Talk<'_>, connect: &Connect<'_>) {
        let second = talk.now.as_secs();
        let is_kept = match connect.version {
            Version::V5 => connect.properties.integer(PropertyId::SessionExpiryInterval).unwrap_or(0) > 0,
            _ => !connect.clean,
        };
        let will_topic = connect.will.and_then(|will| will.topic).map(|topic| self.key.hash_bytes(topic));
        let by = self.owner_hash(talk.ends.client.addr);
        let foreign = will_topic.is_some_and(|topic| self.publishers.is_foreign(topic, by, second));
        let commanding = will_topic.is_some_and(|topic| self.subscribers.is_foreign(topic, by, second));
        for (counter, is_so) in [
            (Rare::Persistent, is_kept),
            (Rare::Will, connect.will.is_some()),
            (Rare::Takeover, talk.session.takes_over),
            (Rare::Foreign, foreign),
            (Rare::Commanding, commanding),
        ] {
            if is_so {
                self.count_rare(talk.ends, counter, 1, talk.now);
            }
        }
    }

    /// A PUBLISH of a client: whose topic it is, and what becomes of it.
    #[inline]
    pub(super) fn on_topic(&mut self, talk: &mut Talk<'_>, publish: &Publish<'_>, topic: u64) {
        let second = talk.now.as_secs();
        let by = self.owner_hash(talk.ends.client.addr);
        if self.publishers.note(topic, by, second) {
            self.count_rare(talk.ends, Rare::Foreign, 1, talk.now);
        }
        if self.subscribers.is_foreign(topic, by, second) {
            self.count_rare(talk.ends, Rare::Commanding, 1, talk.now);
        }
        if publish.retain && publish.payload_len == Some(0) {
            self.count_rare(talk.ends, Rare::Emptied, 1, talk.now);
        }
        if publish.qos == 2 && !publish.dup {
            talk.session.qos2_open = talk.session.qos2_open.saturating_add(1);
            if let Some(host) = self.host(talk.ends, talk.now) {
                host.gauges.up(Gauge::Qos2Open);
            }
        }
    }

    /// An exchange of QoS 2 has come to its PUBREL, or was refused.
    pub(super) fn on_released(&mut self, talk: &mut Talk<'_>, is_qos2: bool) {
        if !is_qos2 || talk.session.qos2_open == 0 {
            return;
        }
        talk.session.qos2_open -= 1;
        if let Some(host) = self.host(talk.ends, talk.now) {
            host.gauges.down(Gauge::Qos2Open);
        }
    }

    /// A SUBSCRIBE.
    #[cold]
    pub(super) fn on_filters(&mut self, talk: &mut Talk<'_>, filters: &Filters<'_>) {
        let second = talk.now.as_secs();
        let by = self.owner_hash(talk.ends.client.addr);
        for (counter, n) in [
            (Rare::Filters, filters.count),
            (Rare::WildcardFilters, filters.wildcards),
            (Rare::SharedFilters, filters.shared),
            (Rare::ReadsAll, filters.reads_all.into()),
        ] {
            self.count_rare(talk.ends, counter, n.into(), talk.now);
        }
        for (filter, _) in filters.iter() {
            let hash = self.key.hash_bytes(filter);
            let by_name =
                !filter.starts_with(b"$") && !filter.iter().any(|octet| matches!(octet, b'#' | b'+'));
            if by_name {
                let _ = self.subscribers.note(hash, by, second);
            }
            if let Some(host) = self.host(talk.ends, talk.now) {
                host.note(Sketch::Filters, hash, second);
            }
        }
    }

    /// The codes of a SUBACK.
    pub(super) fn on_codes(&mut self, talk: &mut Talk<'_>, codes: &[u8]) {
        let refused = codes.iter().take(usize::from(u8::MAX)).filter(|code| **code >= REFUSES).count();
        if let Ok(refused @ 1..) = u32::try_from(refused) {
            self.count_rare(talk.ends, Rare::FiltersRefused, refused, talk.now);
        }
    }

    /// How large a client's packet is, and its properties.
    #[inline]
    pub(super) fn on_size(&mut self, talk: &mut Talk<'_>, raw: &RawPacket<'_>, body: &Body<'_>) {
        if raw.remaining_length >= LARGE_PACKET {
            self.count_rare(talk.ends, Rare::Large, 1, talk.now);
        }
        if talk.session.version == Version::V5
            && let Some(properties) = body.properties()
            && properties.len > 0
        {
            self.count_rare(talk.ends, Rare::PropertyBytes, properties.len.div_ceil(64), talk.now);
        }
    }
}
