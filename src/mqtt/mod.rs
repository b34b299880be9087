//! MQTT 3.1, 3.1.1 and 5 as seen by a bystander: frames control packets out of a stream and reads their fields.
//!
//! Sources: OASIS MQTT 3.1.1 (2014) and 5.0 (2019), IBM MQTT V3.1. Section numbers below are those of 5.0 where not said otherwise.

pub mod acknowledge;
pub mod alias;
pub mod conformance;
pub mod connect;
pub mod field;
pub mod framer;
pub mod inference;
pub mod packet;
pub mod property;
pub mod publish;
pub mod reason;
pub mod reasoned;
pub mod subscribe;
pub mod topic;
pub mod version;
pub mod violation;
