//! Strings: what is not UTF-8, and U+0000.

use picket::alert::Severity::Medium;
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::support::mqtt::{SubAck, Subscribe};

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::Utf8, Medium, ["mqtt311:1.5.3-1", "mqtt5:1.5.4-1"])
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter(b"a/\xff", 0)).server_closes())
        // A surrogate.
        .answered(|s, v| {
            let s = s.session().up(Subscribe::new(v, 1).filter(b"a/\xed\xa0\x80", 0));
            s.down(SubAck::new(v, 1, &[0])).leaves()
        })
        .legal(|s, v| {
            let s = s.session().up(Subscribe::new(v, 1).filter("a/\u{e9}\u{1f600}", 0));
            s.down(SubAck::new(v, 1, &[0])).leaves()
        })
        .into(list);
    Cases::both(V::NulInString, Medium, ["mqtt311:1.5.3-2", "mqtt5:1.5.4-2"])
        .closed(|s, _| s.opens().connects(|connect| connect.user_name("a\0b")).server_closes())
        .also(super::MALFORMED)
        // Other control characters are bad style only.
        .legal(|s, _| s.session_of(|connect| connect.user_name("a\u{1}b")).leaves())
        .into(list);
    Cases::both(V::NulInTopic, Medium, ["mqtt311:4.7.3-2", "mqtt5:4.7.3-2"])
        .closed(|s, v| s.session().up(Subscribe::new(v, 1).filter("a\0b", 0)).server_closes())
        .also(["mqtt311:1.5.3-2", "mqtt5:1.5.4-2"])
        .legal(|s, v| {
            let s = s.session().up(Subscribe::new(v, 1).filter("a b", 0));
            s.down(SubAck::new(v, 1, &[0])).leaves()
        })
        .into(list);
}
