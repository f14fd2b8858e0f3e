//! `simulate`: only the simulator, on its own address.

use std::future::Future;
use std::net::SocketAddr;

use tracing::info;

use super::listen::listen;
use crate::config::{Fault, FaultName, SimulateConfig};
use crate::order;
use crate::simulator::{
    self, ACCESS_TOKEN, Drift, Kind, Order, RateLimit, Retention, Settings, Simulator,
};

/// Where the redirect fault sends requests: nobody is there.
const ELSEWHERE: &str = "https://redirected.example.com/";

/// Serves the simulator until `stop` ends. `ready` is told the address once it accepts connections,
/// and the token that the simulator takes if it is the well-known one.
pub async fn simulate(
    config: SimulateConfig,
    stop: impl Future<Output = ()>,
    ready: impl FnOnce(SocketAddr, Option<&str>),
) -> anyhow::Result<()> {
    let listener = listen(config.listen, "--simulate.listen-address").await?;
    let address = listener.local_addr()?;
    let well_known = config.token.is_none().then_some(ACCESS_TOKEN);
    let simulator = Simulator::new(settings(&config));
    config
        .faults
        .iter()
        .map(fault)
        .for_each(|fault| simulator.inject(fault));
    info!(%address, "the simulator is listening");
    ready(address, well_known);
    simulator.serve(listener, stop).await;
    info!("stopped");
    Ok(())
}

fn settings(config: &SimulateConfig) -> Settings {
    let default = Settings::default();
    let history_hours = config.history.as_secs().div_ceil(3600);
    Settings {
        order: match config.order {
            order::Order::NewestFirst => Order::NewestFirst,
            order::Order::OldestFirst => Order::OldestFirst,
        },
        rate: config.lines_per_minute,
        speed: config.speed,
        seed: config.seed,
        history_hours: u32::try_from(history_hours).unwrap_or(u32::MAX),
        rate_limit: RateLimit {
            requests: usize::try_from(config.rate_limit.requests).unwrap_or(usize::MAX),
            window: config.rate_limit.window,
            ..default.rate_limit
        },
        access_token: config.token.as_ref().map_or_else(
            || ACCESS_TOKEN.to_owned(),
            |token| token.expose().to_owned(),
        ),
        drift: Drift {
            lines: config.drift,
            every: 1,
            purge: 0,
        },
        late_fraction: config.late,
        retention: Retention {
            lines: config.retention,
            hours: None,
        },
        style: simulator::Style {
            spaces: config.spaces,
            ..default.style
        },
        ..default
    }
}

fn fault(fault: &Fault) -> simulator::Fault {
    let status = |status| Kind::Status {
        status,
        retry_after: None,
    };
    let kind = match fault.name {
        FaultName::ServerError => status(500),
        FaultName::Unauthorized => status(401),
        FaultName::PastTheEnd => status(413),
        FaultName::TooManyRequests => status(429),
        FaultName::Html => Kind::Html,
        FaultName::Truncated => Kind::Truncated,
        FaultName::Endless => Kind::Endless,
        FaultName::Redirect => Kind::Redirect {
            location: ELSEWHERE.to_owned(),
        },
        FaultName::Hang => Kind::Hang,
    };
    let always = simulator::Fault::always(kind).on_logs();
    simulator::Fault {
        times: fault.requests.map(|times| u64::from(times.get())),
        ..always
    }
}
