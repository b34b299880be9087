//! Which alert an acknowledgement belongs to.
//!
//! rumqttc takes publications without saying which packet identifier they will get; it says so later, in the
//! order in which they were given (`Outgoing::Publish`), and names the identifier again when the broker
//! acknowledges. The window keeps the two lists, and bounds how many alerts are under way.

use std::collections::{BTreeMap, VecDeque};

/// Alerts under way at once.
pub(crate) const WINDOW: usize = 16;

/// What a publication was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tag {
    /// The stored document of that number.
    Document(u64),
    /// The status.
    Status,
    /// A metric.
    Metric,
    /// A message about the update of the model.
    Update,
    /// What Home Assistant is told.
    Discovery,
}

/// The publications of one connection that are under way.
#[derive(Default, Debug)]
pub(crate) struct Window {
    /// Given to rumqttc, not yet written to the socket.
    given: VecDeque<Tag>,
    /// Written, by packet identifier.
    written: BTreeMap<u16, Tag>,
}

impl Window {
    /// How many more documents may be given.
    pub(crate) fn room(&self) -> usize {
        let documents = self
            .given
            .iter()
            .chain(self.written.values())
            .filter(|tag| matches!(tag, Tag::Document(_)))
            .count();
        WINDOW.saturating_sub(documents)
    }

    /// Whether that document is under way.
    pub(crate) fn contains(&self, seq: u64) -> bool {
        let wanted = Tag::Document(seq);
        self.given.contains(&wanted) || self.written.values().any(|tag| *tag == wanted)
    }

    /// Whether nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.given.is_empty() && self.written.is_empty()
    }

    /// rumqttc took a publication.
    pub(crate) fn give(&mut self, tag: Tag) {
        self.given.push_back(tag);
    }

    /// rumqttc wrote the next publication under `packet_id`; 0 is QoS 0, which nobody acknowledges.
    pub(crate) fn write(&mut self, packet_id: u16) {
        if let (Some(tag), 1..) = (self.given.pop_front(), packet_id) {
            self.written.insert(packet_id, tag);
        }
    }

    /// The broker answered for `packet_id`.
    pub(crate) fn answer(&mut self, packet_id: u16) -> Option<Tag> {
        self.written.remove(&packet_id)
    }

    /// The connection is gone, and with it everything under way.
    pub(crate) fn clear(&mut self) {
        self.given.clear();
        self.written.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_documents_in_any_order() {
        let mut window = Window::default();
        for tag in [Tag::Status, Tag::Document(5), Tag::Metric, Tag::Document(6)] {
            window.give(tag);
        }
        assert_eq!(window.room(), WINDOW - 2);
        for packet_id in [1, 2, 0, 3] {
            window.write(packet_id);
        }
        assert!(window.contains(6) && !window.contains(7));
        assert_eq!(window.answer(3), Some(Tag::Document(6)));
        assert_eq!(window.answer(3), None);
        assert_eq!(window.answer(1), Some(Tag::Status));
        assert_eq!(window.answer(2), Some(Tag::Document(5)));
        assert!(window.is_empty());
    }

    #[test]
    fn a_new_connection_begins_empty() {
        let mut window = Window::default();
        (0..20).for_each(|seq| window.give(Tag::Document(seq)));
        assert_eq!(window.room(), 0);
        window.write(1);
        window.clear();
        assert!(window.is_empty() && window.room() == WINDOW);
        window.write(1);
        assert_eq!(window.answer(1), None);
    }
}
