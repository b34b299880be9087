//! Random fields, drawn from the octets of a fuzzer: what is drawn is always legal, and small changes of the octets are
//! small changes of the fields. Where the octets end, zeros follow.

/// What fields are drawn from.
pub struct Draw<'a>(pub &'a [u8]);

/// Characters of one to four octets.
const LETTERS: [char; 16] =
    ['a', 'b', 'z', '0', '/', '-', '.', ' ', '$', '~', '\u{7f}', 'ü', 'Ж', '€', '\u{feff}', '\u{1f600}'];

impl Draw<'_> {
    /// Nothing is left to draw from.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn octet(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub fn flag(&mut self) -> bool {
        self.octet() & 1 != 0
    }

    /// Less than `end`.
    pub fn below(&mut self, end: u8) -> u8 {
        self.octet() % end
    }

    pub fn two(&mut self) -> u16 {
        u16::from_be_bytes([self.octet(), self.octet()])
    }

    pub fn two_not_zero(&mut self) -> u16 {
        self.two().max(1)
    }

    pub fn four(&mut self) -> u32 {
        u32::from(self.two()) << 16 | u32::from(self.two())
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.octet()) % all.len()]
    }

    pub fn octets(&mut self) -> Vec<u8> {
        let len = self.below(24);
        (0..len).map(|_| self.octet()).collect()
    }

    /// Text of at least so many characters, and sometimes of some hundred octets.
    pub fn text(&mut self, least: u8) -> String {
        let len = self.octet();
        let text: String = (0..least.max(len % 24)).map(|_| self.one_of(&LETTERS)).collect();
        if len < 250 { text } else { text.repeat(6) }
    }

    /// The name of a topic.
    pub fn topic(&mut self) -> String {
        let name = self.text(1);
        // A name that begins with `$` is the broker's own, and not for everybody to write to.
        if name.starts_with('$') { format!("x{name}") } else { name }
    }

    /// A topic filter, with the numbers of its wildcards, and whether it is shared.
    pub fn filter(&mut self) -> (String, bool, bool) {
        let levels = 1 + self.below(4);
        let (mut filter, mut wildcard) = (String::new(), false);
        for level in 1..=levels {
            match self.below(4) {
                0 => (filter.push('+'), wildcard = true).1,
                1 if level == levels => (filter.push('#'), wildcard = true).1,
                // No separator: the level would not be one.
                _ => filter.push_str(&self.text(1).replace('/', "s")),
            }
            if level < levels {
                filter.push('/');
            }
        }
        let shared = self.below(8) == 1;
        let filter =
            if shared { format!("$share/{}/{filter}", self.text(1).replace('/', "s")) } else { filter };
        let shared = shared || filter.starts_with("$share/");
        (filter, wildcard, shared)
    }
}
