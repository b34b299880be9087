//! Sends alerts, status and metrics to the management broker.
//!
//! [`payload`] and [`status`] are the documents, [`topics`] is where they go, [`client`] is one MQTT
//! connection after another, [`link`] such a connection, [`window`] says which alert an acknowledgement belongs to, and
//! [`delivery`] is the thread that stores first and publishes afterwards. [`update`] is the way of a new model to the
//! device, [`subscriptions`] keeps a broker from ending the connection with what was subscribed.
//! The contract with the outside is `docs/mqtt-api.md`.

pub mod backoff;
pub mod broker_url;
pub mod client;
pub mod config;
pub mod delivery;
pub mod home_assistant;
pub(crate) mod link;
pub mod payload;
pub mod probe;
pub mod rfc3339;
pub mod status;
mod subscriptions;
#[cfg(feature = "tls")]
pub mod tls;
pub mod topics;
pub mod update;
pub(crate) mod window;
