//! TLS to the database: whom it trusts, who it is itself, and how PostgreSQL begins it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::connect_error::{ConnectError, Whom};
use super::way::Way;
use crate::config::{ClientCertificate, DatabaseTls};

/// Asks for TLS, in the protocol of PostgreSQL.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// Says that it follows.
const YES: u8 = b'S';

/// What the files hold now, read blocking.
pub(super) fn connector(tls: &DatabaseTls) -> Result<TlsConnector, ConnectError> {
    let builder = match &tls.ca {
        Some(ca) => builder()?.with_root_certificates(authorities(&ca.path)?),
        None => of_the_system()?,
    };
    let config = match &tls.client {
        Some(client) => with_certificate(builder, client)?,
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Begins TLS with the server. It has to be whom the certificate names.
pub(super) async fn over(
    mut way: Way,
    tls: &TlsConnector,
    name: &str,
    whom: &Whom,
) -> Result<Way, ConnectError> {
    let lost = |error| whom.of_io(error);
    way.write_all(&SSL_REQUEST).await.map_err(lost)?;
    // Exactly this byte: what somebody on the way adds to it in the clear is no TLS.
    if way.read_u8().await.map_err(lost)? != YES {
        return Err(whom.without_tls());
    }
    let name = ServerName::try_from(name.to_owned());
    let name = name.map_err(|error| whom.untrusted(error))?;
    let stream = tls.connect(name, way).await.map_err(lost)?;
    Ok(Box::new(stream))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, rustls::WantsVerifier>, ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let versions = builder.with_safe_default_protocol_versions();
    versions.map_err(|error| ConnectError::Broken(Arc::new(error)))
}

/// The authorities of this system or, where it has none, those of Mozilla that the program carries.
fn of_the_system() -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, ConnectError> {
    builder()?.with_platform_verifier().or_else(|_| {
        let mut roots = RootCertStore::empty();
        let carried = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
        roots.add_parsable_certificates(carried);
        Ok(builder()?.with_root_certificates(roots))
    })
}

fn authorities(path: &Path) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, "sslrootcert")? {
        let added = roots.add(certificate);
        added.map_err(|error| ConnectError::file(path, "sslrootcert", error))?;
    }
    Ok(roots)
}

fn with_certificate(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    client: &ClientCertificate,
) -> Result<ClientConfig, ConnectError> {
    let chain = certificates(&client.chain, "sslcert")?;
    let key = PrivateKeyDer::from_pem_file(&client.key);
    let unusable = |error| ConnectError::file(&client.key, "sslkey", error);
    let key = key.map_err(unusable)?;
    let config = builder.with_client_auth_cert(chain, key);
    config.map_err(|error| ConnectError::file(&client.key, "sslkey", error))
}

fn certificates(
    path: &Path,
    parameter: &'static str,
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = found.map_err(|error| ConnectError::file(path, parameter, error))?;
    if found.is_empty() {
        return Err(ConnectError::file(
            path,
            parameter,
            "it holds no certificate",
        ));
    }
    Ok(found)
}
