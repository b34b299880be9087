//! Properties of version 5 (section 2.2.2): which there are, of what type, where they may stand, and the reading of them.

use super::field::{Fields, Varint, check_string, is_minimal, varint};
use super::violation::{Violation, Violations};

/// Properties read in one packet; the rest is jumped over, so that a packet's cost is bounded.
pub const MAX_PROPERTIES_READ: u16 = 64;
/// So many user properties are no honest use; a broker's cost grew with their square (CVE-2021-41039).
const MANY_USER_PROPERTIES: u16 = 32;

/// Where properties stand: a control packet, or the will in a CONNECT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Place {
    /// CONNECT.
    Connect = 1 << 1,
    /// CONNACK.
    ConnAck = 1 << 2,
    /// PUBLISH.
    Publish = 1 << 3,
    /// PUBACK.
    PubAck = 1 << 4,
    /// PUBREC.
    PubRec = 1 << 5,
    /// PUBREL.
    PubRel = 1 << 6,
    /// PUBCOMP.
    PubComp = 1 << 7,
    /// SUBSCRIBE.
    Subscribe = 1 << 8,
    /// SUBACK.
    SubAck = 1 << 9,
    /// UNSUBSCRIBE.
    Unsubscribe = 1 << 10,
    /// UNSUBACK.
    UnsubAck = 1 << 11,
    /// DISCONNECT.
    Disconnect = 1 << 14,
    /// AUTH.
    Auth = 1 << 15,
    /// The will.
    Will = 1 << 0,
}

/// The type of a property's value (section 2.2.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// One octet that is 0 or 1.
    Flag,
    /// Two Byte Integer.
    Two,
    /// Two Byte Integer that is not 0.
    TwoNotZero,
    /// Four Byte Integer.
    Four,
    /// Four Byte Integer that is not 0.
    FourNotZero,
    /// Variable Byte Integer that is not 0.
    VarintNotZero,
    /// UTF-8 Encoded String.
    Text,
    /// Binary Data.
    Binary,
    /// UTF-8 String Pair.
    Pair,
}

macro_rules! properties {
    ($($variant:ident = $id:literal $kind:ident $name:literal $($place:ident)*;)*) => {
        /// The identifier of a property (table 2-4).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum PropertyId {
            $(#[doc = $name] $variant = $id,)*
        }

        impl PropertyId {
            /// Every property by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// From the number on the wire.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($id => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name in the standard.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The type of its value.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)* }
            }

            /// Where it may stand, as a set of [`Place`].
            const fn places(self) -> u16 {
                match self { $(Self::$variant => 0 $(| Place::$place as u16)*,)* }
            }
        }
    };
}

properties! {
    PayloadFormatIndicator = 0x01 Flag "Payload Format Indicator" Publish Will;
    MessageExpiryInterval = 0x02 Four "Message Expiry Interval" Publish Will;
    ContentType = 0x03 Text "Content Type" Publish Will;
    ResponseTopic = 0x08 Text "Response Topic" Publish Will;
    CorrelationData = 0x09 Binary "Correlation Data" Publish Will;
    SubscriptionIdentifier = 0x0b VarintNotZero "Subscription Identifier" Publish Subscribe;
    SessionExpiryInterval = 0x11 Four "Session Expiry Interval" Connect ConnAck Disconnect;
    AssignedClientIdentifier = 0x12 Text "Assigned Client Identifier" ConnAck;
    ServerKeepAlive = 0x13 Two "Server Keep Alive" ConnAck;
    AuthenticationMethod = 0x15 Text "Authentication Method" Connect ConnAck Auth;
    AuthenticationData = 0x16 Binary "Authentication Data" Connect ConnAck Auth;
    RequestProblemInformation = 0x17 Flag "Request Problem Information" Connect;
    WillDelayInterval = 0x18 Four "Will Delay Interval" Will;
    RequestResponseInformation = 0x19 Flag "Request Response Information" Connect;
    ResponseInformation = 0x1a Text "Response Information" ConnAck;
    ServerReference = 0x1c Text "Server Reference" ConnAck Disconnect;
    ReasonString = 0x1f Text "Reason String" ConnAck PubAck PubRec PubRel PubComp SubAck UnsubAck Disconnect Auth;
    ReceiveMaximum = 0x21 TwoNotZero "Receive Maximum" Connect ConnAck;
    TopicAliasMaximum = 0x22 Two "Topic Alias Maximum" Connect ConnAck;
    TopicAlias = 0x23 Two "Topic Alias" Publish;
    MaximumQos = 0x24 Flag "Maximum QoS" ConnAck;
    RetainAvailable = 0x25 Flag "Retain Available" ConnAck;
    UserProperty = 0x26 Pair "User Property" Connect ConnAck Publish Will PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth;
    MaximumPacketSize = 0x27 FourNotZero "Maximum Packet Size" Connect ConnAck;
    WildcardSubscriptionAvailable = 0x28 Flag "Wildcard Subscription Available" ConnAck;
    SubscriptionIdentifierAvailable = 0x29 Flag "Subscription Identifier Available" ConnAck;
    SharedSubscriptionAvailable = 0x2a Flag "Shared Subscription Available" ConnAck;
}

