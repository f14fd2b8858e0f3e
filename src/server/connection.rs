//! One connection: its requests in turn, and what was sent in answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpStream;
use tracing::debug;

use super::Exporter;
use super::delivery::{Delivery, Signing};
use super::patience::Patient;

/// For the head of a request, and between two requests of one connection: longer than most scrape
/// intervals, so that scrapers keep theirs.
const IDLE_AT_MOST: Duration = Duration::from_secs(120);

/// For a peer to take some more of its answer: far longer than any scraper waits for all of it.
const TAKES_NOTHING_AT_MOST: Duration = Duration::from_secs(60);

pub(super) fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    exporter: &Arc<Exporter>,
    graceful: &GracefulShutdown,
) {
    // An answer is one write: waiting for more would only delay it.
    let _ = stream.set_nodelay(true);
    let exporter = Arc::clone(exporter);
    let delivery = Delivery::default();
    let stream = Signing {
        stream: Patient::new(stream, TAKES_NOTHING_AT_MOST),
        delivery: delivery.clone(),
    };
    let answer = service_fn(move |request| {
        let (exporter, delivery) = (Arc::clone(&exporter), delivery.clone());
        async move { Ok::<_, Infallible>(exporter.answer(&request, peer, delivery).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_AT_MOST)
        .serve_connection(TokioIo::new(stream), answer);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection ended early");
        }
    });
}
