//! `metaaccess-exporter` without a command: serves the metrics of the accounts.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::fleet::{Common, Fleet};
use super::listen::listen;
use super::reload::Reloader;
use crate::catalogue::{BUILD, STATE, STATE_CREATED};
use crate::clock;
use crate::config::{self, AccountConfig};
use crate::meters::{Created, Meters};
use crate::refresh::Roster;
use crate::saved::Identity;
use crate::server::{self, Porter};
use crate::store::Store;

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
    let store = open(state.as_deref(), &accounts, &meters).await?;
    if metrics.created {
        meters.say_created(Created {
            process: clock::unix_now(),
            state: store.identity().created,
        });
    }
    let common = Common {
        store: store.clone(),
        meters: Arc::clone(&meters),
        metrics,
    };
    let roster = Arc::new(Roster::default());
    let (broken, mut breaks) = mpsc::unbounded_channel();
    let mut fleet = Fleet::new(common, Arc::clone(&roster), broken);
    fleet.take_over(accounts).await?;
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
        Some(account) = breaks.recv() => {
            // It never ends by itself, and without it every scrape would show old counts for ever.
            bail!("the task that refreshes the counts of account {account} broke off. Please report this");
        }
    }
    // Scrapes have their answers: nobody waits for a refresh that is under way.
    reloader.stop().await;
    store.close().await?;
    info!("stopped");
    Ok(())
}

async fn open(
    path: Option<&Path>,
    accounts: &[AccountConfig],
    meters: &Meters,
) -> anyhow::Result<Store> {
    let fresh = identity()?;
    let store = match path {
        Some(path) => Store::open(path, fresh).await?,
        None => {
            warn_of_memory(accounts);
            Store::memory(fresh)
        }
    };
    let Identity { epoch, created, .. } = store.identity();
    meters.set(STATE, &[store.backend(), epoch], 1.0);
    meters.set(STATE_CREATED, &[], created.as_secs_f64());
    if let Some(path) = path {
        let path = path.display();
        if store.is_fresh() {
            info!(%path, epoch, "a new state: counts begin with the lines of the lookback");
        } else {
            info!(%path, epoch, "counts go on from the state");
        }
    }
    Ok(store)
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
