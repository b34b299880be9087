//! TLS to the broker: rustls with the ring provider, checked in full before the first attempt.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::config::{PublishError, TlsFiles};

/// Where Debian and OpenWrt keep the authorities of the system.
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Reads the files and makes the configuration for connections to `host`.
pub(super) fn client_config(host: &str, files: &TlsFiles) -> Result<Arc<ClientConfig>, PublishError> {
    let failed = |error: rustls::Error| PublishError::Tls(error.to_string());
    ServerName::try_from(host)
        .map_err(|_| PublishError::Tls(format!("{host:?} is not a name a certificate can carry")))?;
    let ca = files.ca.as_deref().unwrap_or(Path::new(SYSTEM_BUNDLE));
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates(ca)?);
    if added == 0 {
        return Err(content(ca, "holds no usable certificate of an authority"));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots);
    let config = match &files.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| pem_error(key, error))?;
            builder.with_client_auth_cert(chain, key_der).map_err(|error| {
                content(key, format!("does not go with {}: {error}", certificate.display()))
            })?
        }
    };
    Ok(Arc::new(config))
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PublishError> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem_error(path, error))?;
    if found.is_empty() {
        return Err(content(path, "holds no certificate in PEM form"));
    }
    Ok(found)
}

fn pem_error(path: &Path, error: pem::Error) -> PublishError {
    match error {
        pem::Error::Io(source) => PublishError::Read { path: path.to_owned(), source },
        pem::Error::NoItemsFound => content(path, "holds no private key in PEM form"),
        other => content(path, other.to_string()),
    }
}

fn content(path: &Path, why: impl Into<String>) -> PublishError {
    PublishError::Content { path: path.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "no PEM here\n").unwrap();
        let with_ca = |path: &Path| TlsFiles { ca: Some(path.to_owned()), client: None };
        let error = client_config("broker", &with_ca(&empty)).unwrap_err();
        assert!(error.to_string().contains("empty.pem: holds no certificate"), "{error}");
        let error = client_config("broker", &with_ca(&dir.path().join("none.pem"))).unwrap_err();
        assert!(matches!(error, PublishError::Read { .. }), "{error}");
        let error = client_config("no host!", &with_ca(&empty)).unwrap_err();
        assert!(matches!(error, PublishError::Tls(_)), "{error}");
    }
}
