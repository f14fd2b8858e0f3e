//! `metaaccess-exporter` without a command: serves the metrics of the account.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::listen::listen;
use crate::api::client::Client;
use crate::budget::Budget;
use crate::catalogue::BUILD;
use crate::config::{self, AccountConfig, Reading};
use crate::meters::Meters;
use crate::plan::Reach;
use crate::refresh::{Conductor, Refresher, Report, Source};
use crate::series::{Series, SeriesLimits};
use crate::server;
use crate::sight::FingerprintKey;

/// Serves until `stop` ends. `ready` is told the addresses once they accept connections.
pub async fn serve(
    exporter: config::Exporter,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(&[SocketAddr]),
) -> anyhow::Result<()> {
    let config::Exporter {
        web,
        account,
        scrape,
        metrics,
    } = exporter;
    let meters = Arc::new(Meters::new().context("the catalogue of metrics breaks a rule")?);
    meters.set(BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
    let limits = SeriesLimits {
        series: metrics.max_series,
        events: metrics.max_events,
    };
    warn_of_memory(&account.reading);
    let (refresher, conductor) = conduct(account, scrape.min_interval, limits, &meters)?;
    let listeners = listeners(&web.listen).await?;
    let addresses = addresses(&listeners)?;
    for address in &addresses {
        info!(%address, path = web.telemetry_path, version = env!("CARGO_PKG_VERSION"), "listening");
    }
    let door = Arc::new(server::Exporter {
        refreshers: vec![refresher],
        meters,
        telemetry_path: web.telemetry_path,
        timeout_offset: scrape.timeout_offset,
    });
    let mut conducting = tokio::spawn(conductor.run());
    ready(&addresses);
    tokio::select! {
        () = server::serve(listeners, door, stop) => {}
        ended = &mut conducting => {
            // It never ends by itself, and without it every scrape would show old counts for ever.
            bail!("the task that refreshes the counts broke off: {ended:?}. Please report this");
        }
    }
    info!("stopped");
    Ok(())
}

fn conduct(
    account: AccountConfig,
    min_interval: Duration,
    limits: SeriesLimits,
    meters: &Arc<Meters>,
) -> anyhow::Result<(Refresher, Conductor)> {
    let AccountConfig {
        name,
        endpoint,
        limits: allowed,
        reading,
    } = account;
    let budget = Budget::new(allowed.rate);
    let refresher = Refresher::new(name, budget, min_interval);
    let client = Client::new(&endpoint.base_url, endpoint.ca.as_ref(), allowed.timeout)?;
    let report = Report::new(&refresher, &reading.logs, Arc::clone(meters));
    let source = Source {
        client,
        token: endpoint.token,
        timeout: allowed.timeout,
        logs: reading.logs,
        order: reading.order,
        reach: Reach {
            lookback_minutes: whole_minutes(reading.lookback),
            lateness_minutes: whole_minutes(reading.lateness),
        },
        zone: reading.zone,
        key: FingerprintKey::new(&random_bytes()?),
    };
    let conductor = Conductor::new(refresher.clone(), source, Series::new(limits), report);
    Ok((refresher, conductor))
}

fn warn_of_memory(reading: &Reading) {
    warn!(
        lookback = ?reading.lookback,
        "counts are kept in memory: after a restart they begin again with the lines of the lookback, which Prometheus takes for a counter reset"
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

fn random_bytes() -> anyhow::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    if random.fill(&mut bytes).is_err() {
        bail!("the system gives no random numbers");
    }
    Ok(bytes)
}
