//! The topic of a PUBLISH, also where a topic alias stands for it.

use super::knowledge::Knowledge;
use super::mqtt::Talk;
use crate::flow::connection::Ends;
use crate::flow::key::Direction;
use crate::mqtt::alias::{Alias, AliasKey};
use crate::mqtt::conformance::Found;
use crate::mqtt::packet::Body;
use crate::mqtt::property::{Properties, PropertyId};
use crate::mqtt::publish::Publish;
use crate::mqtt::violation::Violation;

impl Knowledge<'_> {
    /// A PUBLISH with a topic alias: takes it in, or says what it stands for.
    #[cold]
    pub(super) fn on_alias(
        &mut self,
        talk: &Talk<'_>,
        publish: &Publish<'_>,
        found: &mut Found,
    ) -> Option<Alias> {
        let alias = u16::try_from(publish.properties.integer(PropertyId::TopicAlias)?).ok()?;
        let Ends { client, server, .. } = *talk.ends;
        let connection = self.key.hash(&(client, server, talk.opened));
        let key = AliasKey { connection, direction: talk.direction, alias };
        let topic = publish.topic?;
        if !topic.is_empty() {
            let hash = self.key.hash_bytes(topic);
            self.aliases.set(key, Alias::new(topic, hash, (client, server, talk.opened)), talk.now);
            return None;
        }
        let known = self.aliases.get(&key, talk.now).cloned();
        let certain = talk.from_start && talk.session.conformance.is_complete() && self.aliases.is_complete();
        found.by(talk.direction).add_if(known.is_none() && certain && alias > 0, Violation::AliasUnknown);
        known
    }

    /// The topic of a PUBLISH with its hash where that is needed; else the hash of the authentication method.
    #[inline]
    pub(super) fn topic_and_hash<'t>(
        &self,
        direction: Direction,
        body: &Body<'t>,
        alias: Option<&'t Alias>,
    ) -> (&'t [u8], u64) {
        let method = |properties: &Properties<'_>| {
            properties
                .octets(PropertyId::AuthenticationMethod)
                .map_or(0, |method| self.key.hash_bytes(method))
        };
        let hash = match body {
            Body::Publish(publish) => {
                if let Some(alias) = alias {
                    return (&alias.topic, alias.hash);
                }
                let topic = publish.topic.unwrap_or_default();
                let wanted = direction == Direction::ToServer || publish.qos > 0;
                return (topic, if wanted { self.key.hash_bytes(topic) } else { 0 });
            }
            Body::Connect(connect) => method(&connect.properties),
            Body::ConnAck(Some(ack)) => method(&ack.properties),
            Body::Auth(auth) => method(&auth.properties),
            _ => 0,
        };
        (&[], hash)
    }
}
