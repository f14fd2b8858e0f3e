//! `metaaccess-exporter` without a command: serves the metrics of the accounts.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::fleet::{Common, Fleet, FleetError};
use super::joint::Joint;
use super::listen::listen;
use super::reload::Reloader;
use crate::catalogue::{BUILD, STATE, STATE_CREATED};
use crate::clock;
use crate::config::{self, AccountConfig, Database, State};
use crate::meters::{Created, Meters};
use crate::refresh::Roster;
use crate::saved::Identity;
use crate::server::{self, Porter};
use crate::store::Store;

/// Between two tries to reach the database at the start.
const CONNECT_EVERY: Duration = Duration::from_secs(1);

/// For the counts of all accounts, which may be many.
const FIRST_LOOK_AT_MOST: Duration = Duration::from_mins(1);

/// Serves until `stop` ends. `ready` is told the addresses once they accept connections.
pub async fn serve(
    exporter: config::Exporter,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(&[SocketAddr]),
) -> anyhow::Result<()> {
    let config::Exporter {
        web,
        accounts,
        config_file,
        timeout_offset,
        metrics,
        state,
    } = exporter;
    let hangups = signal(SignalKind::hangup())?;
    let meters = Arc::new(Meters::new().context("the catalogue of metrics breaks a rule")?);
    meters.set(BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
    let mut stop = std::pin::pin!(stop);
    let store = tokio::select! {
        biased;
        () = &mut stop => return Ok(()),
        opened = open(state, &accounts, &meters) => opened?,
    };
    if metrics.created {
        meters.say_created(Created {
            process: clock::unix_now(),
            state: store.identity().created,
        });
    }
    let (alarms, mut broken) = mpsc::unbounded_channel();
    let (roster, joint) = match store.of_replicas() {
        Some(shared) => {
            let (roster, joint) = Joint::start(shared, &meters, &alarms);
            (roster, Some(joint))
        }
        None => (Arc::new(Roster::default()), None),
    };
    let common = Common {
        store: store.clone(),
        meters: Arc::clone(&meters),
        metrics,
        joint,
    };
    let mut fleet = Fleet::new(common, Arc::clone(&roster), alarms);
    let begun = tokio::select! {
        biased;
        () = &mut stop => None,
        begun = async {
            begin(&mut fleet, &accounts).await?;
            // What others have counted is there from the first answer on.
            roster.look(&[], FIRST_LOOK_AT_MOST).await;
            anyhow::Ok(())
        } => Some(begun),
    };
    let Some(begun) = begun else {
        fleet.stop().await;
        store.close().await?;
        return Ok(());
    };
    begun?;
    let listeners = listeners(&web.listen).await?;
    let addresses = addresses(&listeners)?;
    let scheme = web.scheme();
    for address in &addresses {
        info!(%address, path = web.telemetry_path, scheme, version = env!("CARGO_PKG_VERSION"), "listening");
    }
    let key = random_bytes()?;
    let porter = Arc::new(Porter::new(web.config.as_ref(), key, Arc::clone(&meters)));
    let (reload, reloads) = mpsc::channel(1);
    let mut reloader = Reloader::new(fleet, config_file, Arc::clone(&porter), Arc::clone(&meters));
    let door = Arc::new(server::Exporter {
        scraper_key: store.identity().key,
        roster,
        meters,
        telemetry_path: web.telemetry_path,
        timeout_offset,
        porter,
        reload: web.has_lifecycle.then_some(reload),
        max_connections: web.max_connections,
    });
    ready(&addresses);
    tokio::select! {
        () = server::serve(listeners, door, stop) => {}
        () = reloader.run(reloads, hangups) => {}
        Some(task) = broken.recv() => {
            // It never ends by itself, and without it every scrape would show old counts for ever.
            bail!("the task that {task} broke off. Please report this");
        }
    }
    // Scrapes have their answers: nobody waits for a refresh that is under way.
    reloader.stop().await;
    store.close().await?;
    info!("stopped");
    Ok(())
}

async fn open(state: State, accounts: &[AccountConfig], meters: &Meters) -> anyhow::Result<Store> {
    let fresh = identity()?;
    let (store, place) = match state {
        State::File(path) => (Store::open(&path, fresh).await?, path.display().to_string()),
        State::Memory => {
            warn_of_memory(accounts);
            (Store::memory(fresh), String::new())
        }
        State::Shared(database) => {
            let place = database.to_string();
            (shared(*database, &fresh).await?, place)
        }
    };
    let Identity { epoch, created, .. } = store.identity();
    meters.set(STATE, &[store.backend(), epoch], 1.0);
    meters.set(STATE_CREATED, &[], created.as_secs_f64());
    if store.format().is_some() {
        if store.is_fresh() {
            info!(
                path = place,
                epoch, "a new state: counts begin with the lines of the lookback"
            );
        } else {
            info!(path = place, epoch, "counts go on from the state");
        }
    }
    Ok(store)
}

/// Opens the state that replicas share. A database that cannot be reached is waited for: it may start at
/// the same time, or be moving.
async fn shared(database: Database, fresh: &Identity) -> anyhow::Result<Store> {
    let replica = u64::from_be_bytes(random_bytes()?);
    let mut is_said = false;
    loop {
        match Store::shared(database.clone(), fresh, replica).await {
            Err(error) if error.may_pass() => {
                if !std::mem::replace(&mut is_said, true) {
                    let error = anyhow::Error::new(error);
                    warn!("{error:#}. It is tried again until it works");
                }
                tokio::time::sleep(CONNECT_EVERY).await;
            }
            opened => return Ok(opened?),
        }
    }
}

/// Lets the first accounts take over. A database that is gone again is waited for, as before.
async fn begin(fleet: &mut Fleet, accounts: &[AccountConfig]) -> Result<(), FleetError> {
    let mut is_said = false;
    loop {
        match fleet.take_over(accounts.to_vec()).await {
            Err(FleetError::Requests(error)) if error.may_pass() => {
                if !std::mem::replace(&mut is_said, true) {
                    let error = anyhow::Error::new(error);
                    warn!("{error:#}. It is tried again until it works");
                }
                tokio::time::sleep(CONNECT_EVERY).await;
            }
            begun => return begun,
        }
    }
}

/// The identity of a state that is made now.
fn identity() -> anyhow::Result<Identity> {
    let epoch: [u8; 8] = random_bytes()?;
    Ok(Identity {
        epoch: format!("{:016x}", u64::from_be_bytes(epoch)),
        created: clock::unix_now(),
        key: random_bytes()?,
    })
}

fn warn_of_memory(accounts: &[AccountConfig]) {
    let lookback = accounts
        .iter()
        .map(|account| account.reading.lookback)
        .max();
    warn!(
        lookback = ?lookback.unwrap_or_default(),
        "counts are kept in memory: after a restart they begin again with the lines of the lookback, which Prometheus takes for a counter reset, and the request window is not known. --state.path names a file to keep them in"
    );
}

async fn listeners(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(listen(*address, "--web.listen-address").await?);
    }
    Ok(listeners)
}

fn addresses(listeners: &[TcpListener]) -> std::io::Result<Vec<SocketAddr>> {
    listeners.iter().map(TcpListener::local_addr).collect()
}

fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    let random = rustls::crypto::ring::default_provider().secure_random;
    if random.fill(&mut bytes).is_err() {
        bail!("the system gives no random numbers");
    }
    Ok(bytes)
}
