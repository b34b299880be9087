//! Points in time as people write them: seconds since 1970, RFC 3339, or seconds from the capture's start.

use toml::value::{Date, Datetime, Offset, Time};

use crate::time::Timestamp;

/// When, absolute or seen from the first packet of the capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moment {
    /// On the capture's clock.
    At(Timestamp),
    /// So many microseconds after the first packet.
    After(u64),
}

/// What a moment may look like, to complete "must be ...".
pub(super) const KIND: &str = "seconds since 1970 such as 1763690000.5, an RFC 3339 time such as \
     \"2026-11-21T09:30:00Z\", or seconds from the capture's first packet such as \"+12.5\"";

impl Moment {
    /// The instant, for a capture that begins at `start`.
    pub(super) fn of(self, start: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::After(micros) => Timestamp::from_micros(start.as_micros().saturating_add(micros)),
        }
    }

    /// From a text: `+` and seconds, or RFC 3339.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('+') {
            Some(seconds) => micros(seconds).map(Self::After),
            None => Self::civil(text.parse().ok()?),
        }
    }

    /// From a number of seconds since 1970, as it is written.
    pub(super) fn seconds(text: &str) -> Option<Self> {
        micros(text).map(|micros| Self::At(Timestamp::from_micros(micros)))
    }

    /// From a date and time with its distance to UTC.
    pub(super) fn civil(datetime: Datetime) -> Option<Self> {
        let (date, time, offset) = (datetime.date?, datetime.time?, datetime.offset?);
        let minutes = match offset {
            Offset::Z => 0,
            Offset::Custom { minutes } => i64::from(minutes),
        };
        let Time { hour, minute, second, nanosecond } = time;
        let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second.unwrap_or(0));
        let seconds = days(date) * 86_400 + of_day - minutes * 60;
        let micros = u64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
        Some(Self::At(Timestamp::from_micros(micros + u64::from(nanosecond.unwrap_or(0) / 1000))))
    }
}

/// Microseconds in a decimal number of seconds, not below zero; what is finer than a microsecond is rounded.
fn micros(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.trim().replace('_', "").parse().ok()?;
    let micros = (seconds * 1e6).round();
    // Exact up to 2^53 microseconds, the year 2255.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range asked for")]
    (0.0..=9_007_199_254_740_992.0).contains(&micros).then_some(micros as u64)
}

/// Days from 1970-01-01, in the proleptic Gregorian calendar; the year is taken to begin in March.
fn days(date: Date) -> i64 {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::publish::rfc3339::Rfc3339;

    fn at(micros: u64) -> Option<Moment> {
        Some(Moment::At(Timestamp::from_micros(micros)))
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(Moment::seconds("1763690000.123456"), at(1_763_690_000_123_456));
        assert_eq!(Moment::seconds("1_763_690_000"), at(1_763_690_000_000_000));
        assert_eq!(Moment::read("2025-11-21T01:53:20.123456Z"), at(1_763_690_000_123_456));
        assert_eq!(Moment::read("2025-11-21T02:53:20+01:00"), at(1_763_690_000_000_000));
        assert_eq!(Moment::read("1970-01-01T00:00:00Z"), at(0));
        assert_eq!(Moment::read("+12.5"), Some(Moment::After(12_500_000)));
        assert_eq!(
            Moment::After(12_500_000).of(Timestamp::from_secs(100)),
            Timestamp::from_micros(112_500_000)
        );
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "+", "+-1", "+inf", "12", "2025-11-21", "2025-11-21T01:53:20", "01:00:00", "now"] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
        for text in ["-1", "nan", "inf", "1e300"] {
            assert_eq!(Moment::seconds(text), None, "{text}");
        }
        assert_eq!(Moment::read("1960-01-01T00:00:00Z"), None, "before 1970");
    }

    proptest! {
        #[test]
        fn rfc_3339_is_read_back(micros in 0..=253_402_300_799_999_999_u64) {
            let text = Rfc3339(Timestamp::from_micros(micros)).to_string();
            prop_assert_eq!(Moment::read(&text), at(micros));
        }
    }
}
