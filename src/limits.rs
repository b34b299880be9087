//! Every capacity of the core in one place. All memory is taken at start; nothing grows afterwards.

/// Connections followed at once: sets times ways.
pub const CONNECTION_SETS: usize = 512;
/// Ways of a connection set.
pub const CONNECTION_WAYS: usize = 8;
/// Source hosts followed at once: sets times ways.
pub const HOST_SETS: usize = 256;
/// Ways of a host set.
pub const HOST_WAYS: usize = 4;
/// MQTT client ids remembered: sets times ways.
pub const CLIENT_SETS: usize = 512;
/// Ways of a client set.
pub const CLIENT_WAYS: usize = 4;

/// Bytes kept of a client id; a longer one is cut and marked.
pub const CLIENT_ID_BYTES: usize = 64;

/// Control packets that are split over segments and wait for their rest, all connections together.
pub const HEAD_SLOTS: usize = 512;
/// Bytes kept of a waiting control packet; a longer one is read by its head, the rest skipped by count.
pub const HEAD_BYTES: usize = 1024;

/// Segments that arrived ahead of a gap, all connections together.
pub const HELD_SLOTS: usize = 256;
/// Bytes of such a segment; a longer one is not held and becomes a gap.
pub const HELD_BYTES: usize = 1536;

/// Incidents open at once.
pub const INCIDENTS: usize = 128;
/// Figures in one alert.
pub const EVIDENCE_ITEMS: usize = 12;

/// Columns of the widest feature schema.
pub const MAX_FEATURES: usize = 64;
/// Rows scored in one call of the model.
pub const SCORE_BATCH: usize = 64;

/// MQTT servers remembered.
pub const BROKERS: usize = 32;

/// A session that has neither published nor subscribed this long after its CONNACK counts as idle.
pub const IDLE_AFTER_SECS: u32 = 20;
