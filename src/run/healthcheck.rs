//! `healthcheck`: asks a running exporter whether it is well.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::config::{Healthcheck, WebFile};

const AT_MOST: Duration = Duration::from_secs(3);

/// What an exporter answers that is well: 200; 401 where it wants a password and 429 where its rate
/// limit is used up, of which this command knows nothing.
const WELL: [&str; 3] = ["200", "401", "429"];

/// Asks `/-/healthy`. An error says why the exporter is not well.
pub async fn healthcheck(asked: Healthcheck) -> anyhow::Result<()> {
    let address = asked.address;
    let speaks_tls = asked
        .web_config
        .as_deref()
        .is_some_and(WebFile::asks_for_tls);
    let answer = tokio::time::timeout(AT_MOST, ask(address, speaks_tls)).await;
    let answer = answer
        .with_context(|| format!("{address} did not answer within {AT_MOST:?}"))?
        .with_context(|| format!("no exporter answers at {address}"))?;
    let Answer::Http(answer) = answer else {
        return Ok(());
    };
    let status = answer.lines().next().unwrap_or_default();
    let code = status.strip_prefix("HTTP/1.1 ").unwrap_or_default();
    if !WELL.iter().any(|well| code.starts_with(well)) {
        bail!("{address} is not healthy: it answered {status:?}");
    }
    Ok(())
}

enum Answer {
    Http(String),
    /// It speaks TLS and wants to see a certificate, which this command has not.
    WantsCertificate,
}

async fn ask(address: SocketAddr, speaks_tls: bool) -> io::Result<Answer> {
    if !speaks_tls {
        let stream = TcpStream::connect(address).await?;
        let answer = ask_on(stream, address).await?;
        // So an exporter answers that speaks TLS.
        if !answer.starts_with("HTTP/1.1 400 ") {
            return Ok(Answer::Http(answer));
        }
    }
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    let connected = match connector()?.connect(name, stream).await {
        Ok(stream) => ask_on(stream, address).await,
        Err(error) => Err(error),
    };
    match connected {
        Ok(answer) => Ok(Answer::Http(answer)),
        Err(error) if wants_certificate(&error) => Ok(Answer::WantsCertificate),
        Err(error) => Err(error),
    }
}

async fn ask_on(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    address: SocketAddr,
) -> io::Result<String> {
    let request =
        format!("GET /-/healthy HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn wants_certificate(error: &io::Error) -> bool {
    use rustls::AlertDescription::{BadCertificate, CertificateRequired, HandshakeFailure};
    let tls = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(
        tls,
        Some(rustls::Error::AlertReceived(
            CertificateRequired | BadCertificate | HandshakeFailure
        ))
    )
}

fn connector() -> io::Result<TlsConnector> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes every certificate: the question goes to this machine and holds no secret, and the answer
/// is worth no more than that somebody gives it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
