//! The only user of the HTTP client: one request, one answer, within bounds of time and size.
//!
//! The token travels in the URL. So no error of the client leaves this file: what went wrong becomes
//! a [`Failure`], which holds no data, and a detail without the URL. Redirects are not followed,
//! since they would carry the token to another host.

use std::error::Error;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Addrs, Resolve, Resolving};
use reqwest::{Certificate, ClientBuilder, Response, redirect, retry};
use tracing::warn;
use url::{Host, Url};

use super::failure::Failure;
use super::token::{self, Granted, TOKEN_PATH};
use super::v2::{self, Meaning, RateHeaders};
use crate::causes::causes;
use crate::clock;
use crate::config::{CaFile, Secret};
use crate::event::EventType;
use crate::names;
use crate::window::Query;

/// A page is 50 lines; this is hundreds of times what they need.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// Kept connections are closed before the other side might, so that no request is lost on one.
const IDLE_AT_MOST: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!("metaaccess-exporter/", env!("CARGO_PKG_VERSION"));

/// The client could not be made, so that nothing can be asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTPS client")]
pub struct ClientError(#[source] reqwest::Error);

/// HTTPS clients, one for all accounts that trust the same authorities: each holds connections and a
/// copy of the authorities.
#[derive(Debug, Default)]
pub struct Clients(Vec<(Trust, reqwest::Client)>);

#[derive(Clone, Debug, PartialEq)]
struct Trust {
    ca: Option<CaFile>,
    /// Reached without a proxy.
    is_loopback: bool,
}

impl Clients {
    /// A client of the API below `base_url`, which ends with a slash. A request is given up after
    /// `timeout`, from its start to the last byte of its answer.
    pub fn client(
        &mut self,
        base_url: &Url,
        ca: Option<&CaFile>,
        timeout: Duration,
    ) -> Result<Client, ClientError> {
        Ok(Client {
            http: self.http(base_url, ca).map_err(ClientError)?,
            logs: below(base_url, v2::LOGS_PATH),
            token: below(base_url, TOKEN_PATH),
            timeout,
        })
    }

    fn http(
        &mut self,
        base_url: &Url,
        ca: Option<&CaFile>,
    ) -> Result<reqwest::Client, reqwest::Error> {
        let trust = Trust {
            ca: ca.cloned(),
            is_loopback: is_loopback(base_url),
        };
        if let Some((_, http)) = self.0.iter().find(|(known, _)| *known == trust) {
            return Ok(http.clone());
        }
        let http = http_client(&trust)?;
        self.0.push((trust, http.clone()));
        Ok(http)
    }
}

/// Asks the API of one account.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    logs: Url,
    token: Url,
    timeout: Duration,
}

/// Looks up the names of the API and of proxies.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        Box::pin(async move {
            let found = names::look_up(name.as_str()).await?;
            // The port is that of the URL.
            let addresses = found.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// What came of one request.
#[derive(Debug)]
pub struct Reply<T = Content> {
    /// The HTTP status, if an answer came.
    pub status: Option<u16>,
    pub rate: RateHeaders,
    /// What the clock of the server read, since the Unix epoch, if it says so.
    pub date: Option<Duration>,
    pub outcome: Result<T, Failure>,
    /// What is known of a failure, for a person; neither a URL nor a body.
    pub detail: Option<String>,
}

/// An access token that was fetched.
#[derive(Clone, Debug)]
pub struct Fresh {
    pub token: Secret,
    /// How long it lives; none where the answer does not say.
    pub lifetime: Option<Duration>,
}

/// What an answer that worked holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    Page(Bytes),
    PastTheEnd,
}

impl Client {
    /// Asks for one page of a log. Ends within the time-out, whatever the server does.
    pub async fn logs(&self, log: EventType, query: Query, token: &Secret) -> Reply {
        self.in_time(self.ask(log, query, token)).await
    }

    /// Asks for an access token. Ends within the time-out, whatever the server does.
    pub async fn token(&self, id: &str, secret: &Secret) -> Reply<Fresh> {
        self.in_time(self.ask_for_token(id, secret)).await
    }

    /// Nothing of it goes on after its time: a process that was stopped meanwhile would send a request
    /// whose place in the window is free by then.
    async fn in_time<T>(&self, ask: impl Future<Output = Reply<T>>) -> Reply<T> {
        let end = clock::now().plus(self.timeout);
        let mut ask = std::pin::pin!(ask);
        let asking = std::future::poll_fn(|context| match clock::now() < end {
            true => ask.as_mut().poll(context).map(Some),
            false => Poll::Ready(None),
        });
        match tokio::time::timeout(self.timeout, asking).await {
            Ok(Some(reply)) => reply,
            Ok(None) | Err(_) => Reply::failed(Failure::Timeout),
        }
    }

    async fn ask_for_token(&self, id: &str, secret: &Secret) -> Reply<Fresh> {
        let form = token::form(id, secret.expose());
        let request = self.http.post(self.token.clone());
        match request.form(&form).send().await {
            Ok(response) => read_token(response).await,
            Err(error) => Reply::broken(&error.without_url()),
        }
    }

