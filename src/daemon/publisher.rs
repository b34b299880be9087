//! From the configuration to the connection to the broker; reads the secrets.

use crate::config::Publish;
use crate::error::{ExitError, sysexits};
use crate::publish::config::{Credentials, PublishError, PublisherConfig, TlsFiles};
use crate::publish::update::Remote;

/// The publisher's configuration, or `None` when nothing is to be published. With `update` models are updated over the broker.
pub(super) fn of(publish: &Publish, update: Option<Remote>) -> Result<Option<PublisherConfig>, ExitError> {
    let Some(broker) = &publish.broker else { return Ok(None) };
    let credentials = match (&publish.user, &publish.password_file) {
        (Some(user), Some(file)) => {
            let (credentials, warning) = Credentials::from_file(user, file)?;
            if let Some(warning) = warning {
                log::warn!("{warning}");
            }
            Some(credentials)
        }
        _ => None,
    };
    let tls = TlsFiles {
        ca: publish.ca_file.clone(),
        client: publish
            .identity
            .as_ref()
            .map(|identity| (identity.cert_file.clone(), identity.key_file.clone())),
    };
    Ok(Some(PublisherConfig {
        protocol: publish.protocol,
        credentials,
        tls,
        keep_alive: publish.keep_alive,
        update,
        home_assistant: publish.home_assistant.clone(),
        ..PublisherConfig::new(broker.clone())
    }))
}

impl From<PublishError> for ExitError {
    fn from(error: PublishError) -> Self {
        Self::new(sysexits::CONFIG, format!("publish: {error}"))
    }
}
