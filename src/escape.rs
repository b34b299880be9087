//! The one place where octets of the wire, which an attacker chooses, become text for a person or a document.

/// Octets as text that is safe on a terminal and loses nothing.
///
/// Printable UTF-8 stays; control, invisible and direction-changing characters and the backslash become Rust
/// escapes (`\n`, `\u{202e}`, `\\`); bytes that are not UTF-8 become `\xNN`.
#[must_use]
pub fn escape(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\'' => text.push(c),
                _ => text.extend(c.escape_debug()),
            }
        }
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_characters_are_escaped() {
        assert_eq!(escape(b"plain 'id'"), "plain 'id'");
        assert_eq!(escape("gärtner".as_bytes()), "gärtner");
        assert_eq!(escape(b"a\\b\r\n\x1b[2J\0"), r"a\\b\r\n\u{1b}[2J\0");
        assert_eq!(escape("\u{202e}txt".as_bytes()), r"\u{202e}txt");
        assert_eq!(escape(b"\xff\xfe ok \xc3"), r"\xff\xfe ok \xc3");
    }

    proptest! {
        #[test]
        fn different_octets_stay_different(
            a in prop::collection::vec(any::<u8>(), 0..=8),
            b in prop::collection::vec(any::<u8>(), 0..=8),
        ) {
            prop_assert_eq!(a == b, escape(&a) == escape(&b));
        }
    }
}
