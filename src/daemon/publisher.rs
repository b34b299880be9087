//! From the configuration to the connection to the broker.

use crate::config::Publish;
use crate::error::{ExitError, sysexits};
use crate::publish::config::{PublishError, PublisherConfig};
use crate::publish::update::Remote;

/// The publisher's configuration, or `None` when nothing is to be published. With `update` models are updated over the broker.
pub(super) fn of(publish: &Publish, update: Option<Remote>) -> Result<Option<PublisherConfig>, ExitError> {
    Ok(PublisherConfig::of(publish)?.map(|config| PublisherConfig { update, ..config }))
}

impl From<PublishError> for ExitError {
    fn from(error: PublishError) -> Self {
        Self::new(sysexits::CONFIG, format!("publish: {error}"))
    }
}
