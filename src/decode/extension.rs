//! IPv6 extension headers (RFC 8200, section 4).
//!
//! Walked by hand: the iterator of `Ipv6ExtensionsSlice` in etherparse 0.21 reads past its slice when the
//! headers come in an order or number it does not expect, which any sender can choose.

use super::SkipReason;

/// What lies behind extension headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Skipped<'a> {
    /// Its protocol.
    pub(super) protocol: u8,
    pub(super) rest: &'a [u8],
    /// It is a fragment: identification, offset in units of eight octets, whether more follow.
    pub(super) fragment: Option<(u32, u16, bool)>,
}

/// Skips the extension headers in front of `payload`, the first of which `protocol` names, up to the header of a
/// fragment.
///
/// # Errors
/// A header is cut short.
pub(super) fn skip(mut protocol: u8, payload: &[u8]) -> Result<Skipped<'_>, SkipReason> {
    let mut rest = payload;
    // Every header takes at least eight octets, so this ends with the packet.
    loop {
        let units = |octets: &[u8]| octets.get(1).copied().map(usize::from).ok_or(SkipReason::Ip);
        let len = match protocol {
            // Hop-by-hop options, routing, destination options, mobility, host identity, shim6: units of eight
            // octets, the first not counted.
            0 | 43 | 60 | 135 | 139 | 140 => (units(rest)? + 1) * 8,
            FRAGMENT => {
                let (header, behind) = rest.split_first_chunk::<8>().ok_or(SkipReason::Ip)?;
                let [next, _, high, low, id @ ..] = *header;
                let field = u16::from_be_bytes([high, low]);
                let (offset, more) = (field >> 3, field & 1 != 0);
                if offset != 0 || more {
                    let fragment = Some((u32::from_be_bytes(id), offset, more));
                    return Ok(Skipped { protocol: next, rest: behind, fragment });
                }
                // All of a datagram in one (RFC 6946).
                8
            }
            // Authentication (RFC 4302, section 2.2): units of four octets, the first two not counted.
            51 => ((units(rest)? + 2) * 4).max(8),
            _ => return Ok(Skipped { protocol, rest, fragment: None }),
        };
        protocol = rest.first().copied().ok_or(SkipReason::Ip)?;
        rest = rest.get(len..).ok_or(SkipReason::Ip)?;
    }
}

/// Protocol number of the fragment header (RFC 8200, section 4.5).
const FRAGMENT: u8 = 44;

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(protocol: u8, rest: &[u8]) -> Result<Skipped<'_>, SkipReason> {
        Ok(Skipped { protocol, rest, fragment: None })
    }

    #[test]
    fn skips_every_kind_and_stops_at_the_transport() {
        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        let destination = [51, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let authentication = [44, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
        let only_fragment = [6, 0, 0, 0, 0, 0, 0, 9];
        let chain = [&hop_by_hop[..], &destination, &authentication, &only_fragment, b"tcp"].concat();
        assert_eq!(skip(0, &chain), whole(6, b"tcp"));
        assert_eq!(skip(6, b"tcp"), whole(6, b"tcp"));
        // No next header.
        assert_eq!(skip(59, b""), whole(59, b""));
        let headers = chain.len() - 3;
        assert!((0..headers).all(|end| skip(0, &chain[..end]) == Err(SkipReason::Ip)));
    }

    #[test]
    fn fragments_and_repeated_headers() {
        let fragment = |more| Some((9, 1, more));
        let later = Skipped { protocol: 6, rest: &[1, 2], fragment: fragment(false) };
        assert_eq!(skip(44, &[6, 0, 0, 8, 0, 0, 0, 9, 1, 2]), Ok(later));
        let middle = Skipped { fragment: fragment(true), ..later };
        assert_eq!(skip(44, &[6, 0, 0, 9, 0, 0, 0, 9, 1, 2]), Ok(middle));
        // Two hop-by-hop headers and two fragment headers, which the standard forbids.
        let twice = [&[0, 0, 1, 4, 0, 0, 0, 0][..], &[44, 0, 1, 4, 0, 0, 0, 0], &[44, 0, 0, 0, 0, 0, 0, 0]];
        let chain = [&twice.concat()[..], &[17, 0, 0, 0, 0, 0, 0, 0], b"udp"].concat();
        assert_eq!(skip(0, &chain), whole(17, b"udp"));
    }

    #[test]
    fn no_octet_reads_past_the_end() {
        for protocol in 0..=u8::MAX {
            for next in [0, 43, 44, 51, 60, 135, 6] {
                for len in [0, 1, 3, 255] {
                    let octets: Vec<u8> = [next, len, 0, 0, 0, 0, 0, 0].repeat(6);
                    for end in 0..octets.len() {
                        if let Ok(skipped) = skip(protocol, &octets[..end]) {
                            assert!(skipped.rest.len() <= end);
                        }
                    }
                }
            }
        }
    }
}
