//! Every capacity of the core in one place. All memory is taken at start; nothing grows afterwards.

/// Connections followed at once: sets times ways.
pub const CONNECTION_SETS: usize = 512;
/// Ways of a connection set.
pub const CONNECTION_WAYS: usize = 8;
/// Source hosts followed at once: sets times ways.
pub const HOST_SETS: usize = 128;
/// Ways of a host set.
pub const HOST_WAYS: usize = 8;
/// MQTT client ids remembered: sets times ways.
pub const CLIENT_SETS: usize = 512;
/// Ways of a client set.
pub const CLIENT_WAYS: usize = 4;

/// Bytes kept of a client id; a longer one is cut and marked.
pub const CLIENT_ID_BYTES: usize = 64;

/// Topic aliases known at once, all connections together: sets times ways.
pub const ALIAS_SETS: usize = 256;
/// Ways of an alias set.
pub const ALIAS_WAYS: usize = 4;
/// Bytes kept of a topic that has an alias; a longer one is cut.
pub const ALIAS_TOPIC_BYTES: usize = 64;

/// Control packets that are split over segments and wait for their rest, all connections together.
pub const HEAD_SLOTS: usize = 512;
/// Bytes kept of a waiting control packet; a longer one is read by its head, the rest skipped by count.
pub const HEAD_BYTES: usize = 1024;

/// Octets kept of segments that arrived ahead of a gap, all connections together; a power of two. A segment may
/// take a quarter of them.
pub const HELD_BYTES: usize = 128 << 10;
/// Octets remembered of what was delivered last, all connections together, to compare retransmissions with; a power
/// of two.
pub const RECENT_BYTES: usize = 64 << 10;

/// IP datagrams whose fragments are waited for.
pub const FRAGMENT_SLOTS: usize = 32;
/// Chunks in which their fragments lie, all datagrams together.
pub const FRAGMENT_CHUNKS: usize = 64;
/// Octets of a chunk.
pub const FRAGMENT_CHUNK_BYTES: usize = 2048;
/// Octets of the longest datagram.
pub const DATAGRAM_BYTES: usize = 64 << 10;

/// Incidents open at once.
pub const INCIDENTS: usize = 128;
/// Figures in one alert.
pub const EVIDENCE_ITEMS: usize = 12;

/// Names of broken statements in one alert.
pub const ALERT_VIOLATIONS: usize = 8;

/// Columns of the widest feature schema.
pub const MAX_FEATURES: usize = 80;
/// Models asked at once.
pub const MODELS: usize = 4;
/// Rows a model scores in one call.
pub const SCORE_BATCH: usize = 64;
/// Rows of one schema that are kept until they are scored together.
pub const WAITING_ROWS: usize = 32;
/// Rows about the connections of one host, or about its packets, that are scored in a second: more add nothing to a
/// vote.
pub const SCORED_OF_HOST: u8 = 16;
/// Rows about connections, or about packets, that are scored in a second, all hosts together.
pub const SCORED_PER_SECOND: u32 = 1024;
/// Rows about control packets that one segment may give to the models.
pub const PACKETS_OF_SEGMENT: usize = 16;
/// Rows of a host that can vote on what a model says of it.
pub const VOTES: usize = 16;
/// After so many seconds without a row of a host, the votes on it are void.
pub const VOTE_MEMORY_SECS: u64 = 60;

/// A session that has neither published nor subscribed this long after its CONNACK counts as idle.
pub const IDLE_AFTER_SECS: u32 = 20;

/// MQTT ports that can be configured.
pub const MQTT_PORTS: usize = 16;
/// The port of MQTT in TLS (IANA: `secure-mqtt`).
pub const MQTT_TLS_PORT: u16 = 8883;
/// Ports on which brokers and web servers offer MQTT in a WebSocket.
pub const WEBSOCKET_PORTS: [u16; 7] = [80, 8000, 8080, 8083, 8084, 9001, 15675];
/// Logins of which is remembered how many clients use them.
pub const LOGINS: usize = 64;
/// Servers with MQTT on an unexpected port that are remembered, so that each is told once.
pub const UNEXPECTED_SERVERS: usize = 64;
/// Exchanges of MQTT-SN or CoAP followed at once: sets times ways.
pub const EXCHANGE_SETS: usize = 256;
/// Ways of an exchange set.
pub const EXCHANGE_WAYS: usize = 4;
/// Every exchange is looked at once in so many seconds.
pub const EXCHANGE_SWEEP: u64 = 10;
/// TLS hellos that are being read, all connections together.
pub const HELLO_SLOTS: usize = 32;
/// Client ids of our own that can be awaited at once.
pub const OWN_CLIENT_IDS: usize = 4;
/// Time a SYN may go unanswered before the connection counts as failed, in seconds.
pub const SYN_TIMEOUT_SECS: u64 = 5;
/// Every so many seconds a connection that lives gives a vector.
pub const VECTOR_EVERY_SECS: u64 = 10;
/// A closed connection keeps its place this long, so that stragglers do not look like a new one, in seconds.
pub const LINGER_SECS: u64 = 10;
/// A session without keep alive is given up after this long without a segment, in seconds.
pub const SESSION_SILENCE_SECS: u64 = 86_400;
/// A keep alive beyond this counts as endless, as does 0, in seconds.
pub const LONG_KEEP_ALIVE_SECS: u16 = 3600;
/// A topic is that of its publisher until he has been away from it for so long, in seconds.
pub const PUBLISHER_PATIENCE_SECS: u64 = 600;
/// A filter without wildcards is that of its subscriber for so long after the SUBSCRIBE, in seconds.
pub const SUBSCRIBER_PATIENCE_SECS: u64 = 86_400;
/// A control packet announced with as much is large, in octets.
pub const LARGE_PACKET: u32 = 64 << 10;
