//! `demo`: the exporter against a built-in simulator whose clock runs fast.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

use super::serve::serve;
use crate::config::{Demo, Secret};
use crate::order::Order;
use crate::plan::OrderSetting;
use crate::simulator::{self, ACCESS_TOKEN, RateLimit, Settings, Simulator};

/// A minute of the company takes a second.
const SPEED: f64 = 60.0;

/// Serves exporter and simulator until `stop` ends. `ready` is told their addresses, with the scheme
/// of the exporter's, once they accept connections.
pub async fn demo(
    demo: Demo,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(&str, &[SocketAddr], SocketAddr),
) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .context("no free port on 127.0.0.1 for the simulator")?;
    let address = listener.local_addr()?;
    let simulator = Simulator::new(settings(&demo));
    let (stopped, mut until_stopped) = watch::channel(());
    let simulating = tokio::spawn(async move {
        let end = async move {
            let _ = until_stopped.changed().await;
        };
        simulator.serve(listener, end).await;
    });
    let scheme = demo.scheme();
    let base_url = Url::parse(&format!("http://{address}/"))?;
    let exporter = demo.against(base_url, Secret::new(ACCESS_TOKEN)?);
    let served = serve(exporter, stop, |addresses| {
        ready(scheme, addresses, address)
    })
    .await;
    drop(stopped);
    simulating.await?;
    served
}

fn settings(demo: &Demo) -> Settings {
    let limit = demo.rate_limit();
    let reading = demo.reading();
    let default = Settings::default();
    Settings {
        speed: SPEED,
        order: match reading.order {
            OrderSetting::Fixed(Order::OldestFirst) => simulator::Order::OldestFirst,
            OrderSetting::Fixed(Order::NewestFirst) | OrderSetting::Auto => {
                simulator::Order::NewestFirst
            }
        },
        timezone: reading.zone.clone(),
        rate_limit: RateLimit {
            requests: usize::try_from(limit.requests).unwrap_or(usize::MAX),
            window: limit.window,
            ..default.rate_limit
        },
        ..default
    }
}
