//! Time as text: RFC 3339, UTC, always six digits of a second, always `Z`.
//!
//! Our own twenty lines because the text must exist for every [`Timestamp`] on every target: capture files
//! carry whatever time an attacker likes, and `humantime` fails after 2038 where a pointer has 32 bits.

use core::fmt;

use serde::{Serialize, Serializer};

use crate::time::Timestamp;

/// The last microsecond that RFC 3339 can write: 9999-12-31T23:59:59.999999Z.
const LAST: u64 = 253_402_300_799_999_999;

/// A [`Timestamp`] that displays and serialises as RFC 3339 with microseconds.
/// Anything later than the year 9999 is shown as its last microsecond.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rfc3339(pub Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros().min(LAST);
        let seconds = micros / 1_000_000;
        let (year, month, day) = civil(seconds / 86_400);
        let of_day = seconds % 86_400;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
            of_day / 3_600,
            of_day / 60 % 60,
            of_day % 60,
            micros % 1_000_000
        )
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
/// The year is taken to begin in March, so that the leap day is its last (Hinnant, `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_instants() {
        let text = |micros| Rfc3339(Timestamp::from_micros(micros)).to_string();
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
        assert_eq!(text(951_782_400_000_000), "2000-02-29T00:00:00.000000Z");
        assert_eq!(text(u64::MAX), "9999-12-31T23:59:59.999999Z");
    }

    proptest! {
        #[test]
        fn agrees_with_humantime(micros in 0..=LAST) {
            let expected = humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_micros(micros));
            prop_assert_eq!(Rfc3339(Timestamp::from_micros(micros)).to_string(), expected.to_string());
        }
    }
}
