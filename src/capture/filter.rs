//! Filters for what is read from files: libpcap compiles them, one program for each link type that occurs.
//!
//! The programs are run here (classic BPF, bpf(4)): libpcap's own way of running one on octets in memory takes what was
//! captured for the length on the wire, which `greater` and `less` ask for.

use ::pcap::{Capture, Linktype};

use super::{CaptureError, reason};

/// Link types that a program is kept for. Frames of further ones do not pass.
const MAX_PROGRAMS: usize = 64;

/// Steps after which a program, which may jump back to follow IPv6 headers, is given up.
const MAX_STEPS: u32 = 100_000;

/// A filter expression and its programs.
pub(crate) struct Filter {
    expression: String,
    /// By link type; `None` where the expression makes no sense.
    programs: Vec<(u16, Option<Program>)>,
}

impl Filter {
    /// An expression; `None` when it lets everything pass.
    pub(crate) fn new(expression: Option<&str>) -> Option<Self> {
        let expression = expression.map(str::trim).filter(|expression| !expression.is_empty())?;
        Some(Self { expression: expression.to_owned(), programs: Vec::new() })
    }

    /// Whether a frame passes.
    ///
    /// # Errors
    /// The expression cannot be compiled for the first link type it is asked about.
    pub(crate) fn passes(&mut self, number: u16, data: &[u8], wire_len: u32) -> Result<bool, CaptureError> {
        let known = self.programs.iter().find(|(link, _)| *link == number);
        if let Some((_, program)) = known {
            return Ok(program.as_ref().is_some_and(|program| program.matches(data, wire_len)));
        }
        self.compile(number)?;
        let compiled = self.programs.iter().find(|(link, _)| *link == number);
        let program = compiled.and_then(|(_, program)| program.as_ref());
        Ok(program.is_some_and(|program| program.matches(data, wire_len)))
    }

    /// Has a program for this link type, where there can be one.
    ///
    /// # Errors
    /// The expression cannot be compiled, and could not be for any other.
    #[cold]
    pub(crate) fn compile(&mut self, number: u16) -> Result<(), CaptureError> {
        if self.programs.len() == MAX_PROGRAMS || self.programs.iter().any(|(link, _)| *link == number) {
            return Ok(());
        }
        match Program::compile(&self.expression, number) {
            Ok(program) => self.programs.push((number, Some(program))),
            Err(reason) if self.programs.iter().all(|(_, program)| program.is_none()) => {
                return Err(CaptureError::Filter { filter: self.expression.clone(), reason });
            }
            Err(_) => self.programs.push((number, None)),
        }
        Ok(())
    }
}

/// libpcap's own number (`DLT_`) for a link type of a file (`LINKTYPE_`): most are the same.
fn dlt(number: u16) -> i32 {
    match number {
        100 => 11, // ATM_RFC1483
        101 => 12, // RAW
        102 => 15, // SLIP_BSDOS
        103 => 16, // PPP_BSDOS
        106 => 19, // ATM_CLIP
        same => same.into(),
    }
}

/// One instruction, as in `struct bpf_insn`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

impl Instruction {
    /// From its four numbers in decimal, the only form in which the `pcap` crate gives them.
    fn read(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ');
        let mut next = || numbers.next();
        Some(Self {
            code: next()?.parse().ok()?,
            jt: next()?.parse().ok()?,
            jf: next()?.parse().ok()?,
            k: next()?.parse().ok()?,
        })
    }
}

/// A program for one link type.
struct Program(Box<[Instruction]>);

impl Program {
    fn compile(expression: &str, number: u16) -> Result<Self, String> {
        let compiled = Capture::dead(Linktype(dlt(number)))
            .and_then(|dead| dead.compile(expression, true))
            .map_err(|error| reason(&error))?;
        let instructions: Option<Box<[Instruction]>> =
            compiled.get_instructions().iter().map(|one| Instruction::read(&one.to_string())).collect();
        let instructions = instructions.ok_or("libpcap's program cannot be read")?;
        // Linux tells more of a frame than it holds (direction, VLAN tag) at offsets below zero.
        if instructions.iter().any(|one| one.code & 0xe7 == 0x20 && one.k > i32::MAX.cast_unsigned()) {
            return Err("it asks for what only a live capture knows".to_owned());
        }
        Ok(Self(instructions))
    }

    /// Runs it. A load beyond the frame or a step out of the program rejects the frame.
    fn matches(&self, data: &[u8], wire_len: u32) -> bool {
        self.run(data, wire_len).is_some_and(|verdict| verdict != 0)
    }