/// A property's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// Any of the integers.
    Integer(u32),
    /// A string, perhaps not UTF-8.
    Text(&'a [u8]),
    /// Binary data.
    Binary(&'a [u8]),
    /// Name and value of a user property.
    Pair(&'a [u8], &'a [u8]),
}

/// The properties of one packet as far as they were captured. Read again by [`Properties::iter`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Properties<'a> {
    octets: &'a [u8],
    /// Property Length.
    pub len: u32,
    /// One bit per identifier that is there.
    seen: u64,
    /// How many were read.
    pub count: u16,
    /// Of these, user properties.
    pub user: u16,
}

impl<'a> Properties<'a> {
    /// None.
    pub const NONE: Self = Properties { octets: &[], len: 0, seen: 0, count: 0, user: 0 };

    /// Whether this one is there.
    #[must_use]
    #[inline]
    pub const fn has(&self, id: PropertyId) -> bool {
        self.seen & (1 << id as u8) != 0
    }

    /// The value of an integer.
    #[must_use]
    #[inline]
    pub fn integer(&self, id: PropertyId) -> Option<u32> {
        match self.find(id)? {
            Value::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a string or of binary data.
    #[must_use]
    pub fn octets(&self, id: PropertyId) -> Option<&'a [u8]> {
        match self.find(id)? {
            Value::Text(octets) | Value::Binary(octets) => Some(octets),
            _ => None,
        }
    }

    #[inline]
    fn find(&self, id: PropertyId) -> Option<Value<'a>> {
        if !self.has(id) {
            return None;
        }
        self.iter().find_map(|(found, value)| (found == id).then_some(value))
    }

    /// Each that can be read, in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = (PropertyId, Value<'a>)> {
        let mut fields = Fields::new(self.octets, u32::try_from(self.octets.len()).unwrap_or(u32::MAX));
        (0..self.count).map_while(move |_| {
            let id = PropertyId::from_number(fields.varint()?)?;
            Some((id, value(id.kind(), &mut fields)?))
        })
    }
}

fn value<'a>(kind: Kind, fields: &mut Fields<'a>) -> Option<Value<'a>> {
    Some(match kind {
        Kind::Flag => Value::Integer(fields.octet()?.into()),
        Kind::Two | Kind::TwoNotZero => Value::Integer(fields.two_octets()?.into()),
        Kind::Four | Kind::FourNotZero => Value::Integer(fields.four_octets()?),
        Kind::VarintNotZero => Value::Integer(fields.varint()?),
        Kind::Text => Value::Text(fields.binary()?),
        Kind::Binary => Value::Binary(fields.binary()?),
        Kind::Pair => Value::Pair(fields.binary()?, fields.binary()?),
    })
}

/// Reads the properties at `place`. `None` when the packet ends, or was cut, within them; what could be read is in `into`.
#[inline]
pub fn parse<'a>(
    place: Place,
    fields: &mut Fields<'a>,
    into: &mut Properties<'a>,
    violations: &mut Violations,
) -> Option<()> {
    if let [0, ..] = fields.rest() {
        fields.take(1)?;
        return Some(());
    }
    parse_some(place, fields, into, violations)
}

