//! Counters over the last 10 and 60 seconds, by rings of one-second buckets.

/// What is counted per source host and second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Counter {
    /// TCP connections opened (first SYN).
    Syn,
    /// Opened connections that were refused, never answered or dropped unused.
    SynFailed,
    /// CONNECT sent.
    Connect,
    /// CONNACK received that accepts.
    Accepted,
    /// CONNACK received that refuses.
    Refused,
    /// CONNECT sent with keep alive 0 or beyond one hour.
    LongKeepAlive,
    /// First PUBLISH or SUBSCRIBE of a session.
    SessionUsed,
    /// Accepted sessions that the broker ended.
    ClosedByBroker,
    /// PUBLISH sent.
    Publish,
    /// PUBLISH sent with RETAIN.
    PublishRetained,
    /// PUBLISH sent with QoS 1 or 2.
    PublishAcked,
    /// PUBLISH received.
    PublishReceived,
    /// SUBSCRIBE sent.
    Subscribe,
    /// PINGREQ sent.
    PingReq,
    /// DISCONNECT sent.
    Disconnect,
    /// Control packets sent that break the standard.
    Violation,
    /// Legal client ids and topics that no honest client uses.
    Oddity,
    /// Segments with MQTT payload sent.
    SegmentsSent,
    /// Segments with MQTT payload received.
    SegmentsReceived,
    /// MQTT payload sent, in units of 64 octets.
    BytesSent,
    /// MQTT payload received, in units of 64 octets.
    BytesReceived,
}
