//! Whether what a new model does is what it should do.

use crate::update::document::{Manifest, Shadow};
use crate::update::reason::{Reason, Refusal};

/// What a model did in use, since it was put into use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Probe {
    /// Rows scored.
    pub rows: u64,
    /// Rows called hostile.
    pub hostile: u64,
    /// Rows that could not be scored.
    pub unscored: u64,
    /// Time for one row, in microseconds, at the 99th percentile.
    pub p99_us: u64,
}

/// One row in so many may be hostile, or fail, beyond what the ratio allows: a few verdicts are no ratio.
const SLACK: u64 = 200;

/// Whether the model did as well beside the old one as its manifest asks for.
pub(super) fn shadow(manifest: &Manifest, shadow: &Shadow) -> Result<(), Refusal> {
    let Shadow { rows, old_hostile, new_hostile, unscored, p99_us, .. } = *shadow;
    speed(manifest, rows, unscored, p99_us)?;
    let ratio = f64::from(manifest.probation.max_alert_ratio);
    if exceeds(new_hostile, old_hostile, ratio, rows) || exceeds(old_hostile, new_hostile, ratio, rows) {
        let detail =
            format!("of {rows} rows the old model called {old_hostile} hostile, the new one {new_hostile}");
        return Err(Refusal::new(Reason::AlertRatio, detail));
    }
    Ok(())
}

/// Whether the model does in use what it did in the shadow; `before` is what the old one did there.
pub(super) fn probation(manifest: &Manifest, before: Option<Shadow>, probe: &Probe) -> Result<(), Refusal> {
    let Probe { rows, hostile, unscored, p99_us } = *probe;
    speed(manifest, rows, unscored, p99_us)?;
    let Some(before) = before.filter(|before| before.rows > 0) else { return Ok(()) };
    // As many as the old model would have called hostile among as many rows.
    let expected = u128::from(before.old_hostile) * u128::from(rows) / u128::from(before.rows);
    let expected = u64::try_from(expected).unwrap_or(u64::MAX);
    if exceeds(hostile, expected, f64::from(manifest.probation.max_alert_ratio), rows) {
        let detail = format!("it called {hostile} of {rows} rows hostile, the old model about {expected}");
        return Err(Refusal::new(Reason::AlertExplosion, detail));
    }
    Ok(())
}

fn speed(manifest: &Manifest, rows: u64, unscored: u64, p99_us: u64) -> Result<(), Refusal> {
    if unscored > allowance(rows) {
        return Err(Refusal::new(
            Reason::ScoringFailed,
            format!("{unscored} of {rows} rows could not be scored"),
        ));
    }
    let limit = manifest.self_test.max_row_us;
    if p99_us > limit {
        return Err(Refusal::new(Reason::TooSlow, format!("a row takes {p99_us} us, {limit} are allowed")));
    }
    Ok(())
}

const fn allowance(rows: u64) -> u64 {
    1 + rows / SLACK
}

/// Whether `one` is more than `ratio` times `other`, and by more than chance.
fn exceeds(one: u64, other: u64, ratio: f64, rows: u64) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "a ratio of counts")]
    let (one, other) = (one as f64, other.saturating_add(allowance(rows)) as f64);
    one > ratio * other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::trust::fixture;

    #[test]
    fn as_many_verdicts_as_before_are_fine_and_four_times_as_many_are_not() {
        let manifest = fixture::manifest(7, b"m");
        let of =
            |old_hostile, new_hostile| Shadow { rows: 1000, old_hostile, new_hostile, ..Shadow::default() };
        let reason = |old, new| shadow(&manifest, &of(old, new)).err().map(|refusal| refusal.reason);
        assert_eq!([reason(0, 0), reason(100, 100), reason(100, 400), reason(0, 24)], [None; 4]);
        assert_eq!(reason(0, 25), Some(Reason::AlertRatio));
        assert_eq!(reason(100, 425), Some(Reason::AlertRatio));
        assert_eq!(reason(100, 1), Some(Reason::AlertRatio), "a model that sees nothing");
        let probe = |hostile| Probe { rows: 10_000, hostile, ..Probe::default() };
        let in_use =
            |hostile| probation(&manifest, Some(of(10, 10)), &probe(hostile)).err().map(|r| r.reason);
        assert_eq!([in_use(100), in_use(604), in_use(605)], [None, None, Some(Reason::AlertExplosion)]);
        assert_eq!(probation(&manifest, None, &probe(10_000)), Ok(()));
    }

    #[test]
    fn failing_and_slow_models_are_told_apart() {
        let manifest = fixture::manifest(7, b"m");
        let failing = Shadow { rows: 1000, unscored: 7, ..Shadow::default() };
        assert_eq!(shadow(&manifest, &failing).unwrap_err().reason, Reason::ScoringFailed);
        let slow = Shadow { rows: 1000, p99_us: 1001, ..Shadow::default() };
        assert_eq!(shadow(&manifest, &slow).unwrap_err().reason, Reason::TooSlow);
    }
}
