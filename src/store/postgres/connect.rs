//! A connection to the first host of the database that takes writes.
//!
//! Files of secrets and certificates are read anew each time, so that a connection after their
//! rotation is made by the new ones.

use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, tls::NoTlsStream};
use tokio_rustls::TlsConnector;
use tracing::debug;

use super::connect_error::{ConnectError, Whom};
use super::session;
use super::tls;
use super::way::{self, Address, Way};
use crate::config::{Database, DatabaseHost};

/// A session with a server that takes writes, and makes durable what it says it has committed.
#[derive(Debug)]
pub(in crate::store) struct Connected {
    pub client: Client,
    /// One for each NOTIFY that was heard. It ends with the connection.
    pub notices: mpsc::UnboundedReceiver<()>,
    /// What the server calls itself, such as `PostgreSQL 15.18`.
    pub server: String,
}

/// What the settings and the files they name come to now.
struct Key {
    config: Config,
    tls: Option<TlsConnector>,
    has_password: bool,
    limit: Duration,
}

/// Connects to the first host that takes writes, in turn from the one of this number, which did the last
/// time, or from a random one; and says which it is. Each address of a host has the time-out of the
/// settings.
pub(in crate::store) async fn connect(
    database: &Database,
    first: Option<usize>,
) -> Result<(Connected, usize), ConnectError> {
    let key = Key::now(database).await?;
    let mut worst = None;
    let many = database.hosts.len();
    let first = first.unwrap_or_else(|| any_of(many));
    let hosts = database.hosts.iter().enumerate();
    for (number, host) in hosts.cycle().skip(first).take(many) {
        let whom = Whom::new(host, database);
        match at_host(host, &whom, &key).await {
            Ok(connected) => return Ok((connected, number)),
            Err(error) => worse(&mut worst, error),
        }
    }
    Err(worst.unwrap_or_else(|| ConnectError::ReadOnly {
        hosts: database.to_string(),
    }))
}

/// Keeps the failure that says most.
fn worse(worst: &mut Option<ConnectError>, error: ConnectError) {
    debug!(
        error = &error as &dyn std::error::Error,
        "a host of the database cannot be used"
    );
    *worst = Some(match worst.take() {
        Some(worst) => worst.or(error),
        None => error,
    });
}

impl Key {
    async fn now(database: &Database) -> Result<Self, ConnectError> {
        let database = database.clone();
        let read = tokio::task::spawn_blocking(move || Self::read(&database)).await;
        read.map_err(|error| ConnectError::Broken(Arc::new(error)))?
    }

    /// Reads the files, blocking.
    fn read(database: &Database) -> Result<Self, ConnectError> {
        let mut config = Config::new();
        config.user(&database.user).dbname(&database.name);
        config.application_name(&database.application_name);
        // It is the way here that has TLS, before any of this is said.
        config.ssl_mode(SslMode::Disable);
        if let Some(source) = &database.password {
            let read = source.read();
            let password = read.map_err(|error| ConnectError::Secret(Arc::new(error)))?;
            config.password(password.expose());
        }
        Ok(Self {
            config,
            tls: database.tls.as_ref().map(tls::connector).transpose()?,
            has_password: database.password.is_some(),
            limit: database.connect_timeout,
        })
    }
}

/// Somewhere to begin among so many.
fn any_of(many: usize) -> usize {
    let random = RandomState::new().build_hasher().finish();
    usize::try_from(random % many.max(1) as u64).unwrap_or_default()
}

async fn at_host(host: &DatabaseHost, whom: &Whom, key: &Key) -> Result<Connected, ConnectError> {
    let late = |_| whom.timed_out(key.limit);
    let found = timeout(key.limit, way::addresses(host)).await;
    let addresses = found.map_err(late)?;
    let addresses = addresses.map_err(|error| whom.unknown(error))?;
    let mut worst = None;
    for address in &addresses {
        let tried = timeout(key.limit, at_address(address, host, whom, key)).await;
        match tried.map_err(late).flatten() {
            Ok(connected) => return Ok(connected),
            Err(error) => worse(&mut worst, error),
        }
    }
    Err(worst.unwrap_or_else(|| whom.unknown("it has none".into())))
}

async fn at_address(
    address: &Address,
    host: &DatabaseHost,
    whom: &Whom,
    key: &Key,
) -> Result<Connected, ConnectError> {
    let opened = way::open(address).await;
    let mut way = opened.map_err(|error| whom.unreachable(error))?;
    if let (Some(tls), Some(name)) = (&key.tls, host.place.name()) {
        way = tls::over(way, tls, name, whom).await?;
    }
    let connected = key.config.connect_raw(way, NoTls).await;
    let not_let_in = |error| whom.of_postgres(error, key.has_password);
    let (client, connection) = connected.map_err(not_let_in)?;
    let (heard, notices) = mpsc::unbounded_channel();
    tokio::spawn(listen(connection, heard));
    let server = session::begin(&client, whom).await?;
    Ok(Connected {
        client,
        notices,
        server,
    })
}

/// Carries the connection until it ends, which it does when its client is dropped.
async fn listen(mut connection: Connection<Way, NoTlsStream>, heard: mpsc::UnboundedSender<()>) {
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            // Whoever no longer listens still uses the client.
            Some(Ok(AsyncMessage::Notification(_))) => drop(heard.send(())),
            Some(Ok(AsyncMessage::Notice(notice))) => {
                debug!(notice = notice.message(), "the database has a word");
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                debug!(error, "the connection to the database broke off");
                return;
            }
            None => return,
        }
    }
}
