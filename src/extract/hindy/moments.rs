//! What is kept of one direction of a flow, and the figures it gives.

use super::Seen;
use crate::decode::TcpFlags;

/// Everything so far, without the packets themselves.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Moments {
    pub(super) packets: u64,
    pub(super) octets: u64,
    squares: u128,
    min_len: u32,
    max_len: u32,
    first: f64,
    last: f64,
    gaps: f64,
    gap_mean: f64,
    gap_squares: f64,
    min_gap: f64,
    max_gap: f64,
    offsets: f64,
    pub(super) psh: u64,
    pub(super) rst: u64,
    pub(super) urg: u64,
}

impl Moments {
    pub(super) fn add(&mut self, seen: &Seen) {
        let gaps_before = self.packets as f64;
        self.packets += 1;
        self.octets += u64::from(seen.len);
        self.squares += u128::from(seen.len) * u128::from(seen.len);
        let flags = TcpFlags::new(seen.flags);
        self.psh += u64::from(flags.has(TcpFlags::PSH));
        self.rst += u64::from(flags.has(TcpFlags::RST));
        self.urg += u64::from(flags.has(TcpFlags::URG));
        if self.packets == 1 {
            (self.first, self.last) = (seen.seconds, seen.seconds);
            (self.min_len, self.max_len) = (seen.len, seen.len);
            return;
        }
        self.min_len = self.min_len.min(seen.len);
        self.max_len = self.max_len.max(seen.len);
        let gap = (seen.seconds - self.last).abs();
        self.last = seen.seconds;
        self.gaps += gap;
        // Welford: the sum of squared deviations without keeping the gaps.
        let deviation = gap - self.gap_mean;
        self.gap_mean += deviation / gaps_before;
        self.gap_squares += deviation * (gap - self.gap_mean);
        if self.packets == 2 {
            (self.min_gap, self.max_gap) = (gap, gap);
        }
        self.min_gap = self.min_gap.min(gap);
        self.max_gap = self.max_gap.max(gap);
        self.offsets += (seen.seconds - self.first).abs();
    }

    /// The figures, in the names of the columns.
    pub(super) fn figures(&self) -> Figures {
        let packets = self.packets as f64;
        // Without a second packet all sums are zero.
        let gaps = self.packets.saturating_sub(1).max(1) as f64;
        let (n, sum) = (u128::from(self.packets), u128::from(self.octets));
        // Exact: n times the squares less the square of the sum.
        let spread = (n * self.squares).saturating_sub(sum * sum);
        Figures {
            mean_iat: self.gaps / gaps,
            std_iat: (self.gap_squares / gaps).sqrt(),
            min_iat: self.min_gap,
            max_iat: self.max_gap,
            mean_offset: self.offsets / gaps,
            mean_pkt_len: self.octets as f64 / packets,
            std_pkt_len: (spread as f64).sqrt() / packets,
            min_pkt_len: self.min_len.into(),
            max_pkt_len: self.max_len.into(),
        }
    }
}

/// Figures of one direction; times in seconds, lengths in octets.
pub(super) struct Figures {
    pub(super) mean_iat: f64,
    pub(super) std_iat: f64,
    pub(super) min_iat: f64,
    pub(super) max_iat: f64,
    pub(super) mean_offset: f64,
    pub(super) mean_pkt_len: f64,
    pub(super) std_pkt_len: f64,
    pub(super) min_pkt_len: f64,
    pub(super) max_pkt_len: f64,
}

#[cfg(test)]
mod tests {
    use super::super::Tuple;
    use super::*;
    use crate::decode::Address;

    fn seen(seconds: f64, len: u32, flags: u8) -> Seen {
        let end = Address::default();
        let tuple = Tuple { src: end, dst: end, src_port: 1, dst_port: 2, protocol: 6 };
        Seen { tuple, len, flags, seconds }
    }

    #[test]
    fn the_same_as_two_passes_over_all_packets() {
        let times: Vec<f64> = (0..500).map(|i| 1.6e9 + f64::from(i * i % 977 + i * 1000) / 1e3).collect();
        let lens: Vec<u32> = (0..500).map(|i| 40 + i * 37 % 1400).collect();
        let mut moments = Moments::default();
        for (time, len) in times.iter().zip(&lens) {
            moments.add(&seen(*time, *len, 0x28));
        }
        let figures = moments.figures();
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let std = |values: &[f64]| {
            let middle = mean(values);
            mean(&values.iter().map(|v| (v - middle).powi(2)).collect::<Vec<_>>()).sqrt()
        };
        let lens: Vec<f64> = lens.iter().map(|len| f64::from(*len)).collect();
        let offsets: Vec<f64> = times[1..].iter().map(|time| time - times[0]).collect();
        for (ours, exact) in [
            (figures.mean_iat, mean(&gaps)),
            (figures.std_iat, std(&gaps)),
            (figures.mean_offset, mean(&offsets)),
            (figures.mean_pkt_len, mean(&lens)),
            (figures.std_pkt_len, std(&lens)),
        ] {
            assert!((ours - exact).abs() <= 1e-12 * exact, "{ours} {exact}");
        }
        assert_eq!((moments.psh, moments.urg, moments.rst), (500, 500, 0));
    }

    #[test]
    fn one_packet_has_no_times() {
        let mut moments = Moments::default();
        moments.add(&seen(1.6e9, 60, 0x04));
        let f = moments.figures();
        assert_eq!([f.mean_iat, f.std_iat, f.min_iat, f.max_iat, f.mean_offset], [0.0; 5]);
        assert_eq!([f.mean_pkt_len, f.std_pkt_len, f.min_pkt_len, f.max_pkt_len], [60.0, 0.0, 60.0, 60.0]);
        assert_eq!(moments.rst, 1);
    }
}
