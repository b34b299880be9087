//! Models by HTTPS: from the configuration to the running thread.

use crate::config::Update;
use crate::error::ExitError;
use crate::update::mailbox::Mailbox;

/// What fetches models, once it is started; nothing where there is no HTTPS.
#[derive(Debug)]
pub(super) struct Fetcher {
    #[cfg(feature = "tls")]
    client: Option<crate::update::http::Client>,
}

impl Fetcher {
    /// Reads the authorities; to be called while their file can be read.
    #[cfg(feature = "tls")]
    pub(super) fn of(update: &Update) -> Result<Self, ExitError> {
        use crate::config::Transport;
        use crate::error::sysexits;
        use crate::update::http::Client;

        let is_on = update.enabled && update.transport != Transport::Mqtt;
        let client = update.ca_file.as_deref().filter(|_| is_on).map(Client::new).transpose();
        let client =
            client.map_err(|error| ExitError::new(sysexits::CONFIG, format!("update.ca-file: {error}")))?;
        Ok(Self { client })
    }

    /// Without TLS there is nothing to be read: a configuration that asks for it was refused.
    #[cfg(not(feature = "tls"))]
    pub(super) fn of(_: &Update) -> Result<Self, ExitError> {
        Ok(Self {})
    }

    /// Fetches what the mailbox asks for.
    pub(super) fn start(self, mailbox: Mailbox) -> Result<(), ExitError> {
        #[cfg(feature = "tls")]
        if let Some(client) = self.client {
            use crate::error::sysexits;

            crate::update::http::spawn(mailbox, client)
                .map_err(|error| ExitError::new(sysexits::SOFTWARE, format!("run: no thread: {error}")))?;
        }
        #[cfg(not(feature = "tls"))]
        drop(mailbox);
        Ok(())
    }
}