#[cold]
fn parse_some<'a>(
    place: Place,
    fields: &mut Fields<'a>,
    into: &mut Properties<'a>,
    violations: &mut Violations,
) -> Option<()> {
    let len = match varint(fields.rest()) {
        Varint::Value { value, len } => {
            violations.add_if(!is_minimal(value, len), Violation::NonMinimalLength);
            fields.take(usize::from(len))?;
            value
        }
        Varint::TooLong => {
            violations.add(Violation::PropertyVarint);
            fields.give_up();
            return None;
        }
        Varint::Incomplete => {
            violations.add_if(fields.is_whole(), Violation::PropertyLength);
            fields.give_up();
            return None;
        }
    };
    into.len = len;
    if len as usize > fields.remaining() {
        violations.add(Violation::PropertyLength);
        fields.give_up();
        return None;
    }
    let octets = fields.rest().get(..len as usize).unwrap_or(fields.rest());
    into.octets = octets;
    let mut inner = Fields::new(octets, len);
    while inner.remaining() > 0 && into.count < MAX_PROPERTIES_READ {
        if read_one(place, &mut inner, into, violations).is_none() {
            // Running out of what was captured is nobody's fault.
            violations.add_if(inner.is_whole(), Violation::PropertyValue);
            break;
        }
    }
    fields.take(len as usize).map(drop)
}

/// Notes a variable byte integer that is longer than it need be.
fn note_length(value: u32, octets: usize, violations: &mut Violations) {
    let minimal = u8::try_from(octets).is_ok_and(|octets| is_minimal(value, octets));
    violations.add_if(!minimal, Violation::NonMinimalLength);
}

