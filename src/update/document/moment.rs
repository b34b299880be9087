//! Times in documents: RFC 3339 in UTC with whole seconds, written in one way only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::publish::rfc3339::Rfc3339;
use crate::time::Timestamp;

/// A second since the Unix epoch, in documents such as `2026-11-21T16:45:00Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// The last one that has a text.
    pub const LAST: Self = Self(253_402_300_799);

    /// This long after.
    #[must_use]
    pub const fn after(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Rfc3339(Timestamp::from_secs(self.0.min(Self::LAST.0))).to_string();
        let (seconds, _) = text.split_once('.').unwrap_or((&text, ""));
        write!(f, "{seconds}Z")
    }
}

/// A text that is no time of this form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a time such as 2026-11-21T16:45:00Z")]
pub struct NotAMoment;

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to).filter(|digits| digits.bytes().all(|c| c.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<u64>().ok()).ok_or(NotAMoment)
        };
        if text.len() != 20 {
            return Err(NotAMoment);
        }
        let days = days_before(number(0, 4)?, number(5, 7)?, number(8, 10)?).ok_or(NotAMoment)?;
        let moment = Self(days * 86_400 + number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?);
        // What is read must be what would be written: no 31st of April, no 24 o'clock, no leap second.
        if moment.to_string() == text { Ok(moment) } else { Err(NotAMoment) }
    }
}

/// Days from 1970-01-01 to this day in the proleptic Gregorian calendar, the year taken to begin in March
/// (Hinnant, `days_from_civil`).
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    (year * 365 + year / 4 - year / 100 + year / 400 + of_year).checked_sub(719_468)
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_one_text_for_each_second() {
        assert_eq!("1970-01-01T00:00:00Z".parse(), Ok(Moment(0)));
        assert_eq!("2026-11-21T16:45:00Z".parse(), Ok(Moment(1_795_279_500)));
        assert_eq!("9999-12-31T23:59:59Z".parse(), Ok(Moment::LAST));
        for wrong in [
            "",
            "2026-11-21",
            "2026-11-21T16:45:00.5Z",
            "2026-11-21T16:45:00+00:00",
            "2026-11-21t16:45:00z",
            "2026-04-31T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-12-31T23:59:60Z",
            "1969-12-31T23:59:59Z",
            "2026-00-10T00:00:00Z",
            "2026-10-00T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "+026-11-21T16:45:00Z",
            "2026-11-21T16:45:0éZ",
        ] {
            assert_eq!(wrong.parse::<Moment>(), Err(NotAMoment), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(seconds in 0..=Moment::LAST.0) {
            prop_assert_eq!(Moment(seconds).to_string().parse(), Ok(Moment(seconds)));
        }

        #[test]
        fn any_text_is_a_moment_or_none(text in ".{0,24}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z") {
            if let Ok(moment) = text.parse::<Moment>() {
                prop_assert_eq!(moment.to_string(), text);
            }
        }
    }
}
