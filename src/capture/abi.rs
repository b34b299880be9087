//! Whether libpcap and this program mean the same by a packet's header.
//!
//! The header holds the C library's `struct timeval`. Where the time of a 32-bit system has 64 bits (musl since 1.2, glibc when
//! asked), libpcap's header is longer than the one this program was compiled with: lengths are then read out of the microseconds,
//! without any error. So one packet of known lengths is sent through libpcap before the first capture.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;

use ::pcap::Capture;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::CaptureError;

/// What is captured of the packet, of which there was one octet more on the wire.
const CAPTURED: u32 = 60;

/// A capture of one packet of zeroes, in the order of octets of this machine: seconds, microseconds, both lengths.
fn savefile() -> Vec<u8> {
    let mut file = Vec::with_capacity(40 + CAPTURED as usize);
    file.extend(0xA1B2_C3D4_u32.to_ne_bytes());
    file.extend([2_u16, 4].into_iter().flat_map(u16::to_ne_bytes));
    // Zone, accuracy, snaplen, Ethernet; the packet. Few microseconds: taken for a length, they still lie within the packet.
    let words = [0, 0, 65_535, 1, 1_700_000_000, 7, CAPTURED, CAPTURED + 1];
    file.extend(words.into_iter().flat_map(u32::to_ne_bytes));
    file.resize(40 + CAPTURED as usize, 0);
    file
}

/// Sends a packet through libpcap and looks whether its lengths come out.
///
/// # Errors
/// [`CaptureError::Abi`] when they do not. A system on which it cannot be tried is not refused.
pub(crate) fn check() -> Result<(), CaptureError> {
    let Ok(memory) = memfd_create(c"picket-abi", MFdFlags::MFD_CLOEXEC) else {
        return Ok(());
    };
    let mut memory = std::fs::File::from(memory);
    if memory.write_all(&savefile()).is_err() {
        return Ok(());
    }
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    let Ok(mut capture) = Capture::from_file(path) else {
        return Ok(());
    };
    let mut lengths = None;
    let read = capture.for_each(Some(1), |packet| lengths = Some((packet.header.caplen, packet.header.len)));
    match lengths {
        Some((CAPTURED, wire)) if read.is_ok() && wire == CAPTURED + 1 => Ok(()),
        _ => Err(CaptureError::Abi),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpcap_and_this_program_agree() {
        check().expect("both were compiled for this machine");
    }
}