/// Reads one property; `None` when it cannot be read, and with it all that follow.
fn read_one<'a>(
    place: Place,
    fields: &mut Fields<'a>,
    into: &mut Properties<'a>,
    violations: &mut Violations,
) -> Option<()> {
    let before = fields.remaining();
    let number = fields.varint()?;
    note_length(number, before - fields.remaining(), violations);
    let Some(id) = PropertyId::from_number(number) else {
        violations.add(Violation::PropertyMisplaced);
        violations.add_if(place == Place::Will, Violation::WillProperties);
        // Of unknown type, so its length is unknown as well.
        *fields = Fields::new(&[], 0);
        return Some(());
    };
    let before = fields.remaining();
    let value = value(id.kind(), fields)?;
    if let (Kind::VarintNotZero, Value::Integer(number)) = (id.kind(), value) {
        note_length(number, before - fields.remaining(), violations);
    }
    into.count += 1;
    if id.places() & place as u16 == 0 {
        violations.add(Violation::PropertyMisplaced);
        violations.add_if(place == Place::Will, Violation::WillProperties);
    }
    // A PUBLISH to a subscriber may name several of his subscriptions (section 3.3.2.3.8).
    let repeatable = id == PropertyId::UserProperty
        || (id == PropertyId::SubscriptionIdentifier && place == Place::Publish);
    violations.add_if(into.has(id) && !repeatable, Violation::PropertyDuplicate);
    into.seen |= 1 << id as u8;
    match value {
        Value::Integer(number) => {
            let wrong = match id.kind() {
                Kind::Flag => number > 1,
                Kind::TwoNotZero | Kind::FourNotZero | Kind::VarintNotZero => number == 0,
                _ => false,
            };
            violations.add_if(wrong, Violation::PropertyValue);
            violations.add_if(id == PropertyId::TopicAlias && number == 0, Violation::AliasZero);
        }
        Value::Text(text) if id == PropertyId::ResponseTopic => {
            violations.add_if(core::str::from_utf8(text).is_err(), Violation::ResponseTopicUtf8);
            let wildcard = text.iter().any(|octet| matches!(octet, b'#' | b'+'));
            violations.add_if(wildcard, Violation::ResponseTopicWildcard);
        }
        Value::Text(text) => check_string(text, violations),
        Value::Binary(_) => {}
        Value::Pair(name, text) => {
            into.user += 1;
            violations.add_if(into.user >= MANY_USER_PROPERTIES, Violation::ManyUserProperties);
            check_string(name, violations);
            check_string(text, violations);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(place: Place, octets: &[u8]) -> (Properties<'_>, Violations, Option<()>) {
        let mut fields = Fields::new(octets, u32::try_from(octets.len()).unwrap());
        let (mut properties, mut violations) = (Properties::NONE, Violations::NONE);
        let end = parse(place, &mut fields, &mut properties, &mut violations);
        (properties, violations, end)
    }

    /// A property of each kind with a value it may have.
    fn sample(id: PropertyId) -> Vec<u8> {
        let mut out = vec![id as u8];
        out.extend_from_slice(match id.kind() {
            Kind::Flag => &[1][..],
            Kind::Two | Kind::TwoNotZero => &[0, 7],
            Kind::Four | Kind::FourNotZero => &[0, 0, 0, 7],
            Kind::VarintNotZero => &[0x87, 0x01],
            Kind::Text | Kind::Binary => &[0, 2, b'a', b'b'],
            Kind::Pair => &[0, 1, b'n', 0, 1, b'v'],
        });
        out.insert(0, u8::try_from(out.len()).unwrap());
        out
    }

    #[test]
    fn every_property_in_every_place() {
        let places = [
            Place::Connect,
            Place::ConnAck,
            Place::Publish,
            Place::PubAck,
            Place::PubRec,
            Place::PubRel,
            Place::PubComp,
            Place::Subscribe,
            Place::SubAck,
            Place::Unsubscribe,
            Place::UnsubAck,
            Place::Disconnect,
            Place::Auth,
            Place::Will,
        ];
        assert_eq!(PropertyId::ALL.len(), 27);
        for id in PropertyId::ALL {
            let octets = sample(*id);
            let allowed = places.iter().filter(|place| {
                let (properties, violations, end) = parsed(**place, &octets);
                assert!(end.is_some() && properties.has(*id) && properties.count == 1, "{id:?}");
                assert_eq!(properties.iter().count(), 1);
                assert_eq!(violations.has(Violation::PropertyMisplaced), !violations.is_empty(), "{id:?}");
                violations.is_empty()
            });
            assert!(allowed.count() >= 1, "{id:?}");
            assert_eq!(PropertyId::from_number(*id as u32), Some(*id));
            // Twice is once too often, but for user properties and what a subscriber gets.
            let twice: Vec<u8> =
                [2 * octets[0]].iter().chain(&octets[1..]).chain(&octets[1..]).copied().collect();
            let (_, violations, _) = parsed(Place::Publish, &twice);
            let repeatable = matches!(id, PropertyId::UserProperty | PropertyId::SubscriptionIdentifier);
            assert_eq!(violations.has(Violation::PropertyDuplicate), !repeatable, "{id:?}");
            // Cut short within the packet.
            let short: Vec<u8> =
                [octets[0] - 1].iter().chain(&octets[1..octets.len() - 1]).copied().collect();
            let (_, violations, _) = parsed(Place::Connect, &short);
            assert!(violations.has(Violation::PropertyValue), "{id:?} {short:?}");
        }
    }

    #[test]
    fn values_that_cannot_be() {
        for (octets, expected) in [
            (&[2, 0x01, 2][..], Violation::PropertyValue),
            (&[3, 0x23, 0, 0], Violation::AliasZero),
            (&[2, 0x0b, 0], Violation::PropertyValue),
            (&[2, 0x7f, 0], Violation::PropertyMisplaced),
            (&[9, 0x01, 1], Violation::PropertyLength),
            (&[0x80], Violation::PropertyLength),
            (&[0x82, 0x00, 0x01, 1], Violation::NonMinimalLength),
            (&[0x03, 0x81, 0x00, 1], Violation::NonMinimalLength),
            (&[0x03, 0x0b, 0x85, 0x00], Violation::NonMinimalLength),
            (&[0x80, 0x80, 0x80, 0x80, 0x01], Violation::PropertyVarint),
            (b"\x05\x08\0\x02a#", Violation::ResponseTopicWildcard),
            (b"\x04\x08\0\x01\xff", Violation::ResponseTopicUtf8),
            (b"\x04\x03\0\x01\xff", Violation::Utf8),
        ] {
            let (_, violations, _) = parsed(Place::Publish, octets);
            assert!(violations.has(expected) && violations.len() == 1, "{octets:?} {violations:?}");
        }
    }

    #[test]
    fn the_work_is_bounded_and_many_are_noted() {
        let one = [0x26, 0, 1, b'n', 0, 1, b'v'];
        let many: Vec<u8> = [0xd8, 0x36].iter().chain(one.repeat(1000).iter()).copied().collect();
        let (properties, violations, end) = parsed(Place::Connect, &many);
        assert_eq!((properties.count, properties.len), (MAX_PROPERTIES_READ, 7000));
        assert!(violations.has(Violation::ManyUserProperties) && end.is_some());
    }

    #[test]
    fn values_are_found() {
        let octets = b"\x0b\x21\0\x14\x22\0\x0a\x27\0\0\x10\0";
        let (properties, violations, _) = parsed(Place::Connect, octets);
        assert!(violations.is_empty(), "{violations:?}");
        assert_eq!(properties.integer(PropertyId::ReceiveMaximum), Some(20));
        assert_eq!(properties.integer(PropertyId::MaximumPacketSize), Some(4096));
        assert_eq!(properties.integer(PropertyId::TopicAlias), None);
    }
}
