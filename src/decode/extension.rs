//! IPv6 extension headers (RFC 8200, section 4).
//!
//! Walked by hand: the iterator of `Ipv6ExtensionsSlice` in etherparse 0.21 reads past its slice when the
//! headers come in an order or number it does not expect, which any sender can choose.

use super::SkipReason;

/// Skips the extension headers in front of `payload`, the first of which `protocol` names. Gives the protocol
/// behind them and what is left.
///
/// # Errors
/// It is a fragment other than the first, or a header is cut short.
pub(super) fn skip(mut protocol: u8, payload: &[u8]) -> Result<(u8, &[u8]), SkipReason> {
    let mut rest = payload;
    // Every header takes at least eight octets, so this ends with the packet.
    loop {
        let units = |octets: &[u8]| octets.get(1).copied().map(usize::from).ok_or(SkipReason::Ip);
        let len = match protocol {
            // Hop-by-hop options, routing, destination options, mobility, host identity, shim6: units of eight
            // octets, the first not counted.
            0 | 43 | 60 | 135 | 139 | 140 => (units(rest)? + 1) * 8,
            FRAGMENT => {
                if !is_first_fragment(rest)? {
                    return Err(SkipReason::Fragment);
                }
                8
            }
            // Authentication (RFC 4302, section 2.2): units of four octets, the first two not counted.
            51 => ((units(rest)? + 2) * 4).max(8),
            _ => return Ok((protocol, rest)),
        };
        protocol = rest.first().copied().ok_or(SkipReason::Ip)?;
        rest = rest.get(len..).ok_or(SkipReason::Ip)?;
    }
}

/// Protocol number of the fragment header (RFC 8200, section 4.5).
const FRAGMENT: u8 = 44;

fn is_first_fragment(header: &[u8]) -> Result<bool, SkipReason> {
    let Some([_, _, high, low, ..]) = header.first_chunk::<8>() else {
        return Err(SkipReason::Ip);
    };
    Ok(u16::from_be_bytes([*high, *low]) >> 3 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_every_kind_and_stops_at_the_transport() {
        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        let destination = [51, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let authentication = [44, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
        let first_fragment = [6, 0, 0, 1, 0, 0, 0, 9];
        let chain = [&hop_by_hop[..], &destination, &authentication, &first_fragment, b"tcp"].concat();
        assert_eq!(skip(0, &chain), Ok((6, &b"tcp"[..])));
        assert_eq!(skip(6, b"tcp"), Ok((6, &b"tcp"[..])));
        // No next header.
        assert_eq!(skip(59, b""), Ok((59, &b""[..])));
        let headers = chain.len() - 3;
        assert!((0..headers).all(|end| skip(0, &chain[..end]) == Err(SkipReason::Ip)));
    }

    #[test]
    fn later_fragments_and_repeated_headers() {
        assert_eq!(skip(44, &[6, 0, 0, 8, 0, 0, 0, 9, 1, 2]), Err(SkipReason::Fragment));
        // Two hop-by-hop headers and two fragment headers, which the standard forbids.
        let twice = [&[0, 0, 1, 4, 0, 0, 0, 0][..], &[44, 0, 1, 4, 0, 0, 0, 0], &[44, 0, 0, 0, 0, 0, 0, 0]];
        let chain = [&twice.concat()[..], &[17, 0, 0, 0, 0, 0, 0, 0], b"udp"].concat();
        assert_eq!(skip(0, &chain), Ok((17, &b"udp"[..])));
    }

    #[test]
    fn no_octet_reads_past_the_end() {
        for protocol in 0..=u8::MAX {
            for next in [0, 43, 44, 51, 60, 135, 6] {
                for len in [0, 1, 3, 255] {
                    let octets: Vec<u8> = [next, len, 0, 0, 0, 0, 0, 0].repeat(6);
                    for end in 0..octets.len() {
                        if let Ok((_, rest)) = skip(protocol, &octets[..end]) {
                            assert!(rest.len() <= end);
                        }
                    }
                }
            }
        }
    }
}
