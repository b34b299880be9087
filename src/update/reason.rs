//! Why an update is refused, put off, or taken back: one name for each reason, the same in every release.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// A reason code.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $name,)+
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code in documents, logs and on the command line.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// Whether the update is put off, not given up.
            #[must_use]
            pub const fn defers(self) -> bool {
                matches!(self, Self::ClockUntrusted | Self::NotBefore)
            }

            /// What it means, as in the documentation.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

reasons! {
    // ---- what it looks like
    /// A document, a model or a part of one is larger than it may be.
    TooLarge = "too_large",
    /// Not a document of this kind: no JSON, an unknown or missing key, a value out of range.
    Malformed = "malformed",
    /// The signed type is another than the one expected here.
    WrongType = "wrong_type",

    // ---- who signed it
    /// There is no signature.
    Unsigned = "unsigned",
    /// The same key signed more than once.
    DuplicateSignature = "duplicate_signature",
    /// A signature does not fit the content.
    BadSignature = "bad_signature",
    /// Signed by a key that the root gives another role.
    WrongRole = "wrong_role",
    /// Signed by no key of the root.
    UnknownKey = "unknown_key",
    /// Signed by fewer keys than the role asks for.
    TooFewSignatures = "too_few_signatures",

    // ---- which version it is
    /// A root that does not follow the one in force: a version is left out.
    RootSkipped = "root_skipped",
    /// A root with a lower floor than the one before.
    FloorLowered = "floor_lowered",
    /// A root with the version of the one in force and other content.
    RootConflict = "root_conflict",
    /// The timestamp was made under a newer root, which did not come with it.
    RootWithheld = "root_withheld",
    /// A timestamp older than one that was seen.
    TimestampOlder = "timestamp_older",
    /// Two timestamps with the same number and other content.
    TimestampConflict = "timestamp_conflict",
    /// Manifest, timestamp and root do not belong together.
    MixAndMatch = "mix_and_match",
    /// A release older than the one in use.
    ReleaseOlder = "release_older",
    /// The number of a known release with other content.
    ReleaseConflict = "release_conflict",
    /// A release below the lowest that may be installed.
    BelowFloor = "below_floor",
    /// A release that failed on this device before.
    KnownBad = "known_bad",

    // ---- when it holds
    /// The root has expired.
    RootExpired = "root_expired",
    /// The timestamp has expired: somebody holds newer ones back, or nobody makes them.
    TimestampExpired = "timestamp_expired",
    /// The manifest has expired.
    ManifestExpired = "manifest_expired",
    /// A document says that it was made in the future.
    FromTheFuture = "from_the_future",
    /// The clock is not known to be right, so nothing can be said of expiry.
    ClockUntrusted = "clock_untrusted",
    /// The time at which it may be installed has not come.
    NotBefore = "not_before",

    // ---- whether it fits
    /// Made for a newer version of Picket.
    DaemonTooOld = "daemon_too_old",
    /// Not in a format that is loaded.
    UnknownFormat = "unknown_format",
    /// Made for feature columns that this version does not compute.
    SchemaMismatch = "schema_mismatch",
    /// It reports a class that this version does not know.
    UnknownClass = "unknown_class",
    /// Not enough room on the disk.
    NoSpace = "no_space",

    // ---- how it comes
    /// It may be fetched only in a way that this device has not.
    NoTransport = "no_transport",
    /// A block of a transfer that nobody asked for.
    ForeignTransfer = "foreign_transfer",
    /// A block with an index or a length that it cannot have.
    WrongBlock = "wrong_block",
    /// A block that was not asked for, or came already.
    UnwantedBlock = "unwanted_block",
    /// Requests come faster than they are taken.
    RateLimited = "rate_limited",
    /// The blocks asked for do not come.
    DownloadTimeout = "download_timeout",
    /// The model is not the one that was signed.
    DigestMismatch = "digest_mismatch",

    // ---- how it behaves
    /// The loader refuses the model.
    ModelRefused = "model_refused",
    /// The model does not compute what it did when it was made.
    GoldenVectors = "golden_vectors",
    /// The model is too slow.
    TooSlow = "too_slow",
    /// The model takes too much memory.
    TooMuchMemory = "too_much_memory",
    /// The self-test ended by a crash.
    SelfTestCrashed = "self_test_crashed",
    /// The self-test did not end in time.
    SelfTestTimeout = "self_test_timeout",
    /// The self-test could not be started.
    SelfTestFailed = "self_test_failed",
    /// Beside the old model it reported far more or far less.
    AlertRatio = "alert_ratio",
    /// In use it reported far more than the old model.
    AlertExplosion = "alert_explosion",
    /// The daemon ended while the model was on probation, as often as it may.
    ProbationCrashed = "probation_crashed",
    /// Scoring failed while the model was on probation.
    ScoringFailed = "scoring_failed",

    // ---- other
    /// Reading or writing failed.
    InputOutput = "input_output",
    /// The operator took the update back.
    Withdrawn = "withdrawn",
    /// The operator went back to the model before.
    RolledBack = "rolled_back",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why something was refused: the reason, and what exactly.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    /// The code.
    pub reason: Reason,
    /// One line for people. Repeats nothing that is not signed, but numbers.
    pub detail: String,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_serialise_as_themselves() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let text = serde_json::to_string(reason).unwrap();
            assert_eq!(text, format!("\"{}\"", reason.code()));
            assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), *reason);
            assert!(reason.meaning().ends_with('.'), "{reason}");
        }
    }
}