    fn run(&self, data: &[u8], wire_len: u32) -> Option<u32> {
        let (mut a, mut x, mut memory) = (0_u32, 0_u32, [0_u32; 16]);
        let mut at = 0_usize;
        for _ in 0..MAX_STEPS {
            let Instruction { code, jt, jf, k } = *self.0.get(at)?;
            at += 1;
            match code & 7 {
                // ld
                0 => {
                    a = match code & 0xe0 {
                        0x00 => k,
                        0x20 => load(data, code, k)?,
                        0x40 => load(data, code, x.checked_add(k)?)?,
                        0x60 => *memory.get(k as usize)?,
                        0x80 => wire_len,
                        _ => return None,
                    }
                }
                // ldx; 0xa0 is the length of an IPv4 header
                1 => {
                    x = match code & 0xe0 {
                        0x00 => k,
                        0x60 => *memory.get(k as usize)?,
                        0x80 => wire_len,
                        0xa0 => (u32::from(*data.get(k as usize)?) & 0xf) << 2,
                        _ => return None,
                    }
                }
                // st, stx
                2 => *memory.get_mut(k as usize)? = a,
                3 => *memory.get_mut(k as usize)? = x,
                4 => a = compute(code, a, if code & 8 == 0 { k } else { x })?,
                5 => {
                    let operand = if code & 8 == 0 { k } else { x };
                    let holds = match code & 0xf0 {
                        0x00 => {
                            at = at.checked_add_signed(k.cast_signed() as isize)?;
                            continue;
                        }
                        0x10 => a == operand,
                        0x20 => a > operand,
                        0x30 => a >= operand,
                        0x40 => a & operand != 0,
                        _ => return None,
                    };
                    at += usize::from(if holds { jt } else { jf });
                }
                // ret
                6 => return Some(if code & 0x18 == 0x10 { a } else { k }),
                // tax, txa
                _ if code & 0x80 == 0 => x = a,
                _ => a = x,
            }
        }
        None
    }
}

/// A word, half-word or octet of the frame.
fn load(data: &[u8], code: u16, at: u32) -> Option<u32> {
    let rest = data.get(at as usize..)?;
    match code & 0x18 {
        0x00 => rest.first_chunk().map(|octets| u32::from_be_bytes(*octets)),
        0x08 => rest.first_chunk().map(|octets| u16::from_be_bytes(*octets).into()),
        _ => rest.first().map(|octet| u32::from(*octet)),
    }
}

/// The arithmetic instructions.
fn compute(code: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match code & 0xf0 {
        0x00 => a.wrapping_add(operand),
        0x10 => a.wrapping_sub(operand),
        0x20 => a.wrapping_mul(operand),
        0x30 => a.checked_div(operand)?,
        0x40 => a | operand,
        0x50 => a & operand,
        0x60 => a.checked_shl(operand).unwrap_or(0),
        0x70 => a.checked_shr(operand).unwrap_or(0),
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(operand)?,
        0xa0 => a ^ operand,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ethernet frame with an IPv4 TCP segment from port 1883 to 40000.
    const SEGMENT: [u8; 54] = [
        2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, // Ethernet
        0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 1, 1, // IPv4
        7, 91, 0x9c, 0x40, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 4, 0, 0, 0, 0, 0, // TCP
    ];

    /// Whether libpcap lets a frame pass, and we do.
    fn both(expression: &str, number: u16, data: &[u8]) -> (bool, bool) {
        let dead = Capture::dead(Linktype(dlt(number))).unwrap();
        let theirs = dead.compile(expression, true).unwrap().filter(data);
        let wire_len = u32::try_from(data.len()).unwrap();
        (theirs, Program::compile(expression, number).unwrap().matches(data, wire_len))
    }

    #[test]
    fn programs_run_as_in_libpcap() {
        let mut frames: Vec<Vec<u8>> = (0..=SEGMENT.len()).map(|len| SEGMENT[..len].to_vec()).collect();
        // Every octet changed a little, so that each branch is taken by some.
        for place in 0..SEGMENT.len() {
            for change in [1, 4, 0x20, 0xff] {
                let mut other = SEGMENT.to_vec();
                other[place] ^= change;
                frames.push(other);
            }
        }
        let expressions = [
            "tcp port 1883",
            "udp or arp or icmp6",
            "not ip",
            "ether[0] & 1 != 0",
            "ip[2:2] - ((ip[0] & 0xf) << 2) > 20",
            "tcp[tcpflags] & (tcp-push|tcp-syn) != 0",
            "len >= 50 and src net 10.0.0.0/24",
            "ip[8] * 2 / 3 % 5 = 2 or ether[6:4] ^ 7 = 9",
            "ip protochain 6",
            "vlan and tcp",
            "greater 50",
        ];
        for number in [1, 101, 113, 276, 0] {
            for expression in expressions {
                // Some are for one link type only.
                if Program::compile(expression, number).is_err() {
                    continue;
                }
                for frame in &frames {
                    let (theirs, ours) = both(expression, number, frame);
                    assert_eq!(theirs, ours, "{expression} on {number}: {frame:x?}");
                }
            }
        }
    }

    #[test]
    fn the_length_on_the_wire_counts() {
        let mut filter = Filter::new(Some("greater 1000")).unwrap();
        assert!(filter.passes(1, &SEGMENT, 1000).unwrap());
        assert!(!filter.passes(1, &SEGMENT, 54).unwrap());
    }

    #[test]
    fn what_cannot_be_asked_of_one_link_type_lets_none_of_its_frames_pass() {
        let mut filter = Filter::new(Some("wlan type mgt")).unwrap();
        assert!(filter.passes(1, &SEGMENT, 54).is_err(), "no 802.11 at all so far");
        assert!(filter.passes(105, &SEGMENT, 54).unwrap(), "read as 802.11 it is one of management");
        assert!(!filter.passes(1, &SEGMENT, 54).unwrap());
    }

    #[test]
    fn live_only_expressions_are_refused() {
        let error = Filter::new(Some("inbound")).unwrap().passes(1, &SEGMENT, 54).expect_err("no direction");
        assert_eq!(error.exit_code(), 78);
    }

    #[test]
    fn a_program_that_never_ends_is_given_up() {
        let back = Instruction { code: 5, jt: 0, jf: 0, k: u32::MAX };
        assert!(!Program(Box::new([back])).matches(&SEGMENT, 54));
    }
}
