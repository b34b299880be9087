//! The fields of the MQTT packets of one frame as `tshark -T fields -E occurrence=f` gives them: of each field the
//! first value that occurs, which need not all be of the same packet.

use crate::engine::Observed;
use crate::mqtt::field::Fields;
use crate::mqtt::packet::PacketType;
use crate::mqtt::version::Version;

/// The first value of each field; memory for text is kept from frame to frame.
#[derive(Default, Debug)]
pub(super) struct MqttFields {
    pub(super) first_octet: Option<u8>,
    pub(super) remaining_length: Option<u32>,
    pub(super) dup: Option<bool>,
    pub(super) qos: Option<u8>,
    pub(super) retain: Option<bool>,
    pub(super) packet_id: Option<u16>,
    pub(super) protocol_name: Text,
    pub(super) protocol_level: Option<u8>,
    pub(super) connect_flags: Option<u8>,
    pub(super) keep_alive: Option<u16>,
    pub(super) will_topic: Text,
    pub(super) will_message: Text,
    pub(super) connack_flags: Option<u8>,
    pub(super) connack_reserved: Option<bool>,
    pub(super) connack_code: Option<u8>,
    pub(super) subscribe_qos: Option<u8>,
    pub(super) granted_qos: Option<u8>,
    pub(super) payload: Text,
}

/// Octets with the length that was announced for them.
#[derive(Default, Debug)]
pub(super) struct Text {
    pub(super) len: Option<u16>,
    kept: Vec<u8>,
    is_set: bool,
}

impl Text {
    /// The octets; `None` if the field did not occur.
    pub(super) fn get(&self) -> Option<&[u8]> {
        self.is_set.then_some(&self.kept)
    }

    fn clear(&mut self) {
        self.len = None;
        self.is_set = false;
        self.kept.clear();
    }

    fn set(&mut self, octets: &[u8]) {
        if !self.is_set {
            self.is_set = true;
            self.kept.extend_from_slice(octets);
        }
    }

    /// Reads a string with its length.
    fn read(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let len = fields.two_octets()?;
        self.len.get_or_insert(len);
        self.set(fields.take(usize::from(len))?);
        Some(())
    }
}

impl MqttFields {
    /// Forgets everything, for the next frame.
    pub(super) fn clear(&mut self) {
        if self.first_octet.is_none() {
            // Nothing was seen.
            return;
        }
        let take = |text: &mut Text| {
            text.clear();
            std::mem::take(text)
        };
        *self = Self {
            protocol_name: take(&mut self.protocol_name),
            will_topic: take(&mut self.will_topic),
            will_message: take(&mut self.will_message),
            payload: take(&mut self.payload),
            ..Self::default()
        };
    }

    /// Whether there was a control packet at all.
    pub(super) const fn is_seen(&self) -> bool {
        self.first_octet.is_some()
    }

    /// Takes in what one more control packet says.
    pub(super) fn add(&mut self, seen: &Observed<'_, '_>) {
        let first = seen.raw.first;
        let (qos, dup, retain) = (first >> 1 & 0x03, first & 0x08 != 0, first & 0x01 != 0);
        self.first_octet.get_or_insert(first);
        self.remaining_length.get_or_insert(seen.raw.remaining_length);
        let fields = Fields::new(seen.raw.head, seen.raw.remaining_length);
        let kind = PacketType::of(first);
        if kind == PacketType::Publish {
            self.retain.get_or_insert(retain);
        }
        let has_flags_in_31 =
            matches!(kind, PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe);
        if kind == PacketType::Publish || seen.version == Version::V31 && has_flags_in_31 {
            self.dup.get_or_insert(dup);
            self.qos.get_or_insert(qos);
        }
        // What is cut off is missing from the cells, no more.
        let _ = match kind {
            PacketType::Connect => self.connect(fields),
            PacketType::ConnAck => self.connack(fields, seen.version),
            PacketType::Publish => self.publish(fields, qos, seen.version),
            PacketType::Subscribe => self.subscribe(fields, seen.version),
            PacketType::SubAck => self.suback(fields, seen.version),
            PacketType::PubAck
            | PacketType::PubRec
            | PacketType::PubRel
            | PacketType::PubComp
            | PacketType::Unsubscribe
            | PacketType::UnsubAck => self.id(&mut { fields }),
            PacketType::PingReq
            | PacketType::PingResp
            | PacketType::Disconnect
            | PacketType::Auth
            | PacketType::Reserved => None,
        };
    }

    fn id(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        let id = fields.two_octets()?;
        self.packet_id.get_or_insert(id);
        Some(())
    }

    fn connect(&mut self, mut fields: Fields<'_>) -> Option<()> {
        self.protocol_name.read(&mut fields)?;
        let level = fields.octet()?;
        self.protocol_level.get_or_insert(level);
        let flags = fields.octet()?;
        self.connect_flags.get_or_insert(flags);
        let keep_alive = fields.two_octets()?;
        self.keep_alive.get_or_insert(keep_alive);
        if level == 5 {
            skip_properties(&mut fields)?;
        }
        fields.binary()?;
        if flags & 0x04 != 0 {
            if level == 5 {
                skip_properties(&mut fields)?;
            }
            self.will_topic.read(&mut fields)?;
            self.will_message.read(&mut fields)?;
        }
        Some(())
    }

    fn connack(&mut self, mut fields: Fields<'_>, version: Version) -> Option<()> {
        let flags = fields.octet()?;
        if version == Version::V31 {
            self.connack_reserved.get_or_insert(flags != 0);
        } else {
            self.connack_flags.get_or_insert(flags);
            self.connack_reserved.get_or_insert(flags & 0xfe != 0);
        }
        let code = fields.octet()?;
        if matches!(version, Version::V31 | Version::V311) {
            self.connack_code.get_or_insert(code);
        }
        Some(())
    }

    fn publish(&mut self, mut fields: Fields<'_>, qos: u8, version: Version) -> Option<()> {
        fields.binary()?;
        if qos != 0 {
            self.id(&mut fields)?;
        }
        if version == Version::V5 {
            skip_properties(&mut fields)?;
        }
        self.payload.set(fields.rest());
        Some(())
    }

    fn subscribe(&mut self, mut fields: Fields<'_>, version: Version) -> Option<()> {
        self.id(&mut fields)?;
        if version != Version::V5 {
            fields.binary()?;
            let qos = fields.octet()?;
            self.subscribe_qos.get_or_insert(qos);
        }
        Some(())
    }

    fn suback(&mut self, mut fields: Fields<'_>, version: Version) -> Option<()> {
        self.id(&mut fields)?;
        if matches!(version, Version::V31 | Version::V311) {
            let qos = fields.octet()?;
            self.granted_qos.get_or_insert(qos);
        }
        Some(())
    }
}

fn skip_properties(fields: &mut Fields<'_>) -> Option<()> {
    let len = fields.varint()?;
    fields.take(usize::try_from(len).ok()?)?;
    Some(())
}
