//! `metaaccess-exporter` without a command: serves the metrics of the account.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::listen::listen;
use crate::api::client::Client;
use crate::catalogue::{BUILD, STATE, STATE_CREATED};
use crate::clock;
use crate::config::{self, AccountConfig, Metrics, Reading};
use crate::exposition::EventsText;
use crate::meters::{Created, Meters};
use crate::plan::Reach;
use crate::refresh::{Access, Conductor, Keeper, Refresher, Report, Restored, Source};
use crate::saved::{Identity, SavedSeries};
use crate::series::{Series, SeriesLimits};
use crate::server::{self, Porter, ReloadRequest};
use crate::sight::FingerprintKey;
use crate::store::Store;

/// Serves until `stop` ends. `ready` is told the addresses once they accept connections.
pub async fn serve(
    exporter: config::Exporter,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(&[SocketAddr]),
) -> anyhow::Result<()> {
    let config::Exporter {
        web,
        mut accounts,
        timeout_offset,
        metrics,
        state,
    } = exporter;
    let account = accounts.pop().context("no account is configured")?;
    let meters = Arc::new(Meters::new().context("the catalogue of metrics breaks a rule")?);
    meters.set(BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
    let store = open(state.as_deref(), &account.reading, &meters).await?;
    if metrics.created {
        meters.say_created(Created {
            process: clock::unix_now(),
            state: store.identity().created,
        });
    }
    let (refresher, conductor) = conduct(account, metrics, &meters, &store).await?;
    let listeners = listeners(&web.listen).await?;
    let addresses = addresses(&listeners)?;
    for address in &addresses {
        info!(%address, path = web.telemetry_path, version = env!("CARGO_PKG_VERSION"), "listening");
    }
    let key = random_bytes()?;
    let porter = Arc::new(Porter::new(web.config.as_ref(), key, Arc::clone(&meters)));
    let (reload, reloads) = mpsc::channel(1);
    let reloading = tokio::spawn(reload_when_told(reloads, Arc::clone(&porter)));
    let door = Arc::new(server::Exporter {
        scraper_key: store.identity().key,
        refreshers: vec![refresher],
        meters,
        telemetry_path: web.telemetry_path,
        timeout_offset,
        porter,
        reload: web.has_lifecycle.then_some(reload),
        max_connections: web.max_connections,
    });
    let (stop_conducting, told_to_stop) = oneshot::channel::<()>();
    let mut conducting = tokio::spawn(conductor.run(async {
        let _ = told_to_stop.await;
    }));
    ready(&addresses);
    tokio::select! {
        () = server::serve(listeners, door, stop) => {}
        ended = &mut conducting => {
            // It never ends by itself, and without it every scrape would show old counts for ever.
            bail!("the task that refreshes the counts broke off: {ended:?}. Please report this");
        }
    }
    reloading.abort();
    // Scrapes have their answers: nobody waits for a refresh that is under way.
    drop(stop_conducting);
    conducting
        .await
        .context("the task that refreshes the counts broke off")?;
    store.close().await?;
    info!("stopped");
    Ok(())
}

/// Reloads the web configuration when somebody asks for it, and when it has changed. Never ends.
async fn reload_when_told(mut told: mpsc::Receiver<ReloadRequest>, porter: Arc<Porter>) {
    let watching = porter.watch();
    let mut watching = std::pin::pin!(watching);
    loop {
        tokio::select! {
            () = &mut watching => {}
            Some(ReloadRequest(answer)) = told.recv() => {
                let reloaded = porter.reload().await.map_err(|error| error.to_string());
                // Who asked may be gone.
                let _ = answer.send(reloaded);
            }
            else => std::future::pending().await,
        }
    }
}

async fn open(path: Option<&Path>, reading: &Reading, meters: &Meters) -> anyhow::Result<Store> {
    let fresh = identity()?;
    let store = match path {
        Some(path) => Store::open(path, fresh).await?,
        None => {
            warn_of_memory(reading);
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

async fn conduct(
    account: AccountConfig,
    metrics: Metrics,
    meters: &Arc<Meters>,
    store: &Store,
) -> anyhow::Result<(Refresher, Conductor)> {
    let AccountConfig {
        name,
        endpoint,
        limits: allowed,
        reading,
    } = account;
    let access = Access::new(endpoint.credential.clone(), allowed.rate);
    let (logs, order, zone) = (&reading.logs, reading.order, &reading.zone);
    let limits = SeriesLimits {
        series: metrics.max_series,
        events: metrics.max_events,
    };
    let mut series = Series::new(limits, store.identity().key);
    let mut of_before = 0_u64;
    let each = |one: SavedSeries| {
        of_before += u64::from(!metrics.hostnames.may_show(one.event.labels().hostname));
        series.take_up(&one);
    };
    let saved = store.load(&name, each).await?;
    if of_before > 0 {
        warn!(
            account = %name, series = of_before,
            "these series show hostnames as they were counted before --metrics.hostname was set, and stay, since no count may fall: to be rid of them, begin with a new --state.path"
        );
    }
    let restored = Restored::new(saved, series, logs, order, zone);
    let keeper = Keeper::new(store.clone(), name.clone(), Arc::clone(meters));
    let refresher = Refresher::new(name, access, allowed.min_interval, metrics.zero_for);
    let client = Client::new(&endpoint.base_url, endpoint.ca.as_ref(), allowed.timeout)?;
    let report = Report::new(&refresher, &reading.logs, Arc::clone(meters));
    let source = Source {
        client,
        timeout: allowed.timeout,
        logs: reading.logs,
        order: reading.order,
        reach: Reach {
            lookback_minutes: whole_minutes(reading.lookback),
            lateness_minutes: whole_minutes(reading.lateness),
        },
        zone: reading.zone,
        hostnames: metrics.hostnames,
        key: FingerprintKey::new(&store.identity().key),
    };
    let events = EventsText::new(refresher.account(), metrics.created);
    let conductor = Conductor::new(refresher.clone(), source, restored, events, report, keeper);
    Ok((refresher, conductor))
}

fn warn_of_memory(reading: &Reading) {
    warn!(
        lookback = ?reading.lookback,
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

/// Minutes of log time, begun ones too.
fn whole_minutes(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs().div_ceil(60)).unwrap_or(i64::MAX)
}

fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    let random = rustls::crypto::ring::default_provider().secure_random;
    if random.fill(&mut bytes).is_err() {
        bail!("the system gives no random numbers");
    }
    Ok(bytes)
}
