//! The commands: each wires the rooms together and runs until it is told to stop.

mod alarm;
mod check;
mod demo;
mod fleet;
mod healthcheck;
mod joint;
mod listen;
mod reload;
mod serve;
mod simulate;

pub use check::check;
pub use demo::demo;
pub use healthcheck::healthcheck;
pub use serve::serve;
pub use simulate::simulate;

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

/// Ends when the process is told to stop: SIGTERM or SIGINT. The handlers are in place when this
/// returns, so that no signal is lost between.
pub fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping");
    })
}

impl reload::Hangups for Signal {
    async fn next(&mut self) {
        if self.recv().await.is_none() {
            // None will come any more.
            std::future::pending().await
        }
    }
}
