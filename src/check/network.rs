//! The way to the API: its name, and a connection to it on which nothing is asked.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::certificate::Certificate;
use super::finding::{Finding, Name};
use super::spans::span;
use crate::api::failure::Failure;
use crate::clock;
use crate::config::{CaFile, spell};
use crate::names;

/// A certificate that ends sooner is warned of: two weeks.
const SOON: i64 = 14 * 86_400;

/// How many addresses of a name are shown.
const SHOWN: usize = 4;

/// Where an API is.
#[derive(Debug)]
pub struct Place<'a> {
    host: Host<&'a str>,
    port: u16,
    is_tls: bool,
    ca: Option<&'a CaFile>,
    /// For each step.
    at_most: Duration,
}

impl<'a> Place<'a> {
    /// The place of this URL; none where it names no host.
    pub fn of(url: &'a Url, ca: Option<&'a CaFile>, at_most: Duration) -> Option<Self> {
        Some(Self {
            host: url.host()?,
            port: url.port_or_known_default()?,
            is_tls: url.scheme() == "https",
            ca,
            at_most,
        })
    }

    /// Looks the name up, and gives its addresses.
    pub async fn look_up(&self) -> (Finding, Vec<SocketAddr>) {
        let name = match self.host {
            Host::Domain(name) => name,
            Host::Ipv4(ip) => return self.known(ip.into()),
            Host::Ipv6(ip) => return self.known(ip.into()),
        };
        let found = timeout(self.at_most, names::look_up(name)).await;
        let addresses: Vec<SocketAddr> = match found {
            Ok(Ok(ips)) => ips
                .into_iter()
                .map(|ip| SocketAddr::new(ip, self.port))
                .collect(),
            Ok(Err(error)) => return (unknown(name, &error.to_string()), Vec::new()),
            Err(_) => {
                let waited = format!("no answer within {}", spell(self.at_most));
                return (unknown(name, &waited), Vec::new());
            }
        };
        let shown = addresses.iter().take(SHOWN).map(|it| it.ip().to_string());
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = addresses.len().saturating_sub(SHOWN);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        (
            Finding::ok(Name::Dns, format!("{name} is {shown}{more}")),
            addresses,
        )
    }

    fn known(&self, ip: std::net::IpAddr) -> (Finding, Vec<SocketAddr>) {
        let finding = Finding::ok(Name::Dns, format!("{ip} is an address: nothing to look up"));
        (finding, vec![SocketAddr::new(ip, self.port)])
    }

    /// Connects to the first of these addresses that answers, by TLS where the API speaks it.
    pub async fn connect(&self, addresses: &[SocketAddr]) -> Finding {
        let begin = clock::now();
        let (stream, address) = match self.tcp(addresses).await {
            Ok(connected) => connected,
            Err(why) => return failed(why, Failure::Connection),
        };
        if !self.is_tls {
            let message = format!("{address} answers; in clear text, as only loopback may");
            return Finding::ok(Name::Connection, message);
        }
        let stream = match timeout(self.at_most, self.tls(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return failed(format!("{address} answers, but {error}"), Failure::Tls);
            }
            Err(_) => {
                let waited = spell(self.at_most);
                let why = format!("{address} answers, but TLS was not ready within {waited}");
                return failed(why, Failure::Timeout);
            }
        };
        let took = clock::now().since(begin).as_millis();
        secured(&stream, &format!("{address} answers by TLS in {took} ms"))
    }

    async fn tcp(&self, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), String> {
        let mut why = "there is no address to connect to".to_owned();
        // Each has its share, so that one that is silent does not keep the others from being tried.
        let share = self.at_most / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok((stream, *address)),
                Ok(Err(error)) => why = format!("{address}: {error}"),
                Err(_) => why = format!("{address} did not answer within {}", spell(share)),
            }
        }
        Err(why)
    }

    async fn tls(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = match self.host {
            Host::Domain(name) => {
                ServerName::try_from(name.to_owned()).map_err(io::Error::other)?
            }
            Host::Ipv4(ip) => ServerName::IpAddress(std::net::IpAddr::from(ip).into()),
            Host::Ipv6(ip) => ServerName::IpAddress(std::net::IpAddr::from(ip).into()),
        };
        let config = trusting(self.ca).map_err(io::Error::other)?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }
}

fn unknown(name: &str, why: &str) -> Finding {
    Finding::failed(
        Name::Dns,
        format!("the name {name} was not found: {why}"),
        "check --api.base-url, and DNS and network of this machine",
    )
}

fn failed(why: String, failure: Failure) -> Finding {
    Finding::failed(Name::Connection, why, failure.advice())
}

/// What the HTTP client trusts: the authorities of the file, else those of the system, else Mozilla's.
fn trusting(ca: Option<&CaFile>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let of_file = |certificates: &[_]| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        roots
    };
    if let Some(ca) = ca {
        let config = config.with_root_certificates(of_file(&ca.certificates));
        return Ok(config.with_no_client_auth());
    }
    Ok(match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth(),
        Err(_) => config
            .with_root_certificates(of_file(webpki_root_certs::TLS_SERVER_ROOT_CERTS))
            .with_no_client_auth(),
    })
}

/// A connection whose certificate is trusted.
fn secured(stream: &TlsStream<TcpStream>, message: &str) -> Finding {
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.map(|der| Certificate::of(der));
    let issuer = certificate.as_ref().and_then(|it| it.issuer.clone());
    let issuer = issuer.map_or_else(String::new, |issuer| format!(", issued by {issuer}"));
    let message = format!("{message}; its certificate is trusted{issuer}");
    let Some(ends) = certificate.and_then(|certificate| certificate.ends) else {
        return Finding::ok(Name::Connection, message);
    };
    let now = i64::try_from(clock::unix_now().as_secs()).unwrap_or(i64::MAX);
    let day = Timestamp::from_second(ends).map(|end| end.strftime("%Y-%m-%d").to_string());
    let message = format!("{message}, good until {}", day.unwrap_or_default());
    match ends - now < SOON {
        true => Finding::warning(
            Name::Connection,
            message,
            format!("it ends in {}: see that it is renewed", span(ends - now)),
        ),
        false => Finding::ok(Name::Connection, message),
    }
}