    async fn ask(&self, log: EventType, query: Query, token: &Secret) -> Reply {
        let mut url = self.logs.clone();
        url.query_pairs_mut()
            .append_pair("access_token", token.expose())
            .extend_pairs(v2::parameters(log, query.limit, query.page));
        match self.http.get(url).send().await {
            Ok(response) => read(response).await,
            Err(error) => Reply::broken(&error.without_url()),
        }
    }
}

/// The proxy by which this URL is reached, as its host and port; none where it is reached directly.
pub fn proxy_of(base_url: &Url) -> Option<String> {
    if is_loopback(base_url) {
        return None;
    }
    let uri = base_url.as_str().parse().ok()?;
    // What the HTTP client goes by.
    let proxy = Matcher::from_system().intercept(&uri)?;
    let (host, port) = (proxy.uri().host()?, proxy.uri().port_u16());
    Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

fn below(base_url: &Url, path: &str) -> Url {
    let mut url = base_url.clone();
    url.set_path(&format!("{}{path}", base_url.path().trim_end_matches('/')));
    url
}

impl<T> Reply<T> {
    fn failed(failure: Failure) -> Self {
        Self {
            status: None,
            rate: RateHeaders::default(),
            date: None,
            outcome: Err(failure),
            detail: None,
        }
    }

    fn broken(error: &reqwest::Error) -> Self {
        Self {
            detail: innermost(error),
            ..Self::failed(failure_of(error))
        }
    }
}

fn rate_of(response: &Response) -> RateHeaders {
    RateHeaders::read(|name| header(response, name), clock::unix_now())
}

fn date_of(response: &Response) -> Option<Duration> {
    v2::date(header(response, "Date")?)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

async fn read(response: Response) -> Reply {
    let status = response.status().as_u16();
    let (rate, date) = (rate_of(&response), date_of(&response));
    let reply = match v2::meaning(status) {
        Meaning::Lines => match body(response).await {
            Ok(body) => Reply {
                outcome: Ok(Content::Page(body)),
                ..Reply::failed(Failure::UnexpectedAnswer)
            },
            Err(reply) => reply,
        },
        Meaning::PastTheEnd => Reply {
            outcome: Ok(Content::PastTheEnd),
            ..Reply::failed(Failure::PageMissing)
        },
        Meaning::Failed(failure) => Reply::failed(failure),
    };
    Reply {
        status: Some(status),
        rate,
        date,
        ..reply
    }
}

async fn read_token(response: Response) -> Reply<Fresh> {
    let status = response.status().as_u16();
    let (rate, date) = (rate_of(&response), date_of(&response));
    let reply = match (token::refusal(status), body(response).await) {
        (None, Ok(body)) => Reply {
            outcome: token::parse(&body).and_then(usable),
            ..Reply::failed(Failure::TokenMissing)
        },
        (None, Err(broken)) => broken,
        (Some(failure), body) => Reply {
            detail: body
                .ok()
                .and_then(|body| token::error_code(&body))
                .map(str::to_owned),
            ..Reply::failed(failure)
        },
    };
    Reply {
        status: Some(status),
        rate,
        date,
        ..reply
    }
}

fn usable(granted: Granted) -> Result<Fresh, Failure> {
    let token = Secret::new(&granted.token).map_err(|_| Failure::TokenMissing)?;
    let lifetime = granted.lifetime;
    Ok(Fresh { token, lifetime })
}

async fn body<T>(mut response: Response) -> Result<Bytes, Reply<T>> {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_BODY => {
                return Err(Reply::failed(Failure::BodyTooLarge));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => {
                let error = error.without_url();
                return Err(Reply {
                    detail: innermost(&error),
                    ..Reply::failed(Failure::BodyCutOff)
                });
            }
        }
    }
}

fn failure_of(error: &reqwest::Error) -> Failure {
    if causes(error).any(is_of_tls) {
        Failure::Tls
    } else if error.is_timeout() {
        Failure::Timeout
    } else {
        Failure::Connection
    }
}

/// Whether it is an error of TLS, or one of I/O around that: those name as their source what stands
/// below the error that they hold.
fn is_of_tls(cause: &(dyn Error + 'static)) -> bool {
    let held = cause
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    cause.is::<rustls::Error>() || held.is_some_and(|held| is_of_tls(held))
}

/// The last cause alone: what stands above it repeats it, and may name the URL.
fn innermost(error: &(dyn Error + 'static)) -> Option<String> {
    causes(error).skip(1).last().map(ToString::to_string)
}

fn http_client(trust: &Trust) -> Result<reqwest::Client, reqwest::Error> {
    // The provider is one for the whole process; a second client finds it there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Some(ca) = &trust.ca {
        return builder(trust)
            .tls_certs_only(certificates(&ca.certificates)?)
            .build();
    }
    builder(trust).build().or_else(|_| {
        warn!("this system has no certificate authorities: trusting those of Mozilla that this program carries");
        builder(trust)
            .tls_certs_only(certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS)?)
            .build()
    })
}

fn certificates(
    ders: &[rustls::pki_types::CertificateDer],
) -> Result<Vec<Certificate>, reqwest::Error> {
    ders.iter().map(|der| Certificate::from_der(der)).collect()
}

fn builder(trust: &Trust) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .pool_idle_timeout(IDLE_AT_MOST)
        .dns_resolver(Names);
    // A proxy would be asked for its own loopback, with our token.
    if trust.is_loopback {
        builder.no_proxy()
    } else {
        builder
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
