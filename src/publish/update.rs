//! The way of a new model over the broker: from the topics to the [`Mailbox`] of the updating thread, and back.

use std::time::Duration;

use super::link::Message;
use super::topics::Topics;
use crate::update::mailbox::{Mailbox, Origin};

/// How long the thread that carries messages away waits before it looks whether it is to end.
pub(super) const LOOK_UP: Duration = Duration::from_secs(1);

/// Updates over the broker.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where messages go to and come from.
    pub mailbox: Mailbox,
    /// The channel that is followed, one level of a topic.
    pub channel: Option<String>,
}

impl Remote {
    /// What is to be subscribed.
    pub(super) fn filters(&self, topics: &Topics) -> Vec<String> {
        let channel = self.channel.as_deref().map(Topics::channel);
        [Some(topics.update_desired()), channel, Some(topics.update_data("+", "+"))]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Takes a message, from whichever topic. It never waits: what finds no place is dropped and counted there.
    pub(super) fn take(&self, topics: &Topics, message: &Message) {
        let Message { topic, payload } = message;
        if *topic == topics.update_desired() {
            self.mailbox.desired(Origin::Sensor, payload);
        } else if self.channel.as_deref().is_some_and(|channel| *topic == Topics::channel(channel)) {
            self.mailbox.desired(Origin::Channel, payload);
        } else if let Some((transfer, index)) = topics.data_block(topic) {
            self.mailbox.block(transfer, index, payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::digest::Digest;
    use crate::update::document::Get;
    use crate::update::mailbox::Inbound;

    #[test]
    fn messages_find_their_places_and_others_none() {
        let topics = Topics::new(&"gw-1".parse().unwrap());
        let remote = Remote { mailbox: Mailbox::new(), channel: Some("stable".to_owned()) };
        assert_eq!(
            remote.filters(&topics),
            [
                "picket/v1/gw-1/update/desired",
                "picket/v1/_fleet/update/stable",
                "picket/v1/gw-1/update/data/+/+"
            ]
        );
        let blocks = vec![7];
        let transfer = "0123456789abcdef".to_owned();
        remote.mailbox.ask(Get {
            schema: Get::SCHEMA.to_owned(),
            transfer: transfer.clone(),
            sha256: Digest([0; 32]),
            block_size: 4096,
            blocks,
        });
        for (topic, payload) in [
            ("picket/v1/gw-1/update/data/0123456789abcdef/07", "no"),
            ("picket/v1/gw-1/update/data/0123456789abcdef/+7", "no"),
            ("picket/v1/gw-1/update/data/0123456789abcdef/7/8", "no"),
            ("picket/v1/gw-2/update/data/0123456789abcdef/7", "no"),
            ("picket/v1/gw-1/update/data/0123456789abcdef/7", "block"),
            ("picket/v1/_fleet/update/beta", "no"),
            ("picket/v1/_fleet/update/stable", "all"),
            ("picket/v1/gw-1/update/desired", "one"),
        ] {
            remote.take(&topics, &Message { topic: topic.to_owned(), payload: payload.into() });
        }
        let came: Vec<_> = std::iter::from_fn(|| remote.mailbox.receive(Duration::ZERO)).collect();
        assert_eq!(
            came,
            [
                Inbound::Desired(b"one".to_vec()),
                Inbound::Desired(b"all".to_vec()),
                Inbound::Block { transfer, index: 7, octets: b"block".to_vec() },
            ]
        );
        assert!(remote.mailbox.dropped().is_empty());
    }
}
